//! An in-memory journal for tests. It can fail a chosen write, crash with its process and be deleted;
//! otherwise it keeps the contract of the real one.

#![allow(dead_code, reason = "each binary uses its part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aeroform::core::fleet::{Lineage, RunId};
use aeroform::journal::{
    Journal, JournalError, MAX_KEPT_RUNS, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus,
};

/// A journal whose clones share one content, like two processes with one file. A crash keeps committed writes
/// and loses others.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryJournal {
    rows: Arc<Mutex<MemoryRows>>,
}

/// How a chosen write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailCommit {
    /// Before its commit: nothing is stored.
    Before,
    /// After its commit: it is stored, but an error is returned.
    After,
    /// The process dies before it; nothing works until [`MemoryJournal::restart`].
    CrashBefore,
    /// The process dies after its commit.
    CrashAfter,
}

#[derive(Debug, Default)]
struct MemoryRows {
    runs: Vec<OpenRun>,
    commits: u64,
    fault: Option<(u64, FailCommit)>,
    fault_fired: bool,
    dead: bool,
}

impl MemoryJournal {
    /// The number of attempted writes, including refused ones.
    pub(crate) fn commits(&self) -> u64 {
        self.inner().commits
    }

    /// Fails one write of any kind; 1 is the next one.
    pub(crate) fn fail_commit(&self, which: u64, how: FailCommit) {
        let mut rows = self.inner();
        rows.fault = Some((rows.commits + which, how));
        rows.fault_fired = false;
    }

    /// Whether the chosen fault has happened; tests assert it.
    pub(crate) fn fired(&self) -> bool {
        self.inner().fault_fired
    }

    /// Restarts the process after a crash: committed writes remain, and no fault is set.
    pub(crate) fn restart(&self) {
        let mut rows = self.inner();
        rows.dead = false;
        rows.fault = None;
    }

    /// Deletes everything, like a deleted file.
    pub(crate) fn delete(&self) {
        self.inner().runs.clear();
    }

    /// Every stored run, including closed ones, oldest first.
    pub(crate) fn runs(&self) -> Vec<OpenRun> {
        self.inner().runs.clone()
    }

    fn inner(&self) -> MutexGuard<'_, MemoryRows> {
        self.rows
            .lock()
            .expect("no holder of this mutex panics while it has it")
    }
}

impl MemoryRows {
    /// One transaction; a failed `work` changes nothing.
    fn commit(
        &mut self,
        work: impl FnOnce(&mut Vec<OpenRun>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.commits += 1;
        let fault = match self.fault {
            Some((which, how)) if which == self.commits => {
                self.fault_fired = true;
                Some(how)
            }
            Some(_) | None => None,
        };
        let before = matches!(fault, Some(FailCommit::Before | FailCommit::CrashBefore));
        let crash = matches!(
            fault,
            Some(FailCommit::CrashBefore | FailCommit::CrashAfter)
        );
        if self.dead || before {
            self.dead |= crash;
            return Err(failed("a failure injected by a test"));
        }
        work(&mut self.runs)?;
        self.dead |= crash;
        match fault {
            Some(_) => Err(failed("a failure injected by a test")),
            None => Ok(()),
        }
    }
}

impl Journal for MemoryJournal {
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError> {
        self.inner().commit(|runs| {
            if runs.iter().any(|other| other.row.run == run.run) {
                return Err(failed("this run already exists"));
            }
            runs.push(OpenRun {
                row: run.clone(),
                status: RunStatus::Running,
                started: Vec::new(),
                results: Vec::new(),
            });
            prune(runs, &run.lineage);
            Ok(())
        })
    }

    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        self.inner().commit(|runs| {
            find(runs, run)?.started.push(row.clone());
            Ok(())
        })
    }

    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        self.inner().commit(|runs| {
            find(runs, run)?.results.extend_from_slice(rows);
            Ok(())
        })
    }

    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        self.inner().commit(|runs| {
            find(runs, run)?.status = status;
            Ok(())
        })
    }

    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError> {
        let rows = self.inner();
        if rows.dead {
            return Err(failed("a failure injected by a test"));
        }
        let open = |run: &&OpenRun| run.row.lineage == *lineage && run.status != RunStatus::Closed;
        Ok(rows.runs.iter().filter(open).cloned().collect())
    }

    fn releases(&self, lineage: &Lineage) -> Result<BTreeMap<String, RunId>, JournalError> {
        let rows = self.inner();
        if rows.dead {
            return Err(failed("a failure injected by a test"));
        }
        let of_lineage = rows.runs.iter().filter(|run| run.row.lineage == *lineage);
        let registered = of_lineage.flat_map(|run| {
            let releases = run.releases();
            releases.map(|id| (id.to_owned(), run.row.run.clone()))
        });
        Ok(registered.collect())
    }
}

fn find<'a>(runs: &'a mut [OpenRun], run: &RunId) -> Result<&'a mut OpenRun, JournalError> {
    runs.iter_mut()
        .find(|other| other.row.run == *run)
        .ok_or_else(|| failed("there is no such run"))
}

fn prune(runs: &mut Vec<OpenRun>, lineage: &Lineage) {
    let of_lineage = |run: &OpenRun| run.row.lineage == *lineage;
    let mut old = runs
        .iter()
        .filter(|run| of_lineage(run))
        .count()
        .saturating_sub(MAX_KEPT_RUNS as usize);
    runs.retain(|run| {
        if !of_lineage(run) || old == 0 {
            return true;
        }
        old -= 1;
        run.status != RunStatus::Closed
    });
}

fn failed(message: &str) -> JournalError {
    JournalError {
        place: "in memory".to_owned(),
        message: message.to_owned(),
        hint: None,
    }
}
