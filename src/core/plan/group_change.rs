//! One group before and after a plan: its counts, its waves, and how its Machines change. Data, and where it comes
//! from; decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::decision::GroupDecision;
use super::gates::gate;
use super::options::Options;
use super::reconcile::to_count;
use super::summary::changes;
use super::swap_overlap::SwapOverlap;
use super::types::{GateKind, Step};
use super::waves::{LowestServing, Wave};
use super::{group_notes, pace, placement, steady};
use crate::core::fleet::secret::patterns;
use crate::core::fleet::{Capabilities, DesiredGroup, GroupName, GroupsOrder, Region};

/// One group before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupChange {
    /// Its name.
    pub name: GroupName,
    /// Its command as written.
    pub command: Option<String>,
    /// Machines before, standbys included.
    pub before: u32,
    /// Machines after, standbys included.
    pub after: u32,
    /// What happens to it.
    pub verdict: GroupVerdict,
    /// Machines per region, before and after.
    pub regions: BTreeMap<Region, (u32, u32)>,
    /// Primaries per region, after.
    #[serde(default)]
    pub primaries: BTreeMap<Region, u32>,
    /// The reason for the count, and how to change it, if none is written.
    #[serde(rename = "why")]
    pub count_reason: Option<String>,
    /// The groups that `[[moved]]` merges into it, by name.
    pub moved_from: Vec<GroupName>,
    /// How many of the Machines before come from those.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[serde(rename = "came")]
    pub moved_in: u32,
    /// How its Machines are updated, for people (`rolling: 1 first, then 2 at a time`), within the executor's
    /// limit.
    pub strategy: String,
    /// The waves in which its Machines are updated, moved or replaced, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// How many of its Machines serve at least, at every moment of the apply, if nothing fails; none if no
    /// Machine of it goes down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_serving: Option<LowestServing>,
    /// The checks that its gates wait for, for people (`/up`, `tcp 5432`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// How long a gate waits at most, in milliseconds; none if its gates wait for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout_ms: Option<u64>,
    /// How long a Machine must stay up before its change counts as done, in milliseconds; none if that is not
    /// required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
    /// The minimum duration of its changes in milliseconds: windows that follow each other. None without
    /// windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_ms: Option<u64>,
    /// Both sets of its swap; none if it is not swapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<SwapOverlap>,
    /// The size of its Machines, if set (`shared-cpu-2x 1 GB`).
    pub size: Option<String>,
    /// The service written as `[http_service]`, as field changes name it (`8080 tcp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_service: Option<String>,
    /// fly.toml sets the size by `cpu_kind` or `cpus` and not by its name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_size_in_parts: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What happens to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupVerdict {
    /// It is new.
    Added,
    /// It is removed.
    Removed,
    /// Some of it changes.
    Changed,
    /// Nothing of it changes.
    Unchanged,
}

/// The groups that change, list by list of `groups_order`; none if fewer than two lists have some. Removed groups are
/// last in any order.
pub(super) fn changed_lists(
    groups: &[GroupChange],
    order: Option<&GroupsOrder>,
) -> Vec<Vec<GroupName>> {
    let Some(order) = order else {
        return Vec::new();
    };
    let mut lists: BTreeMap<usize, Vec<GroupName>> = BTreeMap::new();
    for group in groups {
        if group.verdict == GroupVerdict::Added || !group.waves.is_empty() {
            let list = lists.entry(order.position(&group.name)).or_default();
            list.push(group.name.clone());
        }
    }
    if lists.len() < 2 {
        return Vec::new();
    }
    lists.into_values().collect()
}

pub(super) fn group_changes(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    steps: &[Step],
    paces: &pace::Paces,
    options: &Options,
    capabilities: Option<&Capabilities>,
) -> Vec<GroupChange> {
    let touched: BTreeSet<&GroupName> = changes(steps).map(|(_, change)| &change.group).collect();
    decisions
        .iter()
        .map(|(name, decision)| {
            let steady = |desired: &DesiredGroup| {
                steady::steady_ms(desired, &options.requested, capabilities)
            };
            group_change(name, decision, touched.contains(name), paces, steady)
        })
        .collect()
}

