//! Machines that are as wanted and fail their checks while a rolling update would take others of their
//! group down: they are waited for first, since the strategy's promise counts them as well.

use std::collections::BTreeSet;

use super::decision::{Awaited, Changed, Decision, How, Proof, Role};
use super::fields::Fields;
use super::members::Member;
use super::types::GateKind;
use crate::core::fleet::{
    CheckState, CheckStatus, DesiredGroup, MachineId, MachineState, Strategy,
};

/// Has those waited for that must pass before the update takes anyone down.
pub(super) fn await_them<'a>(
    wanted: &DesiredGroup,
    fields: &mut Fields<'a>,
    decision: &mut Decision<'a>,
) {
    let rolls = matches!(wanted.strategy, Strategy::Rolling { .. });
    let goes_down = |changed: &Changed<'_>| {
        changed.role == Role::Primary && changed.how != How::Replace && serves(&changed.member)
    };
    if !rolls || !wanted.template.has_checks() || !decision.changed.iter().any(goes_down) {
        return;
    }
    let is_changed = |member: &Member<'_>| {
        let mut changed = decision.changed.iter();
        changed.any(|changed| changed.member.id == member.id)
    };
    let awaited: BTreeSet<&MachineId> = decision.unproven.iter().map(|a| a.member.id).collect();
    let sick: Vec<Awaited<'a>> = decision
        .primaries
        .iter()
        .filter(|member| fails(member) && !is_changed(member) && !member.excluded)
        .filter(|member| !awaited.contains(member.id))
        .map(|member| Awaited {
            proof: Proof::Wait,
            gate: GateKind::Healthy,
            reason: "its checks fail, and no other goes down before they pass".to_owned(),
            pin: fields.pin(member),
            member: member.clone(),
        })
        .collect();
    let ids: BTreeSet<&MachineId> = sick.iter().map(|awaited| awaited.member.id).collect();
    decision
        .adopted
        .retain(|(member, _)| !ids.contains(member.id));
    decision.sick = sick;
}

fn serves(member: &Member<'_>) -> bool {
    member.state().is_none_or(MachineState::runs) && !fails(member)
}

fn fails(member: &Member<'_>) -> bool {
    let critical = |check: &CheckStatus| check.status == CheckState::Critical;
    member.host_ok()
        && member.seen.is_some_and(|seen| {
            seen.state == MachineState::Started && seen.checks.iter().any(critical)
        })
}
