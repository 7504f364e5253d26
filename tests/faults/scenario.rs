//! A plan that is about to be applied, and one life of a process that applies it: look, lock, look
//! again, do, publish, let go; what the program does, without its operator.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use aeroform::apply::CancelHandle;
use aeroform::core::fleet::{AppName, Desired, Known};
use aeroform::core::plan::RunOutcome;
use aeroform::core::plan::{Note, Options, Plan};
use aeroform::core::state;
use aeroform::emulator::world::{LoggedCall, World};
use aeroform::env::Env;
use aeroform::run::{Preview, RunContext, RunRequest, RunResult, StoredState};
use aeroform::store::{Holder, StateStore};
use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use crate::gallery::PlanScenario;
use crate::invariants::{AvailabilityGuard, AvailabilityWatch, FleetSummary};
use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::process::{FaultPoint, Process, ProcessCounts, ProcessFault};
use crate::sim::SimProvider;

/// Longer than any run of the gallery; one that takes longer hangs.
const HANG_TIMEOUT: Duration = Duration::from_secs(100_000);
/// Each of the two waits of a swap: longer than a Machine that crashes late stays up after its gate.
const SWAP_WAIT_MS: u64 = 4_000;
/// What is found where nothing went wrong although it was to.
pub(crate) const FAULT_NOT_FIRED: &str = "what was to go wrong did not";
/// How often a case is played whose fault did not fire.
const MAX_PLAYS: usize = 3;

/// What is wrong with a case. The clock counts in whole milliseconds, so a last look may come in one play and not in
/// another: such a moment has more tries.
pub(crate) async fn played(play: impl AsyncFn() -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..MAX_PLAYS {
        found = match AssertUnwindSafe(play()).catch_unwind().await {
            Ok(found) => found,
            Err(_) => vec!["it panicked".to_owned()],
        };
        if !found.iter().any(|finding| finding == FAULT_NOT_FIRED) {
            break;
        }
    }
    found
}
/// After so long nothing changes by itself any more.
pub(crate) const SETTLE_TIME: Duration = Duration::from_secs(120);

/// How a process came to its end.
#[derive(Debug)]
pub(crate) enum ProcessOutcome {
    /// Nothing was to be done.
    Idle,
    /// It died.
    Died,
    /// It was stopped before it began.
    StoppedEarly,
    /// It did not begin, and why.
    #[expect(dead_code, reason = "Debug shows it when a case fails")]
    Refused(String),
    /// It carried out its plan to some end.
    Ran(Box<CompletedRun>),
}

#[derive(Debug)]
pub(crate) struct CompletedRun {
    pub(crate) plan: Plan,
    pub(crate) ended: RunResult,
    pub(crate) end: RunOutcome,
}

/// What is there between two processes: the world, the state, the journal.
pub(crate) struct DurableState {
    pub(crate) sim: SimProvider,
    pub(crate) store: MemoryStore,
    pub(crate) journal: MemoryJournal,
    env: Env,
}

/// A plan of the gallery that is about to be applied, and what comes of it when nothing goes wrong.
pub(crate) struct FaultScenario {
    pub(crate) scenario: PlanScenario,
    sim: SimProvider,
    text: Option<String>,
    pub(crate) counts: ProcessCounts,
    pub(crate) log: Vec<LoggedCall>,
    pub(crate) fleet: FleetSummary,
}

impl ProcessOutcome {
    /// Whether it reports success.
    pub(crate) fn is_success(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Ran(ran) => ran.end == RunOutcome::Complete,
            Self::Died | Self::StoppedEarly | Self::Refused(_) => false,
        }
    }
}

fn env(seed: &str) -> Env {
    let vars = [
        ("AEROFORM_TEST_TIME", "2026-01-01T00:00:00Z"),
        ("AEROFORM_TEST_SEED", seed),
        ("USER", "ana"),
    ];
    let vars = vars.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Env::from_vars(BTreeMap::from(vars))
}

fn holder() -> Holder {
    Holder {
        who: "ana".to_owned(),
        host: "desk".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        run: None,
        url: None,
    }
}

