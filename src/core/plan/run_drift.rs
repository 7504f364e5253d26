//! Differences between state and Machines by their author: a run that the state does not list, or nobody that Aeroform
//! knows of.
//!
//! Stamps decide. They stay on a Machine that another tool changes later, so that its change counts as the run's
//! until an apply records the run, unless a newer release shows it. A destroyed Machine has no stamps: it counts as
//! gone, whoever destroyed it.

use serde::Serialize;

use super::commits::short_commit;
use super::history::{newer_run, recorded_runs, unrecorded_run_hint};
use super::notes::format_machine_count;
use super::provenance::creating_run;
use super::types::{Drift, DriftKind, Plan};
use crate::core::fleet::{Known, Machine, MachineId, Observed, RunId};

/// A run that the state does not list, and the differences that it made.
#[derive(Debug)]
pub struct RunDrift<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The serial that it would have written.
    pub serial: u64,
    /// The user in its stamps; foreign text.
    pub by: Option<&'a str>,
    /// The commit in its stamps; foreign text.
    pub commit: Option<&'a str>,
    /// The Machines that it changed last.
    pub machines: &'a [MachineId],
    /// What the next apply of the same manifests does about it.
    pub next_apply: NextApply,
    /// The differences.
    pub drift: Vec<&'a Drift>,
}

/// What an apply does about a run that the state does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NextApply {
    /// It adopts the run's changes into the state.
    Adopts,
    /// It refuses to plan over them (`state_behind`).
    Refuses,
}

impl Plan {
    /// Differences that no run of ours made, as far as stamps tell.
    pub fn outside_drift(&self) -> impl Iterator<Item = &Drift> + Clone {
        self.drift.iter().filter(|drift| drift.run.is_none())
    }

    /// The runs that the state does not list, by serial.
    pub fn unrecorded_runs(&self) -> Vec<RunDrift<'_>> {
        let adopted = self.adopted_runs.iter().map(|run| RunDrift {
            run: &run.run,
            serial: run.serial,
            by: run.by.as_deref(),
            commit: run.commit.as_deref(),
            machines: &run.machines,
            next_apply: NextApply::Adopts,
            drift: Vec::new(),
        });
        let refused = self.unlisted_runs.iter().map(|run| RunDrift {
            run: &run.run,
            serial: run.serial,
            by: run.by.as_deref(),
            commit: run.commit.as_deref(),
            machines: &run.machines,
            next_apply: NextApply::Refuses,
            drift: Vec::new(),
        });
        let mut runs: Vec<RunDrift<'_>> = adopted.chain(refused).collect();
        for run in &mut runs {
            let drift = self.drift.iter();
            run.drift = drift
                .filter(|drift| drift.run.as_ref() == Some(run.run))
                .collect();
        }
        runs.sort_by_key(|run| (run.serial, run.run));
        runs
    }

    /// Whether a Machine is gone that one of these runs may have destroyed.
    pub fn may_be_destroyed_by_run(&self) -> bool {
        let mut outside = self.outside_drift();
        outside.any(|drift| drift.kind == DriftKind::Missing)
            && !(self.adopted_runs.is_empty() && self.unlisted_runs.is_empty())
    }
}

impl RunDrift<'_> {
    /// `run w6x2 of commit 930ce37 by ana`.
    pub fn name(&self) -> String {
        let commit = self.commit.map(short_commit);
        let commit = commit.map_or(String::new(), |commit| format!(" of commit {commit}"));
        let by = self.by.map_or(String::new(), |by| format!(" by {by}"));
        format!("run {}{commit}{by}", self.run)
    }

    /// `run w6x2 of commit 930ce37 by ana changed 14 Machines; the state does not list it`.
    pub fn describe(&self) -> String {
        format!(
            "{} changed {}; the state does not list it",
            self.name(),
            format_machine_count(self.machines.len())
        )
    }

    /// How its changes come into the state.
    pub fn hint(&self) -> String {
        match self.next_apply {
            NextApply::Adopts => "the next apply adopts its changes into the state".to_owned(),
            NextApply::Refuses => unrecorded_run_hint(self.run),
        }
    }

    /// How many of its Machines do not differ from the state.
    pub fn equal_machines(&self) -> usize {
        self.machines.len().saturating_sub(self.drift.len())
    }
}

/// Names the run of each difference that one made which the state does not list.
pub(super) fn name_runs(drift: &mut [Drift], known: &Known, observed: &Observed) {
    let recorded = recorded_runs(known);
    let scope = &observed.description.scope;
    for drift in drift {
        let id = drift.machine.id.as_ref();
        let Some(machine) = id.and_then(|id| observed.machines.get(id)) else {
            continue;
        };
        let is_of_run = match drift.kind {
            // A copy has the stamps of its source.
            DriftKind::Added => creating_run(machine, observed).is_some(),
            DriftKind::Changed => !is_released_since(machine),
            DriftKind::Missing => false,
        };
        let run = newer_run(machine, known, scope, &recorded).filter(|_| is_of_run);
        drift.run = run.map(|(run, _)| run.clone());
    }
}

/// Whether another tool made a release of it after the run in its stamps.
fn is_released_since(machine: &Machine) -> bool {
    let release = machine.stamps.release.as_ref();
    release.is_some_and(|release| release.newer_than_ours)
}
