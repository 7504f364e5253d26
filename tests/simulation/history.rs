//! One history: a few rounds in which manifests change, other tools meddle, calls go wrong, people
//! apply and processes die; then calm, and everything has to come out as wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use aeroform::core::fleet::GroupName;
use aeroform::core::plan::{Note, Options, Plan};
use aeroform::core::view::RunOutcome;
use aeroform::journal::MemoryJournal;
use aeroform::journal::memory::FailCommit;
use aeroform::run::RunContext;
use aeroform::store::memory::FailWrite;
use aeroform::store::{LockStatus, StateStore as _};
use tokio::time::sleep;

use crate::hands;
use crate::manifests::Manifests;
use crate::operators::{End, Manner, Person, answer};
use crate::random::Random;
use crate::story::{APP, Story, Told};
use crate::trouble::Trouble;
use crate::witness;

/// Longer than any list lags.
const CAUGHT_UP: Duration = Duration::from_secs(15);
/// Longer than anything that was begun goes on.
const SETTLED: Duration = Duration::from_secs(120);
/// Most applies between the last trouble and the wanted fleet.
const APPLIES: usize = 1;

/// Lets the history of a seed happen, on a clock of its own.
pub(crate) fn of(seed: u64) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut history = History::new(seed);
        Box::pin(history.rounds()).await;
        history.calm().await;
        history.story.into_told()
    })
}

struct History {
    story: Story,
    random: Random,
    manifests: Manifests,
    older: Vec<Manifests>,
    ana: Person,
    bo: Person,
}

/// Who applies in a round.
#[derive(Debug, Clone, Copy)]
enum Cast {
    Ana,
    Bo,
    BoWithOlderManifests,
    AnaThenBo,
    Both,
}

