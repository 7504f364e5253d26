//! Whether a plan exceeds a reviewed one (`--expect`): every action that the reviewed plan does not list.
//!
//! Machines are compared one by one if the reviewed plan was made with the provider's answer. A plan
//! from the state alone names only the Machines of the state: any Machine of the same group and region matches.
//! A change that only the provider could show is no excess, unless it destroys, shrinks or reverts something.
//! Only [`SavedPlan::excesses`] decides; it never adds a step to a plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::branch::Branch;
use super::codes;
use super::command_modes::CheckMode;
use super::desired_digest::{self, DesiredGroupDigest};
use super::excess::{Excess, ExcessKind, Excesses};
use super::reviewed::{Facts, Listed, count_lost};
use super::saved::{SavedChange, SavedPlan};
use super::types::{Action, Change, GateKind, Plan, Removal};
use crate::core::fleet::{
    ConfigDigest, Desired, GroupName, Lineage, MachineId, OnFailure, OnceKind, Region,
};

impl SavedPlan {
    /// The actions of the fresh plan that this one does not list; empty if it may run. `desired` is what the fresh
    /// plan was made from. Both are for the same app.
    pub fn excesses(&self, fresh: &Plan, desired: &Desired) -> Vec<Excess> {
        let unknown = desired_digest::unknown_lineage();
        // Hidden values are compared under the lineage of the reviewed plan.
        let lineage = self.lineage.as_ref().unwrap_or(&unknown);
        let desired = fresh.requested.override_desired(Cow::Borrowed(desired));
        let facts = Facts {
            reviewed: self,
            fresh,
            drift: fresh
                .drift
                .iter()
                .filter_map(|drift| Some((drift.machine.id.as_ref()?, drift)))
                .collect(),
        };
        let mut comparison = Comparison {
            facts: &facts,
            desired_digests: self.desired_digests_now(fresh, &desired, lineage),
            listed: Listed::of(self),
            lost: count_lost(fresh),
            sent: BTreeMap::new(),
            found: Excesses::default(),
        };
        // Machines that the reviewed plan names take their own entries; the others take the rest.
        let named: BTreeSet<_> = self
            .changes()
            .filter_map(|one| one.machine.id.as_ref())
            .collect();
        let is_named = |change: &&Change| {
            change
                .machine
                .id
                .as_ref()
                .is_some_and(|id| named.contains(id))
        };
        let changes = fresh.changes().map(|(_, change)| change);
        let (first, then): (Vec<_>, Vec<_>) = changes.partition(is_named);
        for change in first.into_iter().chain(then) {
            comparison.compare(change);
        }
        comparison.compare_groups();
        comparison.compare_rules();
        comparison.compare_records();
        comparison.found.into_vec()
    }

    /// The desired groups of the current manifests, with hidden values comparable to this plan's.
    fn desired_digests_now(
        &self,
        fresh: &Plan,
        desired: &Desired,
        lineage: &Lineage,
    ) -> BTreeMap<GroupName, DesiredGroupDigest> {
        if self.lineage == fresh.lineage {
            fresh.desired_digests.clone()
        } else {
            desired_digest::of_groups(desired, &fresh.requested, lineage)
        }
    }
}

struct Comparison<'a> {
    facts: &'a Facts<'a>,
    desired_digests: BTreeMap<GroupName, DesiredGroupDigest>,
    listed: Listed<'a>,
    lost: BTreeMap<&'a GroupName, usize>,
    /// Fields of the config that the plan sends, by group; none for all of them.
    sent: BTreeMap<&'a GroupName, Option<BTreeSet<&'a str>>>,
    found: Excesses,
}

impl<'a> Comparison<'a> {
    fn compare(&mut self, change: &'a Change) {
        self.note_sent_fields(change);
        match &change.action {
            Action::Create { replaces: None, .. } => self.compare_create(change),
            Action::Create {
                replaces: Some(old),
                ..
            } => self.compare_replacement(change, old),
            Action::Update { .. } => self.compare_update(change),
            Action::Move { from, .. } => self.compare_move(change, from),
            Action::Destroy { removal, .. } if *removal != Removal::Canary => {
                self.compare_destroy(change, *removal);
            }
            Action::Start => self.compare_unchanged(change, ExcessKind::Starts),
            Action::Adopt => self.compare_unchanged(change, ExcessKind::Adopts),
            // A canary is left over from an earlier run, and nothing counts it. Waiting and forgetting neither call the
            // provider nor lose anything. What a swap adds to the load balancing and destroys is judged by its creates.
            Action::Destroy { .. } | Action::Wait | Action::Forget | Action::Switch { .. } => {}
            Action::Once { what, config, .. } => self.compare_once(*what, config),
            Action::Canary { .. } => self.compare_canary(change),
        }
    }

