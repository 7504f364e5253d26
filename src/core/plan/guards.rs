//! Refusals and warnings (rule 33). The plan is shown with them.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::{
    AwaitMethod, AwaitedMachine, ChangeMethod, ChangedMachine, GroupDecision, RemovedMachine,
};
use super::gates::WaveClass;
use super::group_notes;
use super::members::{Fleet, Member, count_successor_pairs};
use super::notes::{format_machine_count, note};
use super::options::PlanMode;
use super::running;
use super::summary::short_digest;
use super::types::{Note, Removal};
use crate::core::fleet::schema::Service;
use crate::core::fleet::{Count, Desired, GroupName, Known, MachineConfig, MachineId};
use crate::core::manifest::codes::MIN_ABOVE_COUNT;

/// Groups that may not lose Machines or volumes: protected in the manifests, the state, or a stamp.
pub(super) fn protected(
    desired: &Desired,
    known: &Known,
    fleet: &Fleet<'_>,
) -> BTreeSet<GroupName> {
    let moved: BTreeMap<_, _> = desired.moved.iter().map(|m| (&m.from, &m.to)).collect();
    let in_manifest = desired
        .groups
        .iter()
        .filter(|(_, group)| group.protect)
        .map(|(name, _)| name);
    let in_state = known
        .protected_groups
        .iter()
        .map(|name| moved.get(name).copied().unwrap_or(name));
    // With a state, the stamps add nothing. Without one, they are the only record of the flag.
    let stamped = fleet
        .members
        .iter()
        .filter(|_| known.serial == 0)
        .filter(|(_, all)| {
            all.iter()
                .any(|m| m.observed.is_some_and(|seen| seen.stamps.protect))
        })
        .map(|(name, _)| name);
    in_manifest
        .chain(in_state)
        .chain(stamped)
        .cloned()
        .collect()
}

/// The refusals of a plan.
pub(super) fn refusals(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    protected: &BTreeSet<GroupName>,
    fleet_size: usize,
) -> Vec<Note> {
    let mut found = Vec::new();
    for (name, decision) in decisions {
        let stuck = || decision.stuck.first().map(|(_, refusal)| refusal.clone());
        found.extend(decision.refusal.clone().or_else(stuck));
        found.extend(refuse_volume_on_another_host(name, decision));
    }
    group_notes::merge_no_image_refusals(&mut found);
    for name in protected {
        found.extend(refuse_protected(desired, name, decisions));
    }
    found.extend(refuse_max_destroy(desired, decisions, fleet_size));
    found
}

/// A Machine that keeps its volume cannot move to another host (docs/platform/fly-toml.md 9).
fn refuse_volume_on_another_host(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let host = ["guest", "host_dedication_id"];
    let stuck = decision.changed.iter().find(|changed| {
        changed.method == ChangeMethod::ReplaceOldFirst
            && changed.changes.iter().any(|change| change.path == host)
    })?;
    Some(
        note(
            codes::VOLUME_ON_ANOTHER_HOST,
            format!(
                "Machine {} of group `{name}` cannot move to another dedicated host: its volume cannot move",
                stuck.member.id
            ),
        )
        .for_group(name)
        .with_hint("create a volume on the new host from a snapshot, or keep `host_dedication_id`"),
    )
}

