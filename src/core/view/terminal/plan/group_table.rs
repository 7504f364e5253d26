//! One line per group: before → after, where, and why.

use std::fmt;

use crate::core::fleet::GroupName;
use crate::core::manifest::codes::MIN_ABOVE_COUNT;
use crate::core::plan::{Action, DriftKind, GroupChange, GroupVerdict, Note, Plan, PlanMode};
use crate::core::view::change_bundle::{ChangeKind, ReplaceOrder};
use crate::core::view::line::{Line, LineWriter, display_width, truncate};
use crate::core::view::outline::{self, Outline, Section};
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Longer names are truncated in the table; the section has the full name.
const MAX_NAME_WIDTH: usize = 24;
/// Maximum regions per row.
const MAX_REGIONS: usize = 6;
/// Maximum unchanged groups listed.
const MAX_UNCHANGED: usize = 12;

/// Symbol and colour of a group's changes.
pub(super) fn group_symbol(
    group: Option<&GroupChange>,
    section: Option<&Section<'_>>,
) -> (&'static str, Label) {
    match group.map(|group| group.verdict) {
        Some(GroupVerdict::Added) => ("+", Label::Create),
        Some(GroupVerdict::Removed) if section.is_some() => ("-", Label::Destroy),
        Some(GroupVerdict::Removed) => (">", Label::Change),
        Some(GroupVerdict::Unchanged) => (" ", Label::Dim),
        Some(GroupVerdict::Changed) | None => match section.and_then(Section::only_kind) {
            Some(ChangeKind::Adopt) => ("=", Label::Create),
            Some(ChangeKind::Forget) => (".", Label::Dim),
            Some(ChangeKind::Move(_)) => (">", Label::Change),
            Some(ChangeKind::Replace(ReplaceOrder::NewFirst)) => ("+/-", Label::Change),
            Some(ChangeKind::Replace(ReplaceOrder::OldFirst)) => ("-/+", Label::Change),
            Some(
                ChangeKind::Canary
                | ChangeKind::Wait
                | ChangeKind::Start
                | ChangeKind::Restart
                | ChangeKind::Update
                | ChangeKind::Swap
                | ChangeKind::Create(_)
                | ChangeKind::Destroy(_),
            )
            | None => ("~", Label::Change),
        },
    }
}

/// Writes the table; nothing for a plan without groups.
pub(super) fn table(plan: &Plan, outline: &Outline<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    if plan.groups.is_empty() {
        return Ok(());
    }
    let unchanged = |group: &GroupChange| group.verdict == GroupVerdict::Unchanged;
    let quiet = plan.groups.iter().filter(|group| unchanged(group)).count();
    let fold = quiet > MAX_UNCHANGED && !page.style.verbose;
    let mut shown: Vec<&GroupChange> = plan
        .groups
        .iter()
        .filter(|group| !(fold && unchanged(group)))
        .collect();
    shown.sort_by_key(|group| outline::verdict_rank(group.verdict));
    let counts: Vec<String> = shown
        .iter()
        .map(|g| phrases::before_after(g.before, g.after))
        .collect();
    let name_width = shown
        .iter()
        .map(|g| display_width(g.name.as_str()).min(MAX_NAME_WIDTH))
        .max()
        .unwrap_or(0);
    let count_width = counts.iter().map(|c| display_width(c)).max().unwrap_or(0);
    for (group, counts) in shown.iter().zip(&counts) {
        let section = outline.section(&group.name);
        let (symbol, label) = group_symbol(Some(group), section);
        let name_at = 6;
        let detail_at = name_at + name_width + 2 + count_width + 3;
        let hang = if detail_at + 24 <= page.style.width {
            detail_at
        } else {
            name_at + 2
        };
        let loud = if label == Label::Destroy {
            label
        } else {
            Label::Plain
        };
        let calm = if label == Label::Dim { label } else { loud };
        let name = if calm == Label::Plain {
            Label::Strong
        } else {
            calm
        };
        let mut line = Line::new(2)
            .hang(hang)
            .push(label, symbol)
            .pad_to_column(name_at)
            .push(name, truncate(group.name.as_str(), MAX_NAME_WIDTH))
            .pad_to_column(name_at + name_width + 2)
            .push(calm, counts)
            .pad_to_column(detail_at)
            .push(
                if calm == Label::Plain {
                    Label::Dim
                } else {
                    calm
                },
                group_detail(plan, group, section),
            );
        for text in count_warnings(plan, group) {
            line.add(Label::Plain, " · ");
            line.add(Label::Warning, text);
        }
        page.line(&line)?;
    }
    if fold {
        let text = format!("+ {} without changes", phrases::count_noun(quiet, "group"));
        page.line(&Line::new(6).push(Label::Dim, text))?;
    }
    page.blank()
}

