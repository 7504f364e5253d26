//! Short builders for plans, so that a gallery entry reads like the situation it shows.

use std::collections::BTreeMap;

use aeroform::core::fleet::{
    AppName, Count, DesiredGroup, Effect, FieldChange, GroupLocations, GroupName, LaunchId, Limit,
    Lineage, MachineConfig, MachineId, MachineName, MachineState, NewVolume, OnFailure, Region,
    Regions, RunId, RunRecord, Strategy, VolumeId, diff,
};
use aeroform::core::plan::types::FORMAT_VERSION;
use aeroform::core::plan::{
    Action, Branch, Change, Drift, DriftKind, Frees, GateKind, Green, GroupChange, GroupVerdict,
    MachineRef, Note, Plan, PlanMode, Pool, PoolId, Removal, Requested, StandbyTarget, StateSource,
    Step, StepId, Successor, SwitchedGreen, Work,
};
use serde_json::{Value, json};

pub(crate) fn group_name(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

pub(crate) fn region(name: &str) -> Region {
    Region::new(name).unwrap()
}

pub(crate) fn id(name: &str) -> MachineId {
    MachineId::new(name).unwrap()
}

pub(crate) fn volume(name: &str) -> VolumeId {
    VolumeId::new(name).unwrap()
}

/// A plan of `shop` on `local` at serial 12 without anything in it.
pub(crate) fn plan(machines: usize) -> Plan {
    Plan {
        format_version: FORMAT_VERSION,
        app: AppName::new("shop").unwrap(),
        provider: "local".to_owned(),
        provider_unwritten: false,
        named_by: None,
        lineage: Some(Lineage::new("lineage").unwrap()),
        serial: 12,
        state: StateSource {
            serial: 12,
            ..StateSource::default()
        },
        desired: "desired".to_owned(),
        desired_digests: BTreeMap::new(),
        online: true,
        machines,
        mode: PlanMode::Normal,
        hold: None,
        requested: Requested::default(),
        on_failure: OnFailure::Stop,
        groups: Vec::new(),
        groups_order: Vec::new(),
        left_out: Vec::new(),
        steps: Vec::new(),
        swap: None,
        pools: vec![Pool {
            name: "all".to_owned(),
            size: 16,
            per_region: BTreeMap::new(),
            frees: Frees::WhenDone,
            first_alone: false,
            stops_on_failure: true,
            stops_release: true,
        }],
        drift: Vec::new(),
        notes: Vec::new(),
        warnings: Vec::new(),
        refusals: Vec::new(),
        records: Vec::new(),
        watchers: std::collections::BTreeMap::new(),
        adopted_runs: Vec::new(),
        unlisted_runs: Vec::new(),
        provenance: BTreeMap::new(),
        cost: None,
        at_least_ms: None,
        release: None,
        release_command_done: None,
        newest_release: None,
        unseen_release: None,
        expected_machines: BTreeMap::new(),
    }
}

pub(crate) trait PlanBuilder: Sized {
    fn group(self, group: GroupChange) -> Self;
    fn step(self, change: Change) -> Self;
    fn steps(self, changes: impl IntoIterator<Item = Change>) -> Self;
    fn barrier(self, name: &str) -> Self;
}

impl PlanBuilder for Plan {
    fn group(mut self, group: GroupChange) -> Self {
        self.groups.push(group);
        self.groups.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    fn step(mut self, change: Change) -> Self {
        let id = StepId(u32::try_from(self.steps.len()).unwrap());
        self.steps.push(Step {
            id,
            needs: Vec::new(),
            pool: Some(PoolId(0)),
            completes: None,
            work: Work::Change(Box::new(change)),
        });
        self
    }

    fn steps(self, changes: impl IntoIterator<Item = Change>) -> Self {
        changes.into_iter().fold(self, Self::step)
    }

    fn barrier(mut self, name: &str) -> Self {
        let id = StepId(u32::try_from(self.steps.len()).unwrap());
        self.steps.push(Step {
            id,
            needs: Vec::new(),
            pool: None,
            completes: None,
            work: Work::Barrier {
                name: name.to_owned(),
            },
        });
        self
    }
}

/// A group whose Machines per region are `gru 2->4, bog 2`.
pub(crate) fn group(
    name: &str,
    command: &str,
    verdict: GroupVerdict,
    locations: &str,
) -> GroupChange {
    let mut regions = BTreeMap::new();
    for place in locations.split(", ").filter(|place| !place.is_empty()) {
        let (at, counts) = place.split_once(' ').unwrap();
        let (before, after) = counts.split_once("->").unwrap_or((counts, counts));
        regions.insert(
            region(at),
            (
                before.parse::<u32>().unwrap(),
                after.parse::<u32>().unwrap(),
            ),
        );
    }
    GroupChange {
        name: group_name(name),
        command: (!command.is_empty()).then(|| command.to_owned()),
        before: regions.values().map(|(before, _)| before).sum(),
        after: regions.values().map(|(_, after)| after).sum(),
        verdict,
        primaries: BTreeMap::new(),
        regions,
        count_reason: None,
        moved_from: Vec::new(),
        moved_in: 0,
        strategy: String::new(),
        waves: Vec::new(),
        lowest_serving: None,
        checks: Vec::new(),
        wait_timeout_ms: None,
        steady_ms: None,
        at_least_ms: None,
        overlap: None,
        size: None,
        http_service: None,
        has_size_in_parts: false,
    }
}

pub(crate) trait GroupBuilder: Sized {
    fn strategy(self, text: &str) -> Self;
    fn size(self, text: &str) -> Self;
    fn why(self, text: &str) -> Self;
}

impl GroupBuilder for GroupChange {
    fn strategy(mut self, text: &str) -> Self {
        text.clone_into(&mut self.strategy);
        self
    }

    fn size(mut self, text: &str) -> Self {
        self.size = Some(text.to_owned());
        self
    }

    fn why(mut self, text: &str) -> Self {
        self.count_reason = Some(text.to_owned());
        self
    }
}

fn change(action: Action, group: &str, at: &str, reason: &str) -> Change {
    Change {
        action,
        group: group_name(group),
        region: region(at),
        machine: MachineRef {
            id: None,
            name: MachineName::new(format!("{group}-new")).unwrap(),
        },
        reason: reason.to_owned(),
        changes: Vec::new(),
        precondition: None,
        gate: GateKind::Healthy,
        wake: None,
        branches: Vec::new(),
        state: None,
        reverts: None,
        standby: false,
    }
}

/// The nth new Machine of a group, on its own port.
pub(crate) fn create(group: &str, at: &str, n: u16) -> Change {
    let launch = LaunchId::new(format!("launch{n:04}")).unwrap();
    let name = MachineName::for_launch(&group_name(group), &launch);
    let action = Action::Create {
        launch,
        port: Some(8100 + n),
        standby_for: Vec::new(),
        replaces: None,
        volumes: Vec::new(),
        new_volumes: Vec::new(),
        inherits: Box::default(),
        green: None,
    };
    let mut change = change(action, group, at, "its group has too few Machines");
    change.machine.name = name;
    change
}

pub(crate) fn change_of(
    machine: &str,
    action: Action,
    group: &str,
    at: &str,
    reason: &str,
) -> Change {
    let mut change = change(action, group, at, reason);
    change.machine = MachineRef {
        id: Some(id(machine)),
        name: MachineName::new(format!("{group}-{machine}")).unwrap(),
    };
    change.state = Some(MachineState::Started);
    change
}

pub(crate) fn update(group: &str, at: &str, machine: &str, fields: &[FieldChange]) -> Change {
    let action = Action::Update {
        standby_for: Vec::new(),
    };
    let mut change = change_of(machine, action, group, at, "its config changes");
    change.changes = fields.to_vec();
    let launch = LaunchId::new("0123456789").unwrap();
    change.branches = vec![Branch::NoRoomReplaced(Successor {
        name: MachineName::for_launch(&change.group, &launch),
        launch,
        repoints: Vec::new(),
    })];
    change
}

pub(crate) fn moving(group: &str, from: &str, at: &str, machine: &str) -> Change {
    let action = Action::Move {
        from: group_name(from),
        standby_for: Vec::new(),
    };
    change_of(machine, action, group, at, "`[[moved]]`")
}

pub(crate) fn destroy(
    group: &str,
    at: &str,
    machine: &str,
    removal: Removal,
    reason: &str,
) -> Change {
    let action = Action::Destroy {
        removal,
        left_volumes: Vec::new(),
    };
    let mut change = change_of(machine, action, group, at, reason);
    change.gate = GateKind::Gone;
    change
}

pub(crate) fn with_left_over(mut change: Change, left: &str) -> Change {
    if let Action::Destroy {
        left_volumes: leaves,
        ..
    } = &mut change.action
    {
        leaves.push(volume(left));
    }
    change
}

pub(crate) fn adopt(group: &str, at: &str, machine: &str) -> Change {
    change_of(machine, Action::Adopt, group, at, "added outside")
}

pub(crate) fn forget(group: &str, at: &str, machine: &str) -> Change {
    change_of(machine, Action::Forget, group, at, "it no longer exists")
}

/// Both halves of a replacement, the new one first.
pub(crate) fn replace(group: &str, at: &str, machine: &str, n: u16, reason: &str) -> [Change; 2] {
    let mut new = create(group, at, n);
    reason.clone_into(&mut new.reason);
    if let Action::Create { replaces, .. } = &mut new.action {
        *replaces = Some(id(machine));
    }
    [new, destroy(group, at, machine, Removal::Replaced, reason)]
}

/// The nth green of a group, in the place of this blue.
pub(crate) fn green(group: &str, at: &str, n: u16, blue: Option<&str>) -> Change {
    let mut change = create(group, at, n);
    if let Action::Create {
        replaces, green, ..
    } = &mut change.action
    {
        *replaces = blue.map(id);
        *green = Some(Box::new(Green {
            tag: "tag".to_owned(),
            must_run: false,
            exists: false,
        }));
    }
    change
}

/// The switch of a group to the greens of these steps.
pub(crate) fn switch(
    group: &str,
    at: &str,
    greens: impl IntoIterator<Item = StandbyTarget>,
    blues: &[&str],
) -> Change {
    let greens = greens.into_iter().map(|machine| SwitchedGreen {
        machine,
        stays_cordoned: false,
    });
    let greens: Vec<SwitchedGreen> = greens.collect();
    let action = json!({"do": "switch", "tag": "tag", "greens": greens, "blues": blues});
    let action = serde_json::from_value(action).unwrap();
    let mut change = change(action, group, at, "every new Machine has passed");
    change.gate = GateKind::None;
    change
}

pub(crate) fn standby(group: &str, at: &str, n: u16, of: &str) -> Change {
    let mut change = create(group, at, n);
    if let Action::Create { standby_for, .. } = &mut change.action {
        standby_for.push(StandbyTarget::Machine(id(of)));
    }
    change
}

/// The fields in which two configs differ.
pub(crate) fn fields(before: Value, after: Value) -> Vec<FieldChange> {
    let config = |value| MachineConfig::from_value(value).unwrap();
    diff::diff_configs(&config(before), &config(after))
}

pub(crate) fn field(path: &[&str], before: Value, after: Value) -> FieldChange {
    FieldChange {
        path: path.iter().map(ToString::to_string).collect(),
        before: Some(before),
        after: Some(after),
        effect: Effect::InPlace,
        hidden: false,
        shrinks: false,
        unsent: false,
        line_ends: false,
    }
}

pub(crate) fn drift(kind: DriftKind, group: &str, at: &str, machine: &str) -> Drift {
    Drift {
        kind,
        machine: MachineRef {
            id: Some(id(machine)),
            name: MachineName::new(format!("{group}-{machine}")).unwrap(),
        },
        group: group_name(group),
        region: region(at),
        standby: false,
        changes: Vec::new(),
        run: None,
    }
}

pub(crate) fn note(code: &str, group: Option<&str>, message: &str, hint: Option<&str>) -> Note {
    Note {
        code: code.to_owned(),
        group: group.map(group_name),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}

/// A group of which no file says more than this.
pub(crate) fn bare_group(template: MachineConfig) -> DesiredGroup {
    DesiredGroup {
        command: None,
        template,
        image_from_flag: false,
        count: Count::Unwritten,
        regions: Regions::Unwritten,
        max_per_region: None,
        standby: None,
        ha: true,
        protect: false,
        max_unavailable: Limit::MAX_UNAVAILABLE,
        trial: None,
        strategy: Strategy::Immediate,
        steady_ms: None,
        region_order: Vec::new(),
        wait_timeout_s: 300,
        machine_checks: Vec::new(),
        new_volume: NewVolume::default(),
        locations: GroupLocations::default(),
    }
}

/// A run that came to its end.
pub(crate) fn last_run() -> RunRecord {
    RunRecord {
        run: RunId::new("7f3k2m4n6p").unwrap(),
        serial: 13,
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        outcome: "complete".to_owned(),
        commit: None,
        url: None,
        desired: None,
        plan: None,
    }
}
