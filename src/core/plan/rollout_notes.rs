//! Notes about settings of a rollout that do less, or more, than they seem to: an order of regions where nothing is,
//! a limit that allows everything, settings beside `immediate` and `bluegreen`.
//!
//! Reads the decisions about each group; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::GroupDecision;
use super::notes::{format_machine_count, note};
use super::order::{can_be_woken, nothing_runs};
use super::requested::{ChosenStrategy, Requested};
use super::rollout::format_groups;
use super::swap_checks;
use super::types::Note;
use crate::core::fleet::{DesiredGroup, GroupName, OrderedRegions, Region, Strategy};

type Decisions<'a> = BTreeMap<GroupName, GroupDecision<'a>>;

/// The groups of which existing Machines change or are swapped.
fn changed<'d, 'a>(
    decisions: &'d Decisions<'a>,
) -> impl Iterator<Item = (&'d GroupName, &'d GroupDecision<'a>, &'a DesiredGroup)> {
    let changed = decisions
        .iter()
        .filter(|(_, one)| !one.changed.is_empty() || swap_checks::swaps(one));
    changed.filter_map(|(name, decision)| Some((name, decision, decision.desired?)))
}

/// Notes about the limit and the order of each group.
pub(super) fn notes(decisions: &Decisions<'_>, requested: &Requested) -> Vec<Note> {
    let one_by_one = changed(decisions).filter(|(_, decision, _)| !swap_checks::swaps(decision));
    let of_groups = one_by_one.flat_map(|(name, decision, desired)| {
        [
            all_at_once(name, decision, desired, requested),
            order_without_machines(name, decision, desired),
        ]
    });
    let proofs = proof_notes(decisions, requested.wake);
    of_groups.flatten().chain(proofs).collect()
}

fn all_at_once(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    desired: &DesiredGroup,
    requested: &Requested,
) -> Option<Note> {
    let Strategy::Rolling { max_unavailable } = desired.strategy else {
        return None;
    };
    let machines = decision.members.len();
    if machines < 2 || max_unavailable.to_count_ceil(machines) < machines {
        return None;
    }
    let setting = if requested.max_unavailable.is_some() {
        "`--max-unavailable`"
    } else {
        "`max_unavailable`"
    };
    let message = format!(
        "group `{name}`: {setting} allows all of its {} to be down at once; of several in a region, one stays up",
        format_machine_count(machines)
    );
    Some(
        note(codes::ALL_AT_ONCE, message)
            .for_group(name)
            .with_hint(format!("lower {setting}; by default a third may be down")),
    )
}

fn order_without_machines(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    desired: &DesiredGroup,
) -> Option<Note> {
    let members = decision.members.iter().map(|member| member.region);
    let used: BTreeSet<&Region> = members
        .chain(&decision.creates)
        .chain(&decision.standbys)
        .collect();
    let order = desired.region_order.iter();
    let empty: Vec<&str> = order
        .filter_map(|entry| match entry {
            OrderedRegions::Region(region) if !used.contains(region) => Some(region.as_str()),
            OrderedRegions::Region(_) | OrderedRegions::Others => None,
        })
        .collect();
    if empty.is_empty() {
        return None;
    }
    let message = format!(
        "group `{name}`: `order` names {}, where it has no Machines",
        empty.join(", ")
    );
    let used: Vec<&str> = used.into_iter().map(Region::as_str).collect();
    Some(
        note(codes::ORDER_WITHOUT_MACHINES, message)
            .for_group(name)
            .with_hint(format!("its regions are {}", used.join(", "))),
    )
}

/// Warns of settings that `immediate` and `bluegreen` do not use. Where the files alone say so, they are warned of in
/// the files.
pub(super) fn warnings(decisions: &Decisions<'_>, requested: &Requested) -> Vec<Note> {
    let mut ignored: BTreeMap<(ChosenStrategy, Vec<&str>), Vec<&GroupName>> = BTreeMap::new();
    for (name, decision, desired) in changed(decisions) {
        let strategy = if desired.strategy == Strategy::Immediate {
            ChosenStrategy::Immediate
        } else if swap_checks::swaps(decision) {
            ChosenStrategy::Bluegreen
        } else {
            continue;
        };
        let settings = ignored_settings(desired, requested, strategy);
        if !settings.is_empty() {
            let groups = ignored.entry((strategy, settings)).or_default();
            groups.push(name);
        }
    }
    let warning =
        |((strategy, settings), groups): ((ChosenStrategy, Vec<&str>), Vec<&GroupName>)| {
            let message = format!(
                "{}: {} without effect, because the strategy is `{}`",
                format_groups(&groups),
                settings.join(" and "),
                strategy.as_str()
            );
            let why = match strategy {
                ChosenStrategy::Bluegreen => "the new Machines start and switch together",
                ChosenStrategy::Immediate | ChosenStrategy::Rolling | ChosenStrategy::Canary => {
                    "`immediate` waits for nothing"
                }
            };
            note(codes::STRATEGY_IGNORES, message)
                .with_hint(format!("{why}; `--strategy rolling` uses them"))
        };
    ignored.into_iter().map(warning).collect()
}

/// The settings that this strategy does not use: those of the files if a flag chose it, and flags.
fn ignored_settings(
    desired: &DesiredGroup,
    requested: &Requested,
    strategy: ChosenStrategy,
) -> Vec<&'static str> {
    let by_flag = requested.strategy == Some(strategy);
    let is_window = |ms: Option<u64>| ms.is_some_and(|ms| ms > 0);
    let steady = is_window(requested.steady_ms)
        || by_flag && requested.steady_ms.is_none() && is_window(desired.steady_ms);
    let settings = [
        (by_flag && !desired.region_order.is_empty(), "`order`"),
        (steady && strategy == ChosenStrategy::Immediate, "`steady`"),
        (requested.max_unavailable.is_some(), "`--max-unavailable`"),
    ];
    let ignored = settings.into_iter();
    ignored
        .filter_map(|(is_ignored, setting)| is_ignored.then_some(setting))
        .collect()
}

/// Where no check can prove a change since nothing of its group runs, and where `--wake` starts nothing.
fn proof_notes(decisions: &Decisions<'_>, wake: bool) -> Vec<Note> {
    let mut found = Vec::new();
    let mut running = Vec::new();
    let mut immediate = Vec::new();
    let mut unchecked = Vec::new();
    for (name, decision) in decisions {
        let Some(group) = decision.desired else {
            continue;
        };
        if nothing_runs(group, decision) {
            if !wake && group.template.has_checks() {
                let message = format!(
                    "nothing of group `{name}` runs: its checks do not run, so the change is not proven"
                );
                let hint = "`--wake` starts one Machine first and waits for its checks";
                let found_one = note(codes::NOT_PROVEN, message).with_hint(hint);
                found.push(found_one.for_group(name));
            } else if wake && !can_be_woken(group, decision) {
                unchecked.push(name);
            }
        } else if !decision.changed.is_empty() && group.strategy == Strategy::Immediate {
            immediate.push(name);
        } else if !decision.changed.is_empty() {
            running.push(name);
        }
    }
    let reasons = [
        (running, "Machines of it run or start"),
        (
            immediate,
            "the strategy is `immediate`, which waits for none",
        ),
        (unchecked, "it has no checks, or it runs by a schedule"),
    ];
    for (groups, why) in reasons {
        if wake && !groups.is_empty() {
            let groups = format_groups(&groups);
            let message = format!("`--wake` starts no Machine of {groups}: {why}");
            found.push(note(codes::WAKE_NOT_NEEDED, message));
        }
    }
    found
}
