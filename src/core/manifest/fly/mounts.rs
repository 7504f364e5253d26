//! `[[mounts]]` (docs/platform/fly-toml.md 7.1).

use crate::core::fleet::NewVolume;
use crate::core::fleet::schema::Mount;
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::size::gigabytes;
use super::super::tree::Located;
use super::group_scope::GroupScoped;

/// A mount, and the settings of new volumes.
#[derive(Debug, Clone)]
pub(super) struct MountEntry {
    pub(super) mount: Mount,
    pub(super) volume: NewVolume,
}

/// Reads `mount` and `mounts`, the singular entries first.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupScoped<MountEntry>> {
    let tables = fields.collect_tables(&["mount"], "mounts");
    let alone = tables.len() == 1;
    tables
        .into_iter()
        .filter(|table| !(alone && table.is_empty()))
        .map(entry)
        .collect()
}

fn entry(mut fields: Fields<'_, '_>) -> GroupScoped<MountEntry> {
    let file = fields.file;
    for key in ["source", "destination"] {
        if !fields.has(key) {
            let location = file.location(fields.span.clone(), "");
            let message = format!("a mount needs `{key}`");
            file.report(Diagnostic::error(codes::MISSING_KEY, message).with_location(location));
        }
    }
    let growth = auto_extend(&mut fields);
    let mount = Mount {
        name: fields.text("source"),
        path: fields.text("destination"),
        ..growth
    };
    let initial_size = size(&mut fields, "initial_size");
    if let Some(size) = initial_size.as_ref().filter(|size| size.value == 0) {
        let message = "`mounts.initial_size` is less than 1 GB, the smallest volume".to_owned();
        file.bad_value(size.span.clone(), message, None);
    }
    let volume = NewVolume {
        initial_size_gb: initial_size.map(|at| at.value).filter(|gb| *gb > 0),
        snapshot_retention: fields
            .integer("snapshot_retention", 1..61)
            .map(|at| at.value),
        scheduled_snapshots: fields.boolean("scheduled_snapshots"),
    };
    let section = GroupScoped::of(&mut fields, MountEntry { mount, volume });
    fields.report_unknown_keys();
    section
}

/// Automatic extension: flyctl needs all keys or none, within limits.
fn auto_extend(fields: &mut Fields<'_, '_>) -> Mount {
    const THRESHOLD: &str = "auto_extend_size_threshold";
    const INCREMENT: &str = "auto_extend_size_increment";
    const LIMIT: &str = "auto_extend_size_limit";
    let threshold = fields.integer(THRESHOLD, 0..101);
    let increment = size_string(fields, INCREMENT);
    let limit = size_string(fields, LIMIT);
    let value =
        |at: &Option<Located<u32>>| at.as_ref().map(|at| at.value).filter(|value| *value > 0);
    let mount = Mount {
        extend_threshold_percent: value(&threshold),
        add_size_gb: value(&increment),
        size_gb_limit: value(&limit),
        ..Mount::default()
    };
    // An empty text is not a size, and an invalid one is already reported.
    let is_wrong = |fields: &Fields<'_, '_>, key| {
        let written = fields.peek(key);
        written.is_some_and(|(_, node)| node.get_ref().as_str() != Some(""))
    };
    let any = [&threshold, &increment, &limit];
    let Some(first) = any.into_iter().flatten().find(|at| at.value > 0) else {
        return mount;
    };
    let file = fields.file;
    let rules = [
        (THRESHOLD, &threshold, 50, 99, true),
        (INCREMENT, &increment, 1, 100, true),
        (LIMIT, &limit, 1, 500, false),
    ];
    for (key, written, least, most, needed) in rules {
        let path = fields.path(key);
        match written {
            Some(at) if (least..=most).contains(&at.value) => {}
            Some(at) if at.value > 0 || needed => {
                let message = format!("`{path}` is from {least} to {most}, not {}", at.value);
                file.bad_value(at.span.clone(), message, None);
            }
            None if needed && !is_wrong(fields, key) => {
                let message = format!("automatic extension of a volume needs `{path}`");
                file.report(
                    Diagnostic::error(codes::MISSING_KEY, message)
                        .with_location(
                            file.location(first.span.clone(), "extension is enabled here"),
                        )
                        .help(format!("add `{key}`, from {least} to {most}")),
                );
            }
            Some(_) | None => {}
        }
    }
    mount
}

/// A size that flyctl accepts only as a string.
fn size_string(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Located<u32>> {
    match fields.peek(key) {
        Some((_, node)) if node.get_ref().as_str().is_none() => {
            let path = fields.path(key);
            fields.take(key);
            fields
                .file
                .wrong_type(&path, node, "a string like \"10gb\"");
            None
        }
        _ => size(fields, key),
    }
}

fn size(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Located<u32>> {
    let Located { value: text, span } = fields.size(key, "10gb")?;
    let gb = gigabytes(&text);
    if gb.is_none() {
        let message = format!("{} is not a volume size", quote_text(&text));
        let help = "write it like \"10gb\"; a plain number is GB".to_owned();
        fields.file.bad_value(span.clone(), message, Some(help));
    }
    Some(Located::new(gb?, span))
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
        assert_eq!(mounts[0].body.mount, expected);
        let volume = NewVolume {
            initial_size_gb: Some(200),
            snapshot_retention: Some(10),
            scheduled_snapshots: None,
        };
        assert_eq!(mounts[0].body.volume, volume);
    }

    #[test]
    fn singular_entries_come_first() {
        let text = "[[mounts]]\nsource = \"b\"\ndestination = \"/b\"\n\
            [mount]\nsource = \"a\"\ndestination = \"/a\"\n";
        let (mounts, _) = fly_fields(text, read);
        let names: Vec<_> = mounts
            .iter()
            .filter_map(|m| m.body.mount.name.as_deref())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn what_flyctl_refuses_of_a_volume_is_refused() {
        for (text, errors) in [
            ("initial_size = \"500mb\"", 1),
            ("initial_size = \"1gb\"", 0),
            ("snapshot_retention = 61", 1),
            ("auto_extend_size_threshold = 80", 1),
            (
                "auto_extend_size_threshold = 49\nauto_extend_size_increment = \"1gb\"",
                1,
            ),
            (
                "auto_extend_size_threshold = 50\nauto_extend_size_increment = \"100gb\"\nauto_extend_size_limit = \"500gb\"",
                0,
            ),
            (
                "auto_extend_size_threshold = 40\nauto_extend_size_increment = \"1gb\"",
                1,
            ),
            (
                "auto_extend_size_threshold = 80\nauto_extend_size_increment = \"101gb\"",
                1,
            ),
            (
                "auto_extend_size_threshold = 80\nauto_extend_size_increment = \"1gb\"\nauto_extend_size_limit = \"501gb\"",
                1,
            ),
            (
                "auto_extend_size_threshold = 80\nauto_extend_size_increment = \"1gb\"",
                0,
            ),
            (
                "auto_extend_size_threshold = 80\nauto_extend_size_increment = \"\"\nauto_extend_size_limit = \"10gb\"",
                1,
            ),
            ("auto_extend_size_increment = \"1gb\"", 1),
            ("auto_extend_size_limit = \"0\"", 0),
            ("auto_extend_size_limit = 10", 1),
        ] {
            let mount = "[mounts]\nsource = \"a\"\ndestination = \"/a\"\n";
            let (_, found) = fly_fields(&format!("{mount}{text}\n"), read);
            assert_eq!(found.errors(), errors, "{text}");
        }
    }
}