impl History {
    fn new(seed: u64) -> Self {
        let story = Story::new(seed);
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
            story.tell(&line);
        }
        if random.chance(25) {
            hands::launch(&story, &manifests, &mut random.fork());
        }
        Self {
            older: vec![manifests.clone()],
            ana: Person::new("ana", seed),
            bo: Person::new("bo", seed),
            story,
            random,
            manifests,
        }
    }

    async fn rounds(&mut self) {
        for round in 0..3 + self.random.below(6) {
            self.story.tell(&format!("— round {round}"));
            self.story.count("rounds");
            Box::pin(self.round()).await;
            witness::always(&self.story);
            if self.story.is_breached() {
                return;
            }
        }
    }

    async fn round(&mut self) {
        let mut random = self.random.fork();
        for _ in 0..random.below(3) {
            let what = self.manifests.change(&mut random.fork());
            self.story.tell(&format!("the manifests change: {what}"));
        }
        if random.chance(40) {
            for _ in 0..=random.below(3) {
                hands::lay(&self.story, &mut random.fork());
            }
        }
        if random.chance(10) {
            hands::stranger(&self.story, &mut random.fork());
        }
        let many = if random.chance(65) {
            1 + random.below(4)
        } else {
            0
        };
        let trouble = Trouble::arm(&self.story, many, &mut random.fork());
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
                hands::lay(&story, &mut other);
            }
        };
        let cast = match random.below(10) {
            0..=3 => Cast::Ana,
            4 => Cast::Bo,
            5 => Cast::BoWithOlderManifests,
            6 | 7 => Cast::AnaThenBo,
            _ => Cast::Both,
        };
        self.story.tell(&format!("{cast:?}"));
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
                .tell(&format!("the next write of the state fails: {how:?}"));
            self.story.store.fail_write(1, how);
        }
        for person in [&self.ana, &self.bo] {
            if random.chance(6) {
                let how = [FailCommit::Before, FailCommit::After][random.below(2) as usize];
                let which = 1 + random.below(5);
                self.story.tell(&format!(
                    "write {which} of {}'s journal fails: {how:?}",
                    person.name
                ));
                person.journal.fail_commit(which.into(), how);
            }
        }
    }

    async fn perform(&self, cast: Cast, mut random: Random) {
        let mut older = random.fork();
        let earlier = older.pick(&self.older).unwrap_or(&self.manifests);
        let (first, second) = (
            Manner::some(&mut random.fork()),
            Manner::some(&mut random.fork()),
        );
        match cast {
            Cast::Ana => {
                self.alone(&self.ana, &self.manifests, first, &mut random)
                    .await;
            }
            Cast::Bo => {
                self.alone(&self.bo, &self.manifests, first, &mut random)
                    .await;
            }
            Cast::BoWithOlderManifests => self.alone(&self.bo, earlier, first, &mut random).await,
            Cast::AnaThenBo => {
                self.alone(&self.ana, &self.manifests, first, &mut random)
                    .await;
                self.alone(&self.bo, &self.manifests, second, &mut random)
                    .await;
            }
            Cast::Both => {
                let of_bo = if random.chance(70) {
                    &self.manifests
                } else {
                    earlier
                };
                let ana = self.ana.insist(&self.story, &self.manifests, first);
                let bo = self.bo.insist(&self.story, of_bo, second);
                self.story.count("applies at the same time");
                Box::pin(futures_util::future::join(ana, bo)).await;
            }
        }
    }

    /// Nobody else applies: what is protected keeps its number.
    async fn alone(
        &self,
        person: &Person,
        manifests: &Manifests,
        manner: Manner,
        random: &mut Random,
    ) {
        let hands = self.story.hands();
        let known = self.story.known();
        let before = witness::protected(&self.story, &known, &manifests.desired, false);
        let replaced = self.story.replaced();
        if random.chance(60) {
            person.insist(&self.story, manifests, manner).await;
        } else {
            person.apply(&self.story, manifests, &manner).await;
        }
        if hands != self.story.hands() {
            return;
        }
        // A Machine and its successor are one.
        let replaced = self.story.replaced() - replaced;
        let after = witness::protected(&self.story, &known, &manifests.desired, true);
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
                    .tell(&format!("{} loses the journal", person.name));
                self.story.count("journals lost");
                person.journal.delete();
            }
            if random.chance(50) {
                person.push(&self.story).await;
            }
        }
        if random.chance(50) {
            sleep(CAUGHT_UP).await;
            let Some(plan) = self.look().await else {
                return;
            };
            let machines = witness::plain(&self.story, &self.story.known());
            if plan.machines != machines.len() {
                let (seen, there) = (plan.machines, machines.len());
                self.story
                    .breach(&format!("a plan sees {seen} of {there} Machines"));
            }
        }
    }

    /// What somebody sees who has nothing but the state.
    async fn look(&self) -> Option<Plan> {
        let journal = MemoryJournal::default();
        let env = aeroform::env::Env::from_vars(std::collections::BTreeMap::new());
        let ground = RunContext {
            desired: &self.manifests.desired,
            provider: &self.story.sim,
            store: &self.story.store,
            journal: &journal,
            env: &env,
        };
        match ground.preview(&Options::default()).await {
            Ok(look) => Some(look.plan),
            Err(error) => {
                self.story
                    .breach(&format!("in calm weather nothing can be seen: {error}"));
                None
            }
        }
    }

    /// Trouble is over: a few applies, and everything is as wanted.
    async fn calm(&mut self) {
        if self.story.is_breached() {
            return;
        }
        self.story.tell("— calm");
        hands::mend(&self.story);
        sleep(SETTLED).await;
        let lost = self.random.chance(30);
        if lost {
            self.story.tell("ana loses the journal");
            self.ana.journal.delete();
        }
        for line in self.manifests.lines() {
            self.story.tell(&line);
        }
        let mut options = Options::default();
        let mut applies = 0;
        let mut eased = false;
        loop {
            let manner = Manner::calm(options.clone());
            let end = self.ana.apply(&self.story, &self.manifests, &manner).await;
            match end {
                End::Nothing => break,
                End::Ended(RunOutcome::Complete) if applies < APPLIES => applies += 1,
                End::Refused(notes) if answer(&notes, &mut options) => {}
                End::Refused(notes) if !eased && protects(&notes) => {
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
        witness::always(&self.story);
        let machines = witness::plain(&self.story, &self.story.known());
        for what in witness::unlike(&self.manifests.desired, &machines) {
            self.story.breach(&format!("in the end {what}"));
        }
    }

    /// Takes protection away first, as the refusal says.
    async fn ease(&mut self, notes: &[Note], options: &mut Options) {
        let refused: BTreeSet<GroupName> = notes.iter().filter_map(|n| n.group.clone()).collect();
        let with_volumes = witness::groups_with_volumes(&self.story);
        let eased = self.manifests.unprotected(&refused, &with_volumes);
        self.story.tell("protection is taken away first");
        self.story.count("protections taken away");
        let manner = |options: &Options| Manner::calm(options.clone());
        let mut end = self.ana.apply(&self.story, &eased, &manner(options)).await;
        if let End::Refused(notes) = &end
            && answer(notes, options)
        {
            end = self.ana.apply(&self.story, &eased, &manner(options)).await;
        }
        if !matches!(end, End::Ended(RunOutcome::Complete) | End::Nothing) {
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
