//! Filters of one plan: the groups, regions and Machines that it may change.
//!
//! A filter takes decisions away and adds none. What belongs together stays together: the two halves of a replacement,
//! the create and the destroy of a rebalance, a move and the Machine in its place, a primary and the re-pointing of its
//! standbys. Runs between [`super::reconcile`] and [`super::order`], so that order, guards and the release command see
//! only what is left. Start reading at [`apply`]; [`super::filter_pairs`] decides what belongs together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change::Verb;
use super::codes;
use super::decision::{
    AwaitMethod, AwaitedMachine, ChangeMethod, ChangeRole, ChangedMachine, GroupDecision,
};
use super::filter_pairs::{self, Marks};
use super::members::{Member, MissingMachine};
use super::placement;
use super::requested::{MachineRequest, Requested};
use super::types::{Inherited, Removal};
use super::unhealthy;
use crate::core::code::Code;
use crate::core::fleet::{GroupName, MachineId, Region};

/// Changes of one group that a filter leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The group.
    pub group: GroupName,
    /// The filter, as a flag (`--process-groups worker`).
    pub filter: String,
    /// The number of Machines by what would be done to them.
    pub actions: BTreeMap<Verb, u32>,
    /// Whether a release makes one of these changes, not only a change of counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_release: bool,
    /// The existing ones among them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub machines: BTreeSet<MachineId>,
}

/// Which filter leaves something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FilterFlag {
    ProcessGroups,
    Regions,
    ExcludeRegions,
    OnlyMachines,
    ExcludeMachines,
}

impl Requested {
    /// Whether a filter is given.
    pub fn has_filter(&self) -> bool {
        !self.filter_flags().is_empty()
    }

    /// Whether the plan may change this group.
    pub fn covers_group(&self, group: &GroupName) -> bool {
        self.groups.is_empty() || self.groups.contains(group)
    }

    /// The filter that leaves out what happens to this group in this region; for existing Machines also by id or name.
    pub(super) fn left_out_by(
        &self,
        group: &GroupName,
        region: &Region,
        machine: Option<&Member<'_>>,
    ) -> Option<FilterFlag> {
        let is_one_of = |ids: &BTreeSet<MachineId>| {
            machine.is_some_and(|m| ids.iter().any(|id| m.has_id_or_name(id)))
        };
        if !self.covers_group(group) {
            Some(FilterFlag::ProcessGroups)
        } else if !self.regions.is_empty() && !self.regions.contains(region) {
            Some(FilterFlag::Regions)
        } else if self.exclude_regions.contains(region) {
            Some(FilterFlag::ExcludeRegions)
        } else if !self.only.is_empty() && !is_one_of(&self.only) {
            Some(FilterFlag::OnlyMachines)
        } else if is_one_of(&self.exclude) {
            Some(FilterFlag::ExcludeMachines)
        } else {
            None
        }
    }

    /// The flag with its values.
    pub(super) fn flag_text(&self, flag: FilterFlag) -> String {
        fn text<'w>(flag: &str, words: impl Iterator<Item = &'w str>) -> String {
            format!("{flag} {}", words.collect::<Vec<_>>().join(","))
        }
        match flag {
            FilterFlag::ProcessGroups => text(
                "--process-groups",
                self.groups.iter().map(GroupName::as_str),
            ),
            FilterFlag::Regions => text("--regions", self.regions.iter().map(Region::as_str)),
            FilterFlag::ExcludeRegions => text(
                "--exclude-regions",
                self.exclude_regions.iter().map(Region::as_str),
            ),
            FilterFlag::OnlyMachines => {
                text("--only-machines", self.only.iter().map(MachineId::as_str))
            }
            FilterFlag::ExcludeMachines => text(
                "--exclude-machines",
                self.exclude.iter().map(MachineId::as_str),
            ),
        }
    }

    /// All filters, as flags.
    pub fn filter_flags(&self) -> Vec<String> {
        let given = [
            (FilterFlag::ProcessGroups, self.groups.is_empty()),
            (FilterFlag::Regions, self.regions.is_empty()),
            (FilterFlag::ExcludeRegions, self.exclude_regions.is_empty()),
            (FilterFlag::OnlyMachines, self.only.is_empty()),
            (FilterFlag::ExcludeMachines, self.exclude.is_empty()),
        ];
        let given = given.into_iter().filter(|(_, is_empty)| !is_empty);
        given.map(|(flag, _)| self.flag_text(flag)).collect()
    }

    /// The filter that leaves out this Machine.
    pub(super) fn filter_of(&self, member: &Member<'_>) -> Option<FilterFlag> {
        self.left_out_by(&member.group, member.region, Some(member))
    }

    /// The same as a flag, for messages.
    pub(super) fn filter_text_of(&self, member: &Member<'_>) -> Option<String> {
        Some(self.flag_text(self.filter_of(member)?))
    }
}

