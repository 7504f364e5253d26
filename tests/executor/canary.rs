//! Canaries: what they try, how they end, and that nothing is left of them.

use std::time::Duration;

use aeroform::apply::CancelHandle;
use aeroform::core::fleet::{Desired, DesiredGroup, Trial};
use aeroform::core::plan::{Action, Removal};
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, image, web};
use crate::stays_up::exits;
use crate::support::{GroupBuilder, desired};

const SOAK: Duration = Duration::from_secs(60);

fn tries(group: DesiredGroup) -> DesiredGroup {
    let soak_ms = u64::try_from(SOAK.as_millis()).unwrap();
    group.with(|group| group.trial = Some(Trial::Canary { soak_ms }))
}

fn app(version: &str) -> Desired {
    desired([("web", tries(checked(image(web(2), version))))])
}

/// An app of two Machines whose next version is to be tried.
async fn stage() -> ExecutorFixture {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&app("shop:1")).await;
    stage.sim.world().clear_log();
    stage
}

/// The Machines that are canaries.
fn canaries(stage: &ExecutorFixture) -> Vec<Value> {
    let mut machines = stage.machines();
    machines.retain(|machine| machine["config"]["metadata"]["fly_canary"] == "true");
    machines
}

/// The images of all Machines.
fn images(stage: &ExecutorFixture) -> Vec<String> {
    let image = |machine: &Value| machine["config"]["image"].as_str().unwrap().to_owned();
    stage.machines().iter().map(image).collect()
}

/// Calls that change something, in order.
fn calls(stage: &ExecutorFixture) -> Vec<&'static str> {
    let world = stage.sim.world();
    let calls = world.log().iter().map(|call| call.action);
    let changing = ["create", "update", "cordon", "stop", "destroy"];
    calls.filter(|call| changing.contains(call)).collect()
}

