//! The desired config of one Machine, derived from manifests and plan; makes no choice.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::apply_context::ApplyContext;
use super::platform_additions::SentConfig;
use super::step_error::{PartResult, StepError};
use crate::apply::codes;
use crate::core::fleet::diff::required_changes;
use crate::core::fleet::{
    ComputedFields, ConfigBase, DesiredGroup, GroupName, Machine, MachineConfig, MachineId, Stamps,
    StoredConfig, VolumeId,
};
use crate::core::plan::{StandbyTarget, known_computed};

/// The desired config and group of a Machine.
pub(super) struct DesiredMachine<'a> {
    shared: &'a ApplyContext<'a>,
    pub(super) group: &'a DesiredGroup,
    name: &'a GroupName,
    sent: Option<&'a StoredConfig>,
    volumes: Vec<VolumeId>,
    standby_for: Vec<MachineId>,
    /// The Machine whose body it gets back, in a rollback; then no manifest matters.
    body: Option<&'a Machine>,
    /// It is the canary of its group.
    is_canary: bool,
}

impl<'a> DesiredMachine<'a> {
    /// A Machine of this group. `id` is the existing Machine, or the template of a new one: fields that are no
    /// longer desired are removed.
    pub(super) fn new(
        shared: &'a ApplyContext<'a>,
        name: &'a GroupName,
        id: Option<&MachineId>,
        volumes: &[VolumeId],
        standby_for: Vec<MachineId>,
    ) -> PartResult<Self> {
        let Some(group) = shared.input.desired.groups.get(name) else {
            let message = format!(
                "the plan has a Machine of group `{name}`, which the manifests do not have"
            );
            return Err(StepError::failed(codes::PLAN_MISMATCH, message));
        };
        Ok(Self {
            shared,
            group,
            name,
            sent: id.and_then(|id| shared.input.known.sent_config(id)),
            volumes: volumes.to_vec(),
            standby_for,
            body: None,
            is_canary: false,
        })
    }

    /// The canary of this group: a new Machine of it that the platform's DNS does not name.
    pub(super) fn canary(shared: &'a ApplyContext<'a>, name: &'a GroupName) -> PartResult<Self> {
        Ok(Self {
            is_canary: true,
            ..Self::new(shared, name, None, &[], Vec::new())?
        })
    }

    /// A Machine with the body of this one, as it was before the run; it watches these Machines. The group of the
    /// plan sets the limits.
    pub(super) fn restored(
        shared: &'a ApplyContext<'a>,
        group: &'a GroupName,
        body: &'a Machine,
        standby_for: Vec<MachineId>,
    ) -> PartResult<Self> {
        let desired = Self::new(shared, group, None, &body.volumes, standby_for)?;
        Ok(Self {
            name: body.group.as_ref().unwrap_or(group),
            body: Some(body),
            ..desired
        })
    }

    /// Whether it should run because it did before; none outside a rollback.
    pub(super) fn ran_before(&self) -> Option<bool> {
        self.body.map(Machine::ran)
    }

    /// The config that it had.
    fn body_config(&self) -> Option<MachineConfig> {
        let mut config = self.body?.config.as_deref()?.clone();
        let ids = self.standby_for.iter().map(ToString::to_string);
        config.standbys = (!self.standby_for.is_empty()).then(|| ids.collect());
        Some(config)
    }

    /// The desired config, merged into the existing one.
    pub(super) fn config_over(&self, existing: Option<&MachineConfig>) -> MachineConfig {
        if let Some(body) = self.body_config() {
            return body;
        }
        let base = ConfigBase {
            existing,
            sent: self.sent,
        };
        let mut config = self
            .group
            .config_for(base, &self.volumes, &self.standby_for);
        if self.is_canary {
            skip_registration(&mut config);
        }
        config
    }

