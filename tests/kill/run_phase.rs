//! How far a killed run had come, read from what it left: its journal and its state.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{Connection, OpenFlags};

use crate::fixture::KillFixture;

/// Between which two writes a run was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunPhase {
    /// Nothing of it is written.
    BeforeItsIntent,
    /// The intent is written, no result is.
    BeforeAnyResult,
    /// Some results are written.
    BetweenResults,
    /// All calls are over, the state is not written.
    BeforeItsState,
    /// The state is written, the journal does not say so.
    BeforeItsClose,
    /// Everything is written.
    AfterAll,
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeItsIntent => "before its intent",
            Self::BeforeAnyResult => "after its intent, before any result",
            Self::BetweenResults => "between results",
            Self::BeforeItsState => "after its last result, before its state",
            Self::BeforeItsClose => "after its state, before the journal is closed",
            Self::AfterAll => "after all",
        })
    }
}

/// Where the last run stands. `before` is the state's text before it.
pub(crate) fn of(app: &KillFixture, before: &str) -> RunPhase {
    // A copy is read, so that nothing that the next run meets is touched.
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        let _ = std::fs::copy(app.state_dir().join(name), copy.path().join(name));
    }
    let journal = copy.path().join("journal.db");
    let open = if journal.exists() {
        open_run(&journal)
    } else {
        None
    };
    let written = state(app) != before;
    match open {
        None if written => RunPhase::AfterAll,
        None => RunPhase::BeforeItsIntent,
        Some(_) if written => RunPhase::BeforeItsClose,
        Some((status, _)) if status == "unpublished" => RunPhase::BeforeItsState,
        Some((_, 0)) => RunPhase::BeforeAnyResult,
        Some(_) => RunPhase::BetweenResults,
    }
}

/// Status and number of results of the newest run, unless that is closed.
fn open_run(journal: &std::path::Path) -> Option<(String, u32)> {
    let connection = Connection::open_with_flags(journal, OpenFlags::default()).unwrap();
    let newest = "SELECT status, (SELECT count(*) FROM result WHERE result.run = run.id) FROM run
                  WHERE id = (SELECT max(id) FROM run) AND status <> 'closed'";
    connection
        .query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .ok()
}

/// The state's text.
pub(crate) fn state(app: &KillFixture) -> String {
    std::fs::read_to_string(app.state_file()).unwrap_or_default()
}

/// How many kills fell into each phase, for people.
pub(crate) fn tally(phases: &[RunPhase]) -> String {
    let mut counts: BTreeMap<RunPhase, usize> = BTreeMap::new();
    for phase in phases {
        *counts.entry(*phase).or_default() += 1;
    }
    let lines: Vec<_> = counts
        .iter()
        .map(|(phase, count)| format!("  {count:5}  {phase}"))
        .collect();
    lines.join("\n")
}
