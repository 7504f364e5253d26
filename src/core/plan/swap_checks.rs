//! What a plan says about a bluegreen update before it begins: which groups are swapped, what makes a swap
//! impossible, and what works twice while both sets of Machines run.
//!
//! Reads the decisions about each group; plans no step.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codes;
use super::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision};
use super::filter::FilterFlag;
use super::members::Member;
use super::notes::{Remarks, note};
use super::options::Options;
use super::requested::Requested;
use super::rollout::format_groups;
use super::steady::steady_ms;
use super::types::Note;
use crate::core::fleet::{Capabilities, DesiredGroup, GroupName, MachineState, Region, Trial};

/// A group that is swapped, with its decision.
type Swapped<'d, 'a> = (&'d GroupName, &'d GroupDecision<'a>, &'a DesiredGroup);

/// Whether the plan replaces all Machines of this group with a second set: its strategy is `bluegreen`, and
/// [running Machines change](changes_running).
pub(super) fn swaps(decision: &GroupDecision<'_>) -> bool {
    let is_bluegreen = |group: &DesiredGroup| group.trial == Some(Trial::Bluegreen);
    match &decision.swap {
        Some(swap) => !swap.is_finishing(),
        None => decision.desired.is_some_and(is_bluegreen) && changes_running(decision),
    }
}

/// Whether a running primary gets another config or comes from another group. A restart, a count and bookkeeping
/// change no Machine in this sense.
pub(super) fn changes_running(decision: &GroupDecision<'_>) -> bool {
    let gets_config = |changed: &ChangedMachine<'_>| {
        changed.role == ChangeRole::Primary
            && (!changed.changes.is_empty() || changed.method == ChangeMethod::Move)
            && is_running(&changed.member)
    };
    decision.all_changed().any(gets_config)
}

/// Offline a Machine counts as running.
pub(super) fn is_running(member: &Member<'_>) -> bool {
    match member.state() {
        None
        | Some(
            MachineState::Started
            | MachineState::Starting
            | MachineState::Replacing
            | MachineState::Unknown,
        ) => true,
        Some(
            MachineState::Created
            | MachineState::Stopping
            | MachineState::Stopped
            | MachineState::Suspending
            | MachineState::Suspended
            | MachineState::Failed
            | MachineState::Destroying
            | MachineState::Destroyed,
        ) => false,
    }
}

/// Refusals and warnings about the groups that are swapped. The decisions are those that the filters leave.
pub(super) fn check(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    options: &Options,
    capabilities: Option<&Capabilities>,
) -> Remarks {
    let swapped = decisions
        .iter()
        .filter(|(_, decision)| swaps(decision))
        .filter_map(|(name, decision)| Some((name, decision, decision.desired?)));
    let swapped: Vec<Swapped<'_, '_>> = swapped.collect();
    let requested = &options.requested;
    let mut refusals = Vec::new();
    for (name, decision, group) in &swapped {
        refusals.extend(refuse_mounts(name, decision, group));
        refusals.extend(refuse_filter(name, decision, requested));
    }
    refusals.extend(refuse_without_checks(&swapped));
    let mut warnings = Vec::new();
    if refusals.is_empty() {
        warnings.extend(unchecked(&swapped));
        // Offline they are not known.
        let waits_ms = capabilities.map_or(0, |of| of.swap_wait_ms.saturating_mul(2));
        let twice = swapped
            .iter()
            .filter(|(.., group)| !group.template.has_services());
        warnings.extend(twice.map(|(name, _, group)| {
            let steady_ms = steady_ms(group, requested, capabilities).unwrap_or(0);
            works_twice(name, group, (steady_ms, waits_ms))
        }));
    }
    Remarks {
        warnings,
        refusals,
        ..Remarks::default()
    }
}

/// When `verify` runs, as a phrase. A swap has destroyed the old Machines by then.
pub(super) fn verify_time(decisions: &BTreeMap<GroupName, GroupDecision<'_>>) -> String {
    let swapped = decisions.iter().filter(|(_, decision)| swaps(decision));
    let swapped: Vec<&GroupName> = swapped.map(|(name, _)| name).collect();
    if swapped.is_empty() {
        return "runs after the updates and before Machines are destroyed".to_owned();
    }
    format!(
        "runs after the updates, when the old Machines of {} are gone (if it fails, they do not come back)",
        format_groups(&swapped)
    )
}