    /// The existing config, as the base of the merge.
    pub(super) fn existing_config<'m>(
        &self,
        machine: &'m Machine,
    ) -> Option<Cow<'m, MachineConfig>> {
        machine.resolved_config(self.group.template.image.as_deref())
    }

    /// Whether the Machine is down after a change that was never seen healthy: a rollback that did not end has stopped
    /// it, or it exited by itself and has services or checks, so that it must run even after exit code 0 (rule 29).
    pub(super) fn must_come_up(&self, live: &Machine) -> bool {
        if let Some(ran) = self.ran_before() {
            return ran && !live.state.should_run();
        }
        let job = &self.shared.input;
        let template = &self.group.template;
        let recorded = job.known.machines.get(&live.id);
        let run = live.stamps.run.as_ref();
        let mut taken_over = job.plan.adopted_runs.iter();
        let unproven = recorded.is_some_and(|known| known.unproven)
            || taken_over.any(|run_record| Some(&run_record.run) == run);
        let serves = template.has_services() || template.has_checks();
        unproven && (live.removal_begun() || live.exited_by_itself() && serves)
    }

    /// Whether one of our runs saw the Machine healthy; one that is `created` rests then.
    pub(super) fn is_settled(&self, live: &Machine) -> bool {
        let recorded = self.shared.input.known.machines.get(&live.id);
        recorded.is_some_and(|known| !known.unproven)
    }

    /// Whether merging changes nothing. Fields added by the platform are no difference.
    pub(super) fn matches(&self, machine: &Machine) -> bool {
        let Some(live) = self.existing_config(machine) else {
            return false;
        };
        let lineage = self.shared.lineage();
        if let Some(body) = self.body_config() {
            let digest = |config| StoredConfig::from_config(config, lineage).digest();
            let config = machine.config.as_deref();
            return self.has_place_of(machine)
                && config.is_some_and(|config| digest(config) == digest(&body));
        }
        let computed = self.known_additions();
        self.has_place_of(machine)
            && required_changes(&live, &self.config_over(Some(&live)), &computed, lineage)
                .is_empty()
    }

    /// Whether group, standbys and volumes are as desired.
    fn has_place_of(&self, machine: &Machine) -> bool {
        machine.group.as_ref() == Some(self.name)
            && as_set(&machine.standby_for) == as_set(&self.standby_for)
            && machine.volumes == self.volumes
    }

    /// Fields that the platform added to Machines with this config, or with the Machine's previous one.
    fn known_additions(&self) -> ComputedFields {
        let remembered = self.stored_config();
        let mut computed = self.stored_additions(&remembered);
        computed.merge(&self.shared.additions.for_config(&remembered.digest()));
        computed
    }

    fn stored_additions(&self, remembered: &StoredConfig) -> ComputedFields {
        let known = &self.shared.input.known.computed_fields;
        known_computed(known, [self.sent, Some(remembered)])
    }

    /// The sent config, to detect platform additions. `before` is the changed or replaced Machine.
    pub(super) fn sent_config(
        &self,
        config: &MachineConfig,
        before: Option<&Machine>,
    ) -> SentConfig {
        let remembered = self.stored_config();
        let had = before.and_then(|machine| machine.config.clone());
        SentConfig {
            config: config.clone(),
            digest: remembered.digest(),
            before: had.map(|config| (config, self.stored_additions(&remembered))),
            instance: before.map_or_else(String::new, |machine| machine.instance.clone()),
        }
    }

    /// The config for the state: keys that the manifests write, without absent keys that only the platform
    /// adds, which would become removals.
    pub(super) fn stored_config(&self) -> StoredConfig {
        if let Some(body) = self.body_config() {
            return StoredConfig::from_config(&body, self.shared.lineage());
        }
        let own = self.group.config_for(ConfigBase::default(), &[], &[]);
        StoredConfig::from_config(&own, &self.shared.input.observed.description.scope)
    }

    /// The Machine in a response. As long as its config is unknown, it watches and mounts what was sent (rule
    /// 9).
    pub(super) fn complete_answer(&self, mut machine: Machine) -> Machine {
        if machine.config.is_none() {
            machine.standby_for.clone_from(&self.standby_for);
            machine.volumes.clone_from(&self.volumes);
        }
        machine
    }

    /// Whether it is created without a start.
    pub(super) fn is_standby(&self) -> bool {
        !self.standby_for.is_empty()
    }

    /// Whether the platform starts it on a schedule.
    pub(super) fn is_scheduled(&self) -> bool {
        if let Some(body) = self.body {
            return body.config.as_deref().is_some_and(|c| c.schedule.is_some());
        }
        self.group.template.schedule.is_some()
    }

    /// Its volumes.
    pub(super) fn volumes(&self) -> &[VolumeId] {
        &self.volumes
    }

    /// Group name.
    pub(super) fn name(&self) -> &'a GroupName {
        self.name
    }

    /// This run's metadata for a Machine of this group; in a rollback that of before.
    pub(super) fn stamps(&self, launch: Option<&str>) -> Stamps {
        if let Some(body) = self.body {
            return Stamps {
                launch: launch.map(str::to_owned).or(body.stamps.launch.clone()),
                ..body.stamps.clone()
            };
        }
        let job = &self.shared.input;
        Stamps {
            lineage: Some(job.observed.description.scope.clone()),
            serial: Some(job.serial),
            run: Some(job.run.run.clone()),
            desired: Some(job.plan.desired.clone()),
            launch: launch.map(str::to_owned),
            commit: job.commit.map(str::to_owned),
            by: Some(job.run.by.clone()),
            protect: self.group.protect,
            swap: None,
            canary: self.is_canary,
            release: self.shared.release.borrow().clone().map(Box::new),
        }
    }
}

/// Keeps a Machine out of the platform's DNS.
fn skip_registration(config: &mut MachineConfig) {
    let mut dns = match config.dns.take() {
        Some(Value::Object(dns)) => dns,
        Some(_) | None => Map::new(),
    };
    dns.insert("skip_registration".to_owned(), Value::Bool(true));
    config.dns = Some(Value::Object(dns));
}

fn as_set(ids: &[MachineId]) -> BTreeSet<&MachineId> {
    ids.iter().collect()
}

/// The launch id that a Machine keeps: one that contradicts its name was copied by another tool (rule 4).
pub(super) fn own_launch_id(machine: &Machine) -> Option<&str> {
    let stamp = machine.stamps.launch.as_deref()?;
    (machine.name.launch_suffix() == Some(stamp)).then_some(stamp)
}

/// The Machines that a standby watches, with those created or replaced by this run.
pub(super) fn watched_machines(
    shared: &ApplyContext<'_>,
    standbys: &[StandbyTarget],
) -> PartResult<Vec<MachineId>> {
    let created = shared.created.borrow();
    let id_of = |standby: &StandbyTarget| match standby {
        StandbyTarget::Machine(id) => Ok(current_machine(shared, id)),
        StandbyTarget::Step(step) => created.get(step).cloned().ok_or_else(|| {
            let message = format!("step {} has made no Machine to stand by for", step.0);
            StepError::failed(codes::PLAN_MISMATCH, message)
        }),
    };
    standbys.iter().map(id_of).collect()
}

/// The Machine itself, or its replacement.
pub(super) fn current_machine(shared: &ApplyContext<'_>, id: &MachineId) -> MachineId {
    shared
        .replace_fallbacks
        .borrow()
        .get(id)
        .unwrap_or(id)
        .clone()
}
