//! The journals: the contract for both, what a file system does to the one on disk, and the faults
//! that the one in memory can be told to have.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aeroform::core::fleet::{Lineage, RunId};
use aeroform::core::plan::{Outcome, StepId};
use aeroform::journal::{Journal, JournalError, ResultRow, RunRow, RunStatus, SqliteJournal};

use crate::journal_contract::{self as contract, JournalFixture};
use crate::memory_journal::{FailCommit, MemoryJournal};

struct SqliteFixture(tempfile::TempDir);

impl SqliteFixture {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.0.path().join("journal.db")).unwrap()
    }
}

impl JournalFixture for SqliteFixture {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(SqliteJournal::open(self.0.path()).unwrap())
    }
}

struct MemoryFixture(MemoryJournal);

impl JournalFixture for MemoryFixture {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(self.0.clone())
    }
}

macro_rules! keep {
    ($($promise:ident)*) => {
        mod on_disk {
            $(#[test]
            fn $promise() -> Result<(), super::JournalError> {
                super::TestResult::from(super::contract::$promise(&super::SqliteFixture::new())).0
            })*
        }
        mod in_memory {
            $(#[test]
            fn $promise() -> Result<(), super::JournalError> {
                let bench = super::MemoryFixture(super::MemoryJournal::default());
                super::TestResult::from(super::contract::$promise(&bench)).0
            })*
        }
    };
}

keep! {
    a_fresh_journal_has_no_runs
    a_closed_run_s_release_is_still_known
    a_run_that_began_is_open_in_the_next_process
    a_call_that_was_begun_is_seen_by_the_next_process
    results_come_back_in_the_order_of_recording
    only_closing_a_run_takes_it_out_of_sight
    a_lineage_sees_its_own_runs_oldest_first
    a_run_begins_once
    a_run_that_never_began_takes_no_results
}

/// Promises that call nothing that may fail answer nothing.
struct TestResult(Result<(), JournalError>);

impl From<()> for TestResult {
    fn from((): ()) -> Self {
        Self(Ok(()))
    }
}

impl From<Result<(), JournalError>> for TestResult {
    fn from(result: Result<(), JournalError>) -> Self {
        Self(result)
    }
}

fn row(run: &str) -> RunRow {
    RunRow {
        run: RunId::new(run).unwrap(),
        lineage: Lineage::new("l").unwrap(),
        serial: 1,
        at: "2024-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        plan: "{}".to_owned(),
    }
}

