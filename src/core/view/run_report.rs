//! A run as views tell it: the running count of its steps, and what its end is told from.

use std::collections::BTreeMap;

use super::next_command::NextCommand;
use crate::core::fleet::{Machine, MachineId};
use crate::core::plan::partial_rollout::PartialRollout;
use crate::core::plan::{
    Addition, Change, Event, Outcome, Plan, RunOutcome, StateOutcome, StepEvent, StepId,
    StepResult, Work,
};

/// How many steps have ended how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Changes that the run has.
    pub total: usize,
    /// Ended as planned.
    pub done: usize,
    /// Failed for certain.
    pub failed: usize,
    /// May or may not have happened.
    pub unknown: usize,
    /// Not begun because of another step.
    pub skipped: usize,
    /// Not begun because the run or its pool stopped.
    pub not_started: usize,
    /// The Machines that steps have made so far.
    created: BTreeMap<StepId, MachineId>,
}

impl Tally {
    /// The count of results, barriers left out.
    pub fn of<'a>(plan: &Plan, outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut tally = Self::default();
        for (step, outcome) in plan.steps.iter().zip(outcomes) {
            if matches!(step.work, Work::Change(_)) {
                tally.total += 1;
                tally.add(outcome);
            }
        }
        tally
    }

    /// Counts an event of a run of this plan.
    pub fn record(&mut self, plan: &Plan, event: &Event) {
        match event {
            Event::Started { steps, .. } => self.total = *steps,
            Event::Step {
                step,
                what: StepEvent::Ended(outcome),
            } if step_change(plan, *step).is_some() => self.add(outcome),
            Event::Step {
                step,
                what: StepEvent::Created { id },
            } => {
                self.created.insert(*step, id.clone());
            }
            Event::Step { .. }
            | Event::Waiting { .. }
            | Event::Interrupted(_)
            | Event::Release { .. } => {}
        }
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done => self.done += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Unknown { .. } => self.unknown += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::NotStarted => self.not_started += 1,
        }
    }

    /// The Machine that this step has made.
    pub fn created_machine(&self, step: StepId) -> Option<&MachineId> {
        self.created.get(&step)
    }

    /// How many have ended.
    pub fn finished(&self) -> usize {
        self.done + self.failed + self.unknown + self.skipped + self.not_started
    }

    /// How many were not begun.
    pub fn not_started_total(&self) -> usize {
        self.skipped + self.not_started
    }

    /// How many were begun and have ended. It rises by one with each of them.
    pub fn executed(&self) -> usize {
        self.done + self.failed + self.unknown
    }

    /// Whether all of them ended as planned.
    pub fn is_complete(&self) -> bool {
        self.done == self.total
    }
}

/// The change that a step makes; a barrier makes none.
pub fn step_change(plan: &Plan, step: StepId) -> Option<&Change> {
    match &plan.steps.get(step.0 as usize)?.work {
        Work::Change(change) => Some(change),
        Work::Barrier { .. } => None,
    }
}

/// Everything that the end of a run is told from.
#[derive(Debug, Clone, Copy)]
pub struct RunReport<'a> {
    /// What was carried out.
    pub plan: &'a Plan,
    /// What came of each step, by its index.
    pub results: &'a [StepResult],
    /// How it ended.
    pub outcome: RunOutcome,
    /// What the verification afterwards found, one sentence each.
    pub findings: &'a [String],
    /// What there is to say of what is done, for people.
    pub remarks: &'a [String],
    /// What the platform was seen to add by itself.
    pub additions: &'a [Addition],
    /// What others have changed of the run's own work since, one sentence each.
    pub overtaken: &'a [String],
    /// What became of the state file.
    pub state: &'a StateOutcome,
    /// What serves what now; none where no run was begun.
    pub partial_rollout: Option<&'a PartialRollout>,
    /// How the program was started, up to the verb (`aeroform -C shop`): what is printed to be typed
    /// must work where it is read.
    pub program: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// The command that goes on from here; none where nothing can be left.
    pub next_command: Option<&'a NextCommand>,
}

impl<'a> RunReport<'a> {
    /// The counts.
    pub fn tally(&self) -> Tally {
        Tally::of(self.plan, self.results.iter().map(|result| &result.outcome))
    }

    /// What a refresh was to take in and could not, since fly.toml has to say it, and what a destroy leaves.
    pub(super) fn remaining_notes(&self) -> Vec<&'a str> {
        let notes = self.plan.remaining(self.verb);
        notes.map(|note| note.message.as_str()).collect()
    }

    /// Updates whose Machines' hosts had no room, with the Machines that took their places.
    pub(super) fn replaced_machines(
        &self,
    ) -> impl Iterator<Item = (&'a Change, &'a Machine)> + use<'a> {
        let results = self.results();
        results.filter_map(|(change, result)| Some((change, replacement_machine(result)?)))
    }

    /// The changes with what came of them.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&Change, &Outcome)> {
        let results = self.results();
        results.map(|(change, result)| (change, &result.outcome))
    }

    /// The changes with their results.
    pub(super) fn results(&self) -> impl Iterator<Item = (&'a Change, &'a StepResult)> + use<'a> {
        let plan = self.plan;
        self.results
            .iter()
            .zip(0_u32..)
            .filter_map(move |(result, id)| Some((step_change(plan, StepId(id))?, result)))
    }
}

/// The Machine that took the place of one whose host had no room.
pub(super) fn replacement_machine(result: &StepResult) -> Option<&Machine> {
    let made = result
        .replace_fallback
        .as_ref()
        .is_some_and(|instead| instead.created);
    result.machine.as_ref().filter(|_| made)
}
