//! The decisions for one group, as data: [`super::reconcile`] makes them; the order, guards and notes read
//! them.

use super::FieldChange;
use super::members::Member;
use super::swap::GroupSwap;
use super::types::{GateKind, Inherited, Note, Precondition, Removal};
use crate::core::fleet::{DesiredGroup, Region, VolumeId};

/// What happens to one group.
#[derive(Debug, Default)]
pub(super) struct GroupDecision<'a> {
    pub(super) desired: Option<&'a DesiredGroup>,
    /// Existing Machines that count for the group.
    pub(super) members: Vec<Member<'a>>,
    /// The region of each new primary.
    pub(super) creates: Vec<Region>,
    /// The region of each new standby.
    pub(super) standbys: Vec<Region>,
    pub(super) changed: Vec<ChangedMachine<'a>>,
    pub(super) removed: Vec<RemovedMachine<'a>>,
    /// Standbys without changes whose hosts respond.
    pub(super) watchers: Vec<Precondition>,
    /// Machines to adopt into the state without a call, with the reason.
    pub(super) adopted: Vec<(Member<'a>, String)>,
    /// Machines without changes whose last change was never seen healthy.
    pub(super) unproven: Vec<AwaitedMachine<'a>>,
    /// Machines that fail their checks while others are about to go down.
    pub(super) unhealthy: Vec<AwaitedMachine<'a>>,
    /// Primaries that stay, updated or replaced. Standbys watch these.
    pub(super) primaries: Vec<Member<'a>>,
    /// What new Machines inherit from the running ones.
    pub(super) inherits: Inherited,
    /// Images of Machines of older releases, if the image is inherited.
    pub(super) older_images: Vec<String>,
    pub(super) count_reason: Option<String>,
    /// Why the group cannot be planned; nothing in it is changed then.
    pub(super) refusal: Option<Note>,
    /// Machines that must change and cannot, with the refusal of each.
    pub(super) stuck: Vec<(Member<'a>, Note)>,
    pub(super) notes: Vec<Note>,
    /// All its Machines are exchanged for new ones.
    pub(super) swap: Option<GroupSwap<'a>>,
    /// Greens of a swap that does not go on.
    pub(super) unused_greens: Vec<RemovedMachine<'a>>,
}

impl<'a> GroupDecision<'a> {
    /// Whether the group stays and no Machine counts for it yet.
    pub(super) fn is_new(&self) -> bool {
        self.desired.is_some() && self.members.is_empty()
    }

    /// Every Machine that gets another config, group or host, itself or by a green in its place.
    pub(super) fn all_changed(&self) -> impl Iterator<Item = &ChangedMachine<'a>> {
        let swapped = self.swap.iter().flat_map(|swap| &swap.changed);
        self.changed.iter().chain(swapped)
    }

    /// The same with the fields that change.
    pub(super) fn config_changes(&self) -> impl Iterator<Item = (&Member<'a>, &[FieldChange])> {
        let changed = self.all_changed();
        changed.map(|changed| (&changed.member, &changed.changes[..]))
    }

    /// Whether it is a standby of the group and stays one: with services it becomes a primary.
    pub(super) fn counts_as_standby(&self, member: &Member<'a>) -> bool {
        let serves = |group: &DesiredGroup| group.template.has_services();
        member.is_standby() && !self.desired.is_some_and(serves)
    }
}

/// A Machine that gets another config, group or host.
#[derive(Debug)]
pub(super) struct ChangedMachine<'a> {
    pub(super) member: Member<'a>,
    pub(super) method: ChangeMethod,
    pub(super) changes: Vec<FieldChange>,
    pub(super) reason: String,
    pub(super) precondition: Precondition,
    pub(super) role: ChangeRole,
}

/// Whether a changed Machine is a primary, and what a standby watches afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeRole {
    Primary,
    /// It watches the same Machines as before.
    Standby,
    /// It watches the group's primaries as they are after the plan.
    Repointed,
}

/// How a Machine changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeMethod {
    Update,
    Move,
    /// Replaced, new Machine first.
    Replace,
    /// Replaced, old Machine first: the new one needs its volume.
    ReplaceOldFirst,
}

/// A Machine that must pass its gate before another of its group goes down.
#[derive(Debug)]
pub(super) struct AwaitedMachine<'a> {
    pub(super) member: Member<'a>,
    pub(super) method: AwaitMethod,
    pub(super) gate: GateKind,
    pub(super) reason: String,
    pub(super) precondition: Precondition,
}

/// How the gate is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AwaitMethod {
    Wait,
    Start,
}

/// A Machine that is destroyed.
#[derive(Debug)]
pub(super) struct RemovedMachine<'a> {
    pub(super) member: Member<'a>,
    pub(super) removal: Removal,
    pub(super) reason: String,
    pub(super) left_volumes: Vec<VolumeId>,
    pub(super) precondition: Precondition,
}
