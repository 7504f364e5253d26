//! Plans in which groups come, go and change their names, and Machines change their groups.

use aeroform::core::fleet::{MachineId, MovedMachine, Trial};
use aeroform::core::plan::PlanMode;

use super::{PlanScenario, ids, scenario, standby, two, web, worker};
use crate::support::{GroupBuilder, group_name};

pub(super) fn all() -> Vec<PlanScenario> {
    vec![
        scenario(
            "group-added",
            vec![("web", web(2))],
            vec![("web", web(2)), ("worker", worker(2))],
        )
        .never_below(&["web"], 2, 2),
        scenario(
            "group-removed",
            vec![("web", web(2)), ("worker", worker(2))],
            vec![("web", web(2))],
        )
        .never_below(&["web"], 2, 2),
        scenario(
            "group-removed-and-another-added",
            vec![("web", web(2)), ("worker", worker(2))],
            vec![("web", web(2)), ("cron", worker(3))],
        )
        .never_below(&["web"], 2, 2)
        .never_below(&["worker", "cron"], 2, 2),
        scenario(
            "renamed",
            vec![("worker", worker(3))],
            vec![("jobs", worker(3))],
        )
        .moved("worker", "jobs")
        .never_below(&["worker", "jobs"], 3, 2),
        scenario(
            "renamed-changed-and-grown",
            vec![("worker", worker(3).protected())],
            vec![("jobs", two(worker(4).protected()))],
        )
        .moved("worker", "jobs")
        .never_below(&["worker", "jobs"], 3, 2),
        scenario(
            "renamed-and-shrunk",
            vec![("worker", worker(4))],
            vec![("jobs", worker(2))],
        )
        .moved("worker", "jobs")
        .never_below(&["worker", "jobs"], 2, 2),
        scenario(
            "three-groups-at-once",
            vec![("api", web(3)), ("web", web(2)), ("worker", worker(3))],
            vec![("api", two(web(3))), ("web", web(4)), ("worker", worker(1))],
        )
        .never_below(&["api"], 3, 2)
        .never_below(&["web"], 2, 2)
        .never_below(&["worker"], 1, 1),
        everything(),
        canary(),
        one_machine_moved(),
        one_machine_removed(),
        scenario(
            "app-destroyed",
            vec![("web", web(2)), ("worker", worker(1))],
            vec![("web", web(2)), ("worker", worker(1))],
        )
        .options(|options| options.mode = PlanMode::Destroy),
    ]
}

/// Creates, updates, a move, a count that falls, a standby and a group that goes.
fn everything() -> PlanScenario {
    scenario(
        "everything",
        vec![
            ("web", web(3)),
            ("worker", worker(2)),
            ("jobs", standby(worker(1), 1)),
            ("old", web(1)),
        ],
        vec![
            ("web", two(web(4))),
            ("queue", worker(1)),
            ("jobs", standby(two(worker(1)), 1)),
            ("cron", worker(1)),
        ],
    )
    .moved("worker", "queue")
    .never_below(&["web"], 3, 2)
    .never_below(&["worker", "queue"], 1, 1)
}

/// Two groups that try their new config on one Machine more each, and one that does not.
fn canary() -> PlanScenario {
    let tries = |group: aeroform::core::fleet::DesiredGroup| {
        group.with(|group| group.trial = Some(Trial::Canary { soak_ms: 5000 }))
    };
    scenario(
        "canary",
        vec![
            ("web", tries(web(2))),
            ("worker", tries(worker(1))),
            ("cron", worker(1)),
        ],
        vec![
            ("web", two(tries(web(3)))),
            ("worker", two(tries(worker(1)))),
            ("cron", two(worker(1))),
        ],
    )
    .never_below(&["web"], 2, 1)
}

fn one_machine_moved() -> PlanScenario {
    scenario(
        "one-machine-moved",
        vec![("web", web(2)), ("worker", worker(2))],
        vec![("web", web(2)), ("worker", worker(1)), ("cron", worker(1))],
    )
    .meanwhile(|world, _, after| {
        after.moved_machines = vec![MovedMachine {
            machine: MachineId::new(ids(world, "worker").remove(1)).unwrap(),
            to: group_name("cron"),
            location: String::new(),
        }];
    })
    .never_below(&["web"], 2, 2)
    .never_below(&["worker", "cron"], 2, 1)
}

fn one_machine_removed() -> PlanScenario {
    scenario(
        "one-machine-removed",
        vec![("worker", worker(3))],
        vec![("worker", worker(2))],
    )
    .meanwhile(|world, _, after| {
        let named = ids(world, "worker").remove(0);
        after
            .removed_machines
            .insert(MachineId::new(named).unwrap());
    })
    .never_below(&["worker"], 2, 2)
}
