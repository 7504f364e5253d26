//! Machines of which not everything can be read: their hosts do not answer, or their configs cannot be
//! understood (rule 9). They count for their groups; what follows from that is [`super::reconcile`]'s.

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

/// What becomes of a Machine that must change and cannot be changed in place: without a mount it is
/// replaced, new one first; with one a person must decide.
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
            "nobody knows whether it has a volume"
        } else {
            "its volume is there"
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
        decision.refusal.get_or_insert(refusal);
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

/// Machines that would go and are left alone.
pub(super) fn left_alone_note(group: &GroupName, members: &[&Member<'_>]) -> Option<Note> {
    let first = members.first()?;
    let (many, stays, volumes) = match members.len() {
        1 => ("it", "is not wanted and stays", "it has a volume"),
        _ => ("them", "are not wanted and stay", "they have volumes"),
    };
    let message = format!(
        "group `{group}`: {} ({}) {stays}: their configs cannot be read and the state does not list {many}, \
         so nobody knows whether {volumes}",
        format_machine_count(members.len()),
        format_ids(members.iter().map(|member| member.id)),
    );
    let message = match members.len() {
        1 => message.replace("their configs", "its config"),
        _ => message,
    };
    let hint = format!(
        "`aeroform machine destroy {}` destroys it all the same",
        first.id
    );
    Some(
        note(codes::LEFT_UNREADABLE, message)
            .for_group(group)
            .with_hint(hint),
    )
}

/// What must be said of Machines that cannot be read, once for all groups.
pub(super) fn warnings(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    observed: Option<&Observed>,
) -> Vec<Note> {
    let members = || decisions.values().flat_map(|decision| &decision.members);
    let mut found = Vec::new();
    let dead: Vec<_> = members()
        .filter(|member| member.obstacle() == Some(UpdateBlocker::Host))
        .collect();
    if !dead.is_empty() {
        let message = format!(
            "host unreachable: {} ({})",
            format_machine_count(dead.len()),
            format_ids(dead.iter().map(|member| member.id))
        );
        found.push(with_unlisted(note(codes::HOST_UNREACHABLE, message), &dead));
    }
    let odd = members().filter_map(|member| match member.obstacle()? {
        UpdateBlocker::Host => None,
        obstacle @ (UpdateBlocker::Config(_) | UpdateBlocker::NoConfig) => Some((member, obstacle)),
    });
    let odd: Vec<_> = odd.collect();
    if let Some((_, first)) = odd.first() {
        let why = match first {
            UpdateBlocker::Config(why) => (*why).to_owned(),
            UpdateBlocker::Host | UpdateBlocker::NoConfig => first.as_str().to_owned(),
        };
        let members: Vec<_> = odd.iter().map(|(member, _)| *member).collect();
        let message = format!(
            "config not readable: {} ({}): {why}",
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

/// The same with a word about those that the state does not list.
fn with_unlisted(warning: Note, members: &[&Member<'_>]) -> Note {
    let held = members
        .iter()
        .filter(|member| member.is_unlisted_and_unreadable());
    let held: Vec<&MachineId> = held.map(|member| member.id).collect();
    if held.is_empty() {
        return warning;
    }
    warning.with_hint(format!(
        "{} the state does not list: counted for the group, left alone, and taken into the state once \
         the config can be read",
        format_ids(held)
    ))
}

/// Refuses to make Machines as long as nobody knows whether they exist already: without a state only
/// what can be read says that a group has Machines.
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
    let asked = options.mode == PlanMode::Normal && !options.accept_unknown;
    if unknown == 0 || known.serial > 0 || !makes || !asked {
        return None;
    }
    let named = match fleet.unidentified.as_slice() {
        [] => String::new(),
        some => format!(" ({})", format_ids(some.iter().copied())),
    };
    let refusal = note(
        codes::UNKNOWN_MACHINES,
        format!(
            "{}{named} may be of any group: nothing that can be read says whose they are, and there is no \
             state that says it",
            format_machine_count(unknown)
        ),
    );
    Some(refusal.with_hint(
        "look again when their hosts answer; `--accept-unknown` if they are none of the groups' and new \
         Machines should be made",
    ))
}
