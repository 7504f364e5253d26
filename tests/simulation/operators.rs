//! People and pipelines who apply: look, refuse, lock, look again, carry out, publish, as the program
//! does, until they are done or die.

use std::collections::BTreeMap;
use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle};
use aeroform::core::fleet::RunId;
use aeroform::core::plan::{Action, Change, Note, Options, Plan, Removal, RestartScope};
use aeroform::core::state;
use aeroform::core::view::{RunOutcome, StateOutcome};
use aeroform::env::Env;
use aeroform::journal::{Journal as _, MemoryJournal, RunStatus};
use aeroform::run::{Preview, RunContext, RunError, RunRequest};
use aeroform::store::{Holder, StateStore, StoreError};
use tokio::time::sleep;

use crate::life::{Death, Life, MortalJournal, MortalProvider, MortalStore, way};
use crate::manifests::Manifests;
use crate::random::Random;
use crate::rollout::{self, Heard};
use crate::story::Story;
use crate::witness;

/// Somebody who applies.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    env: Env,
    pub(crate) journal: MemoryJournal,
}

/// How one apply goes, as far as it is up to whoever started it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    pub(crate) begins: Duration,
    pub(crate) death: Option<Death>,
    pub(crate) dies_after: Option<Duration>,
    pub(crate) cancel: Option<(Duration, Duration)>,
    pub(crate) patience: Duration,
    /// Says yes to a plan that is another one under the lock.
    pub(crate) accepts: bool,
    pub(crate) parallelism: usize,
    pub(crate) options: Options,
}

/// How it ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Nothing,
    Refused(Vec<Note>),
    Held,
    Stale,
    Broken(String),
    Ended(RunOutcome),
    Died,
}

impl Manner {
    /// Undisturbed.
    pub(crate) fn calm(options: Options) -> Self {
        Self {
            parallelism: 16,
            patience: Duration::from_secs(60),
            accepts: true,
            options,
            ..Self::default()
        }
    }

    pub(crate) fn some(random: &mut Random) -> Self {
        let millis =
            |random: &mut Random, most| Duration::from_millis(u64::from(random.below(most)));
        let mut manner = Self {
            begins: millis(random, 3_000),
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
            0 => manner.death = Some(Death::Before(1 + random.below(50))),
            1 => manner.death = Some(Death::After(1 + random.below(50))),
            2 => manner.dies_after = Some(millis(random, 15_000)),
            3 => manner.cancel = Some((millis(random, 12_000), millis(random, 6_000))),
            _ => {}
        }
        manner
    }
}

