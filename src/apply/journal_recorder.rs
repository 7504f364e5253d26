//! Writes results to the journal in batches: at most one commit per 50 ms, and one at the end.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::fleet::StoredConfig;
use crate::core::plan::{Outcome, StepId, StepResult};
use crate::journal::{
    Journal, JournalError, PendingCall, PendingCallRow, ResultRow, RunRow, RunStatus,
};

/// Interval of commits: short enough that few calls must be settled after a crash, long enough that ten
/// thousand steps are not ten thousand fsyncs.
const COMMIT_INTERVAL: Duration = Duration::from_millis(50);

/// The journal of one run.
pub(super) struct JournalRecorder<'a> {
    journal: &'a dyn Journal,
    run: &'a RunRow,
    rows: Vec<ResultRow>,
    next_commit: Instant,
    /// The number of the first step.
    first: u32,
}

impl<'a> JournalRecorder<'a> {
    /// Writes the intent. A crash before it leaves nothing, a crash after it an open run.
    pub(super) fn begin(journal: &'a dyn Journal, run: &'a RunRow) -> Result<Self, JournalError> {
        journal.begin_run(run)?;
        Ok(Self {
            journal,
            run,
            rows: Vec::new(),
            next_commit: Instant::now(),
            first: 0,
        })
    }

    /// Writes the intent of a rollback, whose steps count from this number. A crash after it leaves an open run
    /// whose Machines the next run reads.
    pub(super) fn begin_rollback(
        &mut self,
        first: StepId,
        call: PendingCall,
    ) -> Result<(), JournalError> {
        self.commit()?;
        self.first = first.0;
        let row = PendingCallRow { step: first, call };
        self.journal.begin_call(&self.run.run, &row)
    }

    /// Records the result of a started step. It is durable with the next commit; a crash before that leaves a
    /// call that the next run settles by reading.
    pub(super) fn record(&mut self, step: StepId, result: &StepResult) {
        let row = ResultRow {
            step: StepId(self.first + step.0),
            outcome: result.outcome.clone(),
            machine: result.machine.as_ref().map(|machine| machine.id.clone()),
            config: result.sent.as_ref().map(StoredConfig::digest),
        };
        match &row.outcome {
            Outcome::Done | Outcome::Failed { .. } | Outcome::Unknown { .. } => self.rows.push(row),
            // Without a call there is nothing to settle.
            Outcome::Skipped { .. } | Outcome::NotStarted => {}
        }
    }

    /// The time of the next commit, if rows are waiting.
    pub(super) fn next_commit_at(&self) -> Option<Instant> {
        (!self.rows.is_empty()).then_some(self.next_commit)
    }

    /// Commits waiting rows. After a failure they are kept for a retry.
    pub(super) fn commit(&mut self) -> Result<(), JournalError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.next_commit = Instant::now() + COMMIT_INTERVAL;
        self.journal.record_results(&self.run.run, &self.rows)?;
        self.rows.clear();
        Ok(())
    }

    /// The last commit, with the mark that all calls are done.
    pub(super) fn close(mut self) -> Result<(), JournalError> {
        self.commit()?;
        self.journal.mark_run(&self.run.run, RunStatus::Unpublished)
    }
}