fn group_change(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    touched: bool,
    paces: &pace::Paces,
    steady: impl Fn(&DesiredGroup) -> Option<u64>,
) -> GroupChange {
    let mut regions: BTreeMap<Region, (u32, u32)> = BTreeMap::new();
    for member in &decision.members {
        let entry = regions.entry(member.region.clone()).or_default();
        entry.0 += 1;
        entry.1 += 1;
    }
    for region in decision.creates.iter().chain(&decision.standbys) {
        regions.entry(region.clone()).or_default().1 += 1;
    }
    for gone in &decision.removed {
        let entry = regions
            .get_mut(gone.member.region)
            .expect("who goes is a member");
        entry.1 -= 1;
    }
    // The greens of a swap that an earlier run has switched are members already.
    let finishing = decision.swap.as_ref().filter(|swap| swap.is_finishing());
    for gone in finishing.iter().flat_map(|swap| &swap.blues) {
        let entry = regions
            .get_mut(gone.member.region)
            .expect("who goes is a member");
        entry.1 -= 1;
    }
    let mut primaries: BTreeMap<Region, u32> = BTreeMap::new();
    let stay = decision.primaries.iter().map(|member| member.region);
    for region in stay.chain(&decision.creates) {
        *primaries.entry(region.clone()).or_default() += 1;
    }
    for changed in &decision.changed {
        let (from, to) = (
            changed.member.region,
            placement::of_successor(changed, decision.desired),
        );
        if from != to {
            regions.entry(from.clone()).or_default().1 -= 1;
            regions.entry(to.clone()).or_default().1 += 1;
            if decision.primaries.iter().any(|p| p.id == changed.member.id) {
                *primaries.entry(from.clone()).or_default() -= 1;
                *primaries.entry(to.clone()).or_default() += 1;
            }
        }
    }
    primaries.retain(|_, count| *count > 0);
    let before = to_count(decision.members.len());
    let after = regions.values().map(|(_, after)| after).sum();
    let verdict = match (decision.desired, before) {
        (None, _) if decision.removed.len() == decision.members.len() => GroupVerdict::Removed,
        (Some(_), 0) if touched => GroupVerdict::Added,
        (_, _) if touched => GroupVerdict::Changed,
        (_, _) => GroupVerdict::Unchanged,
    };
    let changed = decision
        .desired
        .filter(|_| verdict != GroupVerdict::Unchanged);
    let steady_ms = changed.and_then(steady);
    let (strategy, at_least_ms) = paces.describe(name, decision.desired, steady_ms);
    let members = decision.members.iter();
    let came = members.filter_map(|member| member.moved_from.as_ref());
    let moved_from: BTreeSet<&GroupName> = came.clone().collect();
    GroupChange {
        name: name.clone(),
        command: decision
            .desired
            .and_then(|group| group.command.as_deref())
            .map(|command| patterns::redact(command).into_owned()),
        before,
        after,
        verdict,
        regions,
        primaries,
        count_reason: decision.count_reason.clone().filter(|_| touched),
        moved_from: moved_from.into_iter().cloned().collect(),
        moved_in: to_count(came.count()),
        strategy,
        waves: Vec::new(),
        lowest_serving: paces.lowest_serving(name).cloned(),
        checks: changed.map_or_else(Vec::new, group_notes::check_texts),
        wait_timeout_ms: changed
            .filter(|group| gate(group) != GateKind::None)
            .map(|group| group.wait_timeout_s.saturating_mul(1000)),
        steady_ms,
        at_least_ms,
        overlap: None,
        size: group_notes::size_text(decision),
        http_service: decision
            .desired
            .and_then(|group| group.locations.http_service.clone()),
        has_size_in_parts: decision
            .desired
            .is_some_and(|group| group.locations.has_size_in_parts),
    }
}
