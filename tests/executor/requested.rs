//! What a run does when a verb asks for more than the manifests say.

use std::collections::BTreeSet;

use aeroform::core::fleet::{Desired, MachineId};
use aeroform::core::plan::{Options, Requested, RestartScope, check, plan};
use aeroform::emulator::world::{Fault, FaultEffect};

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, web, worker};
use crate::support::{GroupBuilder, desired};

pub(crate) async fn apply(
    stage: &mut ExecutorFixture,
    target: &Desired,
    requested: Requested,
) -> ExecutedRun {
    let observed = stage.observed().await;
    let options = Options {
        requested,
        ..Options::default()
    };
    let planned = plan(target, &stage.known, Some(&observed), &options);
    assert_eq!(check(&planned, target, &stage.known, Some(&observed)), []);
    assert_eq!(planned.refusals, []);
    stage.carry_out(target, planned, &observed).await
}

fn restart() -> Requested {
    Requested {
        restart: RestartScope::All,
        ..Requested::default()
    }
}

fn replace(id: &str) -> Requested {
    Requested {
        replace: BTreeSet::from([MachineId::new(id).unwrap()]),
        ..Requested::default()
    }
}

fn instances(stage: &ExecutorFixture) -> Vec<String> {
    let machines = stage.machines();
    let instance =
        |machine: &serde_json::Value| machine["instance_id"].as_str().unwrap().to_owned();
    machines.iter().map(instance).collect()
}

#[tokio::test(start_paused = true)]
async fn a_restart_gives_each_machine_that_runs_a_new_version_and_leaves_the_others() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", checked(web(3))), ("worker", worker(1))]);
    stage.apply_until_settled(&target).await;
    let stopped = stage.id(0);
    stage.sim.world().stop("shop", &stopped);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let (before, updates) = (instances(&stage), stage.sim.world().count("update"));
    let ran = apply(&mut stage, &target, restart()).await;
    ran.assert_complete();
    let after = instances(&stage);
    let same: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a == b).collect();
    assert_eq!(same, [true, false, false, false]);
    assert_eq!(stage.sim.world().count("update"), updates + 3);
    assert_eq!(stage.states(), ["stopped", "started", "started", "started"]);
    stage.assert_settled(&target).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_was_lost_is_not_made_twice() {
    for effect in [
        FaultEffect::LoseBefore { status: 504 },
        FaultEffect::LoseAfter { status: 408 },
    ] {
        let mut stage = ExecutorFixture::new();
        let target = desired([("web", web(2))]);
        stage.apply_until_settled(&target).await;
        let made_before = matches!(effect, FaultEffect::LoseBefore { .. });
        let before = instances(&stage);
        let fault = stage.sim.world().inject(Fault::on("update", effect));
        let ran = apply(&mut stage, &target, restart()).await;
        ran.assert_complete();
        assert_eq!(stage.sim.world().fired(fault), 1);
        let tries = if made_before { 3 } else { 2 };
        assert_eq!(stage.sim.world().count("update"), tries);
        let after = instances(&stage);
        assert!(before.iter().zip(&after).all(|(a, b)| a != b));
        stage.assert_settled(&target).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_come_up_again_ends_the_restart_of_its_group() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", checked(web(3)).max_unavailable(1))]);
    stage.apply_until_settled(&target).await;
    stage
        .sim
        .world()
        .inject(Fault::on("update", FaultEffect::ChecksNeverPass));
    let ran = apply(&mut stage, &target, restart()).await;
    let outcomes = ran.outcomes();
    assert_eq!(outcomes.iter().filter(|o| **o == "failed").count(), 1);
    assert_eq!(stage.sim.world().count("update"), 1, "{outcomes:?}");
}

/// Holds rule 22.
#[tokio::test(start_paused = true)]
async fn a_machine_is_replaced_by_one_that_is_healthy_before_it_goes() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", checked(web(2)))]);
    stage.apply_until_settled(&target).await;
    let old = stage.id(0);
    let ran = apply(&mut stage, &target, replace(&old)).await;
    ran.assert_complete();
    let ids: Vec<_> = (0..2).map(|at| stage.id(at)).collect();
    assert!(!ids.contains(&old), "{ids:?}");
    stage.assert_settled(&target).await;
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_never_passes_leaves_the_old_one_in_its_place() {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", checked(web(2)))]);
    stage.apply_until_settled(&target).await;
    let old = stage.id(0);
    stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::ChecksNeverPass));
    let ran = apply(&mut stage, &target, replace(&old)).await;
    assert_eq!(ran.outcomes(), ["failed", "skipped"]);
    let ids: Vec<_> = (0..3).map(|at| stage.id(at)).collect();
    assert!(ids.contains(&old), "{ids:?}");
    assert_eq!(stage.sim.world().count("destroy"), 0);
}
