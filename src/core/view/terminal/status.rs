//! The status as a person reads it: per group what is wanted and there, then its Machines with what a
//! person needs to reach them.
//!
//! One screen: of a large group only those that need attention are listed, and the rest is counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::fleet::{CheckState, GroupName, HostStatus, MachineState, Management};
use crate::core::view::line::{Line, Page, columns, cut};
use crate::core::view::status::{GroupStatus, MachineStatus, StatusView};
use crate::core::view::style::{Label, Style};
use crate::core::view::words;

/// Machines of one group that are listed.
const LISTED: usize = 16;
/// The widest that a column gets, but the last.
const COLUMN: usize = 30;

/// Characters of a failing check's output that are shown.
const OUTPUT: usize = 160;

/// A Machine and its cells.
type Row<'a> = (&'a MachineStatus, Cells);

/// A row's cells with their labels, in the order of [`HEADS`].
type Cells = [(Label, String); 6];

/// The columns; the lower the rank, the longer a column stays on a narrow terminal.
const HEADS: [(&str, u8); 6] = [
    ("MACHINE", 0),
    ("REGION", 3),
    ("STATE", 1),
    ("CHECKS", 4),
    ("ADDRESS", 2),
    ("PID", 5),
];

/// Places in [`HEADS`].
const CHECKS: usize = 3;
const ADDRESS: usize = 4;

/// Writes the status.
pub fn status(view: &StatusView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut Page::new(style, out);
    page.line(&header(view))?;
    if view.machines.is_empty() && view.missing.is_empty() {
        page.blank()?;
        let text = "No Machines. `aeroform plan` shows what an apply would create.";
        return page.line(&Line::new(0).plain(text));
    }
    let rows: Vec<Row<'_>> = view.machines.iter().map(|m| (m, cells(m))).collect();
    let table = Table::of(rows.iter().map(|(_, cells)| cells), style.width);
    let mut by_group: BTreeMap<Option<&GroupName>, Vec<&Row<'_>>> = BTreeMap::new();
    for row in &rows {
        by_group.entry(row.0.group.as_ref()).or_default().push(row);
    }
    page.blank()?;
    table.heads(page)?;
    for group in &view.groups {
        page.blank()?;
        page.line(&group_line(group))?;
        let own = by_group.remove(&Some(&group.name)).unwrap_or_default();
        machines(own, &table, page)?;
        missing(view, group, page)?;
    }
    if let Some(own) = by_group.remove(&None) {
        page.blank()?;
        page.line(&Line::new(0).push(Label::Strong, "of no group"))?;
        machines(own, &table, page)?;
    }
    let standbys = view.machines.iter().any(|machine| machine.standby);
    if standbys {
        page.blank()?;
        page.line(&Line::new(0).push(
            Label::Dim,
            "† standby: starts when the host of its primary fails",
        ))?;
    }
    Ok(())
}

fn header(view: &StatusView) -> Line {
    let state = view.serial.map_or("no state yet".to_owned(), |serial| {
        format!("serial {serial}")
    });
    let n = words::count(view.machines.len(), "Machine");
    Line::new(0)
        .push(Label::Strong, view.app.as_str())
        .push(Label::Dim, format!(" · {} · {state} · {n}", view.provider))
}

fn group_line(group: &GroupStatus) -> Line {
    let actual = words::number(group.actual as usize);
    let (label, counts) = match group.wanted {
        _ if !group.desired => (Label::Change, format!("{actual}, no longer wanted")),
        Some(wanted) if wanted == group.actual => (Label::Good, format!("{actual} of {actual}")),
        Some(wanted) => (
            Label::Change,
            format!("{actual} of {} wanted", words::number(wanted as usize)),
        ),
        None => (Label::Plain, actual),
    };
    let mut line = Line::new(0)
        .push(Label::Strong, group.name.as_str())
        .plain("  ")
        .push(label, counts)
        .push(
            Label::Dim,
            format!(" · {} started", words::number(group.started as usize)),
        );
    let sick = group.started.saturating_sub(group.healthy);
    if sick > 0 {
        line.add(
            Label::Destroy,
            format!(" · {} not passing", words::number(sick as usize)),
        );
    }
    line
}

/// The rows of one group: of a large one those in trouble first, the rest as a count.
fn machines(mut own: Vec<&Row<'_>>, table: &Table, page: &mut Page<'_>) -> fmt::Result {
    let mut more = 0;
    if !page.style.verbose && own.len() > LISTED {
        own.sort_by_key(|(machine, _)| !machine.troubled());
        more = own.len() - LISTED;
        own.truncate(LISTED);
    }
    for (machine, cells) in own {
        table.row(cells, page)?;
        for line in details(machine, cells, table) {
            page.line(&line)?;
        }
    }
    if more > 0 {
        let text = format!("+ {} more (-v shows all)", words::number(more));
        page.line(&Line::new(2).push(Label::Dim, text))?;
    }
    Ok(())
}

fn missing(view: &StatusView, group: &GroupStatus, page: &mut Page<'_>) -> fmt::Result {
    let own: Vec<_> = view
        .missing
        .iter()
        .filter(|missing| missing.group == group.name)
        .collect();
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        LISTED
    };
    for missing in own.iter().take(limit) {
        let line = Line::new(2)
            .push(Label::Destroy, missing.id.as_str())
            .push(Label::Dim, format!("  {}  ", missing.region))
            .push(Label::Destroy, "gone")
            .push(Label::Dim, ": the state has it, the provider has not");
        page.line(&line)?;
    }
    let more = own.len().saturating_sub(limit);
    if more > 0 {
        let text = format!("+ {} more that are gone", words::number(more));
        page.line(&Line::new(2).push(Label::Destroy, text))?;
    }
    Ok(())
}

