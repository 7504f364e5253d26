//! The last lines, next to the prompt: counts and irreversible changes.

use std::collections::BTreeSet;
use std::fmt;

use crate::core::fleet::profile::profile;
use crate::core::fleet::{OnceKind, Region, VolumeId};
use crate::core::plan::way_back::RollbackEstimate;
use crate::core::plan::{Action, Change, Plan, PlanMode};
use crate::core::platform::{PRICES_AS_OF, regions};
use crate::core::view::change_bundle::MachineChange;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum names in one sentence.
const MAX_NAMED: usize = 10;

/// Writes the last lines.
pub(super) fn closing(
    plan: &Plan,
    outline: &Outline<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let heads = (no_changes_line as fn(&Plan) -> Line, "Plan:");
    last_lines(plan, outline, heads, page)
}

/// Writes the last lines of what a change adds to its base.
pub(super) fn closing_of_change(
    plan: &Plan,
    outline: &Outline<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let heads = (nothing_of_its_own as fn(&Plan) -> Line, "This change:");
    last_lines(plan, outline, heads, page)
}

fn last_lines(
    plan: &Plan,
    outline: &Outline<'_>,
    (without_changes, counts_head): (fn(&Plan) -> Line, &str),
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    if plan.changes().next().is_none() {
        // With refusals, "no changes" could be wrong.
        if plan.refusals.is_empty() {
            page.line(&without_changes(plan))?;
        }
    } else {
        page.line(&count_line(plan, counts_head))?;
        if let Some(text) = cost_text(plan) {
            page.line(&Line::new(0).plain(text))?;
        }
        if let Some(text) = minimum_duration(plan) {
            page.line(&Line::new(0).plain(text))?;
        }
        if let Some(text) = rollback_text(plan) {
            page.line(&Line::new(0).plain(text))?;
        }
        if let Some(release) = plan.release.as_ref().filter(|release| !release.local) {
            let text = format!("Registers release v{}.", release.number);
            page.line(&Line::new(0).plain(text))?;
        }
        if !plan.calls_provider() {
            let text = if plan.waits_for_unproven() {
                "No Machine changes; apply waits until those are healthy."
            } else {
                "Only the state file changes; no Machine is touched."
            };
            page.line(&Line::new(0).push(Label::Dim, text))?;
        }
        for text in irreversible(plan, outline) {
            page.line(&Line::new(0).push(Label::Destroy, text))?;
        }
    }
    if !plan.refusals.is_empty() {
        let refusals = match plan.refusals.len() {
            1 => "refusal".to_owned(),
            n => format!("{} refusals", phrases::group_digits(n)),
        };
        let text = format!("Refused: this plan cannot be applied, see the {refusals} above.");
        page.line(&Line::new(0).push(Label::Error, text))?;
    }
    Ok(())
}

fn no_changes_line(plan: &Plan) -> Line {
    let machines = phrases::count_noun(plan.machines, "Machine");
    let es = if plan.machines == 1 { "es" } else { "" };
    let line = Line::new(0);
    if !plan.records.is_empty() {
        return line
            .push(Label::Success, "No Machine changes.")
            .plain(" Only the state file does.");
    }
    if plan.not_adopted().next().is_some() {
        return line
            .push(Label::Warning, "Nothing was recorded.")
            .plain(" Write the outside changes into fly.toml, see the note above.");
    }
    if plan.mode == PlanMode::Destroy && plan.shortfalls().next().is_some() {
        return line
            .push(Label::Warning, "Nothing is destroyed.")
            .plain(" Machines that cannot be read remain, see above; run destroy again once they can be read.");
    }
    if plan.requested.has_filter() {
        return line.push(Label::Success, "No changes within the filters.");
    }
    let line = line.push(Label::Success, "No changes.");
    if plan.mode == PlanMode::Destroy {
        return line.plain(" There is nothing left to destroy.");
    }
    if plan.mode == PlanMode::RefreshOnly {
        return line.plain(match plan.machines {
            0 => " There are no Machines, and none in the state.".to_owned(),
            _ => format!(" {machines} match{es} the state."),
        });
    }
    if plan.machines == 0 {
        line.plain(" There are no Machines, and none are configured.")
    } else if plan.online {
        line.plain(format!(" {machines} match{es} the manifests."))
    } else {
        line.plain(format!(
            " {machines} in the state match{es} the manifests; the provider was not read."
        ))
    }
}

