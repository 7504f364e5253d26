//! Fixtures for planner tests: builders for desired groups, and a fleet in memory to which plans are applied.

#![allow(dead_code, reason = "each test binary uses its part of the stage")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use aeroform::core::fleet::{
    AppName, Capabilities, ConfigBase, Count, Description, Desired, DesiredGroup, GroupLocations,
    GroupName, Known, Limit, Lineage, Machine, MachineConfig, MachineId, MachineState, MovedGroup,
    NewVolume, Observed, Policy, Region, Regions, ReleaseStatus, Rollout, RunId, Stamps,
    StoredConfig, Strategy, VolumeId,
};
use aeroform::core::plan::hold::held_desired;
use aeroform::core::plan::{
    Action, Change, Options, Outcome, Plan, RunInfo, StandbyTarget, StepId, StepResult,
    adopted_config, check, next_state, plan,
};
use serde_json::json;

pub(crate) fn group_name(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

pub(crate) fn region(name: &str) -> Region {
    Region::new(name).unwrap()
}

pub(crate) fn id(name: &str) -> MachineId {
    MachineId::new(name).unwrap()
}

/// The config of a Machine that has one, to be changed by another's hand.
pub(crate) fn config_of(machine: &mut Machine) -> &mut MachineConfig {
    Arc::make_mut(machine.config.as_mut().unwrap())
}

/// A group that runs `bin/<name>`.
pub(crate) fn group(name: &str) -> DesiredGroup {
    DesiredGroup {
        command: Some(format!("bin/{name}")),
        template: MachineConfig::from_value(json!({
            "init": {"cmd": [format!("bin/{name}")]},
            "env": {"FLY_PROCESS_GROUP": name},
        }))
        .unwrap(),
        image_from_flag: false,
        count: Count::Unwritten,
        regions: Regions::Unwritten,
        max_per_region: None,
        standby: None,
        ha: true,
        protect: false,
        max_unavailable: Limit::MAX_UNAVAILABLE,
        trial: None,
        strategy: Strategy::Rolling {
            max_unavailable: Limit::Share(0.33),
        },
        wait_timeout_s: 300,
        steady_ms: None,
        region_order: Vec::new(),
        machine_checks: Vec::new(),
        new_volume: NewVolume::default(),
        locations: GroupLocations::default(),
    }
}

/// Short words for what tests say about groups.
pub(crate) trait GroupBuilder: Sized {
    fn with(self, change: impl FnOnce(&mut DesiredGroup)) -> Self;

    fn count(self, n: u32) -> Self {
        self.with(|g| g.count = Count::Written(n))
    }
    fn list(self, regions: &str) -> Self {
        self.with(|g| g.regions = Regions::List(regions.split_whitespace().map(region).collect()))
    }
    fn exact(self, regions: &[(&str, u32)]) -> Self {
        self.with(|g| {
            g.count = Count::Written(regions.iter().map(|(_, n)| n).sum());
            g.regions = Regions::Exact(regions.iter().map(|(r, n)| (region(r), *n)).collect());
        })
    }
    fn config(self, patch: serde_json::Value) -> Self {
        self.with(|g| {
            let mut tree = g.template.to_value();
            merge(&mut tree, patch);
            g.template = MachineConfig::from_value(tree).unwrap();
        })
    }
    fn serves(self) -> Self {
        self.config(
            json!({"services": [{"internal_port": 8080, "protocol": "tcp",
            "ports": [{"port": 443, "handlers": ["http", "tls"]}]}]}),
        )
    }
    fn mount(self) -> Self {
        self.config(json!({"mounts": [{"name": "data", "path": "/data"}]}))
    }
    fn protected(self) -> Self {
        self.with(|g| g.protect = true)
    }
    fn max_unavailable(self, n: u32) -> Self {
        self.with(|g| {
            g.strategy = Strategy::Rolling {
                max_unavailable: Limit::Count(n),
            }
        })
    }
}

impl GroupBuilder for DesiredGroup {
    fn with(mut self, change: impl FnOnce(&mut DesiredGroup)) -> Self {
        change(&mut self);
        self
    }
}

fn merge(tree: &mut serde_json::Value, patch: serde_json::Value) {
    match (tree, patch) {
        (serde_json::Value::Object(tree), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(tree.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (tree, patch) => *tree = patch,
    }
}

pub(crate) fn desired(groups: impl IntoIterator<Item = (&'static str, DesiredGroup)>) -> Desired {
    Desired {
        app: AppName::new("shop").unwrap(),
        provider: "test".to_owned(),
        provider_from_flag: false,
        app_name_source: None,
        groups: groups
            .into_iter()
            .map(|(name, group)| (group_name(name), group))
            .collect(),
        moved: Vec::new(),
        moved_machines: Vec::new(),
        removed_machines: std::collections::BTreeSet::new(),
        policy: Policy::default(),
        primary_region: Some(region("ams")),
        image: None,
        has_processes: true,
        rollout: Rollout::default(),
        hold: None,
        definition: None,
    }
}

pub(crate) fn moved(from: &str, to: &str) -> MovedGroup {
    MovedGroup {
        from: group_name(from),
        to: group_name(to),
        location: "aeroform.toml:9".to_owned(),
    }
}

/// A state and a world that belong together.
#[derive(Clone)]
pub(crate) struct PlanFixture {
    pub(crate) known: Known,
    pub(crate) observed: Observed,
    created_count: u32,
    /// The commit that runs name.
    pub(crate) commit: Option<String>,
    /// The release that runs create, and how it ends.
    pub(crate) release: Option<(u64, ReleaseStatus)>,
    runs: u32,
    /// The Machines as they were when the run began.
    snapshot: BTreeMap<MachineId, Machine>,
    /// Each Machine that is created gets a volume of its own when its config has a mount.
    pub(crate) volumes: bool,
}

impl PlanFixture {
    pub(crate) fn empty() -> Self {
        let app = AppName::new("shop").unwrap();
        Self {
            known: Known::empty(app.clone(), "test"),
            observed: Observed {
                app,
                description: Description {
                    scope: Lineage::new("scope-1").unwrap(),
                    scope_is_derived: false,
                    machine_count: Some(0),
                    is_pending: false,
                    project: None,
                    capabilities: Capabilities {
                        enforces_sizes: true,
                        swap_wait_ms: 10_000,
                        replaces_when_full: true,
                        ..Capabilities::default()
                    },
                },
                machines: BTreeMap::new(),
                other_projects: BTreeMap::new(),
                once: Vec::new(),
                gone: Vec::new(),
                lagging: Vec::new(),
                volumes: Vec::new(),
                release: None,
                release_unknown: None,
                unreadable: Vec::new(),
                held_configs: Vec::new(),
            },
            created_count: 0,
            commit: None,
            release: None,
            runs: 0,
            snapshot: BTreeMap::new(),
            volumes: false,
        }
    }

    /// A stage on which this was applied already.
    pub(crate) fn with(desired: &Desired) -> Self {
        let mut stage = Self::empty();
        stage.apply(desired);
        stage
    }

    pub(crate) fn plan(&self, desired: &Desired) -> Plan {
        self.plan_with(desired, &Options::default())
    }

    /// Every plan of every test is read a second time and planned a second time.
    pub(crate) fn plan_with(&self, desired: &Desired, options: &Options) -> Plan {
        let planned = plan(desired, &self.known, Some(&self.observed), options);
        let findings = check(&planned, desired, &self.known, Some(&self.observed));
        assert_eq!(findings, [], "{:#?}", planned.summary_lines());
        assert_eq!(
            planned,
            plan(desired, &self.known, Some(&self.observed), options)
        );
        planned
    }

    pub(crate) fn offline(&self, desired: &Desired) -> Plan {
        let planned = plan(desired, &self.known, None, &Options::default());
        assert_eq!(check(&planned, desired, &self.known, None), []);
        planned
    }

    /// Plans, carries the plan out, and sees that nothing is left to do.
    pub(crate) fn apply(&mut self, desired: &Desired) -> Plan {
        let planned = self.plan(desired);
        assert_eq!(
            planned.refusals,
            [],
            "refused: {:#?}",
            planned.summary_lines()
        );
        self.carry_out(desired, &planned);
        let again = self.plan(desired);
        assert!(
            again.is_empty(),
            "planned again: {:#?}",
            again.summary_lines()
        );
        planned
    }

    pub(crate) fn carry_out(&mut self, desired: &Desired, planned: &Plan) {
        self.carry_out_except(desired, planned, |_| None);
    }

    /// The same, but what comes of some steps is said: nothing is done for them.
    pub(crate) fn carry_out_except(
        &mut self,
        desired: &Desired,
        planned: &Plan,
        outcome_of: impl Fn(StepId) -> Option<Outcome>,
    ) {
        let held = held_desired(desired, &self.known, Some(&self.observed));
        let desired = &*held;
        self.runs += 1;
        self.snapshot = self.observed.machines.clone();
        let run = RunId::new(format!("run{}", self.runs)).unwrap();
        let mut results = Vec::with_capacity(planned.steps.len());
        for step in &planned.steps {
            let result = match &step.work {
                _ if outcome_of(step.id).is_some() => StepResult {
                    outcome: outcome_of(step.id).unwrap(),
                    ..done_result(None, None)
                },
                aeroform::core::plan::Work::Barrier { .. } => done_result(None, None),
                aeroform::core::plan::Work::Change(change) => {
                    self.change(desired, change, &results, &run)
                }
            };
            results.push(result);
        }
        let facts = RunInfo {
            run,
            lineage: self.observed.description.scope.clone(),
            at: "2026-01-01T00:00:00Z".to_owned(),
            by: "ana".to_owned(),
            command: "apply".to_owned(),
            outcome: "complete".to_owned(),
            commit: self.commit.clone(),
            url: None,
            parent: None,
            plan: None,
            release: self.release,
        };
        self.known = next_state(&self.known, planned, desired, &results, &facts);
        self.count();
    }

    fn change(
        &mut self,
        desired: &Desired,
        change: &Change,
        results: &[StepResult],
        run: &RunId,
    ) -> StepResult {
        let lineage = self.observed.description.scope.clone();
        let group = desired.groups.get(&change.group);
        let stamps = Stamps {
            lineage: Some(lineage.clone()),
            serial: Some(self.known.serial + 1),
            run: Some(run.clone()),
            desired: Some(desired.digest(&lineage)),
            commit: self.commit.clone(),
            protect: group.is_some_and(|g| g.protect),
            ..Stamps::default()
        };
        match &change.action {
            Action::Create { standby_for, .. } => {
                let standby_for = watched_ids(standby_for, results);
                self.create(group.unwrap(), change, standby_for, stamps)
            }
            Action::Update { standby_for } | Action::Move { standby_for, .. } => {
                let standby_for = watched_ids(standby_for, results);
                self.update(group.unwrap(), change, standby_for, stamps)
            }
            Action::Destroy { .. } => {
                self.observed
                    .machines
                    .remove(change.machine.id.as_ref().unwrap());
                done_result(None, None)
            }
            Action::Adopt | Action::Wait | Action::Start => {
                if change.action == Action::Start {
                    let id = change.machine.id.as_ref().unwrap();
                    let machine = self.observed.machines.get_mut(id).unwrap();
                    machine.state = MachineState::Started;
                    machine.events.clear();
                }
                let machine = &self.observed.machines[change.machine.id.as_ref().unwrap()];
                let sent = adopted_config(group, machine, &self.known.computed_fields, &lineage);
                done_result(Some(machine.clone()), Some(sent))
            }
            Action::Switch { greens, .. } => {
                let added = greens.iter().filter(|green| !green.stays_cordoned);
                let added: Vec<_> = added.map(|green| green.machine.clone()).collect();
                for id in watched_ids(&added, results) {
                    self.observed.machines.get_mut(&id).unwrap().cordoned = false;
                }
                done_result(None, None)
            }
            // A canary of an earlier run is used, and no other is seen.
            Action::Canary { .. } => {
                let name = &change.machine.name;
                let machines = &mut self.observed.machines;
                machines.retain(|_, machine| machine.name != *name);
                done_result(None, None)
            }
            Action::Forget | Action::Once { .. } => done_result(None, None),
        }
    }

    fn create(
        &mut self,
        group: &DesiredGroup,
        change: &Change,
        standby_for: Vec<MachineId>,
        stamps: Stamps,
    ) -> StepResult {
        let Action::Create {
            launch,
            port,
            volumes,
            inherits,
            replaces,
            green,
            ..
        } = &change.action
        else {
            unreachable!()
        };
        // The old half of a replacement may be gone already; its config was in the snapshot.
        let sent = change
            .config_source()
            .and_then(|old| self.known.sent_config(old));
        let old = change
            .config_source()
            .and_then(|old| self.snapshot.get(old));
        let rests = |old: &Machine| {
            self.observed.machines.contains_key(&old.id)
                && replaces.is_some()
                && old.host == aeroform::core::fleet::HostStatus::Ok
                && old.state.is_inactive()
        };
        let base = inherits.base(old);
        self.created_count += 1;
        let mut volumes = volumes.clone();
        if self.volumes && volumes.is_empty() && group.template.has_mounts() {
            volumes.push(VolumeId::new(format!("vol_{:04}", self.created_count)).unwrap());
        }
        let must_run = green.as_ref().is_some_and(|green| green.must_run);
        let runs = standby_for.is_empty() && (must_run || !old.is_some_and(rests));
        let stands = |old: &&Machine| self.observed.machines.contains_key(&old.id);
        let is_green_cordoned = green.is_some() && standby_for.is_empty();
        let is_blue_cordoned =
            replaces.is_some() && old.filter(stands).is_some_and(|old| old.cordoned);
        let machine = Machine {
            id: id(&format!("m{:05}", self.created_count)),
            name: change.machine.name.clone(),
            group: Some(change.group.clone()),
            region: change.region.clone(),
            state: if runs {
                MachineState::Started
            } else {
                MachineState::Stopped
            },
            config: Some(Arc::new(group.config_for(
                ConfigBase {
                    existing: Some(&base),
                    sent,
                },
                &volumes,
                &standby_for,
            ))),
            stamps: Stamps {
                launch: Some(launch.to_string()),
                swap: green.as_ref().map(|green| green.tag.clone()),
                ..stamps
            },
            volumes,
            standby_for,
            port: *port,
            cordoned: is_green_cordoned || is_blue_cordoned,
            created_at: format!(
                "2026-01-01T00:{:02}:{:02}Z",
                self.created_count / 60 % 60,
                self.created_count % 60
            ),
            ..empty_machine()
        };
        self.observed
            .machines
            .insert(machine.id.clone(), machine.clone());
        let sent = StoredConfig::from_config(&group.template, &self.observed.description.scope);
        done_result(Some(machine), Some(sent))
    }

    fn update(
        &mut self,
        group: &DesiredGroup,
        change: &Change,
        standby_for: Vec<MachineId>,
        stamps: Stamps,
    ) -> StepResult {
        let id = change.machine.id.as_ref().unwrap();
        let before = self.known.sent_config(id).cloned();
        let machine = self.observed.machines.get_mut(id).unwrap();
        let there = machine.resolved_config(group.template.image.as_deref());
        let there = there.map(std::borrow::Cow::into_owned);
        let base = ConfigBase {
            existing: there.as_ref(),
            sent: before.as_ref(),
        };
        machine.standby_for = standby_for;
        let config = group.config_for(base, &machine.volumes, &machine.standby_for);
        machine.config = Some(Arc::new(config));
        machine.group = Some(change.group.clone());
        machine.stamps = Stamps {
            launch: machine.stamps.launch.clone(),
            ..stamps
        };
        if machine.state == MachineState::Failed {
            machine.state = MachineState::Started;
        }
        let sent = StoredConfig::from_config(&group.template, &self.observed.description.scope);
        done_result(Some(machine.clone()), Some(sent))
    }

    /// Another tool's hand on a Machine.
    pub(crate) fn edit_outside(&mut self, machine: &str, change: impl FnOnce(&mut Machine)) {
        change(self.observed.machines.get_mut(machine).unwrap());
    }

    /// `fly scale count +1` and `machine clone`: a copy with all metadata under another name.
    pub(crate) fn clone_machine(&mut self, machine: &str, as_id: &str) {
        let mut copy = self.observed.machines[machine].clone();
        copy.id = id(as_id);
        copy.name =
            aeroform::core::fleet::MachineName::new(format!("aged-thunder-{as_id}")).unwrap();
        "2026-02-01T00:00:00Z".clone_into(&mut copy.created_at);
        self.observed.machines.insert(copy.id.clone(), copy);
        self.count();
    }

    pub(crate) fn remove_machine(&mut self, machine: &str) {
        let id = id(machine);
        self.observed.machines.remove(&id).unwrap();
        self.observed.gone.push(id);
        self.count();
    }

    pub(crate) fn count(&mut self) {
        let count = self.observed.machines.len() as u64;
        self.observed.description.machine_count = Some(count);
    }
}

fn watched_ids(list: &[StandbyTarget], results: &[StepResult]) -> Vec<MachineId> {
    let resolve = |standby: &StandbyTarget| match standby {
        StandbyTarget::Machine(id) => id.clone(),
        StandbyTarget::Step(StepId(step)) => {
            results[*step as usize].machine.as_ref().unwrap().id.clone()
        }
    };
    list.iter().map(resolve).collect()
}

fn done_result(machine: Option<Machine>, sent: Option<StoredConfig>) -> StepResult {
    StepResult {
        machine,
        sent,
        ..StepResult::of(Outcome::Done)
    }
}

pub(crate) fn empty_machine() -> Machine {
    Machine {
        id: id("x"),
        name: aeroform::core::fleet::MachineName::new("x").unwrap(),
        group: None,
        region: region("ams"),
        state: MachineState::Started,
        instance: String::new(),
        config: None,
        unreadable: None,
        partial_image: None,
        image_digest: None,
        stamps: Stamps::default(),
        volumes: Vec::new(),
        standby_for: Vec::new(),
        host: aeroform::core::fleet::HostStatus::Ok,
        cordoned: false,
        checks: Vec::new(),
        management: aeroform::core::fleet::Management::Ours,
        project: None,
        created_at: String::new(),
        port: None,
        pid: None,
        address: None,
        restarts: 0,
        events: Vec::new(),
        detail: None,
    }
}
