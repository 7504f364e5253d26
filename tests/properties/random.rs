//! Random manifests, and the random changes by other tools.

use aeroform::core::fleet::{
    Count, Desired, DesiredGroup, HostStatus, Limit, MachineId, MachineState, Regions,
    Strategy as Update,
};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, moved, region};

pub(crate) const REGIONS: [&str; 4] = ["ams", "bog", "fra", "gru"];
const GROUPS: [&str; 4] = ["api", "cron", "web", "worker"];

fn regions() -> impl Strategy<Value = Regions> {
    let list = proptest::sample::subsequence(REGIONS.to_vec(), 1..=4)
        .prop_shuffle()
        .prop_map(|names| Regions::List(names.into_iter().map(region).collect()));
    let exact = proptest::collection::btree_map(0..4usize, 0..4u32, 1..4).prop_map(|map| {
        Regions::Exact(
            map.into_iter()
                .map(|(r, n)| (region(REGIONS[r]), n))
                .collect(),
        )
    });
    prop_oneof![Just(Regions::Unwritten), list, exact]
}

fn one_group(name: &'static str) -> impl Strategy<Value = DesiredGroup> {
    let shape = (0..4u8, 0..3u32, any::<bool>(), 0..3u8, 1..4u32);
    (proptest::option::of(0..7u32), regions(), shape).prop_map(
        move |(count, regions, (kind, env, immediate, standby, width))| {
            let mut target = group(name).config(json!({"env": {"VERSION": env.to_string()}}));
            target = match kind {
                0 => target.serves(),
                1 => target.mount(),
                _ => target,
            };
            target.count = match &regions {
                Regions::Exact(map) => Count::Written(map.values().sum()),
                Regions::List(_) | Regions::Unwritten => {
                    count.map_or(Count::Unwritten, Count::Written)
                }
            };
            if kind > 1 && standby > 0 {
                target.standby = Some(u32::from(standby) - 1);
            }
            target.regions = regions;
            target.strategy = if immediate && env == 0 {
                Update::Immediate
            } else {
                Update::Rolling {
                    max_unavailable: Limit::Count(width),
                }
            };
            target
        },
    )
}

/// Any manifest.
pub(crate) fn manifest() -> impl Strategy<Value = Desired> {
    let groups = (
        one_group("api"),
        one_group("cron"),
        one_group("web"),
        one_group("worker"),
    );
    (groups, 1..16u8, any::<bool>()).prop_map(|((api, cron, web, worker), present, moves)| {
        let all = [api, cron, web, worker];
        let chosen = GROUPS.into_iter().zip(all).enumerate();
        let mut target = desired(
            chosen
                .filter(|(at, _)| present & (1 << at) != 0)
                .map(|(_, (name, group))| (name, group)),
        );
        // A group that is not there any more may have become one that is.
        if moves && present & 0b1001 == 0b0001 {
            target.moved.push(moved("worker", "api"));
        }
        target
    })
}

/// What another tool or a bad day does to the nth Machine.
#[derive(Debug, Clone)]
pub(crate) enum OutsideChange {
    Stop(usize),
    Fail(usize),
    Edit(usize),
    Clone(usize),
    Lose(usize),
    Cordon(usize),
    DeadHost(usize),
}

pub(crate) fn outside_change() -> impl Strategy<Value = OutsideChange> {
    (0..7u8, 0..12usize).prop_map(|(kind, at)| match kind {
        0 => OutsideChange::Stop(at),
        1 => OutsideChange::Fail(at),
        2 => OutsideChange::Edit(at),
        3 => OutsideChange::Clone(at),
        4 => OutsideChange::Lose(at),
        5 => OutsideChange::Cordon(at),
        _ => OutsideChange::DeadHost(at),
    })
}

pub(crate) fn apply_outside_change(
    stage: &mut PlanFixture,
    outside_change: &OutsideChange,
    serial: usize,
) {
    let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
    let pick = |at: &usize| {
        ids.get(at % ids.len().max(1))
            .map(|id| id.as_str().to_owned())
    };
    match outside_change {
        OutsideChange::Stop(at) => {
            if let Some(id) = pick(at) {
                stage.edit_outside(&id, |machine| machine.state = MachineState::Stopped);
            }
        }
        OutsideChange::Fail(at) => {
            if let Some(id) = pick(at) {
                stage.edit_outside(&id, |machine| machine.state = MachineState::Failed);
            }
        }
        OutsideChange::Edit(at) => {
            if let Some(id) = pick(at) {
                stage.edit_outside(&id, |machine| {
                    let config = config_of(machine);
                    config
                        .env
                        .get_or_insert_default()
                        .insert("VERSION".to_owned(), "edited".to_owned());
                    config.schedule = Some("daily".to_owned());
                });
            }
        }
        OutsideChange::Clone(at) => {
            if let Some(id) = pick(at) {
                stage.clone_machine(&id, &format!("e{serial:05}"));
            }
        }
        OutsideChange::Lose(at) => {
            // Not the last one: an empty world is another story (rule 8).
            if let Some(id) = pick(at).filter(|_| ids.len() > 1) {
                stage.remove_machine(&id);
            }
        }
        OutsideChange::Cordon(at) => {
            if let Some(id) = pick(at) {
                stage.edit_outside(&id, |machine| machine.cordoned = true);
            }
        }
        OutsideChange::DeadHost(at) => {
            if let Some(id) = pick(at) {
                stage.edit_outside(&id, |machine| {
                    if machine.volumes.is_empty() {
                        machine.host = HostStatus::Unreachable;
                    }
                });
            }
        }
    }
}
