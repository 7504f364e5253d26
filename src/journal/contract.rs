//! What every journal promises, as functions that panic where a journal breaks it.
//!
//! A journal's test gives a fresh [`Bench`] to each of them; names are the promises.

use super::{
    Journal, JournalError, OpenRun, RUNS_KEPT, ResultRow, RunRow, RunStatus, Started, StartedRow,
};
use crate::core::fleet::{ConfigDigest, Lineage, MachineId, Region, RunId, VolumeId};
use crate::core::plan::{Outcome, StepId};

/// A fresh journal.
pub trait Bench {
    /// The journal as another process would open it.
    fn open(&self) -> Box<dyn Journal>;
}

fn lineage(text: &str) -> Lineage {
    Lineage::new(text).expect("a short word is a lineage")
}

fn row(run: &str, of: &str) -> RunRow {
    RunRow {
        run: RunId::new(run).expect("a short word is a run id"),
        lineage: lineage(of),
        // The largest there is, so that no journal keeps it in a smaller number.
        serial: u64::MAX,
        at: "2024-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        plan: "{\"steps\": [\"é\"]}".to_owned(),
    }
}

fn result(step: u32, outcome: Outcome) -> ResultRow {
    ResultRow {
        step: StepId(step),
        outcome,
        machine: None,
        config: None,
    }
}

fn open_runs(bench: &dyn Bench, of: &str) -> Vec<OpenRun> {
    bench.open().open_runs(&lineage(of)).expect("it reads")
}

fn names(runs: &[OpenRun]) -> Vec<&str> {
    runs.iter().map(|run| run.row.run.as_str()).collect()
}

/// A fresh journal has no runs.
pub fn a_fresh_journal_has_no_runs(bench: &dyn Bench) {
    assert_eq!(open_runs(bench, "l"), []);
}

/// The releases of closed runs are still known, and only those of the lineage.
pub fn a_closed_run_s_release_is_still_known(bench: &dyn Bench) -> Result<(), JournalError> {
    for (run, of) in [("r1", "l"), ("r2", "l"), ("r3", "other")] {
        let row = row(run, of);
        bench.open().begin(&row)?;
        let started = StartedRow {
            step: StepId(0),
            call: Started::Release {
                id: format!("release-{run}"),
            },
        };
        bench.open().start(&row.run, &started)?;
    }
    let closed = row("r1", "l").run;
    bench.open().mark(&closed, RunStatus::Closed)?;
    let known = bench.open().releases(&lineage("l"))?;
    let expected = [
        ("release-r1".to_owned(), closed),
        ("release-r2".to_owned(), row("r2", "l").run),
    ];
    assert_eq!(known, expected.into());
    Ok(())
}

/// What was begun is there for the next process, whole.
pub fn a_run_that_began_is_open_in_the_next_process(bench: &dyn Bench) -> Result<(), JournalError> {
    bench.open().begin(&row("r1", "l"))?;
    let expected = OpenRun {
        row: row("r1", "l"),
        status: RunStatus::Running,
        started: Vec::new(),
        results: Vec::new(),
    };
    assert_eq!(open_runs(bench, "l"), [expected]);
    Ok(())
}

/// Results come back as they were recorded, in that order, a second one of a step included.
pub fn results_come_back_in_the_order_of_recording(bench: &dyn Bench) -> Result<(), JournalError> {
    let journal = bench.open();
    let run = row("r1", "l");
    journal.begin(&run)?;
    let unknown = Outcome::Unknown {
        message: "no answer".to_owned(),
    };
    let failed = Outcome::Failed {
        code: "conflict".to_owned(),
        message: "somebody was faster".to_owned(),
        hint: Some("try again".to_owned()),
    };
    let because = StepId(7);
    let made = ResultRow {
        machine: MachineId::new("m1").ok(),
        config: ConfigDigest::parse(&"a".repeat(32)),
        ..result(7, Outcome::Done)
    };
    let first = [result(7, unknown), result(2, failed)];
    let second = [
        result(3, Outcome::Skipped { because }),
        made,
        result(4, Outcome::NotStarted),
    ];
    journal.record(&run.run, &first)?;
    journal.record(&run.run, &[])?;
    journal.record(&run.run, &second)?;
    let expected: Vec<_> = first.into_iter().chain(second).collect();
    assert_eq!(open_runs(bench, "l")[0].results, expected);
    Ok(())
}

/// Calls that were under way are there for the next process, in the order in which they were begun.
pub fn a_call_that_was_begun_is_seen_by_the_next_process(
    bench: &dyn Bench,
) -> Result<(), JournalError> {
    let run = row("r1", "l");
    bench.open().begin(&run)?;
    let started = |step: u32, seen: &[&str]| StartedRow {
        step: StepId(step),
        call: Started::CreateVolume {
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
        bench.open().start(&run.run, row)?;
    }
    assert_eq!(open_runs(bench, "l")[0].started, rows);
    let nobody = RunId::new("r2").expect("a short word is a run id");
    assert!(bench.open().start(&nobody, &rows[0]).is_err());
    Ok(())
}

/// A run stays open until it is closed.
pub fn only_closing_a_run_takes_it_out_of_sight(bench: &dyn Bench) -> Result<(), JournalError> {
    let journal = bench.open();
    let run = row("r1", "l");
    journal.begin(&run)?;
    journal.mark(&run.run, RunStatus::Unpublished)?;
    assert_eq!(open_runs(bench, "l")[0].status, RunStatus::Unpublished);
    journal.mark(&run.run, RunStatus::Closed)?;
    assert_eq!(open_runs(bench, "l"), []);
    Ok(())
}

/// A journal serves many apps, and each sees its own runs, oldest first.
pub fn a_lineage_sees_its_own_runs_oldest_first(bench: &dyn Bench) -> Result<(), JournalError> {
    for (run, of) in [("z", "l"), ("m", "other"), ("a", "l")] {
        bench.open().begin(&row(run, of))?;
    }
    assert_eq!(names(&open_runs(bench, "l")), ["z", "a"]);
    assert_eq!(names(&open_runs(bench, "other")), ["m"]);
    Ok(())
}

/// Two runs of one id would mix their results.
pub fn a_run_begins_once(bench: &dyn Bench) -> Result<(), JournalError> {
    bench.open().begin(&row("r1", "l"))?;
    assert!(bench.open().begin(&row("r1", "other")).is_err());
    assert_eq!(open_runs(bench, "other"), []);
    Ok(())
}

/// Results of a run that never began have no intent to belong to.
pub fn a_run_that_never_began_takes_no_results(bench: &dyn Bench) {
    let run = row("r1", "l").run;
    let journal = bench.open();
    assert!(journal.record(&run, &[result(1, Outcome::Done)]).is_err());
    assert!(journal.mark(&run, RunStatus::Closed).is_err());
    assert_eq!(open_runs(bench, "l"), []);
}

/// Beginning a run forgets closed runs beyond the newest, and never an open one; `kept` tells how many
/// runs of a lineage are there, closed ones included.
pub fn old_closed_runs_are_forgotten_and_open_ones_are_not(
    bench: &dyn Bench,
    kept: &dyn Fn(&str) -> usize,
) -> Result<(), JournalError> {
    let journal = bench.open();
    journal.begin(&row("open", "l"))?;
    journal.begin(&row("foreign", "other"))?;
    journal.mark(&row("foreign", "other").run, RunStatus::Closed)?;
    for n in 0..RUNS_KEPT + 10 {
        let run = row(&format!("r{n}"), "l");
        journal.begin(&run)?;
        journal.record(&run.run, &[result(1, Outcome::Done)])?;
        journal.mark(&run.run, RunStatus::Closed)?;
    }
    assert_eq!(names(&open_runs(bench, "l")), ["open"]);
    assert_eq!(kept("l"), RUNS_KEPT as usize + 1);
    assert_eq!(kept("other"), 1);
    Ok(())
}
