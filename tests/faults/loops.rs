//! The loops: every kind of blow, at every moment at which it can fall, on every plan of the gallery;
//! then the same apply again, with the journal kept and with the journal deleted.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aeroform::emulator::world::{Fault, LoggedCall, RefusalKind};
use aeroform::journal::memory::FailCommit;
use aeroform::store::memory::FailWrite;
use futures_util::FutureExt;
use tokio::time::sleep;

use crate::gallery::{self, Chapter};
use crate::invariants::{down, ids, unexplained};
use crate::process::{Blow, Moment};
use crate::scene::{Life, NOT_STRUCK, Place, QUIET, Scene};
use crate::wrong::{ELSEWHERE, Wrong};

/// A sample has a moment that changes something of every kind and plan, and of so many plans one has
/// another moment too.
const OTHERS: usize = 3;
/// What becomes of a Machine is tried on one of so many plans.
const SOME: usize = 2;
/// How often a case is played whose moment did not come.
const TRIES: usize = 3;
/// How long calls in flight have after a signal, as the program gives them.
const GRACE: Duration = Duration::from_secs(4);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The n-th call of the world gets another answer.
    Answer(&'static str, Wrong),
    /// The process takes a blow at the n-th moment of this kind.
    Blow(&'static str, At, Blow),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    BeforeRequest,
    AfterRequest,
    Event,
    Commit(FailCommit),
    Write(FailWrite),
    BeforeRelease,
    AfterRelease,
}

const ANSWERS: [Kind; 6] = [
    Kind::Answer("refused", Wrong::Refused),
    Kind::Answer("rate-limited", Wrong::RateLimited),
    Kind::Answer("lost-before", Wrong::LostBefore),
    Kind::Answer("lost-after", Wrong::LostAfter),
    Kind::Answer("not-starting", Wrong::NotStarting),
    Kind::Answer("no-room", Wrong::NoRoom),
];

/// What becomes of a Machine that a call touches, and the platform's refusals in its own words.
const MACHINES: [Kind; 13] = [
    Kind::Answer("no-capacity", Wrong::Refusal(RefusalKind::Capacity)),
    Kind::Answer("quota", Wrong::Refusal(RefusalKind::Quota)),
    Kind::Answer("machine-limit", Wrong::Refusal(RefusalKind::MachineLimit)),
    Kind::Answer("image-unknown", Wrong::Refusal(RefusalKind::ImageUnknown)),
    Kind::Answer("name-taken", Wrong::Refusal(RefusalKind::NameTaken)),
    Kind::Answer("crashes-for-good", Wrong::Crashes(0, 1)),
    Kind::Answer("crashes-once", Wrong::Crashes(1, 1)),
    Kind::Answer("crashes-twice", Wrong::Crashes(2, 137)),
    Kind::Answer("reverts", Wrong::Reverts),
    Kind::Answer("wrong-region", Wrong::Elsewhere),
    Kind::Answer("stays-created", Wrong::StaysCreated),
    Kind::Answer("host-gone", Wrong::HostGone),
    Kind::Answer("migrates", Wrong::Migrates),
];

const SIGNALS: [Kind; 4] = [
    Kind::Blow(
        "signal-before-answer",
        At::BeforeRequest,
        Blow::Signal(GRACE),
    ),
    Kind::Blow("signal-after-answer", At::AfterRequest, Blow::Signal(GRACE)),
    Kind::Blow(
        "cut-off-in-flight",
        At::BeforeRequest,
        Blow::Signal(Duration::ZERO),
    ),
    Kind::Blow("signal-at-event", At::Event, Blow::Signal(GRACE)),
];

const DEATHS: [Kind; 3] = [
    Kind::Blow("dies-before-request", At::BeforeRequest, Blow::Death),
    Kind::Blow("dies-after-request", At::AfterRequest, Blow::Death),
    Kind::Blow("dies-at-event", At::Event, Blow::Death),
];

const WRITES: [Kind; 10] = [
    Kind::Blow(
        "commit-refused",
        At::Commit(FailCommit::Before),
        Blow::Nothing,
    ),
    Kind::Blow(
        "commit-unanswered",
        At::Commit(FailCommit::After),
        Blow::Nothing,
    ),
    Kind::Blow(
        "dies-before-commit",
        At::Commit(FailCommit::CrashBefore),
        Blow::Death,
    ),
    Kind::Blow(
        "dies-after-commit",
        At::Commit(FailCommit::CrashAfter),
        Blow::Death,
    ),
    Kind::Blow("write-refused", At::Write(FailWrite::Before), Blow::Nothing),
    Kind::Blow(
        "write-unanswered",
        At::Write(FailWrite::After),
        Blow::Nothing,
    ),
    Kind::Blow(
        "dies-before-write",
        At::Write(FailWrite::CrashBefore),
        Blow::Death,
    ),
    Kind::Blow(
        "dies-after-write",
        At::Write(FailWrite::CrashAfter),
        Blow::Death,
    ),
    Kind::Blow("dies-before-release", At::BeforeRelease, Blow::Death),
    Kind::Blow("dies-after-release", At::AfterRelease, Blow::Death),
];

/// What becomes of the journal before the next apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Kept,
    Lost,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Answer(name, _) | Self::Blow(name, ..) => name,
        }
    }

    /// The moments of a scene at which it can happen: those that change something, and the others.
    fn moments(self, scene: &Scene) -> (Vec<u64>, Vec<u64>) {
        let done = &scene.done;
        match self {
            Self::Answer(_, wrong) => {
                let positions = (1..).zip(&scene.log);
                let (changing, mut reading): (Vec<_>, Vec<_>) =
                    positions.partition(|(_, call)| changes(call.action));
                if !wrong.is_any_answer() {
                    reading.clear();
                }
                let of = |calls: Vec<(u64, &LoggedCall)>| {
                    let about = calls
                        .into_iter()
                        .filter(|(_, call)| wrong.is_about(call, &scene.chapter));
                    about.map(|(n, _)| n).collect()
                };
                (of(changing), of(reading))
            }
            Self::Blow(_, At::BeforeRequest | At::AfterRequest, _) => {
                let others = (1..=done.requests).filter(|n| !done.changing.contains(n));
                (done.changing.clone(), others.collect())
            }
            Self::Blow(_, At::Event, _) => ((1..=done.events).collect(), Vec::new()),
            Self::Blow(_, At::Commit(_), _) => ((1..=done.commits).collect(), Vec::new()),
            Self::Blow(_, At::Write(_), _) => ((1..=done.writes).collect(), Vec::new()),
            Self::Blow(_, At::BeforeRelease | At::AfterRelease, _) => (vec![1], Vec::new()),
        }
    }
}

