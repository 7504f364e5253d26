//! Standbys: how many, and whom they watch.

use aeroform::core::fleet::MachineState;
use aeroform::core::plan::SavedPlan;
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, moved};

/// Holds rule 15.
#[test]
fn standbys_watch_all_primaries_and_are_repointed_when_those_change() {
    let mut stage = PlanFixture::empty();
    let target = |n| {
        desired([(
            "worker",
            group("worker").count(n).with(|g| g.standby = Some(1)),
        )])
    };
    assert_snapshot!(lines(&stage.apply(&target(1))), @"
    group worker: 0->2 added (ams 0->2)
    create worker ams
    create worker ams standby for #0
    ");
    assert_snapshot!(lines(&stage.apply(&target(2))), @"
    group worker: 2->3 changed (ams 2->3)
    create worker ams
    update worker ams m00002 standby for m00001 #0
    ");
    assert_snapshot!(lines(&stage.apply(&target(0))), @"
    group worker: 3->0 changed (ams 3->0)
    destroy worker ams m00003 CountLowered: count is 0
    destroy worker ams m00001 CountLowered: count is 0
    destroy worker ams m00002 CountLowered: too many standbys
    note scaled_to_zero worker
    ");
}

/// Holds rule 15.
#[test]
fn a_written_count_without_standby_means_no_standbys() {
    let mut stage = PlanFixture::with(&desired([("worker", group("worker"))]));
    assert_snapshot!(lines(&stage.apply(&desired([("worker", group("worker").count(1))]))), @"
    group worker: 2->1 changed (ams 2->1)
    destroy worker ams m00002 CountLowered: too many standbys
    ");
}

#[test]
fn of_too_many_standbys_a_cordoned_one_and_one_added_outside_go_first() {
    let target = desired([(
        "worker",
        group("worker").count(1).with(|g| g.standby = Some(1)),
    )]);
    let mut stage = PlanFixture::with(&target);
    // Its id is the first in order.
    stage.clone_machine("m00002", "e0001");
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group worker: 3->2 changed (ams 3->2)
    adopt worker ams e0001: not in the state
    destroy worker ams e0001 CountLowered: too many standbys
    ");
    stage.edit_outside("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group worker: 3->2 changed (ams 3->2)
    adopt worker ams e0001: not in the state
    destroy worker ams m00002 CountLowered: too many standbys
    ");
}

#[test]
fn a_renamed_group_takes_its_running_standby_along() {
    let jobs = || group("jobs").count(1).with(|g| g.standby = Some(1));
    let mut stage = PlanFixture::with(&desired([("jobs", jobs())]));
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Started);
    let mut renamed = desired([("queue", jobs())]);
    renamed.moved = vec![moved("jobs", "queue")];
    assert_snapshot!(lines(&stage.plan(&renamed)), @"
    group queue: 2->2 changed (ams 2->2)
    move queue ams m00001 from jobs
    move queue ams m00002 from jobs standby for m00001
    ");
}

#[test]
fn a_saved_plan_grows_with_the_machines_and_not_with_their_square() {
    let size = |n: u32| {
        let with = |log: &str| {
            let worker = group("worker")
                .count(n)
                .config(json!({"env": {"LOG": log}}));
            desired([("worker", worker.with(|g| g.standby = Some(1)))])
        };
        let mut stage = PlanFixture::with(&with("info"));
        for machine in stage.observed.machines.values_mut() {
            if machine.standby_for.is_empty() {
                let env = config_of(machine).env.get_or_insert_default();
                env.insert("LOG".to_owned(), "debug".to_owned());
            }
        }
        let planned = stage.plan(&with("info"));
        assert_eq!(planned.summary().update, n as usize);
        SavedPlan::of(&planned).to_json().len()
    };
    let (few, many) = (size(50), size(200));
    assert!(many < few * 5, "{few} {many}");
}
