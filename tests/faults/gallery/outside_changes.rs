//! Plans that find what others did: by hand, by Fly Launch, by a run that did not come to its end.

use aeroform::core::fleet::{Known, LaunchId, PendingCreate};
use aeroform::emulator::world::World;
use serde_json::{Value, json};

use super::{PlanScenario, ids, scenario, two, web, worker};
use crate::support::{GroupBuilder, group_name, region};

pub(super) fn launched(world: &mut World) {
    for name in ["calm-sea-1", "calm-sea-2"] {
        let config = json!({
            "image": "shop:1",
            "init": {"cmd": ["bin/worker"]},
            "env": {"FLY_PROCESS_GROUP": "worker"},
            "metadata": {"fly_process_group": "worker", "fly_platform_version": "v2"},
        });
        world.operator("shop").add(name, "ams", config);
    }
}

pub(super) fn all() -> Vec<PlanScenario> {
    vec![
        scenario(
            "drift-put-back",
            vec![("web", web(3))],
            vec![("web", web(3))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            let drift = |config: &mut Value| config["image"] = "shop:other".into();
            world.operator("shop").update(&all[1], drift);
        })
        .never_below(&["web"], 3, 2),
        scenario(
            "failed-one-repaired",
            vec![("web", web(3))],
            vec![("web", web(3))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            world.operator("shop").fail(&all[1]);
        })
        .never_below(&["web"], 3, 2),
        scenario(
            "vanished-one-made-again",
            vec![("web", web(3))],
            vec![("web", web(3))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            world.operator("shop").destroy(&all[1]);
        })
        .never_below(&["web"], 2, 2),
        scenario(
            "host-does-not-answer",
            vec![("web", web(3))],
            vec![("web", two(web(3)))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            world.operator("shop").set_host_unreachable(&all[1], true);
        }),
        scenario("surplus-cut", vec![("web", web(2))], vec![("web", web(2))])
            .meanwhile(|world, _, _| {
                let all = ids(world, "web");
                world.operator("shop").clone_machine(&all[0]);
            })
            .never_below(&["web"], 2, 2),
        scenario(
            "launched-ones-adopted",
            vec![],
            vec![("worker", two(worker(3)))],
        )
        .world(launched)
        .never_below(&["worker"], 2, 1),
        scenario(
            "state-lost",
            vec![("web", web(3).protected())],
            vec![("web", two(web(3).protected()))],
        )
        .meanwhile(|_, known, _| *known = Known::empty(known.app.clone(), "test"))
        .never_below(&["web"], 3, 2),
        scenario(
            "pending-create",
            vec![("web", web(2))],
            vec![("web", web(3))],
        )
        .meanwhile(|_, known, _| {
            let (group, region) = (group_name("web"), region("ams"));
            let lineage = known.lineage.clone().unwrap();
            let launch = LaunchId::derive(&lineage, 7, &group, &region, 0);
            known.pending_creates.push(PendingCreate {
                launch,
                group,
                region,
                standby: false,
                replaces: None,
            });
        }),
        scenario(
            "lists-lag",
            vec![("web", web(2))],
            vec![("web", two(web(4)))],
        )
        .world(|world| world.timings.list_lag = std::time::Duration::from_secs(5))
        .never_below(&["web"], 2, 1),
    ]
}
