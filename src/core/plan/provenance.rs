//! Who made the Machines that the state does not list, as far as their stamps and names tell (rule 4).
//!
//! Words and consent hang on it; what becomes of a Machine does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::members::{CreateMatch, Fleet};
use super::options::Options;
use crate::core::fleet::{Machine, MachineId, Observed, RunId};

/// The run of ours that made a Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Which.
    pub run: RunId,
    /// What is known of it.
    #[serde(rename = "trace")]
    pub source: ProvenanceSource,
}

/// What is known of a run whose Machine the state does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProvenanceSource {
    /// This host's journal has a record of it, or the state still owes its create: the Machine is as much
    /// ours as one that is listed.
    Recorded,
    /// The state lists it, and nobody waited for its call any more.
    GivenUp,
    /// Nothing but what the Machine says.
    Stamped,
}

/// Who made each Machine that this plan takes into the state; one that is missing was added outside.
pub(super) fn find_provenance(
    fleet: &Fleet<'_>,
    observed: &Observed,
    options: &Options,
) -> BTreeMap<MachineId, Provenance> {
    let adopted = fleet
        .members
        .values()
        .flatten()
        .filter(|m| m.is_adopted() && !m.is_unlisted_and_unreadable());
    let made = adopted.filter_map(|member| {
        let run = creating_run(member.observed?, observed)?;
        let trace = match member.create_match {
            _ if options.own_runs.contains(run) => ProvenanceSource::Recorded,
            CreateMatch::Pending => ProvenanceSource::Recorded,
            CreateMatch::GivenUp => ProvenanceSource::GivenUp,
            CreateMatch::Unmatched => ProvenanceSource::Stamped,
        };
        let run = run.clone();
        Some((member.id.clone(), Provenance { run, source: trace }))
    });
    made.collect()
}

/// The run whose stamps it bears, if it bears them by right: a copy has another name, and another app's
/// Machines another lineage.
pub(super) fn creating_run<'a>(machine: &'a Machine, observed: &Observed) -> Option<&'a RunId> {
    let stamps = &machine.stamps;
    let launch = stamps.launch.as_deref();
    let ours = stamps.lineage.as_ref() == Some(&observed.description.scope)
        && launch.is_some()
        && machine.name.launch_suffix() == launch;
    stamps.run.as_ref().filter(|_| ours)
}
