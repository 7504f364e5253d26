//! Executes a run: journal, calls, state.

use std::path::Path;

use super::context::{Preview, RunContext, RunError};
use super::state_note::{changes_made, state_note};
use crate::apply::{self, ApplyOptions, Cancel, Halt, Report, RunInput};
use crate::core::fleet::{Known, Lineage, RunId};
use crate::core::plan::{Event, RunEnd, RunInfo, RunOutcome, SavedPlan, StateOutcome, next_state};
use crate::core::state;
use crate::journal::{JournalError, RunRow, RunStatus};
use crate::store::{StateLock, write_copy};

/// The metadata of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunRequest<'a> {
    /// The run's id.
    pub run: &'a RunId,
    /// The verb, for records.
    pub command: &'a str,
    /// Maximum concurrent steps.
    pub parallelism: usize,
    /// The folder for a state that the store refuses.
    pub copy_dir: &'a Path,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Of the steps.
    pub report: Report,
    /// Of the state.
    pub state: StateOutcome,
    /// Why the journal could not be closed.
    pub journal_failure: Option<String>,
    /// The state could not be saved.
    pub unpublished: Option<UnpublishedState>,
}

/// A state that could not be saved at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedState {
    /// Why there is no copy.
    pub cause: String,
    /// The state's text.
    pub text: String,
}

impl RunResult {
    /// How the run of this verb ended.
    pub fn run_end(&self, preview: &Preview, verb: &str) -> RunOutcome {
        end(&self.report, &self.state, preview, verb)
    }
}

impl RunContext<'_> {
    /// Executes the plan of a preview made under this lock, and writes the state for every result. Dropping the
    /// future is a crash: journal and Machine names allow the next run to continue.
    pub async fn execute(
        &self,
        preview: &Preview,
        held: &dyn StateLock,
        request: &RunRequest<'_>,
        cancel: Cancel,
        events: &mut dyn FnMut(&Event),
    ) -> Result<RunResult, RunError> {
        let (Some(lineage), Some(observed)) = (&preview.plan.lineage, &preview.observed) else {
            return Err(RunError::Offline);
        };
        let known = &preview.stored_state.known;
        let row = RunRow {
            run: request.run.clone(),
            lineage: observed.description.journal_lineage(),
            serial: known.serial,
            at: self.env.now(),
            by: self.env.user(),
            command: request.command.to_owned(),
            plan: SavedPlan::of(&preview.plan).to_json(),
        };
        let left = Box::pin(self.end_unfinished_release(preview, true)).await;
        let commit = self.commits.applied().await;
        let desired = preview.desired(self.desired);
        let job = RunInput {
            plan: &preview.plan,
            desired: &desired,
            known,
            observed,
            provider: self.provider,
            journal: self.journal,
            lock: held,
            run: &row,
            serial: known.serial + 1,
            commit: commit.as_deref(),
            options: ApplyOptions {
                parallelism: request.parallelism,
            },
        };
        let mut report = Box::pin(apply::run(job, cancel, events)).await;
        // A newer release of this run exists, so no run waits for the previous one.
        report
            .remarks
            .extend(left.filter(|_| report.release.is_none()));
        Ok(self
            .publish(preview, request, (lineage, commit), report)
            .await)
    }

    /// Writes the state and closes the run in the journal.
    async fn publish(
        &self,
        preview: &Preview,
        request: &RunRequest<'_>,
        (lineage, commit): (&Lineage, Option<String>),
        report: Report,
    ) -> RunResult {
        let next = self.next_state(preview, request, (lineage, commit), &report);
        let (state, spill) = if next == preview.stored_state.known {
            (StateOutcome::Unchanged, None)
        } else {
            self.write_state_or_copy(preview, request, &report, &next)
                .await
        };
        let status = match &state {
            StateOutcome::Unchanged | StateOutcome::Written { .. } => RunStatus::Closed,
            StateOutcome::Unpublished { .. } => RunStatus::Unpublished,
        };
        // The state is written; a journal error is only reported.
        let unmarked = self
            .mark_runs(request.run, preview, status)
            .err()
            .map(|error| error.to_string());
        RunResult {
            report,
            state,
            journal_failure: unmarked,
            unpublished: spill,
        }
    }

    /// Marks the run; a closed run also closes earlier ones, whose work it adopted.
    fn mark_runs(
        &self,
        run: &RunId,
        preview: &Preview,
        status: RunStatus,
    ) -> Result<(), JournalError> {
        self.journal.mark_run(run, status)?;
        if status != RunStatus::Closed {
            return Ok(());
        }
        let Some(observed) = &preview.observed else {
            return Ok(());
        };
        for open in self.open_runs(&observed.description)? {
            self.journal.mark_run(&open.row.run, RunStatus::Closed)?;
        }
        Ok(())
    }

    /// The new state: everything certain, however the run ended.
    fn next_state(
        &self,
        preview: &Preview,
        request: &RunRequest<'_>,
        (lineage, commit): (&Lineage, Option<String>),
        report: &Report,
    ) -> Known {
        let outcome = end(report, &StateOutcome::Unchanged, preview, request.command);
        let facts = RunInfo {
            run: request.run.clone(),
            lineage: lineage.clone(),
            at: self.env.now(),
            by: self.env.user(),
            command: request.command.to_owned(),
            outcome: outcome.record().to_owned(),
            commit,
            url: self.env.job_url(),
            parent: preview.stored_state.digest.clone(),
            plan: preview.reviewed_plan.as_ref().map(SavedPlan::digest),
            release: report.ended_release(&preview.plan),
        };
        next_state(
            &preview.stored_state.known,
            &preview.plan,
            &preview.desired(self.desired),
            &report.results,
            &facts,
        )
    }

    /// Writes the state, or saves a copy for `state push`.
    async fn write_state_or_copy(
        &self,
        preview: &Preview,
        request: &RunRequest<'_>,
        report: &Report,
        next: &Known,
    ) -> (StateOutcome, Option<UnpublishedState>) {
        let text = state::write(next);
        let note = state_note(next, &changes_made(&preview.plan, &report.results));
        let version = &preview.stored_state.version;
        let cause = match self.store.write(&text, version, &note).await {
            Ok(_) => {
                let (place, serial) = (self.store.location(), next.serial);
                return (
                    StateOutcome::Written {
                        location: place,
                        serial,
                    },
                    None,
                );
            }
            Err(error) => error.to_string(),
        };
        let name = format!("{}.unpublished.json", next.app);
        match write_copy(request.copy_dir, &name, &text) {
            Ok(path) => (
                StateOutcome::Unpublished {
                    cause,
                    copy: path.display().to_string(),
                },
                None,
            ),
            Err(error) => {
                let spill = UnpublishedState {
                    cause: error.to_string(),
                    text,
                };
                (StateOutcome::Unpublished { cause, copy: name }, Some(spill))
            }
        }
    }
}

fn end(report: &Report, state: &StateOutcome, preview: &Preview, verb: &str) -> RunOutcome {
    let end = RunEnd {
        plan: &preview.plan,
        results: &report.results,
        interrupted: report.interrupted,
        state_behind: matches!(report.halted, Some(Halt::StateBehind(_))),
        findings: &report.findings,
        overtaken: &report.overtaken,
        state,
        verb,
    };
    end.outcome()
}
