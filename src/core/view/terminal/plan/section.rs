//! The changes of one group.

use std::fmt;

use super::wave_lines::WaveBlock;
use super::{create, group_table, ids, removal, swap};
use crate::core::fleet::{FieldChange, GroupName};
use crate::core::plan::{Action, Branch, GateKind};
use crate::core::view::change_bundle::{ChangeBundle, ChangeKind, MachineChange, ReplaceOrder};
use crate::core::view::line::{Line, LineWriter, truncate};
use crate::core::view::outline::Section;
use crate::core::view::phrases;
use crate::core::view::style::Label;
use crate::core::view::terminal::config_diff;
use crate::core::view::toml_diff::{self, TomlForms, TomlLines};

/// Maximum distinct reasons per entry.
const MAX_REASONS: usize = 3;
/// Maximum removed fields named that fly.toml never set.
const MAX_UNSENT: usize = 8;
/// Maximum replaced Machines whose volumes are listed.
const MAX_UNATTACHED: usize = 50;

/// Writes the group's section and an empty line after it. `first_update` is whether its updates are the
/// first ones of the plan: these say that an update restarts a running Machine.
pub(super) fn section(
    section: &Section<'_>,
    first_update: bool,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let (symbol, label) = group_table::group_symbol(section.group, Some(section));
    let mut head = Line::new(0).push(label, symbol).plain(" ").push(
        if label == Label::Destroy {
            label
        } else {
            Label::Strong
        },
        section.name.as_str(),
    );
    if let Some(command) = section.group.and_then(|group| group.command.as_deref()) {
        let room = page.style.width.saturating_sub(head.width() + 2).max(16);
        let shown = if page.style.verbose {
            command.into()
        } else {
            truncate(command, room)
        };
        head.add(Label::Dim, format!("  {shown}"));
    }
    page.line(&head)?;
    if let Some(why) = section
        .group
        .and_then(|group| group.count_reason.as_deref())
    {
        page.line(&Line::new(4).push(Label::Dim, why))?;
    }
    entries(section, first_update, page)?;
    page.blank()
}

/// Writes its changes.
pub(in crate::core::view) fn entries(
    section: &Section<'_>,
    first_update: bool,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let mut says_restart = first_update;
    let waves = WaveBlock::of(section);
    let mut pending = waves.as_ref();
    let mut swaps = false;
    for bundle in &section.bundles {
        if bundle.kind == ChangeKind::Swap {
            if !swaps {
                swap::swap(section, page)?;
            }
            swaps = true;
            continue;
        }
        let own = pending.take_if(|waves| waves.is_of(bundle));
        entry(section, bundle, (says_restart, own), page)?;
        says_restart &= bundle.kind != ChangeKind::Update;
    }
    if let Some(waves) = pending {
        waves.write_after(page)?;
    }
    rollback_branch(section, page)
}

/// What happens to the group if a Machine fails its gate.
fn rollback_branch(section: &Section<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(estimate) = section.rollback else {
        return Ok(());
    };
    let kinds = [
        (estimate.put_back, "with the previous config again"),
        (estimate.restored, "created again with the previous config"),
        (estimate.destroyed, "destroyed"),
    ];
    let kinds = kinds.into_iter().filter(|(n, _)| *n > 0);
    let kinds: Vec<String> = kinds
        .map(|(n, what)| format!("{} {what}", phrases::group_digits(n as usize)))
        .collect();
    let text = format!(
        "if a Machine fails its gate: rolled back, at most {}",
        kinds.join(", ")
    );
    page.line(&Line::new(4).hang(8).push(Label::Dim, text))
}

