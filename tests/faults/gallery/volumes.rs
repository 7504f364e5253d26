//! Plans of Machines with volumes.

use aeroform::core::fleet::DesiredGroup;
use aeroform::emulator::world::World;
use serde_json::json;

use super::{PlanScenario, ids, image, scenario, steady, two, web};
use crate::support::{GroupBuilder, group};

/// A Machine of Fly Launch with a volume of its own.
fn with_volume(world: &mut World) {
    let volume = world.add_volume("shop", "data", "ams", 1).unwrap();
    let config = json!({
        "image": "shop:1",
        "init": {"cmd": ["bin/db"]},
        "env": {"FLY_PROCESS_GROUP": "db"},
        "mounts": [{"volume": volume, "name": "data", "path": "/data"}],
        "metadata": {"fly_process_group": "db", "fly_platform_version": "v2"},
    });
    world.operator("shop").add("still-lake-1", "ams", config);
}

fn db() -> DesiredGroup {
    steady(
        image(group("db"), "shop:1")
            .count(1)
            .mount()
            .max_unavailable(1),
    )
}

pub(super) fn all() -> Vec<PlanScenario> {
    let logs =
        json!({"mounts": [{"name": "data", "path": "/data"}, {"name": "logs", "path": "/logs"}]});
    let bare = || steady(image(group("db"), "shop:2").count(1).max_unavailable(1));
    vec![
        scenario("volume-kept", vec![("db", db())], vec![("db", two(db()))])
            .world(with_volume)
            .never_below(&["db"], 1, 0),
        scenario("mount-gone", vec![("db", db())], vec![("db", bare())])
            .world(with_volume)
            .never_below(&["db"], 1, 1),
        scenario(
            "old-first",
            vec![("db", db()), ("web", web(1))],
            vec![("db", db().config(logs.clone())), ("web", web(1))],
        )
        .world(with_volume)
        .never_below(&["web"], 1, 1),
        // Nothing is left for a moment, and nobody but the operator knows that it is no accident.
        scenario(
            "old-first-alone",
            vec![("db", db())],
            vec![("db", db().config(logs))],
        )
        .world(with_volume)
        .options(|options| options.accept_missing = true),
        scenario(
            "volumes-made",
            vec![("web", web(1))],
            vec![("db", db().count(3)), ("web", web(1))],
        )
        .never_below(&["web"], 1, 1),
        scenario(
            "volumes-taken-and-made",
            vec![("db", db()), ("web", web(1))],
            vec![("db", db().count(3).list("ams gru")), ("web", web(1))],
        )
        .world(|world| {
            with_volume(world);
            world.add_volume("shop", "data", "ams", 1);
        })
        .never_below(&["db"], 1, 1),
        scenario(
            "mount-added",
            vec![("db", bare()), ("web", web(1))],
            vec![("db", two(db())), ("web", web(1))],
        )
        .never_below(&["db"], 1, 1),
        scenario(
            "vanished-one-with-volume",
            vec![("db", db()), ("web", web(1))],
            vec![("db", db()), ("web", web(1))],
        )
        .world(with_volume)
        .meanwhile(|world, _, _| {
            let all = ids(world, "db");
            world.operator("shop").destroy(&all[0]);
        })
        .never_below(&["web"], 1, 1),
    ]
}
