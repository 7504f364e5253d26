//! One run: the journal first, then the calls, then the state.

use std::path::Path;

use super::ground::{ConductError, Ground, Look};
use crate::apply::{self, ApplyOptions, Cancel, Job, Report};
use crate::core::fleet::{Known, Lineage, RunId};
use crate::core::plan::{Event, RunInfo, SavedPlan, next_state};
use crate::core::state;
use crate::core::view::{RunOutcome, RunReport, StateOutcome};
use crate::journal::{JournalError, RunRow, RunStatus};
use crate::store::{StateLock, write_copy};

/// What is carried out, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The verb, for records.
    pub command: &'a str,
    /// Most steps at once.
    pub parallelism: usize,
    /// The folder in which a state that the store refuses is kept.
    pub copies: &'a Path,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Of its steps.
    pub report: Report,
    /// Of its state.
    pub state: StateOutcome,
    /// The journal could not be told that the run is over; why.
    pub unmarked: Option<String>,
    /// The state could be kept nowhere.
    pub spill: Option<Spill>,
}

/// A state that neither the store nor a copy beside it could keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spill {
    /// Why there is no copy.
    pub cause: String,
    /// The state's text, for whoever can still keep it.
    pub text: String,
}

impl Ended {
    /// How the run ended, for the exit code and the record.
    pub fn end(&self, look: &Look) -> RunOutcome {
        end(&self.report, &self.state, look)
    }
}

impl Ground<'_> {
    /// Carries out the plan of a look that was taken and prepared under this lock, and writes the state
    /// whatever came of it. Dropping the future is a crash: the journal has the run open, and the
    /// Machines' names say what they are for.
    pub async fn carry_out(
        &self,
        look: &Look,
        held: &dyn StateLock,
        errand: &Errand<'_>,
        cancel: Cancel,
        events: &mut dyn FnMut(&Event),
    ) -> Result<Ended, ConductError> {
        let (Some(lineage), Some(observed)) = (&look.plan.lineage, &look.observed) else {
            return Err(ConductError::Offline);
        };
        let known = &look.remembered.known;
        let row = RunRow {
            run: errand.run.clone(),
            lineage: observed.description.journal_lineage(),
            serial: known.serial,
            at: self.env.now(),
            by: self.env.user(),
            command: errand.command.to_owned(),
            plan: SavedPlan::of(&look.plan).to_json(),
        };
        let left = Box::pin(self.end_releases(look, true)).await;
        let commit = self.env.commit();
        let job = Job {
            plan: &look.plan,
            desired: self.desired,
            known,
            observed,
            provider: self.provider,
            journal: self.journal,
            lock: held,
            run: &row,
            serial: known.serial + 1,
            commit: commit.as_deref(),
            options: ApplyOptions {
                parallelism: errand.parallelism,
            },
        };
        let mut report = Box::pin(apply::run(job, cancel, events)).await;
        // One of its own is newer, and nobody waits for the one before it.
        report
            .remarks
            .extend(left.filter(|_| report.release.is_none()));
        Ok(self.publish(look, errand, lineage, report).await)
    }

    /// Writes the state and settles the run in the journal.
    async fn publish(
        &self,
        look: &Look,
        errand: &Errand<'_>,
        lineage: &Lineage,
        report: Report,
    ) -> Ended {
        let next = self.next(look, errand, lineage, &report);
        let (state, spill) = if next == look.remembered.known {
            (StateOutcome::Unchanged, None)
        } else {
            self.write(look, errand, &next).await
        };
        let status = match &state {
            StateOutcome::Unchanged | StateOutcome::Written { .. } => RunStatus::Closed,
            StateOutcome::Unpublished { .. } => RunStatus::Unpublished,
        };
        // The state is what counts; a journal that cannot be written is no reason to fail now.
        let unmarked = self
            .settle(errand.run, look, status)
            .err()
            .map(|error| error.to_string());
        Ended {
            report,
            state,
            unmarked,
            spill,
        }
    }

    /// Marks the run; with it closed nothing is left of the ones before it, whose work it has taken over.
    fn settle(&self, run: &RunId, look: &Look, status: RunStatus) -> Result<(), JournalError> {
        self.journal.mark(run, status)?;
        if status != RunStatus::Closed {
            return Ok(());
        }
        let Some(observed) = &look.observed else {
            return Ok(());
        };
        for open in self.open_runs(&observed.description)? {
            self.journal.mark(&open.row.run, RunStatus::Closed)?;
        }
        Ok(())
    }

    /// What the state says now: whatever is certain, however the run ended.
    fn next(&self, look: &Look, errand: &Errand<'_>, lineage: &Lineage, report: &Report) -> Known {
        let outcome = match end(report, &StateOutcome::Unchanged, look) {
            RunOutcome::Complete => "complete",
            RunOutcome::Failed => "failed",
            RunOutcome::Overtaken => "overtaken",
            RunOutcome::Interrupted => "interrupted",
        };
        let facts = RunInfo {
            run: errand.run.clone(),
            lineage: lineage.clone(),
            at: self.env.now(),
            by: self.env.user(),
            command: errand.command.to_owned(),
            outcome: outcome.to_owned(),
            commit: self.env.commit(),
            parent: look.remembered.digest.clone(),
            plan: look.reviewed.as_ref().map(SavedPlan::digest),
            release: report.release.as_ref().map(|release| release.version),
        };
        next_state(
            &look.remembered.known,
            &look.plan,
            self.desired,
            &report.results,
            &facts,
        )
    }

    /// Writes it, or keeps a copy that `state push` publishes.
    async fn write(
        &self,
        look: &Look,
        errand: &Errand<'_>,
        next: &Known,
    ) -> (StateOutcome, Option<Spill>) {
        let text = state::write(next);
        let cause = match self.store.write(&text, &look.remembered.version).await {
            Ok(_) => {
                let (place, serial) = (self.store.place(), next.serial);
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
        match write_copy(errand.copies, &name, &text) {
            Ok(path) => (
                StateOutcome::Unpublished {
                    cause,
                    copy: path.display().to_string(),
                },
                None,
            ),
            Err(error) => {
                let spill = Spill {
                    cause: error.to_string(),
                    text,
                };
                (StateOutcome::Unpublished { cause, copy: name }, Some(spill))
            }
        }
    }
}

fn end(report: &Report, state: &StateOutcome, look: &Look) -> RunOutcome {
    RunReport {
        plan: &look.plan,
        results: &report.results,
        interrupted: report.interrupted,
        findings: &report.findings,
        remarks: &report.remarks,
        additions: &report.additions,
        overtaken: &report.overtaken,
        state,
        partial_rollout: None,
        next_command: None,
        program: "",
        verb: "",
    }
    .outcome()
}
