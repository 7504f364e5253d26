//! What every verb that edits the manifests shares: read → look → edit in memory → show → plan → consent →
//! lock → write → apply.
//!
//! The files stay the truth: a verb only says which edits it means, and what happens to Machines is what
//! the plan makes of the edited files. Nothing is written before consent, and just before the first call
//! everything is (rule 35).

use super::args::Editing;
use super::carry_out::{self, Errand};
use super::files::FileEdits;
use super::manifests::{self, Manifests, Purpose, Warnings};
use super::session::{self, Session};
use super::{Context, codes, init, show};
use crate::conduct::{self, Look};
use crate::core::fleet::Desired;
use crate::core::manifest::edit::{Edit, EditError};
use crate::core::plan::{Options, Plan, PlanMode, Requested};
use crate::core::view::escape::safe;
use crate::core::view::{json, terminal};
use crate::journal::SqliteJournal;
use crate::provider::Provider;
use crate::ui::{Exit, Failure, Signals, Ui};

/// What a verb knows when it decides what to edit.
pub(super) struct Ground<'a> {
    /// What the files want before the edit.
    pub(super) desired: &'a Desired,
    /// What the plan would make of that: how many Machines there are, and where.
    pub(super) look: &'a Look,
}

/// Edits, plans, asks and applies, as far as the flags say. `command` is the verb as records name it.
pub(super) async fn run(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    asked_for: Requested,
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let asks = args.refresh.refresh;
    // What a run holds is large, and each verb would hold it by value.
    Box::pin(go(context, command, args, (asks, asked_for), edits)).await
}

/// The same for edits that do not depend on what is there: with `--edit-only` nobody is asked.
pub(super) async fn run_blind(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let asks = args.refresh.refresh && !args.edit_only;
    Box::pin(go(
        context,
        command,
        args,
        (asks, Requested::default()),
        edits,
    ))
    .await
}

async fn go(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    (asks, asked_for): (bool, Requested),
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    if !asks && !args.plan_only && !args.edit_only {
        return Err(Failure::new(
            codes::NEEDS_REFRESH,
            "without looking at the provider nothing is applied",
        )
        .hint("add `--plan-only` or `--edit-only`, or take `--refresh=false` away"));
    }
    let asked_for = session::with_options(context, &args.doing.options, asked_for)?;
    let mut signals = Signals::listen()?;
    let (read, before) = Before::read(context, &mut signals, args, asks).await?;
    let wanted = edits(&Ground {
        desired: &before.session.desired,
        look: &before.look,
    })?;
    let (edited, files) = before.edited(context, &mut signals, read, &wanted).await?;
    if files.is_empty() {
        return Ok(nothing_to_edit(context, &before.look.plan));
    }
    let warnings = if args.edit_only {
        Warnings::BesideEdit
    } else {
        Warnings::BesidePlan
    };
    let after = After {
        context,
        session: Session::of(context, edited, warnings)?,
        files,
        wishes: Options {
            parallelism: Some(args.doing.parallelism.get()),
            ..session::wishes(&args.doing.wishes, PlanMode::Normal, asked_for.clone())
        },
    };
    if args.edit_only {
        return after.written();
    }
    let Some(world) = before.world else {
        return after.planned_offline(&mut signals).await;
    };
    let mut shown = after
        .ground(&world)
        .look_again(&before.look, &after.wishes)?;
    if args.plan_only {
        return after.planned(&shown).await;
    }
    let begins = (command, args.doing.lock_timeout);
    let (session, journal) = (&after.session, &world.journal);
    if carry_out::can_begin(context, &mut signals, session, journal, begins).await? {
        let ground = after.ground(&world);
        shown = signals.or_interrupted(ground.look(&after.wishes)).await??;
    }
    let errand = Errand {
        command,
        aim: PlanMode::Normal,
        asked: asked_for,
        saved: None,
        doing: &args.doing,
    };
    after
        .carried_out(&mut signals, &errand, &world, shown)
        .await
}

/// Who is asked and remembers, where anybody is.
struct World {
    provider: Box<dyn Provider>,
    journal: SqliteJournal,
}

/// What there is before the edit.
struct Before {
    session: Session,
    world: Option<World>,
    look: Look,
}

impl Before {
    async fn read(
        context: &Context<'_>,
        signals: &mut Signals,
        args: &Editing,
        asks: bool,
    ) -> Result<(Manifests, Self), Failure> {
        let read = if asks {
            session::read_asking(context, Purpose::Run).await?
        } else {
            manifests::read(context, Purpose::Run)?
        };
        read.may_be_written(context.global)?;
        let session = Session::before_edit(context, read.clone())?;
        session.provider_is_named(context)?;
        let wishes = session::wishes(&args.doing.wishes, PlanMode::Normal, Requested::default());
        let (world, look) = if asks {
            let world = World {
                provider: session.provider(context)?,
                journal: session::journal(context)?,
            };
            let ground = session.ground(context, &*world.provider, &world.journal);
            let look = signals.or_interrupted(ground.look(&wishes)).await??;
            (Some(world), look)
        } else {
            let offline = Look::offline(&session.desired, &*session.store, &wishes);
            (None, signals.or_interrupted(offline).await??)
        };
        let before = Self {
            session,
            world,
            look,
        };
        Ok((read, before))
    }

