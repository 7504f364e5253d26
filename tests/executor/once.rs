//! The commands that run once: exactly one start, whatever happens to the calls or to the run, and nothing left.

use std::time::Duration;

use aeroform::core::fleet::{Capabilities, Desired, DesiredGroup, OnceCommand, OnceKind};
use aeroform::core::plan::{Outcome, RunOutcome};
use aeroform::emulator::world::{ExitsAfter, Fault, FaultEffect, ListFilter};
use aeroform::provider::Provider as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::{ExecutorFixture, image, web, worker};
use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::process::{DurableState, Process, ProcessEnd};
use crate::sim::SimProvider;
use crate::support::desired;

const RELEASE: &str = "fly_app_release_command";
const VERIFY: &str = "fly_app_test_machine_command";
/// Longer than a command or a destroy takes.
const SETTLED: Duration = Duration::from_secs(60);

fn command(kind: OnceKind, timeout_s: Option<u64>) -> Box<OnceCommand> {
    let group = kind.group();
    let template = json!({
        "init": {"cmd": ["bin/command"]},
        "env": {"FLY_PROCESS_GROUP": group.as_str(), kind.variable(): "1"},
        "restart": {"policy": "no"}, "auto_destroy": true,
        "dns": {"skip_registration": true},
    });
    Box::new(OnceCommand {
        argv: vec!["bin/command".to_owned()],
        timeout_s,
        guest: None,
        location: "fly.toml:7".to_owned(),
        host_dedication_id: None,
        template: Box::new(serde_json::from_value(template).unwrap()),
    })
}

