//! The dispatcher: one task owns all state and handles signals, events and step results one after the other, so
//! that equal runs give equal events.

use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::apply_context::ApplyContext;
use super::cancel::Cancel;
use super::journal_recorder::JournalRecorder;
use super::release;
use super::rollback;
use super::rollback_cause::{rollback_cause, unswitched_cause};
use super::run_input::{Halt, Report, RunInput};
use super::schedule::{CreatePolicy, Schedule, Unstarted};
use super::steps::{run_step, undo};
use super::verify::{Verification, verify};
use crate::core::fleet::Machine;
use crate::core::fleet::schema::Service;
use crate::core::plan::way_back::{Rollback, UndoScope, merge};
use crate::core::plan::{Event, Outcome, StepEvent, StepId, StepResult, Work, additions};
use crate::journal::JournalError;

/// Executes the plan and verifies the result. Every outcome is in the report; the caller writes the state.
///
/// A crash leaves an open run in the journal and Machines with identifying names; a cancel leaves a result for
/// every step, including those not started. Dropping the future is a crash.
pub async fn run(job: RunInput<'_>, cancel: Cancel, events: &mut dyn FnMut(&Event)) -> Report {
    events(&Event::Started {
        run: job.run.run.clone(),
        app: job.plan.app.clone(),
        steps: job.plan.changes().count(),
    });
    let (sender, mut receiver) = unbounded_channel();
    let shared = ApplyContext::new(job, cancel, sender);
    let mut recorder = match JournalRecorder::begin(job.journal, job.run) {
        Ok(recorder) => Some(recorder),
        Err(error) => {
            shared.halt(journal_halt(&error));
            None
        }
    };
    let mut dispatcher = Dispatcher {
        shared: &shared,
        schedule: Schedule::new(job.plan),
        results: vec![None; job.plan.steps.len()],
        ended: Vec::new(),
        recorder: &mut recorder,
        receiver: &mut receiver,
        events,
        interrupted: false,
    };
    let release = dispatcher
        .forward_events_during(Box::pin(release::register(&shared)))
        .await;
    shared.release.borrow_mut().clone_from(&release);
    dispatcher.run_steps().await;
    let mut results = dispatcher.close_steps();
    let (rollback, not_back) = Box::pin(dispatcher.roll_back(&mut results)).await;
    dispatcher.close_journal();
    let verified = if shared.cancel.is_stopping() {
        Verification::default()
    } else if shared.is_halted() {
        Verification::skipped(&results)
    } else {
        dispatcher
            .forward_events_during(Box::pin(verify(&shared, &results)))
            .await
    };
    if shared.cancel.is_stopping() && !dispatcher.interrupted {
        dispatcher.interrupt();
    }
    for (step, change) in job.plan.changes() {
        let Some(result) = results.get_mut(step.0 as usize) else {
            continue;
        };
        let is_sent = change.action.sends_config() && !result.is_reverted();
        let machine = result.machine.as_ref().filter(|_| is_sent);
        let computed = machine.and_then(|machine| shared.additions.for_machine(&machine.id));
        result.computed = computed.map(Box::new);
    }
    for step in verified.went_down {
        results[step.0 as usize].went_down = true;
    }
    let steps = results.iter().flat_map(|result| &result.remarks);
    let remarks = steps.cloned().chain(verified.remarks).collect();
    let mut report = Report {
        additions: additions(job.known, job.plan, &results),
        results,
        interrupted: dispatcher.interrupted,
        findings: not_back.into_iter().chain(verified.findings).collect(),
        remarks,
        overtaken: verified.overtaken,
        release_not_ended: None,
        release,
        rollback,
        halted: shared.halt.borrow().clone(),
    };
    report.release_not_ended = Box::pin(release::end_release(&shared, &report)).await;
    report
}

fn journal_halt(error: &JournalError) -> Halt {
    Halt::Journal(error.to_string())
}

