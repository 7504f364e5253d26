//! Which Machines go first if a region has too many (rule 34).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::members::Member;
use super::requested::Requested;
use crate::core::fleet::{CheckState, MachineId, MachineState, UpdateBlocker};

/// Machines that are named for removal, and by what.
#[derive(Clone, Copy)]
pub(super) struct RemovalHints<'n> {
    /// By `[[removed]]` entries.
    pub(super) removed_entries: &'n BTreeSet<MachineId>,
    /// By a verb.
    pub(super) requested: &'n Requested,
    /// By a Machine that was created to replace them.
    pub(super) replaced: &'n BTreeSet<&'n MachineId>,
}

impl RemovalHints<'_> {
    fn is_named(self, id: &MachineId) -> bool {
        self.removed_entries.contains(id) || self.requested.replace.contains(id)
    }
}

/// A Machine of a region that has too many.
#[derive(Clone, Copy)]
pub(super) struct Judged<'m, 'a> {
    pub(super) member: &'m Member<'a>,
    pub(super) is_outdated: bool,
    /// A run changed it without confirmation, and this plan changes others as well: it shows first whether they
    /// would work.
    pub(super) is_tried: bool,
}

/// Sorts by removal order, each Machine with the reason for its place.
pub(super) fn sort_for_removal<'m, 'a>(
    members: impl IntoIterator<Item = Judged<'m, 'a>>,
    named: RemovalHints<'_>,
) -> Vec<(&'m Member<'a>, &'static str)>
where
    'a: 'm,
{
    let mut all: Vec<_> = members
        .into_iter()
        .map(|judged| {
            let member = judged.member;
            let rank = RemovalRank::of(judged, named);
            let created_at = member.observed.map_or("", |seen| seen.created_at.as_str());
            let order = (rank, Reverse(created_at), Reverse(member.id));
            (order, member)
        })
        .collect();
    all.sort_by_key(|(order, _)| *order);
    all.into_iter()
        .map(|((rank, ..), member)| (member, rank.reason(member, named)))
        .collect()
}

/// A starting Machine counts as started: the choice must not depend on the moment of the plan.
fn is_up(state: MachineState) -> bool {
    match state {
        MachineState::Created
        | MachineState::Starting
        | MachineState::Started
        | MachineState::Replacing
        | MachineState::Unknown => true,
        MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
        | MachineState::Failed
        | MachineState::Destroying
        | MachineState::Destroyed => false,
    }
}

/// In a region that keeps its count only for volumes, Machines without one are removed before the others.
pub(super) fn sort_volumes_last(
    order: &mut [(&Member<'_>, &'static str)],
    named: RemovalHints<'_>,
) {
    order.sort_by_key(|(member, _)| {
        let is_named = named.is_named(member.id);
        (!is_named, !member.volumes().is_empty())
    });
}

/// In removal order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RemovalRank {
    Named,
    Late,
    HostUnreachable,
    Cordoned,
    FailingChecks,
    NotStarted,
    Outdated,
    /// An incomplete run created its replacement, which is up.
    AlreadyReplaced,
    WithoutVolume,
    Newest,
    Tried,
}

impl RemovalRank {
    fn of(judged: Judged<'_, '_>, named: RemovalHints<'_>) -> Self {
        let Judged {
            member,
            is_outdated,
            is_tried,
        } = judged;
        let seen = member.observed;
        let failing = |m: &crate::core::fleet::Machine| {
            m.checks
                .iter()
                .any(|check| check.status == CheckState::Critical)
        };
        if named.is_named(member.id) {
            Self::Named
        } else if member.is_late_create() {
            Self::Late
        } else if !member.host_ok() {
            Self::HostUnreachable
        } else if is_tried {
            Self::Tried
        } else if seen.is_some_and(|m| m.cordoned) {
            Self::Cordoned
        } else if seen.is_some_and(failing) {
            Self::FailingChecks
        } else if seen.is_some_and(|m| !is_up(m.state)) {
            Self::NotStarted
        } else if is_outdated {
            Self::Outdated
        } else if named.replaced.contains(member.id) {
            Self::AlreadyReplaced
        } else if member.volumes().is_empty() {
            Self::WithoutVolume
        } else {
            Self::Newest
        }
    }

    fn reason(self, member: &Member<'_>, named: RemovalHints<'_>) -> &'static str {
        match self {
            Self::Named if !named.removed_entries.contains(member.id) => {
                "replacement requested, and the group has too many Machines"
            }
            Self::Named => "listed in `[[removed]]`",
            Self::Late => "created late, when another Machine had taken its place",
            Self::HostUnreachable => member.obstacle().map_or("", UpdateBlocker::as_str),
            Self::Cordoned => "cordoned",
            Self::FailingChecks => "its checks fail",
            Self::NotStarted => "not started",
            Self::Outdated => "not up to date",
            Self::Tried => "its last change was never seen healthy",
            Self::AlreadyReplaced => "its replacement already exists",
            Self::WithoutVolume | Self::Newest if member.observed.is_none() => {
                "last in order of id"
            }
            Self::WithoutVolume | Self::Newest => "newest",
        }
    }
}
