//! The data of `scale show`: actual and desired counts, sizes and regions.

use std::collections::BTreeMap;

use crate::core::fleet::schema::Guest;
use crate::core::fleet::{AppName, Desired, GroupName, Known, Management, Observed, Region};
use crate::core::plan::{GroupChange, Plan};

/// All groups.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleView {
    /// The app.
    pub app: AppName,
    /// Whether the provider was read; if not, actual values come from the state.
    pub online: bool,
    /// Sorted by name.
    pub groups: Vec<GroupScale>,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupScale {
    /// Its name.
    pub name: GroupName,
    /// The actual values.
    pub actual: ScaleCounts,
    /// The desired values; none if the manifests cannot be read.
    pub desired: Option<ScaleCounts>,
}

/// Numbers of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScaleCounts {
    /// Machines, standbys included.
    pub count: u32,
    /// `shared` or `performance`.
    pub cpu_kind: Option<String>,
    /// CPUs per Machine.
    pub cpus: Option<u32>,
    /// Memory per Machine in MB.
    pub memory_mb: Option<u32>,
    /// Machines per region, without empty regions.
    pub regions: BTreeMap<Region, u32>,
}

impl ScaleView {
    /// Actual and desired values, from a plan.
    pub fn of(desired: &Desired, plan: &Plan, observed: Option<&Observed>) -> Self {
        let groups = plan.groups.iter().map(|group| {
            let guest = observed.and_then(|observed| first_guest(observed, &group.name));
            let written = desired.groups.get(&group.name);
            let written = written.and_then(|group| group.template.explicit_size());
            GroupScale {
                name: group.name.clone(),
                actual: scale_counts(group, group.before, |(before, _)| *before, guest),
                desired: Some(scale_counts(
                    group,
                    group.after,
                    |(_, after)| *after,
                    written.or(guest),
                )),
            }
        });
        Self {
            app: plan.app.clone(),
            online: plan.online,
            groups: groups.collect(),
        }
    }

    /// Actual values only, without manifests. Machines without a managed group are not counted.
    pub fn from_known(known: &Known, observed: Option<&Observed>) -> Self {
        let mut groups: BTreeMap<&GroupName, ScaleCounts> = BTreeMap::new();
        let mut count = |group, region: &Region| {
            let scale: &mut ScaleCounts = groups.entry(group).or_default();
            scale.count += 1;
            *scale.regions.entry(region.clone()).or_default() += 1;
        };
        match observed {
            None => {
                for machine in known.machines.values() {
                    count(&machine.group, &machine.region);
                }
            }
            Some(observed) => {
                for machine in observed.counted_machines().filter(|m| !m.state.is_gone()) {
                    let recorded = known.machines.get(&machine.id);
                    let ours =
                        matches!(machine.management, Management::Ours | Management::FlyLaunch);
                    let theirs = machine.group.as_ref().filter(|_| ours);
                    if let Some(group) = recorded.map(|known| &known.group).or(theirs) {
                        count(group, &machine.region);
                    }
                }
            }
        }
        let groups = groups.into_iter().map(|(name, scale)| {
            let guest = observed.and_then(|observed| first_guest(observed, name));
            GroupScale {
                name: name.clone(),
                actual: scale.with_guest(guest),
                desired: None,
            }
        });
        Self {
            app: known.app.clone(),
            online: observed.is_some(),
            groups: groups.collect(),
        }
    }
}

impl ScaleCounts {
    fn with_guest(self, guest: Option<&Guest>) -> Self {
        Self {
            cpu_kind: guest.and_then(|guest| guest.cpu_kind.clone()),
            cpus: guest.and_then(|guest| guest.cpus),
            memory_mb: guest.and_then(|guest| guest.memory_mb),
            ..self
        }
    }
}

/// The size of the group's first Machine, as flyctl shows it.
fn first_guest<'o>(observed: &'o Observed, name: &GroupName) -> Option<&'o Guest> {
    let machines = observed.counted_machines();
    let mut its = machines.filter(|machine| machine.group.as_ref() == Some(name));
    its.find_map(|machine| machine.config.as_ref()?.guest.as_ref())
}

fn scale_counts(
    group: &GroupChange,
    count: u32,
    of: impl Fn(&(u32, u32)) -> u32,
    guest: Option<&Guest>,
) -> ScaleCounts {
    let regions = group
        .regions
        .iter()
        .map(|(region, n)| (region.clone(), of(n)));
    let scale = ScaleCounts {
        count,
        regions: regions.filter(|(_, n)| *n > 0).collect(),
        ..ScaleCounts::default()
    };
    scale.with_guest(guest)
}
