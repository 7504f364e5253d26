//! All parts of the status in order.

use std::collections::BTreeMap;
use std::fmt;

use super::cells::{
    CheckNaming, HEADS, REGION_COLUMN, RELEASE_COLUMN, StatusCells, cells, detail_lines,
};
use super::other_projects::other_projects;
use crate::core::fleet::{GroupName, RunRecord};
use crate::core::plan::hold::release_name;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::status::{GroupStatus, MachineStatus, StatusView};
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::plan::full_plan::hold_line;
use crate::core::view::terminal::table;

/// Maximum Machines listed per group.
const MAX_LISTED: usize = 16;
/// The columns that fit.
type StatusColumns = table::ColumnLayout<7>;

/// A Machine and its cells.
type StatusRow<'a> = (&'a MachineStatus, StatusCells);

/// Writes the status.
pub fn status(view: &StatusView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    hold_line(view.hold.as_ref(), page)?;
    page.line(&header(view))?;
    if let Some(run) = &view.last_run {
        page.line(&last_run(run))?;
    }
    if view.machines.is_empty() && view.missing.is_empty() {
        page.blank()?;
        let text = if view.is_unconfirmed() {
            "No Machine is listed."
        } else {
            "No Machines. `aeroform plan` shows what an apply would create."
        };
        page.line(&Line::new(0).plain(text))?;
        warnings(view, page)?;
        return other_projects(&view.other_project_machines, page);
    }
    let (rows, table) = layout_rows(view, style.width);
    let mut by_group: BTreeMap<Option<&GroupName>, Vec<&StatusRow<'_>>> = BTreeMap::new();
    for row in &rows {
        by_group.entry(row.0.group.as_ref()).or_default().push(row);
    }
    if !rows.is_empty() {
        page.blank()?;
        table.write_header(page)?;
    }
    for group in &view.groups {
        page.blank()?;
        page.line(&group_line(group, view.has_own_releases()))?;
        let own = by_group.remove(&Some(&group.name)).unwrap_or_default();
        machines(own, &table, page)?;
        missing(view, group, page)?;
    }
    if let Some(own) = by_group.remove(&None) {
        page.blank()?;
        page.line(&Line::new(0).push(Label::Strong, "no group"))?;
        machines(own, &table, page)?;
    }
    warnings(view, page)?;
    closing(view, page)?;
    let standbys = view.machines.iter().any(|machine| machine.standby);
    if standbys {
        page.blank()?;
        page.line(&Line::new(0).push(Label::Dim, phrases::STANDBY_LEGEND))?;
    }
    other_projects(&view.other_project_machines, page)
}

/// The rows and their columns. The names of checks are dropped before the columns of results and releases.
fn layout_rows(view: &StatusView, width: usize) -> (Vec<StatusRow<'_>>, StatusColumns) {
    let attempt = |naming| {
        let rows: Vec<StatusRow<'_>> = view
            .machines
            .iter()
            .map(|machine| (machine, cells(machine, naming)))
            .collect();
        let table = table::ColumnLayout::fit(HEADS, rows.iter().map(|(_, cells)| cells), width);
        (rows, table)
    };
    let (rows, table) = attempt(CheckNaming::Named);
    let has_release = view.machines.iter().any(|m| m.release.is_some());
    let lacks_release = |table: &StatusColumns| has_release && table.is_dropped(RELEASE_COLUMN);
    if table.is_dropped(REGION_COLUMN) || !table.fits(width) {
        return attempt(CheckNaming::Results);
    }
    if lacks_release(&table) {
        let (rows, narrow) = attempt(CheckNaming::Results);
        if !lacks_release(&narrow) {
            return (rows, narrow);
        }
    }
    (rows, table)
}

fn header(view: &StatusView) -> Line {
    let state = view.serial.map_or("no state yet".to_owned(), |serial| {
        format!("serial {serial}")
    });
    let n = phrases::count_noun(view.machines.len(), "Machine");
    Line::new(0).push(Label::Strong, view.app.as_str()).push(
        Label::Dim,
        format!(
            "{} · {} · {state} · {n}",
            phrases::app_name_source(view.named_by.as_ref()),
            view.provider
        ),
    )
}

fn group_line(group: &GroupStatus, local: bool) -> Line {
    let actual = phrases::group_digits(group.actual as usize);
    let (label, counts) = match group.desired_count {
        _ if !group.is_desired => (Label::Change, format!("{actual}, not in fly.toml")),
        Some(desired) if desired == group.actual => {
            (Label::Success, format!("{actual} of {actual}"))
        }
        Some(desired) => (
            Label::Change,
            format!("{actual} of {}", phrases::group_digits(desired as usize)),
        ),
        None => (Label::Plain, actual),
    };
    let mut line = Line::new(0)
        .push(Label::Strong, group.name.as_str())
        .plain("  ")
        .push(label, counts)
        .push(
            Label::Dim,
            format!(
                " · {} started",
                phrases::group_digits(group.started as usize)
            ),
        );
    let unhealthy = group.started.saturating_sub(group.healthy);
    if unhealthy > 0 {
        line.add(
            Label::Destroy,
            format!(" · {} unhealthy", phrases::group_digits(unhealthy as usize)),
        );
    }
    if group.regions.len() > 1 {
        let counts = group.regions.iter();
        let counts: Vec<String> = counts.map(|(region, n)| format!("{region} {n}")).collect();
        line.add(Label::Dim, format!(" · {}", counts.join(", ")));
    }
    if !group.releases.is_empty() {
        let label = if group.releases.len() > 1 {
            Label::Change
        } else {
            Label::Dim
        };
        let one = group.releases.len() == 1;
        let counts = group.releases.iter().rev();
        let counts: Vec<String> = counts
            .map(|(release, n)| {
                if one {
                    release_name(*release, local)
                } else {
                    format!("{n} of {}", release_name(*release, local))
                }
            })
            .collect();
        line.add(label, format!(" · {}", counts.join(", ")));
    }
    line
}

