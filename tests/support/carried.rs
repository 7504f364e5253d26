//! One run of the real executor: as whom, and what the state says afterwards.

#![allow(dead_code, reason = "each binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aeroform::apply::{self, ApplyOptions, Cancel, Report, RunInput};
use aeroform::core::fleet::{Desired, Known, Lineage, Observed, RunId};
use aeroform::core::plan::{Event, Plan, RunInfo, next_state};
use aeroform::journal::{Journal, RunRow};
use aeroform::provider::Provider;
use aeroform::store::{StateLock, StoreError};

/// The state's lock, held until a test takes it away.
#[derive(Clone)]
pub(crate) struct TestLock(pub(crate) Arc<AtomicBool>);

impl TestLock {
    pub(crate) fn held() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

#[async_trait::async_trait]
impl StateLock for TestLock {
    fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What is carried out, and with what.
pub(crate) struct RunSpec<'a> {
    /// Which run it is, from 1.
    pub(crate) number: u32,
    pub(crate) desired: &'a Desired,
    pub(crate) known: &'a Known,
    pub(crate) observed: &'a Observed,
    pub(crate) provider: &'a dyn Provider,
    pub(crate) journal: &'a dyn Journal,
    pub(crate) lock: &'a dyn StateLock,
    pub(crate) cancel: Cancel,
    pub(crate) parallelism: usize,
}

pub(crate) struct ExecutedRun {
    pub(crate) plan: Plan,
    pub(crate) report: Report,
    pub(crate) events: Vec<Event>,
}

/// Carries it out; the state that follows stands beside what came of it.
pub(crate) async fn carry_out(run_spec: RunSpec<'_>, plan: Plan) -> (ExecutedRun, Known) {
    let lineage = &run_spec.observed.description.scope;
    let run = run_row(
        run_spec.number,
        lineage,
        run_spec.known.serial,
        String::new(),
    );
    let desired = plan
        .requested
        .override_desired(Cow::Borrowed(run_spec.desired));
    let job = RunInput {
        plan: &plan,
        desired: &desired,
        known: run_spec.known,
        observed: run_spec.observed,
        provider: run_spec.provider,
        journal: run_spec.journal,
        lock: run_spec.lock,
        run: &run,
        serial: run_spec.known.serial + 1,
        commit: None,
        options: ApplyOptions {
            parallelism: run_spec.parallelism,
        },
    };
    let mut events = Vec::new();
    let mut note = |event: &Event| events.push(event.clone());
    let report = Box::pin(apply::run(job, run_spec.cancel, &mut note)).await;
    let next = next_state(
        run_spec.known,
        &plan,
        run_spec.desired,
        &report.results,
        &RunInfo {
            release: report.ended_release(&plan),
            ..run_facts(&run)
        },
    );
    let ran = ExecutedRun {
        plan,
        report,
        events,
    };
    (ran, next)
}

/// The run of that number, as the journal has it.
pub(crate) fn run_row(number: u32, lineage: &Lineage, serial: u64, plan: String) -> RunRow {
    RunRow {
        run: RunId::new(format!("run{number}")).unwrap(),
        lineage: lineage.clone(),
        serial,
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        plan,
    }
}

/// The same run, as the state has it.
pub(crate) fn run_facts(run: &RunRow) -> RunInfo {
    RunInfo {
        run: run.run.clone(),
        lineage: run.lineage.clone(),
        at: run.at.clone(),
        by: run.by.clone(),
        command: run.command.clone(),
        outcome: "complete".to_owned(),
        commit: None,
        url: None,
        parent: None,
        plan: None,
        release: None,
    }
}
