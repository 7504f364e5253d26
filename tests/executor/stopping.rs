//! Runs that are stopped: by a signal, by a lost lock, by a journal that cannot be written.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle, Halt};
use aeroform::core::plan::{Event, InFlight, Unconfirmed};
use aeroform::emulator::world::{Fault, FaultEffect, Timings};
use tokio::time::{Instant, sleep};

use crate::fixture::{ExecutorFixture, web, worker};
use crate::memory_journal::FailCommit;
use crate::support::desired;

/// Cancels with this after so long.
fn cancel_after(
    stage: &mut ExecutorFixture,
    after: Duration,
    how: impl FnOnce(&CancelHandle) + 'static,
) {
    let (handle, cancel) = CancelHandle::new();
    stage.cancel = cancel;
    tokio::task::spawn_local(async move {
        sleep(after).await;
        how(&handle);
    });
}

fn locally<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    // A world and a run make a large future.
    let work = Box::pin(work);
    async move { tokio::task::LocalSet::new().run_until(work).await }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_drops_waits_at_once_and_starts_nothing_new() {
    locally(async {
        let mut stage = ExecutorFixture::new();
        stage.parallelism = 2;
        stage.sim.world().timings.boot = Duration::from_secs(100);
        let target = desired([("web", web(5))]);
        let begun = Instant::now();
        cancel_after(&mut stage, Duration::from_secs(3), |handle| {
            handle.stop(Some(Duration::from_secs(4)));
        });
        let ran = stage.apply(&target).await;
        assert!(
            begun.elapsed() < Duration::from_millis(3200),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(
            ran.outcomes(),
            [
                "unknown",
                "unknown",
                "not started",
                "not started",
                "not started"
            ]
        );
        assert!(ran.report.interrupted);
        let stopping = InFlight {
            sent: Unconfirmed {
                create: 2,
                ..Unconfirmed::default()
            },
            unanswered: 0,
            up_to_ms: Some(4000),
        };
        assert!(ran.events.contains(&Event::Interrupted(stopping)));
        // What was made is remembered, and the next run goes on from there.
        assert_eq!(stage.known.machines.len(), 2);
        stage.cancel = Cancel::never();
        stage.apply_until_settled(&target).await;
        stage.assert_one_machine_per_name(5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_has_its_grace_and_then_counts_as_unknown() {
    for (answer_after, outcome) in [(2, "unknown"), (60, "unknown")] {
        locally(async {
            let mut stage = ExecutorFixture::new();
            let slow = FaultEffect::SlowAnswer(Duration::from_secs(answer_after));
            stage.sim.world().inject(Fault::on("create", slow));
            cancel_after(&mut stage, Duration::from_secs(1), |handle| {
                handle.stop(Some(Duration::from_secs(4)));
            });
            let begun = Instant::now();
            let target = desired([("worker", worker(1))]);
            let ran = stage.apply(&target).await;
            assert!(begun.elapsed() < Duration::from_millis(5200));
            assert_eq!(ran.outcomes()[0], outcome);
            let stopping = InFlight {
                sent: Unconfirmed {
                    create: 1,
                    ..Unconfirmed::default()
                },
                unanswered: 1,
                up_to_ms: Some(4000),
            };
            assert!(ran.events.contains(&Event::Interrupted(stopping)));
            // An answer within the grace names the Machine; one after it leaves a pending create.
            assert_eq!(stage.known.machines.len(), usize::from(answer_after == 2));
            assert_eq!(
                stage.known.pending_creates.len(),
                usize::from(answer_after == 60)
            );
            stage.cancel = Cancel::never();
            stage.apply_until_settled(&target).await;
            stage.assert_one_machine_per_name(stage.known.machines.len());
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_waits_for_nothing() {
    locally(async {
        let mut stage = ExecutorFixture::new();
        let slow = FaultEffect::SlowAnswer(Duration::from_secs(600));
        stage.sim.world().inject(Fault::on("create", slow));
        let handle = {
            let (handle, cancel) = CancelHandle::new();
            stage.cancel = cancel;
            handle
        };
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(1)).await;
            handle.stop(None);
            sleep(Duration::from_secs(30)).await;
            handle.abort();
        });
        let begun = Instant::now();
        stage.apply(&desired([("worker", worker(1))])).await;
        let took = begun.elapsed();
        assert!((31..32).contains(&took.as_secs()), "{took:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_waiting_for_a_rate_limit_leaves_a_step_that_was_not_begun() {
    locally(async {
        let mut stage = ExecutorFixture::new();
        let limited = FaultEffect::RateLimited {
            retry_after: Duration::from_secs(60),
        };
        stage.sim.world().inject(Fault::on("create", limited));
        cancel_after(&mut stage, Duration::from_secs(1), |handle| {
            handle.stop(None);
        });
        let ran = stage.apply(&desired([("worker", worker(1))])).await;
        assert_eq!(ran.outcomes(), ["not started"]);
        assert_eq!(stage.known.pending_creates, []);
    })
    .await;
}

/// Holds rule 26.
#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_on_the_way_ends_the_calls_and_not_the_waits() {
    locally(async {
        let mut stage = ExecutorFixture::new();
        stage.parallelism = 2;
        let lock = Arc::clone(&stage.lock.0);
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(1)).await;
            lock.store(false, Ordering::Relaxed);
        });
        let ran = stage.apply(&desired([("web", web(4))])).await;
        assert_eq!(
            ran.outcomes(),
            ["done", "done", "not started", "not started"]
        );
        assert_eq!(ran.report.halted, Some(Halt::LockLost));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_once_every_call_was_made_leaves_nothing_verified() {
    locally(async {
        let mut stage = ExecutorFixture::new();
        let lock = Arc::clone(&stage.lock.0);
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(1)).await;
            lock.store(false, Ordering::Relaxed);
        });
        let ran = stage.apply(&desired([("web", web(2))])).await;
        assert_eq!(ran.outcomes(), ["done", "done"]);
        assert_eq!(ran.report.halted, Some(Halt::LockLost));
        // Exit 3: the result was not verified.
        let findings = &ran.report.findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("lock was lost"), "{findings:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_the_lock_no_call_is_made() {
    let mut stage = ExecutorFixture::new();
    stage.lock.0.store(false, Ordering::Relaxed);
    let ran = stage.apply(&desired([("web", web(2))])).await;
    assert_eq!(ran.outcomes(), ["not started", "not started"]);
    assert_eq!(ran.report.halted, Some(Halt::LockLost));
    assert_eq!(stage.sim.world().count("create"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_at_first_means_that_nothing_is_called() {
    let mut stage = ExecutorFixture::new();
    stage.journal.fail_commit(1, FailCommit::CrashBefore);
    let ran = stage.apply(&desired([("web", web(2))])).await;
    assert_eq!(ran.outcomes(), ["not started", "not started"]);
    assert!(matches!(ran.report.halted, Some(Halt::Journal(_))));
    assert_eq!(stage.sim.world().count("create"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_later_means_that_nothing_new_is_started() {
    let mut stage = ExecutorFixture::new();
    stage.parallelism = 2;
    stage.journal.fail_commit(2, FailCommit::CrashBefore);
    let ran = stage.apply(&desired([("web", web(8))])).await;
    assert!(matches!(ran.report.halted, Some(Halt::Journal(_))));
    let words = ran.outcomes();
    assert!(
        words.contains(&"done") && words.contains(&"not started"),
        "{words:?}"
    );
    // What was done is in the results all the same.
    let done = words.iter().filter(|word| **word == "done").count();
    assert_eq!(stage.known.machines.len(), done);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_creates_are_a_handful_of_commits() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings = Timings::instant();
    stage.parallelism = 64;
    let (begun, wall) = (Instant::now(), std::time::Instant::now());
    let ran = stage.apply(&desired([("worker", worker(10_000))])).await;
    ran.assert_complete();
    println!("10,000 creates: {:?} of wall time", wall.elapsed());
    assert_eq!(stage.journal.runs()[0].results.len(), 10_000);
    let most = 5 + begun.elapsed().as_millis() / 50;
    assert!(
        u128::from(stage.journal.commits()) <= most,
        "{} > {most}",
        stage.journal.commits()
    );
    assert_eq!(stage.sim.world().count("create"), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_answers_at_once_keeps_no_signal_waiting() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings = Timings::instant();
    let (handle, cancel) = CancelHandle::new();
    stage.cancel = cancel;
    let target = desired([("worker", worker(1000))]);
    // The run is asked first; it has to let the other one have its turn.
    let (ran, ()) = tokio::join!(biased; stage.apply(&target), async { handle.abort() });
    assert!(ran.report.interrupted);
    let created = stage.sim.world().count("create");
    assert!((1..1000).contains(&created), "{created} were created");
}

#[tokio::test]
async fn a_provider_that_answers_at_once_keeps_no_commit_waiting() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings = Timings::instant();
    let begun = Instant::now();
    let ran = stage.apply(&desired([("worker", worker(2000))])).await;
    ran.assert_complete();
    // The run itself, the last batch and the end are three; the rest came in between.
    let commits = u128::from(stage.journal.commits());
    let most = 5 + begun.elapsed().as_millis() / 50;
    assert!((4..=most).contains(&commits), "{commits} of at most {most}");
}
