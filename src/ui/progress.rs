//! Progress of a run on standard error: a bar for each group on a terminal, lines elsewhere, only problems with `-q`.
//! Waits are always shown with their limit.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::terminal::{SilentInterrupt, stderr_width};
use super::{Loudness, Ui};
use crate::core::fleet::MachineId;
use crate::core::plan::{Change, Event, Outcome, Plan, StepEvent, StepId};
use crate::core::view::line::{display_width, truncate};
use crate::core::view::phrases::{count_noun, human_duration};
use crate::core::view::run_report::step_change;
use crate::core::view::terminal::event;
use crate::core::view::terminal::running_groups::{GroupNow, RunningGroup, RunningGroups};
use crate::core::view::{Style, Tally};

/// Maximum rows for groups; more would not fit on a small terminal.
const MAX_ROWS: usize = 8;

/// Longer names of groups are cut.
const MAX_NAME_WIDTH: usize = 16;

/// Columns of a bar.
const BAR_WIDTH: usize = 8;

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
    groups: RunningGroups,
    rows: BTreeMap<String, GroupRow>,
    clocks: BTreeMap<StepId, Clock>,
    _silent: Option<SilentInterrupt>,
}

/// The row of one group.
struct GroupRow {
    bar: ProgressBar,
    shown: Arc<Mutex<Option<Shown>>>,
}

/// What a row says behind its count.
struct Shown {
    now: GroupNow,
    clock: Option<Clock>,
}

/// The time at the end of a row.
#[derive(Clone, Copy)]
enum Clock {
    /// A step has run since then.
    Since(Instant),
    /// A step waits until then at most.
    Until(Instant),
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
            bars: draws.then(|| Bars::new(plan)),
        }
    }

    /// Handles an event.
    pub fn event(&mut self, what: &Event) {
        self.tally.record(self.plan, what);
        self.draw(what);
        if let Some(line) = self.line(what) {
            match &self.bars {
                // While bars are shown, nothing else may write to the terminal.
                Some(bars) => bars.all.suspend(|| self.ui.talk(&line)),
                None => self.ui.talk(&line),
            }
        }
    }

    /// Updates the rows, so that the lines above them are never older.
    fn draw(&mut self, what: &Event) {
        let Some(bars) = &mut self.bars else {
            return;
        };
        let (step, change, what, is_undo) = match what {
            Event::Step { step, what } => (*step, step_change(self.plan, *step), what, false),
            Event::Undo { step, change, what } => (*step, Some(&**change), what, true),
            Event::RollingBack { .. } => return bars.roll_back(),
            Event::Started { .. }
            | Event::Waiting { .. }
            | Event::Interrupted(_)
            | Event::Release { .. } => return,
        };
        if let Some(change) = change {
            let created = self.tally.created_machine(step);
            let step = (step, change, created);
            bars.step(step, (what, is_undo), &self.style);
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
    fn new(plan: &Plan) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let total = all.add(ProgressBar::new_spinner());
        total.set_style(row_style("{spinner} {msg}  {elapsed}"));
        total.enable_steady_tick(Duration::from_millis(120));
        Self {
            all,
            total,
            groups: RunningGroups::of(plan),
            rows: BTreeMap::new(),
            clocks: BTreeMap::new(),
            _silent: SilentInterrupt::new(),
        }
    }

    fn step(
        &mut self,
        (step, change, created): (StepId, &Change, Option<&MachineId>),
        (what, is_undo): (&StepEvent, bool),
        style: &Style,
    ) {
        match what {
            StepEvent::Began | StepEvent::Waiting { up_to_ms: None, .. } => {
                self.clocks.insert(step, Clock::Since(Instant::now()));
            }
            StepEvent::Waiting {
                up_to_ms: Some(ms), ..
            } => {
                let until = Instant::now().checked_add(Duration::from_millis(*ms));
                let clock = until.map_or(Clock::Since(Instant::now()), Clock::Until);
                self.clocks.insert(step, clock);
            }
            StepEvent::Ended(_) => {
                self.clocks.remove(&step);
            }
            StepEvent::Retrying { .. }
            | StepEvent::Remark { .. }
            | StepEvent::Output { .. }
            | StepEvent::Created { .. } => {}
        }
        let widths = self.groups.widths();
        let group = self.groups.record((step, change, created), what, is_undo);
        let name = change.label();
        if group.is_over() {
            if let Some(row) = self.rows.remove(name) {
                self.remove_row(&row);
            }
            return;
        }
        if !self.rows.contains_key(name) {
            let is_ended = matches!(what, StepEvent::Ended(_));
            if is_ended || self.rows.len() >= MAX_ROWS {
                return;
            }
            // A row is cut, not wrapped.
            let style = Style {
                width: usize::MAX,
                ..*style
            };
            let row = GroupRow::new(&self.all, name, group.total(), widths, style);
            self.rows.insert(name.to_owned(), row);
        }
        let clock = group.shown_step().and_then(|step| self.clocks.get(&step));
        if let Some(row) = self.rows.get(name) {
            row.show(group, clock.copied());
        }
    }

    fn roll_back(&mut self) {
        self.groups.roll_back();
        self.clocks.clear();
        for row in std::mem::take(&mut self.rows).into_values() {
            self.remove_row(&row);
        }
    }

    fn remove_row(&self, row: &GroupRow) {
        row.bar.finish_and_clear();
        self.all.remove(&row.bar);
    }

    fn count(&self, tally: &Tally) {
        // Writing to a String cannot fail.
        let mut text = format!("{}/{} done", tally.done, tally.total);
        for (n, word) in [(tally.failed, "failed"), (tally.unknown, "unknown")] {
            if n > 0 {
                let _ = write!(text, ", {n} {word}");
            }
        }
        let hidden = self.groups.at_work().saturating_sub(self.rows.len());
        if hidden > 0 {
            let _ = write!(text, ", {} in progress", count_noun(hidden, "more group"));
        }
        self.total.set_message(text);
    }
}