struct Dispatcher<'a, 'e, 'j> {
    shared: &'a ApplyContext<'a>,
    schedule: Schedule<'a>,
    results: Vec<Option<StepResult>>,
    /// The steps with a result, in the order in which they ended.
    ended: Vec<StepId>,
    recorder: &'e mut Option<JournalRecorder<'j>>,
    receiver: &'e mut UnboundedReceiver<Event>,
    events: &'e mut dyn FnMut(&Event),
    interrupted: bool,
}

impl Dispatcher<'_, '_, '_> {
    async fn run_steps(&mut self) {
        let shared = self.shared;
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(step) = self.next_step() {
                let Work::Change(change) = &shared.input.plan.steps[step.0 as usize].work else {
                    continue;
                };
                running.push(run_step(shared, step, change));
            }
            if running.is_empty() {
                return;
            }
            let due = self
                .recorder
                .as_ref()
                .and_then(JournalRecorder::next_commit_at);
            // While something is always ready, a timer created in each iteration would never fire.
            if due.is_some_and(|due| due <= Instant::now()) {
                self.commit();
                continue;
            }
            tokio::select! {
                biased;
                () = shared.cancel.stopping(), if !self.interrupted => self.interrupt(),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.commit();
                }
                Some(event) = self.receiver.recv() => self.forward(&event),
                Some((step, result)) = running.next() => self.step_ended(step, result),
            }
        }
    }

    fn next_step(&mut self) -> Option<StepId> {
        if !self.shared.input.lock.is_held() {
            self.shared.halt(Halt::LockLost);
        }
        let stopping = self.shared.cancel.is_stopping();
        if stopping || self.shared.halt.borrow().is_some() {
            self.schedule.halt();
        }
        let creates = if self.shared.create_queue_is_full() {
            CreatePolicy::Defer
        } else {
            CreatePolicy::Allow
        };
        let parallelism = self.shared.input.options.parallelism;
        let step = self.schedule.start(parallelism, creates)?;
        self.emit(step, StepEvent::Began);
        Some(step)
    }

    fn interrupt(&mut self) {
        self.interrupted = true;
        self.schedule.halt();
        let left = self.shared.open_work();
        (self.events)(&Event::Interrupted(left));
    }

    fn step_ended(&mut self, step: StepId, result: StepResult) {
        self.forward_events();
        self.shared.open_calls.borrow_mut().remove(&step);
        if let Some(recorder) = &mut self.recorder {
            recorder.record(step, &result);
        }
        let outcome = result.outcome.clone();
        if self.was_stopped(step, &result) {
            self.schedule.keep_place(step);
        }
        self.results[step.0 as usize] = Some(result);
        self.ended.push(step);
        if self.shared.rollback.is_some() && outcome != Outcome::Done {
            self.schedule.halt();
        }
        self.emit(step, StepEvent::Ended(outcome.clone()));
        let unstarted = self.schedule.finish(step, outcome);
        self.record_unstarted(unstarted);
    }

    /// Whether somebody stopped a Machine during its gate, which counts as done: it does not serve, so no other goes
    /// down in its place. What the proxy stops it starts again.
    fn was_stopped(&self, step: StepId, result: &StepResult) -> bool {
        let input = &self.shared.input;
        let Work::Change(change) = &input.plan.steps[step.0 as usize].work else {
            return false;
        };
        let Some(group) = input.desired.groups.get(&change.group) else {
            return false;
        };
        let mut services = group.template.services.iter().flatten();
        let rests = |machine: &Machine| {
            let requested = machine.last_exit().is_some_and(|exit| exit.requested);
            machine.state.is_inactive() && requested
        };
        result.outcome == Outcome::Done
            && change.gate.waits_for_start()
            && change.wake.is_none()
            && result.machine.as_ref().is_some_and(rests)
            && !services.any(Service::has_autostop)
    }

    fn record_unstarted(&mut self, mut unstarted: Unstarted) {
        unstarted.sort_by_key(|(step, _)| *step);
        for (step, outcome) in unstarted {
            let work = &self.shared.input.plan.steps[step.0 as usize].work;
            if matches!(work, Work::Change(_)) {
                self.emit(step, StepEvent::Ended(outcome));
            }
        }
    }

    fn commit(&mut self) {
        if let Some(Err(error)) = self.recorder.as_mut().map(JournalRecorder::commit) {
            self.shared.halt(journal_halt(&error));
        }
    }

    /// Undoes the run if a failure of its release asks for that, and adds the results. Returns the rollback, and
    /// what the verification of it found.
    async fn roll_back(&mut self, results: &mut [StepResult]) -> (Option<Rollback>, Vec<String>) {
        let shared = self.shared;
        let mut because = rollback_cause(shared, results);
        let mut scope = UndoScope::Run;
        if because.is_empty() {
            because = unswitched_cause(shared, results);
            scope = UndoScope::Greens;
        }
        let way = rollback::way_back(shared, results, (&self.ended, scope));
        let Some(way) = way.filter(|_| !because.is_empty()) else {
            return (None, Vec::new());
        };
        let first = rollback::first_step(shared);
        let begun = self.recorder.as_mut();
        let begun = begun.map(|recorder| recorder.begin_rollback(first, rollback::intent(&way)));
        if let Some(Err(error)) = begun {
            shared.halt(journal_halt(&error));
            return (None, Vec::new());
        }
        (self.events)(&rollback::begin_event(&way, results, &because));
        let back = &shared.for_rollback(&way);
        let events = &mut *self.events;
        let mut heard = |event: &Event| events(&rollback::undo_event(event, &way, first));
        let mut dispatcher = Dispatcher {
            shared: back,
            schedule: Schedule::new(&way.plan),
            results: vec![None; way.plan.steps.len()],
            ended: Vec::new(),
            recorder: &mut *self.recorder,
            receiver: &mut *self.receiver,
            events: &mut heard,
            interrupted: false,
        };
        dispatcher.run_steps().await;
        let undone = dispatcher.close_steps();
        let verified = rollback::verify(back, &undone);
        let found = dispatcher.forward_events_during(verified).await;
        self.interrupted |= dispatcher.interrupted;
        if let Some(why) = back.halt.borrow_mut().take() {
            shared.halt(why);
        }
        merge(results, &way, &undone);
        (Some(Rollback::of(&way, &undone, because)), found)
    }

    /// Writes the last batch.
    fn close_journal(&mut self) {
        if let Some(Err(error)) = self.recorder.take().map(JournalRecorder::close) {
            self.shared.halt(journal_halt(&error));
        }
    }

    /// Closes steps that were never started.
    fn close_steps(&mut self) -> Vec<StepResult> {
        if self.shared.cancel.is_stopping() && !self.interrupted {
            self.interrupt();
        }
        let unstarted = self.schedule.close();
        self.record_unstarted(unstarted);
        let results = std::mem::take(&mut self.results);
        let steps = self.shared.input.plan.steps.iter();
        steps
            .zip(results)
            .map(|(step, result)| result.unwrap_or_else(|| self.unstarted_result(step.id)))
            .collect()
    }

    fn unstarted_result(&self, step: StepId) -> StepResult {
        let outcome = self.schedule.outcome(step).cloned();
        let outcome = outcome.unwrap_or(Outcome::NotStarted);
        let work = &self.shared.input.plan.steps[step.0 as usize].work;
        StepResult {
            undone: undo::not_begun(self.shared, work, &outcome),
            ..StepResult::of(outcome)
        }
    }

    /// Forwards events while the future runs.
    async fn forward_events_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.receiver.recv() => (self.events)(&event),
                done = &mut work => {
                    self.forward_events();
                    return done;
                }
            }
        }
    }

    /// Forwards the events so far.
    fn forward_events(&mut self) {
        while let Ok(event) = self.receiver.try_recv() {
            self.forward(&event);
        }
    }

    fn forward(&mut self, event: &Event) {
        if let Event::Step {
            step,
            what: StepEvent::Created { .. },
        } = event
        {
            self.schedule.created(*step);
        }
        (self.events)(event);
    }

    fn emit(&mut self, step: StepId, what: StepEvent) {
        (self.events)(&Event::Step { step, what });
    }
}
