//! Plans that exchange groups as a whole (bluegreen).

use aeroform::core::fleet::{DesiredGroup, Known, Trial};
use aeroform::emulator::world::World;
use serde_json::Value;

use super::{PlanScenario, ids, scenario, standby, two, web, worker};
use crate::support::GroupBuilder;

pub(super) fn all() -> Vec<PlanScenario> {
    vec![
        scenario(
            "swap",
            vec![("web", in_two_regions())],
            vec![("web", swapped(in_two_regions()))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            let mut shop = world.operator("shop");
            shop.stop(&all[0]);
            shop.cordon(&all[1], true);
        })
        .never_below(&["web"], 5, 3),
        scenario(
            "swap-two-groups",
            vec![
                ("api", web(2)),
                ("web", web(2)),
                ("jobs", standby(worker(1), 1)),
            ],
            vec![
                ("api", two(web(2))),
                ("web", swapped(web(2))),
                ("jobs", swapped(standby(worker(1), 1))),
            ],
        )
        .never_below(&["api"], 2, 1)
        .never_below(&["web"], 2, 2)
        .never_below(&["jobs"], 2, 1),
        scenario(
            "swap-grows-and-renames",
            vec![("web", web(2)), ("worker", worker(2))],
            vec![("web", swapped(web(3))), ("jobs", swapped(worker(2)))],
        )
        .moved("worker", "jobs")
        .never_below(&["web"], 2, 2)
        .never_below(&["worker", "jobs"], 2, 2),
        scenario(
            "swap-shrinks",
            vec![("web", web(4))],
            vec![("web", swapped(web(2)))],
        )
        .never_below(&["web"], 2, 2),
        scenario(
            "swap-after-another-tool-s",
            vec![("web", web(3))],
            vec![("web", swapped(web(3)))],
        )
        .meanwhile(half_of_another_swap)
        .never_below(&["web"], 3, 3),
    ]
}

fn swapped(group: DesiredGroup) -> DesiredGroup {
    two(group).with(|group| group.trial = Some(Trial::Bluegreen))
}

fn in_two_regions() -> DesiredGroup {
    web(5).exact(&[("ams", 3), ("gru", 2)])
}

/// Another tool has copied one Machine, cordoned and with a tag of its own, and marked another one.
fn half_of_another_swap(world: &mut World, _: &mut Known, _: &mut aeroform::core::fleet::Desired) {
    let mut machines = world.operator("shop").machines();
    let copied = machines.remove(0);
    let mut config = copied["config"].clone();
    config["image"] = "shop:9".into();
    config["metadata"]["fly_bluegreen_deployment_tag"] = "1764360000".into();
    let body = serde_json::json!({
        "config": config, "region": copied["region"], "skip_service_registration": true,
    });
    let made: Result<Value, _> = world.create("shop", &body).result;
    assert!(made.is_ok());
    let marked = machines.remove(0);
    let (id, key) = (
        marked["id"].as_str().unwrap(),
        "fly_bluegreen_deployment_tag",
    );
    let marked = world.metadata("shop", id, key, Some("safe_to_destroy"));
    assert!(marked.result.is_ok());
}
