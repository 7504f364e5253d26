//! People and pipelines who apply: look, refuse, lock, look again, carry out, publish, as the program
//! does, until they are done or die.

use std::collections::BTreeMap;
use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle};
use aeroform::core::fleet::RunId;
use aeroform::core::plan::{Action, Change, Note, Options, Plan, Removal, RestartScope};
use aeroform::core::plan::{RunOutcome, StateOutcome};
use aeroform::core::state;
use aeroform::env::Env;
use aeroform::journal::{Journal as _, RunStatus};
use aeroform::run::{Preview, RunContext, RunError, RunRequest};
use aeroform::store::{Holder, StateStore, StoreError, WriteNote};
use tokio::time::sleep;

use crate::invariants;
use crate::manifests::Manifests;
use crate::memory_journal::MemoryJournal;
use crate::process::{
    CrashPoint, CrashingJournal, CrashingProvider, CrashingStore, SimulatedProcess, way,
};
use crate::random::Random;
use crate::recorder::SimulationRun;
use crate::rollout::{self, StepLog};

/// Somebody who applies.
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    env: Env,
    pub(crate) journal: MemoryJournal,
}

/// How the operator runs one apply.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApplyScript {
    pub(crate) starts_after: Duration,
    pub(crate) crash_point: Option<CrashPoint>,
    pub(crate) crash_after: Option<Duration>,
    pub(crate) cancel: Option<(Duration, Duration)>,
    pub(crate) patience: Duration,
    /// Says yes to a plan that is another one under the lock.
    pub(crate) accepts: bool,
    pub(crate) parallelism: usize,
    pub(crate) options: Options,
}

/// How it ended.
#[derive(Debug, PartialEq)]
pub(crate) enum ApplyEnd {
    Nothing,
    Refused(Vec<Note>),
    Held,
    Stale,
    Broken(String),
    Ended(RunOutcome),
    Died,
}

impl ApplyScript {
    /// Undisturbed.
    pub(crate) fn undisturbed(options: Options) -> Self {
        Self {
            parallelism: 16,
            patience: Duration::from_secs(60),
            accepts: true,
            options,
            ..Self::default()
        }
    }

    pub(crate) fn random(random: &mut Random) -> Self {
        let millis =
            |random: &mut Random, most| Duration::from_millis(u64::from(random.below(most)));
        let mut manner = Self {
            starts_after: millis(random, 3_000),
            patience: [0, 2, 600].map(Duration::from_secs)[random.below(3) as usize],
            accepts: random.chance(70),
            parallelism: [1, 2, 16][random.below(3) as usize],
            ..Self::default()
        };
        // From a sequence of its own: who asks for a restart dies and waits like everybody else.
        if random.clone().fork().chance(15) {
            manner.options.requested.restart = RestartScope::All;
        }
        match random.below(8) {
            0 => manner.crash_point = Some(CrashPoint::Before(1 + random.below(50))),
            1 => manner.crash_point = Some(CrashPoint::After(1 + random.below(50))),
            2 => manner.crash_after = Some(millis(random, 15_000)),
            3 => manner.cancel = Some((millis(random, 12_000), millis(random, 6_000))),
            _ => {}
        }
        manner
    }
}

