//! A world with an app in it, and runs of the real planner and executor over it.

use std::collections::BTreeSet;
use std::time::Duration;

use aeroform::apply::Cancel;
use aeroform::core::fleet::{Call, Desired, DesiredGroup, Known, Observed};
use aeroform::core::plan::{Event, Options, Outcome, Plan, StepEvent, StepId, check, plan};
use aeroform::observe::{observe, observe_for};
use aeroform::provider::Provider as _;
use serde_json::{Value, json};

pub(crate) use crate::carried::ExecutedRun;
use crate::carried::{RunSpec, TestLock, carry_out};
use crate::memory_journal::MemoryJournal;
use crate::sim::SimProvider;
use crate::support::{self, GroupBuilder, group};

pub(crate) struct ExecutorFixture {
    pub(crate) sim: SimProvider,
    pub(crate) known: Known,
    pub(crate) runs: u32,
    pub(crate) journal: MemoryJournal,
    pub(crate) lock: TestLock,
    pub(crate) cancel: Cancel,
    pub(crate) parallelism: usize,
}

impl ExecutorFixture {
    pub(crate) fn new() -> Self {
        let sim = SimProvider::new("seed");
        sim.world().add_app("shop");
        let app = support::desired([]).app;
        Self {
            sim,
            known: Known::empty(app, "sim"),
            runs: 0,
            journal: MemoryJournal::default(),
            lock: TestLock::held(),
            cancel: Cancel::never(),
            parallelism: 16,
        }
    }

    pub(crate) async fn observed(&self) -> Observed {
        observe(&self.sim, &self.known.app, &self.known)
            .await
            .unwrap()
    }

    pub(crate) async fn plan(&self, desired: &Desired) -> (Plan, Observed) {
        let observed = observe_for(&self.sim, desired, &self.known).await.unwrap();
        let planned = plan(desired, &self.known, Some(&observed), &Options::default());
        assert_eq!(check(&planned, desired, &self.known, Some(&observed)), []);
        assert_eq!(planned.refusals, []);
        (planned, observed)
    }

    pub(crate) async fn apply(&mut self, desired: &Desired) -> ExecutedRun {
        let (planned, observed) = self.plan(desired).await;
        self.carry_out(desired, planned, &observed).await
    }

    pub(crate) async fn carry_out(
        &mut self,
        desired: &Desired,
        planned: Plan,
        observed: &Observed,
    ) -> ExecutedRun {
        self.runs += 1;
        let run_spec = RunSpec {
            number: self.runs,
            desired,
            known: &self.known,
            observed,
            provider: &self.sim,
            journal: &self.journal,
            lock: &self.lock,
            cancel: self.cancel.clone(),
            parallelism: self.parallelism,
        };
        let (ran, next) = carry_out(run_spec, planned).await;
        self.known = next;
        ran
    }

    /// Applies, and sees that everything is done, verified, and nothing is left to do.
    pub(crate) async fn apply_until_settled(&mut self, desired: &Desired) -> ExecutedRun {
        let ran = self.apply(desired).await;
        ran.assert_complete();
        self.assert_settled(desired).await;
        ran
    }

    pub(crate) async fn assert_settled(&self, desired: &Desired) {
        let (again, _) = self.plan(desired).await;
        assert!(
            again.is_empty(),
            "planned again: {:#?}",
            again.summary_lines()
        );
    }

    pub(crate) fn machines(&self) -> Vec<Value> {
        self.sim.world().operator("shop").machines()
    }

    pub(crate) fn id(&self, at: usize) -> String {
        self.machines()[at]["id"].as_str().unwrap().to_owned()
    }

    /// Somebody destroys this Machine, which takes so long.
    pub(crate) async fn begin_destroy(&self, id: &str, takes: Duration) {
        self.sim.world().timings.destroy = takes;
        let id = support::id(id);
        let call = Call::Destroy { id, force: true };
        self.sim.call(&self.known.app, &call).await.unwrap();
    }

