//! What one Machine is to be: derived from the manifests and the plan's choice, never chosen here.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::apply_context::ApplyContext;
use super::platform_additions::SentConfig;
use super::step_error::{PartResult, StepError};
use crate::apply::codes;
use crate::core::fleet::diff::required_changes;
use crate::core::fleet::{
    ComputedFields, ConfigBase, DesiredGroup, GroupName, Machine, MachineConfig, MachineId, Stamps,
    StoredConfig, VolumeId,
};
use crate::core::plan::{StandbyTarget, filled_of};

/// The config and group that a Machine is to have.
pub(super) struct DesiredMachine<'a> {
    shared: &'a ApplyContext<'a>,
    pub(super) group: &'a DesiredGroup,
    name: &'a GroupName,
    sent: Option<&'a StoredConfig>,
    volumes: Vec<VolumeId>,
    standby_for: Vec<MachineId>,
}

impl<'a> DesiredMachine<'a> {
    /// A Machine of this group. `id` is the one that exists, or that a new one begins as: what was sent to it
    /// and is not wanted any more goes.
    pub(super) fn new(
        shared: &'a ApplyContext<'a>,
        name: &'a GroupName,
        id: Option<&MachineId>,
        volumes: &[VolumeId],
        standby_for: Vec<MachineId>,
    ) -> PartResult<Self> {
        let Some(group) = shared.input.desired.groups.get(name) else {
            let message = format!("the plan wants a Machine of `{name}`, which is not wanted");
            return Err(StepError::failed(codes::PLAN_MISMATCH, message));
        };
        Ok(Self {
            shared,
            group,
            name,
            sent: id.and_then(|id| shared.input.known.sent_config(id)),
            volumes: volumes.to_vec(),
            standby_for,
        })
    }

    /// The whole config, laid over the one that exists.
    pub(super) fn config_over(&self, existing: Option<&MachineConfig>) -> MachineConfig {
        let base = ConfigBase {
            existing,
            sent: self.sent,
        };
        self.group
            .config_for(base, &self.volumes, &self.standby_for)
    }

    /// The config that exists, as this is laid over it.
    pub(super) fn existing_config<'m>(
        &self,
        machine: &'m Machine,
    ) -> Option<Cow<'m, MachineConfig>> {
        machine.resolved_config(self.group.template.image.as_deref())
    }

    /// Whether the Machine is down since a change of it that nobody has seen work, ended by itself and has
    /// something to answer: with exit code 0 as well it is to run (rule 29).
    pub(super) fn must_come_up(&self, live: &Machine) -> bool {
        let job = &self.shared.input;
        let template = &self.group.template;
        let recorded = job.known.machines.get(&live.id);
        let run = live.stamps.run.as_ref();
        let mut taken_over = job.plan.adopted_runs.iter();
        let unproven = recorded.is_some_and(|known| known.unproven)
            || taken_over.any(|taken| Some(&taken.run) == run);
        unproven && live.exited_by_itself() && (template.has_services() || template.has_checks())
    }

    /// Whether a run of ours saw the Machine as it was meant to be: one that is `created` rests so then.
    pub(super) fn is_settled(&self, live: &Machine) -> bool {
        let recorded = self.shared.input.known.machines.get(&live.id);
        recorded.is_some_and(|known| !known.unproven)
    }

    /// Whether the Machine is so already: laying what is wanted over it changes nothing. What the
    /// platform has added by itself is therefore no difference.
    pub(super) fn matches(&self, machine: &Machine) -> bool {
        let Some(live) = self.existing_config(machine) else {
            return false;
        };
        let lineage = self.shared.lineage();
        let filled = self.known_additions();
        machine.group.as_ref() == Some(self.name)
            && as_set(&machine.standby_for) == as_set(&self.standby_for)
            && machine.volumes == self.volumes
            && required_changes(&live, &self.config_over(Some(&live)), &filled, lineage).is_empty()
    }

    /// What the platform was seen to add by itself to Machines of this config, or of the one that this
    /// Machine had.
    fn known_additions(&self) -> ComputedFields {
        let remembered = self.stored_config();
        let mut filled = self.stored_additions(&remembered);
        filled.merge(&self.shared.additions.for_config(&remembered.digest()));
        filled
    }

    fn stored_additions(&self, remembered: &StoredConfig) -> ComputedFields {
        let known = &self.shared.input.known.computed_fields;
        filled_of(known, [self.sent, Some(remembered)])
    }

    /// What a call sends, for telling afterwards what the platform adds. `before` is the Machine that it
    /// changes, or in whose place a new one comes.
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

    /// What the state remembers of it: the keys that the manifests write, and none of those that only
    /// the platform has, which would become removals.
    pub(super) fn stored_config(&self) -> StoredConfig {
        let own = self.group.config_for(ConfigBase::default(), &[], &[]);
        StoredConfig::from_config(&own, &self.shared.input.observed.description.scope)
    }

    /// The Machine that a call has answered. As long as nothing tells its config, it watches and mounts what was
    /// sent to it (rule 9).
    pub(super) fn complete_answer(&self, mut machine: Machine) -> Machine {
        if machine.config.is_none() {
            machine.standby_for.clone_from(&self.standby_for);
            machine.volumes.clone_from(&self.volumes);
        }
        machine
    }

    /// Whether it is made without being started.
    pub(super) fn is_standby(&self) -> bool {
        !self.standby_for.is_empty()
    }

    /// Whether the platform starts it when its time comes.
    pub(super) fn is_scheduled(&self) -> bool {
        self.group.template.schedule.is_some()
    }

    /// The volumes that it is to have.
    pub(super) fn volumes(&self) -> &[VolumeId] {
        &self.volumes
    }

    /// The group's name.
    pub(super) fn name(&self) -> &'a GroupName {
        self.name
    }

    /// The bookkeeping of this run for a Machine of this group.
    pub(super) fn stamps(&self, launch: Option<&str>) -> Stamps {
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
            release: self.shared.release.borrow().clone().map(Box::new),
        }
    }
}

fn as_set(ids: &[MachineId]) -> BTreeSet<&MachineId> {
    ids.iter().collect()
}

/// The launch id that a Machine may go on bearing: a stamp that its name contradicts was copied by
/// another tool (rule 4).
pub(super) fn own_launch_id(machine: &Machine) -> Option<&str> {
    let stamp = machine.stamps.launch.as_deref()?;
    (machine.name.launch_suffix() == Some(stamp)).then_some(stamp)
}

/// The ids of the Machines that a standby watches; those that this run makes, or puts in the place of others,
/// were made before it.
pub(super) fn watched_machines(
    shared: &ApplyContext<'_>,
    standbys: &[StandbyTarget],
) -> PartResult<Vec<MachineId>> {
    let made = shared.created.borrow();
    let id_of = |standby: &StandbyTarget| match standby {
        StandbyTarget::Machine(id) => Ok(current_machine(shared, id)),
        StandbyTarget::Step(step) => made.get(step).cloned().ok_or_else(|| {
            let message = format!("step {} has made no Machine to stand by for", step.0);
            StepError::failed(codes::PLAN_MISMATCH, message)
        }),
    };
    standbys.iter().map(id_of).collect()
}

/// The Machine that does the work of this one: itself, or the one that took its place.
pub(super) fn current_machine(shared: &ApplyContext<'_>, id: &MachineId) -> MachineId {
    shared
        .replace_fallbacks
        .borrow()
        .get(id)
        .unwrap_or(id)
        .clone()
}
