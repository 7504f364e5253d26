//! `aeroform status`: shows the app once or repeatedly.

use std::time::Duration;

use tokio::time::sleep;

use super::args::{RecoveryFlags, StatusArgs};
use super::formats::{self, CommandOutput};
use super::session::{self, Session};
use super::{Context, scale, views};
use crate::core::fleet::GroupName;
use crate::core::plan::{PlanMode, Requested, plan};
use crate::core::view::phrases::human_limit;
use crate::core::view::{StatusView, Style, escape, terminal};
use crate::observe::observe_for;
use crate::provider::Provider;
use crate::ui::{AlternateScreen, Exit, Failure, Signals, Ui};

/// Longest interval after failed refreshes.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Reads and shows the app.
pub(super) async fn run(context: &Context<'_>, args: &StatusArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let first = signals
        .or_interrupted(inspect(
            context.ui,
            &session,
            &*provider,
            args.group_filter(),
        ))
        .await??;
    if !args.watch {
        print(context, &first);
        return Ok(Exit::Done);
    }
    let watch = StatusWatch {
        context,
        session: &session,
        provider: &*provider,
        only: args.group_filter(),
        every: args.every,
    };
    if context.ui.streams().stdout && !context.ui.format().is_for_programs() {
        watch.run_on_screen(&mut signals, first).await
    } else {
        watch.run_as_lines(&mut signals, first).await
    }
}

async fn inspect(
    ui: &Ui,
    session: &Session,
    provider: &dyn Provider,
    only: Option<&GroupName>,
) -> Result<StatusView, Failure> {
    let remembered = session.load_state_or_warn(ui).await;
    let known = remembered.clone().unwrap_or_else(|| session.empty_state());
    let observed = observe_for(provider, &session.desired, &known).await?;
    let options = session::planner_options(
        &RecoveryFlags::default(),
        PlanMode::Normal,
        Requested::default(),
    );
    let desired = session.desired_if_valid();
    let mut view = StatusView::of(provider.name(), desired, remembered.as_ref(), &observed);
    view.named_by.clone_from(&session.desired.app_name_source);
    if let (Some(desired), Some(known)) = (desired, &remembered) {
        view = view.with_plan(&plan(desired, known, Some(&observed), &options));
    }
    let Some(group) = only else {
        return Ok(view);
    };
    if view.groups.iter().any(|there| there.name == *group) {
        Ok(view.for_group(group))
    } else {
        scale::find_group(&session.desired, group.as_str()).map(|_| view)
    }
}

fn print(context: &Context<'_>, view: &StatusView) {
    formats::print(context.ui, CommandOutput::Status(view));
}

struct StatusWatch<'a> {
    context: &'a Context<'a>,
    session: &'a Session,
    provider: &'a dyn Provider,
    only: Option<&'a GroupName>,
    every: Duration,
}

impl StatusWatch<'_> {
    /// Refreshes in place on the terminal; the last view remains afterwards.
    async fn run_on_screen(
        &self,
        signals: &mut Signals,
        first: StatusView,
    ) -> Result<Exit, Failure> {
        let mut view = first;
        let mut screen = AlternateScreen::open()?;
        let mut trouble: Option<Failure> = None;
        let mut failed = 0;
        'looks: loop {
            let pause = self.pause(failed);
            let next = sleep(pause);
            tokio::pin!(next);
            loop {
                self.draw(&screen, &view, trouble.as_ref(), pause);
                tokio::select! {
                    biased;
                    _ = signals.next() => break 'looks,
                    () = screen.resized() => {}
                    () = &mut next => break,
                }
            }
            let Ok(looked) = signals
                .or_interrupted(inspect(
                    self.context.ui,
                    self.session,
                    self.provider,
                    self.only,
                ))
                .await
            else {
                break;
            };
            match looked {
                Ok(seen) => (view, trouble, failed) = (seen, None, 0),
                Err(failure) => (trouble, failed) = (Some(failure), failed + 1),
            }
        }
        drop(screen);
        print(self.context, &view);
        Ok(Exit::Interrupted)
    }

    /// Prints one view after the other if the terminal cannot redraw.
    async fn run_as_lines(
        &self,
        signals: &mut Signals,
        first: StatusView,
    ) -> Result<Exit, Failure> {
        let ui = self.context.ui;
        print(self.context, &first);
        let mut failed = 0;
        while ui.accepts_data() {
            let Ok(()) = signals.or_interrupted(sleep(self.pause(failed))).await else {
                return Ok(Exit::Interrupted);
            };
            let Ok(looked) = signals
                .or_interrupted(inspect(
                    self.context.ui,
                    self.session,
                    self.provider,
                    self.only,
                ))
                .await
            else {
                return Ok(Exit::Interrupted);
            };
            match looked {
                Ok(view) => {
                    failed = 0;
                    if !ui.format().is_for_programs() {
                        ui.data("\n");
                    }
                    print(self.context, &view);
                }
                Err(failure) => {
                    failed += 1;
                    ui.warn(&format!("refresh failed: {}", failure.message));
                }
            }
        }
        Ok(Exit::Done)
    }

    /// Doubles the interval after each failure, which may be a rate limit.
    fn pause(&self, failed: u32) -> Duration {
        let longer = self.every.saturating_mul(1 << failed.min(6));
        longer.min(MAX_PAUSE.max(self.every))
    }

    fn draw(
        &self,
        screen: &AlternateScreen,
        view: &StatusView,
        trouble: Option<&Failure>,
        pause: Duration,
    ) {
        let (width, _) = screen.size();
        let style = Style {
            width,
            cut_words: true,
            ..views::style(self.context.ui)
        };
        let mut text = String::new();
        terminal::status(view, &style, &mut text).expect("writing to a String cannot fail");
        let every = human_limit(pause);
        let foot = match trouble {
            None => format!(
                "{} · refreshes every {every} · Ctrl-C to stop",
                self.context.env.now()
            ),
            Some(failure) => format!(
                "refresh failed, next in {every}: {}",
                escape::safe(&failure.message)
            ),
        };
        let foot: String = foot.chars().take(width.saturating_sub(1)).collect();
        screen.draw(self.context.ui, &text, &foot);
    }
}
