//! What a rollback did: its first line, and the Machines that are not as before.

use std::fmt;

use super::{MAX_LISTED, more_line};
use crate::core::fleet::VolumeId;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::rollback_report::RollbackSummary;
use crate::core::view::run_report::RunReport;
use crate::core::view::style::Label;

/// The first line of the report.
pub(super) fn head(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(summary) = RollbackSummary::of(report) else {
        return Ok(());
    };
    page.line(&Line::new(0).push(Label::Warning, summary.head()))
}

/// The Machines and volumes that stay.
pub(super) fn rest(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(summary) = RollbackSummary::of(report) else {
        return Ok(());
    };
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    for left in summary.left_alone().iter().take(limit) {
        let name = name(left.machine);
        let line = Line::new(0).push(Label::Warning, "left alone:");
        page.line(&line.plain(format!(" {name}: {}", left.why)))?;
    }
    more_line(summary.left_alone().len().saturating_sub(limit), page)?;
    if !summary.remaining().is_empty() {
        let line = Line::new(0).push(Label::Error, "not rolled back:");
        let names: Vec<&str> = summary.remaining().iter().map(|one| name(one)).collect();
        page.line(&line.plain(format!(" {}", names.join(", "))))?;
    }
    let volumes = summary.left_volumes().iter();
    let volumes: Vec<&str> = volumes.map(|volume| VolumeId::as_str(volume)).collect();
    if !volumes.is_empty() {
        let text = format!(" {} of destroyed Machines", volumes.join(", "));
        let line = Line::new(0).push(Label::Warning, "volumes that stay:");
        page.line(&line.plain(text))?;
    }
    if summary.release_command_ran() {
        let line = Line::new(0).push(Label::Warning, "not undone:");
        page.line(&line.plain(" the release command, which has run"))?;
    }
    Ok(())
}

fn name(machine: &crate::core::plan::MachineRef) -> &str {
    let id = machine.id.as_ref();
    id.map_or(machine.name.as_str(), |id| id.as_str())
}