/// A volume has one Machine, so a second set of Machines would begin without the data.
fn refuse_mounts(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    group: &DesiredGroup,
) -> Option<Note> {
    let holds_volume = |member: &Member<'_>| !member.volumes().is_empty();
    if !group.template.has_mounts() && !decision.members.iter().any(holds_volume) {
        return None;
    }
    let message = format!(
        "group `{name}` has volumes, which its Machines cannot share with the second set of a bluegreen update"
    );
    Some(
        note(codes::BLUEGREEN_WITH_MOUNTS, message)
            .for_group(name)
            .with_hint(other_strategy(name)),
    )
}

/// Refuses a filter that leaves out a part of the group: half a set replaces nothing.
fn refuse_filter(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    requested: &Requested,
) -> Option<Note> {
    let existing = decision.members.iter();
    let existing = existing.map(|member| (member.region, Some(member)));
    let new = decision.creates.iter().chain(&decision.standbys);
    let mut places = existing.chain(new.map(|region| (region, None)));
    let filter = places.find_map(|(region, member): (&Region, Option<&Member<'_>>)| {
        let flag = requested.left_out_by(name, region, member)?;
        (flag != FilterFlag::ProcessGroups).then_some(flag)
    })?;
    let message = format!(
        "`{}` leaves out Machines of group `{name}`, which a bluegreen update replaces together",
        requested.flag_text(filter)
    );
    let hint =
        "`--process-groups` chooses complete groups; `--strategy rolling` updates a part of one";
    Some(
        note(codes::BLUEGREEN_FILTERED, message)
            .for_group(name)
            .with_hint(hint),
    )
}

/// flyctl refuses the same: without any check nothing says that the new Machines work.
fn refuse_without_checks(swapped: &[Swapped<'_, '_>]) -> Option<Note> {
    if swapped.is_empty()
        || swapped
            .iter()
            .any(|(.., group)| group.template.has_checks())
    {
        return None;
    }
    let names: Vec<&GroupName> = swapped.iter().map(|(name, ..)| *name).collect();
    let message = format!(
        "{} would be updated with `bluegreen`, and no check says whether the new Machines work",
        format_groups(&names)
    );
    let hint = "add a check in fly.toml (`[checks]`, `[[http_service.checks]]`), or use `--strategy rolling`";
    Some(note(codes::BLUEGREEN_WITHOUT_CHECKS, message).with_hint(hint))
}

/// Warns of groups that take requests after the switch without having passed a check.
fn unchecked(swapped: &[Swapped<'_, '_>]) -> Option<Note> {
    let serves = swapped
        .iter()
        .filter(|(.., group)| group.template.has_services() && !group.template.has_checks());
    let names: Vec<&GroupName> = serves.map(|(name, ..)| *name).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "{}: services without checks, so before the switch it is only known that the new Machines started and \
         stayed up",
        format_groups(&names)
    );
    let hint = "a check of its service (`[[http_service.checks]]`) tests the new Machines before they get requests";
    Some(note(codes::SWAP_UNCHECKED, message).with_hint(hint))
}

/// Warns of a group that takes its work from elsewhere than the proxy: a cordon does not hold back its new Machines.
/// `waits_ms` are the two waits of a swap.
fn works_twice(name: &GroupName, group: &DesiredGroup, (steady_ms, waits_ms): (u64, u64)) -> Note {
    let seconds = |ms: u64| format!("{:?}", Duration::from_millis(ms));
    let most_ms = group.wait_timeout_s.saturating_mul(1000);
    let most = seconds(most_ms.saturating_add(waits_ms));
    let time = match steady_ms.saturating_add(waits_ms) {
        0 => format!(" for at most {most}"),
        usual_ms => format!(
            " for about {} (at most {most}, if the new ones take long to pass)",
            seconds(usual_ms)
        ),
    };
    let message = format!(
        "group `{name}` has no services, so its old and its new Machines work side by side{time}"
    );
    let hint = format!(
        "if its work must not be done twice (schedules, queues without locks), write `strategy = \"rolling\"` in \
         `[groups.{}.deploy]`",
        name.toml_key()
    );
    note(codes::WORKS_TWICE, message)
        .for_group(name)
        .with_hint(hint)
}

/// How to update the group without a second set.
fn other_strategy(name: &GroupName) -> String {
    format!(
        "`--strategy rolling` or `immediate` in this plan; `strategy = \"rolling\"` in `[groups.{}.deploy]` for good",
        name.toml_key()
    )
}