fn entry(
    section: &Section<'_>,
    bundle: &ChangeBundle<'_>,
    (says_restart, waves): (bool, Option<&WaveBlock<'_, '_>>),
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let n = phrases::group_digits(bundle.machines.len());
    let strategy = section
        .group
        .map(|group| group.strategy.as_str())
        .filter(|strategy| !strategy.is_empty())
        .map_or(String::new(), |strategy| format!(", {strategy}"));
    let head = |label, text: String| Line::new(4).hang(8).push(label, text);
    let changed = |symbol: &str, what: &str| {
        head(Label::Change, format!("{symbol} {n} {what}")).push(Label::Dim, &strategy)
    };
    match bundle.kind {
        // They are written together.
        ChangeKind::Swap => return Ok(()),
        ChangeKind::Create(role) => {
            create::create(role, bundle, section.group, page)?;
            return if page.style.verbose {
                reasons(bundle, page)
            } else {
                Ok(())
            };
        }
        ChangeKind::Destroy(why) => return removal::destroy(section, why, bundle, page),
        ChangeKind::Canary => return canary(bundle, page),
        ChangeKind::Wait => page.line(&head(Label::Change, with_reason(bundle, "to wait for")))?,
        ChangeKind::Start => {
            page.line(&head(Label::Change, with_reason(bundle, "to start again")))?;
        }
        ChangeKind::Adopt => page.line(
            &head(Label::Create, format!("= {n} to adopt"))
                .push(Label::Dim, "  recorded in the state, not changed"),
        )?,
        ChangeKind::Forget => page.line(
            &head(Label::Plain, format!(". {n} to forget"))
                .push(Label::Dim, "  removed from the state, not destroyed"),
        )?,
        ChangeKind::Move(from) => page.line(&changed(">", &format!("to move from {from}")))?,
        ChangeKind::Restart => page.line(&changed("~", "to restart"))?,
        ChangeKind::Update if says_restart => page.line(&changed(
            "~",
            "to update in place (a running Machine restarts)",
        ))?,
        ChangeKind::Update => page.line(&changed("~", "to update in place"))?,
        ChangeKind::Replace(ReplaceOrder::NewFirst) => {
            page.line(&changed("+/-", "to replace, the new one first"))?;
        }
        ChangeKind::Replace(ReplaceOrder::OldFirst) => {
            page.line(&changed("-/+", "to replace, the old one first"))?;
        }
    }
    let found = section.is_first_plan && bundle.kind == ChangeKind::Adopt;
    let named = waves.is_some_and(WaveBlock::names_machines);
    if page.detail.ids && (page.style.verbose || !found) && !named {
        ids::ids(bundle, 8, page)?;
    }
    if let Some(waves) = waves {
        waves.write(8, page)?;
    }
    if page.style.verbose || !is_explained(bundle) {
        reasons(bundle, page)?;
    }
    fields(section, bundle, page)?;
    if page.detail.equipment && matches!(bundle.kind, ChangeKind::Replace(ReplaceOrder::NewFirst)) {
        create::replacement_volumes(bundle, page)?;
    }
    branches(bundle, page)?;
    if page.detail.ids {
        unattached_volumes(section, bundle, page)?;
    }
    Ok(())
}

/// `* 1 canary first, in ams: up for 10s, checks passing, 2m under traffic; then destroyed`.
fn canary(bundle: &ChangeBundle<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    for item in &bundle.machines {
        let change = item.change;
        let Action::Canary { soak_ms, .. } = &change.action else {
            continue;
        };
        let soak = match soak_ms {
            0 => String::new(),
            ms => format!(", then {} under traffic", phrases::human_duration(*ms)),
        };
        let gate = match change.gate {
            GateKind::Healthy => "until it is up and its checks pass",
            GateKind::Started
            | GateKind::None
            | GateKind::Settled
            | GateKind::Gone
            | GateKind::Ended => "until it is up",
        };
        let line = Line::new(4)
            .hang(8)
            .push(
                Label::Change,
                format!("* 1 canary first, in {}", change.region),
            )
            .push(
                Label::Dim,
                format!("  {gate}{soak}; it is destroyed in any case"),
            );
        page.line(&line)?;
    }
    Ok(())
}

/// The fields that change, with what shrinks first.
pub(super) fn fields(
    section: &Section<'_>,
    bundle: &ChangeBundle<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let forms = section.group.map(TomlForms::of).unwrap_or_default();
    for text in toml_diff::lowered_resources(section.name, forms.size, bundle.fields) {
        page.line(
            &Line::new(8)
                .push(Label::Error, "! shrinks ")
                .push(Label::Destroy, text),
        )?;
    }
    if !page.detail.fields {
        return Ok(());
    }
    config_diff::render_diff(section.name, forms, bundle.fields, 10, page)?;
    unsent_removals_hint(section.name, forms, bundle.fields, page)
}

