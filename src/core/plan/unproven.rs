//! Machines whose last change was never seen healthy: a gate did not pass, or a run crashed before it could
//! record the result. They are awaited or started again before any other Machine of their group goes down (rule
//! 29).
//!
//! Decides what is still to be confirmed of each; [`super::order`] decides the order.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{AwaitMethod, AwaitedMachine, GroupDecision};
use super::fields::ConfigComparer;
use super::gates::gate;
use super::members::{self, ChangeProof, Member};
use super::placement::named_by;
use super::types::GateKind;
use crate::core::fleet::{
    CheckState, CheckStatus, Desired, DesiredGroup, Exit, Known, Lineage, Machine, MachineId,
    MachineState, Observed, RunId,
};

/// A Machine whose last change was never seen healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The run that changed it, where its stamps say so.
    pub run: Option<RunId>,
    /// `updated by run w6x2…, never seen healthy`.
    pub text: String,
}

/// The Machines that the next apply would confirm first, as it reads them.
pub fn unproven_machines(
    desired: &Desired,
    known: &Known,
    observed: &Observed,
) -> BTreeMap<MachineId, Unproven> {
    let lineage = &observed.description.scope;
    let fleet = members::join_fleet(desired, known, Some(observed), &desired.digest(lineage));
    let groups = fleet.members.iter();
    let members = groups
        .filter_map(|(name, members)| Some((desired.groups.get(name)?, members)))
        .flat_map(|(group, members)| members.iter().map(move |member| (group, member)));
    members
        .filter(|(_, member)| member.proof == ChangeProof::No)
        .filter(|(group, member)| Evidence::of(group, member) != Evidence::Enough)
        .map(|(group, member)| {
            let run = member.observed.and_then(|seen| seen.stamps.run.clone());
            let text = never_seen_healthy(group, member, lineage);
            (member.id.clone(), Unproven { run, text })
        })
        .collect()
}

/// What an observation says about an unconfirmed Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It works, it is at rest as intended, or its group waits for nothing.
    Enough,
    /// It is starting, or its checks do not pass.
    NotYet,
    /// It runs, and it is unknown whether it stays up.
    Up,
    /// It exited without being stopped, or an interrupted rollback has stopped it.
    Ended,
}

impl Evidence {
    pub(super) fn of(group: &DesiredGroup, member: &Member<'_>) -> Self {
        let gate = gate(group);
        if member.proof == ChangeProof::Yes || !member.host_ok() {
            return Self::Enough;
        }
        if gate == GateKind::None {
            return Self::where_nothing_is_awaited(member);
        }
        let Some(seen) = member.observed else {
            return if member.is_standby() {
                Self::Enough
            } else {
                Self::Up
            };
        };
        // A rollback did not end: it is to run after all.
        let half_removed = member.proof != ChangeProof::Yes && seen.removal_begun();
        match seen.state {
            MachineState::Started if half_removed && seen.cordoned => Self::NotYet,
            MachineState::Created if member.stays_created() => Self::Enough,
            // The platform leaves it stopped once it is updated.
            MachineState::Replacing if !member.is_standby() && crashed_before(seen) => Self::Ended,
            MachineState::Created
            | MachineState::Starting
            | MachineState::Replacing
            | MachineState::Unknown => Self::NotYet,
            _ if member.is_standby() => Self::Enough,
            MachineState::Started if gate == GateKind::Healthy => {
                if is_healthy(seen) {
                    Self::Enough
                } else {
                    Self::NotYet
                }
            }
            // Without a state every Machine would be awaited.
            MachineState::Started if member.proof == ChangeProof::Unknown => Self::Enough,
            MachineState::Started => Self::Up,
            MachineState::Failed => Self::Ended,
            MachineState::Stopping
            | MachineState::Stopped
            | MachineState::Suspending
            | MachineState::Suspended => {
                if half_removed || ended_badly(group, seen) {
                    Self::Ended
                } else {
                    Self::Enough
                }
            }
            MachineState::Destroying | MachineState::Destroyed => Self::Enough,
        }
    }
}