/// A change that adds nothing to the plan of its base.
fn nothing_of_its_own(plan: &Plan) -> Line {
    if plan.records.is_empty() {
        let line = Line::new(0).push(Label::Success, "No changes.");
        return line.plain(" This change adds nothing to what its base already wants.");
    }
    no_changes_line(plan)
}

/// The changes of each kind: number, words, label, and whether a terminal shows them even if there are none.
pub(in crate::core::view) fn counts(plan: &Plan) -> [(usize, &'static str, Label, bool); 13] {
    let summary = plan.summary();
    let restarts = plan.restart_count();
    [
        (
            summary.canary,
            if summary.canary == 1 {
                "canary"
            } else {
                "canaries"
            },
            Label::Change,
            false,
        ),
        (summary.create, "to create", Label::Create, true),
        (
            summary.update - restarts,
            "to update",
            Label::Change,
            restarts == 0,
        ),
        (restarts, "to restart", Label::Change, false),
        (summary.replace, "to replace", Label::Change, false),
        (summary.swap, "to swap", Label::Change, false),
        (summary.moves, "to move", Label::Change, false),
        (summary.destroy, "to destroy", Label::Destroy, true),
        (summary.start, "to start again", Label::Change, false),
        (summary.wait, "to wait for", Label::Change, false),
        (
            summary.run,
            if summary.run == 1 {
                "command to run"
            } else {
                "commands to run"
            },
            Label::Change,
            false,
        ),
        (summary.adopt, "to adopt", Label::Create, false),
        (summary.forget, "to forget", Label::Plain, false),
    ]
}

fn count_line(plan: &Plan, head: &str) -> Line {
    let summary = plan.summary();
    let mut line = Line::new(0).push(Label::Strong, head).plain(" ");
    let mut first = true;
    for (n, what, label, shown) in counts(plan) {
        if n == 0 && !shown {
            continue;
        }
        if !first {
            line.add(Label::Plain, ", ");
        }
        first = false;
        let label = if n == 0 { Label::Plain } else { label };
        line.add(label, format!("{} {what}", phrases::group_digits(n)));
    }
    if summary.new_volumes > 0 {
        let text = phrases::count_noun(summary.new_volumes, "new volume");
        line.add(Label::Plain, "; ");
        line.add(Label::Create, text);
    }
    line.plain(".")
}

/// The minimum duration, if Machines wait for each other to stay up.
pub(in crate::core::view) fn minimum_duration(plan: &Plan) -> Option<String> {
    let longest = plan.groups.iter().filter_map(|group| group.steady_ms).max();
    let longest = longest.unwrap_or(0);
    let at_least = plan.at_least_ms.filter(|ms| *ms > longest)?;
    Some(format!(
        "Takes at least {}.",
        phrases::human_duration(at_least)
    ))
}

/// How many Machines a rollback changes at most.
pub(in crate::core::view) fn rollback_text(plan: &Plan) -> Option<String> {
    let groups = plan.groups.iter();
    let estimates = groups.filter_map(|group| plan.rollback_estimate(&group.name));
    let machines: u32 = estimates.map(RollbackEstimate::machines).sum();
    if machines == 0 {
        return None;
    }
    let runs = |kind| {
        let mut changes = plan.changes();
        changes
            .any(|(_, change)| matches!(change.action, Action::Once { what, .. } if what == kind))
    };
    let verify = if runs(OnceKind::Verify) {
        " or `verify` fails"
    } else {
        ""
    };
    let command = if runs(OnceKind::ReleaseCommand) {
        "; the release command is not undone"
    } else {
        ""
    };
    let machines = match machines {
        1 => "1 Machine is".to_owned(),
        n => format!("{} are", phrases::count_noun(n as usize, "Machine")),
    };
    Some(format!(
        "If a Machine fails its gate{verify}, at most {machines} rolled back{command}."
    ))
}

/// The change in cost, or the regions without a known price.
pub(in crate::core::view) fn cost_text(plan: &Plan) -> Option<String> {
    let Some(cost) = &plan.cost else {
        return unpriced_text(plan);
    };
    if cost.cents_per_month == 0 {
        return None;
    }
    let sign = if cost.cents_per_month > 0 { "+" } else { "" };
    let amount = phrases::format_dollars(cost.cents_per_month);
    let always = if cost.if_always_running {
        " if always running"
    } else {
        ""
    };
    Some(format!(
        "About {sign}{amount} a month{always}, at the prices of {}.",
        cost.prices_date
    ))
}

fn unpriced_text(plan: &Plan) -> Option<String> {
    if !profile(&plan.provider).has_prices {
        return None;
    }
    let comes_or_goes = |change: &&Change| {
        matches!(
            change.action,
            Action::Create { .. } | Action::Destroy { .. }
        )
    };
    let priced = |region: &Region| {
        let known = regions::find(region.as_str());
        known.is_some_and(|known| known.price_ratio().is_some())
    };
    let changes = plan.changes().map(|(_, change)| change);
    let regions: BTreeSet<&str> = changes
        .filter(comes_or_goes)
        .map(|change| &change.region)
        .filter(|region| !priced(region))
        .map(Region::as_str)
        .collect();
    if regions.is_empty() {
        return None;
    }
    let regions: Vec<&str> = regions.into_iter().collect();
    Some(format!(
        "Cost unknown: no price for {} as of {PRICES_AS_OF}.",
        regions.join(", ")
    ))
}

/// Sentences about irreversible changes.
pub(super) fn irreversible(plan: &Plan, outline: &Outline<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    if plan.mode == PlanMode::Destroy {
        let but = if plan.shortfalls().next().is_some() {
            ", except those that cannot be read"
        } else {
            ""
        };
        texts.push(format!("Destroys every Machine of {}{but}.", plan.app));
    } else {
        texts.extend(emptied_groups(plan, outline));
    }
    let reverts = plan.reverts();
    let more = reverts.len().saturating_sub(MAX_NAMED);
    let shown = reverts.iter().take(MAX_NAMED);
    texts.extend(shown.map(|revert| sentence(&revert.describe())));
    if more > 0 {
        texts.push(format!(
            "Reverts {} more releases.",
            phrases::group_digits(more)
        ));
    }
    let volumes: Vec<&str> = outline
        .sections
        .iter()
        .flat_map(|section| &section.bundles)
        .flat_map(|bundle| &bundle.machines)
        .flat_map(MachineChange::unattached_volumes)
        .map(VolumeId::as_str)
        .collect();
    if !volumes.is_empty() {
        let s = if volumes.len() == 1 { "" } else { "s" };
        let remains = if plan.online { "remains" } else { "may remain" };
        texts.push(format!(
            "Data {remains} on volume{s} {}.",
            name_list(&volumes)
        ));
    }
    let shrinking = plan.downsized_count();
    if shrinking > 0 {
        texts.push(format!(
            "Shrinks CPU or memory of {}.",
            phrases::count_noun(shrinking, "Machine")
        ));
    }
    texts
}

/// Removed groups, and groups of fly.toml that keep no Machine.
fn emptied_groups(plan: &Plan, outline: &Outline<'_>) -> Vec<String> {
    let named = |groups: &[&str], what: &str| {
        let s = if groups.len() == 1 { "" } else { "s" };
        (!groups.is_empty()).then(|| format!("Destroys {what}group{s} {}.", name_list(groups)))
    };
    let removed = outline
        .sections
        .iter()
        .filter(|section| section.is_removed());
    let removed: Vec<&str> = removed.map(|section| section.name.as_str()).collect();
    let others = plan.emptied_groups().map(|group| group.name.as_str());
    let others: Vec<&str> = others.filter(|name| !removed.contains(name)).collect();
    let texts = [named(&removed, ""), named(&others, "all Machines of ")];
    texts.into_iter().flatten().collect()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    format!(
        "{}{}.",
        first.into_iter().collect::<String>(),
        letters.as_str()
    )
}

fn name_list(names: &[&str]) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    let shown = names[..names.len().min(MAX_NAMED)].join(", ");
    if more > 0 {
        format!("{shown} and {} more", phrases::group_digits(more))
    } else {
        shown
    }
}
