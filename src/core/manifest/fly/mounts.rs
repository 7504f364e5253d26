//! `[[mounts]]` (facts/fly-toml-to-machine.md 7.1).

use crate::core::fleet::config::Mount;
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, shown};
use super::super::fields::Fields;
use super::super::size::gigabytes;
use super::super::tree::At;
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
            file.report(Diagnostic::error(codes::MISSING_KEY, message).at(place));
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

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn a_mount_is_its_name_its_path_and_how_it_grows() {
        let text = "[mounts]\nsource = \"data\"\ndestination = \"/data\"\ninitial_size = 200\n\
            snapshot_retention = 10\nauto_extend_size_threshold = 80\n\
            auto_extend_size_increment = \"1GB\"\nauto_extend_size_limit = \"10gb\"\n";
        let (mounts, found) = fly_fields(text, read);
        assert!(found.is_empty());
        let expected = Mount {
            name: Some("data".to_owned()),
            path: Some("/data".to_owned()),
            extend_threshold_percent: Some(80),
            add_size_gb: Some(1),
            size_gb_limit: Some(10),
            ..Mount::default()
        };
        assert_eq!(mounts[0].body, expected);
    }

    #[test]
    fn singular_entries_come_first() {
        let text = "[[mounts]]\nsource = \"b\"\ndestination = \"/b\"\n\
            [mount]\nsource = \"a\"\ndestination = \"/a\"\n";
        let (mounts, _) = fly_fields(text, read);
        let names: Vec<_> = mounts
            .iter()
            .filter_map(|m| m.body.name.as_deref())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }
}
