//! What a rollback did, in words and numbers, for every view of a run.

use std::collections::BTreeSet;

use serde::Serialize;

use super::phrases;
use super::run_report::RunReport;
use crate::core::fleet::{OnceKind, VolumeId};
use crate::core::plan::way_back::{Rollback, RollbackStop, Undone};
use crate::core::plan::{Action, MachineRef, Outcome};

/// The result of a rollback.
#[derive(Debug, Serialize)]
pub(super) struct RollbackSummary<'a> {
    /// The release that runs again, if it is one and known.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// The failure that caused it.
    cause: &'a str,
    /// Whether everything is as before.
    complete: bool,
    /// Machines that have their previous config again.
    put_back: usize,
    /// Machines that were created in the place of replaced ones.
    restored: usize,
    /// Created Machines that are destroyed.
    destroyed: usize,
    /// Machines that it did not touch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_alone: Vec<LeftMachine<'a>>,
    /// Machines that it did not come to, or that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remaining: Vec<&'a MachineRef>,
    /// Volumes of destroyed Machines, which stay.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    left_volumes: BTreeSet<&'a VolumeId>,
    /// Whether the release command had run, which nothing undoes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    release_command_ran: bool,
    /// Why it stopped, if a failure stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
}

/// A Machine that a rollback did not touch.
#[derive(Debug, Serialize)]
pub(super) struct LeftMachine<'a> {
    pub(super) machine: &'a MachineRef,
    pub(super) why: &'a str,
}

impl<'a> RollbackSummary<'a> {
    /// That of this run.
    pub(super) fn of(report: &RunReport<'a>) -> Option<Self> {
        let rollback = report.rollback?;
        let mut summary = Self {
            to: rollback.to,
            cause: cause(report, rollback),
            complete: rollback.is_complete(),
            put_back: 0,
            restored: 0,
            destroyed: 0,
            left_alone: Vec::new(),
            remaining: Vec::new(),
            left_volumes: BTreeSet::new(),
            release_command_ran: report.results().any(|(change, result)| {
                let runs = matches!(
                    change.action,
                    Action::Once {
                        what: OnceKind::ReleaseCommand,
                        ..
                    }
                );
                runs && result.outcome == Outcome::Done
            }),
            stopped: match &rollback.stopped {
                Some(RollbackStop::Failed(message)) => Some(message),
                Some(RollbackStop::Interrupted) | None => None,
            },
        };
        for undone in rollback.undone() {
            match undone {
                Undone::PutBack { .. } => summary.put_back += 1,
                Undone::Restored { .. } => summary.restored += 1,
                Undone::Removed { left_volumes, .. } => {
                    summary.destroyed += 1;
                    summary.left_volumes.extend(left_volumes);
                }
                Undone::LeftAlone { machine, why } => {
                    summary.left_alone.push(LeftMachine { machine, why });
                }
                Undone::Remains { machine, .. } => summary.remaining.push(machine),
            }
        }
        Some(summary)
    }

    pub(super) fn left_alone(&self) -> &[LeftMachine<'a>] {
        &self.left_alone
    }

    pub(super) fn remaining(&self) -> &[&'a MachineRef] {
        &self.remaining
    }

    pub(super) fn left_volumes(&self) -> &BTreeSet<&'a VolumeId> {
        &self.left_volumes
    }

    /// Whether the release command had run.
    pub(super) fn release_command_ran(&self) -> bool {
        self.release_command_ran
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// `rolled back to v41 after Machine … failed`: the first line of a report.
    pub(super) fn head(&self) -> String {
        let runs_before = self.put_back + self.restored > 0;
        let to = match self.to {
            Some(release) => format!(" to v{release}"),
            None if runs_before => " to the previous version".to_owned(),
            None => String::new(),
        };
        let cause = self.cause;
        if self.complete {
            return format!("rolled back{to} after a failure: {cause}");
        }
        format!("not rolled back completely{to} after a failure: {cause}")
    }

    /// `3 Machines have their previous config again, 1 destroyed`.
    pub(super) fn counts(&self) -> String {
        let mut parts = Vec::new();
        if self.put_back > 0 {
            let have = if self.put_back == 1 {
                "has its"
            } else {
                "have their"
            };
            let machines = phrases::count_noun(self.put_back, "Machine");
            parts.push(format!("{machines} {have} previous config again"));
        }
        for (n, what) in [
            (self.restored, "created again with the previous config"),
            (self.destroyed, "destroyed"),
            (self.left_alone.len(), "left alone"),
            (self.remaining.len(), "not rolled back"),
        ] {
            if n > 0 {
                parts.push(format!("{} {what}", phrases::group_digits(n)));
            }
        }
        parts.join(", ")
    }
}

/// The message of the failure that caused it.
fn cause<'a>(report: &RunReport<'a>, rollback: &Rollback) -> &'a str {
    let first = rollback.because.first();
    let result = first.and_then(|step| report.results.get(step.0 as usize));
    match result.map(|result| &result.outcome) {
        Some(Outcome::Failed { message, .. } | Outcome::Unknown { message }) => message,
        Some(Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted) | None => {
            "a change failed"
        }
    }
}