impl Evidence {
    /// Of an immediate group: a run that ended between the update of a crashed Machine and its start leaves it
    /// stopped.
    fn where_nothing_is_awaited(member: &Member<'_>) -> Self {
        let left = |seen: &Machine| seen.is_updated_since_exit() && crashed_before(seen);
        match member.observed {
            Some(seen) if !member.is_standby() && left(seen) => Self::Ended,
            Some(_) | None => Self::Enough,
        }
    }
}

/// Whether an observation can confirm its last change. Immediate groups wait for nothing, and unreachable hosts
/// show nothing.
pub(super) fn is_observable(group: &DesiredGroup, host_ok: bool) -> bool {
    host_ok && gate(group) != GateKind::None
}

/// Whether it is visibly failing, so that a state without it must not record it as healthy.
pub(super) fn is_failing(group: &DesiredGroup, seen: &Machine) -> bool {
    match seen.state {
        MachineState::Failed => true,
        MachineState::Started => group.template.has_checks() && !is_healthy(seen),
        MachineState::Stopped | MachineState::Suspended => ended_badly(group, seen),
        MachineState::Created
        | MachineState::Starting
        | MachineState::Replacing
        | MachineState::Unknown
        | MachineState::Stopping
        | MachineState::Suspending
        | MachineState::Destroying
        | MachineState::Destroyed => false,
    }
}

fn is_healthy(seen: &Machine) -> bool {
    let passing = |check: &CheckStatus| check.status == CheckState::Passing;
    !seen.checks.is_empty() && seen.checks.iter().all(passing)
}

/// Whether it had crashed before the update that is under way.
fn crashed_before(seen: &Machine) -> bool {
    let config = seen.config.as_deref();
    let scheduled = config.is_some_and(|config| config.schedule.is_some());
    !scheduled && seen.last_exit().is_some_and(|exit| exit.is_crash())
}

/// Whether it exited on its own in a way that no gate accepts. A scheduled Machine rests between runs, and one
/// without services may be done.
fn ended_badly(group: &DesiredGroup, seen: &Machine) -> bool {
    let config = seen.config.as_deref();
    let scheduled = config.is_some_and(|config| config.schedule.is_some());
    let serves = group.template.has_services() || group.template.has_checks();
    let badly = seen
        .last_exit()
        .is_some_and(|exit| exit.is_crash() || serves);
    seen.exited_by_itself() && badly && !scheduled
}

/// Unconfirmed Machines of a run, if others change as well: they are kept, to show first whether the others
/// would work. If they were the first to go, each retry would take down one more Machine.
pub(super) fn tried<'m, 'a: 'm>(
    group: &DesiredGroup,
    members: impl Iterator<Item = &'m Member<'a>> + Clone,
    fields: &mut ConfigComparer<'a>,
) -> BTreeSet<&'a MachineId> {
    let fails = |member: &&Member<'_>| {
        member.proof == ChangeProof::No && Evidence::of(group, member) != Evidence::Enough
    };
    let tried: BTreeSet<&MachineId> = members.clone().filter(fails).map(|m| m.id).collect();
    if tried.is_empty() {
        return tried;
    }
    let mut others = members.filter(|member| !tried.contains(member.id));
    let any_changes = others
        .any(|member| member.moved_from.is_some() || !fields.compare(member).changes.is_empty());
    if any_changes { tried } else { BTreeSet::new() }
}

