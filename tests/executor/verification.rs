//! What verification finds after the last gate of a run: Machines that went down, were started, or lost their config.

use std::time::Duration;

use aeroform::core::fleet::Strategy;
use aeroform::emulator::world::{Fault, FaultEffect};
use tokio::time::sleep;

use crate::fixture::{ExecutedRun, ExecutorFixture, image, web, worker};
use crate::stays_up::{exits, run_with_reverted_update, steady};
use crate::support::{GroupBuilder, desired};

/// Machines are updated one after the other; the first one does this when its gate has passed.
async fn ends_after_its_gate(
    many: u32,
    code: i32,
    restarts: u32,
) -> (ExecutorFixture, aeroform::core::fleet::Desired, ExecutedRun) {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", steady(worker(many)))]))
        .await;
    let later = FaultEffect::ExitsAfter(exits(15, code, Some(restarts)));
    stage.sim.world().inject(Fault::on("update", later));
    let group = steady(image(worker(many), "shop:2")).max_unavailable(1);
    let target = desired([("jobs", group)]);
    let ran = stage.apply(&target).await;
    assert!(ran.outcomes().iter().all(|outcome| *outcome == "done"));
    (stage, target, ran)
}

/// Holds rule 31.
#[tokio::test(start_paused = true)]
async fn a_machine_that_is_down_when_it_is_verified_is_a_finding_unless_it_was_meant_to_be() {
    let (_, _, ran) = ends_after_its_gate(2, 1, 0).await;
    let found = &ran.report.findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("was up and is stopped: exit code 1"),
        "{found:?}"
    );
    let (_, _, ran) = ends_after_its_gate(2, 0, 0).await;
    assert_eq!(ran.report.findings, [""; 0]);
    let remarks = &ran.report.remarks;
    assert!(
        remarks[0].contains("exited with code 0 after its change"),
        "{remarks:?}"
    );
    let (_, _, ran) = ends_after_its_gate(2, 1, 1).await;
    assert_eq!(ran.report.findings, [""; 0]);
    let remarks = &ran.report.remarks;
    assert!(remarks[0].contains("was started again"), "{remarks:?}");
}

#[tokio::test(start_paused = true)]
async fn what_went_down_after_its_gate_is_started_again_by_the_next_run() {
    let (mut stage, target, _) = ends_after_its_gate(2, 1, 0).await;
    let (plan, _) = stage.plan(&target).await;
    assert!(
        plan.summary_lines()
            .iter()
            .any(|line| line.starts_with("start again jobs")),
        "{:#?}",
        plan.summary_lines()
    );
    stage.apply(&target).await.assert_complete();
    assert_eq!(stage.states(), ["started", "started"]);
    stage.assert_settled(&target).await;
    // What ended well is as it should be.
    let (stage, target, _) = ends_after_its_gate(2, 0, 0).await;
    stage.assert_settled(&target).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_crashes_twice_after_its_gate_is_a_finding() {
    let (mut stage, target, ran) = ends_after_its_gate(4, 7, 3).await;
    let found = &ran.report.findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("ended 3 times after its change completed, last with exit code 7"),
        "{found:?}"
    );
    let (plan, _) = stage.plan(&target).await;
    assert!(!plan.is_empty());
    stage.apply(&target).await.assert_complete();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_stopped_on_request_after_its_gate_is_a_remark() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", steady(worker(2)))]))
        .await;
    let group = steady(image(worker(2), "shop:2")).max_unavailable(1);
    let target = desired([("jobs", group)]);
    let (id, sim) = (stage.id(0), stage.sim.clone());
    let autostop = async {
        sleep(Duration::from_secs(18)).await;
        sim.world().operator("shop").stop(&id);
    };
    let (ran, ()) = tokio::join!(stage.apply(&target), autostop);
    assert_eq!(ran.outcomes(), ["done", "done"]);
    assert_eq!(ran.report.findings, [""; 0]);
    let remarks = &ran.report.remarks;
    assert!(remarks[0].contains("stopped on request"), "{remarks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_machine_that_its_update_starts_is_reported() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").stop(&id);
    stage
        .sim
        .world()
        .inject(Fault::on("update", FaultEffect::StartsStopped));
    let ran = stage
        .apply(&desired([("web", image(web(1), "shop:2"))]))
        .await;
    assert_eq!(ran.outcomes(), ["done"]);
    let remarks = &ran.report.remarks;
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(
        remarks[0].contains("was stopped before its update"),
        "{remarks:?}"
    );
}

/// Holds rule 31.
#[tokio::test(start_paused = true)]
async fn an_update_at_once_that_the_platform_takes_back_is_found_out_by_verification() {
    let immediate = worker(1).with(|group| group.strategy = Strategy::Immediate);
    let ran = run_with_reverted_update(immediate).await;
    let found = &ran.report.findings;
    assert!(
        found[0].contains("has its previous config again"),
        "{found:?}"
    );
}
