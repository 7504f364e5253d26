//! Machines without changes that fail their checks while a rolling update would take others of their group
//! down. They are waited for first, since they count as unavailable.

use std::collections::BTreeSet;

use super::decision::{
    AwaitMethod, AwaitedMachine, ChangeMethod, ChangeRole, ChangedMachine, GroupDecision,
};
use super::fields::ConfigComparer;
use super::members::Member;
use super::types::GateKind;
use crate::core::fleet::{
    CheckState, CheckStatus, DesiredGroup, MachineId, MachineState, Strategy,
};

/// Adds waits for the Machines that must pass their checks before the update takes any down.
pub(super) fn wait_for_unhealthy<'a>(
    group: &DesiredGroup,
    fields: &mut ConfigComparer<'a>,
    decision: &mut GroupDecision<'a>,
) {
    let rolls = matches!(group.strategy, Strategy::Rolling { .. });
    if !rolls || !group.template.has_checks() || !decision.changed.iter().any(goes_down) {
        return;
    }
    let is_changed = |member: &Member<'_>| {
        let mut changed = decision.changed.iter();
        changed.any(|changed| changed.member.id == member.id)
    };
    let awaited: BTreeSet<&MachineId> = decision.unproven.iter().map(|a| a.member.id).collect();
    let unhealthy: Vec<AwaitedMachine<'a>> = decision
        .primaries
        .iter()
        .filter(|member| is_failing_checks(member) && !is_changed(member))
        .filter(|member| !awaited.contains(member.id))
        .map(|member| AwaitedMachine {
            method: AwaitMethod::Wait,
            gate: GateKind::Healthy,
            reason: "its checks fail; no other Machine goes down before they pass".to_owned(),
            precondition: fields.precondition(member),
            member: member.clone(),
        })
        .collect();
    let ids: BTreeSet<&MachineId> = unhealthy.iter().map(|awaited| awaited.member.id).collect();
    decision
        .adopted
        .retain(|(member, _)| !ids.contains(member.id));
    decision.unhealthy = unhealthy;
}

/// Whether a serving primary is down during this change.
pub(super) fn goes_down(changed: &ChangedMachine<'_>) -> bool {
    changed.role == ChangeRole::Primary
        && changed.method != ChangeMethod::Replace
        && is_serving(&changed.member)
}

fn is_serving(member: &Member<'_>) -> bool {
    member.state().is_none_or(MachineState::should_run) && !is_failing_checks(member)
}

fn is_failing_checks(member: &Member<'_>) -> bool {
    let critical = |check: &CheckStatus| check.status == CheckState::Critical;
    member.host_ok()
        && member.observed.is_some_and(|seen| {
            seen.state == MachineState::Started && seen.checks.iter().any(critical)
        })
}
