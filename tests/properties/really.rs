//! The emulated platform in process, on a clock that waits for nobody: plans are carried out by the real
//! executor.

use aeroform::apply::Cancel;
use aeroform::core::fleet::{Desired, Known, Observed};
use aeroform::core::plan::{Options, Outcome, Plan, check, plan};
use aeroform::observe::observe;
use tokio::runtime::{Builder, Runtime};

use crate::carried::{RunSpec, TestLock, carry_out};
use crate::edits::Machines;
use crate::memory_journal::MemoryJournal;
use crate::sim::SimProvider;

/// An app on the platform, and what the state knows of it.
pub(crate) struct RealRunFixture {
    runtime: Runtime,
    sim: SimProvider,
    known: Known,
    runs: u32,
}

impl RealRunFixture {
    /// A world in which this has been applied.
    pub(crate) fn with(desired: &Desired) -> Self {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let sim = SimProvider::new("seed");
        sim.world().add_app("shop");
        let mut world = Self {
            runtime,
            sim,
            known: Known::empty(desired.app.clone(), "sim"),
            runs: 0,
        };
        world.apply(desired);
        world
    }

    /// The Machines that are there.
    pub(crate) fn machines(&self) -> Machines {
        let mut machines = self.observed().machines;
        machines.retain(|_, machine| !machine.state.is_gone());
        machines
    }

    /// Applies, and sees that all of it is done and nothing is left to do.
    pub(crate) fn apply(&mut self, desired: &Desired) {
        let observed = self.observed();
        let planned = self.planned(desired, &observed);
        self.runs += 1;
        let lock = TestLock::held();
        let run_spec = RunSpec {
            number: self.runs,
            desired,
            known: &self.known,
            observed: &observed,
            provider: &self.sim,
            journal: &MemoryJournal::default(),
            lock: &lock,
            cancel: Cancel::never(),
            parallelism: 16,
        };
        let (ran, known) = self.runtime.block_on(carry_out(run_spec, planned));
        let outcomes = ran.report.results.iter().map(|result| &result.outcome);
        let undone: Vec<_> = outcomes.filter(|end| **end != Outcome::Done).collect();
        assert!(undone.is_empty(), "{undone:#?}");
        assert_eq!(ran.report.findings, [""; 0]);
        self.known = known;
        let again = self.planned(desired, &self.observed());
        assert!(again.is_empty(), "left: {:#?}", again.summary_lines());
    }

    fn observed(&self) -> Observed {
        let looked = observe(&self.sim, &self.known.app, &self.known);
        self.runtime.block_on(looked).unwrap()
    }

    fn planned(&self, desired: &Desired, observed: &Observed) -> Plan {
        let planned = plan(desired, &self.known, Some(observed), &Options::default());
        assert_eq!(check(&planned, desired, &self.known, Some(observed)), []);
        assert_eq!(planned.refusals, [], "{:#?}", planned.summary_lines());
        planned
    }
}