fn last_run(run: &RunRecord) -> Line {
    let ended = match run.outcome.as_str() {
        "complete" => Label::Dim,
        _ => Label::Change,
    };
    Line::new(0)
        .hang(2)
        .push(
            Label::Dim,
            format!("last run: `{}` by {}, {}, ", run.command, run.by, run.at),
        )
        .push(ended, &run.outcome)
        .push(Label::Dim, format!(" (run {})", run.run))
}

/// Writes the warnings.
pub(in crate::core::view::terminal) fn warnings(
    view: &StatusView,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    for note in &view.warnings {
        page.blank()?;
        page.line(
            &Line::new(0)
                .push(Label::Warning, "warning:")
                .plain(" ")
                .plain(&note.message),
        )?;
        if let Some(hint) = &note.hint {
            page.line(&Line::new(2).push(Label::Hint, "hint: ").plain(hint))?;
        }
    }
    Ok(())
}

/// Drift, and the changes that an apply would make.
fn closing(view: &StatusView, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(now) = &view.plan_totals else {
        return Ok(());
    };
    page.blank()?;
    let parts = |parts: &[(usize, &str)]| {
        let shown = parts.iter().filter(|(n, _)| *n > 0);
        let shown: Vec<String> = shown
            .map(|(n, what)| format!("{} {what}", phrases::group_digits(*n)))
            .collect();
        shown.join(", ")
    };
    let drift = parts(&[
        (now.changed, "changed outside"),
        (now.missing, "gone"),
        (now.added, "not in the state"),
    ]);
    let line = if drift.is_empty() {
        Line::new(0).push(Label::Dim, "drift: none")
    } else {
        Line::new(0)
            .push(Label::Change, format!("drift: {drift}"))
            .push(Label::Dim, "; `aeroform drift` lists it")
    };
    page.line(&line)?;
    let to_do = &now.summary;
    let doing = parts(&[
        (to_do.new_volumes, "volumes to create"),
        (to_do.canary, "with a canary"),
        (to_do.create, "to create"),
        (to_do.update, "to update"),
        (to_do.swap, "to swap"),
        (to_do.replace, "to replace"),
        (to_do.moves, "to move"),
        (to_do.destroy, "to destroy"),
        (to_do.start, "to start again"),
        (to_do.wait, "to wait for"),
        (to_do.adopt, "to adopt"),
        (to_do.forget, "to forget"),
    ]);
    let line = match (doing.is_empty(), now.refusals) {
        (_, 1..) => Line::new(0)
            .push(Label::Error, "plan: refused")
            .push(Label::Dim, "; `aeroform plan` says why"),
        (true, 0) => Line::new(0).push(Label::Success, "plan: no changes"),
        (false, 0) => Line::new(0)
            .push(Label::Change, format!("plan: {doing}"))
            .push(Label::Dim, "; `aeroform plan` shows it"),
    };
    page.line(&line)
}

/// The rows of one group. Of a large group, Machines that need attention come first, and the rest is counted.
fn machines(
    mut own: Vec<&StatusRow<'_>>,
    table: &StatusColumns,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let mut more = 0;
    if !page.style.verbose && own.len() > MAX_LISTED {
        own.sort_by_key(|(machine, _)| (!machine.needs_attention(), !machine.stands_out()));
        more = own.len() - MAX_LISTED;
        own.truncate(MAX_LISTED);
    }
    for (machine, cells) in own {
        table.write_row(cells, page)?;
        for line in detail_lines(machine, cells, table) {
            page.line(&line)?;
        }
    }
    if more > 0 {
        let text = format!("+ {} more (-v shows all)", phrases::group_digits(more));
        page.line(&Line::new(2).push(Label::Dim, text))?;
    }
    Ok(())
}

fn missing(view: &StatusView, group: &GroupStatus, page: &mut LineWriter<'_>) -> fmt::Result {
    let own: Vec<_> = view
        .missing
        .iter()
        .filter(|missing| missing.group == group.name)
        .collect();
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    for missing in own.iter().take(limit) {
        let line = Line::new(2)
            .push(Label::Destroy, missing.id.as_str())
            .push(Label::Dim, format!("  {}  ", missing.region))
            .push(Label::Destroy, "gone")
            .push(Label::Dim, ": in the state, not found on the provider");
        page.line(&line)?;
    }
    let more = own.len().saturating_sub(limit);
    if more > 0 {
        let text = format!("+ {} more that are gone", phrases::group_digits(more));
        page.line(&Line::new(2).push(Label::Destroy, text))?;
    }
    Ok(())
}