fn done(step: u32) -> ResultRow {
    ResultRow {
        step: StepId(step),
        outcome: Outcome::Done,
        machine: None,
        config: None,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn old_closed_runs_are_forgotten_and_open_ones_are_not_on_disk() {
    let bench = SqliteFixture::new();
    let stored = |of: &str| {
        let connection = bench.connection();
        let query = "SELECT count(*) FROM run WHERE lineage = ?1";
        let count: i64 = connection.query_row(query, [of], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    contract::old_closed_runs_are_forgotten_and_open_ones_are_not(&bench, &stored).unwrap();
    let orphans: i64 = bench
        .connection()
        .query_row(
            "SELECT count(*) FROM result WHERE run NOT IN (SELECT id FROM run)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(orphans, 0, "results go with their run");
}

#[test]
fn old_closed_runs_are_forgotten_and_open_ones_are_not_in_memory() {
    let bench = MemoryFixture(MemoryJournal::default());
    let stored = |of: &str| {
        let runs = bench.0.runs();
        runs.iter()
            .filter(|run| run.row.lineage.as_str() == of)
            .count()
    };
    contract::old_closed_runs_are_forgotten_and_open_ones_are_not(&bench, &stored).unwrap();
}

/// Holds rule 42.
#[test]
fn the_file_and_its_side_files_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("state/aeroform");
    let journal = SqliteJournal::open(&dir).unwrap();
    journal.begin_run(&row("r1")).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(dir.join("journal.db-wal").exists());
}

#[test]
fn a_commit_is_durable_when_it_returns() {
    let bench = SqliteFixture::new();
    let journal = bench.open();
    journal.begin_run(&row("r1")).unwrap();
    let synchronous: i64 = bench
        .connection()
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .unwrap();
    // 2 is FULL, SQLite's default for a connection; the journal asks for it explicitly and for a
    // write-ahead log, which a copy taken mid-run must be readable with.
    assert_eq!(synchronous, 2);
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        fs::copy(bench.0.path().join(name), copy.path().join(name)).unwrap();
    }
    let crashed = SqliteJournal::open(copy.path()).unwrap();
    let open = crashed.open_runs(&row("r1").lineage).unwrap();
    assert_eq!(
        open.len(),
        1,
        "what returned is on disk while the writer still runs"
    );
}

#[test]
fn a_newer_journal_is_refused_by_its_version() {
    let bench = SqliteFixture::new();
    drop(bench.open());
    let connection = bench.connection();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let error = SqliteJournal::open(bench.0.path()).unwrap_err();
    assert!(error.message.contains("version 3"), "{error}");
    assert!(error.place.ends_with("journal.db"), "{error}");
}

#[test]
fn a_journal_of_the_first_version_is_brought_to_this_one_with_its_runs() {
    let bench = SqliteFixture::new();
    bench.open().begin_run(&row("r1")).unwrap();
    let old = "DROP TABLE started; PRAGMA user_version = 1;";
    bench.connection().execute_batch(old).unwrap();
    let open = bench.open().open_runs(&row("r1").lineage).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].started, []);
}

#[test]
fn a_file_that_is_no_journal_is_refused_with_a_way_out_and_left_as_it_is() {
    let bench = SqliteFixture::new();
    let path = bench.0.path().join("journal.db");
    let bytes = b"not a database, but long enough to be read as the header of one. ".repeat(100);
    fs::write(&path, &bytes).unwrap();
    let error = SqliteJournal::open(bench.0.path()).unwrap_err();
    assert!(error.hint.unwrap().contains("delete the file"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_malformed_row_is_an_error_and_no_result() {
    let bench = SqliteFixture::new();
    bench.open().begin_run(&row("r1")).unwrap();
    bench
        .open()
        .record_results(&row("r1").run, &[done(1)])
        .unwrap();
    bench
        .connection()
        .execute("UPDATE result SET outcome = '{}'", [])
        .unwrap();
    let error = bench.open().open_runs(&row("r1").lineage).unwrap_err();
    assert!(error.message.contains("`outcome`"), "{error}");
}

#[test]
fn a_journal_that_cannot_be_made_says_where_else() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "a file").unwrap();
    let error = SqliteJournal::open(&file).unwrap_err();
    assert!(error.to_string().contains("journal.db"), "{error}");
    assert!(
        error.hint.unwrap().contains("AEROFORM_STATE_DIR"),
        "{error}"
    );
}

#[test]
fn two_processes_write_to_one_journal_without_losing_a_row() {
    let bench = SqliteFixture::new();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let dir = bench.0.path().to_owned();
            std::thread::spawn(move || {
                let journal = SqliteJournal::open(&dir).unwrap();
                let run = row(&format!("r{writer}"));
                journal.begin_run(&run).unwrap();
                for step in 0..10 {
                    journal.record_results(&run.run, &[done(step)]).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let open = bench.open().open_runs(&row("r").lineage).unwrap();
    assert_eq!(open.len(), 4);
    assert!(open.iter().all(|run| run.results.len() == 10));
}

#[test]
fn a_failed_commit_is_stored_completely_or_not_at_all() {
    for (how, stored) in [(FailCommit::Before, 0), (FailCommit::After, 2)] {
        let journal = MemoryJournal::default();
        journal.fail_commit(2, how);
        journal.begin_run(&row("r1")).unwrap();
        assert!(!journal.fired());
        let run = row("r1").run;
        assert!(journal.record_results(&run, &[done(1), done(2)]).is_err());
        assert!(journal.fired());
        let open = journal.open_runs(&row("r1").lineage).unwrap();
        assert_eq!(open[0].results.len(), stored);
        journal.record_results(&run, &[done(3)]).unwrap();
        assert_eq!(journal.commits(), 3);
    }
}

#[test]
fn after_a_crash_nothing_is_taken_until_the_restart_which_finds_what_was_committed() {
    for (how, stored) in [(FailCommit::CrashBefore, 0), (FailCommit::CrashAfter, 1)] {
        let journal = MemoryJournal::default();
        journal.begin_run(&row("r1")).unwrap();
        journal.fail_commit(1, how);
        let run = row("r1").run;
        assert!(journal.record_results(&run, &[done(1)]).is_err());
        assert!(journal.record_results(&run, &[done(2)]).is_err());
        assert!(journal.mark_run(&run, RunStatus::Closed).is_err());
        assert!(journal.open_runs(&row("r1").lineage).is_err());
        journal.restart();
        let open = journal.open_runs(&row("r1").lineage).unwrap();
        assert_eq!(open[0].results.len(), stored);
        assert_eq!(open[0].status, RunStatus::Running);
    }
}

#[test]
fn a_lost_journal_is_empty_and_works() {
    let journal = MemoryJournal::default();
    journal.begin_run(&row("r1")).unwrap();
    journal.delete();
    assert_eq!(journal.open_runs(&row("r1").lineage).unwrap(), []);
    journal.begin_run(&row("r1")).unwrap();
}
