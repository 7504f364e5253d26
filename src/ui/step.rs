//! What a workflow's step reports when the command ends.

use std::collections::BTreeMap;

use crate::core::fleet::{AppName, GroupName};
use crate::core::plan::{Comparison, Plan};
use crate::core::view::github::{Annotation, SourcePosition, StepOutputs};

/// Collected while the command runs; only `--format github` reads it, except the app and the plan.
#[derive(Debug, Default)]
pub struct StepReport {
    /// The app, once a result names it.
    pub app: Option<AppName>,
    /// The last plan that was shown, with that of its base; a failure that follows is about it.
    pub shown_plan: Option<Box<(Plan, Option<Comparison>)>>,
    /// Annotations of the manifests.
    pub of_files: Vec<Annotation>,
    /// Annotations of the result.
    pub of_result: Vec<Annotation>,
    /// Where the manifest sets each group.
    pub group_positions: BTreeMap<GroupName, SourcePosition>,
    /// The position of everything else.
    pub app_position: Option<SourcePosition>,
    /// The outputs.
    pub outputs: StepOutputs,
    /// The summary.
    pub summary: String,
    /// Bytes that the summary may have.
    pub summary_capacity: usize,
}