impl GroupRow {
    fn new(
        all: &MultiProgress,
        name: &str,
        total: Option<usize>,
        (name_width, digits): (usize, usize),
        style: Style,
    ) -> Self {
        let bar = all.add(ProgressBar::new(total.unwrap_or(0) as u64));
        let width = name_width.min(MAX_NAME_WIDTH);
        let name = truncate(name, width);
        let pad = width.saturating_sub(display_width(&name));
        bar.set_prefix(format!("{name}{:pad$}", ""));
        let counts = match total {
            Some(_) => format!("{{bar:{BAR_WIDTH}}} {{pos:>{digits}}}/{{len:{digits}}}  "),
            None => String::new(),
        };
        let before = 2 + width + 2 + total.map_or(0, |_| BAR_WIDTH + 1 + 2 * digits + 1 + 2);
        let shown = Arc::new(Mutex::new(None));
        let row = Self {
            bar,
            shown: Arc::clone(&shown),
        };
        let now = move |_: &ProgressState, out: &mut dyn Write| {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let shown: Option<&Shown> = shown.as_ref();
            let Some(Shown { now, clock }) = shown else {
                return;
            };
            // Not padded: a line of the width of the terminal would wrap where that becomes narrower.
            let columns = stderr_width().saturating_sub(before + 1);
            let time = clock.map_or_else(String::new, Clock::text);
            let mut text = String::new();
            now.line(&time, columns)
                .write(&style, &mut text)
                .expect("writing to a String cannot fail");
            // A failed write shows a row without its end.
            let _ = out.write_str(text.trim_end());
        };
        let template = format!("  {{prefix}}  {counts}{{now}}");
        row.bar.set_style(
            row_style(&template)
                .progress_chars("█░")
                .with_key("now", now),
        );
        row.bar.enable_steady_tick(Duration::from_secs(1));
        row
    }

    fn show(&self, group: &RunningGroup, clock: Option<Clock>) {
        let now = group.now();
        let shown = Some(Shown { now, clock });
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        self.bar.set_position(group.ended() as u64);
        // A position alone may be drawn a second later.
        self.bar.force_draw();
    }
}

impl Clock {
    fn text(self) -> String {
        let now = Instant::now();
        let (time, left) = match self {
            Self::Since(since) => (now.saturating_duration_since(since), ""),
            Self::Until(until) => (until.saturating_duration_since(now), " left"),
        };
        let seconds = (time.as_millis() + 500) / 1000;
        match u64::try_from(seconds) {
            Ok(seconds @ 1..) => format!("{}{left}", human_duration(seconds * 1000)),
            Ok(0) | Err(_) => String::new(),
        }
    }
}

fn row_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}
