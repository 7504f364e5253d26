//! What a run does to the world when nothing goes wrong.

use std::time::Duration;

use aeroform::core::fleet::MachineId;
use aeroform::core::plan::Requested;
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::json;
use tokio::time::timeout;

use crate::fixture::{ExecutorFixture, checked, image, web, worker};
use crate::support::{self, GroupBuilder, desired};

#[tokio::test(start_paused = true)]
async fn creates_updates_moves_and_destroys_until_nothing_is_left_to_plan() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(3))), ("worker", worker(2))]))
        .await;
    assert_eq!(stage.states(), ["started"; 5]);
    stage
        .apply_until_settled(&desired([
            ("web", checked(image(web(4), "shop:2"))),
            ("worker", worker(1)),
        ]))
        .await;
    assert_eq!(stage.machines().len(), 5);
    let mut renamed = desired([
        ("web", checked(image(web(4), "shop:2"))),
        ("jobs", worker(1)),
    ]);
    renamed.moved = vec![support::moved("worker", "jobs")];
    stage.apply_until_settled(&renamed).await;
    assert_eq!(stage.machines().len(), 5);
    stage
        .apply_until_settled(&desired([("web", checked(image(web(2), "shop:2")))]))
        .await;
    assert_eq!(stage.states(), ["started"; 2]);
}

#[tokio::test(start_paused = true)]
async fn the_machine_bears_the_bookkeeping_of_its_run() {
    let mut stage = ExecutorFixture::new();
    let ran = stage
        .apply_until_settled(&desired([("web", web(1).protected())]))
        .await;
    let metadata = stage.machines()[0]["config"]["metadata"].clone();
    assert_eq!(metadata["fly_process_group"], "web");
    assert_eq!(metadata["aeroform_run"], "run1");
    assert_eq!(metadata["aeroform_serial"], "1");
    assert_eq!(metadata["aeroform_by"], "ana");
    assert_eq!(metadata["aeroform_protect"], "true");
    assert_eq!(metadata["aeroform_desired"], ran.plan.desired.as_str());
    let name = stage.machines()[0]["name"].as_str().unwrap().to_owned();
    assert!(name.ends_with(metadata["aeroform_launch"].as_str().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_standby_is_made_after_the_primary_that_it_watches_and_is_not_started() {
    let mut stage = ExecutorFixture::new();
    let jobs = worker(1).with(|group| group.standby = Some(1));
    stage
        .apply_until_settled(&desired([("worker", jobs)]))
        .await;
    assert_eq!(stage.states(), ["started", "stopped"]);
    assert_eq!(
        stage.machines()[1]["config"]["standbys"],
        json!([stage.id(0)])
    );
}

/// Holds rule 10.
#[tokio::test(start_paused = true)]
async fn what_the_platform_added_to_a_config_survives_an_update_and_never_enters_the_state() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").update(&id, |config| {
        config["dns"] = json!({"skip_registration": true});
        config["metadata"]["fly_release_version"] = "7".into();
    });
    stage
        .apply_until_settled(&desired([("web", image(web(1), "shop:2"))]))
        .await;
    let config = stage.machines()[0]["config"].clone();
    assert_eq!(config["dns"], json!({"skip_registration": true}));
    assert_eq!(config["metadata"]["fly_release_version"], "7");
    let sent = stage
        .known
        .sent_config(&MachineId::new(id).unwrap())
        .unwrap();
    assert_eq!(sent.tree().get("dns"), None);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_machine_is_updated_and_stays_stopped() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    let (first, second) = (stage.id(0), stage.id(1));
    stage.sim.world().operator("shop").stop(&first);
    stage.sim.world().operator("shop").suspend(&second);
    stage
        .apply_until_settled(&desired([("web", checked(image(web(2), "shop:2")))]))
        .await;
    assert_eq!(stage.states(), ["stopped", "stopped"]);
}

/// Holds rule 23.
#[tokio::test(start_paused = true)]
async fn a_machine_that_stopped_after_it_was_planned_is_left_stopped() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let target = desired([("web", checked(image(web(1), "shop:2")))]);
    let (planned, observed) = stage.plan(&target).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").stop(&id);
    stage
        .carry_out(&target, planned, &observed)
        .await
        .assert_complete();
    assert_eq!(stage.states(), ["stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_machine_is_sent_its_own_config_again_so_that_it_runs() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", web(1))]);
    stage.apply_until_settled(&target).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").fail(&id);
    let ran = stage.apply_until_settled(&target).await;
    assert_eq!(ran.plan.changes().count(), 1);
    assert_eq!(stage.states(), ["started"]);
}