impl Operator {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        let vars = [
            ("USER", name.to_owned()),
            ("AEROFORM_TEST_TIME", "2026-01-01T00:00:00Z".to_owned()),
            ("AEROFORM_TEST_SEED", format!("{seed}/{name}")),
        ];
        let vars: BTreeMap<String, String> = vars
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Self {
            name,
            env: Env::from_vars(vars),
            journal: MemoryJournal::default(),
        }
    }

    /// One `aeroform apply`.
    pub(crate) async fn apply(
        &self,
        story: &SimulationRun,
        manifests: &Manifests,
        manner: &ApplyScript,
    ) -> ApplyEnd {
        sleep(manner.starts_after).await;
        story.count("applies");
        story.log(&format!("{} applies: {manner:?}", self.name));
        let life = SimulatedProcess::new(story, self.name, manner.crash_point);
        let (handle, cancel) = CancelHandle::new();
        let dies = async {
            match manner.crash_after {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let cancels = async {
            if let Some((after, grace)) = manner.cancel {
                sleep(after).await;
                story.log(&format!("{} is cancelled", self.name));
                handle.stop(Some(grace));
            }
            std::future::pending::<()>().await;
        };
        let work = Box::pin(self.run_process(story, &life, manifests, manner, cancel));
        let end = tokio::select! {
            biased;
            () = life.over() => ApplyEnd::Died,
            () = dies => ApplyEnd::Died,
            () = cancels => ApplyEnd::Died,
            end = work => end,
        };
        self.log_end(story, &end);
        end
    }

    /// The same once more with the answers that its refusals ask for, where flags can give them.
    pub(crate) async fn apply_until_done(
        &self,
        story: &SimulationRun,
        manifests: &Manifests,
        mut manner: ApplyScript,
    ) -> ApplyEnd {
        let end = self.apply(story, manifests, &manner).await;
        let ApplyEnd::Refused(notes) = &end else {
            return end;
        };
        if answer_refusals(notes, &mut manner.options) {
            story.count("answered refusals");
            return self.apply(story, manifests, &manner).await;
        }
        end
    }

    async fn run_process(
        &self,
        story: &SimulationRun,
        life: &SimulatedProcess,
        manifests: &Manifests,
        manner: &ApplyScript,
        cancel: Cancel,
    ) -> ApplyEnd {
        let provider = CrashingProvider {
            life: life.clone(),
            sim: way(story),
        };
        let crashing_store = CrashingStore {
            life: life.clone(),
            store: story.store.clone(),
        };
        let journal = CrashingJournal {
            life: life.clone(),
            journal: self.journal.clone(),
        };
        let run_context = RunContext {
            desired: &manifests.desired,
            provider: &provider,
            store: &crashing_store,
            journal: &journal,
            env: &self.env,
            commits: &aeroform::run::NoCommits,
        };
        match self.run_steps(story, run_context, manner, cancel).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn run_steps(
        &self,
        story: &SimulationRun,
        run_context: RunContext<'_>,
        manner: &ApplyScript,
        cancel: Cancel,
    ) -> Result<ApplyEnd, ApplyEnd> {
        let broken = |error: RunError| {
            if let RunError::InvalidPlan(findings) = &error {
                story.breach(&format!("the plan is unsound: {findings:?}"));
            }
            ApplyEnd::Broken(error.to_string())
        };
        let shown = run_context.preview(&manner.options).await.map_err(broken)?;
        self.log_plan(story, "sees", &shown.plan);
        refused(&shown.plan)?;
        if shown.plan.is_empty() {
            invariants::check_idle(story, run_context.desired);
            return Ok(ApplyEnd::Nothing);
        }
        let run = self.env.new_run_id();
        let holder = self.holder(&run);
        let mut waiting = |_: Option<&Holder>| story.count("waits for the lock");
        let lock = run_context
            .store
            .lock(&holder, manner.patience, &mut waiting);
        let lock = lock.await.map_err(|error| match error {
            StoreError::Locked { .. } => ApplyEnd::Held,
            StoreError::Changed { .. }
            | StoreError::Io { .. }
            | StoreError::Address(_)
            | StoreError::UntrustedClone { .. }
            | StoreError::Remote { .. } => ApplyEnd::Broken(error.to_string()),
        })?;
        let outside_changes = story.outside_changes();
        let fresh = run_context.preview(&manner.options).await.map_err(broken)?;
        let differences = RunContext::differences(&shown, &fresh);
        if !differences.is_empty() {
            story.count("plans that changed under the lock");
            if !manner.accepts {
                return Ok(ApplyEnd::Stale);
            }
            self.log_plan(story, "sees under the lock", &fresh.plan);
        }
        refused(&fresh.plan)?;
        run_context.check_and_close_runs(&fresh).map_err(broken)?;
        let old = |change: &Change| match change.action {
            Action::Destroy { removal, .. } => removal == Removal::Replaced,
            _ => false,
        };
        let replaces = fresh.plan.changes().filter(|(_, change)| old(change));
        story.began(&run, replaces.count());
        invariants::check_volumes(story, &fresh);
        story.count_many("runs taken over", fresh.plan.adopted_runs.len() as u64);
        let copies = story.folder().join(self.name);
        let request = RunRequest {
            run: &run,
            command: "apply",
            parallelism: manner.parallelism,
            copy_dir: &copies,
        };
        let mut heard = StepLog::default();
        let ended = run_context
            .execute(&fresh, &*lock, &request, cancel, &mut |event| {
                heard.record(event);
            })
            .await
            .map_err(broken)?;
        let end = ended.run_end(&fresh, "apply");
        let fallbacks = ended
            .report
            .results
            .iter()
            .filter_map(|result| result.replace_fallback.as_ref());
        let fallbacks = fallbacks.filter(|fallback| fallback.old_gone).count();
        story.count_many("places taken for want of room", fallbacks as u64);
        rollout::judge(story, run_context.desired, &fresh, &heard, &ended);
        if outside_changes == story.outside_changes() {
            invariants::check_report(story, run_context.desired, &fresh, &ended, end);
        }
        story.known();
        if matches!(ended.state, StateOutcome::Unpublished { .. }) {
            story.count("states that could not be written");
        }
        log_report(story, &fresh, &ended.report);
        let _ = lock.release().await;
        Ok(ApplyEnd::Ended(end))
    }

    /// `aeroform state push` of what the store refused, if it still follows what is there.
    pub(crate) async fn push(&self, story: &SimulationRun) {
        let file = story.folder().join(self.name).join("shop.unpublished.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            return;
        };
        std::fs::remove_file(&file).unwrap();
        let pushed = match state::read(&text, &SimulationRun::app()) {
            Ok(pushed) => pushed,
            Err(error) => return story.breach(&format!("the copy cannot be read: {error}")),
        };
        let there = story.store.read().await.unwrap();
        if pushed.parent != there.text.as_deref().map(state::digest) {
            return;
        }
        story
            .store
            .write(&text, &there.version, &WriteNote::default())
            .await
            .unwrap();
        let _ = self
            .journal
            .mark_run(pushed.run.as_ref().unwrap(), RunStatus::Closed);
        story.count("states pushed");
        story.log(&format!("{} pushes serial {}", self.name, pushed.serial));
    }

    fn holder(&self, run: &RunId) -> Holder {
        Holder {
            who: self.name.to_owned(),
            host: "host".to_owned(),
            pid: 1,
            command: "apply".to_owned(),
            since: self.env.now(),
            run: Some(run.to_string()),
            url: None,
        }
    }

    fn log_plan(&self, story: &SimulationRun, verb: &str, plan: &Plan) {
        story.log(&format!(
            "{} {verb} a plan on serial {}:",
            self.name, plan.serial
        ));
        for line in plan.summary_lines() {
            story.log(&format!("    {line}"));
        }
        for note in plan.records.iter().chain(&plan.refusals) {
            story.log(&format!("    {}: {}", note.code, note.message));
        }
    }

    fn log_end(&self, story: &SimulationRun, end: &ApplyEnd) {
        let word = match end {
            ApplyEnd::Nothing => "with nothing to do",
            ApplyEnd::Refused(notes) => {
                for note in notes {
                    story.count(&format!("refused {}", note.code));
                }
                "refused"
            }
            ApplyEnd::Held => "locked out",
            ApplyEnd::Stale => "stale",
            ApplyEnd::Broken(_) => "broken off",
            ApplyEnd::Ended(RunOutcome::Complete) => "complete",
            ApplyEnd::Ended(RunOutcome::Incomplete) => "incomplete",
            ApplyEnd::Ended(RunOutcome::Failed | RunOutcome::Stale) => "failed",
            ApplyEnd::Ended(RunOutcome::Overtaken) => "overtaken",
            ApplyEnd::Ended(RunOutcome::Interrupted) => "interrupted",
            ApplyEnd::Died => "killed",
        };
        story.count(&format!("ends {word}"));
        let detail = match end {
            ApplyEnd::Broken(error) => format!(": {error}"),
            _ => String::new(),
        };
        story.log(&format!("{} ends {word}{detail}", self.name));
    }
}

fn refused(plan: &Plan) -> Result<(), ApplyEnd> {
    if plan.refusals.is_empty() {
        Ok(())
    } else {
        Err(ApplyEnd::Refused(plan.refusals.clone()))
    }
}

/// Gives the flags that the hints name; whether there was one.
pub(crate) fn answer_refusals(notes: &[Note], options: &mut Options) -> bool {
    let mut answered = false;
    for note in notes {
        let hint = note.hint.as_deref().unwrap_or_default();
        match note.code.as_str() {
            "state_behind" => {
                // One hint names the flags of every run.
                for rest in hint.split("--adopt-run ").skip(1) {
                    let run = rest.split([' ', '`']).next();
                    let run = RunId::new(run.unwrap()).unwrap();
                    answered |= options.adopt_runs.insert(run);
                }
            }
            "all_missing" => {
                answered |= !options.accept_missing;
                options.accept_missing = true;
            }
            "unknown_machines" => {
                answered |= !options.accept_unknown;
                options.accept_unknown = true;
            }
            _ => {}
        }
    }
    answered
}

fn log_report(story: &SimulationRun, preview: &Preview, report: &aeroform::apply::Report) {
    for (id, change) in preview.plan.changes() {
        let outcome = &report.results[id.0 as usize].outcome;
        story.log(&format!(
            "    {} {}: {outcome:?}",
            id.0, change.machine.name
        ));
    }
    for finding in &report.findings {
        story.log(&format!("    finding: {finding}"));
    }
    for remark in &report.remarks {
        story.log(&format!("    remark: {remark}"));
    }
    if let Some(halt) = &report.halted {
        story.log(&format!("    halted: {halt:?}"));
    }
}