fn changes(action: &str) -> bool {
    !matches!(action, "app" | "list" | "volumes" | "get" | "wait")
}

impl At {
    fn moment(self, n: u64) -> Moment {
        match self {
            Self::BeforeRequest => Moment::BeforeRequest(n),
            Self::AfterRequest => Moment::AfterRequest(n),
            Self::Event => Moment::Event(n),
            Self::Commit(how) => Moment::Commit(n, how),
            Self::Write(how) => Moment::Write(n, how),
            Self::BeforeRelease => Moment::BeforeRelease,
            Self::AfterRelease => Moment::AfterRelease,
        }
    }
}

/// One case: replayed by its name.
#[derive(Clone, Copy)]
struct Case<'a> {
    scene: &'a Scene,
    kind: Kind,
    at: u64,
    rest: Rest,
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, kind) = (self.scene.chapter.name, self.kind.name());
        let rest = match self.rest {
            Rest::Kept => "kept",
            Rest::Lost => "lost",
        };
        write!(f, "{plan}/{kind}/{}/{rest}", self.at)
    }
}

impl Case<'_> {
    /// Plays it; gives what is not as it must be.
    async fn play(&self) -> Vec<String> {
        let place = self.scene.place();
        let before = ids(&place.sim);
        let (life, mut found) = self.disturb(&place).await;
        let known = place.known(&self.scene.chapter.after.app).await;
        found.extend(unexplained(&before, &place.sim, &known, &place.journal));
        if life.is_success() {
            let down = down(&place.sim, &self.scene.chapter.after);
            found.extend(
                down.into_iter()
                    .map(|id| format!("all is done, they say, and {id}")),
            );
        }
        if self.rest == Rest::Lost {
            place.journal.delete();
        }
        let wrong = match self.kind {
            Kind::Answer(_, wrong) => Some(wrong),
            Kind::Blow(..) => None,
        };
        if wrong == Some(Wrong::HostGone) {
            self.scene.bring_hosts_back(&place);
        }
        let takes_down = wrong.is_some_and(Wrong::takes_down);
        let ungated = takes_down && self.scene.chapter.is_immediate();
        if ungated {
            // It is not waited for, so it shows only later.
            sleep(QUIET).await;
        }
        let mut guards = self.scene.chapter.guards.clone();
        if takes_down {
            for guard in &mut guards {
                guard.run = guard.run.saturating_sub(1);
            }
        }
        let (again, _, findings) = self.scene.play_with(&place, None, &guards).await;
        found.extend(
            findings
                .into_iter()
                .map(|finding| format!("again: {finding}")),
        );
        // What a host that does not answer tells in part is read in whole later.
        let read_later = wrong == Some(Wrong::HostGone);
        if life.is_success() && !ungated && !read_later && !matches!(again, Life::Idle) {
            found.push(format!("it said that all was done, and then: {again:#?}"));
        }
        if !again.is_success() {
            found.push(format!("the second apply: {again:#?}"));
        }
        let (mut fleet, left) = self.scene.settled(&place).await;
        let mut should = self.scene.fleet.clone();
        if let Some(wrong) = wrong {
            if wrong.may_make_another() {
                // A successor that cannot start may be made again instead of being mended, and one whose
                // host has no room is replaced.
                should.ever = should.ever.max(fleet.ever);
                fleet.forgive_spare_volumes(&mut should);
            }
            match wrong {
                // Where nothing says which region, a Machine stays where it is.
                Wrong::Elsewhere => fleet.say_instead(&format!(" {ELSEWHERE} "), " ams "),
                // The version of before is started, whatever it was.
                Wrong::Reverts => {
                    fleet.forget_states();
                    should.forget_states();
                }
                Wrong::StaysCreated => fleet.say_instead(" created ", " stopped "),
                Wrong::Migrates => {
                    fleet.forget_forks();
                    should.forget_forks();
                }
                _ => {}
            }
        }
        found.extend(fleet.differences(&should));
        found.extend(left.into_iter().map(|line| format!("left: {line}")));
        found
    }

    async fn disturb(&self, place: &Place) -> (Life, Vec<String>) {
        match self.kind {
            Kind::Blow(_, at, blow) => {
                let (life, _, found) = self
                    .scene
                    .play(place, Some((at.moment(self.at), blow)))
                    .await;
                (life, found)
            }
            Kind::Answer(_, wrong) => {
                let at = usize::try_from(self.at).unwrap();
                let action = self.scene.log[at - 1].action;
                let same = self.scene.log[..at]
                    .iter()
                    .filter(|call| call.action == action);
                let nth = u32::try_from(same.count()).unwrap();
                let fault = Fault::on(action, wrong.effect()).nth(nth);
                let fault = place.sim.world().inject(fault);
                let (life, _, mut found) = self.scene.play(place, None).await;
                if place.sim.world().fired(fault) == 0 {
                    found.push(NOT_STRUCK.to_owned());
                }
                (life, found)
            }
        }
    }
}