impl FaultScenario {
    /// Brings a world to where the chapter begins, and applies it once undisturbed.
    pub(crate) async fn of(chapter: PlanScenario) -> Self {
        let durable = DurableState {
            sim: SimProvider::new(chapter.name).with_swap_wait(SWAP_WAIT_MS),
            store: MemoryStore::default(),
            journal: MemoryJournal::default(),
            env: env("before"),
        };
        durable.sim.world().add_app("shop");
        // On every second plan the platform shows its defaults in what was sent without them.
        let seed = chapter.name.bytes().map(usize::from).sum::<usize>();
        durable.sim.world().fills_in = seed.is_multiple_of(2);
        let name = chapter.name;
        (chapter.world)(&mut durable.sim.world());
        if !chapter.before.groups.is_empty() {
            let options = Options::default();
            let life = durable.run_process(
                &chapter.before,
                &options,
                None,
                AvailabilityWatch::default(),
            );
            let (life, _) = life.await;
            assert!(life.is_success(), "{name}, before: {life:#?}");
        }
        sleep(SETTLE_TIME).await;
        let app = chapter.after.app.clone();
        let mut known = durable.known(&app).await;
        let mut chapter = chapter;
        let hand = chapter.meanwhile;
        hand(&mut durable.sim.world(), &mut known, &mut chapter.after);
        let text = (known.serial > 0).then(|| state::write(&known));
        let mut scene = Self {
            scenario: chapter,
            sim: durable.sim,
            text,
            counts: ProcessCounts::default(),
            log: Vec::new(),
            fleet: FleetSummary::default(),
        };
        scene.record_baseline().await;
        scene
    }

    async fn record_baseline(&mut self) {
        let durable = self.durable_state();
        let (life, done, findings) = self.run_case(&durable, None).await;
        let name = self.scenario.name;
        assert!(
            matches!(&life, ProcessOutcome::Ran(_)) && life.is_success(),
            "{name}: {life:#?}"
        );
        assert_eq!(findings, [""; 0], "{name}");
        let log = durable.sim.world().log().to_vec();
        let (fleet, left) = self.apply_until_settled(&durable).await;
        assert_eq!(left, [""; 0], "{name}");
        (self.counts, self.log, self.fleet) = (done, log, fleet);
    }

    /// The place as it is when the chapter begins, with a journal that knows nothing.
    pub(crate) fn durable_state(&self) -> DurableState {
        let sim = self.sim.fork();
        sim.world().clear_log();
        DurableState {
            sim,
            store: match &self.text {
                Some(text) => MemoryStore::with_text(text),
                None => MemoryStore::default(),
            },
            journal: MemoryJournal::default(),
            env: env("after"),
        }
    }

    /// One process that applies the chapter; how it ended, what it did, and which invariants broke.
    pub(crate) async fn run_case(
        &self,
        durable: &DurableState,
        blow: Option<(FaultPoint, ProcessFault)>,
    ) -> (ProcessOutcome, ProcessCounts, Vec<String>) {
        self.run_case_with(durable, blow, &self.scenario.guards)
            .await
    }

    /// The same under other promises than the chapter's own.
    pub(crate) async fn run_case_with(
        &self,
        durable: &DurableState,
        blow: Option<(FaultPoint, ProcessFault)>,
        guards: &[AvailabilityGuard],
    ) -> (ProcessOutcome, ProcessCounts, Vec<String>) {
        let watch = AvailabilityWatch::over(guards);
        let (life, process) = durable
            .run_process(&self.scenario.after, &self.scenario.options, blow, watch)
            .await;
        let done = process.done();
        let fired = blow.is_none() || process.fired();
        let mut findings = process.guard_watch.into_inner().unwrap().findings;
        if !fired {
            findings.push(FAULT_NOT_FIRED.to_owned());
        }
        (life, done, findings)
    }

    /// Every host answers again that answered when the chapter began.
    pub(crate) fn bring_hosts_back(&self, durable: &DurableState) {
        let silent = |sim: &SimProvider| {
            let mut machines = sim.world().operator("shop").machines();
            machines.retain(|machine| machine["host_status"] != "ok");
            let ids = machines
                .into_iter()
                .map(|machine| machine["id"].to_string());
            ids.map(|id| id.trim_matches('"').to_owned()).collect()
        };
        let before: Vec<String> = silent(&self.sim);
        let now: Vec<String> = silent(&durable.sim);
        for id in now.iter().filter(|id| !before.contains(id)) {
            durable
                .sim
                .world()
                .operator("shop")
                .set_host_unreachable(id, false);
        }
    }

    /// The fleet once nothing changes by itself any more, and what is left to be done although it
    /// should be as wanted.
    pub(crate) async fn apply_until_settled(
        &self,
        durable: &DurableState,
    ) -> (FleetSummary, Vec<String>) {
        sleep(SETTLE_TIME).await;
        let app = &self.scenario.after.app;
        let fleet = FleetSummary::of(&durable.sim, &durable.known(app).await);
        let run_context = durable.run_context(&self.scenario.after);
        let preview = match run_context.preview(&self.scenario.options).await {
            Ok(preview) => preview,
            Err(error) => return (fleet, vec![format!("cannot look: {error}")]),
        };
        let mut left = preview.plan.summary_lines();
        if preview.plan.is_empty() {
            left.clear();
        }
        left.extend(note_texts(&preview.plan.refusals));
        left.extend(preview.open_runs.iter().map(|open| {
            let (run, status) = (&open.row.run, open.status);
            format!("the journal still shows run {run} as {status:?}")
        }));
        (fleet, left)
    }
}

