//! Hosts without room: an update goes on as a replacement, or stops its group where a volume holds it.

use std::time::Duration;

use aeroform::core::fleet::{Desired, DesiredGroup, MachineId};
use aeroform::core::plan::RunOutcome;
use aeroform::core::plan::{Branch, Outcome};
use aeroform::emulator::world::{Fault, FaultEffect, FaultId};
use serde_json::json;

use crate::fixture::{ExecutorFixture, checked, image, web, worker};
use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::process::{DurableState, Process, ProcessEnd};
use crate::sim::SimProvider;
use crate::support::{GroupBuilder, desired};

fn full(sim: &SimProvider, machine: &str) -> FaultId {
    let no_room = FaultEffect::NoRoom { message: None };
    let fault = Fault::on("update", no_room).of_machine(machine);
    sim.world().inject(fault.times(1000))
}

fn images(stage: &ExecutorFixture) -> Vec<String> {
    let image =
        |machine: &serde_json::Value| machine["config"]["image"].as_str().unwrap().to_owned();
    stage.machines().iter().map(image).collect()
}

fn with_standby(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.standby = Some(1))
}

/// Holds rule 20.
#[tokio::test(start_paused = true)]
async fn a_machine_whose_host_has_no_capacity_is_replaced_as_planned() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(3)))]))
        .await;
    let old = stage.id(1);
    let fault = full(&stage.sim, &old);
    stage.sim.world().clear_log();
    let ran = stage
        .apply_until_settled(&desired([("web", checked(image(web(3), "shop:2")))]))
        .await;
    assert_eq!(stage.sim.world().fired(fault), 1);
    let (step, change) = ran
        .plan
        .changes()
        .find(|(_, change)| {
            change
                .machine
                .id
                .as_ref()
                .is_some_and(|id| id.as_str() == old)
        })
        .unwrap();
    let [Branch::NoRoomReplaced(successor)] = change.branches.as_slice() else {
        panic!("{:?}", change.branches);
    };
    let result = &ran.report.results[step.0 as usize];
    let new = result.machine.as_ref().unwrap();
    assert_eq!(new.name, successor.name);
    assert!(result.replace_fallback.as_ref().unwrap().old_gone);
    assert_eq!(images(&stage), ["shop:2"; 3]);
    assert_eq!(stage.states(), ["started"; 3]);
    stage.assert_one_machine_per_name(3);
    let known: Vec<&MachineId> = stage.known.machines.keys().collect();
    assert!(known.contains(&&new.id) && known.iter().all(|id| id.as_str() != old));
    assert_eq!(
        stage.known.machines[&new.id].launch.as_ref(),
        Some(&successor.launch)
    );
    // The old one goes as any other does, and only once the new one serves.
    let world = stage.sim.world();
    let calls: Vec<&str> = world
        .log()
        .iter()
        .filter(|call| call.machine.as_deref() == Some(&old) || call.action == "create")
        .map(|call| call.action)
        .filter(|action| !["get", "wait"].contains(action))
        .collect();
    assert_eq!(calls, ["update", "create", "cordon", "stop", "destroy"]);
}

