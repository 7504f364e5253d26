//! One history: a few rounds in which manifests change, other tools meddle, calls go wrong, people
//! apply and processes die; then calm, and everything has to come out as wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use aeroform::core::fleet::GroupName;
use aeroform::core::plan::RunOutcome;
use aeroform::core::plan::{Note, Options, Plan};
use aeroform::run::RunContext;
use aeroform::store::{LockStatus, StateStore as _};
use tokio::time::sleep;

use crate::invariants;
use crate::manifests::Manifests;
use crate::memory_journal::{FailCommit, MemoryJournal};
use crate::memory_store::FailWrite;
use crate::operators::{ApplyEnd, ApplyScript, Operator, answer_refusals};
use crate::outside_changes;
use crate::random::Random;
use crate::random_faults::RandomFaults;
use crate::recorder::{APP, SimulationResult, SimulationRun};

/// Longer than any list lags.
const CATCH_UP_TIME: Duration = Duration::from_secs(15);
/// Longer than anything that was begun goes on.
const SETTLE_TIME: Duration = Duration::from_secs(120);
/// Maximum number of applies between the last fault and the desired fleet.
const SETTLING_APPLIES: usize = 1;

/// Lets the history of a seed happen, on a clock of its own.
pub(crate) fn of(seed: u64) -> SimulationResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut history = SimulationHistory::new(seed);
        Box::pin(history.rounds()).await;
        history.settle().await;
        history.story.into_result()
    })
}

struct SimulationHistory {
    story: SimulationRun,
    random: Random,
    manifests: Manifests,
    older: Vec<Manifests>,
    ana: Operator,
    bo: Operator,
}

/// Who applies in a round.
#[derive(Debug, Clone, Copy)]
enum ApplyOrder {
    Ana,
    Bo,
    BoWithOlderManifests,
    AnaThenBo,
    Both,
}

impl SimulationHistory {
    fn new(seed: u64) -> Self {
        let story = SimulationRun::new(seed);
        let mut random = Random::new(seed);
        let manifests = Manifests::first(&mut random.fork());
        {
            let mut world = story.sim.world();
            world.add_app(APP);
            if random.chance(25) {
                world.timings.list_lag = Duration::from_secs(2);
            }
            world.unique_names = random.chance(60);
            world.fills_in = random.chance(50);
        }
        for line in manifests.lines() {
            story.log(&line);
        }
        if random.chance(25) {
            outside_changes::fly_deploy(&story, &manifests, &mut random.fork());
        }
        Self {
            older: vec![manifests.clone()],
            ana: Operator::new("ana", seed),
            bo: Operator::new("bo", seed),
            story,
            random,
            manifests,
        }
    }

    async fn rounds(&mut self) {
        for round in 0..3 + self.random.below(6) {
            self.story.log(&format!("— round {round}"));
            self.story.count("rounds");
            Box::pin(self.round()).await;
            invariants::check_invariants(&self.story);
            if self.story.is_breached() {
                return;
            }
        }
    }

    async fn round(&mut self) {
        let mut random = self.random.fork();
        for _ in 0..random.below(3) {
            let what = self.manifests.change(&mut random.fork());
            self.story.log(&format!("the manifests change: {what}"));
        }
        if random.chance(40) {
            for _ in 0..=random.below(3) {
                outside_changes::change_outside(&self.story, &mut random.fork());
            }
        }
        if random.chance(10) {
            outside_changes::add_unmanaged(&self.story, &mut random.fork());
        }
        let many = if random.chance(65) {
            1 + random.below(4)
        } else {
            0
        };
        let trouble = RandomFaults::arm(&self.story, many, &mut random.fork());
        self.writes_fail(&mut random.fork());
        let meddling = if random.chance(20) {
            random.below(3) + 1
        } else {
            0
        };
        let mut other = random.fork();
        let story = self.story.clone();
        let meddles = async move {
            for _ in 0..meddling {
                sleep(Duration::from_millis(u64::from(other.below(6_000)))).await;
                outside_changes::change_outside(&story, &mut other);
            }
        };
        let cast = match random.below(10) {
            0..=3 => ApplyOrder::Ana,
            4 => ApplyOrder::Bo,
            5 => ApplyOrder::BoWithOlderManifests,
            6 | 7 => ApplyOrder::AnaThenBo,
            _ => ApplyOrder::Both,
        };
        self.story.log(&format!("{cast:?}"));
        let applies = self.perform(cast, random.fork());
        Box::pin(futures_util::future::join(applies, meddles)).await;
        trouble.end(&self.story);
        match self.story.store.holder().await {
            Ok(LockStatus::Free) => {}
            other => self.story.breach(&format!("the lock is left: {other:?}")),
        }
        self.afterwards(&mut random).await;
        self.older.push(self.manifests.clone());
    }

