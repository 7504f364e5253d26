//! The counts of GitLab's widget of a merge request: one object. Other results have none.

use super::CommandOutput;
use crate::core::view::gitlab::gitlab;
use crate::ui::Ui;

pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    if let CommandOutput::Plan(plan) = output {
        ui.document(&gitlab(plan));
    }
    if let CommandOutput::ComparedPlan(plan, comparison) = output {
        ui.document(&gitlab(&comparison.this_change(plan)));
    }
}