/// Holds rule 20.
#[tokio::test(start_paused = true)]
async fn a_machine_with_a_volume_stops_its_group_and_the_error_says_what_to_do() {
    let mut stage = ExecutorFixture::new();
    let data = |image: &str| {
        let mounts = json!([{"name": "data", "path": "/data"}]);
        worker(2).config(json!({"image": image, "mounts": mounts}))
    };
    for _ in 0..2 {
        stage.sim.world().add_volume("shop", "data", "ams", 1);
    }
    stage
        .apply_until_settled(&desired([("db", data("shop:1"))]))
        .await;
    let ids = [stage.id(0), stage.id(1)];
    for id in &ids {
        full(&stage.sim, id);
    }
    let ran = stage.apply(&desired([("db", data("shop:2"))])).await;
    assert!(
        ran.plan
            .changes()
            .all(|(_, change)| change.branches == [Branch::NoRoomStops])
    );
    assert_eq!(ran.outcomes(), ["failed", "not started"]);
    let Outcome::Failed {
        code,
        message,
        hint,
    } = ran.outcome(ran.plan.changes().next().unwrap().0)
    else {
        panic!("{:?}", ran.outcomes());
    };
    assert_eq!(code, "no_room");
    assert!(
        message.contains("could not reserve resource for machine"),
        "{message}"
    );
    assert!(hint.as_ref().unwrap().contains("vol_"), "{hint:?}");
    assert_eq!([stage.id(0), stage.id(1)], ids);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_full_as_well_leaves_the_old_machine_as_it_was() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let old = stage.id(0);
    full(&stage.sim, &old);
    let no_room = FaultEffect::NoRoom { message: None };
    stage.sim.world().inject(Fault::on("create", no_room));
    let target = desired([("web", image(web(1), "shop:2"))]);
    let ran = stage.apply(&target).await;
    assert_eq!(ran.failure().0, "no_room");
    assert_eq!(
        (stage.id(0), images(&stage)),
        (old, vec!["shop:1".to_owned()])
    );
    assert_eq!(stage.known.pending_creates, []);
    stage.apply_until_settled(&target).await;
    assert_eq!(images(&stage), ["shop:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_and_cordoned_machine_is_replaced_by_one_that_is_both() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let old = stage.id(0);
    stage.sim.world().operator("shop").stop(&old);
    stage.sim.world().cordon("shop", &old, true);
    full(&stage.sim, &old);
    stage
        .apply_until_settled(&desired([("web", image(web(1), "shop:2"))]))
        .await;
    assert_ne!(stage.id(0), old);
    assert_eq!(stage.states(), ["stopped"]);
    assert_eq!(stage.machines()[0]["cordoned"], true);
}

/// Holds rule 22.
#[tokio::test(start_paused = true)]
async fn standbys_watch_the_new_machine_whether_or_not_the_plan_changes_them() {
    let mut stage = ExecutorFixture::new();
    let jobs = |image_: &str| with_standby(image(worker(2), image_));
    stage
        .apply_until_settled(&desired([("worker", jobs("shop:1"))]))
        .await;
    let standby = |stage: &ExecutorFixture| {
        let machines = stage.machines();
        let found = machines.iter().find(|m| m["config"]["standbys"].is_array());
        let mut watched: Vec<String> =
            serde_json::from_value(found.unwrap()["config"]["standbys"].clone()).unwrap();
        watched.sort();
        (found.unwrap()["id"].as_str().unwrap().to_owned(), watched)
    };
    let primaries = |stage: &ExecutorFixture| {
        let (id, _) = standby(stage);
        let machines = stage.machines();
        let ids = machines
            .iter()
            .map(|m| m["id"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.filter(|other| *other != id).collect();
        ids.sort();
        ids
    };
    // All of them change, the standby too.
    let full_ones = primaries(&stage);
    for id in &full_ones {
        full(&stage.sim, id);
    }
    stage
        .apply_until_settled(&desired([("worker", jobs("shop:2"))]))
        .await;
    assert_eq!(standby(&stage).1, primaries(&stage));
    assert!(full_ones.iter().all(|id| !primaries(&stage).contains(id)));
    // Only the primaries have drifted.
    let (before, full_ones) = (standby(&stage).0, primaries(&stage));
    for id in &full_ones {
        full(&stage.sim, id);
        let mut world = stage.sim.world();
        world
            .operator("shop")
            .update(id, |config| config["image"] = json!("odd"));
    }
    let ran = stage
        .apply_until_settled(&desired([("worker", jobs("shop:2"))]))
        .await;
    assert_eq!(ran.plan.changes().count(), 2);
    assert_eq!(standby(&stage), (before, primaries(&stage)));
    assert!(full_ones.iter().all(|id| !primaries(&stage).contains(id)));
    assert_eq!(images(&stage), ["shop:2"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_new_machine_that_does_not_come_up_leaves_the_old_one_and_the_next_run_ends_it() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(2)))]))
        .await;
    let old = stage.id(0);
    full(&stage.sim, &old);
    stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::FailStart));
    let target = desired([("web", checked(image(web(2), "shop:2")))]);
    let ran = stage.apply(&target).await;
    assert_eq!(ran.failure().0, "machine_failed");
    assert_eq!(stage.machines().len(), 3);
    let pair = stage.known.machines.values();
    let replaces: Vec<_> = pair.filter_map(|known| known.replaces.as_ref()).collect();
    assert_eq!(replaces.len(), 1);
    assert_eq!(replaces[0].as_str(), old);
    stage.apply_until_settled(&target).await;
    assert_eq!(images(&stage), ["shop:2"; 2]);
    stage.assert_one_machine_per_name(2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_in_place_of_an_update_is_pending_and_found_again() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let old = stage.id(0);
    full(&stage.sim, &old);
    let lost = FaultEffect::LoseBefore { status: 503 };
    stage
        .sim
        .world()
        .inject(Fault::on("create", lost).times(100));
    let target = desired([("web", image(web(1), "shop:2"))]);
    let ran = stage.apply(&target).await;
    assert_eq!(ran.outcomes(), ["unknown"]);
    let [pending] = stage.known.pending_creates.as_slice() else {
        panic!("{:?}", stage.known.pending_creates);
    };
    let launch = pending.launch.clone();
    assert_eq!(pending.replaces.as_ref().unwrap().as_str(), old);
    stage.sim.world().clear_faults();
    full(&stage.sim, &old);
    let ran = stage.apply_until_settled(&target).await;
    let (_, change) = ran.plan.changes().next().unwrap();
    assert_eq!(change.successor().unwrap().launch, launch);
    assert!(stage.known.pending_creates.is_empty());
    stage.assert_one_machine_per_name(1);
}

