//! Rows of Machines to choose one from.

use crate::core::view::line::LineWriter;
use crate::core::view::status::MachineStatus;
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::status::cells::state_label;
use crate::core::view::terminal::table::{
    Cells, Column, ColumnLayout, cuttable_column, full_column,
};

/// The rows scroll, so the columns have no headings.
const HEADS: [Column; 5] = [
    full_column("", 0),
    cuttable_column("", 3),
    cuttable_column("", 1),
    cuttable_column("", 2),
    cuttable_column("", 1),
];

/// Indent of a table row.
const INDENT: usize = 2;

/// A row for each Machine, without the columns that do not fit `width`.
pub fn choices<'m>(machines: impl Iterator<Item = &'m MachineStatus>, width: usize) -> Vec<String> {
    let cells: Vec<_> = machines.map(cells).collect();
    let table = ColumnLayout::fit(HEADS, cells.iter(), width.saturating_add(INDENT));
    let style = Style {
        color: false,
        width: usize::MAX,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    };
    let row = |cells| {
        let mut row = String::new();
        let written = table.write_row(cells, &mut LineWriter::new(&style, &mut row));
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
            group.map_or_else(|| "no group".to_owned(), ToString::to_string),
        ),
        (Label::Plain, machine.region.to_string()),
        (
            state_label(machine.state),
            machine.state.as_str().to_owned(),
        ),
    ]
}