fn cells(machine: &MachineStatus) -> Cells {
    let state = match machine.state {
        MachineState::Started => Label::Good,
        MachineState::Failed | MachineState::Destroyed | MachineState::Destroying => Label::Destroy,
        MachineState::Created
        | MachineState::Starting
        | MachineState::Stopping
        | MachineState::Suspending
        | MachineState::Replacing => Label::Change,
        MachineState::Stopped | MachineState::Suspended => Label::Plain,
    };
    let dagger = if machine.standby { "†" } else { "" };
    [
        (Label::Plain, format!("{}{dagger}", machine.id)),
        (Label::Dim, machine.region.to_string()),
        (state, machine.state.as_str().to_owned()),
        checks(machine),
        (Label::Hint, machine.address.clone().unwrap_or_default()),
        (
            Label::Dim,
            machine.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ),
    ]
}

/// One check by name and result, several as a count with the worst result.
fn checks(machine: &MachineStatus) -> (Label, String) {
    let label = |state| match state {
        CheckState::Passing => Label::Good,
        CheckState::Warning => Label::Change,
        CheckState::Critical => Label::Destroy,
    };
    match machine.checks.as_slice() {
        [] => (Label::Dim, String::new()),
        [one] => (
            label(one.status),
            format!("{} {}", one.name, one.status.as_str()),
        ),
        several => {
            let n = |state| several.iter().filter(|c| c.status == state).count();
            let passing = n(CheckState::Passing);
            let worst = match (n(CheckState::Critical), n(CheckState::Warning)) {
                (0, 0) => CheckState::Passing,
                (0, _) => CheckState::Warning,
                (_, _) => CheckState::Critical,
            };
            (
                label(worst),
                format!("{passing} of {} passing", several.len()),
            )
        }
    }
}

/// What does not fit into a column: what a person should know, and the columns that had no room.
fn details(machine: &MachineStatus, cells: &Cells, table: &Table) -> Vec<Line> {
    let mut lines = Vec::new();
    let squeezed = |column: usize| table.widths[column] == 0 && !cells[column].1.is_empty();
    let failing = machine
        .checks
        .iter()
        .any(|check| check.status != CheckState::Passing);
    for (column, shown) in [(ADDRESS, true), (CHECKS, failing)] {
        if shown && squeezed(column) {
            let (label, text) = &cells[column];
            lines.push(Line::new(4).push(*label, text));
        }
    }
    let mut line = Line::new(4);
    for (at, (label, text)) in remarks(machine).into_iter().enumerate() {
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
        let text = format!("{}: {}", check.name, cut(&check.output, OUTPUT));
        Line::new(4).push(Label::Destroy, text)
    }));
    lines
}

fn remarks(machine: &MachineStatus) -> Vec<(Label, String)> {
    let mut found: Vec<(Label, String)> = Vec::new();
    if let Some(detail) = &machine.detail {
        let label = if machine.troubled() {
            Label::Destroy
        } else {
            Label::Dim
        };
        found.push((label, detail.clone()));
    }
    if machine.restarts > 0 {
        let text = format!(
            "restarted {}",
            words::count(machine.restarts as usize, "time")
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
    match machine.management {
        Management::Stranger => found.push((Label::Dim, "not managed by Aeroform".to_owned())),
        Management::Special => {
            found.push((Label::Dim, "belongs to a release or a console".to_owned()));
        }
        Management::Ours | Management::Launch if !machine.known => {
            found.push((Label::Change, "not in the state yet".to_owned()));
        }
        Management::Ours | Management::Launch => {}
    }
    found
}

/// Widths of the columns that fit.
struct Table {
    /// Width of each column; zero leaves it out.
    widths: [usize; 6],
}

impl Table {
    fn of<'a>(rows: impl Iterator<Item = &'a Cells>, width: usize) -> Self {
        let mut widths = [0; 6];
        for cells in rows {
            for (width, (_, text)) in widths.iter_mut().zip(cells) {
                *width = (*width).max(columns(text));
            }
        }
        for (width, (head, _)) in widths.iter_mut().zip(HEADS) {
            // A column without a single value is left out.
            if *width > 0 {
                *width = (*width).max(head.len());
            }
        }
        // The id and the address are there to be copied: never cut, left out last.
        for (width, (head, _)) in widths.iter_mut().zip(HEADS) {
            if !matches!(head, "MACHINE" | "ADDRESS") {
                *width = (*width).min(COLUMN);
            }
        }
        let mut table = Self { widths };
        for rank in (2..=5).rev() {
            if table.width() <= width {
                break;
            }
            for (column, (_, of)) in table.widths.iter_mut().zip(HEADS) {
                if of == rank {
                    *column = 0;
                }
            }
        }
        table
    }

    fn width(&self) -> usize {
        self.widths.iter().filter(|w| **w > 0).map(|w| w + 2).sum()
    }

    fn heads(&self, page: &mut Page<'_>) -> fmt::Result {
        let cells = HEADS.map(|(head, _)| (Label::Dim, head.to_owned()));
        self.row(&cells, page)
    }

    fn row(&self, cells: &Cells, page: &mut Page<'_>) -> fmt::Result {
        let mut line = Line::new(2).hang(4);
        let mut column = 2;
        for ((label, text), width) in cells.iter().zip(self.widths) {
            if width == 0 {
                continue;
            }
            line = line.to_column(column).push(*label, cut(text, width));
            column += width + 2;
        }
        page.line(&line)
    }
}
