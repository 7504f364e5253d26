//! `[hold]`: written at the end of the file, so that removing it gives the same bytes as before.

use super::toml_entries::{
    Comments, all_entries, find_entry, remove_entry, set_entry, toml_string,
};
use super::toml_source::TomlSource;
use crate::core::fleet::{GroupName, Hold};

/// The entries of `[hold]`.
pub(super) fn entries(hold: &Hold) -> Vec<(&'static str, String)> {
    let release = ("release", hold.release.to_string());
    let groups = hold.groups.as_ref().map(|groups| {
        let names: Vec<String> = groups
            .iter()
            .map(GroupName::as_str)
            .map(toml_string)
            .collect();
        ("groups", format!("[{}]", names.join(", ")))
    });
    std::iter::once(release).chain(groups).collect()
}

/// Writes the release and the groups, in place of those that are written.
pub(super) fn write(text: &str, hold: &Hold) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let is_written = leaves.iter().any(|leaf| leaf.path.first() == Some(&"hold"));
    let has_section = script
        .sections
        .iter()
        .any(|section| section.header.is_some() && section.path() == ["hold"]);
    if !is_written && !has_section {
        return Some(append(&script, hold));
    }
    let mut text = text.to_owned();
    if hold.groups.is_none() && find_entry(&leaves, &["hold", "groups"]).is_some() {
        text = remove_entry(&text, &["hold", "groups"], Comments::Stay)?;
    }
    for (key, value) in entries(hold) {
        text = set_entry(&text, &["hold", key], &value)?;
    }
    Some(text)
}

fn append(script: &TomlSource<'_>, hold: &Hold) -> String {
    let newline = script.newline();
    let text = script.text;
    let is_terminated = text.is_empty() || text.ends_with('\n');
    let mut appended = text.to_owned();
    if !is_terminated {
        appended.push_str(newline);
    }
    if !text.is_empty() {
        appended.push_str(newline);
    }
    appended.push_str("[hold]");
    for (key, value) in entries(hold) {
        appended.extend([newline, key, " = ", value.as_str()]);
    }
    if is_terminated {
        appended.push_str(newline);
    }
    appended
}

/// Removes the table.
pub(super) fn remove(text: &str) -> Option<String> {
    let mut removed = remove_entry(text, &["hold"], Comments::Go)?;
    // A file without a line end at its end had none before either.
    if !text.ends_with('\n') && removed.ends_with('\n') {
        removed.pop();
        if removed.ends_with('\r') {
            removed.pop();
        }
    }
    Some(removed)
}