/// A hint how to keep removed fields that the manifests never set.
fn unsent_removals_hint(
    group: &GroupName,
    forms: TomlForms<'_>,
    fields: &[FieldChange],
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let goes = |field: &&FieldChange| field.before.is_some() && field.after.is_none();
    let unsent: Vec<FieldChange> = fields.iter().filter(|f| f.unsent).cloned().collect();
    let text = match unsent.len() {
        0 => return Ok(()),
        // All removed lines are such fields.
        all if all == fields.iter().filter(goes).count() => {
            "fly.toml never set what is removed here; to keep a `-` line, add it to fly.toml"
                .to_owned()
        }
        _ => {
            let lines = toml_diff::lines_for_changes(group, forms, &unsent);
            let limit = if page.style.verbose {
                usize::MAX
            } else {
                MAX_UNSENT
            };
            let shown: Vec<String> = lines.iter().take(limit).map(TomlLines::text).collect();
            let more = match lines.len().saturating_sub(limit) {
                0 => String::new(),
                more => format!(
                    " and {} (-v shows all)",
                    phrases::count_noun(more, "more table")
                ),
            };
            let shown = shown.join(", ");
            format!("fly.toml never set {shown}{more}; to keep it, add it to fly.toml")
        }
    };
    page.line(
        &Line::new(8)
            .hang(10)
            .push(Label::Hint, "hint: ")
            .plain(text),
    )
}

/// Whether the lines around it already show the reason.
fn is_explained(bundle: &ChangeBundle<'_>) -> bool {
    match bundle.kind {
        ChangeKind::Update => !bundle.fields.is_empty(),
        ChangeKind::Restart => bundle.reasons().len() == 1,
        ChangeKind::Move(_) | ChangeKind::Create(_) | ChangeKind::Canary => true,
        ChangeKind::Wait | ChangeKind::Start => shared_reason(bundle).is_some(),
        ChangeKind::Adopt
        | ChangeKind::Forget
        | ChangeKind::Swap
        | ChangeKind::Replace(_)
        | ChangeKind::Destroy(_) => false,
    }
}

/// `~ 1 to start again: exited with code 1 after release v2`; different reasons follow on separate lines.
fn with_reason(bundle: &ChangeBundle<'_>, what: &str) -> String {
    let n = phrases::group_digits(bundle.machines.len());
    let reason = shared_reason(bundle).map_or(String::new(), |reason| format!(": {reason}"));
    format!("~ {n} {what}{reason}")
}

/// The reason, if all its Machines have the same one.
fn shared_reason<'a>(bundle: &ChangeBundle<'a>) -> Option<&'a str> {
    let mut reasons = bundle
        .machines
        .iter()
        .map(|item| item.change.reason.as_str());
    let first = reasons.next()?;
    reasons.all(|reason| reason == first).then_some(first)
}

/// The reasons.
fn reasons(bundle: &ChangeBundle<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let reasons = bundle.reasons();
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_REASONS
    };
    for (reason, n) in reasons.iter().take(limit) {
        let mut line = Line::new(8);
        if reasons.len() > 1 {
            line.add(Label::Dim, format!("{}: ", phrases::group_digits(*n)));
        }
        line.add(Label::Dim, reason);
        page.line(&line)?;
    }
    let more = reasons.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "+ {} (-v shows all)",
            phrases::count_noun(more, "more reason")
        );
        page.line(&Line::new(8).push(Label::Dim, text))?;
    }
    Ok(())
}

fn branches(bundle: &ChangeBundle<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    for branch in bundle.branches {
        let text = match branch {
            Branch::NoRoomReplaced(_) => "if its host has no room: replaced by a new Machine",
            Branch::NoRoomStops => {
                "if its host has no room: the group stops here and the volume is kept"
            }
        };
        page.line(&Line::new(8).push(Label::Dim, text))?;
    }
    Ok(())
}

/// Volumes that replaced Machines leave unattached.
fn unattached_volumes(
    section: &Section<'_>,
    bundle: &ChangeBundle<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let leaving: Vec<&MachineChange<'_>> = bundle
        .machines
        .iter()
        .filter(|item| !item.unattached_volumes().is_empty())
        .collect();
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_UNATTACHED
    };
    for item in leaving.iter().take(limit) {
        let id = item.id().map_or("", |id| id.as_str());
        let mut line = Line::new(8).plain(id);
        removal::add_unattached_volumes(section, item.unattached_volumes(), &mut line);
        page.line(&line)?;
    }
    let more = leaving.len().saturating_sub(limit);
    if more > 0 {
        let text = format!(
            "+ {} that leave a volume",
            phrases::count_noun(more, "more Machine")
        );
        page.line(&Line::new(8).push(Label::Destroy, text))?;
    }
    Ok(())
}