    /// The store or a journal refuses a write of this round.
    fn writes_fail(&self, random: &mut Random) {
        if random.chance(8) {
            let how = [FailWrite::Before, FailWrite::After][random.below(2) as usize];
            self.story
                .log(&format!("the next write of the state fails: {how:?}"));
            self.story.store.fail_write(1, how);
        }
        for person in [&self.ana, &self.bo] {
            if random.chance(6) {
                let how = [FailCommit::Before, FailCommit::After][random.below(2) as usize];
                let which = 1 + random.below(5);
                self.story.log(&format!(
                    "write {which} of {}'s journal fails: {how:?}",
                    person.name
                ));
                person.journal.fail_commit(which.into(), how);
            }
        }
    }

    async fn perform(&self, cast: ApplyOrder, mut random: Random) {
        let mut older = random.fork();
        let earlier = older.pick(&self.older).unwrap_or(&self.manifests);
        let (first, second) = (
            ApplyScript::random(&mut random.fork()),
            ApplyScript::random(&mut random.fork()),
        );
        match cast {
            ApplyOrder::Ana => {
                self.alone(&self.ana, &self.manifests, first, &mut random)
                    .await;
            }
            ApplyOrder::Bo => {
                self.alone(&self.bo, &self.manifests, first, &mut random)
                    .await;
            }
            ApplyOrder::BoWithOlderManifests => {
                self.alone(&self.bo, earlier, first, &mut random).await;
            }
            ApplyOrder::AnaThenBo => {
                self.alone(&self.ana, &self.manifests, first, &mut random)
                    .await;
                self.alone(&self.bo, &self.manifests, second, &mut random)
                    .await;
            }
            ApplyOrder::Both => {
                let of_bo = if random.chance(70) {
                    &self.manifests
                } else {
                    earlier
                };
                let ana = self
                    .ana
                    .apply_until_done(&self.story, &self.manifests, first);
                let bo = self.bo.apply_until_done(&self.story, of_bo, second);
                self.story.count("applies at the same time");
                Box::pin(futures_util::future::join(ana, bo)).await;
            }
        }
    }

    /// Nobody else applies: what is protected keeps its number.
    async fn alone(
        &self,
        person: &Operator,
        manifests: &Manifests,
        manner: ApplyScript,
        random: &mut Random,
    ) {
        let outside_changes = self.story.outside_changes();
        let known = self.story.known();
        let before = invariants::check_protected(&self.story, &known, &manifests.desired, false);
        let replaced = self.story.replaced();
        if random.chance(60) {
            person
                .apply_until_done(&self.story, manifests, manner)
                .await;
        } else {
            person.apply(&self.story, manifests, &manner).await;
        }
        if outside_changes != self.story.outside_changes() {
            return;
        }
        // A Machine and its successor are one.
        let replaced = self.story.replaced() - replaced;
        let after = invariants::check_protected(&self.story, &known, &manifests.desired, true);
        for (group, before) in before {
            let after = after.get(&group).copied().unwrap_or(0);
            if after + replaced < before {
                let what = format!("the protected `{group}` went from {before} to {after}");
                self.story.breach(&what);
            }
        }
    }

