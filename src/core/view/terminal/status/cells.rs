//! One Machine in its row, and the lines below it.

use crate::core::fleet::{CheckState, CheckStatus, HostStatus, MachineState, Management, SwapRole};
use crate::core::view::line::{Line, truncate};
use crate::core::view::phrases;
use crate::core::view::status::MachineStatus;
use crate::core::view::style::Label;
use crate::core::view::terminal::table::{
    self, Column, ColumnLayout, cuttable_column, full_column, squeezed_column,
};

/// A Machine's cells.
pub(super) type StatusCells = table::Cells<7>;

/// The columns.
pub(super) const HEADS: [Column; 7] = [
    full_column("MACHINE", 0),
    cuttable_column("REGION", 3),
    cuttable_column("STATE", 1),
    squeezed_column("CHECKS", 1, RESULT_WIDTH),
    full_column("ADDRESS", 6),
    cuttable_column("PID", 7),
    cuttable_column("RELEASE", 5),
];

/// The least width of the column of checks: a result (`critical 1 of 3`). The name after it may be cut.
const RESULT_WIDTH: usize = 16;

/// Indices into [`HEADS`].
pub(super) const REGION_COLUMN: usize = 1;
pub(super) const RELEASE_COLUMN: usize = 6;
const ADDRESS_COLUMN: usize = 4;

/// Maximum characters shown of a failing check's output.
const MAX_OUTPUT: usize = 160;

/// What the column of checks shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::view::terminal) enum CheckNaming {
    /// A single check with its name.
    Named,
    /// Results only.
    Results,
}

/// The cells of a Machine.
pub(super) fn cells(machine: &MachineStatus, naming: CheckNaming) -> StatusCells {
    let dagger = if machine.standby { "†" } else { "" };
    [
        (Label::Plain, format!("{}{dagger}", machine.id)),
        (Label::Dim, machine.region.to_string()),
        (
            state_label(machine.state),
            machine.state.as_str().to_owned(),
        ),
        checks_cell(machine, naming),
        (Label::Hint, machine.address.clone().unwrap_or_default()),
        (
            Label::Dim,
            machine.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ),
        release_cell(machine),
    ]
}

/// `v2`, and `v2 old` if its group has a newer release.
fn release_cell(machine: &MachineStatus) -> (Label, String) {
    match (machine.release, machine.newer_release) {
        (None, _) => (Label::Dim, String::new()),
        (Some(number), None) => (Label::Dim, format!("v{number}")),
        (Some(number), Some(_)) => (Label::Change, format!("v{number} old")),
    }
}

/// The colour of a state.
pub(in crate::core::view::terminal) fn state_label(state: MachineState) -> Label {
    match state {
        MachineState::Started => Label::Success,
        MachineState::Failed | MachineState::Destroyed | MachineState::Destroying => Label::Destroy,
        MachineState::Created
        | MachineState::Starting
        | MachineState::Stopping
        | MachineState::Suspending
        | MachineState::Replacing
        | MachineState::Unknown => Label::Change,
        MachineState::Stopped | MachineState::Suspended => Label::Plain,
    }
}

/// The checks that are current: a passing check of a stopped Machine is not.
pub(in crate::core::view::terminal) fn current_checks(
    machine: &MachineStatus,
) -> Vec<&CheckStatus> {
    let up = matches!(
        machine.state,
        MachineState::Started | MachineState::Starting
    );
    let all = machine.checks.iter();
    all.filter(|check| up || check.status != CheckState::Passing)
        .collect()
}

/// The colour of a check's result.
pub(in crate::core::view::terminal) fn check_label(state: CheckState) -> Label {
    match state {
        CheckState::Passing => Label::Success,
        CheckState::Warning => Label::Change,
        CheckState::Critical => Label::Destroy,
    }
}

/// The result comes first, because a narrow column truncates the end: the result of one check before its name, the
/// worst of several before their count.
pub(in crate::core::view::terminal) fn checks_cell(
    machine: &MachineStatus,
    naming: CheckNaming,
) -> (Label, String) {
    let label = check_label;
    match current_checks(machine).as_slice() {
        [] => (Label::Dim, String::new()),
        [one] if naming == CheckNaming::Results => {
            (label(one.status), one.status.as_str().to_owned())
        }
        [one] => (
            label(one.status),
            format!("{} {}", one.status.as_str(), one.name),
        ),
        several => {
            let n = |state| several.iter().filter(|c| c.status == state).count();
            let passing = n(CheckState::Passing);
            let worst = match (n(CheckState::Critical), n(CheckState::Warning)) {
                (0, 0) => CheckState::Passing,
                (0, _) => CheckState::Warning,
                (_, _) => CheckState::Critical,
            };
            let all = several.len();
            let text = match worst {
                CheckState::Passing => format!("passing {all} of {all}"),
                CheckState::Warning | CheckState::Critical => {
                    format!("{} {} of {all}", worst.as_str(), all - passing)
                }
            };
            (label(worst), text)
        }
    }
}