/// Which cases are wanted.
enum Wanted {
    Sample,
    All,
    Named(String),
}

impl Wanted {
    fn of_environment() -> Self {
        match std::env::var("AEROFORM_FAULTS") {
            Err(_) => Self::Sample,
            Ok(text) if text == "all" => Self::All,
            Ok(text) => Self::Named(text),
        }
    }

    fn is_about(&self, plan: &str) -> bool {
        match self {
            Self::Sample | Self::All => true,
            Self::Named(named) => named.split('/').next() == Some(plan),
        }
    }

    fn has(&self, case: &Case<'_>, sampled: bool) -> bool {
        match self {
            Self::Sample => sampled,
            Self::All => true,
            Self::Named(named) => {
                let name = case.to_string();
                name == *named || name.starts_with(&format!("{named}/"))
            }
        }
    }
}

/// So many of them, spread evenly, others for another seed.
fn spread(all: &[u64], most: usize, seed: usize) -> Vec<u64> {
    let n = all.len();
    if n <= most {
        return all.to_vec();
    }
    (0..most).map(|i| all[(i * n / most + seed) % n]).collect()
}

/// What was played of one chapter.
#[derive(Default)]
struct Played {
    possible: usize,
    cases: usize,
    failed: Vec<String>,
}

fn run(title: &str, kinds: &[Kind]) {
    let wanted = Wanted::of_environment();
    let begun = std::time::Instant::now();
    let mut all = Played::default();
    let mut plans = 0;
    for chapter in gallery::all() {
        if !wanted.is_about(chapter.name) {
            continue;
        }
        plans += 1;
        // A clock of its own, so that a case happens as it does by itself.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let played = runtime.block_on(play(chapter, kinds, &wanted));
        all.possible += played.possible;
        all.cases += played.cases;
        all.failed.extend(played.failed);
    }
    let (kinds, took) = (kinds.len(), begun.elapsed().as_secs_f32());
    let Played {
        possible,
        cases,
        failed,
    } = all;
    println!(
        "{title}: {cases} cases of {possible} ({plans} plans, {kinds} kinds), each fault fired, \
         {took:.1} s"
    );
    let n = failed.len();
    assert!(
        failed.is_empty(),
        "{n} of {cases} cases failed\n\n{}",
        failed.join("\n\n")
    );
}

