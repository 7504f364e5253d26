//! Going back to a release and ending that, on random histories.

use aeroform::core::fleet::{Desired, Hold, MachineId, ReleaseStatus, StoredConfig};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::config;
use crate::random::manifest;
use crate::support::PlanFixture;

/// Every Machine without its id: a change of mounts makes another one.
fn fleet(stage: &PlanFixture) -> Vec<String> {
    let lineage = &stage.observed.description.scope;
    let mut machines: Vec<String> = (stage.observed.machines.values())
        .map(|machine| {
            let config = StoredConfig::from_config(machine.config.as_ref().unwrap(), lineage);
            format!(
                "{:?} {} {} {}",
                machine.group,
                machine.region,
                machine.standby_for.is_empty(),
                config.tree()
            )
        })
        .collect();
    machines.sort();
    machines
}

/// The variable by which configs differ.
fn version(stage: &PlanFixture, id: &MachineId) -> Option<String> {
    let config = stage.observed.machines[id].config.as_ref()?;
    config.env.as_ref()?.get("VERSION").cloned()
}

proptest! {
    #![proptest_config(config())]

    /// Holds rule 41.
    #[test]
    fn going_back_and_ending_it_leaves_the_fleet_as_it_was(
        history in proptest::collection::vec(manifest(), 2..6),
        at in any::<Index>(),
        one_group in proptest::option::of(any::<Index>()),
    ) {
        let mut stage = PlanFixture::empty();
        let mut last: Option<Desired> = None;
        for (number, target) in (1..).zip(&history) {
            if stage.plan(target).refusals.is_empty() {
                stage.release = Some((number, ReleaseStatus::Complete));
                stage.apply(target);
                last = Some(target.clone());
            }
        }
        let Some(last) = last.filter(|_| !stage.known.releases.is_empty()) else {
            return Ok(());
        };
        let before = fleet(&stage);
        let release = stage.known.releases[at.index(stage.known.releases.len())].clone();
        let names: Vec<_> = last.groups.keys().cloned().collect();
        let held = Desired {
            hold: Some(Hold {
                release: release.release,
                groups: one_group.map(|at| [names[at.index(names.len())].clone()].into()),
            }),
            ..last.clone()
        };
        prop_assume!(stage.plan(&held).refusals.is_empty());
        stage.offline(&held);
        stage.release = Some((100, ReleaseStatus::Complete));
        stage.apply(&held);
        let hold = held.hold.as_ref().unwrap();
        for (id, machine) in &stage.observed.machines {
            let group = machine.group.as_ref().unwrap();
            let Some(released) = release.groups.get(group).filter(|_| hold.covers(group)) else {
                continue;
            };
            let config = stage.known.configs[&released.config].tree();
            let wanted = config.pointer("/env/VERSION").and_then(|version| version.as_str());
            let version = version(&stage, id);
            prop_assert_eq!(version.as_deref(), wanted);
        }
        stage.release = Some((101, ReleaseStatus::Complete));
        stage.apply(&last);
        prop_assert_eq!(fleet(&stage), before);
    }
}
