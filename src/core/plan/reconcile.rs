//! What happens to each group: which Machines stay, change, are created or destroyed.
//!
//! Decides each group by itself; [`super::order`] decides the order, and [`super::guards`] what is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::canary;
use super::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision, RemovedMachine};
use super::fields::{CompareContext, ConfigComparer};
use super::group_notes;
use super::members::{ChangeProof, Fleet, Member, MissingMachine, count_successor_pairs};
use super::removal_order;
use super::requested::{MachineRequest, Requested};
use super::running::{self, RunningImage};
use super::spread::{RegionLayout, Spread};
use super::swap::{self, Swaps};
use super::types::Removal;
use super::unhealthy;
use super::unproven::{self, Evidence};
use super::unreadable;
use crate::core::fleet::{
    Desired, DesiredGroup, GroupName, MachineState, PendingCreate, Region, SwapRole,
};

/// Decides every group, desired or existing, in order of name.
pub(super) fn decide<'a>(
    desired: &'a Desired,
    fleet: &Fleet<'a>,
    context: CompareContext<'a>,
    (requested, swaps): (&Requested, &Swaps<'a>),
    destroys_app: bool,
) -> BTreeMap<GroupName, GroupDecision<'a>> {
    let mut names: BTreeSet<&GroupName> = fleet.members.keys().collect();
    names.extend(swaps.groups());
    if !destroys_app {
        names.extend(desired.groups.keys());
    }
    let running = running::running_image(fleet.members.values().flatten());
    let mut decisions = BTreeMap::new();
    for name in names {
        let desired_group = if destroys_app {
            None
        } else {
            desired.groups.get(name)
        };
        let members = fleet.members.get(name).cloned().unwrap_or_default();
        let decision = match desired_group {
            Some(group) => {
                // A green counts with its blue.
                let counts = |missing: &&MissingMachine<'_>| {
                    missing.group == *name && missing.known.swap != Some(SwapRole::Green)
                };
                let vanished: Vec<_> = fleet.missing.iter().filter(counts).collect();
                let reconciler = |members| GroupReconciler {
                    desired,
                    name,
                    desired_group: group,
                    members,
                    missing: &vanished,
                    running: &running,
                    requested,
                    unprotected: fleet.unprotected.contains(name),
                    pending_creates: fleet
                        .pending_creates
                        .iter()
                        .filter(|(of, _)| of == name)
                        .map(|(_, pending)| *pending)
                        .collect(),
                };
                match swaps.finishing(&members) {
                    None => reconciler(members).decide(context, swaps),
                    Some(colours) => {
                        let is_blue =
                            |member: &Member<'_>| colours.get(member.id) == Some(&SwapRole::Blue);
                        let (_, stay) = members.iter().cloned().partition(is_blue);
                        let after = reconciler(stay).decide(context, swaps);
                        swaps.finish((name, group), (colours, members), after, context)
                    }
                }
            }
            None => decide_removed_group(desired, members, context, destroys_app),
        };
        decisions.insert(name.clone(), decision);
    }
    decisions
}

fn decide_removed_group<'a>(
    desired: &Desired,
    members: Vec<Member<'a>>,
    context: CompareContext<'a>,
    destroys_app: bool,
) -> GroupDecision<'a> {
    let mut fields = ConfigComparer::of(None, context);
    let (removal, reason) = if destroys_app {
        (Removal::AppDestroyed, "the app is destroyed")
    } else if desired.has_processes {
        (Removal::GroupRemoved, "its group is not in `[processes]`")
    } else {
        (
            Removal::GroupRemoved,
            "fly.toml has no `[processes]`, so the only group is `app`",
        )
    };
    let (unreadable_members, readable): (Vec<_>, Vec<_>) = members
        .iter()
        .partition(|member| member.is_unlisted_and_unreadable());
    let note = unreadable_members
        .first()
        .and_then(|first| unreadable::left_alone_note(&first.group, &unreadable_members));
    let removed = readable.into_iter().map(|member| RemovedMachine {
        removal,
        reason: reason.to_owned(),
        left_volumes: member.volumes().to_vec(),
        precondition: fields.precondition(member),
        member: member.clone(),
    });
    let removed = removed.collect();
    let adopted = adopted_machines(&members);
    GroupDecision {
        members,
        removed,
        adopted,
        notes: note.into_iter().collect(),
        ..GroupDecision::default()
    }
}

fn adopted_machines<'a>(members: &[Member<'a>]) -> Vec<(Member<'a>, String)> {
    members
        .iter()
        .filter(|member| member.is_adopted() && !member.is_unlisted_and_unreadable())
        .map(|member| (member.clone(), "not in the state".to_owned()))
        .collect()
}