/// Lines below the row: remarks, and columns that did not fit.
pub(super) fn detail_lines(
    machine: &MachineStatus,
    cells: &StatusCells,
    table: &ColumnLayout<7>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let squeezed = |column: usize| table.is_dropped(column) && !cells[column].1.is_empty();
    if squeezed(ADDRESS_COLUMN) {
        let (label, text) = &cells[ADDRESS_COLUMN];
        lines.push(Line::new(4).push(*label, text));
    }
    let mut line = Line::new(4);
    let mut remarks = remarks(machine);
    if squeezed(RELEASE_COLUMN) && machine.newer_release.is_some() {
        remarks.push(cells[RELEASE_COLUMN].clone());
    }
    for (at, (label, text)) in remarks.into_iter().enumerate() {
        if at > 0 {
            line.add(Label::Dim, " · ");
        }
        line.add(label, text);
    }
    lines.extend((!line.is_empty()).then_some(line));
    let failing = machine
        .checks
        .iter()
        .filter(|check| check.status == CheckState::Critical && !check.output.is_empty());
    lines.extend(failing.map(|check| {
        let text = format!("{}: {}", check.name, truncate(&check.output, MAX_OUTPUT));
        Line::new(4).push(Label::Destroy, text)
    }));
    lines
}

pub(in crate::core::view::terminal) fn remarks(machine: &MachineStatus) -> Vec<(Label, String)> {
    let mut found: Vec<(Label, String)> = Vec::new();
    if let Some(detail) = &machine.detail {
        let label = if machine.needs_attention() {
            Label::Destroy
        } else {
            Label::Dim
        };
        found.push((label, detail.clone()));
    }
    if let Some(unproven) = &machine.unproven {
        found.push((Label::Change, unproven.text.clone()));
    }
    if machine.restarts > 0 {
        let text = format!(
            "restarted {}",
            phrases::count_noun(machine.restarts as usize, "time")
        );
        found.push((Label::Change, text));
    }
    if machine.cordoned {
        found.push((Label::Change, "cordoned".to_owned()));
    }
    match machine.host {
        HostStatus::Ok => {}
        HostStatus::Unknown => found.push((Label::Change, "host status unknown".to_owned())),
        HostStatus::Unreachable => found.push((Label::Destroy, "host unreachable".to_owned())),
    }
    if let Some(project) = &machine.other_project {
        found.push((
            Label::Change,
            format!("belongs to the project in `{project}`"),
        ));
        return found;
    }
    let swap = match machine.swap {
        None => None,
        Some(SwapRole::Blue) => Some("blue of an unfinished swap"),
        Some(SwapRole::Green) if machine.cordoned => {
            Some("green of an unfinished swap: no requests until the switch")
        }
        Some(SwapRole::Green) => Some("green of an unfinished swap"),
    };
    let canary = "canary; if no apply runs, the next one removes it";
    if let Some(text) = swap.or(machine.canary.then_some(canary)) {
        found.push((Label::Change, text.to_owned()));
        return found;
    }
    match machine.management {
        // The state says who manages it, even if the Machine cannot be read.
        _ if machine.known && machine.counts_for_group => {}
        Management::Ours | Management::FlyLaunch if !machine.counts_for_group => {
            found.push((Label::Dim, "removed from the state, ignored".to_owned()));
        }
        Management::Unknown => {
            found.push((Label::Change, "not known who manages it".to_owned()));
        }
        Management::Unmanaged => found.push((Label::Dim, "not managed by Aeroform".to_owned())),
        Management::Auxiliary => {
            found.push((
                Label::Dim,
                "release command, console or leftover canary; not counted in a group".to_owned(),
            ));
        }
        Management::Ours | Management::FlyLaunch if !machine.known => {
            found.push((Label::Change, "not in the state yet".to_owned()));
        }
        Management::Ours | Management::FlyLaunch => {}
    }
    found
}
