//! Machines that are as wanted and fail their checks while a rolling update would take others of their
//! group down: they are waited for first, since the strategy's promise counts them as well.

use super::decision::{Changed, Decision, How, Role};
use super::members::Member;
use crate::core::fleet::{CheckState, CheckStatus, DesiredGroup, MachineState, Strategy};

/// Has those waited for that must pass before the update takes anyone down.
pub(super) fn await_them(wanted: &DesiredGroup, decision: &mut Decision<'_>) {
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
    let sick: Vec<Member<'_>> = decision
        .primaries
        .iter()
        .filter(|member| fails(member) && !is_changed(member) && !member.excluded)
        .cloned()
        .collect();
    for mut member in sick {
        let mut adopted = decision.adopted.iter_mut();
        if let Some((adopted, _)) = adopted.find(|(adopted, _)| adopted.id == member.id) {
            adopted.unsettled = true;
            continue;
        }
        member.unsettled = true;
        let reason = "its checks fail, and no other goes down before they pass".to_owned();
        decision.adopted.push((member, reason));
    }
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
