//! Drift: changes outside Aeroform since the last apply.

use std::fmt;

use super::{full_plan, ids, remarks};
use crate::core::fleet::MachineId;
use crate::core::fleet::profile::{ProviderKind, profile};
use crate::core::plan::{DriftKind, Note, Plan, RunDrift};
use crate::core::view::drift_bundle::{self, DriftBundle, DriftResolution};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases;
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::config_diff;
use crate::core::view::toml_diff::TomlForms;

/// Maximum ids per entry.
const MAX_IDS: usize = 8;

/// Writes the differences between state and provider, without planned changes.
pub fn drift_only(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    page.line(&full_plan::header(plan))?;
    page.blank()?;
    let outside = drift_bundle::drift_bundles(plan, plan.outside_drift());
    if !outside.is_empty() {
        page.line(&outside_heading(plan))?;
        entries(&outside, plan.serial == 0, page)?;
        page.blank()?;
    }
    let runs = plan.unrecorded_runs();
    for run in &runs {
        changes_of_run(plan, run, page)?;
    }
    ids::standby_legend(page)?;
    if page.marks_standbys {
        page.blank()?;
    }
    let unseen: Vec<Note> = plan.unverifiable_machines().cloned().collect();
    remarks::render_notes("warning", Label::Warning, &unseen, page)?;
    if plan.may_be_destroyed_by_run() {
        let note = Line::new(0)
            .push(Label::Hint, "note:")
            .plain(format!(" {GONE_BY_RUN}"));
        page.line(&note)?;
        page.blank()?;
    }
    page.line(&drift_counts(plan, unseen.is_empty(), runs.len()))
}

/// Said where Machines are gone and a run is not in the state.
pub(in crate::core::view) const GONE_BY_RUN: &str = "a run leaves no mark on a Machine that it destroys: such a run may have destroyed those that are gone";

/// The section of a run that the state does not list.
fn changes_of_run(plan: &Plan, run: &RunDrift<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let line = Line::new(0)
        .push(Label::Warning, format!("Changed by {}", run.name()))
        .plain(", which the state does not list");
    page.line(&line)?;
    run_entries(plan, run, page)?;
    remarks::hint(&run.hint(), page)?;
    page.blank()
}

/// What a run changed.
pub(in crate::core::view) fn run_entries(
    plan: &Plan,
    run: &RunDrift<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let bundles = drift_bundle::drift_bundles(plan, run.drift.iter().copied());
    entries(&bundles, false, page)?;
    let equal = run.equal_machines();
    if equal > 0 {
        let equal = phrases::count_noun(equal, "Machine");
        page.line(&Line::new(4).plain(format!("= {equal} as in the state")))?;
    }
    Ok(())
}

fn drift_counts(plan: &Plan, all_seen: bool, runs: usize) -> Line {
    let kinds = [
        (DriftKind::Changed, "changed", Label::Change),
        (DriftKind::Missing, "gone", Label::Destroy),
        (DriftKind::Added, "added", Label::Create),
    ];
    let counts = kinds.map(|(kind, word, label)| {
        let n = plan
            .outside_drift()
            .filter(|drift| drift.kind == kind)
            .count();
        (n, word, label)
    });
    let mut counts = counts.into_iter().filter(|(n, ..)| *n > 0).peekable();
    if counts.peek().is_none() {
        let read = phrases::count_noun(plan.machines, "Machine");
        return Line::new(0)
            .push(Label::Success, "No drift.")
            .plain(if runs > 0 {
                let runs = phrases::count_noun(runs, "run");
                format!(" {read} read; only {runs} that the state does not list changed them.")
            } else if all_seen {
                format!(" {read} read; no difference from the state.")
            } else {
                format!(" {read} read; what could be read does not differ from the state.")
            });
    }
    let mut line = Line::new(0).push(Label::Strong, "Drift:").plain(" ");
    while let Some((n, word, label)) = counts.next() {
        line.add(label, format!("{} {word}", phrases::group_digits(n)));
        let stop = if counts.peek().is_some() { ", " } else { "." };
        line.add(Label::Plain, stop);
    }
    line
}