async fn play(chapter: Chapter, kinds: &[Kind], wanted: &Wanted) -> Played {
    let scene = Box::pin(Scene::of(chapter)).await;
    let mut all = Played::default();
    let seed = scene.chapter.name.bytes().map(usize::from).sum::<usize>();
    for (index, kind) in kinds.iter().enumerate() {
        let (changing, others) = kind.moments(&scene);
        let mut sample = spread(&changing, 1, seed + index * 3);
        if (seed + index).is_multiple_of(OTHERS) {
            sample.extend(spread(&others, 1, seed + index * 3));
        }
        if kinds == MACHINES && !(seed + index).is_multiple_of(SOME) {
            sample.clear();
        }
        for at in changing.into_iter().chain(others) {
            for rest in [Rest::Kept, Rest::Lost] {
                all.possible += 1;
                let kind = *kind;
                let case = Case {
                    scene: &scene,
                    kind,
                    at,
                    rest,
                };
                // An answer does nothing to a journal: one is kept, and the next one is lost.
                let turn = [Rest::Kept, Rest::Lost][(seed + index) / SOME % 2];
                let plays = rest == turn || matches!(kind, Kind::Blow(..));
                if wanted.has(&case, plays && sample.contains(&at)) {
                    all.cases += 1;
                    all.failed.extend(verdict(&case).await);
                }
            }
        }
    }
    all
}

/// What is wrong with a case, with the command that plays it again. The clock counts in whole
/// milliseconds, so a last look may come in one play and not in another: such a moment has more tries.
async fn verdict(case: &Case<'_>) -> Option<String> {
    let mut found = Vec::new();
    for _ in 0..TRIES {
        found = match AssertUnwindSafe(case.play()).catch_unwind().await {
            Ok(found) => found,
            Err(_) => vec!["it panicked".to_owned()],
        };
        if !found.iter().any(|finding| finding == NOT_STRUCK) {
            break;
        }
    }
    (!found.is_empty()).then(|| {
        let found = found.join("\n  ");
        format!("{case}\n  {found}\n  again: AEROFORM_FAULTS={case} cargo test --test faults")
    })
}

#[test]
fn whatever_answer_goes_wrong_the_next_apply_does_the_remainder() {
    run("answers", &ANSWERS);
}

#[test]
fn whatever_becomes_of_a_machine_the_next_apply_does_the_remainder() {
    run("machines", &MACHINES);
}

#[test]
fn whenever_it_is_told_to_stop_the_next_apply_does_the_remainder() {
    run("signals", &SIGNALS);
}

#[test]
fn wherever_it_dies_the_next_apply_does_the_remainder() {
    run("deaths", &DEATHS);
}

#[test]
fn whichever_write_fails_the_next_apply_does_the_remainder() {
    run("writes", &WRITES);
}
