//! `drift --json`.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::{AppName, MachineId, RunId};
use crate::core::plan::{Drift, NextApply, Note, Plan, RunDrift};

/// Drift between state and provider.
#[derive(Debug, Serialize)]
pub struct DriftDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    provider: &'a str,
    serial: u64,
    machines: usize,
    drift: Vec<&'a Drift>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlisted_runs: Vec<DriftOfRun<'a>>,
    warnings: Vec<&'a Note>,
}

/// What a run that the state does not list did.
#[derive(Debug, Serialize)]
struct DriftOfRun<'a> {
    run: &'a RunId,
    serial: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    machines: &'a [MachineId],
    next_apply: NextApply,
    drift: Vec<&'a Drift>,
}

impl<'a> From<RunDrift<'a>> for DriftOfRun<'a> {
    fn from(run: RunDrift<'a>) -> Self {
        Self {
            run: run.run,
            serial: run.serial,
            by: run.by,
            commit: run.commit,
            machines: run.machines,
            next_apply: run.next_apply,
            drift: run.drift,
        }
    }
}

/// The document of a plan's drift.
pub fn drift(plan: &Plan) -> DriftDocument<'_> {
    DriftDocument {
        format_version: FORMAT_VERSION,
        app: &plan.app,
        provider: &plan.provider,
        serial: plan.serial,
        machines: plan.machines,
        drift: plan.outside_drift().collect(),
        unlisted_runs: plan.unrecorded_runs().into_iter().map(Into::into).collect(),
        warnings: plan.unverifiable_machines().collect(),
    }
}
