//! The contract of journals: functions that panic if a journal violates it.
//!
//! A journal's test passes a fresh [`JournalFixture`] to each of them.

use aeroform::core::fleet::{ConfigDigest, Lineage, MachineId, Region, RunId, VolumeId};
use aeroform::core::plan::{Outcome, StepId};
use aeroform::journal::{
    Journal, JournalError, MAX_KEPT_RUNS, OpenRun, PendingCall, PendingCallRow, ResultRow, RunRow,
    RunStatus,
};

/// A fresh journal.
pub(crate) trait JournalFixture {
    /// Opens the journal like another process.
    fn open(&self) -> Box<dyn Journal>;
}

fn lineage(text: &str) -> Lineage {
    Lineage::new(text).expect("a short word is a lineage")
}

fn run_row(run: &str, of: &str) -> RunRow {
    RunRow {
        run: RunId::new(run).expect("a short word is a run id"),
        lineage: lineage(of),
        // The maximum, so that no journal may store it in a smaller type.
        serial: u64::MAX,
        at: "2024-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        plan: "{\"steps\": [\"é\"]}".to_owned(),
    }
}

fn result_row(step: u32, outcome: Outcome) -> ResultRow {
    ResultRow {
        step: StepId(step),
        outcome,
        machine: None,
        config: None,
    }
}

fn open_runs(bench: &dyn JournalFixture, of: &str) -> Vec<OpenRun> {
    bench.open().open_runs(&lineage(of)).expect("it reads")
}

fn names(runs: &[OpenRun]) -> Vec<&str> {
    runs.iter().map(|run| run.row.run.as_str()).collect()
}

/// A fresh journal has no runs.
pub(crate) fn a_fresh_journal_has_no_runs(bench: &dyn JournalFixture) {
    assert_eq!(open_runs(bench, "l"), []);
}

/// Releases of closed runs remain known, for their lineage only.
pub(crate) fn a_closed_run_s_release_is_still_known(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    for (run, of) in [("r1", "l"), ("r2", "l"), ("r3", "other")] {
        let row = run_row(run, of);
        bench.open().begin_run(&row)?;
        let started = PendingCallRow {
            step: StepId(0),
            call: PendingCall::Release {
                id: format!("release-{run}"),
            },
        };
        bench.open().begin_call(&row.run, &started)?;
    }
    let closed = run_row("r1", "l").run;
    bench.open().mark_run(&closed, RunStatus::Closed)?;
    let known = bench.open().releases(&lineage("l"))?;
    let expected = [
        ("release-r1".to_owned(), closed),
        ("release-r2".to_owned(), run_row("r2", "l").run),
    ];
    assert_eq!(known, expected.into());
    Ok(())
}

/// The next process sees every field of a run that began.
pub(crate) fn a_run_that_began_is_open_in_the_next_process(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    bench.open().begin_run(&run_row("r1", "l"))?;
    let expected = OpenRun {
        row: run_row("r1", "l"),
        status: RunStatus::Running,
        started: Vec::new(),
        results: Vec::new(),
    };
    assert_eq!(open_runs(bench, "l"), [expected]);
    Ok(())
}

/// Results keep their order of recording, including a second result of a step.
pub(crate) fn results_come_back_in_the_order_of_recording(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    let journal = bench.open();
    let run = run_row("r1", "l");
    journal.begin_run(&run)?;
    let unknown = Outcome::Unknown {
        message: "no answer".to_owned(),
    };
    let failed = Outcome::Failed {
        code: "conflict".to_owned(),
        message: "another run came first".to_owned(),
        hint: Some("try again".to_owned()),
    };
    let because = StepId(7);
    let result = ResultRow {
        machine: MachineId::new("m1").ok(),
        config: ConfigDigest::parse(&"a".repeat(32)),
        ..result_row(7, Outcome::Done)
    };
    let first = [result_row(7, unknown), result_row(2, failed)];
    let second = [
        result_row(3, Outcome::Skipped { because }),
        result,
        result_row(4, Outcome::NotStarted),
    ];
    journal.record_results(&run.run, &first)?;
    journal.record_results(&run.run, &[])?;
    journal.record_results(&run.run, &second)?;
    let expected: Vec<_> = first.into_iter().chain(second).collect();
    assert_eq!(open_runs(bench, "l")[0].results, expected);
    Ok(())
}

/// The next process sees pending calls in the order in which they began.
pub(crate) fn a_call_that_was_begun_is_seen_by_the_next_process(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    let run = run_row("r1", "l");
    bench.open().begin_run(&run)?;
    let started = |step: u32, seen: &[&str]| PendingCallRow {
        step: StepId(step),
        call: PendingCall::CreateVolume {
            name: "data".to_owned(),
            region: Region::new("ams").expect("a short word is a region"),
            seen: seen
                .iter()
                .map(|id| VolumeId::new(*id).expect("a short word is a volume id"))
                .collect(),
        },
    };
    let rows = [started(4, &[]), started(2, &["vol_1", "vol_2"])];
    for row in &rows {
        bench.open().begin_call(&run.run, row)?;
    }
    assert_eq!(open_runs(bench, "l")[0].started, rows);
    let other = RunId::new("r2").expect("a short word is a run id");
    assert!(bench.open().begin_call(&other, &rows[0]).is_err());
    Ok(())
}

/// A run stays open until it is closed.
pub(crate) fn only_closing_a_run_takes_it_out_of_sight(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    let journal = bench.open();
    let run = run_row("r1", "l");
    journal.begin_run(&run)?;
    journal.mark_run(&run.run, RunStatus::Unpublished)?;
    assert_eq!(open_runs(bench, "l")[0].status, RunStatus::Unpublished);
    journal.mark_run(&run.run, RunStatus::Closed)?;
    assert_eq!(open_runs(bench, "l"), []);
    Ok(())
}

/// A journal serves many apps; each lineage sees its own runs, oldest first.
pub(crate) fn a_lineage_sees_its_own_runs_oldest_first(
    bench: &dyn JournalFixture,
) -> Result<(), JournalError> {
    for (run, of) in [("z", "l"), ("m", "other"), ("a", "l")] {
        bench.open().begin_run(&run_row(run, of))?;
    }
    assert_eq!(names(&open_runs(bench, "l")), ["z", "a"]);
    assert_eq!(names(&open_runs(bench, "other")), ["m"]);
    Ok(())
}

/// A run id can begin only once, because results would be mixed.
pub(crate) fn a_run_begins_once(bench: &dyn JournalFixture) -> Result<(), JournalError> {
    bench.open().begin_run(&run_row("r1", "l"))?;
    assert!(bench.open().begin_run(&run_row("r1", "other")).is_err());
    assert_eq!(open_runs(bench, "other"), []);
    Ok(())
}

/// Results need a run that began.
pub(crate) fn a_run_that_never_began_takes_no_results(bench: &dyn JournalFixture) {
    let run = run_row("r1", "l").run;
    let journal = bench.open();
    assert!(
        journal
            .record_results(&run, &[result_row(1, Outcome::Done)])
            .is_err()
    );
    assert!(journal.mark_run(&run, RunStatus::Closed).is_err());
    assert_eq!(open_runs(bench, "l"), []);
}

/// Beginning a run deletes old closed runs and never an open one; `stored_runs` counts the stored runs of a lineage,
/// including closed ones.
pub(crate) fn old_closed_runs_are_forgotten_and_open_ones_are_not(
    bench: &dyn JournalFixture,
    stored_runs: &dyn Fn(&str) -> usize,
) -> Result<(), JournalError> {
    let journal = bench.open();
    journal.begin_run(&run_row("open", "l"))?;
    journal.begin_run(&run_row("foreign", "other"))?;
    journal.mark_run(&run_row("foreign", "other").run, RunStatus::Closed)?;
    for n in 0..MAX_KEPT_RUNS + 10 {
        let run = run_row(&format!("r{n}"), "l");
        journal.begin_run(&run)?;
        journal.record_results(&run.run, &[result_row(1, Outcome::Done)])?;
        journal.mark_run(&run.run, RunStatus::Closed)?;
    }
    assert_eq!(names(&open_runs(bench, "l")), ["open"]);
    assert_eq!(stored_runs("l"), MAX_KEPT_RUNS as usize + 1);
    assert_eq!(stored_runs("other"), 1);
    Ok(())
}
