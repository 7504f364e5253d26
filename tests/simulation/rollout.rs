//! What must be true of the order of a run: after a failure nothing of the release begins, and while a Machine of
//! a failed run has not passed nobody that serves goes down. Reads the events and the world as the run saw it,
//! and shares nothing with the planner or the schedule.

use std::collections::BTreeSet;

use aeroform::core::fleet::{
    CheckState, Desired, GroupName, Machine, MachineId, MachineState, Strategy,
};
use aeroform::core::plan::{Action, Change, Event, Outcome, Removal, StepEvent, StepId};
use aeroform::run::{Preview, RunResult};

use crate::recorder::SimulationRun;

/// The beginnings and ends of steps, in order.
#[derive(Default)]
pub(crate) struct StepLog(Vec<(StepId, Option<Outcome>)>);

impl StepLog {
    pub(crate) fn record(&mut self, event: &Event) {
        match event {
            Event::Step {
                step,
                what: StepEvent::Began,
            } => self.0.push((*step, None)),
            Event::Step {
                step,
                what: StepEvent::Ended(outcome),
            } => self.0.push((*step, Some(outcome.clone()))),
            _ => {}
        }
    }
}

pub(crate) fn judge(
    story: &SimulationRun,
    desired: &Desired,
    preview: &Preview,
    heard: &StepLog,
    ended: &RunResult,
) {
    if preview.plan.on_failure.stops_release() {
        after_a_failure(story, desired, preview, heard);
    }
    while_one_has_not_passed(story, desired, preview, ended);
}

/// Nothing of the release begins after the first change that failed.
fn after_a_failure(story: &SimulationRun, desired: &Desired, preview: &Preview, heard: &StepLog) {
    let changes: Vec<(StepId, &Change)> = preview.plan.changes().collect();
    let of = |step: StepId| {
        let found = changes.iter().find(|(id, _)| *id == step);
        found.map(|(_, change)| *change)
    };
    let new_config: BTreeSet<&GroupName> = changes
        .iter()
        .filter(|(_, change)| !change.changes.is_empty())
        .map(|(_, change)| &change.group)
        .collect();
    let mut begun: BTreeSet<StepId> = BTreeSet::new();
    let mut failed = None;
    for (step, outcome) in &heard.0 {
        let Some(change) = of(*step) else {
            continue;
        };
        match outcome {
            Some(Outcome::Failed { .. } | Outcome::Unknown { .. }) => {
                let changes = match change.action {
                    Action::Create { .. } | Action::Update { .. } | Action::Move { .. } => true,
                    Action::Destroy { removal, .. } => removal == Removal::Replaced,
                    _ => false,
                };
                if changes && rolls(desired, &change.group) {
                    failed.get_or_insert(*step);
                }
            }
            Some(_) => {}
            None => {
                let half = preview.plan.steps[step.0 as usize]
                    .needs
                    .iter()
                    .any(|need| begun.contains(need) && is_other_half(of(*need), change));
                let follows = match &change.action {
                    Action::Update { .. } | Action::Move { .. } | Action::Destroy { .. } => true,
                    Action::Create { .. } => new_config.contains(&change.group),
                    _ => false,
                };
                if let (Some(first), true, false) = (failed, follows, half) {
                    let (first, step) = (first.0, step.0);
                    story.breach(&format!(
                        "step {step} begins although step {first} has failed"
                    ));
                }
                begun.insert(*step);
            }
        }
    }
    if failed.is_some() {
        story.count("releases that were stopped");
    }
}

fn is_other_half(first: Option<&Change>, second: &Change) -> bool {
    let Some(first) = first else {
        return false;
    };
    let pair = |new: &Change, old: &Change| {
        new.replaces().is_some() && new.replaces() == old.machine.id.as_ref()
    };
    pair(first, second) || pair(second, first)
}

fn rolls(desired: &Desired, group: &GroupName) -> bool {
    let group = desired.groups.get(group);
    group.is_some_and(|group| matches!(group.strategy, Strategy::Rolling { .. }))
}

/// A retry takes no serving Machine down before a Machine of the failed run has passed.
fn while_one_has_not_passed(
    story: &SimulationRun,
    desired: &Desired,
    preview: &Preview,
    ended: &RunResult,
) {
    let Some(observed) = &preview.observed else {
        return;
    };
    let known = &preview.stored_state.known;
    let unproven = known
        .machines
        .iter()
        .filter(|(_, machine)| machine.unproven);
    let unproven: Vec<&Machine> = unproven
        .filter_map(|(id, _)| observed.machines.get(id))
        .filter(|machine| machine.config.is_some() && is_down(machine))
        .collect();
    let outcome = |id: &MachineId| {
        let mut changes = preview.plan.changes();
        let found = changes.find(|(_, change)| {
            change.machine.id.as_ref() == Some(id) && change.action != Action::Adopt
        });
        found.map(|(step, change)| (change, &ended.report.results[step.0 as usize].outcome))
    };
    for machine in unproven {
        let Some(group) = machine.group.as_ref().filter(|group| rolls(desired, group)) else {
            continue;
        };
        let Some((change, Outcome::Failed { .. } | Outcome::Unknown { .. })) = outcome(&machine.id)
        else {
            continue;
        };
        if matches!(change.action, Action::Destroy { .. }) || change.group != *group {
            continue;
        }
        story.count("retries that failed again");
        for other in observed.machines.values() {
            let same = other.group.as_ref() == Some(group);
            if !same || is_down(other) || known.machines.get(&other.id).is_none_or(|m| m.unproven) {
                continue;
            }
            if let Some((change, outcome)) = outcome(&other.id)
                && matches!(change.action, Action::Update { .. } | Action::Move { .. })
                && !matches!(outcome, Outcome::Skipped { .. } | Outcome::NotStarted)
            {
                story.breach(&format!(
                    "{} goes down although {} has not passed",
                    other.id, machine.id
                ));
            }
        }
    }
}

/// Whether it is to run and does not serve.
fn is_down(machine: &Machine) -> bool {
    let critical =
        |check: &aeroform::core::fleet::CheckStatus| check.status == CheckState::Critical;
    match machine.state {
        MachineState::Failed => true,
        MachineState::Started => machine.checks.iter().any(critical),
        MachineState::Stopped => machine.last_exit().is_some_and(|exit| exit.is_crash()),
        _ => false,
    }
}