/// Adds waits and starts for unconfirmed Machines without changes.
pub(super) fn wait_for_unproven<'a>(
    group: &DesiredGroup,
    lineage: &Lineage,
    fields: &mut ConfigComparer<'a>,
    decision: &mut GroupDecision<'a>,
) {
    let changed = decision.changed.iter().map(|changed| changed.member.id);
    let removed = decision.removed.iter().map(|removed| removed.member.id);
    let touched: BTreeSet<&MachineId> = changed.chain(removed).collect();
    let adopted = decision.adopted.iter().map(|(member, _)| member);
    let standbys = adopted.filter(|member| member.is_standby());
    let awaited: Vec<AwaitedMachine<'a>> = decision
        .primaries
        .iter()
        .chain(standbys)
        .filter(|member| !touched.contains(member.id))
        .filter_map(|member| {
            let (proof, reason) = match Evidence::of(group, member) {
                Evidence::Enough => return None,
                Evidence::NotYet | Evidence::Up => (
                    AwaitMethod::Wait,
                    never_seen_healthy(group, member, lineage),
                ),
                Evidence::Ended => (AwaitMethod::Start, exit_text(member)),
            };
            Some(AwaitedMachine {
                method: proof,
                gate: if member.is_standby() {
                    GateKind::Settled
                } else {
                    gate(group)
                },
                reason,
                precondition: fields.precondition(member),
                member: member.clone(),
            })
        })
        .collect();
    let ids: BTreeSet<&MachineId> = awaited.iter().map(|awaited| awaited.member.id).collect();
    decision
        .adopted
        .retain(|(member, _)| !ids.contains(member.id));
    decision.unproven = awaited;
}

/// `updated by run w6x2…, never seen healthy`.
fn never_seen_healthy(group: &DesiredGroup, member: &Member<'_>, lineage: &Lineage) -> String {
    let never = match gate(group) {
        _ if member.is_standby() => "never seen at rest",
        GateKind::Healthy => "never seen healthy",
        GateKind::None
        | GateKind::Settled
        | GateKind::Started
        | GateKind::Gone
        | GateKind::Ended => "never seen to stay up",
    };
    let run = member.observed.and_then(|seen| seen.stamps.run.as_ref());
    match run {
        Some(run) if made_by_its_last_run(member, lineage) => {
            format!("created by run {run}, {never}")
        }
        Some(run) => format!("updated by run {run}, {never}"),
        None => format!("{never} after its last change"),
    }
}

/// Whether the run that changed it last also created it: its launch id comes from the same serial.
fn made_by_its_last_run(member: &Member<'_>, lineage: &Lineage) -> bool {
    if member.known.is_none() {
        return true;
    }
    let serial = member.observed.and_then(|seen| seen.stamps.serial);
    let group = member.moved_from.as_ref().unwrap_or(&member.group);
    let regions = [member.region].into_iter();
    let regions = regions.chain(&member.requested_region);
    named_by(member.name, group, serial, lineage, regions).is_some()
}

/// `code 1`, `signal 9`.
fn code_or_signal(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (_, Some(signal)) => format!("signal {signal}"),
        (Some(code), None) => format!("code {code}"),
        (None, None) => "an unknown code".to_owned(),
    }
}

/// Why a changed Machine is not proven: how it ended, or that it was never seen healthy.
pub(super) fn failing_text(group: &DesiredGroup, member: &Member<'_>) -> String {
    match Evidence::of(group, member) {
        Evidence::Ended => exit_text(member),
        Evidence::NotYet | Evidence::Up | Evidence::Enough => "never seen healthy".to_owned(),
    }
}

/// `exited with code 1 after release v2`.
fn exit_text(member: &Member<'_>) -> String {
    let Some(seen) = member.observed else {
        return "exited on its own".to_owned();
    };
    if seen.removal_begun() {
        return "stopped by a rollback that did not end".to_owned();
    }
    let how = match (seen.state, seen.last_exit(), seen.detail.as_deref()) {
        (_, Some(exit), _) if exit.oom_killed => "ran out of memory".to_owned(),
        (MachineState::Failed, _, Some(detail)) => format!("failed ({detail})"),
        (MachineState::Failed, _, None) => "failed".to_owned(),
        (_, Some(exit), _) => format!("exited with {}", code_or_signal(&exit)),
        (_, None, _) => "ended by itself".to_owned(),
    };
    let stamps = &seen.stamps;
    match (&stamps.release, &stamps.run) {
        (Some(release), _) => format!("{how} after release v{}", release.version),
        (None, Some(run)) => format!("{how} after run {run}"),
        (None, None) => how,
    }
}