    /// The manifests with these edits, in memory.
    async fn edited(
        &self,
        context: &Context<'_>,
        signals: &mut Signals,
        read: Manifests,
        wanted: &[Edit],
    ) -> Result<(Manifests, FileEdits), Failure> {
        let desired = &self.session.desired;
        let beginning = init::head(desired, &read.fly);
        let mut made = read.edited(desired, wanted, &beginning);
        // Whether there is a region that is not known here, the platform itself says.
        let lacks = made
            .as_ref()
            .is_ok_and(|(edited, _)| manifests::lack_regions(&edited.loaded.diagnostics));
        if lacks && self.world.is_some() {
            let fly = session::fly(context)?;
            let named = signals.or_interrupted(fly.regions()).await??;
            let read = manifests::read_with(context, Purpose::Run, named)?;
            made = read.edited(desired, wanted, &beginning);
        }
        made.map_err(|error| refused(context.ui, error))
    }
}

/// What there is to do once the edit is made in memory.
struct After<'a> {
    context: &'a Context<'a>,
    session: Session,
    files: FileEdits,
    wishes: Options,
}

impl After<'_> {
    fn ground<'g>(&'g self, world: &'g World) -> conduct::Ground<'g> {
        self.session
            .ground(self.context, &*world.provider, &world.journal)
    }

    /// Writes it, and leaves the rest to an apply.
    fn written(self) -> Result<Exit, Failure> {
        self.files.write()?;
        self.tell(true, None);
        self.context.ui.say(&format!(
            "wrote {}; `aeroform apply` carries it out",
            self.files.names()
        ));
        Ok(Exit::Done)
    }

    async fn planned_offline(&self, signals: &mut Signals) -> Result<Exit, Failure> {
        let session = &self.session;
        let offline = Look::offline(&session.desired, &*session.store, &self.wishes);
        let shown = signals.or_interrupted(offline).await??;
        self.tell(false, Some(&shown.plan));
        Ok(Exit::Done)
    }

    async fn planned(&self, shown: &Look) -> Result<Exit, Failure> {
        self.session.say_open_runs(self.context.ui, shown).await?;
        self.tell(false, Some(&shown.plan));
        Ok(Exit::Done)
    }

    async fn carried_out(
        &self,
        signals: &mut Signals,
        errand: &Errand<'_>,
        world: &World,
        shown: Look,
    ) -> Result<Exit, Failure> {
        self.tell(false, None);
        let edited = carry_out::Edited {
            session: &self.session,
            provider: &*world.provider,
            journal: &world.journal,
            shown,
            edits: &self.files,
        };
        carry_out::run_edited(self.context, signals, errand, edited).await
    }

    fn tell(&self, written: bool, plan: Option<&Plan>) {
        tell(
            self.context,
            &self.session.desired,
            &self.files,
            written,
            plan,
        );
    }
}

/// Shows the edit, and where nothing else does, the plan that follows.
fn tell(
    context: &Context<'_>,
    desired: &Desired,
    files: &FileEdits,
    written: bool,
    plan: Option<&Plan>,
) {
    let ui = context.ui;
    let view = files.view();
    if ui.json() {
        ui.document(&json::edit::edit(&desired.app, &view, written, plan));
        if ui.streams().can_ask() && plan.is_none() && !written {
            show::talk(ui, |style, text| terminal::edits(&view, style, text));
        }
        return;
    }
    show::data(ui, |style, text| terminal::edits(&view, style, text));
    if let Some(plan) = plan {
        show::plan(ui, plan);
    }
}

/// The files say so already. That is not to say that it is so.
fn nothing_to_edit(context: &Context<'_>, plan: &Plan) -> Exit {
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::edit::edit(&plan.app, &[], false, None));
    } else {
        ui.data("The files say so already; nothing was changed.\n");
    }
    if !plan.is_empty() {
        ui.say("`aeroform plan` shows what is still to be done for them");
    }
    Exit::Done
}

/// An edit that cannot be made: the person is told what to write instead.
fn refused(ui: &Ui, error: EditError) -> Failure {
    let (failure, change) = match error {
        EditError::NotToml { path, change } => {
            let message =
                format!("`{path}` is not TOML, and only TOML is edited; nothing was changed");
            (Failure::new(codes::NOT_TOML, message), change)
        }
        EditError::UnsupportedForm { path, change } => {
            let message = format!(
                "`{path}` is written in a form that cannot be edited without changing more; \
                 nothing was changed"
            );
            (Failure::new(codes::NOT_EDITABLE, message), change)
        }
        EditError::Invalid {
            diagnostics,
            change,
        } => {
            manifests::show(&diagnostics, ui);
            let message = "with this change the manifests would not be valid; nothing was changed";
            let lines = indented(&change);
            ui.talk(&format!("the change would have been:\n{lines}\n"));
            let failure = Failure {
                diagnostics: diagnostics.iter().cloned().collect(),
                ..Failure::new(codes::EDIT_INVALID, message)
            };
            return failure.hint("ask for something else, or first change what stands against it");
        }
    };
    ui.talk(&format!("the change to make:\n{}\n", indented(&change)));
    failure.hint("make the change by hand, then run `aeroform plan`")
}

fn indented(change: &str) -> String {
    let lines = change.lines().map(|line| format!("  {}", safe(line)));
    lines.collect::<Vec<String>>().join("\n")
}
