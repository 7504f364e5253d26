//! What becomes of each group: who stays, who changes, who is made, who goes.
//!
//! Decides per group, by itself; the order between all of it is [`super::order`]'s business, and what
//! must be refused is [`super::guards`]'s.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::{Ask, Asked, excluded};
use super::decision::{Changed, Decision, Gone, How, Role};
use super::fields::{Fields, Remembered};
use super::members::{Fleet, Member, Proven, Vanished, successors};
use super::running::{self, Running};
use super::sick;
use super::spread::{Layout, Spread};
use super::types::Removal;
use super::unproven::{self, Evidence};
use super::unreadable;
use super::victims;
use super::words;
use crate::core::fleet::{Desired, DesiredGroup, GroupName, MachineState, Pending, Region};

/// Decides every group, wanted or existing, in order of name.
pub(super) fn decide<'a>(
    desired: &'a Desired,
    fleet: &Fleet<'a>,
    remembered: Remembered<'a>,
    asked: &Asked,
    destroys_app: bool,
) -> BTreeMap<GroupName, Decision<'a>> {
    let mut names: BTreeSet<&GroupName> = fleet.members.keys().collect();
    if !destroys_app {
        names.extend(desired.groups.keys());
    }
    let running = running::image(fleet.members.values().flatten());
    let mut decisions = BTreeMap::new();
    for name in names {
        let wanted = if destroys_app {
            None
        } else {
            desired.groups.get(name)
        };
        let members = fleet.members.get(name).cloned().unwrap_or_default();
        let decision = match wanted {
            Some(group) => {
                let vanished: Vec<_> = fleet.vanished.iter().filter(|v| v.group == *name).collect();
                Group {
                    desired,
                    name,
                    wanted: group,
                    members,
                    vanished: &vanished,
                    running: &running,
                    asked,
                    unprotected: fleet.unprotected.contains(name),
                    owed: fleet
                        .owed
                        .iter()
                        .filter(|(of, _)| of == name)
                        .map(|(_, pending)| *pending)
                        .collect(),
                }
                .decide(remembered)
            }
            None => removed(desired, members, remembered, destroys_app),
        };
        decisions.insert(name.clone(), decision);
    }
    decisions
}

fn removed<'a>(
    desired: &Desired,
    members: Vec<Member<'a>>,
    remembered: Remembered<'a>,
    destroys_app: bool,
) -> Decision<'a> {
    let mut fields = Fields::of(None, remembered);
    let (removal, reason) = if destroys_app {
        (Removal::AppDestroyed, "the app is destroyed")
    } else if desired.has_processes {
        (Removal::GroupRemoved, "its group is not in `[processes]`")
    } else {
        (
            Removal::GroupRemoved,
            "fly.toml has no `[processes]`, so only the group `app` is wanted",
        )
    };
    let (held, leaving): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.is_held());
    let left = held
        .first()
        .and_then(|first| unreadable::left_alone(&first.group, &held));
    let gone = leaving.into_iter().map(|member| Gone {
        removal,
        reason: reason.to_owned(),
        leaves: member.volumes().to_vec(),
        pin: fields.pin(member),
        member: member.clone(),
    });
    let gone = gone.collect();
    let adopted = adopted(&members);
    let kept = members.iter().find(|member| member.excluded);
    Decision {
        refusal: kept.map(|member| excluded(member, reason)),
        members,
        gone,
        adopted,
        notes: left.into_iter().collect(),
        ..Decision::default()
    }
}

fn adopted<'a>(members: &[Member<'a>]) -> Vec<(Member<'a>, String)> {
    members
        .iter()
        .filter(|member| member.is_adopted() && !member.is_held())
        .map(|member| (member.clone(), "not in the state".to_owned()))
        .collect()
}

