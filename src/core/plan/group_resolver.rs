//! Which group a Machine belongs to after written moves and renames, and which group is the default.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::{Desired, GroupName, MachineId};

/// Resolves the group of a Machine.
pub(super) struct GroupResolver<'a> {
    groups: BTreeMap<&'a GroupName, &'a GroupName>,
    machines: BTreeMap<&'a MachineId, &'a GroupName>,
    pub(super) default_group: GroupName,
}

impl<'a> GroupResolver<'a> {
    pub(super) fn of(desired: &'a Desired) -> Self {
        Self {
            groups: desired
                .moved
                .iter()
                .map(|moved| (&moved.from, &moved.to))
                .collect(),
            machines: desired
                .moved_machines
                .iter()
                .map(|m| (&m.machine, &m.to))
                .collect(),
            default_group: default_group(&desired.groups.keys().collect()),
        }
    }

    pub(super) fn group_of(&self, id: &MachineId, now: &GroupName) -> GroupName {
        let to = self.machines.get(id).or_else(|| self.groups.get(now));
        to.map_or_else(|| now.clone(), |to| (*to).clone())
    }

    pub(super) fn group_left(&self, id: &MachineId, now: &GroupName) -> Option<GroupName> {
        let to = self.machines.get(id)?;
        let own = self.renamed_group(now);
        (own != **to).then_some(own)
    }

    /// The name of this group after `[[moved]] from`.
    pub(super) fn renamed_group(&self, name: &GroupName) -> GroupName {
        self.groups
            .get(name)
            .map_or_else(|| name.clone(), |to| (*to).clone())
    }

    pub(super) fn moved_from(&self, id: &MachineId, now: &GroupName) -> Option<GroupName> {
        (self.group_of(id, now) != *now).then(|| now.clone())
    }
}

/// `app` if it is one of the names or there are none, else the first by bytes (docs/platform/fly-toml.md 2).
pub(super) fn default_group(names: &BTreeSet<&GroupName>) -> GroupName {
    let app = GroupName::new("app").expect("`app` is a valid group name");
    if names.contains(&app) {
        return app;
    }
    names.first().map_or(app, |first| (*first).clone())
}
