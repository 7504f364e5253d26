//! What was decided for one group, as data: the words between [`super::reconcile`], which decides, and
//! the order, the guards and the notes, which read it.

use super::FieldChange;
use super::members::Member;
use super::types::{GateKind, Inherited, Note, Precondition, Removal};
use crate::core::fleet::{DesiredGroup, Region, VolumeId};

/// What becomes of one group.
#[derive(Debug, Default)]
pub(super) struct GroupDecision<'a> {
    pub(super) desired: Option<&'a DesiredGroup>,
    /// Machines that exist and count for it.
    pub(super) members: Vec<Member<'a>>,
    /// New primaries, one entry each.
    pub(super) creates: Vec<Region>,
    /// New standbys.
    pub(super) standbys: Vec<Region>,
    pub(super) changed: Vec<ChangedMachine<'a>>,
    pub(super) removed: Vec<RemovedMachine<'a>>,
    /// Standbys that nothing changes and whose hosts answer.
    pub(super) watchers: Vec<Precondition>,
    /// Taken into the state: added outside, or so already.
    pub(super) adopted: Vec<(Member<'a>, String)>,
    /// Those whose last change nobody has seen work, and that nothing changes.
    pub(super) unproven: Vec<AwaitedMachine<'a>>,
    /// Those that fail their checks while others are about to go down.
    pub(super) unhealthy: Vec<AwaitedMachine<'a>>,
    /// Primaries that stay, in place or replaced, and whom the standbys watch.
    pub(super) primaries: Vec<Member<'a>>,
    /// What new Machines take over from those that run.
    pub(super) inherits: Inherited,
    /// What Machines of older releases run, where an image is inherited.
    pub(super) older_images: Vec<String>,
    pub(super) count_reason: Option<String>,
    /// How it could not be laid out; then nothing of it is changed.
    pub(super) refusal: Option<Note>,
    pub(super) notes: Vec<Note>,
}

/// A Machine that gets another config, group or place.
#[derive(Debug)]
pub(super) struct ChangedMachine<'a> {
    pub(super) member: Member<'a>,
    pub(super) method: ChangeMethod,
    pub(super) changes: Vec<FieldChange>,
    pub(super) reason: String,
    pub(super) precondition: Precondition,
    pub(super) role: ChangeRole,
}

/// Whether a Machine that changes is a primary, and what becomes of what a standby watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeRole {
    Primary,
    /// It watches whom it watched.
    Standby,
    /// It watches its group's primaries as they are after the plan.
    Repointed,
}

/// How a Machine changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeMethod {
    Update,
    Move,
    /// New first.
    Replace,
    /// The new one needs the old one's volume.
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

/// What is done for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AwaitMethod {
    Wait,
    Start,
}

/// A Machine that goes.
#[derive(Debug)]
pub(super) struct RemovedMachine<'a> {
    pub(super) member: Member<'a>,
    pub(super) removal: Removal,
    pub(super) reason: String,
    pub(super) left_volumes: Vec<VolumeId>,
    pub(super) precondition: Precondition,
}
