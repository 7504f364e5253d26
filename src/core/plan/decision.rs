//! What was decided for one group, as data: the words between [`super::reconcile`], which decides, and
//! the order, the guards and the notes, which read it.

use super::FieldChange;
use super::members::Member;
use super::types::{GateKind, Inherited, Note, Pin, Removal};
use crate::core::fleet::{DesiredGroup, Region, VolumeId};

/// What becomes of one group.
#[derive(Debug, Default)]
pub(super) struct Decision<'a> {
    pub(super) wanted: Option<&'a DesiredGroup>,
    /// Machines that exist and count for it.
    pub(super) members: Vec<Member<'a>>,
    /// New primaries, one entry each.
    pub(super) creates: Vec<Region>,
    /// New standbys.
    pub(super) standbys: Vec<Region>,
    pub(super) changed: Vec<Changed<'a>>,
    pub(super) gone: Vec<Gone<'a>>,
    /// Standbys that nothing changes and whose hosts answer.
    pub(super) watchers: Vec<Pin>,
    /// Taken into the state: added outside, or so already.
    pub(super) adopted: Vec<(Member<'a>, String)>,
    /// Those whose last change nobody has seen work, and that nothing changes.
    pub(super) unproven: Vec<Awaited<'a>>,
    /// Those that fail their checks while others are about to go down.
    pub(super) sick: Vec<Awaited<'a>>,
    /// Primaries that stay, in place or replaced, and whom the standbys watch.
    pub(super) primaries: Vec<Member<'a>>,
    /// What new Machines take over from those that run.
    pub(super) inherits: Inherited,
    /// What Machines of older releases run, where an image is inherited.
    pub(super) older_images: Vec<String>,
    pub(super) why: Option<String>,
    /// How it could not be laid out; then nothing of it is changed.
    pub(super) refusal: Option<Note>,
    pub(super) notes: Vec<Note>,
}

/// A Machine that gets another config, group or place.
#[derive(Debug)]
pub(super) struct Changed<'a> {
    pub(super) member: Member<'a>,
    pub(super) how: How,
    pub(super) changes: Vec<FieldChange>,
    pub(super) reason: String,
    pub(super) pin: Pin,
    pub(super) role: Role,
}

/// Whether a Machine that changes is a primary, and what becomes of what a standby watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    /// It watches whom it watched.
    Standby,
    /// It watches its group's primaries as they are after the plan.
    Repointed,
}

/// How a Machine changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Update,
    Move,
    /// New first.
    Replace,
    /// The new one needs the old one's volume.
    ReplaceOldFirst,
}

/// A Machine that must pass its gate before another of its group goes down.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    pub(super) member: Member<'a>,
    pub(super) proof: Proof,
    pub(super) gate: GateKind,
    pub(super) reason: String,
    pub(super) pin: Pin,
}

/// What is done for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Wait,
    Start,
}

/// A Machine that goes.
#[derive(Debug)]
pub(super) struct Gone<'a> {
    pub(super) member: Member<'a>,
    pub(super) removal: Removal,
    pub(super) reason: String,
    pub(super) leaves: Vec<VolumeId>,
    pub(super) pin: Pin,
}
