//! Machines that cannot be fully read: their hosts do not respond, or their configs cannot be parsed (rule 9).
//! They count for their groups; [`super::reconcile`] decides what follows.

use std::collections::BTreeMap;

use super::FieldChange;
use super::codes;
use super::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision};
use super::fields::ConfigComparer;
use super::members::{Fleet, Member};
use super::notes::{format_ids, format_machine_count, note};
use super::options::{Options, PlanMode};
use super::types::{Action, Note, Step, Work};
use crate::core::fleet::{GroupName, Known, MachineId, Observed, UpdateBlocker};

/// Handles a Machine that must change but cannot be updated: without a mount it is replaced, new Machine first;
/// with one the plan is refused.
pub(super) fn change_unreadable<'a>(
    group: &GroupName,
    member: &Member<'a>,
    changes: &[FieldChange],
    fields: &mut ConfigComparer<'a>,
    decision: &mut GroupDecision<'a>,
) {
    let obstacle = member.obstacle().map_or("", UpdateBlocker::as_str);
    if member.is_unlisted_and_unreadable() || !member.volumes().is_empty() {
        let volume = if member.is_unlisted_and_unreadable() {
            "it is unknown whether it has a volume"
        } else {
            "it has a volume"
        };
        let refusal = note(
            codes::UNREACHABLE_VOLUME,
            format!(
                "Machine {} of group `{group}` must change, but {obstacle} and {volume}",
                member.id
            ),
        );
        let refusal = refusal.for_group(group).with_hint(
            "wait for the host, or destroy that Machine and restore the volume from a snapshot",
        );
        decision.stuck.push((member.clone(), refusal));
        return;
    }
    decision.changed.push(ChangedMachine {
        method: ChangeMethod::Replace,
        changes: changes.to_vec(),
        reason: obstacle.to_owned(),
        precondition: fields.precondition(member),
        member: member.clone(),
        role: ChangeRole::Primary,
    });
}

/// The note about Machines over the count that are kept.
pub(super) fn left_alone_note(group: &GroupName, members: &[&Member<'_>]) -> Option<Note> {
    let first = members.first()?;
    let (many, stays, volumes) = match members.len() {
        1 => ("it", "is over the count but kept", "it has a volume"),
        _ => ("them", "are over the count but kept", "they have volumes"),
    };
    let message = format!(
        "group `{group}`: {} ({}) {stays}: their configs cannot be read and the state does not list {many}, \
         so it is unknown whether {volumes}",
        format_machine_count(members.len()),
        format_ids(members.iter().map(|member| member.id)),
    );
    let message = match members.len() {
        1 => message.replace("their configs", "its config"),
        _ => message,
    };
    let hint = format!("`aeroform machine destroy {}` destroys it anyway", first.id);
    Some(
        note(codes::LEFT_UNREADABLE, message)
            .for_group(group)
            .with_hint(hint),
    )
}

/// Warnings about Machines that cannot be read, once for all groups.
pub(super) fn warnings(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: Option<&Observed>,
) -> Vec<Note> {
    let members = || decisions.values().flat_map(|decision| &decision.members);
    let mut found = Vec::new();
    let unreachable: Vec<_> = members()
        .filter(|member| member.obstacle() == Some(UpdateBlocker::Host))
        .collect();
    if !unreachable.is_empty() {
        let message = format!(
            "host unreachable: {} ({})",
            format_machine_count(unreachable.len()),
            format_ids(unreachable.iter().map(|member| member.id))
        );
        found.push(with_unlisted(
            note(codes::HOST_UNREACHABLE, message),
            &unreachable,
        ));
    }
    let unreadable = members().filter_map(|member| match member.obstacle()? {
        UpdateBlocker::Host => None,
        obstacle @ (UpdateBlocker::Config(_) | UpdateBlocker::NoConfig) => Some((member, obstacle)),
    });
    let unreadable: Vec<_> = unreadable.collect();
    if let Some((_, first)) = unreadable.first() {
        let why = match first {
            UpdateBlocker::Config(why) => (*why).to_owned(),
            UpdateBlocker::Host | UpdateBlocker::NoConfig => first.as_str().to_owned(),
        };
        let members: Vec<_> = unreadable.iter().map(|(member, _)| *member).collect();
        let message = format!(
            "config unreadable: {} ({}): {why}",
            format_machine_count(members.len()),
            format_ids(members.iter().map(|member| member.id))
        );
        found.push(with_unlisted(
            note(codes::CONFIG_UNREADABLE, message),
            &members,
        ));
    }
    let entries = observed.map_or(&[][..], |observed| &observed.unreadable);
    if let Some(first) = entries.first() {
        let message = format!(
            "the provider lists {} that cannot be read: {first}",
            format_machine_count(entries.len())
        );
        found.push(note(codes::UNREADABLE_ENTRIES, message).with_hint("they are left alone"));
    }
    found
}

/// Adds a hint about those that the state does not list.
fn with_unlisted(warning: Note, members: &[&Member<'_>]) -> Note {
    let held = members
        .iter()
        .filter(|member| member.is_unlisted_and_unreadable());
    let held: Vec<&MachineId> = held.map(|member| member.id).collect();
    if held.is_empty() {
        return warning;
    }
    warning.with_hint(format!(
        "{} not in the state: counted for the group, left alone, and adopted into the state once the config \
         can be read",
        format_ids(held)
    ))
}

/// Refuses to create Machines while unidentified ones might already be those: without a state, only readable
/// metadata tells which Machines a group has.
pub(super) fn refuse_creates(
    known: &Known,
    fleet: &Fleet<'_>,
    observed: &Observed,
    steps: &[Step],
    options: &Options,
) -> Option<Note> {
    let unknown = fleet.unidentified.len() + observed.unreadable.len();
    let makes = steps.iter().any(|step| match &step.work {
        Work::Change(change) => {
            matches!(&change.action, Action::Create { replaces: None, .. })
        }
        Work::Barrier { .. } => false,
    });
    let creates_allowed = options.mode == PlanMode::Normal && !options.accept_unknown;
    if unknown == 0 || known.serial > 0 || !makes || !creates_allowed {
        return None;
    }
    let named = match fleet.unidentified.as_slice() {
        [] => String::new(),
        some => format!(" ({})", format_ids(some.iter().copied())),
    };
    let refusal = note(
        codes::UNKNOWN_MACHINES,
        format!(
            "{}{named} may belong to any group: their metadata cannot be read, and there is no state",
            format_machine_count(unknown)
        ),
    );
    Some(refusal.with_hint(
        "try again when their hosts respond; if they belong to no group, add `--accept-unknown` to create \
         new Machines",
    ))
}