fn migrating(groups: impl IntoIterator<Item = (&'static str, DesiredGroup)>) -> Desired {
    let mut target = desired(groups);
    target.rollout.release_command = Some(command(OnceKind::ReleaseCommand, Some(300)));
    target
}

fn verified(groups: impl IntoIterator<Item = (&'static str, DesiredGroup)>) -> Desired {
    let mut target = desired(groups);
    target.rollout.verify = Some(command(OnceKind::Verify, Some(300)));
    target
}

fn second() -> Desired {
    migrating([("web", image(web(2), "shop:2"))])
}

/// The Machines that ran this group's command, destroyed ones included.
fn machines_of(sim: &SimProvider, group: &str) -> Vec<Value> {
    let filter = ListFilter {
        deleted: true,
        metadata: [("fly_process_group".to_owned(), group.to_owned())].into(),
        ..ListFilter::default()
    };
    let listed = sim.world().list_filtered("shop", &filter).result.unwrap();
    listed.as_array().unwrap().clone()
}

/// How many of them are not destroyed.
fn left(sim: &SimProvider, group: &str) -> usize {
    let machines = machines_of(sim, group);
    let alive =
        |machine: &&Value| machine["state"] != "destroyed" && machine["state"] != "destroying";
    machines.iter().filter(alive).count()
}

/// How often a command was started.
fn starts(sim: &SimProvider, group: &str) -> usize {
    let machines = machines_of(sim, group);
    let events = machines.iter().filter_map(|m| m["events"].as_array());
    let events = events.flatten();
    events.filter(|event| event["type"] == "exit").count()
}

#[tokio::test(start_paused = true)]
async fn it_runs_before_everything_else_and_leaves_nothing() {
    let mut stage = ExecutorFixture::new();
    let ran = stage.apply(&migrating([("web", web(2))])).await;
    ran.assert_complete();
    let first = stage
        .sim
        .world()
        .log()
        .iter()
        .position(|call| call.action == "start");
    let update = stage
        .sim
        .world()
        .log()
        .iter()
        .filter(|call| call.action == "create")
        .count();
    assert!(first.is_some());
    assert_eq!(update, 3);
    assert_eq!(starts(&stage.sim, RELEASE), 1);
    assert_eq!(left(&stage.sim, RELEASE), 0);
    let machine = &machines_of(&stage.sim, RELEASE)[0];
    assert_eq!(machine["config"]["auto_destroy"], true);
    assert_eq!(machine["config"]["env"]["RELEASE_COMMAND"], "1");
    assert_eq!(machine["config"]["guest"]["cpus"], 2);
    assert!(
        stage
            .known
            .machines
            .values()
            .all(|known| known.group.as_str() == "web")
    );
    // The same content is not run again, and a change of counts needs none.
    stage
        .apply_until_settled(&migrating([("web", web(3))]))
        .await;
    assert_eq!(starts(&stage.sim, RELEASE), 1);
}

/// Holds rule 28.
#[tokio::test(start_paused = true)]
async fn a_command_that_fails_changes_nothing_and_runs_again() {
    for effect in [FaultEffect::ExitsAtOnce(1), FaultEffect::FailStart] {
        let mut stage = ExecutorFixture::new();
        stage.apply_until_settled(&desired([("web", web(2))])).await;
        let before = stage.known.clone();
        let fault = Fault::on("start", effect.clone()).in_group(RELEASE);
        let fault = stage.sim.world().inject(fault);
        let ran = stage.apply(&second()).await;
        assert_eq!(stage.sim.world().fired(fault), 1);
        assert_ne!(ran.outcomes()[0], "done", "{effect:?}");
        assert!(
            ran.outcomes()[1..]
                .iter()
                .all(|outcome| *outcome == "skipped")
        );
        assert_eq!(stage.known.machines, before.machines);
        sleep(SETTLED).await;
        assert_eq!(left(&stage.sim, RELEASE), 0, "{effect:?}");
        if effect == FaultEffect::ExitsAtOnce(1) {
            stage.apply_until_settled(&second()).await;
            assert_eq!(starts(&stage.sim, RELEASE), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_in_time_is_left_and_the_next_run_waits_for_it() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    stage.sim.world().inject(slow(RELEASE, 100, 0));
    let mut target = second();
    target.rollout.release_command = Some(command(OnceKind::ReleaseCommand, Some(10)));
    let ran = stage.apply(&target).await;
    assert_eq!(ran.failure().0, "once_timeout");
    assert_eq!(left(&stage.sim, RELEASE), 1);
    // The timeout is no part of what the command does.
    target.rollout.release_command = Some(command(OnceKind::ReleaseCommand, None));
    stage.apply_until_settled(&target).await;
    assert_eq!(starts(&stage.sim, RELEASE), 1);
    assert_eq!(left(&stage.sim, RELEASE), 0);
}

/// Holds rule 28.
#[tokio::test(start_paused = true)]
async fn a_read_that_fails_never_ends_the_command_of_an_earlier_run() {
    for skipped in 0..4 {
        let mut stage = ExecutorFixture::new();
        stage.apply_until_settled(&desired([("web", web(2))])).await;
        stage.sim.world().inject(slow(RELEASE, 300, 0));
        let mut target = second();
        target.rollout.release_command = Some(command(OnceKind::ReleaseCommand, Some(10)));
        stage.apply(&target).await;
        // From the n-th read of its Machine on none is answered.
        let refused = || FaultEffect::Refuse {
            status: 500,
            message: "internal".to_owned(),
        };
        for nth in 1..=100 {
            let fault = Fault::on("get", refused())
                .in_group(RELEASE)
                .nth(skipped + nth);
            stage.sim.world().inject(fault);
        }
        let ran = stage.apply(&target).await;
        assert_ne!(ran.outcomes()[0], "done", "{skipped}");
        assert_eq!(left(&stage.sim, RELEASE), 1, "{skipped}");
        sleep(Duration::from_secs(600)).await;
        assert_eq!(starts(&stage.sim, RELEASE), 1, "{skipped}");
    }
}

/// A command that runs for so long.
fn slow(group: &str, seconds: u64, code: i32) -> Fault {
    let after = Duration::from_secs(seconds);
    let exits = ExitsAfter {
        after,
        code,
        signal: None,
        oom_killed: false,
        restarts: Some(0),
    };
    Fault::on("start", FaultEffect::ExitsAfter(exits)).in_group(group)
}

#[tokio::test(start_paused = true)]
async fn a_colleagues_command_is_waited_for_and_leftovers_are_cleared() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    let config = json!({"image": "shop:1", "auto_destroy": true, "restart": {"policy": "no"},
        "metadata": {"fly_process_group": RELEASE}});
    let body = json!({"name": "theirs", "region": "ams", "config": config});
    stage.sim.world().timings.once = Duration::from_secs(30);
    let created = stage.sim.world().create("shop", &body).result.unwrap();
    let running = created["id"].as_str().unwrap().to_owned();
    // A leftover that was created and never started.
    let body = json!({"name": "left", "region": "ams", "config": config, "skip_launch": true});
    stage.sim.world().create("shop", &body).result.unwrap();
    sleep(Duration::from_secs(5)).await;
    let ran = stage.apply(&second()).await;
    ran.assert_complete();
    assert!(ran.waits().iter().any(|on| on.contains(&running)));
    assert_eq!(starts(&stage.sim, RELEASE), 2);
    assert_eq!(left(&stage.sim, RELEASE), 0);
}

#[tokio::test(start_paused = true)]
async fn verify_comes_before_the_destroys_and_its_failure_stops_them() {
    // After a failure the next apply verifies again before it destroys.
    for (code, removed) in [(0, true), (1, false)] {
        let mut stage = ExecutorFixture::new();
        let described = stage.sim.describe(&stage.known.app).await.unwrap();
        stage.sim = stage.sim.clone().with_capabilities(Capabilities {
            releases: true,
            ..described.capabilities
        });
        stage
            .apply_until_settled(&desired([("web", web(2)), ("worker", worker(1))]))
            .await;
        if code != 0 {
            stage.sim.world().inject(slow(VERIFY, 1, code));
        }
        let target = verified([("web", image(web(2), "shop:2"))]);
        let ran = stage.apply(&target).await;
        sleep(SETTLED).await;
        assert_eq!(left(&stage.sim, VERIFY), 0);
        assert_eq!(starts(&stage.sim, VERIFY), 1);
        let workers = stage.known.machines.values();
        let workers = workers.filter(|known| known.group.as_str() == "worker");
        assert_eq!(workers.count() == 0, removed, "code {code}");
        if code != 0 {
            assert_eq!(ran.failure().0, "verify_failed");
            stage.apply_until_settled(&target).await;
            assert_eq!(starts(&stage.sim, VERIFY), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_verify_that_does_not_end_is_destroyed() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    stage.sim.world().inject(slow(VERIFY, 10_000, 0));
    let ran = stage
        .apply(&verified([("web", image(web(1), "shop:2"))]))
        .await;
    assert_eq!(ran.failure().0, "once_timeout");
    sleep(SETTLED).await;
    assert_eq!(left(&stage.sim, VERIFY), 0);
}

/// Holds rules 28 and 40.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_starts_it_twice() {
    for action in ["create", "start", "wait", "get", "destroy"] {
        for effect in [
            FaultEffect::LoseBefore { status: 504 },
            FaultEffect::LoseAfter { status: 504 },
            FaultEffect::BreakAfter,
        ] {
            for nth in 1..=3 {
                let mut stage = ExecutorFixture::new();
                stage.apply_until_settled(&desired([("web", web(1))])).await;
                let target = migrating([("web", image(web(1), "shop:2"))]);
                let fault = Fault::on(action, effect.clone()).in_group(RELEASE).nth(nth);
                stage.sim.world().inject(fault);
                let ran = stage.apply(&target).await;
                if ran.outcomes()[0] != "done" {
                    stage.apply_until_settled(&target).await;
                }
                let what = format!("{action} {nth}, {effect:?}");
                assert_eq!(starts(&stage.sim, RELEASE), 1, "{what}");
                assert_eq!(left(&stage.sim, RELEASE), 0, "{what}");
            }
        }
    }
}

/// Holds rules 28 and 40.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_never_starts_it_twice() {
    // Every third moment; `AEROFORM_ONCE_KILLS=all` plays all of them.
    let step = if std::env::var_os("AEROFORM_ONCE_KILLS").is_some() {
        1
    } else {
        3
    };
    let mut cases = 0;
    // Whether the command of the killed run still runs when the next run begins, or has ended.
    for (keeps_journal, pause) in [
        (true, Duration::ZERO),
        (true, SETTLED),
        (false, Duration::ZERO),
        (false, SETTLED),
    ] {
        for at in (1..).step_by(step) {
            let before = killed_run(ProcessEnd::Before(at), keeps_journal, pause).await;
            let after = killed_run(ProcessEnd::After(at), keeps_journal, pause).await;
            cases += 2;
            if before && after {
                break;
            }
        }
    }
    assert!(cases > 60, "{cases}");
}

/// Kills a run there and repeats it: the command has run once, and nothing is left. Returns whether the run came to
/// its own end before.
async fn killed_run(end: ProcessEnd, keeps_journal: bool, pause: Duration) -> bool {
    let target = second();
    let durable = DurableState {
        sim: SimProvider::new("seed"),
        store: MemoryStore::default(),
        journal: MemoryJournal::default(),
    };
    durable.sim.world().add_app("shop");
    let first = Process::new(&durable, ProcessEnd::Normal);
    let first = first.apply(&desired([("web", web(2))]), "first").await;
    assert!(first.is_some());
    let ended = Process::new(&durable, end).apply(&target, "second").await;
    if !keeps_journal {
        durable.journal.delete();
    }
    sleep(pause).await;
    let next = Process::new(&durable, ProcessEnd::Normal);
    let (preview, result) = next.apply(&target, "third").await.unwrap();
    let what = format!("{end:?}, journal {keeps_journal}, {pause:?}");
    let run_end = result.run_end(&preview, "apply");
    assert_eq!(run_end, RunOutcome::Complete, "{what}");
    assert_eq!(starts(&durable.sim, RELEASE), 1, "{what}");
    assert_eq!(left(&durable.sim, RELEASE), 0, "{what}");
    ended.is_some()
}

/// The codes of a command that fails.
pub(crate) async fn all_failures() -> Vec<String> {
    let failing = async |fault: Fault, target: Desired| {
        let mut stage = ExecutorFixture::new();
        stage.apply_until_settled(&desired([("web", web(1))])).await;
        stage.sim.world().inject(fault);
        stage.apply(&target).await.failure().0
    };
    let mut hurried = second();
    hurried.rollout.release_command = Some(command(OnceKind::ReleaseCommand, Some(5)));
    let mut codes = vec![
        failing(slow(RELEASE, 1, 1), second()).await,
        failing(slow(RELEASE, 100, 0), hurried.clone()).await,
        failing(
            slow(VERIFY, 1, 3),
            verified([("web", image(web(1), "shop:2"))]),
        )
        .await,
    ];
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let config = json!({"image": "shop:1", "metadata": {"fly_process_group": RELEASE}});
    let added = stage
        .sim
        .world()
        .operator("shop")
        .add("theirs", "ams", config);
    added.unwrap();
    let busy = stage.apply(&hurried).await;
    assert!(matches!(
        busy.report.results[0].outcome,
        Outcome::Failed { .. }
    ));
    codes.push(busy.failure().0);
    codes
}