fn refuse_protected(
    desired: &Desired,
    name: &GroupName,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Option<Note> {
    let nothing = GroupDecision::default();
    let decision = decisions.get(name).unwrap_or(&nothing);
    let away = moved_away(name, decisions);
    let still = desired.groups.get(name).is_some_and(|group| group.protect);
    // A plan that removes the protection destroys nothing, not even Machines that others added.
    let marked = decision
        .removed
        .iter()
        .filter(|removed| !still && is_shrinking(removed.removal));
    let lost = marked.count().max(shrink_count(decision, &away));
    let left = decision
        .removed
        .iter()
        .map(|removed| removed.left_volumes.len())
        .sum::<usize>();
    let volumes = left
        + replacements_leaving_volumes(decision)
            .map(|c| c.member.volumes().len())
            .sum::<usize>()
        + away.iter().map(count_volumes_left).sum::<usize>();
    if lost == 0 && volumes == 0 {
        return None;
    }
    let what = if lost > 0 && !away.is_empty() {
        format!("it would lose {}", format_machine_count(lost))
    } else if lost > 0 {
        format!("{} would be destroyed", format_machine_count(lost))
    } else {
        format!("{volumes} of its volumes would be left behind")
    };
    let hint = if still {
        let key = name.toml_key();
        format!("to allow it, first remove `protect` from `[groups.{key}]` and apply only that")
    } else {
        "first apply only the removal of `protect`: keep the group and its count unchanged"
            .to_owned()
    };
    Some(
        note(
            codes::PROTECTED_GROUP,
            format!("group `{name}` is protected: {what}"),
        )
        .for_group(name)
        .with_hint(hint),
    )
}

/// How far a group shrinks compared to the state, or to the observed number if the state does not have the group.
/// Machines added outside and replacements do not count; Machines that `[[moved]] machine` moves away do.
fn shrink_count(decision: &GroupDecision<'_>, away: &[MovedAway<'_, '_>]) -> usize {
    let (watching, members): (Vec<&Member<'_>>, Vec<_>) =
        decision.members.iter().partition(|m| m.is_standby());
    let is_known = |member: &&&Member<'_>| !member.is_adopted();
    let remembers = |all: &[&Member<'_>]| all.iter().filter(is_known).count();
    let away_known = away.iter().filter(|away| away.is_known).count();
    let nothing = remembers(&watching) + remembers(&members) + away_known == 0;
    let count_lost = |all: &[&Member<'_>], away: (usize, usize), created: usize, standbys: bool| {
        let before = if nothing {
            all.len() + away.0
        } else {
            (remembers(all) + away.1).saturating_sub(count_successor_pairs(all.iter().copied()))
        };
        let removed = decision.removed.iter();
        let removed_here = removed.filter(|removed| removed.member.is_standby() == standbys);
        let after = (all.len() + created).saturating_sub(removed_here.count());
        before.saturating_sub(after)
    };
    let primaries = count_lost(
        &members,
        (away.len(), away_known),
        decision.creates.len(),
        false,
    );
    primaries + count_lost(&watching, (0, 0), decision.standbys.len(), true)
}

/// A Machine that leaves a group for another.
struct MovedAway<'d, 'a> {
    id: &'a MachineId,
    is_known: bool,
    to: &'d GroupDecision<'a>,
}

/// Machines that `[[moved]] machine` takes out of this group. A rename of the group takes out none.
fn moved_away<'d, 'a>(
    name: &GroupName,
    decisions: &'d BTreeMap<GroupName, GroupDecision<'a>>,
) -> Vec<MovedAway<'d, 'a>> {
    let mut away = Vec::new();
    for to in decisions.values() {
        let arrivals = to.members.iter();
        let arrivals = arrivals.filter(|member| member.leaves_group.as_ref() == Some(name));
        away.extend(arrivals.map(|member| MovedAway {
            id: member.id,
            is_known: !member.is_adopted(),
            to,
        }));
    }
    away
}

/// How many volumes the new group leaves behind of this Machine.
fn count_volumes_left(away: &MovedAway<'_, '_>) -> usize {
    let removed = away
        .to
        .removed
        .iter()
        .filter(|removed| removed.member.id == away.id);
    let replaced =
        replacements_leaving_volumes(away.to).filter(|changed| changed.member.id == away.id);
    removed
        .map(|removed| removed.left_volumes.len())
        .chain(replaced.map(|changed| changed.member.volumes().len()))
        .sum()
}

/// Replacements that cannot keep the volume of the old Machine.
fn replacements_leaving_volumes<'d, 'a>(
    decision: &'d GroupDecision<'a>,
) -> impl Iterator<Item = &'d ChangedMachine<'a>> + use<'d, 'a> {
    let leaves = |c: &&ChangedMachine<'_>| {
        c.method == ChangeMethod::Replace && !c.member.volumes().is_empty()
    };
    decision.changed.iter().filter(leaves)
}

/// Whether a removal makes a group smaller.
fn is_shrinking(removal: Removal) -> bool {
    match removal {
        Removal::GroupRemoved | Removal::CountLowered | Removal::AppDestroyed => true,
        Removal::Rebalanced
        | Removal::Replaced
        | Removal::Canary
        | Removal::Named
        | Removal::Swapped
        | Removal::SwapUndone => false,
    }
}

fn refuse_max_destroy(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    fleet_size: usize,
) -> Option<Note> {
    let limit = desired.policy.max_destroy?;
    let counts = |removed: &&RemovedMachine<'_>| match removed.removal {
        Removal::GroupRemoved | Removal::CountLowered | Removal::AppDestroyed => true,
        Removal::Canary => false,
        Removal::Named
        | Removal::Rebalanced
        | Removal::Replaced
        | Removal::Swapped
        | Removal::SwapUndone => !removed.left_volumes.is_empty(),
    };
    let destroys: usize = decisions
        .values()
        .map(|d| {
            d.removed
                .iter()
                .filter(counts)
                .count()
                .max(shrink_count(d, &[]))
        })
        .sum();
    let replaced: usize = decisions
        .values()
        .map(|d| replacements_leaving_volumes(d).count())
        .sum();
    let destroys = destroys + replaced;
    let allowed = limit.to_count_floor(fleet_size);
    (destroys > allowed).then(|| {
        note(
            codes::MAX_DESTROY,
            format!(
                "{} would be destroyed, but `[policy] max_destroy` allows {allowed} of {fleet_size}",
                format_machine_count(destroys)
            ),
        )
        .with_hint("split the change, or raise `max_destroy` in aeroform.toml")
    })
}

/// The warnings of a plan.
pub(super) fn warnings(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    mode: PlanMode,
) -> Vec<Note> {
    let mut found = Vec::new();
    if desired.profile().shares_ports {
        found.extend(warn_shared_ports(desired, decisions));
    }
    if desired.profile().runs_images && mode != PlanMode::Destroy {
        found.extend(warn_mutable_tag(desired, decisions));
    }
    for (name, group) in &desired.groups {
        found.extend(warn_autostop(name, &group.template));
    }
    let above = decisions
        .iter()
        .filter_map(|(name, decision)| warn_min_above_count(name, decision));
    found.extend(above);
    found.extend(
        decisions
            .iter()
            .filter_map(|(name, decision)| warn_not_running(name, decision)),
    );
    found
}

/// Warns if no Machine of a group runs although nothing stops them automatically. Scheduled Machines and those
/// that exited with success do not count.
fn warn_not_running(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let group = decision.desired?;
    let template = &group.template;
    let mut services = template.services.iter().flatten();
    if services.any(Service::has_autostop)
        || template.schedule.is_some()
        || !decision.creates.is_empty()
    {
        return None;
    }
    let comes_up = |changed: &ChangedMachine<'_>| {
        matches!(
            WaveClass::of(group, &changed.member),
            WaveClass::Down | WaveClass::Failing
        )
    };
    let starts = |awaited: &AwaitedMachine<'_>| awaited.method == AwaitMethod::Start;
    let is_started = decision.changed.iter().any(comes_up) || decision.unproven.iter().any(starts);
    let is_removed = |member: &Member<'_>| {
        decision
            .removed
            .iter()
            .any(|removed| removed.member.id == member.id)
    };
    let mut down = Vec::new();
    for member in decision
        .members
        .iter()
        .filter(|m| !m.is_standby() && !is_removed(m))
    {
        let seen = member.observed.filter(|_| member.host_ok())?;
        if !seen.state.is_inactive() && !member.stays_created() {
            return None;
        }
        let config = seen.config.as_deref()?;
        let mut services = config.services.iter().flatten();
        if services.any(Service::has_autostop) {
            return None;
        }
        let done = config.schedule.is_some()
            || seen
                .last_exit()
                .is_some_and(|exit| !exit.requested && exit.is_success());
        if !done {
            down.push(member.id);
        }
    }
    if down.is_empty() {
        return None;
    }
    let message = match down.len() {
        1 => format!("group `{name}`: its Machine is not running"),
        n => format!("group `{name}`: none of its {n} Machines is running"),
    };
    let start: Vec<&str> = down.iter().take(8).map(|id| id.as_str()).collect();
    let start = start.join(" ");
    Some(
        note(codes::NOT_RUNNING, message)
            .for_group(name)
            .with_hint(if is_started {
                "applying the plan starts what is down".to_owned()
            } else {
                format!("to start what is down: `aeroform machine start {start}`")
            }),
    )
}

