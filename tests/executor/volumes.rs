//! Volumes that are made for new Machines: one for each, whatever becomes of the answers, and none that
//! a later apply does not use.

use std::collections::BTreeSet;
use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle};
use aeroform::core::fleet::{Desired, DesiredGroup, NewVolume};
use aeroform::core::plan::Outcome;
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::journal::{Journal, PendingCall, PendingCallRow};
use serde_json::{Value, json};

use crate::fixture::ExecutorFixture;
use crate::memory_journal::FailCommit;
use crate::support::{GroupBuilder, desired, group};

fn db(count: u32) -> DesiredGroup {
    group("db")
        .count(count)
        .mount()
        .config(json!({"image": "shop:1", "guest": {"cpus": 1, "memory_mb": 256}}))
}

fn only(group: DesiredGroup) -> Desired {
    desired([("db", group)])
}

impl ExecutorFixture {
    fn disks(&self) -> Vec<Value> {
        self.sim.world().operator("shop").volumes()
    }

    /// Every volume has a Machine, and no Machine is without one.
    fn assert_each_has_its_own(&self, count: usize) {
        self.assert_one_machine_per_name(count);
        let disks = self.disks();
        let holders: BTreeSet<_> = disks
            .iter()
            .filter_map(|disk| disk["attached_machine_id"].as_str())
            .collect();
        assert_eq!((disks.len(), holders.len()), (count, count), "{disks:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_machine_of_a_group_with_a_mount_gets_a_volume_as_the_manifest_says() {
    let mut stage = ExecutorFixture::new();
    let target = only(db(1).with(|group| {
        group.new_volume = NewVolume {
            initial_size_gb: Some(7),
            snapshot_retention: Some(14),
            scheduled_snapshots: Some(false),
        };
    }));
    stage.apply_until_settled(&target).await;
    stage.assert_each_has_its_own(1);
    let disk = &stage.disks()[0];
    for (key, value) in [
        ("name", json!("data")),
        ("region", json!("ams")),
        ("size_gb", json!(7)),
        ("encrypted", json!(true)),
        ("snapshot_retention", json!(14)),
        ("auto_backup_enabled", json!(false)),
    ] {
        assert_eq!(disk[key], value, "{key}");
    }
    let machine = &stage.machines()[0];
    assert_eq!(machine["config"]["mounts"][0]["volume"], disk["id"]);
    let known = stage.known.machines.values().next().unwrap();
    assert_eq!(known.volumes[0].as_str(), disk["id"].as_str().unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_unattached_volume_is_taken_and_only_what_is_lacking_is_made() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().add_volume("shop", "data", "ams", 3);
    stage.apply_until_settled(&only(db(3))).await;
    stage.assert_each_has_its_own(3);
    assert_eq!(stage.sim.world().count("create-volume"), 2);
    // What a smaller count leaves is taken by the next larger one.
    stage.apply_until_settled(&only(db(1))).await;
    stage.apply_until_settled(&only(db(3))).await;
    stage.assert_each_has_its_own(3);
    assert_eq!(stage.sim.world().count("create-volume"), 2);
    assert_eq!(stage.sim.world().count("delete-volume"), 0);
}

#[tokio::test(start_paused = true)]
async fn volumes_of_one_name_and_region_come_to_lie_apart_or_the_create_says_why_not() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().zones = Some(2);
    let ran = stage.apply(&only(db(3))).await;
    let mut outcomes = ran.outcomes();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["done", "done", "failed"]);
    let (code, message) = ran.failure();
    assert_eq!(code, "no_room");
    assert!(message.contains("every zone already has"), "{message}");
    let disks = stage.disks();
    assert_ne!(disks[0]["zone"], disks[1]["zone"]);
    stage.assert_each_has_its_own(2);
}

/// Holds rule 40.
#[tokio::test(start_paused = true)]
async fn a_volume_whose_answer_was_lost_is_found_or_made_again_and_never_twice() {
    for effect in [
        FaultEffect::LoseBefore { status: 504 },
        FaultEffect::LoseAfter { status: 500 },
        FaultEffect::LoseAfter { status: 408 },
        FaultEffect::BreakBefore,
        FaultEffect::BreakAfter,
    ] {
        for (nth, times) in [(1, 1), (2, 1), (3, 1), (1, 3)] {
            let mut stage = ExecutorFixture::new();
            let fault = Fault::on("create-volume", effect.clone());
            let fault = stage.sim.world().inject(fault.nth(nth).times(times));
            stage.apply_until_settled(&only(db(3))).await;
            assert_eq!(stage.sim.world().fired(fault), times, "{effect:?}");
            stage.assert_each_has_its_own(3);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_volume_is_waited_for_while_the_list_lags() {
    let mut stage = ExecutorFixture::new();
    let lag = FaultEffect::ListLag(Duration::from_secs(7));
    for effect in [lag, FaultEffect::LoseAfter { status: 500 }] {
        stage.sim.world().inject(Fault::on("create-volume", effect));
    }
    let ran = stage.apply_until_settled(&only(db(2))).await;
    stage.assert_each_has_its_own(2);
    let waits = ran.waits();
    assert!(waits.contains(&"volume `data` to be listed"), "{waits:?}");
    assert!(
        waits.contains(&"another `data` in ams to be made"),
        "{waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_of_a_volume_that_is_never_answered_is_unknown_and_the_next_run_settles_it() {
    let mut stage = ExecutorFixture::new();
    let lost = Fault::on("create-volume", FaultEffect::LoseBefore { status: 503 });
    stage.sim.world().inject(lost.times(6));
    let target = only(db(1));
    assert_eq!(stage.apply(&target).await.outcomes(), ["unknown"]);
    assert_eq!(stage.sim.world().count("create"), 0);
    stage.apply_until_settled(&target).await;
    stage.assert_each_has_its_own(1);
}

/// Holds rule 40.
#[tokio::test(start_paused = true)]
async fn the_call_waits_until_the_journal_says_what_was_seen_before() {
    let mut stage = ExecutorFixture::new();
    let held = stage.sim.world().add_volume("shop", "data", "ams", 3);
    stage.apply_until_settled(&only(db(1))).await;
    stage.apply_until_settled(&only(db(2))).await;
    let runs = stage.journal.runs();
    let PendingCall::CreateVolume { name, region, seen } = &runs[1].started[0].call else {
        panic!("{:#?}", runs[1].started);
    };
    assert_eq!((name.as_str(), region.as_str()), ("data", "ams"));
    assert_eq!(seen[0].as_str(), held.unwrap());
    // The first write is the run, the second one says that a volume is about to be made.
    let mut stage = ExecutorFixture::new();
    stage.journal.fail_commit(2, FailCommit::Before);
    let ran = stage.apply(&only(db(1))).await;
    assert!(stage.journal.fired() && ran.report.halted.is_some());
    assert_eq!(ran.outcomes(), ["not started"]);
    assert_eq!(stage.sim.world().count("create-volume"), 0);
    stage.apply_until_settled(&only(db(1))).await;
    stage.assert_each_has_its_own(1);
}

/// A run that has begun to make a volume and died: with the row alone, or with the volume as well.
async fn died(stage: &ExecutorFixture, target: &Desired) {
    let (planned, _) = stage.plan(target).await;
    let lineage = planned.lineage.clone().unwrap();
    let run = aeroform::journal::RunRow {
        run: aeroform::core::fleet::RunId::new("dead").unwrap(),
        lineage,
        serial: stage.known.serial,
        at: String::new(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        plan: String::new(),
    };
    stage.journal.begin_run(&run).unwrap();
    let started = PendingCallRow {
        step: planned.changes().next().unwrap().0,
        call: PendingCall::CreateVolume {
            name: "data".to_owned(),
            region: crate::support::region("ams"),
            seen: Vec::new(),
        },
    };
    stage.journal.begin_call(&run.run, &started).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_a_dead_run_has_made_is_taken_also_when_the_list_lags() {
    let target = only(db(1));
    let mut stage = ExecutorFixture::new();
    died(&stage, &target).await;
    let lag = Fault::on(
        "create-volume",
        FaultEffect::ListLag(Duration::from_secs(7)),
    );
    stage.sim.world().inject(lag);
    let body = json!({"name": "data", "region": "ams", "size_gb": 1});
    stage
        .sim
        .world()
        .create_volume("shop", &body)
        .result
        .unwrap();
    stage.apply_until_settled(&target).await;
    stage.assert_each_has_its_own(1);
    assert_eq!(stage.sim.world().count("create-volume"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_did_not_come_to_make_is_made_once_nothing_turns_up() {
    let mut stage = ExecutorFixture::new();
    died(&stage, &only(db(2))).await;
    stage.apply_until_settled(&only(db(2))).await;
    stage.assert_each_has_its_own(2);
    // One that lay there in time explains the call: nothing is waited for.
    let mut stage = ExecutorFixture::new();
    died(&stage, &only(db(2))).await;
    stage.sim.world().add_volume("shop", "data", "ams", 1);
    let ran = stage.apply_until_settled(&only(db(2))).await;
    stage.assert_each_has_its_own(2);
    assert!(!ran.waits().contains(&"volume `data` to be listed"));
}

/// Holds rule 32.
#[tokio::test(start_paused = true)]
async fn a_volume_attached_outside_fails_its_step_and_the_next_run_creates_one() {
    let mut stage = ExecutorFixture::new();
    let volume = stage.sim.world().add_volume("shop", "data", "ams", 3);
    let target = only(db(1));
    let (planned, observed) = stage.plan(&target).await;
    let config = json!({"image": "other:1", "mounts": [{"volume": volume, "path": "/data"}]});
    stage
        .sim
        .world()
        .operator("shop")
        .add("other", "ams", config);
    let ran = stage.carry_out(&target, planned, &observed).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "volume_claimed");
    assert!(message.contains("already claimed by machine"), "{message}");
    let hint = ran.report.results.iter().find_map(|r| match &r.outcome {
        Outcome::Failed { hint, .. } => hint.clone(),
        _ => None,
    });
    assert!(hint.unwrap().contains("run the command again"));
    stage.apply(&target).await.assert_complete();
    assert_eq!(stage.disks().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_a_destroyed_machine_still_claims_for_a_moment_is_waited_for() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().add_volume("shop", "data", "ams", 3);
    let message = format!(
        "failed_precondition: volume already claimed by machine {}",
        "\0".repeat(14)
    );
    let status = 412;
    let claimed = Fault::on("create", FaultEffect::Refuse { status, message });
    stage.sim.world().inject(claimed.times(3));
    stage.apply_until_settled(&only(db(1))).await;
    stage.assert_each_has_its_own(1);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_the_volume_and_its_machine_leaves_what_the_next_run_takes() {
    let mut stage = ExecutorFixture::new();
    let slow = FaultEffect::SlowAnswer(Duration::from_secs(3));
    stage.sim.world().inject(Fault::on("create-volume", slow));
    let (signal, cancel) = CancelHandle::new();
    stage.cancel = cancel;
    let target = only(db(1));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        signal.stop(Some(Duration::from_secs(10)));
    };
    let (ran, ()) = tokio::join!(stage.apply(&target), stop);
    assert_eq!(ran.outcomes(), ["unknown"]);
    assert_eq!((stage.disks().len(), stage.machines().len()), (1, 0));
    stage.cancel = Cancel::never();
    stage.apply_until_settled(&target).await;
    stage.assert_each_has_its_own(1);
    assert_eq!(stage.sim.world().count("create-volume"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_the_intents_name_keeps_the_volume_that_it_has() {
    let mut stage = ExecutorFixture::new();
    let target = only(db(1));
    let (planned, observed) = stage.plan(&target).await;
    let name = planned.changes().next().unwrap().1.machine.name.clone();
    let volume = stage.sim.world().add_volume("shop", "data", "ams", 3);
    let mut tree = target.groups["db"].template.to_value();
    tree["metadata"] = json!({"fly_process_group": "db"});
    tree["mounts"][0]["volume"] = volume.into();
    stage
        .sim
        .world()
        .operator("shop")
        .add(name.as_str(), "ams", tree);
    let ran = stage.carry_out(&target, planned, &observed).await;
    ran.assert_complete();
    stage.assert_one_machine_per_name(1);
    stage.assert_settled(&target).await;
    assert_eq!(stage.sim.world().count("update"), 0);
}