    async fn afterwards(&self, random: &mut Random) {
        self.story.store.restart();
        for person in [&self.ana, &self.bo] {
            person.journal.restart();
            if random.chance(12) {
                self.story
                    .log(&format!("{} loses the journal", person.name));
                self.story.count("journals lost");
                person.journal.delete();
            }
            if random.chance(50) {
                person.push(&self.story).await;
            }
        }
        if random.chance(50) {
            sleep(CATCH_UP_TIME).await;
            let Some(plan) = self.preview().await else {
                return;
            };
            let machines = invariants::visible_machines(&self.story, &self.story.known());
            if plan.machines != machines.len() {
                let (seen, there) = (plan.machines, machines.len());
                self.story
                    .breach(&format!("a plan sees {seen} of {there} Machines"));
            }
        }
    }

    /// The view from the state alone.
    async fn preview(&self) -> Option<Plan> {
        let journal = MemoryJournal::default();
        let env = aeroform::env::Env::from_vars(std::collections::BTreeMap::new());
        let run_context = RunContext {
            desired: &self.manifests.desired,
            provider: &self.story.sim,
            store: &self.story.store,
            journal: &journal,
            env: &env,
            commits: &aeroform::run::NoCommits,
        };
        match run_context.preview(&Options::default()).await {
            Ok(preview) => Some(preview.plan),
            Err(error) => {
                self.story
                    .breach(&format!("in calm weather nothing can be seen: {error}"));
                None
            }
        }
    }

    /// After the last fault: a few applies reach the desired fleet.
    async fn settle(&mut self) {
        if self.story.is_breached() {
            return;
        }
        self.story.log("— calm");
        outside_changes::repair(&self.story);
        sleep(SETTLE_TIME).await;
        let lost = self.random.chance(30);
        if lost {
            self.story.log("ana loses the journal");
            self.ana.journal.delete();
        }
        for line in self.manifests.lines() {
            self.story.log(&line);
        }
        let mut options = Options::default();
        let mut applies = 0;
        let mut eased = false;
        loop {
            let manner = ApplyScript::undisturbed(options.clone());
            let end = self.ana.apply(&self.story, &self.manifests, &manner).await;
            match end {
                ApplyEnd::Nothing => break,
                ApplyEnd::Ended(RunOutcome::Complete) if applies < SETTLING_APPLIES => applies += 1,
                ApplyEnd::Refused(notes) if answer_refusals(&notes, &mut options) => {}
                ApplyEnd::Refused(notes) if !eased && protects(&notes) => {
                    eased = true;
                    self.ease(&notes, &mut options).await;
                }
                end => {
                    let what = format!("after {applies} calm applies the next one ended {end:?}");
                    self.story.breach(&what);
                    break;
                }
            }
        }
        invariants::check_invariants(&self.story);
        let machines = invariants::visible_machines(&self.story, &self.story.known());
        for what in invariants::fleet_mismatches(&self.manifests.desired, &machines) {
            self.story.breach(&format!("in the end {what}"));
        }
    }

    /// Takes protection away first, as the refusal says.
    async fn ease(&mut self, notes: &[Note], options: &mut Options) {
        let refused: BTreeSet<GroupName> = notes.iter().filter_map(|n| n.group.clone()).collect();
        let with_volumes = invariants::groups_with_volumes(&self.story);
        let eased = self.manifests.unprotected(&refused, &with_volumes);
        self.story.log("protection is taken away first");
        self.story.count("protections taken away");
        let manner = |options: &Options| ApplyScript::undisturbed(options.clone());
        let mut end = self.ana.apply(&self.story, &eased, &manner(options)).await;
        if let ApplyEnd::Refused(notes) = &end
            && answer_refusals(notes, options)
        {
            end = self.ana.apply(&self.story, &eased, &manner(options)).await;
        }
        if !matches!(
            end,
            ApplyEnd::Ended(RunOutcome::Complete) | ApplyEnd::Nothing
        ) {
            self.story
                .breach(&format!("taking protection away ended {end:?}"));
        }
        for name in &refused {
            if let Some(group) = self.manifests.desired.groups.get_mut(name) {
                group.protect = false;
            }
        }
    }
}

fn protects(notes: &[Note]) -> bool {
    notes.iter().all(|note| note.code == "protected_group")
}
