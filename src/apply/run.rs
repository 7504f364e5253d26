//! The dispatcher: one task that owns all state and takes signals, events and ends of steps one after
//! another, so that the same run gives the same events in the same order.

use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::cancel::Cancel;
use super::job::{Halt, Job, Report};
use super::record::Recorder;
use super::release;
use super::schedule::{Creates, Schedule, Unstarted};
use super::shared::Shared;
use super::steps::carry_out;
use super::verify::{Verified, verify};
use crate::core::plan::{Event, Outcome, StepEvent, StepId, StepResult, Work, additions};
use crate::journal::JournalError;

/// Carries out the plan and verifies what it did. Every end is in the report; the state is the
/// caller's to write.
///
/// A crash leaves an open run in the journal and Machines whose names say what they are for; a cancel
/// leaves results for every step, those that were not begun included. Dropping the future is a crash.
pub async fn run(job: Job<'_>, cancel: Cancel, events: &mut dyn FnMut(&Event)) -> Report {
    events(&Event::Started {
        run: job.run.run.clone(),
        app: job.plan.app.clone(),
        steps: job.plan.changes().count(),
    });
    let (sender, receiver) = unbounded_channel();
    let shared = Shared::new(job, cancel, sender);
    let recorder = match Recorder::begin(job.journal, job.run) {
        Ok(recorder) => Some(recorder),
        Err(error) => {
            shared.halt(unwritten(&error));
            None
        }
    };
    let mut desk = Desk {
        shared: &shared,
        schedule: Schedule::new(job.plan),
        results: vec![None; job.plan.steps.len()],
        recorder,
        receiver,
        events,
        interrupted: false,
    };
    let release = desk.listening(Box::pin(release::register(&shared))).await;
    shared.release.borrow_mut().clone_from(&release);
    desk.carry_out_all().await;
    let mut results = desk.close();
    let verified = if shared.cancel.is_stopping() {
        Verified::default()
    } else if shared.halt_reached() {
        Verified::nothing(&results)
    } else {
        desk.listening(Box::pin(verify(&shared, &results))).await
    };
    if shared.cancel.is_stopping() && !desk.interrupted {
        desk.interrupt();
    }
    for (step, change) in job.plan.changes() {
        let Some(result) = results.get_mut(step.0 as usize) else {
            continue;
        };
        let machine = result
            .machine
            .as_ref()
            .filter(|_| change.action.sends_config());
        let filled = machine.and_then(|machine| shared.echo.of_machine(&machine.id));
        result.filled = filled.map(Box::new);
    }
    for step in verified.went_down {
        results[step.0 as usize].went_down = true;
    }
    let steps = results.iter().flat_map(|result| &result.remarks);
    let remarks = steps.cloned().chain(verified.remarks).collect();
    let mut report = Report {
        additions: additions(job.known, job.plan, &results),
        results,
        interrupted: desk.interrupted,
        findings: verified.findings,
        remarks,
        overtaken: verified.overtaken,
        unended: None,
        release,
        halted: shared.halt.borrow().clone(),
    };
    report.unended = Box::pin(release::end(&shared, &report)).await;
    report
}

fn unwritten(error: &JournalError) -> Halt {
    Halt::Journal(error.to_string())
}

struct Desk<'a, 'e> {
    shared: &'a Shared<'a>,
    schedule: Schedule<'a>,
    results: Vec<Option<StepResult>>,
    recorder: Option<Recorder<'a>>,
    receiver: UnboundedReceiver<Event>,
    events: &'e mut dyn FnMut(&Event),
    interrupted: bool,
}

impl Desk<'_, '_> {
    async fn carry_out_all(&mut self) {
        let shared = self.shared;
        let mut running = FuturesUnordered::new();
        loop {
            while let Some(step) = self.next_step() {
                let Work::Change(change) = &shared.job.plan.steps[step.0 as usize].work else {
                    continue;
                };
                running.push(carry_out(shared, step, change));
            }
            if running.is_empty() {
                return;
            }
            let due = self.recorder.as_ref().and_then(Recorder::due);
            // As long as something is always ready, a timer that is made anew each time never gets its turn.
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
                Some(event) = self.receiver.recv() => (self.events)(&event),
                Some((step, result)) = running.next() => self.ended(step, result),
            }
        }
    }

    fn next_step(&mut self) -> Option<StepId> {
        if !self.shared.job.lock.is_held() {
            self.shared.halt(Halt::LockLost);
        }
        let stopping = self.shared.cancel.is_stopping();
        if stopping || self.shared.halt.borrow().is_some() {
            self.schedule.halt();
        }
        let creates = if self.shared.line_is_long() {
            Creates::Later
        } else {
            Creates::Now
        };
        let parallelism = self.shared.job.options.parallelism;
        let step = self.schedule.start(parallelism, creates)?;
        self.say(step, StepEvent::Began);
        Some(step)
    }

    fn interrupt(&mut self) {
        self.interrupted = true;
        self.schedule.halt();
        let left = self.shared.left_open();
        (self.events)(&Event::Interrupted(left));
    }

    fn ended(&mut self, step: StepId, result: StepResult) {
        self.pass_on();
        self.shared.sent.borrow_mut().remove(&step);
        if let Some(recorder) = &mut self.recorder {
            recorder.note(step, &result);
        }
        let outcome = result.outcome.clone();
        self.results[step.0 as usize] = Some(result);
        self.say(step, StepEvent::Ended(outcome.clone()));
        let unstarted = self.schedule.finish(step, outcome);
        self.unstarted(unstarted);
    }

    fn unstarted(&mut self, mut unstarted: Unstarted) {
        unstarted.sort_by_key(|(step, _)| *step);
        for (step, outcome) in unstarted {
            let work = &self.shared.job.plan.steps[step.0 as usize].work;
            if matches!(work, Work::Change(_)) {
                self.say(step, StepEvent::Ended(outcome));
            }
        }
    }

    fn commit(&mut self) {
        if let Some(Err(error)) = self.recorder.as_mut().map(Recorder::commit) {
            self.shared.halt(unwritten(&error));
        }
    }

    /// Settles what was never started and writes the last batch.
    fn close(&mut self) -> Vec<StepResult> {
        if self.shared.cancel.is_stopping() && !self.interrupted {
            self.interrupt();
        }
        let unstarted = self.schedule.close();
        self.unstarted(unstarted);
        if let Some(Err(error)) = self.recorder.take().map(Recorder::close) {
            self.shared.halt(unwritten(&error));
        }
        let results = std::mem::take(&mut self.results);
        let steps = self.shared.job.plan.steps.iter();
        steps
            .zip(results)
            .map(|(step, result)| result.unwrap_or_else(|| self.without_work(step.id)))
            .collect()
    }

    fn without_work(&self, step: StepId) -> StepResult {
        let outcome = self.schedule.outcome(step).cloned();
        StepResult {
            outcome: outcome.unwrap_or(Outcome::NotStarted),
            machine: None,
            sent: None,
            updated: false,
            replace_fallback: None,
            filled: None,
            remarks: Vec::new(),
            went_down: false,
        }
    }

    /// Passes on what is said while this goes on.
    async fn listening<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.receiver.recv() => (self.events)(&event),
                done = &mut work => {
                    self.pass_on();
                    return done;
                }
            }
        }
    }

    /// Passes on what steps have said up to now.
    fn pass_on(&mut self) {
        while let Ok(event) = self.receiver.try_recv() {
            (self.events)(&event);
        }
    }

    fn say(&mut self, step: StepId, what: StepEvent) {
        (self.events)(&Event::Step { step, what });
    }
}
