//! What other people and other tools do to the app meanwhile.

use serde_json::{Value, json};

use crate::manifests::{Manifests, REGIONS};
use crate::random::Random;
use crate::random_faults::ends_by_itself;
use crate::recorder::{APP, SimulationRun};

/// Lets another tool do one thing to one Machine.
pub(crate) fn change_outside(story: &SimulationRun, random: &mut Random) {
    let ids: Vec<String> = story.machines().iter().map(|m| text(m, "id")).collect();
    let strangers = story.strangers();
    let own: Vec<&String> = ids
        .iter()
        .filter(|id| !strangers.contains_key(*id))
        .collect();
    let Some(id) = random.pick(&own).copied() else {
        return;
    };
    let what = random.below(16);
    let mut world = story.sim.world();
    let mut hand = world.operator(APP);
    let done = match what {
        0 | 1 => {
            let volumes = hand.volumes().len();
            let copy = hand.clone_machine(id).unwrap();
            story.expect_volumes(hand.volumes().len() - volumes);
            story.add_added(copy.clone());
            format!("clones {id} as {copy}")
        }
        2 | 3 => {
            hand.destroy(id);
            format!("destroys {id}")
        }
        4 => {
            hand.update(id, |config| config["env"]["VERSION"] = "edited".into());
            format!("edits {id}")
        }
        5 => {
            hand.update(id, |config| config["schedule"] = "daily".into());
            format!("schedules {id}")
        }
        6 => {
            hand.stop(id);
            format!("stops {id}")
        }
        7 => {
            hand.start(id);
            format!("starts {id}")
        }
        8 => {
            hand.suspend(id);
            format!("suspends {id}")
        }
        9 => {
            hand.fail(id);
            format!("lets {id} fail")
        }
        10 => {
            let out = random.chance(70);
            hand.cordon(id, out);
            format!("cordons {id}: {out}")
        }
        11 => {
            let gone = random.chance(60);
            hand.set_host_unreachable(id, gone);
            format!("takes the host of {id} away: {gone}")
        }
        12 | 13 => {
            hand.host_in_part(id);
            story.count("hosts told in part");
            format!("takes the host of {id} away, which tells in part what ran there")
        }
        14 => {
            let volumes = hand.volumes().len();
            hand.migrate(id);
            story.expect_volumes(hand.volumes().len() - volumes);
            story.count("moves to another host");
            format!("moves {id} to another host")
        }
        _ => {
            let exits = ends_by_itself(random);
            hand.exit(id, exits);
            format!("lets {id} end by itself: {exits:?}")
        }
    };
    drop(world);
    story.hand();
    story.count("hands of other tools");
    story.log(&format!("another tool {done}"));
}

/// An unmanaged Machine.
pub(crate) fn add_unmanaged(story: &SimulationRun, random: &mut Random) {
    let config = match random.below(3) {
        0 => json!({"image": "other:1"}),
        1 => json!({"image": "other:1", "metadata": {"fly_process_group": "web"}}),
        _ => json!({"image": "shop:1", "metadata": {"fly_platform_version": "v2",
            "fly_process_group": "fly_app_release_command"}}),
    };
    let mut world = story.sim.world();
    let mut hand = world.operator(APP);
    let name = format!("stranger-{}", random.below(1_000_000));
    let region = REGIONS[random.below(3) as usize];
    let id = hand.add(&name, region, config).unwrap();
    let unreachable = random.chance(20);
    hand.set_host_unreachable(&id, unreachable);
    let shown = hand
        .machines()
        .into_iter()
        .find(|m| m["id"] == *id)
        .unwrap();
    drop(world);
    story.log(&format!("a stranger comes: {id}, host away: {unreachable}"));
    story.add_unmanaged(id, shown);
    story.hand();
}

/// Every host answers again, and what checks ask for is there.
pub(crate) fn repair(story: &SimulationRun) {
    let strangers = story.strangers();
    for machine in story.machines() {
        let id = text(&machine, "id");
        story.sim.world().operator(APP).fix_checks(&id);
        if ["started", "starting"].contains(&text(&machine, "state").as_str()) {
            // From now on it stays up.
            story.sim.world().operator(APP).start(&id);
        }
        if machine["unreachable"] == true && !strangers.contains_key(&id) {
            story
                .sim
                .world()
                .operator(APP)
                .set_host_unreachable(&id, false);
        }
    }
}

/// A fleet that `fly deploy` made before Aeroform came.
pub(crate) fn fly_deploy(story: &SimulationRun, manifests: &Manifests, random: &mut Random) {
    for (name, group) in &manifests.desired.groups {
        for _ in 0..random.below(3) {
            let region = REGIONS[random.below(3) as usize];
            let mut config = group.template.to_value();
            config["metadata"] =
                json!({"fly_platform_version": "v2", "fly_process_group": name.as_str()});
            let mut world = story.sim.world();
            if group.template.has_mounts() {
                story.expect_volumes(1);
                let volume = world.add_volume(APP, "data", region, 1).unwrap();
                config["mounts"][0]["volume"] = volume.into();
            }
            let machine = format!("launched-{}", random.below(1_000_000));
            let id = world.operator(APP).add(&machine, region, config).unwrap();
            drop(world);
            story.log(&format!("was launched before: {id} of {name} in {region}"));
            story.add_added(id);
        }
    }
}

pub(crate) fn text(machine: &Value, key: &str) -> String {
    machine[key].as_str().unwrap_or_default().to_owned()
}
