//! A table of Machines.

use std::fmt;

use crate::core::fleet::{HostStatus, Management, VolumeId};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::status::{MachineStatus, StatusView};
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::status::cells::{CheckNaming, checks_cell, state_label};
use crate::core::view::terminal::status::{other_projects, warnings};
use crate::core::view::terminal::table::{
    Cells, Column, ColumnLayout, cuttable_column, full_column,
};

const HEADS: [Column; 10] = [
    full_column("MACHINE", 0),
    cuttable_column("GROUP", 1),
    cuttable_column("REGION", 2),
    cuttable_column("STATE", 1),
    cuttable_column("CHECKS", 1),
    cuttable_column("RELEASE", 5),
    cuttable_column("SIZE", 6),
    cuttable_column("NAME", 7),
    cuttable_column("VOLUME", 4),
    cuttable_column("IMAGE", 8),
];

/// Writes a row for each Machine, and a legend of the signs.
pub fn list(view: &StatusView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let machines = &view.machines;
    if machines.is_empty() {
        let text = if view.is_unconfirmed() {
            "No Machine is listed."
        } else {
            "No Machines."
        };
        page.line(&Line::new(0).plain(text))?;
        warnings(view, page)?;
        return other_projects(&view.other_project_machines, page);
    }
    let rows: Vec<_> = machines.iter().map(cells).collect();
    let table = ColumnLayout::fit(HEADS, rows.iter(), style.width);
    table.write_header(page)?;
    for row in &rows {
        table.write_row(row, page)?;
    }
    let any = |is: fn(&MachineStatus) -> bool| machines.iter().any(is);
    let mut legend = Vec::new();
    if any(|machine| machine.standby) {
        legend.push(phrases::STANDBY_LEGEND);
    }
    if any(|machine| machine.host != HostStatus::Ok) {
        legend.push("* host unreachable");
    }
    if any(|machine| machine.cordoned) {
        legend.push("cordoned: Fly Proxy sends it no requests");
    }
    if any(is_unmanaged) {
        legend.push("(-) not managed by Aeroform");
    }
    if !legend.is_empty() {
        page.blank()?;
    }
    for text in legend {
        page.line(&Line::new(0).push(Label::Dim, text))?;
    }
    other_projects(&view.other_project_machines, page)
}

fn is_unmanaged(machine: &MachineStatus) -> bool {
    matches!(
        machine.management,
        Management::Auxiliary | Management::Unmanaged
    )
}

fn cells(machine: &MachineStatus) -> Cells<10> {
    let dagger = if machine.standby { "†" } else { "" };
    let star = if machine.host == HostStatus::Ok {
        ""
    } else {
        "*"
    };
    let group = match &machine.group {
        Some(group) if is_unmanaged(machine) => format!("{group} (-)"),
        Some(group) => group.to_string(),
        None => "(-)".to_owned(),
    };
    let state = machine.state.as_str();
    let state = if machine.cordoned {
        format!("{state}, cordoned")
    } else {
        state.to_owned()
    };
    let volumes: Vec<&str> = machine.volumes.iter().map(VolumeId::as_str).collect();
    [
        (Label::Plain, format!("{}{dagger}{star}", machine.id)),
        (Label::Strong, group),
        (Label::Dim, machine.region.to_string()),
        (state_label(machine.state), state),
        checks_cell(machine, CheckNaming::Results),
        (Label::Plain, release(machine)),
        (Label::Dim, machine.size.clone().unwrap_or_default()),
        (Label::Dim, machine.name.to_string()),
        (Label::Dim, volumes.join(" ")),
        (Label::Dim, machine.image.clone().unwrap_or_default()),
    ]
}

fn release(machine: &MachineStatus) -> String {
    machine
        .release
        .map_or_else(String::new, |number| format!("v{number}"))
}