/// Writes the section, if there is drift.
pub(super) fn drift(plan: &Plan, outline: &Outline<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    if outline.drift.is_empty() {
        return Ok(());
    }
    page.line(&heading(plan))?;
    entries(&outline.drift, plan.serial == 0, page)?;
    page.blank()
}

fn entries(
    bundles: &[DriftBundle<'_>],
    is_first_plan: bool,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    for bundle in bundles {
        drift_entry(bundle, is_first_plan, page)?;
    }
    Ok(())
}

/// The heading, with who changed it if that is known.
pub(in crate::core::view) fn heading(plan: &Plan) -> Line {
    if plan.serial == 0 || plan.adopted_runs.is_empty() {
        return outside_heading(plan);
    }
    Line::new(0)
        .push(Label::Warning, "Changed")
        .plain(" since the state was written, by an unfinished run or outside Aeroform")
}

/// The heading of what no run of ours did.
fn outside_heading(plan: &Plan) -> Line {
    let line = Line::new(0);
    if plan.serial == 0 {
        let found = match profile(&plan.provider).kind {
            ProviderKind::Fly => "Found on Fly",
            ProviderKind::Local => "Found on this computer",
            ProviderKind::Other => "Found",
        };
        line.push(Label::Warning, found)
            .plain(", not yet in the state")
    } else {
        line.push(Label::Warning, "Changed outside Aeroform")
            .plain(" since the last apply")
    }
}

pub(in crate::core::view) fn drift_entry(
    bundle: &DriftBundle<'_>,
    is_first_plan: bool,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let n = phrases::count_noun(bundle.machines.len(), "Machine");
    let (symbol, label, what) = match bundle.kind {
        DriftKind::Changed => ("~", Label::Change, resolution_text(bundle.resolution)),
        DriftKind::Missing => ("-", Label::Destroy, "gone"),
        DriftKind::Added if is_first_plan => ("=", Label::Create, "found"),
        DriftKind::Added => ("+", Label::Create, "added"),
    };
    let line = Line::new(4)
        .push(label, symbol)
        .plain(" ")
        .push(Label::Strong, bundle.group.as_str())
        .plain(format!("  {n} {what}"));
    page.line(&line)?;
    if is_first_plan && bundle.kind == DriftKind::Added && !page.style.verbose {
        return Ok(());
    }
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_IDS
    };
    let mut listed = Line::new(8);
    let mut region = None;
    for drift in bundle.machines.iter().take(limit) {
        if region.is_some() {
            listed.add(Label::Plain, " ");
        }
        if region != Some(&drift.region) {
            if region.is_some() {
                listed.add(Label::Dim, "· ");
            }
            listed.add(Label::Dim, &drift.region);
            listed.add(Label::Plain, " ");
            region = Some(&drift.region);
        }
        let machine = &drift.machine;
        let id = machine.id.as_ref().map(MachineId::as_str);
        let name = id.unwrap_or(machine.name.as_str());
        listed.add(Label::Plain, ids::marked(name, drift.standby));
        page.marks_standbys |= drift.standby;
    }
    let more = bundle.machines.len().saturating_sub(limit);
    if more > 0 {
        listed.add(
            Label::Dim,
            format!(" + {} more", phrases::group_digits(more)),
        );
    }
    page.line(&listed)?;
    config_diff::render_diff(bundle.group, TomlForms::default(), bundle.fields, 10, page)
}

fn resolution_text(resolution: Option<DriftResolution>) -> &'static str {
    match resolution {
        None => "changed",
        Some(DriftResolution::Reverted) => "changed, will be reverted by this plan",
        Some(DriftResolution::ChangedFurther) => "changed, will be changed further by this plan",
        Some(DriftResolution::Kept) => "changed, will be kept",
    }
}
