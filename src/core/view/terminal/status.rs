//! The status as a person reads it: per group what is wanted and there, then its Machines with what a
//! person needs to reach them.
//!
//! One screen: of a large group only those that need attention are listed, and the rest is counted.

use std::fmt;

use crate::core::fleet::{CheckState, HostStatus, MachineState, Management};
use crate::core::view::line::{Line, Page, columns, cut};
use crate::core::view::status::{GroupStatus, MachineStatus, StatusView};
use crate::core::view::style::{Label, Style};
use crate::core::view::words;

/// Machines of one group that are listed.
const LISTED: usize = 16;
/// The widest that a column gets, but the last.
const COLUMN: usize = 30;

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

/// Writes the status.
pub fn status(view: &StatusView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut Page::new(style, out);
    page.line(&header(view))?;
    if view.machines.is_empty() && view.missing.is_empty() {
        page.blank()?;
        let text = "No Machines. `aeroform plan` shows what an apply would create.";
        return page.line(&Line::new(0).plain(text));
    }
    let rows: Vec<(&MachineStatus, Cells)> = view.machines.iter().map(|m| (m, cells(m))).collect();
    let table = Table::of(rows.iter().map(|(_, cells)| cells), style.width);
    page.blank()?;
    table.heads(page)?;
    let mut standbys = false;
    for group in &view.groups {
        page.blank()?;
        page.line(&group_line(group))?;
        let own: Vec<&(&MachineStatus, Cells)> = rows
            .iter()
            .filter(|(machine, _)| machine.group.as_ref() == Some(&group.name))
            .collect();
        standbys |= own.iter().any(|(machine, _)| machine.standby);
        machines(&own, &table, page)?;
        missing(view, group, page)?;
    }
    let strangers: Vec<&(&MachineStatus, Cells)> = rows
        .iter()
        .filter(|(machine, _)| machine.group.is_none())
        .collect();
    if !strangers.is_empty() {
        page.blank()?;
        page.line(&Line::new(0).push(Label::Strong, "of no group"))?;
        machines(&strangers, &table, page)?;
    }
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
        Some(wanted) if wanted == group.actual => (Label::Good, format!("{actual} of {wanted}")),
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
fn machines(own: &[&(&MachineStatus, Cells)], table: &Table, page: &mut Page<'_>) -> fmt::Result {
    let all = page.style.verbose || own.len() <= LISTED;
    let mut order: Vec<&&(&MachineStatus, Cells)> = own.iter().collect();
    if !all {
        order.sort_by_key(|(machine, _)| !machine.troubled());
        order.truncate(LISTED);
    }
    for (machine, cells) in order {
        table.row(cells, page)?;
        for line in details(machine) {
            page.line(&line)?;
        }
    }
    let more = if all { 0 } else { own.len() - LISTED };
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

/// What does not fit into a column.
fn details(machine: &MachineStatus) -> Vec<Line> {
    let mut notes: Vec<(Label, String)> = Vec::new();
    if let Some(detail) = &machine.detail {
        let label = if machine.troubled() {
            Label::Destroy
        } else {
            Label::Dim
        };
        notes.push((label, detail.clone()));
    }
    if machine.restarts > 0 {
        let text = format!(
            "restarted {}",
            words::count(machine.restarts as usize, "time")
        );
        notes.push((Label::Change, text));
    }
    if machine.cordoned {
        notes.push((Label::Change, "cordoned".to_owned()));
    }
    match machine.host {
        HostStatus::Ok => {}
        HostStatus::Unknown => notes.push((Label::Change, "host status unknown".to_owned())),
        HostStatus::Unreachable => notes.push((Label::Destroy, "host unreachable".to_owned())),
    }
    match machine.management {
        Management::Stranger => notes.push((Label::Dim, "not managed by Aeroform".to_owned())),
        Management::Special => {
            notes.push((Label::Dim, "belongs to a release or a console".to_owned()));
        }
        Management::Ours | Management::Launch if !machine.known => {
            notes.push((Label::Change, "not in the state yet".to_owned()));
        }
        Management::Ours | Management::Launch => {}
    }
    let failing = machine
        .checks
        .iter()
        .filter(|check| check.status == CheckState::Critical && !check.output.is_empty());
    notes.extend(failing.map(|check| {
        let output = cut(&check.output, 160);
        (Label::Destroy, format!("{}: {output}", check.name))
    }));
    notes
        .into_iter()
        .map(|(label, text)| Line::new(4).push(label, text))
        .collect()
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
        2 + self
            .widths
            .iter()
            .filter(|w| **w > 0)
            .map(|w| w + 2)
            .sum::<usize>()
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
