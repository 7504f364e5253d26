//! Which steps of two plans over one snapshot are the same.
//!
//! Two steps are the same if they are the same choice ([`SavedChange`]) and lead to the same config. Creates of one
//! group and region are compared by number, and so are removals: the rest of the plan
//! decides which one of equal Machines is created or removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::discriminant;

use serde::Serialize;
use serde_json::Value;

use super::super::saved::SavedChange;
use super::super::types::{Action, Change, Inherited, Removal, StepId};
use super::{PlanOf, Snapshot};
use crate::core::fleet::{
    ConfigBase, Desired, DesiredGroup, GroupName, Lineage, MachineId, Region, StoredConfig,
    normalise, overlay,
};
use crate::core::plan::types::Plan;
use crate::core::state;

/// The steps that both plans have.
#[derive(Debug, Default)]
pub(super) struct MatchedSteps {
    /// By their ids in the plan of the change.
    pub(super) pending: BTreeSet<StepId>,
    /// The same steps, by their ids in the base's plan.
    pub(super) in_both_of_base: BTreeSet<StepId>,
}

/// Finds the steps that both plans have.
pub(super) fn match_steps(
    ours: PlanOf<'_>,
    base: PlanOf<'_>,
    snapshot: Snapshot<'_>,
) -> MatchedSteps {
    let mut matched = MatchedSteps::default();
    let mut configs = Configs::of(ours, base, snapshot);
    match_choices(ours.plan, base.plan, &configs, &mut matched);
    match_creates(ours.plan, base.plan, &mut configs, &mut matched);
    match_removals(ours.plan, base.plan, &mut matched);
    match_old_halves(ours.plan, base.plan, &mut matched);
    matched
}

impl MatchedSteps {
    fn add(&mut self, ours: StepId, base: StepId) {
        self.pending.insert(ours);
        self.in_both_of_base.insert(base);
    }
}

/// Changes of existing Machines that neither create nor destroy one.
fn match_choices(ours: &Plan, base: &Plan, configs: &Configs<'_>, matched: &mut MatchedSteps) {
    let is_choice = |change: &Change| match change.action {
        Action::Create { .. }
        | Action::Destroy { .. }
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => false,
        Action::Update { .. }
        | Action::Move { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget => true,
    };
    let choices = |plan| changes_where(plan, is_choice);
    // A Machine may have two steps: it is adopted, then updated.
    let key = |change: &Change| Some((change.machine.id.clone()?, discriminant(&change.action)));
    let of_base: HashMap<(MachineId, _), (StepId, &Change)> = choices(base)
        .filter_map(|(id, change)| Some((key(change)?, (id, change))))
        .collect();
    for (id, change) in choices(ours) {
        let Some((other_id, other)) = key(change).and_then(|key| of_base.get(&key)) else {
            continue;
        };
        if SavedChange::of(change).is_same_step(&SavedChange::of(other))
            && configs.lead_to_the_same(change, other)
        {
            matched.add(id, *other_id);
        }
    }
}

/// New Machines: of one group and region by number, replacements by the replaced Machine.
fn match_creates(ours: &Plan, base: &Plan, configs: &mut Configs<'_>, matched: &mut MatchedSteps) {
    let is_create = |change: &Change| matches!(change.action, Action::Create { .. });
    let mut of_base: HashMap<String, Vec<StepId>> = HashMap::new();
    let mut base_creates: Vec<(StepId, &Change)> = changes_where(base, is_create).collect();
    base_creates.reverse();
    for (id, change) in base_creates {
        let key = configs.create_key(change, Side::Base);
        of_base.entry(key).or_default().push(id);
    }
    for (id, change) in changes_where(ours, is_create) {
        let key = configs.create_key(change, Side::Ours);
        if let Some(other) = of_base.get_mut(&key).and_then(Vec::pop) {
            matched.add(id, other);
        }
    }
}

/// Removals of one group and region by number; the same Machine first. One that a manifest or a verb names is only
/// the same if the Machine is.
fn match_removals(ours: &Plan, base: &Plan, matched: &mut MatchedSteps) {
    let mut of_base: BTreeMap<(&GroupName, &Region), Vec<(StepId, &Change)>> = BTreeMap::new();
    for (id, change) in changes_where(base, is_removal) {
        let place = (&change.group, &change.region);
        of_base.entry(place).or_default().push((id, change));
    }
    let same_machine = |one: &Change, other: &Change| one.machine.id == other.machine.id;
    let by_number = |one: &Change, other: &Change| !is_named(one) && !is_named(other);
    for is_same in [
        &same_machine as &dyn Fn(&Change, &Change) -> bool,
        &by_number,
    ] {
        for (id, change) in changes_where(ours, is_removal) {
            let place = of_base.get_mut(&(&change.group, &change.region));
            let Some(there) = place.filter(|_| !matched.pending.contains(&id)) else {
                continue;
            };
            if let Some(at) = there.iter().position(|(_, other)| is_same(change, other)) {
                matched.add(id, there.remove(at).0);
            }
        }
    }
}

/// The old half of a replacement is the same if its new half is, or if no step of either plan creates that one.
fn match_old_halves(ours: &Plan, base: &Plan, matched: &mut MatchedSteps) {
    let new_halves = |plan: &'_ Plan| -> BTreeMap<MachineId, StepId> {
        let halves = plan
            .changes()
            .filter_map(|(id, change)| Some((change.replaces()?.clone(), id)));
        halves.collect()
    };
    let (new_of_ours, new_of_base) = (new_halves(ours), new_halves(base));
    let old_of_base: HashMap<&MachineId, StepId> = changes_where(base, is_old_half)
        .filter_map(|(id, change)| Some((change.machine.id.as_ref()?, id)))
        .collect();
    for (id, change) in changes_where(ours, is_old_half) {
        let Some(machine) = &change.machine.id else {
            continue;
        };
        let Some(other) = old_of_base.get(machine) else {
            continue;
        };
        let same = match (new_of_ours.get(machine), new_of_base.get(machine)) {
            (Some(new), Some(_)) => matched.pending.contains(new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same {
            matched.add(id, *other);
        }
    }
}

/// A value as text, to compare it.
fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always serialises")
}

fn changes_where(
    plan: &Plan,
    is_one: impl Fn(&Change) -> bool,
) -> impl Iterator<Item = (StepId, &Change)> {
    plan.changes().filter(move |(_, change)| is_one(change))
}

fn removal(change: &Change) -> Option<Removal> {
    match change.action {
        Action::Destroy { removal, .. } => Some(removal),
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Move { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => None,
    }
}

fn is_removal(change: &Change) -> bool {
    removal(change).is_some_and(|removal| !removal.is_replacement())
}

fn is_old_half(change: &Change) -> bool {
    removal(change).is_some_and(Removal::is_replacement)
}

fn is_named(change: &Change) -> bool {
    removal(change) == Some(Removal::Named)
}

/// Which plan a step is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Ours,
    Base,
}

/// The configs that steps lead to.
struct Configs<'a> {
    ours: &'a Desired,
    base: &'a Desired,
    snapshot: Snapshot<'a>,
    lineage: Lineage,
    /// Groups with the same desired config on both sides.
    same_templates: BTreeSet<&'a GroupName>,
    /// The configs of new Machines, by side, group and what they inherit.
    new: BTreeMap<(Side, GroupName, String), String>,
}