    /// A canary of a group that has none in the reviewed plan.
    fn compare_canary(&mut self, change: &Change) {
        let tries = |one: &SavedChange| {
            matches!(one.action, Action::Canary { .. }) && one.group == change.group
        };
        if !self.facts.reviewed.changes().any(tries) {
            self.add(ExcessKind::Creates, change);
        }
    }

    /// A command that the reviewed plan does not run, or not with this config.
    fn compare_once(&mut self, what: OnceKind, config: &ConfigDigest) {
        let reviewed = self.facts.reviewed;
        let comparable = reviewed.lineage == self.facts.fresh.lineage;
        let runs = |one: &SavedChange| match &one.action {
            Action::Once {
                what: listed,
                config: reviewed,
                ..
            } => *listed == what && (!comparable || reviewed == config),
            _ => false,
        };
        if !reviewed.changes().any(runs) {
            self.found
                .add_general(ExcessKind::RunsOnce(what), BTreeSet::new());
        }
    }

    fn note_sent_fields(&mut self, change: &'a Change) {
        match &change.action {
            Action::Create { .. } => {
                self.sent.insert(&change.group, None);
            }
            Action::Update { .. } | Action::Move { .. } => {
                let fields = self.sent.entry(&change.group);
                if let Some(fields) = fields.or_insert_with(|| Some(BTreeSet::new())) {
                    let top = change.changes.iter().filter_map(|field| field.path.first());
                    fields.extend(top.map(String::as_str));
                }
            }
            Action::Destroy { .. }
            | Action::Start
            | Action::Adopt
            | Action::Wait
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => {}
        }
    }

    fn add(&mut self, kind: ExcessKind, change: &Change) {
        let machine = change.machine.id.as_ref();
        self.found.add(kind, place_of(change), machine);
    }

    fn compare_create(&mut self, change: &Change) {
        let facts = self.facts;
        let standby = !change.standby_for().is_empty();
        let creates = |one: &SavedChange| matches!(&one.action, Action::Create { replaces: None, standby_for, .. } if standby_for.is_empty() != standby);
        let same = |one: &SavedChange| creates(one) && facts.is_same_create(one, change);
        match self.listed.take(place_of(change), &[&same, &creates]) {
            Some(listed) => self.compare_new_machine(listed, change),
            None if !facts.reviewed.online && self.take_lost(change) => {}
            None => self.add(ExcessKind::Creates, change),
        }
    }

    /// Whether this create replaces a lost Machine.
    fn take_lost(&mut self, change: &Change) -> bool {
        let Some(lost) = self.lost.get_mut(&change.group).filter(|lost| **lost > 0) else {
            return false;
        };
        *lost -= 1;
        true
    }

    fn compare_replacement(&mut self, change: &Change, old: &MachineId) {
        let facts = self.facts;
        let replaces = |one: &SavedChange| matches!(&one.action, Action::Create { replaces: Some(listed), .. } if !facts.reviewed.online || listed == old);
        let same = |one: &SavedChange| replaces(one) && facts.is_same_create(one, change);
        let Some(listed) = self.listed.take(place_of(change), &[&same, &replaces]) else {
            self.found
                .add(ExcessKind::Replaces, place_of(change), Some(old));
            return;
        };
        self.compare_new_machine(listed, change);
        self.compare_effects(Some(listed), change);
    }

    fn compare_new_machine(&mut self, listed: &SavedChange, change: &Change) {
        let facts = self.facts;
        if !facts.is_same_create(listed, change) {
            self.add(ExcessKind::CreatesOthers, change);
        }
    }

    fn compare_update(&mut self, change: &Change) {
        let facts = self.facts;
        let updates = |one: &SavedChange| matches!(one.action, Action::Update { .. });
        let listed = self.take_changed(change, &updates);
        match listed {
            Some(listed) => self.compare_fields(listed, change, &updates),
            None if facts.is_for_provider(change) || self.is_made_by_review(change) => {}
            None if change.changes.is_empty() => self.add(ExcessKind::Updates, change),
            None => {
                let fields = paths(change);
                self.add_fields(ExcessKind::Fields, change, &fields);
            }
        }
        self.compare_effects(listed, change);
    }

