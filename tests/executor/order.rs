//! In which order, how many at once, and what a failure does to the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use aeroform::core::fleet::OnFailure;
use aeroform::core::plan::{Action, Event, Outcome, Plan, StepEvent, StepId, Work};
use aeroform::emulator::world::{Fault, FaultEffect};

use crate::fixture::{ExecutorFixture, checked, image, web, worker};
use crate::support::{GroupBuilder, desired};

#[tokio::test(start_paused = true)]
async fn a_pool_never_has_more_under_way_than_its_size_and_its_first_runs_alone() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(9))])).await;
    let next = image(web(9), "shop:2").max_unavailable(3);
    let ran = stage.apply_until_settled(&desired([("web", next)])).await;
    let pool = ran.plan.pools.iter().find(|pool| pool.first_alone).unwrap();
    assert_eq!(
        ran.max_concurrency(&pool.name),
        (3, 1),
        "{:#?}",
        ran.plan.pools
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_steps_are_under_way_than_the_whole_run_may_have() {
    let mut stage = ExecutorFixture::new();
    stage.parallelism = 4;
    let ran = stage
        .apply_until_settled(&desired([("web", web(12))]))
        .await;
    let pool = &ran.plan.pools[0].name;
    assert_eq!(ran.max_concurrency(pool), (4, 4));
}

/// Holds rule 20.
#[tokio::test(start_paused = true)]
async fn a_step_begins_only_after_all_that_it_needs_has_ended() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web(3)), ("worker", worker(2))]))
        .await;
    let next = desired([("web", image(web(5), "shop:2")), ("cron", worker(1))]);
    let ran = stage.apply_until_settled(&next).await;
    let mut ended = BTreeSet::new();
    for event in &ran.events {
        match event {
            Event::Step {
                step,
                what: StepEvent::Began,
            } => {
                for need in needed_changes(&ran.plan, *step) {
                    assert!(ended.contains(&need), "{step:?} before {need:?}");
                }
            }
            Event::Step {
                step,
                what: StepEvent::Ended(_),
            } => {
                ended.insert(*step);
            }
            _ => {}
        }
    }
    assert_eq!(ended.len(), ran.plan.changes().count());
}

/// The changes that a step waits for, through barriers.
fn needed_changes(plan: &Plan, step: StepId) -> Vec<StepId> {
    let mut open = plan.steps[step.0 as usize].needs.clone();
    let mut found = Vec::new();
    while let Some(need) = open.pop() {
        match plan.steps[need.0 as usize].work {
            Work::Barrier { .. } => open.extend(&plan.steps[need.0 as usize].needs),
            Work::Change(_) => found.push(need),
        }
    }
    found
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn a_failed_update_stops_the_release_or_its_group_alone() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web(3)), ("worker", worker(2))]))
        .await;
    let fault = Fault::on(
        "update",
        FaultEffect::Refuse {
            status: 422,
            message: "no".to_owned(),
        },
    );
    let fault = stage.sim.world().inject(fault.in_group("web"));
    let next = desired([
        ("web", image(web(3), "shop:2")),
        ("worker", image(worker(2), "shop:2")),
    ]);
    let ran = stage.apply(&next).await;
    assert_eq!(stage.sim.world().fired(fault), 1);
    // What had begun in the other group comes to its end.
    assert_eq!(
        ran.outcomes(),
        [
            "failed",
            "not started",
            "not started",
            "done",
            "not started"
        ]
    );
    assert_eq!(ran.report.findings, [""; 0]);
    // Running it again does the remainder.
    stage.apply_until_settled(&next).await;

    let mut last = desired([
        ("web", image(web(3), "shop:3")),
        ("worker", image(worker(2), "shop:3")),
    ]);
    last.rollout.on_failure = OnFailure::Group;
    let fault = Fault::on(
        "update",
        FaultEffect::Refuse {
            status: 422,
            message: "no".to_owned(),
        },
    );
    let fault = stage.sim.world().inject(fault.in_group("web"));
    let ran = stage.apply(&last).await;
    assert_eq!(stage.sim.world().fired(fault), 1);
    assert_eq!(
        ran.outcomes(),
        ["failed", "not started", "not started", "done", "done"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_failure_is_skipped_and_names_it() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web(2)), ("old", worker(1))]))
        .await;
    let fault = Fault::on(
        "create",
        FaultEffect::Refuse {
            status: 422,
            message: "no".to_owned(),
        },
    );
    stage.sim.world().inject(fault);
    let next = desired([("web", web(3))]);
    let ran = stage.apply(&next).await;
    let failed = ran
        .plan
        .changes()
        .find(|(_, change)| matches!(change.action, Action::Create { .. }));
    let failed = failed.unwrap().0;
    for (step, change) in ran.plan.changes() {
        if needed_changes(&ran.plan, step).contains(&failed) {
            assert_eq!(
                ran.outcome(step),
                &Outcome::Skipped { because: failed },
                "{change:?}"
            );
        }
    }
    assert_eq!(ran.failure().0, "refused");
    stage.apply_until_settled(&next).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_events() {
    async fn once() -> Vec<Event> {
        let mut stage = ExecutorFixture::new();
        let limited = FaultEffect::RateLimited {
            retry_after: Duration::from_secs(2),
        };
        stage
            .sim
            .world()
            .inject(Fault::on("create", limited).times(3));
        stage
            .sim
            .world()
            .inject(Fault::on("create", FaultEffect::LoseAfter { status: 502 }).nth(7));
        stage
            .apply(&desired([("web", checked(web(12))), ("worker", worker(3))]))
            .await
            .events
    }
    assert_eq!(once().await, once().await);
}