impl DurableState {
    pub(crate) async fn known(&self, app: &AppName) -> Known {
        let remembered = StoredState::read(&self.store, app, "test").await;
        remembered.expect("the state can be read").known
    }

    fn run_context<'a>(&'a self, desired: &'a Desired) -> RunContext<'a> {
        RunContext {
            desired,
            provider: &self.sim,
            store: &self.store,
            journal: &self.journal,
            env: &self.env,
            commits: &aeroform::run::NoCommits,
        }
    }

    /// One life of a process, from its first look to its last word or its death. What dies with a
    /// process is gone afterwards, its lock included.
    pub(crate) async fn run_process(
        &self,
        desired: &Desired,
        options: &Options,
        blow: Option<(FaultPoint, ProcessFault)>,
        watch: AvailabilityWatch,
    ) -> (ProcessOutcome, Process) {
        self.run_process_beside(desired, options, blow, watch, None)
            .await
    }

    /// The same, with others who do something when a rollback begins.
    pub(crate) async fn run_process_beside(
        &self,
        desired: &Desired,
        options: &Options,
        blow: Option<(FaultPoint, ProcessFault)>,
        watch: AvailabilityWatch,
        on_rollback: Option<fn(&mut World)>,
    ) -> (ProcessOutcome, Process) {
        let (handle, cancel) = CancelHandle::new();
        let mut process = Process::new(&self.sim, &self.store, &self.journal, blow, handle, watch);
        process.on_rollback = on_rollback;
        process.guard_watch.lock().unwrap().check(&self.sim);
        let run_context = RunContext {
            provider: &process,
            store: &process,
            journal: &process,
            ..self.run_context(desired)
        };
        let steps = run_to_end(&process, &run_context, options, cancel);
        let life = tokio::select! {
            biased;
            () = process.death() => ProcessOutcome::Died,
            life = timeout(HANG_TIMEOUT, steps) => life.expect("no run hangs"),
        };
        self.store.restart();
        self.journal.restart();
        (life, process)
    }
}

async fn run_to_end(
    process: &Process,
    run_context: &RunContext<'_>,
    options: &Options,
    cancel: aeroform::apply::Cancel,
) -> ProcessOutcome {
    let looking = async {
        let shown = run_context
            .preview(options)
            .await
            .map_err(|e| e.to_string())?;
        let idle = shown.plan.is_empty() && shown.plan.refusals.is_empty();
        if idle && shown.open_runs.is_empty() {
            return Ok(None);
        }
        check_refusals(&shown.plan)?;
        let lock = process.lock(&holder(), Duration::ZERO, &mut |_| {}).await;
        let lock = lock.map_err(|e| e.to_string())?;
        let fresh = run_context
            .preview(options)
            .await
            .map_err(|e| e.to_string())?;
        let differences = RunContext::differences(&shown, &fresh);
        if !differences.is_empty() {
            return Err(differences.join("; "));
        }
        check_refusals(&fresh.plan)?;
        run_context
            .check_and_close_runs(&fresh)
            .map_err(|e| format!("{e:?}"))?;
        if fresh.plan.is_empty() {
            lock.release().await.map_err(|e| e.to_string())?;
            return Ok(None);
        }
        Ok::<_, String>(Some((lock, fresh)))
    };
    let looked = tokio::select! {
        biased;
        () = cancel.stopping() => return ProcessOutcome::StoppedEarly,
        looked = looking => looked,
    };
    let (held, preview): (_, Preview) = match looked {
        Ok(Some(looked)) => looked,
        Ok(None) => return ProcessOutcome::Idle,
        Err(why) => return ProcessOutcome::Refused(why),
    };
    let run = run_context.env.new_run_id();
    let request = RunRequest {
        run: &run,
        command: "apply",
        parallelism: 16,
        copy_dir: Path::new(env!("CARGO_TARGET_TMPDIR")),
    };
    let mut heard = |event: &_| process.event(event);
    let ended = run_context
        .execute(&preview, &*held, &request, cancel, &mut heard)
        .await;
    process.at(FaultPoint::BeforeRelease).await;
    let released = held.release().await;
    process.at(FaultPoint::AfterRelease).await;
    match (ended, released) {
        (Ok(ended), Ok(())) => {
            let end = ended.run_end(&preview, "apply");
            let plan = preview.plan;
            ProcessOutcome::Ran(Box::new(CompletedRun { plan, ended, end }))
        }
        (Err(error), _) => ProcessOutcome::Refused(error.to_string()),
        (_, Err(error)) => ProcessOutcome::Refused(error.to_string()),
    }
}

fn check_refusals(plan: &Plan) -> Result<(), String> {
    if plan.refusals.is_empty() {
        Ok(())
    } else {
        Err(note_texts(&plan.refusals).join("; "))
    }
}

fn note_texts(notes: &[Note]) -> Vec<String> {
    notes
        .iter()
        .map(|note| format!("refused: {}", note.message))
        .collect()
}