impl<'a> Configs<'a> {
    fn of(ours: PlanOf<'a>, base: PlanOf<'a>, snapshot: Snapshot<'a>) -> Self {
        let groups = ours.desired.groups.iter();
        let same = groups.filter(|(name, group)| {
            let other = base.desired.groups.get(*name);
            other.is_some_and(|other| other.template == group.template)
        });
        // Only to hide the same values on both sides in the same way.
        let unknown = || Lineage::new("unknown").expect("`unknown` is a valid lineage");
        Self {
            ours: ours.desired,
            base: base.desired,
            snapshot,
            lineage: ours.plan.lineage.clone().unwrap_or_else(unknown),
            same_templates: same.map(|(name, _)| name).collect(),
            new: BTreeMap::new(),
        }
    }

    /// Whether two changes of one Machine lead to the same config. The values of changed fields are compared, and
    /// where those are hidden, the configs.
    fn lead_to_the_same(&self, change: &Change, other: &Change) -> bool {
        if change.changes != other.changes {
            return false;
        }
        if self.same_templates.contains(&change.group) || change.changes.is_empty() {
            return true;
        }
        let config = |desired: &Desired| {
            let group = desired.groups.get(&change.group)?;
            self.config_after(group, change.machine.id.as_ref()?)
        };
        config(self.ours) == config(self.base)
    }

    /// The config of an existing Machine after a change; its stored form if the Machine was not read.
    fn config_after(&self, group: &DesiredGroup, machine: &MachineId) -> Option<Value> {
        let sent = self.snapshot.known.sent_config(machine);
        let seen = self.snapshot.observed.and_then(|o| o.machines.get(machine));
        let written = group.template.image.as_deref();
        if let Some(existing) = seen.and_then(|seen| seen.resolved_config(written)) {
            let base = ConfigBase {
                existing: Some(&existing),
                sent,
            };
            let config = group.config_for(base, &[], &[]);
            return Some(normalise::normalise_config(&config));
        }
        let sent = sent?;
        let template = StoredConfig::from_config(&group.template, &self.lineage);
        Some(overlay::stored_config_for(&template, sent, sent))
    }

    /// A text that is equal for equal new Machines of one group and region. The ids of volumes that they take are
    /// left out, their number is not.
    fn create_key(&mut self, change: &Change, side: Side) -> String {
        let Action::Create {
            launch: _,
            port: _,
            standby_for,
            replaces,
            volumes,
            new_volumes,
            inherits,
            green: _,
        } = &change.action
        else {
            unreachable!("only creates are compared by number");
        };
        let inherited = to_text(inherits);
        let config = self.new_config(change, inherits, &inherited, side);
        format!(
            "{} {} {} {} {} {} {inherited} {config}",
            change.group,
            change.region,
            !standby_for.is_empty(),
            replaces.as_ref().map_or("", MachineId::as_str),
            volumes.len(),
            to_text(new_volumes),
        )
    }

    /// The digest of a new Machine's config; empty if its group desires the same one on both sides.
    fn new_config(
        &mut self,
        change: &Change,
        inherits: &Inherited,
        inherited: &str,
        side: Side,
    ) -> String {
        if self.same_templates.contains(&change.group) {
            return String::new();
        }
        let source = change.config_source();
        let from = source.map_or("", MachineId::as_str);
        let key = (side, change.group.clone(), format!("{from} {inherited}"));
        if let Some(known) = self.new.get(&key) {
            return known.clone();
        }
        let desired = match side {
            Side::Ours => self.ours,
            Side::Base => self.base,
        };
        let digest = desired.groups.get(&change.group).map(|group| {
            let machines = self.snapshot.observed.map(|observed| &observed.machines);
            let of = source.and_then(|id| machines?.get(id));
            let base = inherits.base(of);
            let base = ConfigBase {
                existing: Some(&base),
                sent: source.and_then(|id| self.snapshot.known.sent_config(id)),
            };
            let config = normalise::normalise_config(&group.config_for(base, &[], &[]));
            state::digest(&config.to_string())
        });
        let digest = digest.unwrap_or_default();
        self.new.insert(key, digest.clone());
        digest
    }
}
