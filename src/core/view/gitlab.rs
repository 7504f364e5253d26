//! The counts that GitLab's widget of a merge request shows (`artifacts:reports:terraform`).

use serde::Serialize;

use crate::core::plan::Plan;

/// The widget reads numbers of so many digits.
const MAX: usize = 999_999;

/// The report: the three keys that the widget requires, and no other.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct GitlabReport {
    create: usize,
    update: usize,
    delete: usize,
}

/// The report of a plan: a replacement is a create and a delete, a move an update. What is only recorded or waited for
/// is no change.
pub fn gitlab(plan: &Plan) -> GitlabReport {
    let summary = plan.summary();
    GitlabReport {
        create: (summary.create + summary.replace).min(MAX),
        update: (summary.update + summary.moves + summary.start).min(MAX),
        delete: (summary.destroy + summary.replace).min(MAX),
    }
}
