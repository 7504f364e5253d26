//! `[[moved]]` and `[[removed]]`: which Machines become which.

use std::ops::Range;

use crate::core::fleet::{GroupName, MachineId};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, shown};
use super::super::fields::Fields;
use super::super::names;
use super::super::tree::{At, File};

/// A renamed group.
#[derive(Debug)]
pub(in crate::core::manifest) struct Renamed {
    pub(in crate::core::manifest) from: At<GroupName>,
    pub(in crate::core::manifest) to: At<GroupName>,
    pub(in crate::core::manifest) span: Range<usize>,
}

/// All moves and removals that are written.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Moves {
    pub(in crate::core::manifest) groups: Vec<Renamed>,
    pub(in crate::core::manifest) machines: Vec<(At<MachineId>, At<GroupName>)>,
    pub(in crate::core::manifest) removed: Vec<At<MachineId>>,
}

/// Reads both sections.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Moves {
    let mut moves = Moves::default();
    for mut table in fields.tables("moved") {
        let to = name(&mut table, "to");
        if table.has("from") && table.has("machine") {
            let place = table.file.place(table.span.clone(), "");
            table.file.report(
                Diagnostic::error(codes::MOVED_BOTH, "[[moved]] has `from` and `machine`")
                    .at(place)
                    .help("a whole group moves with `from`, one Machine with `machine`"),
            );
        }
        if table.has("machine") {
            let machine = machine(&mut table);
            table.accept(&["from"]);
            moves.machines.extend(machine.zip(to));
        } else {
            let from = name(&mut table, "from");
            table.accept(&["machine"]);
            let span = table.span.clone();
            let both = from
                .zip(to)
                .filter(|(from, to)| differ(table.file, from, to));
            moves
                .groups
                .extend(both.map(|(from, to)| Renamed { from, to, span }));
        }
        table.finish();
    }
    for mut table in fields.tables("removed") {
        moves.removed.extend(machine(&mut table));
        table.finish();
    }
    moves
}

fn differ(file: &File<'_>, from: &At<GroupName>, to: &At<GroupName>) -> bool {
    let same = from.value == to.value;
    if same {
        let message = format!(
            "[[moved]] from {0} to {0} moves nothing",
            shown(to.value.as_str())
        );
        file.bad_value(to.span.clone(), message, None);
    }
    !same
}

fn name(table: &mut Fields<'_, '_>, key: &'static str) -> Option<At<GroupName>> {
    let text = required(table, key)?;
    names::group(table.file, text)
}

fn machine(table: &mut Fields<'_, '_>) -> Option<At<MachineId>> {
    let text = required(table, "machine")?;
    names::machine(table.file, text)
}

fn required(table: &mut Fields<'_, '_>, key: &'static str) -> Option<At<String>> {
    if !table.has(key) {
        let message = format!("`{}` is missing", table.path(key));
        let place = table.file.place(table.span.clone(), "");
        table
            .file
            .report(Diagnostic::error(codes::MISSING_KEY, message).at(place));
    }
    table.string(key)
}
