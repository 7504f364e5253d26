//! `releases`: one line for each release.

use std::fmt;

use super::scale::title;
use super::table::{Cells, ColumnLayout, cuttable_column, full_column};
use crate::core::fleet::{GroupName, ReleaseStatus};
use crate::core::plan::hold::release_name;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::releases::{ReleaseRow, ReleasesView};
use crate::core::view::style::{Label, Style};

/// The most groups named in one row.
const MAX_NAMED_GROUPS: usize = 3;

/// Writes the releases, newest first.
pub fn releases(view: &ReleasesView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    title(&view.app, view.online, page)?;
    if view.releases.is_empty() {
        return page.line(&Line::new(2).push(Label::Dim, "no releases"));
    }
    let several = view.several_run();
    let rows: Vec<Cells<7>> = view
        .releases
        .iter()
        .map(|release| cells(release, several, view.local))
        .collect();
    let heads = [
        full_column("RELEASE", 0),
        cuttable_column("STATUS", 0),
        cuttable_column("CREATED", 3),
        cuttable_column("BY", 4),
        full_column("MACHINES", 0),
        cuttable_column("GROUPS", 2),
        cuttable_column("IMAGE", 5),
    ];
    let layout = ColumnLayout::fit(heads, rows.iter(), style.width);
    layout.write_header(page)?;
    for row in &rows {
        layout.write_row(row, page)?;
    }
    if several {
        page.blank()?;
        let text = "* Machines run more than one release.";
        page.line(&Line::new(2).hang(4).push(Label::Warning, text))?;
    }
    Ok(())
}

fn cells(release: &ReleaseRow, several: bool, local: bool) -> Cells<7> {
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let status = or_dash(release.status.as_deref());
    let failed = [ReleaseStatus::Failed, ReleaseStatus::Interrupted]
        .iter()
        .any(|ended| ended.as_str() == status);
    let mark = if several && release.is_running() {
        " *"
    } else {
        ""
    };
    let machines = release.machines.map(|machines| format!("{machines}{mark}"));
    [
        (Label::Strong, release_name(release.release, local)),
        (if failed { Label::Error } else { Label::Plain }, status),
        (Label::Plain, or_dash(release.at.as_deref())),
        (Label::Plain, or_dash(release.by.as_deref())),
        (Label::Plain, machines.unwrap_or_default()),
        (Label::Plain, groups(release)),
        (Label::Dim, release.image.clone().unwrap_or_default()),
    ]
}

fn groups(release: &ReleaseRow) -> String {
    let Some(groups) = &release.groups else {
        return "-".to_owned();
    };
    let named: Vec<&str> = groups
        .iter()
        .take(MAX_NAMED_GROUPS)
        .map(GroupName::as_str)
        .collect();
    match groups.len() {
        0 => "none".to_owned(),
        n if n > MAX_NAMED_GROUPS => {
            format!("{} and {} more", named.join(", "), n - MAX_NAMED_GROUPS)
        }
        _ => named.join(", "),
    }
}
