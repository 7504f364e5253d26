//! What must hold before a call, how fast calls are made, and what must be true after them.

use std::time::Duration;

use aeroform::apply::CancelHandle;
use aeroform::core::fleet::{Capabilities, Desired, Observed, Strategy};
use aeroform::core::plan::{Options, Plan, Requested, plan};
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, image, web, worker};
use crate::support::{GroupBuilder, desired};

/// Holds rules 24 and 39.
#[tokio::test(start_paused = true)]
async fn a_machine_that_was_changed_since_the_plan_is_a_conflict_and_is_not_overwritten() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let target = desired([("web", image(web(1), "shop:2"))]);
    let (planned, observed) = stage.plan(&target).await;
    let id = stage.id(0);
    stage
        .sim
        .world()
        .operator("shop")
        .update(&id, |config| config["image"] = "hand:1".into());
    let ran = stage.carry_out(&target, planned, &observed).await;
    assert_eq!(ran.failure().0, "conflict");
    assert_eq!(stage.sim.world().count("update"), 0);
    assert_eq!(stage.machines()[0]["config"]["image"], "hand:1");
    stage.apply_until_settled(&target).await;
}

/// Holds rule 24.
#[tokio::test(start_paused = true)]
async fn a_new_instance_of_an_equal_config_is_no_conflict() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let target = desired([("web", image(web(1), "shop:2"))]);
    let (planned, observed) = stage.plan(&target).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").update(&id, |_| {});
    stage
        .carry_out(&target, planned, &observed)
        .await
        .assert_complete();
}

/// Holds rule 43.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_rate_limit_is_visible_and_the_limit_is_kept() {
    let mut stage = ExecutorFixture::new();
    let limited = FaultEffect::RateLimited {
        retry_after: Duration::from_secs(5),
    };
    let fault = stage
        .sim
        .world()
        .inject(Fault::on("create", limited).nth(2).times(2));
    let ran = stage.apply_until_settled(&desired([("web", web(4))])).await;
    assert_eq!(stage.sim.world().fired(fault), 2);
    assert!(ran.waits().contains(&"the rate limit"), "{:?}", ran.waits());
    let world = stage.sim.world();
    let creates: Vec<Duration> = world
        .log()
        .iter()
        .filter(|call| call.action == "create")
        .map(|call| call.at)
        .collect();
    assert!(
        creates[5] >= creates[1] + Duration::from_secs(5),
        "{creates:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn declared_limits_are_observed_before_any_refusal() {
    let mut stage = ExecutorFixture::new();
    stage.sim = stage.sim.clone().with_capabilities(Capabilities {
        calls_per_second: 1,
        burst: 3,
        poll_ms: 1000,
        ..Capabilities::default()
    });
    stage
        .apply_until_settled(&desired([("web", web(10))]))
        .await;
    let world = stage.sim.world();
    let creates: Vec<Duration> = world
        .log()
        .iter()
        .filter(|call| call.action == "create")
        .map(|call| call.at)
        .collect();
    for four in creates.windows(4) {
        assert!(
            four[3] >= four[0] + Duration::from_millis(990),
            "{creates:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_never_opens_fails_and_keeps_the_machine() {
    let mut stage = ExecutorFixture::new();
    stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::ChecksNeverPass));
    let ran = stage.apply(&desired([("web", checked(web(1)))])).await;
    let (code, message) = ran.failure();
    assert_eq!(code, "gate_timeout");
    assert!(
        message.contains("alive is critical: connection refused"),
        "{message}"
    );
    assert!(ran.waits().contains(&"check alive"), "{:?}", ran.waits());
    assert!(stage.known.machines.contains_key(stage.id(0).as_str()));
}