/// Fly starts existing Machines only. An empty group gets another warning.
fn warn_min_above_count(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let group = decision.desired?;
    let services = group.template.services.iter().flatten();
    let least = services.filter_map(|s| s.min_machines_running).max()?;
    let Count::Written(count) = group.count else {
        return None;
    };
    (count > 0 && least > count).then(|| {
        let message = format!(
            "group `{name}` has {}, but `min_machines_running` is {least}",
            format_machine_count(count as usize)
        );
        note(MIN_ABOVE_COUNT, message)
            .for_group(name)
            .with_hint("lower it, or raise the count: Fly starts existing Machines only")
    })
}

/// Rule 18: an image given by its tag alone, with the digests that run under it.
fn warn_mutable_tag(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Option<Note> {
    let image = desired
        .image
        .as_ref()
        .filter(|image| !image.contains('@'))?;
    let members = decisions.values().flat_map(|decision| &decision.members);
    let digests = running::digests_of(image, members);
    let digests: Vec<String> = digests.iter().map(|digest| short_digest(digest)).collect();
    let running = if digests.is_empty() {
        String::new()
    } else {
        format!("; running {}", digests.join(" and "))
    };
    Some(
        note(
            codes::MUTABLE_TAG,
            format!("image `{image}` is a tag, which can change{running}"),
        )
        .with_hint("use a digest (`…@sha256:…`) to run exactly the image that was reviewed"),
    )
}

/// Two groups on one external port: the proxy spreads requests over both.
fn warn_shared_ports(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Vec<Note> {
    let mut holders: BTreeMap<u16, BTreeSet<&GroupName>> = BTreeMap::new();
    for (name, group) in &desired.groups {
        for port in external_ports(&group.template) {
            holders.entry(port).or_default().insert(name);
        }
    }
    let mut removed_groups = BTreeSet::new();
    for (name, decision) in decisions.iter().filter(|(_, d)| d.desired.is_none()) {
        let configs = decision
            .members
            .iter()
            .filter_map(|m| m.observed.and_then(|s| s.config.as_deref()));
        for port in configs.flat_map(external_ports) {
            if holders.contains_key(&port) {
                holders.entry(port).or_default().insert(name);
                removed_groups.insert(name);
            }
        }
    }
    let mut found = Vec::new();
    for (port, groups) in holders.into_iter().filter(|(_, groups)| groups.len() > 1) {
        let names: Vec<String> = groups.iter().map(|name| format!("`{name}`")).collect();
        let until = if groups.iter().any(|name| removed_groups.contains(*name)) {
            " until the removed group is destroyed"
        } else {
            ""
        };
        found.push(note(
            codes::SHARED_PORT,
            format!(
                "groups {} serve the same external port {port}: requests go to all of them{until}",
                names.join(" and ")
            ),
        ));
    }
    found
}

fn external_ports(config: &MachineConfig) -> impl Iterator<Item = u16> {
    config
        .services
        .iter()
        .flatten()
        .flat_map(|s| s.ports.iter().flatten())
        .filter_map(|p| p.port)
}

fn warn_autostop(name: &GroupName, template: &MachineConfig) -> Option<Note> {
    let service = template
        .services
        .iter()
        .flatten()
        .filter(|service| service.has_autostop())
        .find(|service| service.autostart != Some(true));
    service.map(|service| {
        let started = match service.autostart {
            Some(_) => "`auto_start_machines = false` keeps them stopped",
            None => "`auto_start_machines` is not set",
        };
        note(
            codes::AUTOSTOP_WITHOUT_AUTOSTART,
            format!("group `{name}`: `auto_stop_machines` stops its Machines, and {started}"),
        )
        .for_group(name)
        .with_hint("set `auto_start_machines = true`, or `auto_stop_machines = \"off\"`")
    })
}
