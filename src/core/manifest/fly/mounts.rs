//! `[[mounts]]` (facts/fly-toml-to-machine.md 7.1).

use crate::core::fleet::config::Mount;

use super::super::diagnostics::{Diagnostic, shown};
use super::super::size::gigabytes;
use super::super::tree::{At, Fields};
use super::groups::For;

/// Reads `mount` and `mounts`, the singular entries first.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<For<Mount>> {
    let mut tables = fields.one_or_more("mount");
    tables.extend(fields.one_or_more("mounts"));
    tables
        .into_iter()
        .filter(|table| !table.is_empty())
        .map(entry)
        .collect()
}

fn entry(mut fields: Fields<'_, '_>) -> For<Mount> {
    let file = fields.file;
    for key in ["source", "destination"] {
        if !fields.has(key) {
            let place = file.place(fields.span.clone(), "");
            let message = format!("a mount needs `{key}`");
            file.report(Diagnostic::error("missing_key", message).at(place));
        }
    }
    let mount = Mount {
        name: fields.text("source"),
        path: fields.text("destination"),
        extend_threshold_percent: fields
            .integer("auto_extend_size_threshold", 0..101)
            .map(|at| at.value)
            .filter(|percent| *percent > 0),
        add_size_gb: size(&mut fields, "auto_extend_size_increment"),
        size_gb_limit: size(&mut fields, "auto_extend_size_limit"),
        ..Mount::default()
    };
    // These matter only to volumes that are created, which is not the config's business.
    size(&mut fields, "initial_size");
    fields.integer("snapshot_retention", 1..61);
    fields.boolean("scheduled_snapshots");
    let section = For::of(&mut fields, mount);
    fields.finish();
    section
}

fn size(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<u32> {
    let At { value: text, span } = fields.size(key, "10gb")?;
    let gb = gigabytes(&text);
    if gb.is_none() {
        let message = format!("{} is not a size of a volume", shown(&text));
        let help = "write it like \"10gb\"; a number alone counts GB".to_owned();
        fields.file.bad_value(span, message, Some(help));
    }
    gb.filter(|gb| *gb > 0)
}