pub(super) struct GroupReconciler<'g, 'a> {
    pub(super) desired: &'a Desired,
    pub(super) name: &'g GroupName,
    pub(super) desired_group: &'a DesiredGroup,
    pub(super) members: Vec<Member<'a>>,
    pub(super) missing: &'g [&'g MissingMachine<'a>],
    /// The image that the app runs, for groups without Machines.
    pub(super) running: &'g RunningImage,
    pub(super) requested: &'g Requested,
    pub(super) unprotected: bool,
    pub(super) pending_creates: Vec<&'a PendingCreate>,
}

impl<'a> GroupReconciler<'_, 'a> {
    fn decide(self, context: CompareContext<'a>, swaps: &Swaps<'a>) -> GroupDecision<'a> {
        let mut decision = GroupDecision {
            desired: Some(self.desired_group),
            ..GroupDecision::default()
        };
        let (standbys, primaries): (Vec<_>, Vec<_>) = self
            .members
            .iter()
            .cloned()
            .partition(|m| self.stays_standby(m));
        let recreated = self.missing_per_region(&primaries);
        let mut target = self.desired_counts(&primaries, &standbys, &recreated);
        if target.primaries == 0 {
            // A standby that watches no Machine would never start.
            target.standbys = 0;
        }
        decision.count_reason = target.reason;
        let current = self.current_per_region(&primaries, &recreated, target.primaries);
        // A group without mounts leaves its volumes behind in any case.
        let keeps = |m: &&Member<'_>| {
            let holds_volume = self.desired_group.template.has_mounts() && !m.volumes().is_empty();
            holds_volume && !self.is_marked_removed(m)
        };
        let with_volume = count_by_region(primaries.iter().filter(keeps));
        let home = self.default_region();
        let spread = Spread {
            target: target.primaries,
            regions: &self.desired_group.regions,
            max_per_region: self.desired_group.max_per_region,
            current: &current,
            with_volume: &with_volume,
            default: home.as_ref(),
        };
        decision.adopted = adopted_machines(&self.members);
        let layout = match spread.layout() {
            Ok(layout) => layout,
            Err(error) => {
                decision.refusal = Some(group_notes::refuse_layout(
                    self.name,
                    &error,
                    target.primaries,
                ));
                decision.members = self.members;
                return decision;
            }
        };
        if !layout.held_by_volumes.is_empty() {
            decision.notes.push(group_notes::held_by_volumes_note(
                self.name,
                &layout.held_by_volumes,
            ));
        }
        decision.notes.extend(group_notes::region_limit_note(
            self.name,
            self.desired_group,
            &layout.counts,
        ));
        let mut fields = ConfigComparer::of(Some(self.desired_group), context);
        self.reconcile_primaries(
            &layout,
            primaries,
            target.primaries,
            &mut fields,
            &mut decision,
        );
        self.reconcile_standbys(
            standbys,
            target.standbys,
            &layout.counts,
            &mut fields,
            &mut decision,
        );
        unproven::wait_for_unproven(
            self.desired_group,
            context.lineage,
            &mut fields,
            &mut decision,
        );
        unhealthy::wait_for_unhealthy(self.desired_group, &mut fields, &mut decision);
        let mut members = self.members.iter();
        let is_left = members.any(|member| self.requested.filter_of(member).is_none());
        if is_left && swap::is_swapped(&decision, &self.members) {
            if swaps.is_finishing() {
                // Greens that fail would hold back the switch of those that have the traffic.
                decision.changed.clear();
                decision.notes.push(swap::finishes_first(self.name));
            } else {
                swaps.begin(
                    self.desired_group,
                    &mut fields,
                    &self.members,
                    &mut decision,
                );
            }
        }
        decision.unused_greens = swaps.unused(self.name, &mut fields, &decision);
        self.inherit_settings(&mut decision);
        decision.members = self.members;
        decision
    }

    /// Rule 18: without a written image, new Machines run what the others run.
    fn inherit_settings(&self, decision: &mut GroupDecision<'a>) {
        let makes = |c: &ChangedMachine<'_>| {
            matches!(
                c.method,
                ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst
            )
        };
        if decision.creates.is_empty()
            && decision.standbys.is_empty()
            && decision.swap.is_none()
            && !decision.changed.iter().any(makes)
            && canary::soak_ms(decision).is_none()
        {
            return;
        }
        let template = &self.desired_group.template;
        if template.explicit_size().is_none() {
            let default = || running::default_guest(self.desired, &self.members);
            decision.inherits.guest = running::latest_guest(&self.members).or_else(default);
        }
        if template.image.is_some() {
            return;
        }
        let own = running::running_image(&self.members);
        let own = if own == RunningImage::Nothing {
            self.running
        } else {
            &own
        };
        match own {
            RunningImage::Single { image, older } => {
                decision.inherits.image = Some(image.clone());
                decision.older_images.clone_from(older);
            }
            RunningImage::Several(images) => {
                decision
                    .refusal
                    .get_or_insert(group_notes::refuse_two_images(self.name, images));
            }
            RunningImage::Nothing if self.desired.profile().needs_image => {
                decision
                    .refusal
                    .get_or_insert(group_notes::refuse_no_image(self.name));
            }
            RunningImage::Nothing => {}
        }
    }

    /// A standby becomes a primary if its group has services (docs/platform/fly-toml.md 9).
    fn stays_standby(&self, member: &Member<'_>) -> bool {
        member.is_standby() && !self.desired_group.template.has_services()
    }

    pub(super) fn default_region(&self) -> Option<Region> {
        self.desired.primary_region.clone().or_else(|| {
            let region = self.desired.profile().default_region?;
            Some(Region::new(region).expect("the regions of the table are valid"))
        })
    }

    /// Decides which primaries stay, and how they change.
    fn reconcile_primaries(
        &self,
        layout: &RegionLayout,
        primaries: Vec<Member<'a>>,
        target: u32,
        fields: &mut ConfigComparer<'a>,
        decision: &mut GroupDecision<'a>,
    ) {
        let mut by_region: BTreeMap<Region, Vec<Member<'a>>> = BTreeMap::new();
        // A replacement pair counts as one Machine, and Machines of an unrecorded run for the same desired
        // state do not count.
        let lost = primaries
            .iter()
            .filter(|member| member.from_unrecorded_run)
            .count();
        let spare = lost + count_successor_pairs(&primaries);
        let existing = to_count(primaries.len().saturating_sub(spare));
        for member in primaries {
            by_region
                .entry(member.region.clone())
                .or_default()
                .push(member);
        }
        let mut left_alone = Vec::new();
        let mut lowering = existing.saturating_sub(target);
        let tried = unproven::tried(self.desired_group, by_region.values().flatten(), fields);
        for (region, members) in &by_region {
            let keep = layout.counts.get(region).copied().unwrap_or(0) as usize;
            let mut removed_ids = BTreeSet::new();
            let named = members.iter().filter(|m| self.is_marked_removed(m)).count();
            let excess = named + (members.len() - named).saturating_sub(keep);
            if excess > 0 {
                let judged = members.iter().map(|member| removal_order::Judged {
                    member,
                    is_outdated: !fields.compare(member).changes.is_empty(),
                    is_tried: tried.contains(member.id),
                });
                let judged: Vec<_> = judged.collect();
                let succeeded = members.iter().filter_map(|member| member.replaces);
                let named = removal_order::RemovalHints {
                    removed_entries: &self.desired.removed_machines,
                    requested: self.requested,
                    replaced: &succeeded.collect(),
                };
                let mut order = removal_order::sort_for_removal(judged, named);
                if layout.held_by_volumes.contains(region) {
                    removal_order::sort_volumes_last(&mut order, named);
                }
                for (member, why) in order.into_iter().take(excess) {
                    if member.is_unlisted_and_unreadable() && !self.is_marked_removed(member) {
                        lowering = lowering.saturating_sub(1);
                        left_alone.push(member);
                        continue;
                    }
                    removed_ids.insert(member.id);
                    let removal = if self.is_marked_removed(member) {
                        Removal::Named
                    } else if lowering > 0 {
                        Removal::CountLowered
                    } else {
                        Removal::Rebalanced
                    };
                    lowering = lowering.saturating_sub(1);
                    let why = match (removal, target, keep) {
                        (Removal::Named, ..) | (_, _, 1..) => why,
                        (_, 0, 0) => "count is 0",
                        (_, _, 0) => "count in its region is 0",
                    };
                    decision
                        .removed
                        .push(removed_machine(member, removal, why, fields));
                }
            }
            for member in members.iter().filter(|m| !removed_ids.contains(m.id)) {
                decision.primaries.push(member.clone());
                let before = decision.changed.len();
                self.decide_change(member, fields, decision);
                if member.is_standby() && member.host_ok() && decision.changed.len() == before {
                    decision
                        .adopted
                        .retain(|(adopted, _)| adopted.id != member.id || adopted.is_adopted());
                    decision.changed.push(ChangedMachine {
                        method: ChangeMethod::Update,
                        changes: Vec::new(),
                        reason: "its group has services, so it stops being a standby".to_owned(),
                        precondition: fields.precondition(member),
                        member: member.clone(),
                        role: ChangeRole::Primary,
                    });
                }
            }
        }
        decision
            .notes
            .extend(unreadable::left_alone_note(self.name, &left_alone));
        for (region, n) in &layout.counts {
            let staying = by_region.get(region).into_iter().flatten();
            let there = to_count(staying.filter(|m| !self.is_marked_removed(m)).count());
            for _ in there..*n {
                decision.creates.push(region.clone());
            }
        }
    }

    pub(super) fn decide_change(
        &self,
        member: &Member<'a>,
        fields: &mut ConfigComparer<'a>,
        decision: &mut GroupDecision<'a>,
    ) {
        let found = fields.compare(member);
        // The last known values of an unreachable host are no reason for a change.
        let down = member.host_ok()
            && member.state() == Some(MachineState::Failed)
            && Evidence::of(self.desired_group, member) == Evidence::Enough;
        let request = self.requested.for_machine(member);
        if member.is_unlisted_and_unreadable() && request != MachineRequest::Replace {
            return;
        }
        let is_up_to_date = found.changes.is_empty()
            && member.moved_from.is_none()
            && !down
            && request == MachineRequest::Nothing;
        let lags = found.is_record_outdated || member.is_record_outdated();
        if is_up_to_date && lags && !member.is_adopted() {
            let moved = member.forked_volumes().next();
            let reason = moved.map_or_else(
                || "already up to date; only the state is behind".to_owned(),
                |(old, new)| format!("a host migration replaced its volume {old} with {new}"),
            );
            decision.adopted.push((member.clone(), reason));
            return;
        }
        if is_up_to_date {
            // Otherwise it stays unconfirmed.
            let is_known_unproven = member.known.is_some_and(|known| known.unproven);
            let shows = unproven::is_observable(self.desired_group, member.host_ok());
            if member.proof != ChangeProof::Yes
                && !member.is_adopted()
                && (shows || !is_known_unproven)
            {
                let reason = "its last change was never seen healthy".to_owned();
                decision.adopted.push((member.clone(), reason));
            }
            return;
        }
        if !member.host_ok() {
            unreadable::change_unreadable(self.name, member, &found.changes, fields, decision);
            return;
        }
        let replacement = if let Some(reason) = found.replacement_reason() {
            Some(reason)
        } else if request != MachineRequest::Replace {
            None
        } else if self.needs_its_volume(member) {
            Some("replacement requested; the new Machine takes its volume")
        } else {
            Some("replacement requested")
        };
        let (how, reason) = if let Some(reason) = replacement {
            (self.replace_method(member), reason.to_owned())
        } else if let Some(from) = &member.moved_from {
            (ChangeMethod::Move, format!("`[[moved]]` from `{from}`"))
        } else if found.changes.is_empty() && !down {
            (ChangeMethod::Update, "restart requested".to_owned())
        } else if found.changes.is_empty() {
            let detail = member.observed.and_then(|seen| seen.detail.as_deref());
            (
                ChangeMethod::Update,
                format!("failed ({})", detail.unwrap_or("no reason given")),
            )
        } else {
            (ChangeMethod::Update, "its config changes".to_owned())
        };
        decision.changed.push(ChangedMachine {
            method: how,
            changes: found.changes.clone(),
            reason,
            precondition: fields.precondition(member),
            member: member.clone(),
            role: ChangeRole::Primary,
        });
    }

    fn replace_method(&self, member: &Member<'_>) -> ChangeMethod {
        if self.needs_its_volume(member) {
            ChangeMethod::ReplaceOldFirst
        } else {
            ChangeMethod::Replace
        }
    }
}

pub(super) fn removed_machine<'a>(
    member: &Member<'a>,
    removal: Removal,
    why: &str,
    fields: &mut ConfigComparer<'a>,
) -> RemovedMachine<'a> {
    RemovedMachine {
        removal,
        reason: why.to_owned(),
        left_volumes: member.volumes().to_vec(),
        precondition: fields.precondition(member),
        member: member.clone(),
    }
}

pub(super) fn count_by_region<'m, 'a: 'm>(
    members: impl IntoIterator<Item = &'m Member<'a>>,
) -> BTreeMap<Region, u32> {
    let mut counts = BTreeMap::new();
    for member in members {
        *counts.entry(member.region.clone()).or_default() += 1;
    }
    counts
}

/// A number of Machines as the plan counts them.
pub(super) fn to_count(n: usize) -> u32 {
    u32::try_from(n).expect("no app has four billion Machines")
}
