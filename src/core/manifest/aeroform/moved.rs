//! `[[moved]]` and `[[removed]]`: moved and removed Machines.

use std::ops::Range;

use crate::core::fleet::{GroupName, MachineId};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::names;
use super::super::tree::{Located, ManifestFile};

/// A renamed group.
#[derive(Debug)]
pub(in crate::core::manifest) struct GroupMove {
    pub(in crate::core::manifest) from: Located<GroupName>,
    pub(in crate::core::manifest) to: Located<GroupName>,
    pub(in crate::core::manifest) span: Range<usize>,
}

/// All moves and removals.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Moves {
    pub(in crate::core::manifest) groups: Vec<GroupMove>,
    pub(in crate::core::manifest) machines: Vec<(Located<MachineId>, Located<GroupName>)>,
    pub(in crate::core::manifest) removed: Vec<Located<MachineId>>,
}

/// Reads both sections.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Moves {
    let mut moves = Moves::default();
    for mut table in fields.tables("moved") {
        let to = group_name(&mut table, "to");
        if table.has("from") && table.has("machine") {
            let location = table.file.location(table.span.clone(), "");
            table.file.report(
                Diagnostic::error(codes::MOVED_BOTH, "[[moved]] has both `from` and `machine`")
                    .with_location(location)
                    .help("`from` moves a group, `machine` one Machine"),
            );
        }
        if table.has("machine") {
            let machine = machine_id(&mut table);
            table.accept(&["from"]);
            moves.machines.extend(machine.zip(to));
        } else {
            let from = group_name(&mut table, "from");
            table.accept(&["machine"]);
            let span = table.span.clone();
            let both = from
                .zip(to)
                .filter(|(from, to)| names_differ(table.file, from, to));
            moves
                .groups
                .extend(both.map(|(from, to)| GroupMove { from, to, span }));
        }
        table.report_unknown_keys();
    }
    for mut table in fields.tables("removed") {
        moves.removed.extend(machine_id(&mut table));
        table.report_unknown_keys();
    }
    moves
}

fn names_differ(
    file: &ManifestFile<'_>,
    from: &Located<GroupName>,
    to: &Located<GroupName>,
) -> bool {
    let same = from.value == to.value;
    if same {
        let message = format!(
            "[[moved]] from {0} to {0} has no effect",
            quote_text(to.value.as_str())
        );
        file.bad_value(to.span.clone(), message, None);
    }
    !same
}

fn group_name(table: &mut Fields<'_, '_>, key: &'static str) -> Option<Located<GroupName>> {
    let text = required_string(table, key)?;
    names::parse_group(table.file, text)
}

fn machine_id(table: &mut Fields<'_, '_>) -> Option<Located<MachineId>> {
    let text = required_string(table, "machine")?;
    names::parse_machine(table.file, text)
}

fn required_string(table: &mut Fields<'_, '_>, key: &'static str) -> Option<Located<String>> {
    if !table.has(key) {
        let message = format!("`{}` is missing", table.path(key));
        let location = table.file.location(table.span.clone(), "");
        table
            .file
            .report(Diagnostic::error(codes::MISSING_KEY, message).with_location(location));
    }
    table.string(key)
}
