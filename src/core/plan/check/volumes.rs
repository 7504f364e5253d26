//! The volumes of new Machines.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::core::fleet::{Desired, HostStatus, Observed, Volume, VolumeId};
use crate::core::plan::types::{Action, Change, StepId};

impl Checker<'_> {
    /// Every mount of a new Machine has a volume, reused or created. A reused one exists in the Machine's
    /// region with the mount's name; no remaining Machine has it, and no other step takes it.
    pub(super) fn check_volumes(&mut self, desired: &Desired, observed: Option<&Observed>) {
        let Some(observed) = observed.filter(|o| o.description.capabilities.volumes) else {
            return;
        };
        let all = observed.volumes.iter();
        let all: BTreeMap<&VolumeId, &Volume> = all.map(|volume| (&volume.id, volume)).collect();
        let mut spent = BTreeSet::new();
        for (id, change) in self.plan.changes() {
            let (Action::Create { volumes, .. }, Some(group)) =
                (&change.action, desired.groups.get(&change.group))
            else {
                continue;
            };
            let mounts = group.template.mounts.iter().flatten();
            let names: Vec<Option<&str>> = mounts.map(|mount| mount.name.as_deref()).collect();
            let has = volumes.len() + change.new_volumes().len();
            if has != names.len() && names.iter().all(Option::is_some) {
                let wants = names.len();
                self.report(format!(
                    "step {} has {wants} mounts and {has} volumes",
                    id.0
                ));
            }
            for (volume, name) in volumes.iter().zip(&names) {
                let there = all.get(volume).copied();
                if let Some(what) = volume_mismatch(change, there, *name, observed) {
                    self.report(format!("step {} takes {volume}, {what}", id.0));
                }
                if !spent.insert(volume) {
                    self.report(format!("step {} takes {volume} a second time", id.0));
                }
            }
            self.check_new_volumes(id, change, &names[volumes.len().min(names.len())..]);
        }
    }

    fn check_new_volumes(&mut self, id: StepId, change: &Change, names: &[Option<&str>]) {
        for (at, volume) in change.new_volumes().iter().enumerate() {
            if volume.size_gb == 0 || names.get(at) != Some(&Some(volume.name.as_str())) {
                let name = &volume.name;
                self.report(format!(
                    "step {} creates volume `{name}` that no mount needs",
                    id.0
                ));
            }
        }
    }
}

/// Why the Machine cannot have that volume.
fn volume_mismatch(
    change: &Change,
    volume: Option<&Volume>,
    name: Option<&str>,
    observed: &Observed,
) -> Option<&'static str> {
    let Some(volume) = volume else {
        return Some("which is not there");
    };
    if volume.region != change.region {
        return Some("which is in another region");
    }
    if name.is_some_and(|name| name != volume.name) {
        return Some("which has another name");
    }
    if volume.host != HostStatus::Ok {
        return Some("whose host does not answer");
    }
    let holder = volume.attached_to.as_ref()?;
    let gone = observed
        .machines
        .get(holder)
        .is_some_and(|m| m.state.is_gone());
    let replaced = change.replaces() == Some(holder);
    (!gone && !replaced).then_some("which another Machine has")
}