/// Holds rule 21.
#[tokio::test(start_paused = true)]
async fn a_destroy_cordons_stops_and_removes_without_force() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    stage.sim.world().clear_log();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let world = stage.sim.world();
    let changing: Vec<&str> = world
        .log()
        .iter()
        .map(|call| call.action)
        .filter(|action| !matches!(*action, "app" | "list" | "volumes" | "get" | "wait"))
        .collect();
    assert_eq!(changing, ["cordon", "stop", "destroy"]);
}

/// Holds rule 21.
#[tokio::test(start_paused = true)]
async fn a_failed_machine_is_destroyed_by_force() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("worker", worker(2))]))
        .await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").fail(&id);
    stage
        .apply_until_settled(&desired([("worker", worker(1))]))
        .await;
    assert_ne!(stage.id(0), id);
    assert_eq!(stage.sim.world().count("stop"), 0);
}

/// Holds rule 21.
#[tokio::test(start_paused = true)]
async fn a_machine_that_is_gone_already_counts_as_destroyed() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("worker", worker(2))]))
        .await;
    let target = desired([("worker", worker(1))]);
    let (planned, observed) = stage.plan(&target).await;
    let victim = planned
        .changes()
        .next()
        .unwrap()
        .1
        .machine
        .id
        .clone()
        .unwrap();
    stage.sim.world().operator("shop").destroy(victim.as_str());
    stage
        .carry_out(&target, planned, &observed)
        .await
        .assert_complete();
    assert_eq!(stage.sim.world().count("destroy"), 0);
}

/// Holds rule 24.
#[tokio::test(start_paused = true)]
async fn a_machine_that_changed_after_the_plan_is_not_destroyed() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    let fewer = desired([("web", web(1))]);
    let (planned, observed) = stage.plan(&fewer).await;
    let goes = planned
        .changes()
        .next()
        .unwrap()
        .1
        .machine
        .id
        .clone()
        .unwrap();
    stage
        .sim
        .world()
        .operator("shop")
        .update(goes.as_str(), |config| config["env"]["HAND"] = json!("1"));
    let ran = stage.carry_out(&fewer, planned, &observed).await;
    assert_eq!(ran.outcomes(), ["failed"]);
    assert_eq!(ran.failure().0, "conflict");
    assert_eq!(stage.machines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn doubles_that_could_not_be_looked_for_are_no_proof_of_none() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", web(1))]);
    let (planned, observed) = stage.plan(&target).await;
    let lost = FaultEffect::LoseBefore { status: 503 };
    stage
        .sim
        .world()
        .inject(Fault::on("list", lost).times(1000));
    let ran = stage.carry_out(&target, planned, &observed).await;
    assert_eq!(ran.outcomes(), ["done"]);
    assert_eq!(ran.report.findings.len(), 1, "{:?}", ran.report);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_and_cordoned_machine_is_replaced_by_one_that_is_both() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(2)))]))
        .await;
    let (rests, runs) = (stage.id(0), stage.id(1));
    stage.sim.world().operator("shop").stop(&rests);
    stage.sim.world().cordon("shop", &rests, true);
    let target = desired([("web", checked(web(2)))]);
    let ids = [rests.as_str(), runs.as_str()];
    let requested = Requested {
        replace: ids.map(|id| MachineId::new(id).unwrap()).into(),
        ..Requested::default()
    };
    crate::requested::apply(&mut stage, &target, requested)
        .await
        .assert_complete();
    stage.assert_settled(&target).await;
    let is = |machine: &serde_json::Value| {
        let word = machine["state"].as_str().unwrap().to_owned();
        (word, machine["cordoned"] == true)
    };
    let mut all: Vec<_> = stage.machines().iter().map(is).collect();
    all.sort();
    assert_eq!(
        all,
        [("started".to_owned(), false), ("stopped".to_owned(), true)]
    );
}

/// What happens to a Machine before it is replaced.
#[derive(Clone, Copy)]
enum Down {
    OnRequest,
    ByItself(i32),
    JustNow(i32),
}

