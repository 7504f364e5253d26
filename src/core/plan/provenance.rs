//! Which run created the Machines that the state does not list, according to their stamps and names (rule 4).
//!
//! Only messages and approvals depend on it, not what happens to a Machine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::members::{CreateMatch, Fleet};
use super::options::Options;
use crate::core::fleet::{Machine, MachineId, Observed, RunId};

/// The run of ours that created a Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The run.
    pub run: RunId,
    /// How it is known.
    #[serde(rename = "trace")]
    pub source: ProvenanceSource,
}

/// How the run of an unlisted Machine is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvenanceSource {
    /// This host's journal has the run, its commit is ours or an ancestor, or the state has the pending create: the
    /// Machine is as much ours as a listed one.
    Recorded,
    /// The state lists the run, but no longer waits for this create.
    GivenUp,
    /// Only the Machine's stamps name it.
    Stamped,
}

/// The run that created each Machine that this plan adopts; a Machine without an entry was added outside
/// Aeroform.
pub(super) fn find_provenance(
    fleet: &Fleet<'_>,
    observed: &Observed,
    options: &Options,
    older_runs: &BTreeSet<RunId>,
) -> BTreeMap<MachineId, Provenance> {
    let adopted = fleet
        .members
        .values()
        .flatten()
        .filter(|m| m.is_adopted() && !m.is_unlisted_and_unreadable());
    let created = adopted.filter_map(|member| {
        let run = creating_run(member.observed?, observed)?;
        let source = match member.create_match {
            _ if options.own_runs.contains(run) || older_runs.contains(run) => {
                ProvenanceSource::Recorded
            }
            CreateMatch::Pending => ProvenanceSource::Recorded,
            CreateMatch::GivenUp => ProvenanceSource::GivenUp,
            CreateMatch::Unmatched => ProvenanceSource::Stamped,
        };
        let run = run.clone();
        Some((member.id.clone(), Provenance { run, source }))
    });
    created.collect()
}

/// The run in its stamps, if they are genuine: a copy has another name, and a Machine of another app another
/// lineage.
pub(super) fn creating_run<'a>(machine: &'a Machine, observed: &Observed) -> Option<&'a RunId> {
    let stamps = &machine.stamps;
    let launch = stamps.launch.as_deref();
    let ours = stamps.lineage.as_ref() == Some(&observed.description.scope)
        && launch.is_some()
        && machine.name.launch_suffix() == launch;
    stamps.run.as_ref().filter(|_| ours)
}