    pub(crate) fn states(&self) -> Vec<String> {
        let state = |machine: &Value| machine["state"].as_str().unwrap().to_owned();
        self.machines().iter().map(state).collect()
    }

    pub(crate) fn assert_one_machine_per_name(&self, count: usize) {
        let mut machines = self.machines();
        machines.retain(|machine| machine["state"] != "destroying");
        let names: BTreeSet<&str> = machines
            .iter()
            .map(|machine| machine["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            (machines.len(), names.len()),
            (count, count),
            "{machines:#?}"
        );
    }
}

impl ExecutedRun {
    pub(crate) fn assert_complete(&self) {
        let bad: Vec<_> = self
            .report
            .results
            .iter()
            .filter(|result| result.outcome != Outcome::Done)
            .collect();
        assert!(bad.is_empty(), "{bad:#?}");
        assert_eq!(self.report.findings, [""; 0]);
        assert_eq!(self.report.remarks, [""; 0]);
        assert_eq!(
            (self.report.interrupted, &self.report.halted),
            (false, &None)
        );
    }

    pub(crate) fn outcome(&self, step: StepId) -> &Outcome {
        &self.report.results[step.0 as usize].outcome
    }

    /// Outcomes of the changes, in order of steps.
    pub(crate) fn outcomes(&self) -> Vec<&'static str> {
        self.plan
            .changes()
            .map(|(step, _)| outcome_name(self.outcome(step)))
            .collect()
    }

    /// The code and message of the first failure.
    pub(crate) fn failure(&self) -> (String, String) {
        let failed = self
            .report
            .results
            .iter()
            .find_map(|result| match &result.outcome {
                Outcome::Failed { code, message, .. } => Some((code.clone(), message.clone())),
                _ => None,
            });
        failed.unwrap_or_else(|| panic!("nothing failed: {:#?}", self.outcomes()))
    }

    /// What was waited for, in order.
    pub(crate) fn waits(&self) -> Vec<&str> {
        let on = |event| match event {
            &Event::Step {
                what: StepEvent::Waiting { ref on, .. },
                ..
            } => Some(on.as_str()),
            _ => None,
        };
        self.events.iter().filter_map(on).collect()
    }

    /// Most steps of this pool that were under way at once, and at the time of the first end.
    pub(crate) fn max_concurrency(&self, pool: &str) -> (usize, usize) {
        let of_pool = |step: StepId| {
            let pools = &self.plan.pools;
            self.plan.steps[step.0 as usize]
                .pool
                .is_some_and(|id| pools[id.0 as usize].name == pool)
        };
        let (mut now, mut most, mut before_first_end) = (0, 0, None);
        for event in &self.events {
            match event {
                Event::Step {
                    step,
                    what: StepEvent::Began,
                } if of_pool(*step) => {
                    now += 1;
                    most = most.max(now);
                }
                Event::Step {
                    step,
                    what: StepEvent::Ended(_),
                } if of_pool(*step) => {
                    before_first_end.get_or_insert(most);
                    now -= 1;
                }
                _ => {}
            }
        }
        (most, before_first_end.unwrap_or(0))
    }
}

pub(crate) fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed { .. } => "failed",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Skipped { .. } => "skipped",
        Outcome::NotStarted => "not started",
    }
}

pub(crate) fn web(count: u32) -> DesiredGroup {
    group("web")
        .count(count)
        .serves()
        .config(json!({"image": "shop:1"}))
}

pub(crate) fn worker(count: u32) -> DesiredGroup {
    group("worker")
        .count(count)
        .config(json!({"image": "shop:1"}))
}

pub(crate) fn checked(group: DesiredGroup) -> DesiredGroup {
    group.config(json!({"checks": {"alive": {"type": "http", "port": 8080, "path": "/"}}}))
}

pub(crate) fn image(group: DesiredGroup, image: &str) -> DesiredGroup {
    group.config(json!({"image": image}))
}