impl Down {
    async fn apply(self, stage: &ExecutorFixture, id: &MachineId) {
        {
            let mut world = stage.sim.world();
            let mut operator = world.operator("shop");
            match self {
                Self::OnRequest => operator.stop(id.as_str()),
                Self::ByItself(code) | Self::JustNow(code) => {
                    operator.exit(id.as_str(), crate::stays_up::exits(0, code, Some(0)));
                }
            }
        }
        if !matches!(self, Self::JustNow(_)) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
}

/// Holds rule 23.
#[tokio::test(start_paused = true)]
async fn the_successor_of_a_machine_that_is_down_runs_where_an_update_would_have_started_that_one()
{
    let scheduled = || worker(1).config(json!({"schedule": "daily"}));
    let standby = || {
        let mut group = worker(1);
        group.standby = Some(1);
        group
    };
    for (what, group, down, unproven, runs) in [
        (
            "stopped on request",
            worker(1),
            Down::OnRequest,
            false,
            false,
        ),
        ("crashed", worker(1), Down::ByItself(1), false, true),
        (
            "crashes at this moment",
            worker(1),
            Down::JustNow(1),
            false,
            true,
        ),
        (
            "has done its work",
            worker(1),
            Down::ByItself(0),
            false,
            false,
        ),
        (
            "serves and ended well",
            worker(1).serves(),
            Down::ByItself(0),
            false,
            false,
        ),
        (
            "served never",
            worker(1).serves(),
            Down::ByItself(0),
            true,
            true,
        ),
        (
            "has a schedule",
            scheduled(),
            Down::ByItself(1),
            false,
            false,
        ),
        ("has a standby", standby(), Down::ByItself(1), false, true),
    ] {
        let mut stage = ExecutorFixture::new();
        let target = desired([("jobs", group)]);
        stage.apply_until_settled(&target).await;
        let is_primary =
            |(_, known): &(_, &aeroform::core::fleet::KnownMachine)| known.standby_for.is_empty();
        let primary = stage.known.machines.iter().find(is_primary);
        let old = primary.unwrap().0.clone();
        down.apply(&stage, &old).await;
        if unproven {
            stage.known.machines.get_mut(&old).unwrap().unproven = true;
        }
        let requested = Requested {
            replace: [old.clone()].into(),
            ..Requested::default()
        };
        let ran = crate::requested::apply(&mut stage, &target, requested).await;
        ran.assert_complete();
        let machines = stage.machines();
        let launches = |known: &aeroform::core::fleet::KnownMachine| known.standby_for.is_empty();
        let new = stage
            .known
            .machines
            .iter()
            .find(|(_, known)| launches(known))
            .unwrap()
            .0;
        assert_ne!(*new, old, "{what}");
        let new = machines
            .iter()
            .find(|machine| machine["id"] == new.as_str())
            .unwrap();
        assert_eq!(new["state"] == "started", runs, "{what}: {new:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_died_before_its_cordon_is_in_rotation_and_the_old_one_goes() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", checked(web(2)))]);
    stage.apply_until_settled(&target).await;
    let old = stage.id(0);
    stage.sim.world().cordon("shop", &old, true);
    let slow = Fault::on("create", FaultEffect::SlowAnswer(Duration::from_secs(20)));
    stage.sim.world().inject(slow);
    let requested = Requested {
        replace: [MachineId::new(old.as_str()).unwrap()].into(),
        ..Requested::default()
    };
    let killed = crate::requested::apply(&mut stage, &target, requested);
    let died = timeout(Duration::from_secs(10), killed).await;
    assert!(died.is_err(), "it was to die before the cordon");
    assert_eq!(stage.machines().len(), 3);
    stage.apply_until_settled(&target).await;
    let machines = stage.machines();
    assert_eq!(machines.len(), 2);
    assert!(machines.iter().all(|machine| machine["id"] != old.as_str()));
    assert!(machines.iter().all(|machine| machine["cordoned"] != true));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_written_any_more_does_not_come_along_to_a_replacement() {
    let mut stage = ExecutorFixture::new();
    let daily = web(1).config(json!({"schedule": "daily"}));
    stage.apply_until_settled(&desired([("web", daily)])).await;
    let target = desired([("web", web(1))]);
    let requested = Requested {
        replace: [MachineId::new(stage.id(0)).unwrap()].into(),
        ..Requested::default()
    };
    let ran = crate::requested::apply(&mut stage, &target, requested).await;
    ran.assert_complete();
    let (_, create) = ran.plan.changes().next().unwrap();
    assert_eq!(create.changes[0].path, ["schedule"]);
    assert_eq!(stage.machines()[0]["config"].get("schedule"), None);
}

/// What a run that died on the way has stopped looks as if a person had.
#[tokio::test(start_paused = true)]
async fn a_machine_that_is_destroyed_for_its_volume_has_a_successor_that_runs() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().add_volume("shop", "data", "ams", 1);
    let target = desired([("db", worker(1).mount())]);
    stage.apply_until_settled(&target).await;
    let old = stage.id(0);
    stage.sim.world().operator("shop").stop(&old);
    stage.sim.world().cordon("shop", &old, true);
    let requested = Requested {
        replace: [MachineId::new(old).unwrap()].into(),
        ..Requested::default()
    };
    crate::requested::apply(&mut stage, &target, requested)
        .await
        .assert_complete();
    let machine = stage.machines().remove(0);
    assert_eq!(
        (&machine["state"], machine["cordoned"] == true),
        (&json!("started"), false)
    );
}
