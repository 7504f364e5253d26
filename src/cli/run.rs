//! One run: the journal first, then the calls, then the state.

use std::pin::pin;
use std::time::Duration;

use super::session::{Look, Session};
use super::{Context, show};
use crate::apply::{self, ApplyOptions, CancelHandle, Halt, Job, Report};
use crate::core::fleet::{Known, Lineage, RunId};
use crate::core::plan::{RunFacts, SavedPlan, record};
use crate::core::state;
use crate::core::view::{RunEnd, RunReport, StateEnd, json};
use crate::journal::{Journal, RunRow, RunStatus};
use crate::provider::Provider;
use crate::store::{StateLock, write_copy};
use crate::ui::progress::Progress;
use crate::ui::{Exit, Failure, Signals, Stop};

/// How long calls in flight have after SIGTERM or SIGHUP: a supervisor or a CI runner that sends them
/// kills soon after.
const GRACE: Duration = Duration::from_secs(4);

/// Everything that a run needs; the lock is held.
pub(super) struct Run<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) session: &'a Session,
    pub(super) provider: &'a dyn Provider,
    pub(super) journal: &'a dyn Journal,
    pub(super) lock: &'a dyn StateLock,
    pub(super) look: &'a Look,
    pub(super) id: RunId,
    pub(super) command: &'static str,
    pub(super) parallelism: usize,
}

/// Carries the plan out, writes the state whatever came of it, and reports.
pub(super) async fn run(signals: &mut Signals, run: &Run<'_>) -> Result<Exit, Failure> {
    let (Some(lineage), Some(_)) = (&run.look.plan.lineage, &run.look.observed) else {
        return Err(Failure::bug(
            "a plan that was made offline cannot be carried out",
        ));
    };
    let report = run.calls(signals, lineage).await;
    let state = run.publish(&report, lineage).await;
    let again = format!("aeroform {}", run.command);
    let told = run.told(&report, &state, &again);
    run.say(&report, &told);
    Ok(match told.end() {
        RunEnd::Complete => Exit::Done,
        RunEnd::Failed => Exit::Incomplete,
        RunEnd::Interrupted => Exit::Interrupted,
    })
}

impl Run<'_> {
    async fn calls(&self, signals: &mut Signals, lineage: &Lineage) -> Report {
        let (env, ui) = (self.context.env, self.context.ui);
        let row = RunRow {
            run: self.id.clone(),
            lineage: lineage.clone(),
            serial: self.look.remembered.known.serial,
            at: env.now(),
            by: env.user(),
            command: self.command.to_owned(),
            plan: SavedPlan::of(&self.look.plan).text(),
        };
        let (handle, cancel) = CancelHandle::new();
        let commit = env.commit();
        let job = Job {
            plan: &self.look.plan,
            desired: &self.session.desired,
            known: &self.look.remembered.known,
            observed: self
                .look
                .observed
                .as_ref()
                .expect("only an online plan comes here"),
            provider: self.provider,
            journal: self.journal,
            lock: self.lock,
            run: &row,
            serial: self.look.remembered.known.serial + 1,
            commit: commit.as_deref(),
            options: ApplyOptions {
                parallelism: self.parallelism,
            },
        };
        let mut progress = Progress::new(ui, &self.look.plan);
        let mut events = |event: &_| {
            if ui.json()
                && let Some(line) = json::apply::event(&self.look.plan, event)
            {
                ui.document(&line);
            }
            progress.event(event);
        };
        let mut work = pin!(apply::run(job, cancel, &mut events));
        let mut stopped = false;
        loop {
            tokio::select! {
                report = &mut work => break report,
                stop = signals.next() => {
                    let patient = stop == Stop::Interrupt && ui.streams().can_ask();
                    if patient && stopped {
                        handle.now();
                    } else {
                        handle.stop((!patient).then_some(GRACE));
                    }
                    stopped = true;
                }
            }
        }
    }

    /// Writes the state and settles the run in the journal.
    async fn publish(&self, report: &Report, lineage: &Lineage) -> StateEnd {
        let next = self.next(report, lineage);
        let state = if next == self.look.remembered.known {
            StateEnd::Unchanged
        } else {
            self.write(&next).await
        };
        let status = match &state {
            StateEnd::Unchanged | StateEnd::Written { .. } => RunStatus::Closed,
            StateEnd::Unpublished { .. } => RunStatus::Unpublished,
        };
        // The state is what counts; a journal that cannot be written is no reason to fail now.
        if let Err(error) = self.journal.mark(&self.id, status) {
            self.context.ui.warn(&error.to_string());
        }
        state
    }

    /// What the state says now: whatever is certain, however the run ended.
    fn next(&self, report: &Report, lineage: &Lineage) -> Known {
        let env = self.context.env;
        let outcome = match self.told(report, &StateEnd::Unchanged, "").end() {
            RunEnd::Complete => "complete",
            RunEnd::Failed => "failed",
            RunEnd::Interrupted => "interrupted",
        };
        let facts = RunFacts {
            run: self.id.clone(),
            lineage: lineage.clone(),
            at: env.now(),
            by: env.user(),
            command: self.command.to_owned(),
            outcome: outcome.to_owned(),
            commit: env.commit(),
            parent: self.look.remembered.digest.clone(),
        };
        let (known, plan) = (&self.look.remembered.known, &self.look.plan);
        record(known, plan, &self.session.desired, &report.results, &facts)
    }

    /// Writes it, or keeps a copy that `state push` publishes.
    async fn write(&self, next: &Known) -> StateEnd {
        let (store, text) = (&self.session.store, state::write(next));
        let cause = match store.write(&text, &self.look.remembered.version).await {
            Ok(_) => {
                return StateEnd::Written {
                    place: store.place(),
                    serial: next.serial,
                };
            }
            Err(error) => error.to_string(),
        };
        let name = format!("{}.unpublished.json", next.app);
        match write_copy(&self.session.state_folder, &name, &text) {
            Ok(path) => StateEnd::Unpublished {
                cause,
                copy: path.display().to_string(),
            },
            Err(error) => {
                // Standard error is the last place that is left.
                self.context
                    .ui
                    .warn(&format!("no copy of the state could be kept: {error}"));
                self.context.ui.talk(&text);
                StateEnd::Unpublished { cause, copy: name }
            }
        }
    }

    fn told<'r>(
        &'r self,
        report: &'r Report,
        state: &'r StateEnd,
        again: &'r str,
    ) -> RunReport<'r> {
        RunReport {
            plan: &self.look.plan,
            results: &report.results,
            interrupted: report.interrupted,
            findings: &report.findings,
            state,
            again,
        }
    }

    fn say(&self, report: &Report, told: &RunReport<'_>) {
        let ui = self.context.ui;
        for remark in &report.remarks {
            ui.say(&format!("note: {remark}"));
        }
        match &report.halted {
            None => {}
            Some(Halt::LockLost) => ui.warn("nothing more was started: the state's lock was lost"),
            Some(Halt::Journal(why) | Halt::Provider(why)) => {
                ui.warn(&format!("nothing more was started: {why}"));
            }
        }
        show::report(ui, told);
    }
}