fn assert_untouched(stage: &ExecutorFixture, ran: &ExecutedRun) {
    assert_eq!(images(stage), ["shop:1", "shop:1"]);
    assert_eq!(canaries(stage), [Value::Null; 0]);
    assert!(!calls(stage).contains(&"update"));
    let others = ran.outcomes().into_iter().skip(1);
    assert!(
        others
            .clone()
            .all(|outcome| outcome == "skipped" || outcome == "not started")
    );
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_passes_is_destroyed_before_the_others_change() {
    let mut stage = stage().await;
    let begun = Instant::now();
    let (planned, observed) = stage.plan(&app("shop:2")).await;
    let least = Duration::from_millis(planned.at_least_ms.unwrap());
    let ran = stage.carry_out(&app("shop:2"), planned, &observed).await;
    ran.assert_complete();
    let took = begun.elapsed();
    assert!(took >= least && least >= SOAK, "{took:?} {least:?}");
    assert!(ran.waits().contains(&"it to work under traffic"));
    assert_eq!(
        calls(&stage),
        ["create", "cordon", "stop", "destroy", "update", "update"]
    );
    assert_eq!(images(&stage), ["shop:2", "shop:2"]);
    stage.assert_settled(&app("shop:2")).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_a_machine_of_its_group_in_the_proxy_and_not_in_the_dns() {
    let mut stage = stage().await;
    let seen = cancelled_after(&mut stage, Duration::from_secs(40), |stage| {
        canaries(stage).remove(0)
    })
    .await;
    assert_eq!(seen["state"], "started");
    assert_eq!(seen["cordoned"], false);
    let config = &seen["config"];
    assert_eq!(config["image"], "shop:2");
    assert_eq!(config["dns"]["skip_registration"], true);
    assert_eq!(config["metadata"]["fly_process_group"], "web");
    assert!(config["services"].is_array() && config["checks"].is_object());
}

/// Applies the next version, stops the run after so long, and looks.
async fn cancelled_after<T>(
    stage: &mut ExecutorFixture,
    after: Duration,
    look: impl FnOnce(&ExecutorFixture) -> T,
) -> T {
    let (handle, cancel) = CancelHandle::new();
    stage.cancel = cancel;
    let target = app("shop:2");
    let stop = async {
        sleep(after).await;
        handle.stop(Some(Duration::from_secs(4)));
    };
    let (ran, ()) = Box::pin(async { tokio::join!(stage.apply(&target), stop) }).await;
    assert_eq!(ran.outcomes()[0], "unknown");
    assert!(ran.report.interrupted);
    stage.cancel = aeroform::apply::Cancel::never();
    look(stage)
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_leaves_it_and_the_next_apply_uses_or_removes_it() {
    let mut stage = stage().await;
    let left = cancelled_after(&mut stage, Duration::from_secs(20), |stage| {
        canaries(stage).remove(0)
    })
    .await;
    let serial = stage.known.serial;
    // The same files: it is tried again, from the beginning of its gate.
    let mut again = ExecutorFixture::new();
    again.known = stage.known.clone();
    again.sim = stage.sim.fork();
    again.runs = 7;
    // A run that has changed nothing else writes no state.
    again.known.serial = serial - 1;
    again.sim.world().clear_log();
    let ran = again.apply(&app("shop:2")).await;
    ran.assert_complete();
    assert_eq!(calls(&again)[..2], ["cordon", "stop"]);
    assert_eq!(images(&again), ["shop:2", "shop:2"]);
    // Other files: it goes first, and another one is made.
    again.sim = stage.sim.fork();
    again.known = stage.known.clone();
    again.known.serial = serial - 1;
    let ran = again.apply(&app("shop:3")).await;
    ran.assert_complete();
    assert_eq!(images(&again), ["shop:3", "shop:3"]);
    // A state that was written since: it is left over.
    let (planned, observed) = stage.plan(&app("shop:1")).await;
    let (_, change) = planned.changes().next().unwrap();
    assert_eq!(change.machine.id.as_ref().unwrap().as_str(), left["id"]);
    assert!(matches!(
        change.action,
        Action::Destroy {
            removal: Removal::Canary,
            ..
        }
    ));
    let ran = stage.carry_out(&app("shop:1"), planned, &observed).await;
    ran.assert_complete();
    assert_eq!(canaries(&stage), [Value::Null; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_passes_leaves_the_group_as_it_is() {
    let mut stage = stage().await;
    let fault = Fault::on("create", FaultEffect::ChecksNeverPass);
    stage.sim.world().inject(fault);
    let before = stage.known.clone();
    let ran = stage.apply(&app("shop:2")).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "gate_timeout");
    assert!(
        message.starts_with("the canary of `web` did not pass: Machine "),
        "{message}"
    );
    assert_untouched(&stage, &ran);
    assert_eq!(calls(&stage), ["create", "cordon", "stop", "destroy"]);
    assert_eq!(stage.known.machines, before.machines);
    assert!(stage.known.pending_creates.is_empty());
}

/// An apply whose canary exits under traffic.
pub(crate) async fn crashed() -> ExecutedRun {
    let mut stage = stage().await;
    let crash = FaultEffect::ExitsAfter(exits(30, 1, None));
    stage.sim.world().inject(Fault::on("create", crash));
    stage.apply(&app("shop:2")).await
}

#[tokio::test(start_paused = true)]
async fn one_crash_under_traffic_fails_it() {
    for restarts in [Some(0), Some(1), None] {
        let mut stage = stage().await;
        let crash = FaultEffect::ExitsAfter(exits(30, 1, restarts));
        stage.sim.world().inject(Fault::on("create", crash));
        let ran = stage.apply(&app("shop:2")).await;
        let (code, message) = ran.failure();
        assert_eq!(code, "canary_failed", "{message}");
        assert!(message.contains("exit code 1"), "{message}");
        assert_untouched(&stage, &ran);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_under_traffic_fails_it() {
    let mut stage = stage().await;
    let target = app("shop:2");
    let sim = stage.sim.clone();
    let fails = async {
        sleep(Duration::from_secs(30)).await;
        let mut world = sim.world();
        let newest = world.operator("shop").machines().pop().unwrap();
        assert_eq!(newest["config"]["metadata"]["fly_canary"], "true");
        let id = newest["id"].as_str().unwrap();
        world.operator("shop").break_checks(id);
    };
    let (ran, ()) = Box::pin(async { tokio::join!(stage.apply(&target), fails) }).await;
    assert_eq!(ran.failure().0, "canary_failed");
    assert_untouched(&stage, &ran);
}

#[tokio::test(start_paused = true)]
async fn a_refused_create_changes_nothing_else() {
    let mut stage = stage().await;
    let refused = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    stage.sim.world().inject(Fault::on("create", refused));
    let ran = stage.apply(&app("shop:2")).await;
    assert_eq!(ran.outcomes()[0], "failed");
    assert_untouched(&stage, &ran);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_destroyed_fails_the_step_and_goes_with_the_next_plan() {
    let mut stage = stage().await;
    let refused = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    stage
        .sim
        .world()
        .inject(Fault::on("destroy", refused).times(50));
    let ran = stage.apply(&app("shop:2")).await;
    assert_eq!(ran.outcomes()[0], "failed");
    assert_eq!(
        images(&stage)
            .iter()
            .filter(|image| *image == "shop:1")
            .count(),
        2
    );
    assert_eq!(canaries(&stage).len(), 1);
    stage.sim.world().clear_faults();
    stage.apply_until_settled(&app("shop:2")).await;
    assert_eq!(images(&stage), ["shop:2", "shop:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_one() {
    let mut stage = stage().await;
    let lost = Fault::on("create", FaultEffect::LoseAfter { status: 504 });
    stage.sim.world().inject(lost);
    stage.apply_until_settled(&app("shop:2")).await;
    let creates = calls(&stage).into_iter().filter(|call| *call == "create");
    assert_eq!(creates.count(), 1);
}
