//! A Machine that was started has to stay up: what passes, what fails, and how soon.

use std::time::Duration;

use aeroform::core::fleet::{DesiredGroup, Strategy};
use aeroform::core::plan::{Options, Requested, plan};
use aeroform::emulator::world::{ExitsAfter, Fault, FaultEffect};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, image, web, worker};
use crate::support::{GroupBuilder, desired};

/// A process that is up for a while and ends by itself, so many times.
pub(crate) fn exits(after: u64, code: i32, restarts: Option<u32>) -> ExitsAfter {
    ExitsAfter {
        after: Duration::from_secs(after),
        code,
        signal: None,
        oom_killed: false,
        restarts,
    }
}

pub(crate) fn steady(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.steady_ms = Some(10_000))
}

/// Creates one Machine of this group whose process does this; how it ended, and after how long.
async fn created(
    group: DesiredGroup,
    effect: FaultEffect,
) -> (ExecutorFixture, ExecutedRun, Duration) {
    let mut stage = ExecutorFixture::new();
    let fault = stage.sim.world().inject(Fault::on("create", effect));
    let begun = Instant::now();
    let ran = stage.apply(&desired([("jobs", group)])).await;
    assert_eq!(stage.sim.world().fired(fault), 1);
    (stage, ran, begun.elapsed())
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn a_machine_passes_once_it_has_been_up_for_the_window_and_not_before() {
    let mut stage = ExecutorFixture::new();
    let begun = Instant::now();
    let ran = stage
        .apply_until_settled(&desired([("jobs", steady(worker(3)))]))
        .await;
    let took = begun.elapsed();
    // Machines of a wave wait side by side.
    assert!(took >= Duration::from_secs(12), "{took:?}");
    assert!(took < Duration::from_secs(16), "{took:?}");
    assert!(ran.waits().contains(&"it to stay up"), "{:?}", ran.waits());
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_no_less_than_its_plan_says() {
    let mut stage = ExecutorFixture::new();
    let jobs = || steady(worker(6)).max_unavailable(2);
    stage
        .apply_until_settled(&desired([("jobs", jobs())]))
        .await;
    let target = desired([("jobs", image(jobs(), "shop:2").count(8))]);
    let (planned, observed) = stage.plan(&target).await;
    // The new ones, one of the old ones, and five more in three turns.
    let least = Duration::from_millis(planned.at_least_ms.unwrap());
    assert_eq!(least, Duration::from_secs(50));
    let begun = Instant::now();
    stage
        .carry_out(&target, planned, &observed)
        .await
        .assert_complete();
    let took = begun.elapsed();
    assert!(took >= least && took < least * 2, "{took:?}");
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn a_second_crash_fails_the_step_at_once() {
    let crash = FaultEffect::ExitsAfter(exits(3, 1, None));
    let (stage, ran, took) = created(steady(worker(1)), crash).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "machine_keeps_ending");
    assert!(
        message.contains("it ended 2 times, last with exit code 1"),
        "{message}"
    );
    assert!(took < Duration::from_secs(15), "{took:?}");
    // The change is recorded as unconfirmed.
    assert!(stage.known.machines[stage.id(0).as_str()].unproven);
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn a_second_crash_is_told_within_three_seconds() {
    for up in [1, 3, 7] {
        for group in [steady(worker(1)), steady(checked(worker(1)))] {
            let crash = FaultEffect::ExitsAfter(exits(up, 1, None));
            let begun = Instant::now();
            let (stage, ran, took) = created(group, crash).await;
            assert_eq!(ran.failure().0, "machine_keeps_ending");
            let world = stage.sim.world();
            let (timings, since) = (&world.timings, world.log());
            let create = since.iter().find(|call| call.action == "create").unwrap();
            let lives = (timings.boot + Duration::from_secs(up)) * 2;
            let second_exit = create.at + timings.latency + timings.prepare + lives;
            let told = begun.elapsed().max(took);
            let late = told.saturating_sub(second_exit);
            assert!(late < Duration::from_secs(3), "{up} s: {late:?} after it");
        }
    }
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn one_crash_begins_the_window_again() {
    let crash = FaultEffect::ExitsAfter(exits(8, 1, Some(1)));
    let (_, ran, took) = created(steady(worker(1)), crash).await;
    ran.assert_complete();
    assert!(took > Duration::from_secs(19), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_which_it_is_not_started_again_fails_at_once_with_all_that_is_known() {
    let killed = ExitsAfter {
        signal: Some(9),
        oom_killed: true,
        ..exits(2, 137, Some(0))
    };
    for group in [steady(worker(1)), steady(checked(worker(1)))] {
        let (_, ran, took) = created(group, FaultEffect::ExitsAfter(killed)).await;
        let (code, message) = ran.failure();
        assert_eq!(code, "machine_failed");
        assert!(
            message.contains("exit code 137, signal 9, out of memory (oom_killed)"),
            "{message}"
        );
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_never_comes_up_is_not_waited_for_to_the_end() {
    let (_, ran, took) = created(steady(worker(1)), FaultEffect::ExitsAtOnce(7)).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "machine_failed");
    assert!(message.contains("exit code 7"), "{message}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn exit_code_0_passes_only_where_nothing_has_to_answer() {
    let done = FaultEffect::ExitsAfter(exits(2, 0, None));
    for policy in ["on-failure", "no", "always"] {
        let job = worker(1).config(json!({"restart": {"policy": policy}}));
        let (_, ran, took) = created(steady(job), done.clone()).await;
        assert_eq!(ran.outcomes(), ["done"], "{policy}");
        assert_eq!(ran.report.findings, [""; 0], "{policy}");
        let remarks = &ran.report.remarks;
        assert!(
            remarks[0].contains("exited with code 0 before it was up"),
            "{remarks:?}"
        );
        assert!(took < Duration::from_secs(8), "{policy}: {took:?}");
    }
    for group in [worker(1).serves(), checked(worker(1))] {
        let (_, ran, _) = created(steady(group), done.clone()).await;
        let (code, message) = ran.failure();
        assert_eq!(code, "machine_failed");
        assert!(message.contains("exit code 0, although"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_requested_stop_in_the_window_passes_with_a_remark() {
    for (suspends, group) in [(false, web(1)), (true, checked(web(1)))] {
        let mut stage = ExecutorFixture::new();
        let sim = stage.sim.clone();
        let autostop = async {
            sleep(Duration::from_secs(5)).await;
            let mut world = sim.world();
            let id = world.operator("shop").machines()[0]["id"].clone();
            let id = id.as_str().unwrap();
            if suspends {
                world.operator("shop").suspend(id);
            } else {
                world.operator("shop").stop(id);
            }
        };
        let target = desired([("web", steady(group))]);
        let begun = Instant::now();
        let (ran, ()) = tokio::join!(stage.apply(&target), autostop);
        assert_eq!(ran.outcomes(), ["done"]);
        assert_eq!(ran.report.findings, [""; 0]);
        let remarks = &ran.report.remarks;
        assert!(remarks[0].contains("on request"), "{remarks:?}");
        assert!(begun.elapsed() < Duration::from_secs(12));
    }
}

#[tokio::test(start_paused = true)]
async fn what_ended_before_the_update_says_nothing_of_it() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", steady(worker(1)))]))
        .await;
    let id = stage.id(0);
    // Two crashes of the old version, and it is up again.
    let crashes = exits(1, 1, Some(2));
    stage.sim.world().operator("shop").exit(&id, crashes);
    sleep(Duration::from_secs(30)).await;
    let target = desired([("jobs", steady(image(worker(1), "shop:2")))]);
    stage.apply_until_settled(&target).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_stops_the_rollout_after_the_first_machine() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", steady(worker(3)))]))
        .await;
    let crash = FaultEffect::ExitsAfter(exits(2, 1, None));
    stage
        .sim
        .world()
        .inject(Fault::on("update", crash).times(100));
    let ran = stage
        .apply(&desired([("jobs", steady(image(worker(3), "shop:2")))]))
        .await;
    assert_eq!(ran.failure().0, "machine_keeps_ending");
    assert_eq!(stage.sim.world().count("update"), 1);
}

#[tokio::test(start_paused = true)]
async fn immediate_groups_and_a_window_of_zero_wait_for_nothing_more() {
    let immediate = steady(worker(1)).with(|group| group.strategy = Strategy::Immediate);
    let off = worker(1).with(|group| group.steady_ms = Some(0));
    for group in [immediate, off] {
        let mut stage = ExecutorFixture::new();
        let begun = Instant::now();
        stage.apply(&desired([("jobs", group)])).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_is_the_flags_then_the_files_then_the_providers() {
    let mut stage = ExecutorFixture::new();
    let mut capabilities = stage.observed().await.description.capabilities;
    capabilities.steady_ms = 10_000;
    stage.sim = stage.sim.clone().with_capabilities(capabilities);
    let observed = stage.observed().await;
    let window = |flag: Option<u64>, file: Option<u64>, wait: u64| {
        let group = worker(1).with(|group| {
            group.steady_ms = file;
            group.wait_timeout_s = wait;
        });
        let options = Options {
            requested: Requested {
                steady_ms: flag,
                ..Requested::default()
            },
            ..Options::default()
        };
        let target = desired([("jobs", group)]);
        let planned = plan(&target, &stage.known, Some(&observed), &options);
        (planned.groups[0].steady_ms, planned.refusals.len())
    };
    assert_eq!(window(None, None, 300), (Some(10_000), 0));
    assert_eq!(window(None, Some(5_000), 300), (Some(5_000), 0));
    assert_eq!(window(Some(2_000), Some(5_000), 300), (Some(2_000), 0));
    assert_eq!(window(Some(0), Some(5_000), 300), (None, 0));
    // The provider's own leaves time for the start; one that is said has to fit.
    assert_eq!(window(None, None, 8), (Some(4_000), 0));
    assert_eq!(window(Some(9_000), None, 8).1, 1);
}

/// Holds rule 23.
#[tokio::test(start_paused = true)]
async fn an_update_starts_a_machine_that_had_crashed_and_leaves_one_that_was_stopped() {
    let up = || desired([("jobs", steady(worker(2)))]);
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&up()).await;
    let (crashed, stopped) = (stage.id(0), stage.id(1));
    stage
        .sim
        .world()
        .operator("shop")
        .exit(&crashed, exits(0, 1, Some(0)));
    stage.sim.world().operator("shop").stop(&stopped);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.states(), ["stopped", "stopped"]);
    let target = desired([("jobs", steady(image(worker(2), "shop:2")))]);
    let ran = stage.apply_until_settled(&target).await;
    assert_eq!(stage.states(), ["started", "stopped"]);
    assert!(ran.waits().contains(&"it to stay up"), "{:?}", ran.waits());
    assert_eq!(stage.sim.world().count("start"), 1);
}

/// Holds rule 23.
#[tokio::test(start_paused = true)]
async fn an_update_leaves_down_what_ended_well_has_a_schedule_or_stands_by() {
    let jobs = |image: &str| {
        let timed = worker(1).config(json!({"schedule": "daily"}));
        desired([
            ("done", steady(crate::fixture::image(worker(1), image))),
            ("timed", steady(crate::fixture::image(timed, image))),
        ])
    };
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&jobs("shop:1")).await;
    for machine in stage.machines() {
        let id = machine["id"].as_str().unwrap();
        let group = machine["config"]["metadata"]["fly_process_group"].as_str();
        let code = i32::from(group == Some("timed"));
        stage
            .sim
            .world()
            .operator("shop")
            .exit(id, exits(0, code, Some(0)));
    }
    sleep(Duration::from_secs(5)).await;
    stage.apply_until_settled(&jobs("shop:2")).await;
    assert_eq!(stage.states(), ["stopped", "stopped"]);
    assert_eq!(stage.sim.world().count("start"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fix_that_crashes_as_well_is_no_success() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", steady(worker(1)))]))
        .await;
    let id = stage.id(0);
    stage
        .sim
        .world()
        .operator("shop")
        .exit(&id, exits(0, 1, Some(0)));
    sleep(Duration::from_secs(5)).await;
    let crash = FaultEffect::ExitsAfter(exits(2, 3, Some(0)));
    stage.sim.world().inject(Fault::on("start", crash));
    let ran = stage
        .apply(&desired([("jobs", steady(image(worker(1), "shop:2")))]))
        .await;
    let (code, message) = ran.failure();
    assert_eq!(code, "machine_failed");
    assert!(message.contains("exit code 3"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_fix_starts_what_ended_with_0_although_it_serves() {
    let mut stage = ExecutorFixture::new();
    let serving = || steady(worker(2).serves());
    stage
        .apply_until_settled(&desired([("jobs", serving())]))
        .await;
    let fault = FaultEffect::ExitsAfter(exits(2, 0, Some(0)));
    stage.sim.world().inject(Fault::on("update", fault));
    let ran = stage
        .apply(&desired([("jobs", image(serving(), "shop:2"))]))
        .await;
    assert_eq!(ran.failure().0, "machine_failed");
    // The update does both: it starts the Machine that was never seen to work, and changes it.
    let fixed = desired([("jobs", image(serving(), "shop:3"))]);
    stage.apply(&fixed).await.assert_complete();
    assert_eq!(stage.states(), ["started", "started"]);
    stage.assert_settled(&fixed).await;
}

/// A run that updates a Machine of this group and whose update the platform takes back.
pub(crate) async fn run_with_reverted_update(group: DesiredGroup) -> ExecutedRun {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("jobs", group.clone())]))
        .await;
    stage
        .sim
        .world()
        .inject(Fault::on("update", FaultEffect::Reverts));
    stage
        .apply(&desired([("jobs", image(group, "shop:2"))]))
        .await
}

#[tokio::test(start_paused = true)]
async fn an_update_that_the_platform_takes_back_is_no_success() {
    for group in [steady(worker(1)), worker(1)] {
        let ran = run_with_reverted_update(group).await;
        assert_eq!(ran.failure().0, "reverted");
    }
}

/// Holds rule 23.
#[tokio::test(start_paused = true)]
async fn a_machine_that_rests_in_created_is_settled_and_goes_at_once() {
    let mut stage = ExecutorFixture::new();
    let stays = Fault::on("create", FaultEffect::StaysCreated).times(2);
    let stays = stage.sim.world().inject(stays);
    let begun = Instant::now();
    let standby = |image: &str| {
        let group = crate::fixture::image(worker(1), image);
        desired([("jobs", steady(group).with(|group| group.standby = Some(1)))])
    };
    stage.apply_until_settled(&standby("shop:1")).await;
    assert_eq!(stage.sim.world().fired(stays), 2);
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    assert!(stage.states().contains(&"created".to_owned()));
    let begun = Instant::now();
    let without = desired([(
        "jobs",
        steady(worker(1)).with(|group| group.standby = Some(0)),
    )]);
    stage.apply_until_settled(&without).await;
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_rests_in_created_is_updated_without_waiting_for_it() {
    let mut stage = ExecutorFixture::new();
    let stays = Fault::on("create", FaultEffect::StaysCreated).times(2);
    stage.sim.world().inject(stays);
    let standby = |image: &str| {
        let group = crate::fixture::image(worker(1), image);
        desired([("jobs", steady(group).with(|group| group.standby = Some(1)))])
    };
    stage.apply_until_settled(&standby("shop:1")).await;
    let begun = Instant::now();
    stage.apply_until_settled(&standby("shop:2")).await;
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
}

/// Holds rule 29: what somebody stops is accepted, and no other Machine goes down in its place.
#[tokio::test(start_paused = true)]
async fn one_that_somebody_stops_keeps_its_place() {
    let web = |image_of: &str| checked(image(web(4).max_unavailable(1), image_of));
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web("shop:1"))]))
        .await;
    let stopped = FaultEffect::StoppedAfter(Duration::from_millis(200));
    stage
        .sim
        .world()
        .inject(Fault::on("update", stopped).in_group("web"));
    let next = desired([("web", web("shop:2"))]);
    let ran = stage.apply(&next).await;
    let others = ["not started"; 3];
    assert_eq!(ran.outcomes(), [&["done"], &others[..]].concat());
    // The next apply counts what serves: it updates the others, and the stopped one stays so.
    stage.apply_until_settled(&next).await;
    let started = stage
        .states()
        .iter()
        .filter(|state| *state == "started")
        .count();
    assert_eq!(started, 3);
}