impl Person {
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
    pub(crate) async fn apply(&self, story: &Story, manifests: &Manifests, manner: &Manner) -> End {
        sleep(manner.begins).await;
        story.count("applies");
        story.tell(&format!("{} applies: {manner:?}", self.name));
        let life = Life::new(story, self.name, manner.death);
        let (handle, cancel) = CancelHandle::new();
        let dies = async {
            match manner.dies_after {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let cancels = async {
            if let Some((after, grace)) = manner.cancel {
                sleep(after).await;
                story.tell(&format!("{} is cancelled", self.name));
                handle.stop(Some(grace));
            }
            std::future::pending::<()>().await;
        };
        let work = Box::pin(self.work(story, &life, manifests, manner, cancel));
        let end = tokio::select! {
            biased;
            () = life.over() => End::Died,
            () = dies => End::Died,
            () = cancels => End::Died,
            end = work => end,
        };
        self.tell_end(story, &end);
        end
    }

    /// The same once more with the answers that its refusals ask for, where flags can give them.
    pub(crate) async fn insist(
        &self,
        story: &Story,
        manifests: &Manifests,
        mut manner: Manner,
    ) -> End {
        let end = self.apply(story, manifests, &manner).await;
        let End::Refused(notes) = &end else {
            return end;
        };
        if answer(notes, &mut manner.options) {
            story.count("answered refusals");
            return self.apply(story, manifests, &manner).await;
        }
        end
    }

    async fn work(
        &self,
        story: &Story,
        life: &Life,
        manifests: &Manifests,
        manner: &Manner,
        cancel: Cancel,
    ) -> End {
        let provider = MortalProvider {
            life: life.clone(),
            sim: way(story),
        };
        let kept = MortalStore {
            life: life.clone(),
            store: story.store.clone(),
        };
        let journal = MortalJournal {
            life: life.clone(),
            journal: self.journal.clone(),
        };
        let ground = RunContext {
            desired: &manifests.desired,
            provider: &provider,
            store: &kept,
            journal: &journal,
            env: &self.env,
        };
        match self.steps(story, ground, manner, cancel).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn steps(
        &self,
        story: &Story,
        ground: RunContext<'_>,
        manner: &Manner,
        cancel: Cancel,
    ) -> Result<End, End> {
        let broken = |error: RunError| {
            if let RunError::InvalidPlan(findings) = &error {
                story.breach(&format!("the plan is unsound: {findings:?}"));
            }
            End::Broken(error.to_string())
        };
        let shown = ground.preview(&manner.options).await.map_err(broken)?;
        self.tell_plan(story, "sees", &shown.plan);
        refused(&shown.plan)?;
        if shown.plan.is_empty() {
            witness::idle(story, ground.desired);
            return Ok(End::Nothing);
        }
        let run = self.env.new_run_id();
        let holder = self.holder(&run);
        let mut waiting = |_: Option<&Holder>| story.count("waits for the lock");
        let lock = ground.store.lock(&holder, manner.patience, &mut waiting);
        let lock = lock.await.map_err(|error| match error {
            StoreError::Locked { .. } => End::Held,
            StoreError::Changed { .. } | StoreError::Io { .. } => End::Broken(error.to_string()),
        })?;
        let hands = story.hands();
        let fresh = ground.preview(&manner.options).await.map_err(broken)?;
        let differences = RunContext::differences(&shown, &fresh);
        if !differences.is_empty() {
            story.count("plans that changed under the lock");
            if !manner.accepts {
                return Ok(End::Stale);
            }
            self.tell_plan(story, "sees under the lock", &fresh.plan);
        }
        refused(&fresh.plan)?;
        ground.check_and_close_runs(&fresh).map_err(broken)?;
        let old = |change: &Change| match change.action {
            Action::Destroy { removal, .. } => removal == Removal::Replaced,
            _ => false,
        };
        let replaces = fresh.plan.changes().filter(|(_, change)| old(change));
        story.began(&run, replaces.count());
        witness::volumes(story, &fresh);
        story.count_many("runs taken over", fresh.plan.adopted_runs.len() as u64);
        let copies = story.folder().join(self.name);
        let errand = RunRequest {
            run: &run,
            command: "apply",
            parallelism: manner.parallelism,
            copy_dir: &copies,
        };
        let mut heard = Heard::default();
        let ended = ground
            .execute(&fresh, &*lock, &errand, cancel, &mut |event| {
                heard.hear(event);
            })
            .await
            .map_err(broken)?;
        let end = ended.run_end(&fresh);
        let taken = ended
            .report
            .results
            .iter()
            .filter_map(|result| result.replace_fallback.as_ref());
        let taken = taken.filter(|instead| instead.old_gone).count();
        story.count_many("places taken for want of room", taken as u64);
        rollout::judge(story, ground.desired, &fresh, &heard, &ended);
        if hands == story.hands() {
            witness::report(story, ground.desired, &fresh, &ended, end);
        }
        story.known();
        if matches!(ended.state, StateOutcome::Unpublished { .. }) {
            story.count("states that could not be written");
        }
        tell_report(story, &fresh, &ended.report);
        let _ = lock.release().await;
        Ok(End::Ended(end))
    }

    /// `aeroform state push` of what the store refused, if it still follows what is there.
    pub(crate) async fn push(&self, story: &Story) {
        let file = story.folder().join(self.name).join("shop.unpublished.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            return;
        };
        std::fs::remove_file(&file).unwrap();
        let pushed = match state::read(&text, &Story::app()) {
            Ok(pushed) => pushed,
            Err(error) => return story.breach(&format!("the copy cannot be read: {error}")),
        };
        let there = story.store.read().await.unwrap();
        if pushed.parent != there.text.as_deref().map(state::digest) {
            return;
        }
        story.store.write(&text, &there.version).await.unwrap();
        let _ = self
            .journal
            .mark_run(pushed.run.as_ref().unwrap(), RunStatus::Closed);
        story.count("states pushed");
        story.tell(&format!("{} pushes serial {}", self.name, pushed.serial));
    }

    fn holder(&self, run: &RunId) -> Holder {
        Holder {
            who: self.name.to_owned(),
            host: "host".to_owned(),
            pid: 1,
            command: "apply".to_owned(),
            since: self.env.now(),
            run: Some(run.to_string()),
        }
    }

    fn tell_plan(&self, story: &Story, verb: &str, plan: &Plan) {
        story.tell(&format!(
            "{} {verb} a plan on serial {}:",
            self.name, plan.serial
        ));
        for line in plan.summary_lines() {
            story.tell(&format!("    {line}"));
        }
        for note in plan.records.iter().chain(&plan.refusals) {
            story.tell(&format!("    {}: {}", note.code, note.message));
        }
    }

    fn tell_end(&self, story: &Story, end: &End) {
        let word = match end {
            End::Nothing => "with nothing to do",
            End::Refused(notes) => {
                for note in notes {
                    story.count(&format!("refused {}", note.code));
                }
                "refused"
            }
            End::Held => "locked out",
            End::Stale => "stale",
            End::Broken(_) => "broken off",
            End::Ended(RunOutcome::Complete) => "complete",
            End::Ended(RunOutcome::Failed) => "failed",
            End::Ended(RunOutcome::Overtaken) => "overtaken",
            End::Ended(RunOutcome::Interrupted) => "interrupted",
            End::Died => "killed",
        };
        story.count(&format!("ends {word}"));
        let detail = match end {
            End::Broken(error) => format!(": {error}"),
            _ => String::new(),
        };
        story.tell(&format!("{} ends {word}{detail}", self.name));
    }
}

fn refused(plan: &Plan) -> Result<(), End> {
    if plan.refusals.is_empty() {
        Ok(())
    } else {
        Err(End::Refused(plan.refusals.clone()))
    }
}

/// Gives the flags that the hints name; whether there was one.
pub(crate) fn answer(notes: &[Note], options: &mut Options) -> bool {
    let mut answered = false;
    for note in notes {
        let hint = note.hint.as_deref().unwrap_or_default();
        match note.code.as_str() {
            "state_behind" => {
                let run = hint
                    .split("--adopt-run ")
                    .nth(1)
                    .and_then(|rest| rest.split('`').next());
                let run = RunId::new(run.unwrap()).unwrap();
                answered |= options.adopt_runs.insert(run);
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

fn tell_report(story: &Story, look: &Preview, report: &aeroform::apply::Report) {
    for (id, change) in look.plan.changes() {
        let outcome = &report.results[id.0 as usize].outcome;
        story.tell(&format!(
            "    {} {}: {outcome:?}",
            id.0, change.machine.name
        ));
    }
    for finding in &report.findings {
        story.tell(&format!("    finding: {finding}"));
    }
    for remark in &report.remarks {
        story.tell(&format!("    remark: {remark}"));
    }
    if let Some(halt) = &report.halted {
        story.tell(&format!("    halted: {halt:?}"));
    }
}
