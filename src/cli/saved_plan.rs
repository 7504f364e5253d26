//! Saved plans as files.

use std::path::Path;

use super::codes;
use super::project::{SizeLimit, read_file};
use crate::core::plan::SavedPlan;
use crate::ui::{Failure, OutputFile, Readers};

/// The target file of a plan.
#[derive(Debug)]
pub(super) struct PlanFile(OutputFile);

impl PlanFile {
    /// Opens it without changing its content.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        OutputFile::open(path, Readers::Owner).map(Self)
    }

    /// Writes the plan and prints the path.
    pub(super) fn write(mut self, plan: &SavedPlan) -> Result<String, Failure> {
        let written = self.0.write(&plan.to_json());
        written
            .and_then(|()| self.0.sync())
            .map_err(|error| self.0.write_error(&error))?;
        Ok(self.0.path().display().to_string())
    }
}

/// Reads a saved plan.
pub(super) fn load_plan(path: &Path) -> Result<SavedPlan, Failure> {
    let shown = path.display();
    let bytes = read_file(path, SizeLimit::Data)?.ok_or_else(|| {
        Failure::new(
            codes::NO_PLAN_FILE,
            format!("there is no saved plan `{shown}`"),
        )
    })?;
    SavedPlan::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        Failure::new(
            codes::BAD_PLAN_FILE,
            format!("cannot read the plan in `{shown}`"),
        )
        .cause(error)
        .hint("create one with `aeroform plan --out FILE`")
    })
}