/// Takes away what the filters leave out, and says what that is. `forgotten` are the missing Machines that the state
/// would lose.
pub(super) fn apply(
    decisions: &mut BTreeMap<GroupName, GroupDecision<'_>>,
    forgotten: &mut Vec<MissingMachine<'_>>,
    requested: &Requested,
) -> Vec<LeftOut> {
    if !requested.has_filter() {
        return Vec::new();
    }
    let marks = filter_pairs::mark(decisions, requested);
    let mut left = Tally::default();
    let mut stayed = Vec::new();
    for (name, decision) in decisions.iter_mut() {
        stayed.extend(take_away(
            name,
            decision,
            &marks[name],
            requested,
            &mut left,
        ));
    }
    let mut returned: BTreeMap<GroupName, FilterFlag> = BTreeMap::new();
    for (member, flag) in stayed {
        returned.insert(member.group.clone(), flag);
        return_to_group(decisions, member);
    }
    for (name, decision) in decisions.iter_mut() {
        let flag = left.flag_of(name).or(returned.get(name).copied());
        if let Some(flag) = flag {
            filter_pairs::settle_standbys(decision, requested, |id| {
                left.add(name, flag, Verb::Update, Some(id));
            });
        }
        keep_waits_that_hold(name, decision, requested, &mut left);
    }
    for (name, marks) in &marks {
        keep_wanted(name, marks, (&decisions[name], forgotten), &mut left);
    }
    left.into_list(requested)
}

/// In a group without a written count the state is what wants a missing Machine again: as many stay in it as the
/// creates that are left out would add. The others have their places taken.
fn keep_wanted(
    name: &GroupName,
    marks: &Marks,
    (decision, forgotten): (&GroupDecision<'_>, &mut Vec<MissingMachine<'_>>),
    left: &mut Tally,
) {
    if filter_pairs::is_counted(decision) {
        return;
    }
    let [primaries, standbys] = marks.growth;
    for (new, growth, standby) in [
        (&marks.creates, primaries, false),
        (&marks.standbys, standbys, true),
    ] {
        for flag in new.iter().flatten().take(growth) {
            let at = forgotten.iter().position(|missing| {
                missing.group == *name && missing.known.standby_for.is_empty() != standby
            });
            if let Some(at) = at {
                forgotten.remove(at);
                left.add(name, *flag, Verb::Forget, None);
            }
        }
    }
}

/// Removes the marked parts of a decision. Returns Machines that do not move after all.
fn take_away<'a>(
    name: &GroupName,
    decision: &mut GroupDecision<'a>,
    marks: &Marks,
    requested: &Requested,
    left: &mut Tally,
) -> Vec<(Member<'a>, FilterFlag)> {
    if !requested.covers_group(name) {
        decision.refusal = None;
        decision.notes.clear();
        decision.count_reason = None;
    }
    decision
        .stuck
        .retain(|(member, _)| requested.filter_of(member).is_none());
    for flag in marks.creates.iter().chain(&marks.standbys).flatten() {
        left.add(name, *flag, Verb::Create, None);
        left.note_release(name, *flag, decision.members.is_empty());
    }
    retain_unmarked(&mut decision.creates, &marks.creates);
    retain_unmarked(&mut decision.standbys, &marks.standbys);
    let mut stayed = Vec::new();
    let changed = std::mem::take(&mut decision.changed);
    for (mut changed, mark) in changed.into_iter().zip(&marks.changed) {
        let Some(flag) = mark else {
            decision.changed.push(changed);
            continue;
        };
        let verb = match changed.method {
            ChangeMethod::Update => Verb::Update,
            ChangeMethod::Move => Verb::Move,
            ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst => Verb::Replace,
        };
        left.add(name, *flag, verb, Some(changed.member.id));
        left.note_release(name, *flag, !changed.changes.is_empty());
        // One that becomes a primary later watches until then.
        if changed.member.is_standby()
            && changed.member.host_ok()
            && changed.member.moved_from.is_none()
        {
            decision.watchers.push(changed.precondition);
            let id = changed.member.id;
            decision.primaries.retain(|member| member.id != id);
        }
        if let Some(from) = changed.member.moved_from.take() {
            decision
                .members
                .retain(|member| member.id != changed.member.id);
            decision
                .primaries
                .retain(|member| member.id != changed.member.id);
            decision
                .adopted
                .retain(|(member, _)| member.id != changed.member.id);
            changed.member.group = from;
            changed.member.leaves_group = None;
            stayed.push((changed.member, *flag));
        }
    }
    let removed = std::mem::take(&mut decision.removed);
    for (removed, mark) in removed.into_iter().zip(&marks.removed) {
        let Some(flag) = mark else {
            decision.removed.push(removed);
            continue;
        };
        left.add(name, *flag, Verb::Destroy, Some(removed.member.id));
        left.note_release(name, *flag, removed.removal == Removal::GroupRemoved);
        if decision.desired.is_none() {
            continue;
        }
        if !removed.member.is_standby() {
            decision.primaries.push(removed.member);
        } else if removed.member.host_ok() {
            decision.watchers.push(removed.precondition);
        }
    }
    stayed
}