/// Warnings about a group's counts, shown in its row.
fn count_warnings(plan: &Plan, group: &GroupChange) -> Vec<&'static str> {
    let of_group = |note: &&Note| note.group.as_ref() == Some(&group.name);
    let mut warnings = plan.warnings.iter().filter(of_group);
    let is_emptied = group.before > 0
        && group.after == 0
        && group.verdict == GroupVerdict::Changed
        && plan.mode == PlanMode::Normal;
    let mut found = Vec::new();
    if is_emptied {
        found.push("no Machines remain");
    }
    if warnings.any(|note| note.code == MIN_ABOVE_COUNT.name()) {
        found.push("fewer than `min_machines_running`");
    }
    found
}

/// The text after the counts.
fn group_detail(plan: &Plan, group: &GroupChange, section: Option<&Section<'_>>) -> String {
    let mut parts = Vec::new();
    match group.verdict {
        GroupVerdict::Added => {
            parts.push(match moved_from_text(group) {
                Some(moved) => moved,
                None if is_all_missing(plan, group) => "all its Machines are gone".to_owned(),
                None => "new group".to_owned(),
            });
            parts.extend(region_changes(group));
        }
        GroupVerdict::Removed => parts.push(change_text(plan, group, section)),
        GroupVerdict::Changed => {
            parts.extend(moved_from_text(group));
            parts.extend(region_changes(group));
            let moved = !group.moved_from.is_empty();
            parts.extend(section.and_then(|section| other_changes(section, moved)));
        }
        GroupVerdict::Unchanged => {
            let mut left_out = plan.left_out.iter();
            let is_left_out = left_out.any(|left| left.group == group.name);
            let text = if is_left_out {
                "left out"
            } else {
                "no changes"
            };
            parts.push(text.to_owned());
        }
    }
    parts.join(" · ")
}

/// The previous groups of Machines that `[[moved]]` moves here.
pub(in crate::core::view) fn moved_from_text(group: &GroupChange) -> Option<String> {
    let [others @ .., last] = &group.moved_from[..] else {
        return None;
    };
    let others: Vec<&str> = others.iter().map(GroupName::as_str).collect();
    Some(match others.len() {
        0 => format!("moved from {last}"),
        _ => format!("moved from {} and {last}", others.join(", ")),
    })
}

/// Whether the state has Machines of the group and the provider has none.
pub(in crate::core::view) fn is_all_missing(plan: &Plan, group: &GroupChange) -> bool {
    plan.drift
        .iter()
        .any(|drift| drift.group == group.name && drift.kind == DriftKind::Missing)
}

pub(in crate::core::view) fn change_text(
    plan: &Plan,
    group: &GroupChange,
    section: Option<&Section<'_>>,
) -> String {
    if plan.mode == PlanMode::Destroy {
        return "the app is destroyed".to_owned();
    }
    if section.is_none() {
        let to = plan.changes().find_map(|(_, change)| match &change.action {
            Action::Move { from, .. } if *from == group.name => Some(&change.group),
            Action::Move { .. }
            | Action::Create { .. }
            | Action::Update { .. }
            | Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => None,
        });
        if let Some(to) = to {
            return format!("moved to {to}");
        }
    }
    "removed from fly.toml".to_owned()
}

/// Regions whose counts change.
pub(in crate::core::view) fn region_changes(group: &GroupChange) -> Option<String> {
    if let Some((only, _)) = group.regions.first_key_value()
        && group.regions.len() == 1
    {
        // The row already has the counts.
        return (group.before != group.after).then(|| only.to_string());
    }
    let changed: Vec<String> = group
        .regions
        .iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(region, (before, after))| match before {
            0 if group.before == 0 => format!("{region} {after}"),
            _ => format!("{region} {}", phrases::before_after(*before, *after)),
        })
        .collect();
    if changed.is_empty() {
        return None;
    }
    let more = changed.len().saturating_sub(MAX_REGIONS);
    let text = changed[..changed.len().min(MAX_REGIONS)].join(", ");
    Some(if more > 0 {
        format!("{text} and {}", phrases::count_noun(more, "more region"))
    } else {
        text
    })
}

/// Changes that do not change counts: `4 to update, 2 to replace`.
fn other_changes(section: &Section<'_>, moved: bool) -> Option<String> {
    let totals = section.counts(|kind| match kind {
        ChangeKind::Move(_) => !moved,
        ChangeKind::Create(_) | ChangeKind::Destroy(_) => false,
        ChangeKind::Canary
        | ChangeKind::Wait
        | ChangeKind::Start
        | ChangeKind::Adopt
        | ChangeKind::Forget
        | ChangeKind::Restart
        | ChangeKind::Update
        | ChangeKind::Swap
        | ChangeKind::Replace(_) => true,
    });
    (!totals.is_empty()).then(|| phrases::join_counts(&totals))
}
