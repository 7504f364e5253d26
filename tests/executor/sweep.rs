//! One plan with everything in it, one fault at each of its calls: run again, and it is as wanted.

use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle};
use aeroform::core::fleet::Desired;
use aeroform::emulator::world::{Effect, Fault};
use tokio::time::sleep;

use crate::stage::{Ran, Stage, checked, image, web, worker};
use crate::support::{self, GroupWords, desired};

/// Nothing may be left to do after so many runs, the disturbed one included.
const RUNS: usize = 3;

fn before() -> Desired {
    let jobs = worker(1).with(|group| group.standby = Some(1));
    desired([
        ("web", checked(web(3))),
        ("worker", worker(2)),
        ("jobs", jobs),
        ("old", web(1)),
    ])
}

/// Creates, updates, a move, a count that falls, a standby and a group that goes.
fn after() -> Desired {
    let jobs = image(worker(1), "shop:2").with(|group| group.standby = Some(1));
    let mut wanted = desired([
        ("web", checked(image(web(4), "shop:2"))),
        ("queue", worker(1)),
        ("jobs", jobs),
        ("cron", worker(1)),
    ]);
    wanted.moved = vec![support::moved("worker", "queue")];
    wanted
}

async fn prepared() -> Stage {
    let mut stage = Stage::new();
    stage.settle(&before()).await;
    stage.sim.world().clear_log();
    stage
}

/// Applies until nothing is left to do, and sees that the fleet is the wanted one.
async fn recover(stage: &mut Stage, case: &str) {
    stage.cancel = Cancel::never();
    for _ in 1..RUNS {
        let ran = stage.apply(&after()).await;
        assert_eq!(ran.report.findings, [""; 0], "{case}");
        if ran.plan.is_empty() {
            break;
        }
    }
    let (left, _) = stage.planned(&after()).await;
    assert!(left.is_empty(), "{case}: {:#?}", left.summary_lines());
    stage.assert_one_machine_per_name(8);
}

/// Whether verification found nothing but what it could not read.
fn is_honest(ran: &Ran) -> bool {
    let mut findings = ran.report.findings.iter();
    findings.all(|finding| finding.contains("could not be verified"))
}

#[tokio::test(start_paused = true)]
async fn whatever_call_goes_wrong_the_next_run_does_the_remainder() {
    let effects = [
        Effect::Refuse {
            status: 422,
            message: "no".to_owned(),
        },
        Effect::RateLimited {
            retry_after: Duration::from_secs(3),
        },
        Effect::LoseBefore { status: 500 },
        Effect::LoseAfter { status: 504 },
    ];
    let actions = [
        "create", "update", "cordon", "stop", "destroy", "get", "wait",
    ];
    let mut cases = 0;
    for action in actions {
        for effect in &effects {
            for nth in 1.. {
                let mut stage = prepared().await;
                let fault = Fault::on(action, effect.clone()).nth(nth);
                let fault = stage.sim.world().inject(fault);
                let ran = stage.apply(&after()).await;
                if stage.sim.world().fired(fault) == 0 {
                    assert!(nth > 1, "no `{action}` was ever made");
                    break;
                }
                let case = format!("{action} {nth} {effect:?}");
                assert!(is_honest(&ran), "{case}: {:?}", ran.report.findings);
                recover(&mut stage, &case).await;
                cases += 1;
            }
        }
    }
    println!("{cases} cases");
}

#[tokio::test(start_paused = true)]
async fn whenever_it_is_cancelled_the_next_run_does_the_remainder() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let mut cases = 0;
            for after_ms in (0..).step_by(290) {
                for grace in [Some(Duration::from_secs(4)), Some(Duration::ZERO)] {
                    let mut stage = prepared().await;
                    let (handle, cancel) = CancelHandle::new();
                    stage.cancel = cancel;
                    let canceller = tokio::task::spawn_local(async move {
                        sleep(Duration::from_millis(after_ms)).await;
                        handle.stop(grace);
                    });
                    let ran = stage.apply(&after()).await;
                    canceller.abort();
                    if !ran.report.interrupted {
                        println!("{cases} cases");
                        return;
                    }
                    recover(&mut stage, &format!("{after_ms} ms, {grace:?}")).await;
                    cases += 1;
                }
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_anywhere_is_done_again_by_one_that_knows_nothing_of_it() {
    let mut cases = 0;
    for dies_after_ms in (0..).step_by(290) {
        let mut stage = prepared().await;
        let known = stage.known.clone();
        let life = Duration::from_millis(dies_after_ms);
        let ended = tokio::time::timeout(life, stage.apply(&after())).await;
        if ended.is_ok() {
            break;
        }
        assert_eq!(stage.known, known, "a run that died has written no state");
        recover(&mut stage, &format!("died after {dies_after_ms} ms")).await;
        cases += 1;
    }
    println!("{cases} cases");
}
