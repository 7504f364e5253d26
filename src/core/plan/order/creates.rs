//! The create of one Machine: its identity, its volumes, and the creates of a group by count. Decides no order:
//! [`super`] does.

use super::standbys::Primaries;
use super::{FailureScope, StepBuilder};
use crate::core::fleet::{DesiredGroup, GroupName, Region, VolumeId};
use crate::core::plan::decision::GroupDecision;
use crate::core::plan::gates::gate;
use crate::core::plan::launch_allocator::NewMachine;
use crate::core::plan::types::{Action, Change, GateKind, MachineRef, StandbyTarget, StepId, Work};

impl StepBuilder<'_, '_, '_> {
    pub(super) fn add_creates(
        &mut self,
        name: &GroupName,
        group: &DesiredGroup,
        decision: &GroupDecision<'_>,
        after: Option<StepId>,
    ) -> (Vec<StepId>, Primaries) {
        let gate = gate(group);
        let mut primaries = Primaries::default();
        let mut ids = Vec::new();
        if !decision.creates.is_empty() {
            let pool = self.add_pool(
                format!("{name}: create"),
                decision.creates.len(),
                false,
                FailureScope::of(group),
            );
            let needs: Vec<StepId> = after.into_iter().collect();
            for region in &decision.creates {
                let mut change = self.new_create(name, decision, region, Vec::new(), gate);
                self.assign_volumes(decision, &mut change, &[]);
                let id = self.push_step(Some(pool), needs.clone(), Work::Change(Box::new(change)));
                primaries.new.push(id);
                ids.push(id);
            }
        }
        primaries.stay = decision
            .primaries
            .iter()
            .map(|member| member.id.clone())
            .collect();
        (ids, primaries)
    }

    /// Assigns volumes to a new Machine: first those that it keeps from the one it replaces.
    pub(super) fn assign_volumes(
        &mut self,
        decision: &GroupDecision<'_>,
        change: &mut Change,
        own_volumes: &[VolumeId],
    ) {
        if let (
            Action::Create {
                volumes,
                new_volumes,
                ..
            },
            Some(group),
        ) = (&mut change.action, decision.desired)
        {
            let guest = decision.inherits.guest.as_ref();
            let mounted = self
                .volumes
                .assign(group, guest, &change.region, own_volumes);
            (*volumes, *new_volumes) = (mounted.reused, mounted.new_volumes);
        }
    }

    pub(super) fn new_create(
        &mut self,
        name: &GroupName,
        decision: &GroupDecision<'_>,
        region: &Region,
        standby_for: Vec<StandbyTarget>,
        gate: GateKind,
    ) -> Change {
        let new = self.allocator.allocate(name, region);
        create_of(name, decision, region, (new, standby_for), gate)
    }
}

/// The create of a Machine with this identity.
pub(super) fn create_of(
    name: &GroupName,
    decision: &GroupDecision<'_>,
    region: &Region,
    (new, standby_for): (NewMachine, Vec<StandbyTarget>),
    gate: GateKind,
) -> Change {
    Change {
        machine: MachineRef {
            id: None,
            name: new.name,
        },
        action: Action::Create {
            launch: new.launch,
            port: new.port,
            standby_for,
            replaces: None,
            volumes: Vec::new(),
            new_volumes: Vec::new(),
            inherits: Box::new(decision.inherits.clone()),
            green: None,
        },
        group: name.clone(),
        region: region.clone(),
        reason: "its group has too few Machines".to_owned(),
        changes: Vec::new(),
        precondition: None,
        gate,
        wake: None,
        branches: Vec::new(),
        state: None,
        reverts: None,
        standby: false,
    }
}
