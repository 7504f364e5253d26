//! What a workflow's step reports when the command ends.

use std::collections::BTreeMap;

use crate::core::fleet::{AppName, GroupName};
use crate::core::view::github::{Annotation, Place, StepOutputs};

/// Collected while the command runs; only `--format github` reads it, but for the app.
#[derive(Debug, Default)]
pub struct StepReport {
    /// The app, once a result names it.
    pub app: Option<AppName>,
    /// Annotations of the manifests.
    pub of_files: Vec<Annotation>,
    /// Annotations of the result.
    pub of_result: Vec<Annotation>,
    /// Where groups are written.
    pub places: BTreeMap<GroupName, Place>,
    /// Where everything else is said.
    pub place: Option<Place>,
    /// The outputs.
    pub outputs: StepOutputs,
    /// The summary.
    pub summary: String,
    /// Bytes that the summary may have.
    pub summary_room: usize,
}