    fn compare_move(&mut self, change: &Change, from: &GroupName) {
        let moves = |one: &SavedChange| matches!(&one.action, Action::Move { from: listed, .. } if listed == from);
        let listed = self.take_changed(change, &moves);
        match listed {
            Some(listed) => self.compare_fields(listed, change, &moves),
            None if self.facts.is_for_provider(change) => {}
            None => self.add(ExcessKind::Moves(from.clone()), change),
        }
        self.compare_effects(listed, change);
    }

    /// Takes the entry of a Machine that stays and changes. Against a plan from the state alone, a Machine that
    /// is updated may take the entry of one that is moved, and the reverse, if the plan lists both kinds: which
    /// of them is destroyed is decided later.
    fn take_changed(
        &mut self,
        change: &Change,
        same_kind: &dyn Fn(&SavedChange) -> bool,
    ) -> Option<&'a SavedChange> {
        let facts = self.facts;
        let id = change.machine.id.as_ref();
        // A move that was done leaves an update.
        let is_update = matches!(change.action, Action::Update { .. });
        let named = |one: &SavedChange| {
            let moved = is_update && matches!(one.action, Action::Move { .. });
            one.machine.id.as_ref() == id && (same_kind(one) || moved)
        };
        let covers =
            |one: &SavedChange| same_kind(one) && facts.unlisted_fields(one, change).is_empty();
        if facts.reviewed.online {
            return self.listed.take(place_of(change), &[&named]);
        }
        let fits: &[&dyn Fn(&SavedChange) -> bool] = &[&named, &covers, &same_kind];
        let listed = self.listed.take(place_of(change), fits);
        if listed.is_some() || !facts.reviewed.changes().any(covers) {
            return listed;
        }
        let stays =
            |one: &SavedChange| matches!(one.action, Action::Update { .. } | Action::Move { .. });
        self.listed.take(place_of(change), &[&stays])
    }

    /// Fields that this entry does not list. An entry of the other kind is used because it lists them.
    fn compare_fields(
        &mut self,
        listed: &SavedChange,
        change: &Change,
        same_kind: &dyn Fn(&SavedChange) -> bool,
    ) {
        if same_kind(listed) || listed.machine.id == change.machine.id {
            let fields = self.facts.unlisted_fields(listed, change);
            self.add_fields(ExcessKind::Fields, change, &fields);
        }
    }

    fn compare_destroy(&mut self, change: &Change, removal: Removal) {
        // It serves nothing, and is one of ours.
        if removal == Removal::SwapUndone {
            return;
        }
        let facts = self.facts;
        let id = change.machine.id.as_ref();
        let destroys = |one: &SavedChange| matches!(one.action, Action::Destroy { removal: listed, .. } if allows(listed, removal));
        let named = |one: &SavedChange| destroys(one) && one.machine.id.as_ref() == id;
        let fits: &[&dyn Fn(&SavedChange) -> bool] = if facts.reviewed.online {
            &[&named]
        } else {
            &[&named, &destroys]
        };
        let Some(listed) = self.listed.take(place_of(change), fits) else {
            // The other half of a replacement is reported by its create.
            if !removal.is_replacement() || !facts.is_replaced(id) {
                self.add(ExcessKind::Destroys, change);
            }
            return;
        };
        if !facts.reviewed.online && facts.is_outsider(id) {
            self.add(ExcessKind::DestroysOutsiders, change);
        }
        let Action::Destroy {
            left_volumes: listed,
            ..
        } = &listed.action
        else {
            return;
        };
        let left = change.left_volumes();
        let more = if facts.reviewed.online {
            left.iter().any(|volume| !listed.contains(volume))
        } else {
            left.len() > listed.len()
        };
        if more {
            self.add(ExcessKind::LeavesVolumes, change);
        }
    }

    /// A Machine that stays as it is: it is only started, or adopted.
    fn compare_unchanged(&mut self, change: &Change, kind: ExcessKind) {
        let facts = self.facts;
        if !facts.reviewed.online {
            return;
        }
        let id = change.machine.id.as_ref();
        let named = |one: &SavedChange| {
            let same = one.action == change.action;
            // A Machine that the reviewed plan waits for has stayed up since, and is recorded.
            let waited = one.action == Action::Wait && change.action == Action::Adopt;
            one.machine.id.as_ref() == id && (same || waited || sends_config(one))
        };
        let listed = self.listed.take(place_of(change), &[&named]);
        if listed.is_none() && !self.is_made_by_review(change) {
            self.add(kind, change);
        }
    }

    /// Whether the reviewed plan itself would have created this Machine: by its name, or one of our runs created
    /// it in place of one that the plan creates.
    fn is_made_by_review(&mut self, change: &Change) -> bool {
        let facts = self.facts;
        let named = |one: &SavedChange| {
            matches!(one.action, Action::Create { .. }) && one.machine.name == change.machine.name
        };
        let id = change.machine.id.as_ref();
        let ours = id.is_some_and(|id| facts.fresh.provenance.contains_key(id));
        let created = |one: &SavedChange| ours && matches!(one.action, Action::Create { .. });
        let found = self.listed.take(place_of(change), &[&named, &created]);
        found.is_some()
    }

    /// The losses of a change: size, a release by somebody else, or the Machine.
    fn compare_effects(&mut self, listed: Option<&SavedChange>, change: &Change) {
        let facts = self.facts;
        let shrinks = change.changes.iter().filter(|field| field.shrinks);
        let shrinks = shrinks.map(|field| field.path.join("."));
        let is_listed = |field: &String| listed.is_some_and(|one| one.shrinks.contains(field));
        let shrinks: BTreeSet<String> = shrinks.filter(|field| !is_listed(field)).collect();
        self.add_fields(ExcessKind::Shrinks, change, &shrinks);
        if let Some(release) = change.reverts
            && listed.and_then(|one| one.reverts) != Some(release)
        {
            self.add(ExcessKind::Reverts(release), change);
        }
        let replaced = |branches: &[Branch]| {
            let mut branches = branches.iter();
            branches.any(|branch| matches!(branch, Branch::NoRoomReplaced(_)))
        };
        let may_replace = listed.is_none_or(|one| replaced(&one.branches));
        if facts.reviewed.online && !may_replace && replaced(&change.branches) {
            self.add(ExcessKind::ReplacesIfFull, change);
        }
    }

    fn add_fields(&mut self, kind: ExcessKind, change: &Change, fields: &BTreeSet<String>) {
        let fields = fields.iter().map(String::as_str);
        let machine = change.machine.id.as_ref();
        self.found
            .add_fields(kind, place_of(change), machine, fields);
    }

    /// Values, strategy and gate of each group that is changed.
    fn compare_groups(&mut self) {
        let facts = self.facts;
        self.compare_groups_order();
        for (name, fields) in std::mem::take(&mut self.sent) {
            let (Some(listed), Some(now)) = (
                facts.reviewed.desired_digests.get(name),
                self.desired_digests.get(name),
            ) else {
                // The group is new: its steps are compared one by one.
                continue;
            };
            let keys: BTreeSet<&str> = match &fields {
                Some(fields) => fields.iter().copied().collect(),
                None => listed
                    .config
                    .keys()
                    .chain(now.config.keys())
                    .map(String::as_str)
                    .collect(),
            };
            let mut others: BTreeSet<String> = keys
                .into_iter()
                .filter(|key| listed.config.get(*key) != now.config.get(*key))
                .map(str::to_owned)
                .collect();
            if others.remove("image") {
                self.found
                    .add_general(ExcessKind::Image(name.clone()), BTreeSet::new());
            }
            if !others.is_empty() {
                self.found
                    .add_general(ExcessKind::Values(name.clone()), others);
            }
            let group = facts.fresh.groups.iter().find(|group| group.name == *name);
            let machines = group.map_or(0, |group| group.before.max(group.after));
            if now.at_once.to_count(machines) > listed.at_once.to_count(machines) {
                self.found
                    .add_general(ExcessKind::Strategy(name.clone()), BTreeSet::new());
            }
            let sooner = match (listed.steady_ms, now.steady_ms) {
                (Some(listed), Some(now)) => now < listed,
                (None, None) => false,
                // The default is the provider's.
                (None, Some(_)) | (Some(_), None) => true,
            };
            if sooner || strictness(now.gate) < strictness(listed.gate) {
                self.found
                    .add_general(ExcessKind::Gate(name.clone()), BTreeSet::new());
            }
            // No canary is less than one without a soak.
            if listed.canary_soak_ms > now.canary_soak_ms {
                self.found
                    .add_general(ExcessKind::Gate(name.clone()), BTreeSet::new());
            }
            let waits_longer = match (listed.wait_timeout_s, now.wait_timeout_s) {
                (Some(listed), Some(now)) => now > listed,
                // A plan of an older version does not say.
                (None, _) | (_, None) => false,
            };
            if waits_longer {
                self.found
                    .add_general(ExcessKind::Wait(name.clone()), BTreeSet::new());
            }
            if !listed.order.is_empty() && listed.order != now.order {
                self.found
                    .add_general(ExcessKind::RegionOrder(name.clone()), BTreeSet::new());
            }
        }
    }

    /// Groups that are changed and no longer come after the groups that they came after.
    fn compare_groups_order(&mut self) {
        let reviewed = &self.facts.reviewed.desired_digests;
        let changed: Vec<_> = self
            .sent
            .keys()
            .filter_map(|name| {
                let (listed, now) = (reviewed.get(*name)?, self.desired_digests.get(*name)?);
                Some((*name, listed.turn, now.turn))
            })
            .collect();
        for (later, listed, now) in &changed {
            let earlier = changed
                .iter()
                .find(|(_, listed_before, now_before)| listed_before < listed && now_before >= now);
            if let Some((earlier, ..)) = earlier {
                let kind = ExcessKind::GroupsOrder((*later).clone(), (*earlier).clone());
                self.found.add_general(kind, BTreeSet::new());
            }
        }
    }

    /// Excesses of the plan, not of single Machines.
    fn compare_rules(&mut self) {
        let facts = self.facts;
        if !facts.fresh.calls_provider() {
            return;
        }
        let (reviewed, fresh) = (facts.reviewed.on_failure, facts.fresh.on_failure);
        // Stopping the release does the least.
        if reviewed != fresh && fresh != OnFailure::Stop {
            self.found
                .add_general(ExcessKind::OnFailure(fresh), BTreeSet::new());
        }
        let (fresh, reviewed) = (&facts.fresh.requested, &facts.reviewed.requested);
        let mode = fresh.release_command;
        let differs = !mode.is_auto() && mode != reviewed.release_command;
        let skips = |fresh: CheckMode, reviewed: CheckMode| !fresh.is_auto() && reviewed.is_auto();
        let kinds = [
            differs.then_some(ExcessKind::ReleaseCommand(mode)),
            skips(fresh.verify, reviewed.verify).then_some(ExcessKind::Verify),
            skips(fresh.machine_checks, reviewed.machine_checks)
                .then_some(ExcessKind::MachineChecks),
        ];
        for kind in kinds.into_iter().flatten() {
            self.found.add_general(kind, BTreeSet::new());
        }
    }

    /// Records that lose something. Records of protection and of hidden secrets do not, and an adopted run is
    /// compared by its Machines.
    fn compare_records(&mut self) {
        let facts = self.facts;
        let harmless = [
            codes::PROTECTS,
            codes::SECRETS_IN_STATE,
            codes::LINEAGE_TOLD,
            codes::UNRECORDED_RUN,
        ];
        for record in &facts.fresh.records {
            let key = (record.code.clone(), record.group.clone());
            let is_harmless = harmless.iter().any(|code| code.name() == record.code);
            if !is_harmless && !facts.reviewed.records.contains(&key) {
                let kind = ExcessKind::Record(record.message.clone());
                self.found.add_general(kind, BTreeSet::new());
            }
        }
    }
}

fn place_of(change: &Change) -> (&GroupName, &Region) {
    (&change.group, &change.region)
}

fn paths(change: &Change) -> BTreeSet<String> {
    let fields = change.changes.iter();
    fields.map(|field| field.path.join(".")).collect()
}

fn sends_config(change: &SavedChange) -> bool {
    change.action.sends_config()
}

/// Whether a reviewed removal covers another one of the same Machine. A Machine that is replaced or created again
/// elsewhere is not lost.
fn allows(listed: Removal, removal: Removal) -> bool {
    let gives_up = |removal: Removal| match removal {
        Removal::GroupRemoved | Removal::CountLowered | Removal::Named | Removal::AppDestroyed => {
            true
        }
        Removal::Rebalanced
        | Removal::Replaced
        | Removal::Canary
        | Removal::Swapped
        | Removal::SwapUndone => false,
    };
    listed == removal || gives_up(listed)
}

/// How strict a gate is.
fn strictness(gate: GateKind) -> u8 {
    match gate {
        GateKind::None => 0,
        GateKind::Settled | GateKind::Gone | GateKind::Ended => 1,
        GateKind::Started => 2,
        GateKind::Healthy => 3,
    }
}
