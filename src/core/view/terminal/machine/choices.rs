//! Machines to choose one from: the row of each says what people know it by.

use crate::core::view::line::Page;
use crate::core::view::status::MachineStatus;
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::status::cells::label;
use crate::core::view::terminal::table::{Cells, Head, Table, head, whole};

/// Nobody reads heads above rows that move: the columns have none.
const HEADS: [Head; 5] = [
    whole("", 0),
    head("", 3),
    head("", 1),
    head("", 2),
    head("", 1),
];

/// Where a row of a table begins.
const INDENT: usize = 2;

/// A row for each of these, in columns, without those that so many columns have no room for.
pub fn choices<'m>(machines: impl Iterator<Item = &'m MachineStatus>, width: usize) -> Vec<String> {
    let cells: Vec<_> = machines.map(cells).collect();
    let table = Table::of(HEADS, cells.iter(), width.saturating_add(INDENT));
    let style = Style {
        color: false,
        width: usize::MAX,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    };
    let row = |cells| {
        let mut row = String::new();
        let written = table.row(cells, &mut Page::new(&style, &mut row));
        written.expect("a String takes any text");
        row.trim().to_owned()
    };
    cells.iter().map(row).collect()
}

fn cells(machine: &MachineStatus) -> Cells<5> {
    let dagger = if machine.standby { "†" } else { "" };
    let group = machine.group.as_ref();
    [
        (Label::Plain, format!("{}{dagger}", machine.id)),
        (Label::Plain, machine.name.to_string()),
        (
            Label::Plain,
            group.map_or_else(|| "of no group".to_owned(), ToString::to_string),
        ),
        (Label::Plain, machine.region.to_string()),
        (label(machine.state), machine.state.as_str().to_owned()),
    ]
}
