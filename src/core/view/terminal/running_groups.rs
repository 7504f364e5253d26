//! One line per group of what an apply does now: its wave, its count, and what it waits for.
//!
//! Data and text only; [`ui`](crate::ui) draws the lines and knows the time.

use std::collections::BTreeMap;

use super::progress::{action_verbs, undo_verbs};
use crate::core::fleet::MachineId;
use crate::core::plan::{Change, Plan, StepEvent, StepId, WaveName};
use crate::core::view::line::{Line, display_width, truncate};
use crate::core::view::phrases;
use crate::core::view::style::Label;
use crate::core::view::waves;

/// The groups, and the commands that run once, of one run.
#[derive(Debug)]
pub struct RunningGroups {
    /// The wave of each first step of a change.
    waves: BTreeMap<StepId, WaveName>,
    groups: BTreeMap<String, RunningGroup>,
}

/// One group while it changes.
#[derive(Debug, Default)]
pub struct RunningGroup {
    total: Option<usize>,
    ended: usize,
    wave: Option<WaveName>,
    /// In the order in which they began.
    at_work: Vec<AtWork>,
}

#[derive(Debug)]
struct AtWork {
    step: StepId,
    machine: String,
    text: (Label, String),
    is_retried: bool,
}

impl RunningGroups {
    /// Before the first event.
    pub fn of(plan: &Plan) -> Self {
        let mut groups: BTreeMap<String, RunningGroup> = BTreeMap::new();
        for (_, change) in plan.changes() {
            let group = groups.entry(change.label().to_owned()).or_default();
            group.total = Some(group.total.unwrap_or(0) + 1);
        }
        let waves = plan.groups.iter().flat_map(|group| &group.waves);
        let waves = waves.flat_map(|wave| wave.steps.iter().map(|step| (*step, wave.name)));
        Self {
            waves: waves.collect(),
            groups,
        }
    }

    /// Begins again, with the changes of a rollback: how many of each group are undone is not known.
    pub fn roll_back(&mut self) {
        self.groups.clear();
        self.waves.clear();
    }

    /// Records an event of a step and returns its group. `created_id` is the id of a new Machine.
    pub fn record(
        &mut self,
        (step, change, created_id): (StepId, &Change, Option<&MachineId>),
        what: &StepEvent,
        is_undo: bool,
    ) -> &RunningGroup {
        let group = self.groups.entry(change.label().to_owned()).or_default();
        group.wave = self.waves.get(&step).copied().or(group.wave);
        let verbs = if is_undo { undo_verbs } else { action_verbs };
        let text = match what {
            StepEvent::Began => (Label::Plain, verbs(change).0.to_owned()),
            StepEvent::Waiting { on, .. } => (Label::Dim, format!("waits for {on}")),
            StepEvent::Retrying { cause } => (Label::Change, format!("retrying: {cause}")),
            StepEvent::Ended(_) => {
                group.ended += 1;
                group.at_work.retain(|at_work| at_work.step != step);
                return group;
            }
            StepEvent::Remark { .. } | StepEvent::Output { .. } | StepEvent::Created { .. } => {
                return group;
            }
        };
        let id = change.machine.id.as_ref().or(created_id);
        let now = AtWork {
            step,
            machine: id
                .map_or(change.machine.name.as_str(), MachineId::as_str)
                .to_owned(),
            text,
            is_retried: matches!(what, StepEvent::Retrying { .. }),
        };
        match group
            .at_work
            .iter_mut()
            .find(|at_work| at_work.step == step)
        {
            Some(at_work) => *at_work = now,
            None => group.at_work.push(now),
        }
        group
    }

    /// How many groups change at this moment.
    pub fn at_work(&self) -> usize {
        let groups = self.groups.values();
        groups.filter(|group| !group.at_work.is_empty()).count()
    }

    /// The widths of the longest name and of the largest number.
    pub fn widths(&self) -> (usize, usize) {
        let names = self.groups.keys().map(|name| display_width(name));
        let totals = self.groups.values().filter_map(|group| group.total);
        let digits = totals.map(|n| n.to_string().len());
        (names.max().unwrap_or(0), digits.max().unwrap_or(0))
    }
}

impl RunningGroup {
    /// The number of its changes; none in a rollback.
    pub fn total(&self) -> Option<usize> {
        self.total
    }

    /// How many of them have ended.
    pub fn ended(&self) -> usize {
        self.ended
    }

    /// Whether nothing of it is left to do.
    pub fn is_over(&self) -> bool {
        self.at_work.is_empty() && self.total.is_none_or(|total| self.ended >= total)
    }

    /// The step that its line is about: one that is retried, else the one that began first.
    pub fn shown_step(&self) -> Option<StepId> {
        Some(self.shown()?.step)
    }

    fn shown(&self) -> Option<&AtWork> {
        let retried = self.at_work.iter().find(|at_work| at_work.is_retried);
        retried.or(self.at_work.first())
    }

    /// What its line says at this moment.
    pub fn now(&self) -> GroupNow {
        let Some(shown) = self.shown() else {
            return GroupNow {
                label: Label::Dim,
                text: "waits for its turn".to_owned(),
                machine: None,
            };
        };
        let several = (self.at_work.len() > 1)
            .then(|| format!("{} at once", phrases::group_digits(self.at_work.len())));
        let wave = match self.wave {
            Some(WaveName::All) | None => None,
            Some(wave) => Some(waves::phase(wave).to_owned()),
        };
        let phase: Vec<String> = wave.into_iter().chain(several).collect();
        let (label, text) = &shown.text;
        GroupNow {
            label: *label,
            text: match phase.as_slice() {
                [] => text.clone(),
                phase => format!("{}: {text}", phase.join(", ")),
            },
            machine: Some(shown.machine.clone()),
        }
    }
}

/// What a group does: its wave, and what the Machine waits for that its line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNow {
    label: Label,
    text: String,
    machine: Option<String>,
}

impl GroupNow {
    /// `running, 2 at once: waits for check http-8080  148ed599c14189  4m 48s left`, in at most so many columns. The
    /// Machine goes first, then the text is cut; the time stays.
    pub fn line(&self, time: &str, columns: usize) -> Line {
        let gap = |text: &str| match display_width(text) {
            0 => 0,
            width => width + 2,
        };
        let room = columns.saturating_sub(gap(time));
        let text = truncate(&self.text, room);
        let machine = self.machine.as_deref().unwrap_or_default();
        let mut line = Line::new(0).push(self.label, &text);
        if display_width(&text) + gap(machine) <= room && !machine.is_empty() {
            line.add(Label::Dim, format!("  {machine}"));
        }
        if !time.is_empty() {
            line.add(Label::Plain, format!("  {time}"));
        }
        line
    }
}