/// Drops the waits for Machines that are left out, those that hold nothing back any more, and refusals about new
/// Machines that do not come.
fn keep_waits_that_hold(
    name: &GroupName,
    decision: &mut GroupDecision<'_>,
    requested: &Requested,
    left: &mut Tally,
) {
    for waits in [&mut decision.unproven, &mut decision.unhealthy] {
        let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(waits)
            .into_iter()
            .partition(|awaited| requested.filter_of(&awaited.member).is_none());
        *waits = kept;
        for awaited in dropped {
            let flag = requested.filter_of(&awaited.member);
            left.add(
                name,
                flag.expect("a filter leaves it out"),
                wait_verb(&awaited),
                Some(awaited.member.id),
            );
            if awaited.member.is_adopted() {
                let reason = "not in the state".to_owned();
                decision.adopted.push((awaited.member, reason));
            }
        }
    }
    if !decision.changed.iter().any(unhealthy::goes_down) {
        // They were waited for only because others go down.
        decision.unhealthy.clear();
    }
    let makes_none = decision.creates.is_empty()
        && decision.standbys.is_empty()
        && !decision
            .changed
            .iter()
            .any(|c| c.method != ChangeMethod::Update && c.method != ChangeMethod::Move);
    if makes_none {
        decision.inherits = Inherited::default();
        decision.older_images.clear();
    }
    let about_image = [codes::NO_IMAGE, codes::TWO_IMAGES].map(Code::name);
    if makes_none
        && let Some(refusal) = &decision.refusal
        && about_image.contains(&refusal.code.as_str())
    {
        decision.refusal = None;
    }
}

fn wait_verb(awaited: &AwaitedMachine<'_>) -> Verb {
    match awaited.method {
        AwaitMethod::Wait => Verb::Wait,
        AwaitMethod::Start => Verb::Start,
    }
}

fn retain_unmarked<T>(list: &mut Vec<T>, marks: &[Option<FilterFlag>]) {
    let mut marks = marks.iter();
    list.retain(|_| marks.next().is_none_or(Option::is_none));
}

/// A Machine whose move is left out counts for its group of before.
fn return_to_group<'a>(decisions: &mut BTreeMap<GroupName, GroupDecision<'a>>, member: Member<'a>) {
    let decision = decisions.entry(member.group.clone()).or_default();
    let adopted = member.is_adopted();
    if decision.desired.is_some() && !decision.counts_as_standby(&member) {
        decision.primaries.push(member.clone());
    }
    if adopted && !member.is_unlisted_and_unreadable() {
        let reason = "not in the state".to_owned();
        decision.adopted.push((member.clone(), reason));
    }
    let at = decision
        .members
        .partition_point(|other| other.id < member.id);
    decision.members.insert(at, member);
}

/// The regions of a changed Machine: its own, and that of the new one.
pub(super) fn change_filter(
    changed: &ChangedMachine<'_>,
    decision: &GroupDecision<'_>,
    requested: &Requested,
) -> Option<FilterFlag> {
    let member = &changed.member;
    let to = placement::of_successor(changed, decision.desired);
    requested
        .filter_of(member)
        .or_else(|| requested.left_out_by(&member.group, to, Some(member)))
}

/// What is left out, by group and filter.
#[derive(Debug, Default)]
struct Tally {
    found: BTreeMap<(GroupName, FilterFlag), TallyEntry>,
}

#[derive(Debug, Default)]
struct TallyEntry {
    actions: BTreeMap<Verb, u32>,
    machines: BTreeSet<MachineId>,
    of_release: bool,
}

impl Tally {
    fn add(&mut self, group: &GroupName, flag: FilterFlag, verb: Verb, id: Option<&MachineId>) {
        let entry = self.found.entry((group.clone(), flag)).or_default();
        *entry.actions.entry(verb).or_default() += 1;
        entry.machines.extend(id.cloned());
    }

    fn note_release(&mut self, group: &GroupName, flag: FilterFlag, of_release: bool) {
        let entry = self.found.entry((group.clone(), flag)).or_default();
        entry.of_release |= of_release;
    }

    fn flag_of(&self, group: &GroupName) -> Option<FilterFlag> {
        let mut all = self.found.keys();
        all.find(|(of, _)| of == group).map(|(_, flag)| *flag)
    }

    fn into_list(self, requested: &Requested) -> Vec<LeftOut> {
        let found = self.found.into_iter();
        found
            .map(|((group, flag), entry)| LeftOut {
                filter: requested.flag_text(flag),
                group,
                actions: entry.actions,
                of_release: entry.of_release,
                machines: entry.machines,
            })
            .collect()
    }
}

/// Whether a changed Machine is a standby that only follows its primaries.
pub(super) fn only_follows(changed: &ChangedMachine<'_>, requested: &Requested) -> bool {
    changed.role == ChangeRole::Repointed
        && changed.method == ChangeMethod::Update
        && changed.changes.is_empty()
        && requested.for_machine(&changed.member) == MachineRequest::Nothing
}