/// Kills an apply in which two Machines find no room before and after everything that leaves it, and
/// applies again with the journal and without.
async fn killed_anywhere(before: Desired, after: Desired, count: usize) {
    let durable = DurableState {
        sim: SimProvider::new("seed"),
        store: MemoryStore::default(),
        journal: MemoryJournal::default(),
    };
    durable.sim.world().add_app("shop");
    let whole = |durable: DurableState, run: &'static str, target: Desired| async move {
        let process = Process::new(&durable, ProcessEnd::Normal);
        let (preview, ended) = process.apply(&target, run).await.unwrap();
        assert_eq!(
            ended.run_end(&preview, "apply"),
            RunOutcome::Complete,
            "{:?}",
            ended.report
        );
        (
            preview,
            process.passed(),
            durable.sim.world().operator("shop").machines(),
        )
    };
    whole(durable.fork(), "probe", before.clone()).await;
    let (_, _, machines) = whole(durable.clone(), "before", before).await;
    for machine in machines.iter().take(2) {
        full(&durable.sim, machine["id"].as_str().unwrap());
    }
    let (_, moments, _) = whole(durable.fork(), "whole", after.clone()).await;
    for n in 1..=moments {
        for (end, keeps) in [(ProcessEnd::Before(n), true), (ProcessEnd::After(n), false)] {
            let case = format!("killed at {n}, journal kept: {keeps}");
            let again = durable.fork();
            let _ = Process::new(&again, end).apply(&after, "first").await;
            if !keeps {
                again.journal.delete();
            }
            whole(again.fork(), "second", after.clone()).await;
            let (_, _, mut machines) = whole(again.clone(), "second", after.clone()).await;
            machines.retain(|machine| machine["state"] != "destroying");
            let (preview, _, _) = whole(again, "third", after.clone()).await;
            assert!(
                preview.plan.is_empty(),
                "{case}: {:#?}",
                preview.plan.summary_lines()
            );
            let right = |m: &&serde_json::Value| m["config"]["image"] == "shop:2";
            assert_eq!(machines.iter().filter(right).count(), count, "{case}");
            assert_eq!(machines.len(), count, "{case}: {machines:#?}");
        }
    }
    println!("{moments} moments");
}

#[tokio::test(start_paused = true)]
async fn a_killed_replacement_for_lack_of_capacity_reaches_the_desired_fleet_in_the_next_run() {
    killed_anywhere(
        desired([("web", checked(web(3)))]),
        desired([("web", checked(image(web(3), "shop:2")))]),
        3,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_of_a_group_without_a_written_count_and_with_standbys() {
    let uncounted = |text: &str| {
        let group = image(worker(2), text);
        group.with(|group| {
            group.count = aeroform::core::fleet::Count::Unwritten;
            group.standby = Some(1);
        })
    };
    let before = with_standby(worker(2));
    let after = desired([("worker", uncounted("shop:2"))]);
    killed_anywhere(desired([("worker", before)]), after, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_whose_own_host_is_full_as_well_is_named_and_replaced_by_the_next_run() {
    let mut stage = ExecutorFixture::new();
    let jobs = || with_standby(worker(1));
    stage
        .apply_until_settled(&desired([("worker", jobs())]))
        .await;
    let (primary, standby) = (stage.id(0), stage.id(1));
    for id in [&primary, &standby] {
        full(&stage.sim, id);
    }
    stage
        .sim
        .world()
        .operator("shop")
        .update(&primary, |config| config["image"] = json!("odd"));
    let target = desired([("worker", jobs())]);
    let ran = stage.apply(&target).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "no_room");
    let reported = format!("standby {standby} cannot be updated to watch");
    assert!(message.starts_with(&reported), "{message}");
    // The primary serves, and the one that it is to replace goes only once it is stood by for.
    assert_eq!(stage.machines().len(), 3);
    stage.apply_until_settled(&target).await;
    stage.assert_one_machine_per_name(2);
    let ids = [stage.id(0), stage.id(1)];
    assert!(
        !ids.contains(&primary) && !ids.contains(&standby),
        "{ids:?}"
    );
    assert_eq!(stage.machines()[1]["config"]["standbys"], json!([ids[0]]));
}

/// A pipeline pushes an image and applies a moment later.
#[tokio::test(start_paused = true)]
async fn an_image_that_was_pushed_a_moment_ago_is_waited_for_and_one_that_never_comes_is_not() {
    use aeroform::emulator::world::RefusalKind;
    for (times, comes) in [(5, true), (1000, false)] {
        let mut stage = ExecutorFixture::new();
        let unknown = FaultEffect::Refusal(RefusalKind::ImageUnknown);
        stage
            .sim
            .world()
            .inject(Fault::on("create", unknown).times(times));
        let began = tokio::time::Instant::now();
        let image = crate::support::group("web")
            .count(1)
            .config(serde_json::json!({"image": "shop:1"}));
        let ran = stage
            .apply(&crate::support::desired([("web", image)]))
            .await;
        let outcome = &ran.report.results[0].outcome;
        assert_eq!(*outcome == Outcome::Done, comes, "{outcome:?}");
        let waits = |event: &&aeroform::core::plan::Event| {
            format!("{event:?}").contains("the registry to have")
        };
        assert!(ran.events.iter().any(|event| waits(&event)), "it is said");
        let took = began.elapsed();
        assert!(
            took >= Duration::from_secs(if comes { 10 } else { 30 }),
            "{took:?}"
        );
    }
}
