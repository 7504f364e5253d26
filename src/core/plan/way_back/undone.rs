//! What became of each change that a rollback undoes.

use serde::{Deserialize, Serialize};

use super::derive::WayBack;
use crate::core::fleet::{LaunchId, Machine, MachineId, VolumeId};
use crate::core::plan::types::{Change, MachineRef, Outcome, StepId, StepResult, Work};

/// The result of undoing a change of one Machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undone", rename_all = "kebab-case")]
pub enum Undone {
    /// It has its previous config, group, volumes and stamps again.
    PutBack {
        /// The Machine afterwards.
        machine: Box<Machine>,
        /// Whether it passed its gate with them.
        works: bool,
    },
    /// It was replaced, and a new Machine with its previous config takes its place.
    Restored {
        /// The Machine that was replaced and is gone.
        old: MachineId,
        /// The new Machine.
        machine: Box<Machine>,
        /// The Machine that had replaced the old one, and that the new one replaces.
        replacement: Option<MachineId>,
        /// The launch id of the new Machine.
        launch: LaunchId,
        /// Whether it passed its gate.
        works: bool,
    },
    /// The run created it, and it is destroyed.
    Removed {
        /// The Machine.
        machine: MachineRef,
        /// Its volumes that stay, unattached.
        left_volumes: Vec<VolumeId>,
    },
    /// It is as the run left it, because another client has changed it since or because its previous config
    /// is not known.
    LeftAlone {
        /// The Machine.
        machine: MachineRef,
        /// Why, for people.
        why: String,
    },
    /// It is as the run left it, because the rollback failed or stopped before.
    Remains {
        /// The Machine.
        machine: MachineRef,
        /// The result of the step.
        outcome: Outcome,
    },
}

impl Undone {
    /// Whether the Machine is as before, or gone if there was none before.
    pub fn is_undone(&self) -> bool {
        match self {
            Self::PutBack { works, .. } | Self::Restored { works, .. } => *works,
            Self::Removed { .. } => true,
            Self::LeftAlone { .. } | Self::Remains { .. } => false,
        }
    }
}

impl StepResult {
    /// Whether the step's change was undone, even if its Machine did not pass its gate again.
    pub fn is_reverted(&self) -> bool {
        self.undone.iter().any(|undone| match undone {
            Undone::PutBack { .. } | Undone::Restored { .. } | Undone::Removed { .. } => true,
            Undone::LeftAlone { .. } | Undone::Remains { .. } => false,
        })
    }
}

/// A rollback that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollback {
    /// The release that runs afterwards, if it is one and known.
    pub to: Option<u64>,
    /// The steps whose failure caused it.
    pub because: Vec<StepId>,
    /// Machines that it does not touch.
    pub left: Vec<Undone>,
    /// Its steps, with their results.
    pub steps: Vec<(Change, StepResult)>,
    /// Why it ended before its last step; none if all steps ended in Done.
    pub stopped: Option<RollbackStop>,
}

/// Why a rollback ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackStop {
    /// A step failed: the message of the first one.
    Failed(String),
    /// A signal arrived, or the run could not continue.
    Interrupted,
}

impl Rollback {
    /// The rollback with these results of its steps.
    pub fn of(way: &WayBack, results: &[StepResult], because: Vec<StepId>) -> Self {
        let left = way.left.iter().map(|(_, machine)| Undone::LeftAlone {
            machine: machine.clone(),
            why: "the config of the Machine that it replaced could not be read".to_owned(),
        });
        let steps: Vec<(Change, StepResult)> = way
            .plan
            .steps
            .iter()
            .zip(results)
            .filter_map(|(step, result)| match &step.work {
                Work::Change(change) => Some(((**change).clone(), result.clone())),
                Work::Barrier { .. } => None,
            })
            .collect();
        let failed = steps.iter().find_map(|(_, result)| match &result.outcome {
            Outcome::Failed { message, .. } | Outcome::Unknown { message } => {
                Some(RollbackStop::Failed(message.clone()))
            }
            Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted => None,
        });
        let open = |(_, result): &(Change, StepResult)| result.outcome != Outcome::Done;
        let stopped =
            failed.or_else(|| steps.iter().any(open).then_some(RollbackStop::Interrupted));
        Self {
            to: way.to,
            because,
            left: left.collect(),
            steps,
            stopped,
        }
    }

    /// What became of each Machine.
    pub fn undone(&self) -> impl Iterator<Item = &Undone> {
        let steps = self.steps.iter().flat_map(|(_, result)| &result.undone);
        self.left.iter().chain(steps)
    }

    /// Whether everything is as before.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.undone().all(Undone::is_undone)
    }
}

/// Adds the results of a rollback to those of the plan: an undone change has sent nothing, so that the next
/// state keeps the lines of its Machines.
pub fn merge(results: &mut [StepResult], way: &WayBack, undone: &[StepResult]) {
    for (undoing, result) in way.undoes.iter().zip(undone) {
        let Some(undoing) = undoing else {
            continue;
        };
        let Some(first) = results.get_mut(undoing.step().0 as usize) else {
            continue;
        };
        for undone in &result.undone {
            revert(first, undone);
            first.undone.push(undone.clone());
        }
    }
}

fn revert(first: &mut StepResult, undone: &Undone) {
    match undone {
        Undone::PutBack { machine, .. } => {
            // A standby that only watches the changed Machine has its own line.
            let own = first.machine.as_ref().is_some_and(|m| m.id == machine.id);
            if own {
                forget_sent(first, Some((**machine).clone()));
            }
        }
        Undone::Removed { .. } => {
            first.replace_fallback = None;
            forget_sent(first, None);
        }
        Undone::Restored { .. } | Undone::LeftAlone { .. } => {}
        // Nothing shows that its Machine still works.
        Undone::Remains { outcome, .. } => {
            first.went_down |= matches!(outcome, Outcome::Unknown { .. } | Outcome::Failed { .. });
        }
    }
}

fn forget_sent(first: &mut StepResult, machine: Option<Machine>) {
    first.machine = machine;
    first.sent = None;
    first.computed = None;
    first.updated = false;
    first.went_down = false;
}
