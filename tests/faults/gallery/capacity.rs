//! Plans whose Machines stand on hosts without room.

use aeroform::core::fleet::{Desired, Known};
use aeroform::emulator::world::{Fault, FaultEffect, World};
use serde_json::json;

use super::{PlanScenario, ids, scenario, standby, two, unwritten, web, worker};
use crate::support::GroupBuilder;

/// No update of this Machine finds room any more.
fn full(world: &mut World, machine: &str) {
    let no_room = FaultEffect::NoRoom { message: None };
    let fault = Fault::on("update", no_room).of_machine(machine);
    world.inject(fault.times(1000));
}

fn two_of_web(world: &mut World, _: &mut Known, _: &mut Desired) {
    for id in &ids(world, "web")[..2] {
        full(world, id);
    }
}

fn primaries(world: &mut World) -> Vec<String> {
    let all = world.operator("shop").machines();
    let stands_by = |id: &String| {
        let of = all.iter().find(|machine| machine["id"] == id.as_str());
        of.is_some_and(|machine| machine["config"]["standbys"].is_array())
    };
    let mut ids = ids(world, "worker");
    ids.retain(|id| !stands_by(id));
    ids
}

fn all_primaries(world: &mut World, _: &mut Known, _: &mut Desired) {
    for id in primaries(world) {
        full(world, &id);
    }
}

/// Another hand has changed the primaries, so that the plan changes them and not their standby.
fn drifted_primaries(world: &mut World, _: &mut Known, _: &mut Desired) {
    for id in primaries(world) {
        full(world, &id);
        let mut operator = world.operator("shop");
        operator.update(&id, |config| config["image"] = json!("odd"));
    }
}

pub(super) fn all() -> Vec<PlanScenario> {
    vec![
        scenario(
            "changes-without-room",
            vec![("web", web(3))],
            vec![("web", two(web(3)))],
        )
        .meanwhile(two_of_web)
        .never_below(&["web"], 3, 2),
        scenario(
            "renamed-without-room",
            vec![("web", web(2).protected())],
            vec![("site", two(web(2).protected()))],
        )
        .moved("web", "site")
        .meanwhile(two_of_web)
        .never_below(&["web", "site"], 2, 2),
        scenario(
            "unwritten-without-room",
            vec![("web", web(3))],
            vec![("web", two(unwritten(web(3))))],
        )
        .meanwhile(two_of_web)
        .never_below(&["web"], 3, 2),
        scenario(
            "standby-of-some-without-room",
            vec![("worker", standby(worker(2), 1))],
            vec![("worker", two(standby(worker(2), 1)))],
        )
        .meanwhile(all_primaries)
        .never_below(&["worker"], 3, 2),
        scenario(
            "only-primaries-without-room",
            vec![("worker", standby(worker(2), 1))],
            vec![("worker", standby(worker(2), 1))],
        )
        .meanwhile(drifted_primaries)
        .never_below(&["worker"], 3, 1),
    ]
}
