//! Saved plans as files.

use std::path::Path;

use super::codes;
use super::project::{SizeLimit, read_file};
use crate::core::fleet::Known;
use crate::core::plan::{AlreadyApplied, SavedPlan};
use crate::ui::{Failure, OutputFile, Readers};

/// The reviewed plan of an apply.
#[derive(Debug)]
pub(super) enum ReviewedPlan {
    /// None: the plan is approved now.
    None,
    /// A saved plan that is applied as it is.
    Applied(Box<SavedPlan>),
    /// A saved plan that the apply must not exceed.
    Expected(Box<SavedPlan>),
}

impl ReviewedPlan {
    /// The plan that is applied as it is.
    pub(super) fn applied(&self) -> Option<&SavedPlan> {
        match self {
            Self::Applied(plan) => Some(plan),
            Self::None | Self::Expected(_) => None,
        }
    }

    /// The plan that the apply must not exceed.
    pub(super) fn expected(&self) -> Option<&SavedPlan> {
        match self {
            Self::Expected(plan) => Some(plan),
            Self::None | Self::Applied(_) => None,
        }
    }
}

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

/// Refuses a saved plan that was already applied.
pub(super) fn check_unused(saved: &SavedPlan, known: &Known) -> Result<(), Failure> {
    let cause = match saved.already_applied(known) {
        None => return Ok(()),
        Some(AlreadyApplied::ByRun(run)) => format!(
            "run {} (`aeroform {}` by {}, {}) applied it: {}",
            run.run, run.command, run.by, run.at, run.outcome
        ),
        Some(AlreadyApplied::Unknown) => {
            "it is older than the runs recorded in the state".to_owned()
        }
    };
    let message = "cannot apply the saved plan: it was already applied";
    Err(Failure::new(codes::PLAN_SPENT, message)
        .cause(cause)
        .hint("create a new one with `aeroform plan --out FILE` and review it"))
}
