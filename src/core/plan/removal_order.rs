//! Who goes first when a region has more Machines than it should (rule 34).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::members::Member;
use super::requested::Requested;
use crate::core::fleet::{CheckState, MachineId, MachineState, UpdateBlocker};

/// Machines that are named, and by what.
#[derive(Clone, Copy)]
pub(super) struct RemovalHints<'n> {
    /// By `[[removed]]` entries.
    pub(super) removed_entries: &'n BTreeSet<MachineId>,
    /// By a verb.
    pub(super) requested: &'n Requested,
    /// By a Machine that was made to take their place.
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
    /// A run changed it, nobody saw that work, and this plan changes others as well: it shows first whether they
    /// would work.
    pub(super) is_tried: bool,
}

/// Sorts so that those who go come first, each with the reason for its place.
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
            let made = member.observed.map_or("", |seen| seen.created_at.as_str());
            // One that the plan leaves alone goes last; the plan is refused if it would have to.
            let order = (member.excluded, rank, Reverse(made), Reverse(member.id));
            (order, member)
        })
        .collect();
    all.sort_by_key(|(order, _)| *order);
    all.into_iter()
        .map(|((_, rank, ..), member)| (member, rank.reason(member, named)))
        .collect()
}

/// One on its way up counts as started: a moment later it is, and whom a plan destroys must not hang
/// on the moment at which it was made.
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

/// Where a region keeps its number for volumes only, those without one go before the others.
pub(super) fn sort_volumes_last(
    order: &mut [(&Member<'_>, &'static str)],
    named: RemovalHints<'_>,
) {
    order.sort_by_key(|(member, _)| {
        let is_named = named.is_named(member.id);
        (member.excluded, !is_named, !member.volumes().is_empty())
    });
}

/// In the order of going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RemovalRank {
    Named,
    Late,
    HostUnreachable,
    Cordoned,
    FailingChecks,
    NotStarted,
    Outdated,
    /// A run that did not come to its end has made its successor, which is up.
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
                "named to be replaced, and its group has too many"
            }
            Self::Named => "named by a `[[removed]]` entry",
            Self::Late => "it turned up when its place was taken",
            Self::HostUnreachable => member.obstacle().map_or("", UpdateBlocker::as_str),
            Self::Cordoned => "cordoned",
            Self::FailingChecks => "its checks fail",
            Self::NotStarted => "not started",
            Self::Outdated => "not up to date",
            Self::Tried => "nobody saw its last change work",
            Self::AlreadyReplaced => "another was made to take its place",
            Self::WithoutVolume | Self::Newest if member.observed.is_none() => "last by id",
            Self::WithoutVolume | Self::Newest => "the newest",
        }
    }
}
