//! `[hold]`: the release that the app follows.

use crate::core::fleet::GroupName;
use crate::core::manifest::codes;

use super::super::diagnostics::Diagnostic;
use super::super::fields::Fields;
use super::super::names;
use super::super::tree::Located;

/// The highest number of a release.
pub(in crate::core::manifest) const MAX_RELEASE: u32 = u32::MAX - 1;

/// `[hold]`.
#[derive(Debug)]
pub(in crate::core::manifest) struct HoldSettings {
    pub(in crate::core::manifest) release: u64,
    /// None for every group.
    pub(in crate::core::manifest) groups: Option<Vec<Located<GroupName>>>,
}

/// Reads the table.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<HoldSettings> {
    let mut fields = fields.table("hold")?;
    let file = fields.file;
    if !fields.has("release") {
        let location = file.location(fields.span.clone(), "");
        file.report(
            Diagnostic::error(codes::MISSING_KEY, "`hold.release` is missing")
                .with_location(location)
                .help(
                    "write the number of a release (`aeroform releases` lists them), or remove [hold] to follow the \
                     files",
                ),
        );
    }
    let release = fields.integer("release", 1..MAX_RELEASE + 1);
    let groups = fields.take("groups").and_then(|node| {
        let path = fields.path("groups");
        let groups = file.strings(&path, node)?;
        if groups.is_empty() {
            let help = "name a group, or remove the line to hold every group".to_owned();
            file.bad_value(node.span(), format!("`{path}` is empty"), Some(help));
        }
        let groups = groups.into_iter();
        Some(
            groups
                .filter_map(|name| names::parse_group(file, name))
                .collect(),
        )
    });
    fields.report_unknown_keys();
    Some(HoldSettings {
        release: u64::from(release?.value),
        groups,
    })
}
