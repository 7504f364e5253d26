//! Retrying a failed deploy: no retry takes down a Machine more than the first try did, and none makes it green.

use aeroform::core::plan::{Action, Outcome};
use aeroform::emulator::world::{Fault, FaultEffect};

use crate::fixture::{ExecutorFixture, checked, image, web, worker};
use crate::support::desired;

/// How many Machines do not run.
fn down(stage: &ExecutorFixture) -> usize {
    let states = stage.states();
    states.iter().filter(|state| *state != "started").count()
}

fn crashes(stage: &ExecutorFixture, action: &'static str) {
    let fault = Fault::on(action, FaultEffect::ExitsAtOnce(1)).times(100);
    stage.sim.world().inject(fault.in_group("worker"));
}

#[tokio::test(start_paused = true)]
async fn no_retry_takes_down_one_machine_more_or_ends_well_while_it_crashes() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web(2)), ("worker", worker(3))]))
        .await;
    crashes(&stage, "update");
    crashes(&stage, "start");
    let next = desired([
        ("web", image(web(2), "shop:2")),
        ("worker", image(worker(3), "shop:2")),
    ]);
    let first = stage.apply(&next).await;
    assert!(
        first.outcomes().contains(&"failed"),
        "{:?}",
        first.outcomes()
    );
    assert_eq!(down(&stage), 1);
    let of_web = |stage: &ExecutorFixture| {
        let machines = stage.machines();
        let new = machines.iter().filter(|m| m["config"]["image"] == "shop:2");
        new.count()
    };
    let begun = of_web(&stage);
    for _ in 0..3 {
        let (plan, _) = stage.plan(&next).await;
        assert_eq!(plan.summary().start, 1, "{:#?}", plan.summary_lines());
        let ran = stage.apply(&next).await;
        assert!(ran.outcomes().contains(&"failed"), "{:?}", ran.outcomes());
        assert_eq!(down(&stage), 1);
        assert_eq!(of_web(&stage), begun, "the release goes on nowhere");
    }
    // The fixing deploy starts it, and the rest follows.
    stage.sim.world().clear_faults();
    stage
        .apply_until_settled(&desired([
            ("web", image(web(2), "shop:3")),
            ("worker", image(worker(3), "shop:3")),
        ]))
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_up_when_it_is_started_again_lets_the_run_go_on() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("worker", worker(3))]))
        .await;
    let fault = Fault::on("update", FaultEffect::ExitsAtOnce(1));
    stage.sim.world().inject(fault.in_group("worker"));
    let next = desired([("worker", image(worker(3), "shop:2"))]);
    let first = stage.apply(&next).await;
    assert_eq!(first.outcomes(), ["failed", "not started", "not started"]);
    let again = stage.apply_until_settled(&next).await;
    let deeds: Vec<bool> = again
        .plan
        .changes()
        .map(|(_, change)| change.action == Action::Start)
        .collect();
    assert_eq!(deeds, [true, false, false]);
    assert_eq!(stage.sim.world().count("start"), 1);
    assert_eq!(down(&stage), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_on_request_stays_stopped() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(2)))]))
        .await;
    let fault = Fault::on("update", FaultEffect::ChecksNeverPass);
    stage.sim.world().inject(fault.in_group("web"));
    let next = desired([("web", image(checked(web(2)), "shop:2"))]);
    let first = stage.apply(&next).await;
    assert_eq!(first.outcomes(), ["failed", "not started"]);
    let failed = stage
        .known
        .machines
        .iter()
        .find(|(_, machine)| machine.unproven)
        .map(|(id, _)| id.to_string())
        .unwrap();
    // While it fails its checks, it is waited for.
    let (plan, _) = stage.plan(&next).await;
    assert_eq!(plan.summary().wait, 1, "{:#?}", plan.summary_lines());
    stage.sim.world().operator("shop").stop(&failed);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let ran = stage.apply_until_settled(&next).await;
    assert_eq!((ran.plan.summary().wait, ran.plan.summary().start), (0, 0));
    assert_eq!(down(&stage), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_settled_by_looking() {
    for effect in [
        FaultEffect::LoseAfter { status: 502 },
        FaultEffect::LoseBefore { status: 502 },
    ] {
        let mut stage = ExecutorFixture::new();
        stage
            .apply_until_settled(&desired([("worker", worker(2))]))
            .await;
        let fault = Fault::on("update", FaultEffect::ExitsAtOnce(1));
        stage.sim.world().inject(fault.in_group("worker"));
        let next = desired([("worker", image(worker(2), "shop:2"))]);
        stage.apply(&next).await;
        let lost = stage.sim.world().inject(Fault::on("start", effect));
        stage.apply_until_settled(&next).await;
        assert_eq!(stage.sim.world().fired(lost), 1);
        assert_eq!(down(&stage), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_changed_outside_in_between_is_a_conflict() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("worker", worker(2))]))
        .await;
    let fault = Fault::on("update", FaultEffect::ExitsAtOnce(1));
    stage.sim.world().inject(fault.in_group("worker"));
    let next = desired([("worker", image(worker(2), "shop:2"))]);
    stage.apply(&next).await;
    let (planned, observed) = stage.plan(&next).await;
    let (_, first) = planned.changes().next().unwrap();
    assert_eq!(first.action, Action::Start);
    let id = first.machine.id.clone().unwrap();
    stage
        .sim
        .world()
        .operator("shop")
        .update(id.as_str(), |config| config["image"] = "hand:1".into());
    let ran = stage.carry_out(&next, planned, &observed).await;
    assert_eq!(ran.failure().0, "conflict");
    assert_eq!(stage.sim.world().count("start"), 0);
    let skipped = ran.report.results.iter();
    let skipped = skipped.filter(|r| matches!(r.outcome, Outcome::Skipped { .. }));
    assert!(skipped.count() > 0);
}
