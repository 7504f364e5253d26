//! `drift --json`.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::AppName;
use crate::core::plan::{Drift, Note, Plan};

/// Drift between state and provider.
#[derive(Debug, Serialize)]
pub struct DriftDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    provider: &'a str,
    serial: u64,
    machines: usize,
    drift: &'a [Drift],
    warnings: Vec<&'a Note>,
}

/// The document of a plan's drift.
pub fn drift(plan: &Plan) -> DriftDocument<'_> {
    DriftDocument {
        format_version: FORMAT_VERSION,
        app: &plan.app,
        provider: &plan.provider,
        serial: plan.serial,
        machines: plan.machines,
        drift: &plan.drift,
        warnings: plan.unverifiable_machines().collect(),
    }
}
