//! How many Machines of which size each group has and is to have, and where: the facts of `scale show`.

use std::collections::BTreeMap;

use crate::core::fleet::schema::Guest;
use crate::core::fleet::{AppName, Desired, GroupName, Observed, Region};
use crate::core::plan::{GroupChange, Plan};

/// All groups.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleView {
    /// The app.
    pub app: AppName,
    /// Whether the provider was asked; without it "is there" is what the state knows.
    pub online: bool,
    /// In order of their names.
    pub groups: Vec<GroupScale>,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupScale {
    /// Its name.
    pub name: GroupName,
    /// What is there.
    pub actual: Scale,
    /// What the files want.
    pub wanted: Scale,
}

/// Numbers of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scale {
    /// Machines, standbys included.
    pub count: u32,
    /// `shared` or `performance`.
    pub cpu_kind: Option<String>,
    /// CPUs of one.
    pub cpus: Option<u32>,
    /// MB of one.
    pub memory_mb: Option<u32>,
    /// Machines per region; no region with none.
    pub regions: BTreeMap<Region, u32>,
}

impl ScaleView {
    /// Puts the two beside each other. A plan knows both.
    pub fn of(desired: &Desired, plan: &Plan, observed: Option<&Observed>) -> Self {
        let groups = plan.groups.iter().map(|group| {
            let guest = observed.and_then(|observed| guest(observed, &group.name));
            let written = desired.groups.get(&group.name);
            let written = written.and_then(|group| group.template.written_size());
            GroupScale {
                name: group.name.clone(),
                actual: numbers(group, group.before, |(before, _)| *before, guest),
                wanted: numbers(group, group.after, |(_, after)| *after, written.or(guest)),
            }
        });
        Self {
            app: plan.app.clone(),
            online: plan.online,
            groups: groups.collect(),
        }
    }
}

/// The size of the group's first Machine stands for all, as it does for Fly.
fn guest<'o>(observed: &'o Observed, name: &GroupName) -> Option<&'o Guest> {
    let machines = observed.machines.values();
    let mut its = machines.filter(|machine| machine.group.as_ref() == Some(name));
    its.find_map(|machine| machine.config.as_ref()?.guest.as_ref())
}

fn numbers(
    group: &GroupChange,
    count: u32,
    of: impl Fn(&(u32, u32)) -> u32,
    guest: Option<&Guest>,
) -> Scale {
    let regions = group
        .regions
        .iter()
        .map(|(region, n)| (region.clone(), of(n)));
    Scale {
        count,
        cpu_kind: guest.and_then(|guest| guest.cpu_kind.clone()),
        cpus: guest.and_then(|guest| guest.cpus),
        memory_mb: guest.and_then(|guest| guest.memory_mb),
        regions: regions.filter(|(_, n)| *n > 0).collect(),
    }
}
