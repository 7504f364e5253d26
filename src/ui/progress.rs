//! Progress of a run on standard error: bars on a terminal, lines elsewhere, only problems with `-q`. Waits are
//! always shown with their limit.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::SilentInterrupt;
use super::{Loudness, Ui};
use crate::core::fleet::MachineId;
use crate::core::plan::{Change, Event, Outcome, Plan, StepEvent, StepId};
use crate::core::view::run_report::step_change;
use crate::core::view::terminal::event;
use crate::core::view::terminal::progress::{step_event_text, subject, undo_event_text};
use crate::core::view::{Label, Style, Tally};

/// Maximum rows for running steps; more would not fit on a small terminal.
const MAX_ROWS: usize = 8;

/// In a larger run, successes are only counted, not listed.
const MAX_SUCCESS_LINES: usize = 100;

/// The progress of one run.
pub struct RunProgress<'a> {
    ui: &'a Ui,
    plan: &'a Plan,
    style: Style,
    tally: Tally,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    rows: BTreeMap<StepId, ProgressBar>,
    at_work: usize,
    _silent: Option<SilentInterrupt>,
}

impl<'a> RunProgress<'a> {
    /// Draws nothing before the first event.
    pub fn new(ui: &'a Ui, plan: &'a Plan) -> Self {
        let draws = ui.can_draw() && ui.loudness() != Loudness::Quiet;
        ui.draw_rows(draws);
        Self {
            ui,
            plan,
            style: ui.sentence_style(),
            tally: Tally::default(),
            bars: draws.then(Bars::new),
        }
    }

    /// Handles an event.
    pub fn event(&mut self, what: &Event) {
        self.tally.record(self.plan, what);
        if let Some(line) = self.line(what) {
            match &self.bars {
                // While bars are shown, nothing else may write to the terminal.
                Some(bars) => bars.all.suspend(|| self.ui.talk(&line)),
                None => self.ui.talk(&line),
            }
        }
        let (step, change, what, text) = match what {
            Event::Step { step, what } => {
                let change = step_change(self.plan, *step);
                let text = change.and_then(|change| step_event_text(change, what));
                (*step, change, what, text)
            }
            Event::Undo { step, change, what } => {
                (*step, Some(&**change), what, undo_event_text(change, what))
            }
            Event::Started { .. }
            | Event::Waiting { .. }
            | Event::Interrupted(_)
            | Event::RollingBack { .. }
            | Event::Release { .. } => return,
        };
        if let (Some(bars), Some(change)) = (&mut self.bars, change) {
            let created = self.tally.created_machine(step);
            bars.step(self.ui, (step, change, created), (what, text), &self.style);
            bars.count(&self.tally);
        }
    }

    /// The line of an event, if it has one.
    fn line(&self, what: &Event) -> Option<String> {
        let is_shown = match what {
            Event::Started { .. }
            | Event::Waiting { .. }
            | Event::Release {
                unregistered: None, ..
            } => self.shows_success(),
            Event::Interrupted(_) | Event::Release { .. } | Event::RollingBack { .. } => true,
            Event::Step { what, .. } | Event::Undo { what, .. } => match what {
                // Bars show these while they exist.
                StepEvent::Began | StepEvent::Created { .. } => false,
                StepEvent::Waiting { .. } | StepEvent::Retrying { .. } => {
                    self.shows_success() && self.bars.is_none()
                }
                StepEvent::Remark { .. } => self.shows_success(),
                StepEvent::Output { failed, .. } => *failed || self.style.verbose,
                StepEvent::Ended(Outcome::Done) => {
                    let few = self.tally.total <= MAX_SUCCESS_LINES || self.bars.is_none();
                    self.shows_success() && (few || self.style.verbose)
                }
                StepEvent::Ended(_) => true,
            },
        };
        let mut text = String::new();
        if is_shown {
            event(self.plan, what, &self.tally, &self.style, &mut text)
                .expect("writing to a String cannot fail");
        }
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Whether successes are printed.
    fn shows_success(&self) -> bool {
        self.ui.loudness() != Loudness::Quiet
            && (!self.ui.format().is_for_programs() || self.bars.is_some())
    }
}

impl Drop for RunProgress<'_> {
    fn drop(&mut self) {
        if let Some(bars) = &self.bars {
            // If clearing fails, nothing was drawn.
            let _ = bars.all.clear();
            self.ui.draw_rows(false);
        }
    }
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let total = all.add(ProgressBar::new_spinner());
        total.set_style(row_style("{spinner} {wide_msg} {elapsed}"));
        total.enable_steady_tick(Duration::from_millis(120));
        Self {
            all,
            total,
            rows: BTreeMap::new(),
            at_work: 0,
            _silent: SilentInterrupt::new(),
        }
    }

    fn step(
        &mut self,
        ui: &Ui,
        (step, change, created): (StepId, &Change, Option<&MachineId>),
        (what, text): (&StepEvent, Option<(Label, String)>),
        style: &Style,
    ) {
        match what {
            StepEvent::Began => self.at_work += 1,
            StepEvent::Waiting { .. } | StepEvent::Retrying { .. } => {}
            StepEvent::Remark { .. } | StepEvent::Output { .. } | StepEvent::Created { .. } => {
                return;
            }
            StepEvent::Ended(outcome) => {
                if !matches!(outcome, Outcome::Skipped { .. } | Outcome::NotStarted) {
                    self.at_work = self.at_work.saturating_sub(1);
                }
                if let Some(row) = self.rows.remove(&step) {
                    row.finish_and_clear();
                    self.all.remove(&row);
                }
                return;
            }
        }
        let Some((label, text)) = text else {
            return;
        };
        if self.rows.len() < MAX_ROWS || self.rows.contains_key(&step) {
            let all = &self.all;
            let row = self.rows.entry(step).or_insert_with(|| {
                let row = all.add(ProgressBar::new_spinner());
                row.set_style(row_style("  {wide_msg} {elapsed}"));
                row.enable_steady_tick(Duration::from_secs(1));
                row
            });
            let mut line = String::new();
            // A row is cut, not wrapped.
            let style = Style {
                width: usize::MAX,
                ..*style
            };
            subject(change, created)
                .plain("  ")
                .push(label, text)
                .write(&style, &mut line)
                .expect("writing to a String cannot fail");
            row.set_message(ui.sanitized_stderr(line.trim_end()).into_owned());
        }
    }

    fn count(&self, tally: &Tally) {
        // Writing to a String cannot fail.
        let mut text = format!("{}/{} done", tally.done, tally.total);
        for (n, word) in [(tally.failed, "failed"), (tally.unknown, "unknown")] {
            if n > 0 {
                let _ = write!(text, ", {n} {word}");
            }
        }
        let hidden = self.at_work.saturating_sub(self.rows.len());
        if hidden > 0 {
            let _ = write!(text, ", {hidden} more in progress");
        }
        self.total.set_message(text);
    }
}

fn row_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}