pub(super) struct Group<'g, 'a> {
    pub(super) desired: &'a Desired,
    pub(super) name: &'g GroupName,
    pub(super) wanted: &'a DesiredGroup,
    pub(super) members: Vec<Member<'a>>,
    pub(super) vanished: &'g [&'g Vanished<'a>],
    /// What the app runs, for groups that have nothing of their own.
    pub(super) running: &'g Running,
    pub(super) asked: &'g Asked,
    pub(super) unprotected: bool,
    pub(super) owed: Vec<&'a Pending>,
}

impl<'a> Group<'_, 'a> {
    fn decide(self, remembered: Remembered<'a>) -> Decision<'a> {
        let mut decision = Decision {
            wanted: Some(self.wanted),
            ..Decision::default()
        };
        let (standbys, primaries): (Vec<_>, Vec<_>) = self
            .members
            .iter()
            .cloned()
            .partition(|m| self.stands_by(m));
        let remade = self.remade(&primaries);
        let mut target = self.target(&primaries, &standbys, &remade);
        if target.primaries == 0 {
            // A standby of nobody would never start.
            target.standbys = 0;
        }
        decision.why = target.why;
        let current = self.current(&primaries, &remade, target.primaries);
        // A group that has no mount any more leaves its volumes wherever they are.
        let keeps = |m: &&Member<'_>| {
            let held = self.wanted.template.has_mounts() && !m.volumes().is_empty();
            (held || m.excluded) && !self.is_named(m)
        };
        let with_volume = tally(primaries.iter().filter(keeps));
        let home = self.home();
        let spread = Spread {
            target: target.primaries,
            regions: &self.wanted.regions,
            max_per_region: self.wanted.max_per_region,
            current: &current,
            with_volume: &with_volume,
            default: home.as_ref(),
        };
        decision.adopted = adopted(&self.members);
        let layout = match spread.layout() {
            Ok(layout) => layout,
            Err(error) => {
                decision.refusal = Some(words::no_layout(self.name, &error, target.primaries));
                decision.members = self.members;
                return decision;
            }
        };
        if !layout.held_by_volumes.is_empty() {
            decision
                .notes
                .push(words::held(self.name, &layout.held_by_volumes));
        }
        decision
            .notes
            .extend(words::crowded(self.name, self.wanted, &layout.counts));
        let mut fields = Fields::of(Some(self.wanted), remembered);
        self.place(
            &layout,
            primaries,
            target.primaries,
            &mut fields,
            &mut decision,
        );
        self.stand_by(
            standbys,
            target.standbys,
            &layout.counts,
            &mut fields,
            &mut decision,
        );
        unproven::await_them(self.wanted, remembered.lineage, &mut fields, &mut decision);
        sick::await_them(self.wanted, &mut fields, &mut decision);
        decision
            .notes
            .extend(words::excluded(self.name, &self.members, &mut fields));
        self.inherit(&mut decision);
        decision.members = self.members;
        decision
    }

    /// Rule 18: without a written image, new Machines run what the others run.
    fn inherit(&self, decision: &mut Decision<'a>) {
        let makes = |c: &Changed<'_>| matches!(c.how, How::Replace | How::ReplaceOldFirst);
        if decision.creates.is_empty()
            && decision.standbys.is_empty()
            && !decision.changed.iter().any(makes)
        {
            return;
        }
        let template = &self.wanted.template;
        if template.written_size().is_none() {
            let default = || running::default_guest(self.desired, &self.members);
            decision.inherits.guest = running::guest(&self.members).or_else(default);
        }
        if template.image.is_some() {
            return;
        }
        let own = running::image(&self.members);
        let own = if own == Running::Nothing {
            self.running
        } else {
            &own
        };
        match own {
            Running::One { image, older } => {
                decision.inherits.image = Some(image.clone());
                decision.older_images.clone_from(older);
            }
            Running::Several(images) => {
                decision
                    .refusal
                    .get_or_insert(words::two_images(self.name, images));
            }
            Running::Nothing if self.desired.profile().needs_image => {
                decision.refusal.get_or_insert(words::no_image(self.name));
            }
            Running::Nothing => {}
        }
    }

    /// A standby whose group has services is none any more (docs/platform/fly-toml.md 9).
    fn stands_by(&self, member: &Member<'_>) -> bool {
        member.is_standby() && !self.wanted.template.has_services()
    }

    fn home(&self) -> Option<Region> {
        self.desired.primary_region.clone().or_else(|| {
            let region = self.desired.profile().default_region?;
            Some(Region::new(region).expect("the regions of the table are valid"))
        })
    }

    /// Who of the primaries stays, and what changes of those.
    fn place(
        &self,
        layout: &Layout,
        primaries: Vec<Member<'a>>,
        target: u32,
        fields: &mut Fields<'a>,
        decision: &mut Decision<'a>,
    ) {
        let mut by_region: BTreeMap<Region, Vec<Member<'a>>> = BTreeMap::new();
        // Half of a pair is no Machine more, nor is what a lost run of the same wish has made.
        let lost = primaries.iter().filter(|member| member.of_lost_run).count();
        let spare = lost + successors(&primaries);
        let existing = count(primaries.len().saturating_sub(spare));
        for member in primaries {
            by_region
                .entry(member.region.clone())
                .or_default()
                .push(member);
        }
        let mut left = Vec::new();
        let mut lowering = existing.saturating_sub(target);
        let tried = unproven::tried(self.wanted, by_region.values().flatten(), fields);
        for (region, members) in &by_region {
            let keep = layout.counts.get(region).copied().unwrap_or(0) as usize;
            let mut going = BTreeSet::new();
            let named = members.iter().filter(|m| self.is_named(m)).count();
            let leaving = named + (members.len() - named).saturating_sub(keep);
            if leaving > 0 {
                let judged = members.iter().map(|member| victims::Judged {
                    member,
                    is_outdated: !fields.compare(member).changes.is_empty(),
                    is_tried: tried.contains(member.id),
                });
                let judged: Vec<_> = judged.collect();
                let succeeded = members.iter().filter_map(|member| member.replaces);
                let named = victims::Named {
                    removed: &self.desired.removed_machines,
                    asked: self.asked,
                    succeeded: &succeeded.collect(),
                };
                let mut order = victims::in_order_of_going(judged, named);
                if layout.held_by_volumes.contains(region) {
                    victims::volumes_last(&mut order, named);
                }
                for (member, why) in order.into_iter().take(leaving) {
                    if member.is_held() && !self.is_named(member) {
                        lowering = lowering.saturating_sub(1);
                        left.push(member);
                        continue;
                    }
                    going.insert(member.id);
                    let removal = if self.is_named(member) {
                        Removal::Named
                    } else if lowering > 0 {
                        Removal::CountLowered
                    } else {
                        Removal::Rebalanced
                    };
                    lowering = lowering.saturating_sub(1);
                    let why = if keep == 0 && removal != Removal::Named {
                        "none is wanted in its region"
                    } else {
                        why
                    };
                    if member.excluded {
                        let refusal = || excluded(member, &format!("it is to go ({why})"));
                        decision.refusal.get_or_insert_with(refusal);
                    }
                    decision.gone.push(gone(member, removal, why, fields));
                }
            }
            for member in members.iter().filter(|m| !going.contains(m.id)) {
                decision.primaries.push(member.clone());
                let before = decision.changed.len();
                self.change(member, fields, decision);
                let is_free = member.host_ok() && !member.excluded;
                if member.is_standby() && is_free && decision.changed.len() == before {
                    decision
                        .adopted
                        .retain(|(adopted, _)| adopted.id != member.id || adopted.is_adopted());
                    decision.changed.push(Changed {
                        how: How::Update,
                        changes: Vec::new(),
                        reason: "its group has services, so it stands by for nobody".to_owned(),
                        pin: fields.pin(member),
                        member: member.clone(),
                        role: Role::Primary,
                    });
                }
            }
        }
        decision
            .notes
            .extend(unreadable::left_alone(self.name, &left));
        for (region, n) in &layout.counts {
            let staying = by_region.get(region).into_iter().flatten();
            let there = count(staying.filter(|m| !self.is_named(m)).count());
            for _ in there..*n {
                decision.creates.push(region.clone());
            }
        }
    }

    fn change(&self, member: &Member<'a>, fields: &mut Fields<'a>, decision: &mut Decision<'a>) {
        if member.excluded {
            return;
        }
        let found = fields.compare(member);
        // What a host that does not answer said last is no reason to touch anything.
        let down = member.host_ok()
            && member.state() == Some(MachineState::Failed)
            && Evidence::of(self.wanted, member) == Evidence::Enough;
        let ask = self.asked.of(member);
        if member.is_held() && ask != Ask::Replace {
            return;
        }
        let as_wanted =
            found.changes.is_empty() && member.moved_from.is_none() && !down && ask == Ask::Nothing;
        let lags = found.record_lags || member.line_lags();
        if as_wanted && lags && !member.is_adopted() {
            let moved = member.forked_volumes().next();
            let reason = moved.map_or_else(
                || "it is already as wanted, the state is not".to_owned(),
                |(old, new)| format!("a move to another host gave it {new} in place of {old}"),
            );
            decision.adopted.push((member.clone(), reason));
            return;
        }
        if as_wanted {
            // Else it stays as unproven as it is.
            let told = member.known.is_some_and(|known| known.unproven);
            let shows = unproven::can_show(self.wanted, member.host_ok());
            if member.proven != Proven::Yes && !member.is_adopted() && (shows || !told) {
                let reason = "what was sent to it last was not seen to work".to_owned();
                decision.adopted.push((member.clone(), reason));
            }
            return;
        }
        if !member.host_ok() {
            unreadable::must_change(self.name, member, &found.changes, fields, decision);
            return;
        }
        let replaces = found.replaces() || ask == Ask::Replace;
        let (how, reason) = if replaces {
            let reason = if found.replaces() {
                "its config cannot be changed in place"
            } else if self.needs_its_volume(member) {
                "it was named to be replaced, and its volume goes to the new one"
            } else {
                "it was named to be replaced"
            };
            (self.replacement(member), reason.to_owned())
        } else if let Some(from) = &member.moved_from {
            (How::Move, format!("`[[moved]]` from `{from}`"))
        } else if found.changes.is_empty() && !down {
            (How::Update, "a restart was asked for".to_owned())
        } else if found.changes.is_empty() {
            let detail = member.seen.and_then(|seen| seen.detail.as_deref());
            (
                How::Update,
                format!(
                    "it has failed ({})",
                    detail.unwrap_or("no reason was given")
                ),
            )
        } else {
            (How::Update, "its config changes".to_owned())
        };
        decision.changed.push(Changed {
            how,
            changes: found.changes.clone(),
            reason,
            pin: fields.pin(member),
            member: member.clone(),
            role: Role::Primary,
        });
    }

    fn replacement(&self, member: &Member<'_>) -> How {
        if self.needs_its_volume(member) {
            How::ReplaceOldFirst
        } else {
            How::Replace
        }
    }

    /// With a written number of standbys each watches all primaries; else one is re-pointed when a
    /// Machine that it watches is replaced or none of them stays.
    fn must_repoint(&self, member: &Member<'a>, decision: &Decision<'a>) -> bool {
        let watches: BTreeSet<_> = member.standby_for().iter().collect();
        let stay: BTreeSet<_> = decision.primaries.iter().map(|p| p.id).collect();
        let replaced = |c: &Changed<'_>| {
            matches!(c.how, How::Replace | How::ReplaceOldFirst) && watches.contains(c.member.id)
        };
        let lost = if self.wanted.standby.is_some() {
            watches != stay || !decision.creates.is_empty()
        } else {
            !watches.iter().any(|id| stay.contains(*id))
        };
        lost || decision.changed.iter().any(replaced)
    }

    fn needs_its_volume(&self, member: &Member<'_>) -> bool {
        let wanted = self.wanted.template.mounts.iter().flatten();
        let has = |name: &Option<String>| {
            let mounts = member
                .seen
                .and_then(|seen| seen.config.as_deref())
                .and_then(|c| c.mounts.as_ref());
            mounts
                .into_iter()
                .flatten()
                .any(|mount| mount.name.is_none() || mount.name == *name)
        };
        !member.volumes().is_empty() && wanted.into_iter().any(|mount| has(&mount.name))
    }

    /// Standbys follow their primaries.
    fn stand_by(
        &self,
        mut standbys: Vec<Member<'a>>,
        target: u32,
        wanted: &BTreeMap<Region, u32>,
        fields: &mut Fields<'a>,
        decision: &mut Decision<'a>,
    ) {
        // Those from the end go first.
        standbys.sort_by_key(|member| (!member.excluded, member.is_late(), member.id));
        let (named, mut standbys): (Vec<_>, Vec<_>) = standbys
            .into_iter()
            .partition(|member| self.is_named(member));
        for member in &named {
            let why = "named by a `[[removed]]` entry";
            decision
                .gone
                .push(gone(member, Removal::Named, why, fields));
        }
        let extra = standbys.split_off(standbys.len().min(target as usize));
        for member in named.iter().chain(&extra).filter(|m| m.excluded) {
            let refusal = || excluded(member, "it is a standby that is to go");
            decision.refusal.get_or_insert_with(refusal);
        }
        for member in &extra {
            decision.gone.push(gone(
                member,
                Removal::CountLowered,
                "one standby too many",
                fields,
            ));
        }
        for member in &standbys {
            let repoint = self.must_repoint(member, decision);
            if repoint && member.excluded {
                let refusal = || excluded(member, "the Machines that it stands by for change");
                decision.refusal.get_or_insert_with(refusal);
            }
            let before = decision.changed.len();
            self.change(member, fields, decision);
            if repoint && decision.changed.len() == before && !member.host_ok() {
                unreadable::must_change(self.name, member, &[], fields, decision);
            } else if repoint && decision.changed.len() == before {
                decision.changed.push(Changed {
                    how: How::Update,
                    changes: Vec::new(),
                    reason: "the Machines that it stands by for change".to_owned(),
                    pin: fields.pin(member),
                    member: member.clone(),
                    role: Role::Repointed,
                });
            }
            if decision.changed.len() == before && member.host_ok() {
                decision.watchers.push(fields.pin(member));
            }
            for changed in &mut decision.changed[before..] {
                changed.role = if repoint {
                    Role::Repointed
                } else {
                    Role::Standby
                };
            }
        }
        let region = wanted
            .iter()
            .max_by_key(|(region, n)| (**n, std::cmp::Reverse(*region)))
            .map(|(region, _)| region.clone())
            .or_else(|| self.home());
        if let Some(region) = region {
            for _ in count(standbys.len())..target {
                decision.standbys.push(region.clone());
            }
        }
    }
}

fn gone<'a>(member: &Member<'a>, removal: Removal, why: &str, fields: &mut Fields<'a>) -> Gone<'a> {
    Gone {
        removal,
        reason: why.to_owned(),
        leaves: member.volumes().to_vec(),
        pin: fields.pin(member),
        member: member.clone(),
    }
}

pub(super) fn tally<'m, 'a: 'm>(
    members: impl IntoIterator<Item = &'m Member<'a>>,
) -> BTreeMap<Region, u32> {
    let mut counts = BTreeMap::new();
    for member in members {
        *counts.entry(member.region.clone()).or_default() += 1;
    }
    counts
}

/// A number of Machines as the plan counts them.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).expect("no app has four billion Machines")
}
