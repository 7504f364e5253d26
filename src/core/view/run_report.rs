//! The data of a run for views: counts of its steps, and its report.

use std::collections::BTreeMap;

use super::next_command::NextCommand;
use crate::core::fleet::{Machine, MachineId};
use crate::core::plan::partial_rollout::PartialRollout;
use crate::core::plan::way_back::Rollback;
use crate::core::plan::{
    Addition, Change, Event, Outcome, Plan, RunOutcome, StateOutcome, StepEvent, StepId,
    StepResult, Work,
};

/// Counts of step outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Changes of the run.
    pub total: usize,
    /// Completed.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Unconfirmed: may or may not have happened.
    pub unknown: usize,
    /// Not started because of another step.
    pub skipped: usize,
    /// Not started because the run or its pool stopped.
    pub not_started: usize,
    /// Completed, and then undone by a rollback.
    pub rolled_back: usize,
    /// Machines created so far.
    created: BTreeMap<StepId, MachineId>,
}

impl Tally {
    /// Counts the results, without barriers.
    pub fn of<'a>(plan: &Plan, results: impl Iterator<Item = &'a StepResult>) -> Self {
        let steps = plan.steps.iter().zip(results);
        let changes = steps.filter(|(step, _)| matches!(step.work, Work::Change(_)));
        Self::of_results(changes.map(|(_, result)| result))
    }

    /// Counts these results of changes.
    pub(super) fn of_results<'a>(results: impl Iterator<Item = &'a StepResult>) -> Self {
        let mut tally = Self::default();
        for result in results {
            tally.total += 1;
            if result.outcome == Outcome::Done && result.is_reverted() {
                tally.rolled_back += 1;
            } else {
                tally.add(&result.outcome);
            }
        }
        tally
    }

    /// Counts an event of this plan's run.
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
            }
            | Event::Undo {
                step,
                what: StepEvent::Created { id },
                ..
            } => {
                self.created.insert(*step, id.clone());
            }
            // The count starts again.
            Event::RollingBack { steps, .. } => {
                *self = Self {
                    total: *steps,
                    created: std::mem::take(&mut self.created),
                    ..Self::default()
                }
            }
            Event::Undo {
                what: StepEvent::Ended(outcome),
                ..
            } => self.add(outcome),
            Event::Step { .. }
            | Event::Undo { .. }
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

    /// The Machine that this step created.
    pub fn created_machine(&self, step: StepId) -> Option<&MachineId> {
        self.created.get(&step)
    }

    /// Steps that have an outcome.
    pub fn finished(&self) -> usize {
        let begun = self.done + self.rolled_back + self.failed + self.unknown;
        begun + self.skipped + self.not_started
    }

    /// Steps that did not start.
    pub fn not_started_total(&self) -> usize {
        self.skipped + self.not_started
    }

    /// Steps that started and ended. Each of them adds one.
    pub fn executed(&self) -> usize {
        self.done + self.failed + self.unknown
    }

    /// Whether all completed.
    pub fn is_complete(&self) -> bool {
        self.done == self.total
    }
}

/// The change of a step; none for a barrier.
pub fn step_change(plan: &Plan, step: StepId) -> Option<&Change> {
    match &plan.steps.get(step.0 as usize)?.work {
        Work::Change(change) => Some(change),
        Work::Barrier { .. } => None,
    }
}

/// The data of a run's report.
#[derive(Debug, Clone, Copy)]
pub struct RunReport<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The result of each step, by index.
    pub results: &'a [StepResult],
    /// Its outcome.
    pub outcome: RunOutcome,
    /// Findings of the verification, one sentence each.
    pub findings: &'a [String],
    /// Remarks about completed changes.
    pub remarks: &'a [String],
    /// Fields that the platform added.
    pub additions: &'a [Addition],
    /// Changes of others since to this run's Machines, one sentence each.
    pub overtaken: &'a [String],
    /// The rollback of the run, if it was tried.
    pub rollback: Option<&'a Rollback>,
    /// What happened to the state file.
    pub state: &'a StateOutcome,
    /// The versions that run now; none if no run started.
    pub partial_rollout: Option<&'a PartialRollout>,
    /// How the program was started, up to the verb (`aeroform -C shop`), for commands in messages.
    pub program: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// The command that continues; none if nothing can remain.
    pub next_command: Option<&'a NextCommand>,
}

impl<'a> RunReport<'a> {
    /// The report of a run without steps.
    pub fn of_empty_run(plan: &'a Plan) -> Self {
        Self {
            plan,
            results: &[],
            outcome: RunOutcome::of_empty_run(plan),
            findings: &[],
            remarks: &[],
            additions: &[],
            overtaken: &[],
            rollback: None,
            state: &StateOutcome::Unchanged,
            partial_rollout: None,
            program: "aeroform",
            verb: "apply",
            next_command: None,
        }
    }

    /// The counts.
    pub fn tally(&self) -> Tally {
        Tally::of(self.plan, self.results.iter())
    }

    /// Changes that a refresh cannot record because fly.toml must set them, and Machines that a destroy leaves.
    pub(super) fn remaining_notes(&self) -> Vec<&'a str> {
        let notes = self.plan.remaining(self.verb);
        notes.map(|note| note.message.as_str()).collect()
    }

    /// Updates on hosts without room, with the Machines that replaced theirs.
    pub(super) fn replaced_machines(
        &self,
    ) -> impl Iterator<Item = (&'a Change, &'a Machine)> + use<'a> {
        let results = self.results();
        results.filter_map(|(change, result)| Some((change, replacement_machine(result)?)))
    }

    /// The changes with their outcomes.
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

/// The cause that a message names: without the id of the request, which differs for each Machine.
pub(super) fn cause_of(message: &str) -> &str {
    let before_id = message.rsplit_once(" (request ").map(|(before, _)| before);
    before_id.unwrap_or(message)
}

/// The Machine of a change: its id, or its name if it was not created.
pub(super) fn machine_label(change: &Change, result: &StepResult) -> String {
    let created = result.machine.as_ref().map(|machine| &machine.id);
    let id = change.machine.id.as_ref().or(created);
    id.map_or_else(|| change.machine.name.to_string(), ToString::to_string)
}

/// The Machine that replaced one whose host had no room.
pub(super) fn replacement_machine(result: &StepResult) -> Option<&Machine> {
    let created = result
        .replace_fallback
        .as_ref()
        .is_some_and(|fallback| fallback.created);
    result.machine.as_ref().filter(|_| created)
}