/// Holds rule 29.
#[tokio::test(start_paused = true)]
async fn results_of_checks_from_before_an_update_do_not_open_its_gate() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(1)))]))
        .await;
    stage
        .sim
        .world()
        .inject(Fault::on("update", FaultEffect::ChecksNeverPass));
    stage.sim.world().timings.first_check = Duration::from_secs(60);
    let ran = stage
        .apply(&desired([("web", checked(image(web(1), "shop:2")))]))
        .await;
    assert_eq!(ran.failure().0, "gate_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_fails_to_start_fails_its_step_at_once() {
    let mut stage = ExecutorFixture::new();
    stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::FailStart));
    let begun = Instant::now();
    let ran = stage.apply(&desired([("web", web(1))])).await;
    assert_eq!(ran.failure().0, "machine_failed");
    assert!(begun.elapsed() < Duration::from_secs(30));
    // The next run repairs it and makes no second one.
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    stage.assert_one_machine_per_name(1);
}

/// A create that never completes; its Machine is destroyed outside after ten seconds.
async fn destroyed_while_awaited(effect: FaultEffect) {
    let mut stage = ExecutorFixture::new();
    let slow = stage.sim.world().inject(Fault::on("create", effect));
    let sim = stage.sim.clone();
    let somebody = async {
        sleep(Duration::from_secs(10)).await;
        let mut world = sim.world();
        let id = world.operator("shop").machines()[0]["id"].clone();
        world.operator("shop").destroy(id.as_str().unwrap());
    };
    let begun = Instant::now();
    let target = desired([("web", checked(web(1)))]);
    let (ran, ()) = tokio::join!(stage.apply(&target), somebody);
    assert_eq!(stage.sim.world().fired(slow), 1);
    let (code, message) = ran.failure();
    assert_eq!(code, "machine_failed", "{message}");
    assert!(message.contains("destroyed by another client"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{begun:?}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_destroyed_outside_during_its_wait_fails_its_step_at_once() {
    destroyed_while_awaited(FaultEffect::SlowStart(Duration::from_secs(200))).await;
    destroyed_while_awaited(FaultEffect::ChecksNeverPass).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_is_waited_for() {
    let mut stage = ExecutorFixture::new();
    let slow = FaultEffect::SlowStart(Duration::from_secs(200));
    stage.sim.world().inject(Fault::on("create", slow));
    stage
        .apply_until_settled(&desired([("web", checked(web(1)))]))
        .await;
}

/// Holds rule 31.
#[tokio::test(start_paused = true)]
async fn a_platform_that_lies_is_found_out_by_verification() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let fault = stage
        .sim
        .world()
        .inject(Fault::on("update", FaultEffect::FalseSuccess));
    let unchecked = image(web(1), "shop:2").with(|group| group.strategy = Strategy::Immediate);
    let ran = stage.apply(&desired([("web", unchecked)])).await;
    assert_eq!(stage.sim.world().fired(fault), 1);
    assert_eq!(ran.outcomes(), ["done"]);
    assert_eq!(ran.report.findings.len(), 1, "{:?}", ran.report);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_a_killed_run_left_starting_is_waited_for_before_it_is_taken() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings.boot = Duration::from_secs(20);
    let target = desired([("web", web(1))]);
    let (plan, observed) = stage.plan(&target).await;
    let killed = stage.carry_out(&target, plan, &observed);
    let died = tokio::time::timeout(Duration::from_secs(5), killed).await;
    assert!(died.is_err(), "it was to die between the call and its gate");
    assert_eq!(stage.states(), ["starting"]);
    let ran = stage.apply(&target).await;
    ran.assert_complete();
    assert_eq!(stage.states(), ["started"]);
    assert_eq!(stage.sim.world().count("create"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_never_restarted_passes_its_gate_only_with_exit_code_0() {
    for (code, outcome) in [(0, "done"), (3, "failed"), (137, "failed")] {
        let mut stage = ExecutorFixture::new();
        let fault = Fault::on("create", FaultEffect::ExitsAtOnce(code));
        let fault = stage.sim.world().inject(fault);
        let job = worker(1).config(json!({"restart": {"policy": "no"}}));
        let ran = stage.apply(&desired([("job", job)])).await;
        assert_eq!(stage.sim.world().fired(fault), 1);
        assert_eq!(ran.outcomes(), [outcome], "exit code {code}");
        assert_eq!(stage.states(), ["stopped"]);
        if outcome == "failed" {
            let (name, message) = ran.failure();
            assert_eq!(name, "machine_failed");
            assert!(message.contains(&format!("exit code {code}")), "{message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_run_again_leaves_the_others_up_until_the_first_one_passes() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", checked(web(3)))]))
        .await;
    let target = desired([("web", checked(image(web(3), "shop:2")))]);
    let unhealthy = Fault::on("update", FaultEffect::ChecksNeverPass);
    stage.sim.world().inject(unhealthy);
    stage.apply(&target).await;
    assert_eq!(stage.sim.world().count("update"), 1);
    // Again, and again with all that was remembered lost.
    stage.apply(&target).await;
    assert_eq!(stage.sim.world().count("update"), 1);
    stage.journal.delete();
    stage.apply(&target).await;
    assert_eq!(stage.sim.world().count("update"), 1);
}

/// The first so many are stopped, and at rest.
async fn stop_all(stage: &ExecutorFixture, count: usize) {
    for at in 0..count {
        let id = stage.id(at);
        stage.sim.world().operator("shop").stop(&id);
    }
    sleep(Duration::from_secs(5)).await;
}

/// A plan with `--wake`.
async fn waking_plan(stage: &ExecutorFixture, desired: &Desired) -> (Plan, Observed) {
    let observed = stage.observed().await;
    let options = Options {
        requested: Requested {
            wake: true,
            ..Requested::default()
        },
        ..Options::default()
    };
    let planned = plan(desired, &stage.known, Some(&observed), &options);
    (planned, observed)
}

/// A stopped group: one is started, proves the version, and rests again; with autostop the proxy's business.
#[tokio::test(start_paused = true)]
async fn a_stopped_group_proves_a_version_by_one_that_is_woken() {
    for autostop in [false, true] {
        let services = json!({"services": [{"internal_port": 8080, "protocol": "tcp",
            "autostop": if autostop { "stop" } else { "off" }, "autostart": true}]});
        let web = || checked(web(3)).config(services.clone());
        let mut stage = ExecutorFixture::new();
        stage.apply_until_settled(&desired([("web", web())])).await;
        stop_all(&stage, 3).await;
        stage.sim.world().clear_log();
        let next = desired([("web", image(web(), "shop:2"))]);
        let (planned, observed) = waking_plan(&stage, &next).await;
        let ran = stage.carry_out(&next, planned, &observed).await;
        ran.assert_complete();
        let started = stage.states().iter().filter(|s| *s == "started").count();
        assert_eq!(started, usize::from(autostop), "autostop: {autostop}");
        assert_eq!(stage.sim.world().count("stop"), usize::from(!autostop));
        stage.assert_settled(&next).await;
    }
}

/// Five, of which one serves; the proxy starts the four others between the plan and their update.
async fn started_since_the_plan(
    during: impl Fn(&mut ExecutorFixture),
) -> (ExecutedRun, ExecutorFixture, Vec<String>, usize) {
    let mut stage = ExecutorFixture::new();
    let before = desired([("web", checked(web(5)))]);
    stage.apply_until_settled(&before).await;
    let stopped: Vec<String> = (0..4).map(|at| stage.id(at)).collect();
    for id in &stopped {
        stage.sim.world().operator("shop").stop(id);
    }
    sleep(Duration::from_secs(5)).await;
    let next = desired([("web", checked(image(web(5), "shop:2")))]);
    let (planned, observed) = stage.plan(&next).await;
    for id in &stopped {
        stage.sim.world().operator("shop").start(id);
    }
    sleep(Duration::from_secs(10)).await;
    stage.sim.world().clear_log();
    during(&mut stage);
    let sim = stage.sim.clone();
    let down = || {
        let machines = sim.world().operator("shop").machines();
        let down = |machine: &&serde_json::Value| {
            let passes = |check: &serde_json::Value| check["status"] == "passing";
            let checks = machine["checks"].as_array().unwrap();
            machine["state"] != "started" || checks.is_empty() || !checks.iter().all(passes)
        };
        machines.iter().filter(down).count()
    };
    assert_eq!(down(), 0);
    let mut most = 0;
    let ran = {
        let run = stage.carry_out(&next, planned, &observed);
        let mut run = Box::pin(run);
        loop {
            tokio::select! {
                ran = &mut run => break ran,
                () = sleep(Duration::from_millis(50)) => most = most.max(down()),
            }
        }
    };
    (ran, stage, stopped, most)
}

/// Holds rules 29 and 43.
#[tokio::test(start_paused = true)]
async fn stopped_machines_that_were_started_since_the_plan_restart_one_at_a_time() {
    let (ran, stage, stopped, most) = started_since_the_plan(|_| {}).await;
    assert_eq!(most, 1, "down at once");
    assert!(ran.outcomes().iter().all(|outcome| *outcome == "done"));
    assert_eq!(stage.sim.world().count("update"), 5);
    let gates = ran
        .waits()
        .iter()
        .filter(|on| **on == "it to start")
        .count();
    assert_eq!(gates, 5, "{:?}", ran.waits());
    let turn = "its turn: one started Machine of web restarts at a time";
    assert!(ran.waits().contains(&turn), "{:?}", ran.waits());
    let remarks: Vec<String> = stopped
        .iter()
        .map(|id| {
            format!(
                "Machine {id} was stopped when this was planned and had been started since: it was restarted on its own and waited for"
            )
        })
        .collect();
    for remark in &remarks {
        assert!(
            ran.report.remarks.contains(remark),
            "{:?}",
            ran.report.remarks
        );
    }
    assert_eq!(ran.report.remarks.len(), remarks.len());
}

#[tokio::test(start_paused = true)]
async fn no_other_started_one_goes_down_after_one_has_failed_its_gate() {
    let fails = |stage: &mut ExecutorFixture| {
        let fault = Fault::on("update", FaultEffect::ChecksNeverPass).nth(2);
        stage.sim.world().inject(fault);
    };
    let (ran, stage, _, most) = started_since_the_plan(fails).await;
    assert_eq!(ran.failure().0, "gate_timeout");
    assert_eq!(most, 1, "down at once");
    assert_eq!(stage.sim.world().count("update"), 2);
    let begun = ["done", "failed", "not started", "not started"];
    assert_eq!(ran.outcomes()[..4], begun);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait_for_a_turn() {
    let stops = |stage: &mut ExecutorFixture| {
        let (handle, cancel) = CancelHandle::new();
        stage.cancel = cancel;
        let sim = stage.sim.clone();
        sim.world()
            .inject(Fault::on("update", FaultEffect::ChecksNeverPass).nth(2));
        tokio::spawn(async move {
            sleep(Duration::from_secs(60)).await;
            handle.stop(None);
        });
    };
    let begun = Instant::now();
    let (ran, ..) = started_since_the_plan(stops).await;
    assert!(ran.report.interrupted);
    assert!(begun.elapsed() < Duration::from_secs(120));
    assert_eq!(ran.outcomes()[2..4], ["not started", "not started"]);
}

/// A stopped group without autostop that is updated with `--wake`; the one that is woken does not end its gate.
async fn woken_without_end(cancel: bool) {
    let mut stage = ExecutorFixture::new();
    let web = || checked(web(2));
    stage.apply_until_settled(&desired([("web", web())])).await;
    stop_all(&stage, 2).await;
    let next = desired([("web", image(web(), "shop:2"))]);
    let (planned, observed) = waking_plan(&stage, &next).await;
    let fault = Fault::on("start", FaultEffect::ChecksNeverPass);
    stage.sim.world().inject(fault);
    if cancel {
        let (handle, cancel) = CancelHandle::new();
        stage.cancel = cancel;
        tokio::spawn(async move {
            sleep(Duration::from_secs(30)).await;
            handle.stop(None);
        });
    }
    let ran = stage.carry_out(&next, planned, &observed).await;
    assert_eq!(
        ran.report.interrupted,
        cancel,
        "{:?} {:?}",
        ran.outcomes(),
        ran.waits()
    );
    let started = stage.states().iter().position(|state| state == "started");
    let id = stage.id(started.expect("it is left running"));
    let remark =
        format!("Machine {id} was stopped before this run, which started it and leaves it running");
    assert_eq!(ran.report.remarks, [remark]);
}

#[tokio::test(start_paused = true)]
async fn a_woken_machine_that_is_not_stopped_again_is_named() {
    woken_without_end(false).await;
    woken_without_end(true).await;
}
