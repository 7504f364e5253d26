//! Bluegreen: new Machines take the place of all others, in one switch.

use std::time::Duration;

use aeroform::core::fleet::{Desired, DesiredGroup, SwapRole, Trial};
use aeroform::core::plan::{Action, Removal};
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::provider::Provider as _;
use serde_json::Value;

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, image, web, worker};
use crate::stays_up::exits;
use crate::support::{GroupBuilder, desired, id};

fn bluegreen(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.trial = Some(Trial::Bluegreen))
}

fn shop(version: u32) -> Desired {
    let tag = format!("shop:{version}");
    let app = image(bluegreen(checked(web(3))), &tag);
    let jobs = image(bluegreen(worker(2)), &tag);
    desired([("web", app), ("worker", jobs)])
}

async fn running(version: u32) -> ExecutorFixture {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&shop(version)).await;
    stage
}

fn ids(stage: &ExecutorFixture) -> Vec<String> {
    let mut ids: Vec<String> = stage
        .machines()
        .iter()
        .filter(|machine| machine["state"] != "destroyed")
        .map(|machine| machine["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn images(stage: &ExecutorFixture) -> Vec<String> {
    let image = |machine: &Value| machine["config"]["image"].as_str().unwrap().to_owned();
    let mut images: Vec<String> = stage.machines().iter().map(image).collect();
    images.sort();
    images.dedup();
    images
}

fn cordoned(stage: &ExecutorFixture) -> usize {
    let all = stage.machines();
    all.iter()
        .filter(|machine| machine["cordoned"] == true)
        .count()
}

fn roles(stage: &ExecutorFixture) -> (usize, usize) {
    let count = |role| {
        let machines = stage.known.machines.values();
        machines
            .filter(|machine| machine.swap == Some(role))
            .count()
    };
    (count(SwapRole::Green), count(SwapRole::Blue))
}

fn swapped(ran: &ExecutedRun) -> usize {
    let blue = |action: &Action| {
        matches!(
            action,
            Action::Destroy {
                removal: Removal::Swapped,
                ..
            }
        )
    };
    ran.plan
        .changes()
        .filter(|(_, change)| blue(&change.action))
        .count()
}

#[tokio::test(start_paused = true)]
async fn all_machines_of_both_groups_are_exchanged_in_one_switch() {
    let mut stage = running(1).await;
    let before = ids(&stage);
    let ran = stage.apply_until_settled(&shop(2)).await;
    assert_eq!(swapped(&ran), 5);
    let after = ids(&stage);
    assert_eq!(after.len(), 5);
    assert!(
        before.iter().all(|id| !after.contains(id)),
        "{before:?} {after:?}"
    );
    assert_eq!(images(&stage), ["shop:2"]);
    assert_eq!((cordoned(&stage), roles(&stage)), (0, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_green_that_does_not_pass_undoes_the_swap_and_nothing_else_has_happened() {
    let mut stage = running(1).await;
    let before = ids(&stage);
    let fault = Fault::on("create", FaultEffect::FailStart);
    stage.sim.world().inject(fault.in_group("web"));
    let ran = stage.apply(&shop(2)).await;
    assert_eq!(ids(&stage), before, "{:#?}", ran.outcomes());
    assert_eq!((cordoned(&stage), roles(&stage)), (0, (0, 0)));
    assert_eq!(images(&stage), ["shop:1"]);
    stage.apply_until_settled(&shop(2)).await;
    assert_eq!(images(&stage), ["shop:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_green_undoes_the_swap() {
    let mut stage = running(1).await;
    let before = ids(&stage);
    let refuse = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    stage
        .sim
        .world()
        .inject(Fault::on("create", refuse).in_group("worker"));
    stage.apply(&shop(2)).await;
    assert_eq!(ids(&stage), before);
    stage.apply_until_settled(&shop(2)).await;
}

/// One green of `web` cannot be added to the load balancing.
pub(crate) async fn not_added() -> (ExecutorFixture, ExecutedRun) {
    let mut stage = running(1).await;
    let refuse = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    let fault = Fault::on("uncordon", refuse).in_group("web");
    stage.sim.world().inject(fault);
    let ran = stage.apply(&shop(2)).await;
    (stage, ran)
}

#[tokio::test(start_paused = true)]
async fn where_a_green_cannot_be_added_both_sets_stay_and_the_next_run_goes_on() {
    let (mut stage, _) = not_added().await;
    assert_eq!(ids(&stage).len(), 10);
    assert_eq!((cordoned(&stage), roles(&stage)), (1, (5, 5)));
    let ran = stage.apply(&shop(2)).await;
    ran.assert_complete();
    stage.assert_settled(&shop(2)).await;
    assert_eq!(
        (ids(&stage).len(), images(&stage)),
        (5, vec!["shop:2".to_owned()])
    );
}

/// A green of `web` crashes for good, seconds after it has the traffic.
pub(crate) async fn crashed_after_the_switch() -> (ExecutorFixture, ExecutedRun) {
    let mut stage = running(1).await;
    let crash = FaultEffect::ExitsAfter(exits(4, 1, Some(0)));
    stage
        .sim
        .world()
        .inject(Fault::on("create", crash).in_group("web"));
    let ran = stage.apply(&shop(2)).await;
    (stage, ran)
}

#[tokio::test(start_paused = true)]
async fn a_green_that_crashes_under_traffic_stops_the_swap_and_both_sets_serve() {
    let (mut stage, ran) = crashed_after_the_switch().await;
    let (code, message) = ran.failure();
    assert_eq!(code, "green_failed", "{message}");
    assert!(message.contains("has crashed: exit code 1"), "{message}");
    assert_eq!(
        (ids(&stage).len(), cordoned(&stage), roles(&stage)),
        (10, 0, (5, 5))
    );
    // The next run starts it again, and goes on.
    let ran = stage.apply(&shop(2)).await;
    assert_eq!(
        (ids(&stage).len(), images(&stage)),
        (5, vec!["shop:2".to_owned()]),
        "{:?}",
        ran.outcomes()
    );
    stage.assert_settled(&shop(2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_green_that_crashes_while_others_have_not_passed_yet_undoes_the_swap() {
    let mut stage = running(1).await;
    let before = ids(&stage);
    let crash = FaultEffect::ExitsAfter(exits(20, 1, Some(0)));
    let slow = FaultEffect::SlowStart(Duration::from_secs(60));
    for (effect, group) in [(crash, "worker"), (slow, "web")] {
        let fault = Fault::on("create", effect).in_group(group);
        stage.sim.world().inject(fault);
    }
    let ran = stage.apply(&shop(2)).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "machine_failed", "{message}");
    assert!(
        message.contains("has crashed: exit code 1, before the switch"),
        "{message}"
    );
    assert_eq!(
        (ids(&stage), cordoned(&stage), roles(&stage)),
        (before, 0, (0, 0))
    );
    stage.apply_until_settled(&shop(2)).await;
    assert_eq!(images(&stage), ["shop:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_blue_that_cannot_be_destroyed_is_no_success_and_goes_with_the_next_run() {
    let mut stage = running(1).await;
    let fault = Fault::on("destroy", FaultEffect::FalseSuccess).in_group("web");
    stage.sim.world().inject(fault.times(1000));
    let ran = stage.apply(&shop(2)).await;
    assert_eq!(ran.failure().0, "destroy_timeout");
    assert!(roles(&stage).1 > 0);
    stage.sim.world().clear_faults();
    stage.apply_until_settled(&shop(2)).await;
    assert_eq!((ids(&stage).len(), roles(&stage)), (5, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn greens_of_other_files_go_first() {
    let mut stage = running(1).await;
    let known = stage.known.clone();
    // A run that dies after its creates leaves greens that nobody lists.
    let refuse = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    stage.sim.world().inject(Fault::on("uncordon", refuse));
    stage.apply(&shop(2)).await;
    for machine in stage.machines() {
        let green = machine["id"].as_str().unwrap();
        if !known.machines.contains_key(&id(green)) {
            let call = aeroform::core::fleet::Call::Cordon { id: id(green) };
            stage.sim.call(&stage.known.app, &call).await.unwrap();
        }
    }
    stage.known = known;
    stage.apply_until_settled(&shop(3)).await;
    assert_eq!(
        (ids(&stage).len(), images(&stage)),
        (5, vec!["shop:3".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_cordon_is_found_out_at_the_first_green() {
    let mut stage = running(1).await;
    let before = ids(&stage);
    let refuse = FaultEffect::Refuse {
        status: 403,
        message: "forbidden".to_owned(),
    };
    let fault = Fault::on("cordon", refuse).times(1000);
    stage.sim.world().inject(fault);
    let ran = stage.apply(&shop(2)).await;
    assert_eq!(ran.failure().0, "no_access");
    assert_eq!((ids(&stage), cordoned(&stage)), (before, 0));
}
