//! The loops: every kind of blow, at every moment at which it can fall, on every plan of the gallery;
//! then the same apply again, with the journal kept and with the journal deleted.

use std::fmt;
use std::time::Duration;

use aeroform::emulator::world::{Fault, LoggedCall, RefusalKind};
use tokio::time::sleep;

use crate::call_faults::{CallFault, LEASE_HELD, OTHER_REGION};
use crate::gallery::{self, PlanScenario};
use crate::invariants::{
    AvailabilityGuard, fix_checks, ids, unexplained_machines, unhealthy_groups,
};
use crate::matrix::{FaultMatrix, MatrixColumn};
use crate::memory_journal::FailCommit;
use crate::memory_store::FailWrite;
use crate::process::{FaultPoint, ProcessFault};
use crate::scenario::{
    DurableState, FAULT_NOT_FIRED, FaultScenario, ProcessOutcome, SETTLE_TIME, played,
};

/// A sample has a moment that changes something of every kind and plan, and of so many plans one has
/// another moment too.
const READING_SAMPLE: usize = 3;
/// What becomes of a Machine is tried on one of so many plans.
const SAMPLE_STRIDE: usize = 2;
/// How long calls in flight have after a signal, as the program gives them.
const SIGNAL_GRACE: Duration = Duration::from_secs(4);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    /// The n-th call of the world gets another answer.
    Answer(&'static str, CallFault),
    /// The process takes a blow at the n-th moment of this kind.
    Blow(&'static str, FaultPointKind, ProcessFault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultPointKind {
    BeforeRequest,
    AfterRequest,
    Event,
    Commit(FailCommit),
    Write(FailWrite),
    BeforeRelease,
    AfterRelease,
}

const ANSWERS: [FaultKind; 6] = [
    FaultKind::Answer("refused", CallFault::Refused),
    FaultKind::Answer("rate-limited", CallFault::RateLimited),
    FaultKind::Answer("lost-before", CallFault::LostBefore),
    FaultKind::Answer("lost-after", CallFault::LostAfter),
    FaultKind::Answer("not-starting", CallFault::NotStarting),
    FaultKind::Answer("no-room", CallFault::NoRoom),
];

/// What becomes of a Machine that a call touches, and the platform's refusals in its own words.
const MACHINES: [FaultKind; 18] = [
    FaultKind::Answer("no-capacity", CallFault::Refusal(RefusalKind::Capacity)),
    FaultKind::Answer("quota", CallFault::Refusal(RefusalKind::Quota)),
    FaultKind::Answer(
        "machine-limit",
        CallFault::Refusal(RefusalKind::MachineLimit),
    ),
    FaultKind::Answer(
        "image-unknown",
        CallFault::Refusal(RefusalKind::ImageUnknown),
    ),
    FaultKind::Answer("name-taken", CallFault::Refusal(RefusalKind::NameTaken)),
    FaultKind::Answer("crashes-for-good", CallFault::Crashes(0, 1)),
    FaultKind::Answer("crashes-once", CallFault::Crashes(1, 1)),
    FaultKind::Answer("crashes-twice", CallFault::Crashes(2, 137)),
    FaultKind::Answer("crashes-after-3-s", CallFault::CrashesLate),
    FaultKind::Answer("stopped-by-somebody", CallFault::Stopped),
    FaultKind::Answer("checks-never-pass", CallFault::ChecksFail),
    FaultKind::Answer("lease-held", CallFault::LeaseHeld),
    FaultKind::Answer("reverts", CallFault::Reverts),
    FaultKind::Answer("wrong-region", CallFault::Elsewhere),
    FaultKind::Answer("stays-created", CallFault::StaysCreated),
    FaultKind::Answer("host-gone", CallFault::HostGone),
    FaultKind::Answer("migrates", CallFault::Migrates),
    FaultKind::Answer("list-lags-10-s", CallFault::ListLags),
];

const SIGNALS: [FaultKind; 4] = [
    FaultKind::Blow(
        "signal-before-answer",
        FaultPointKind::BeforeRequest,
        ProcessFault::Signal(SIGNAL_GRACE),
    ),
    FaultKind::Blow(
        "signal-after-answer",
        FaultPointKind::AfterRequest,
        ProcessFault::Signal(SIGNAL_GRACE),
    ),
    FaultKind::Blow(
        "cut-off-in-flight",
        FaultPointKind::BeforeRequest,
        ProcessFault::Signal(Duration::ZERO),
    ),
    FaultKind::Blow(
        "signal-at-event",
        FaultPointKind::Event,
        ProcessFault::Signal(SIGNAL_GRACE),
    ),
];

const DEATHS: [FaultKind; 3] = [
    FaultKind::Blow(
        "dies-before-request",
        FaultPointKind::BeforeRequest,
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "dies-after-request",
        FaultPointKind::AfterRequest,
        ProcessFault::Crash,
    ),
    FaultKind::Blow("dies-at-event", FaultPointKind::Event, ProcessFault::Crash),
];

const WRITES: [FaultKind; 10] = [
    FaultKind::Blow(
        "commit-refused",
        FaultPointKind::Commit(FailCommit::Before),
        ProcessFault::Nothing,
    ),
    FaultKind::Blow(
        "commit-unanswered",
        FaultPointKind::Commit(FailCommit::After),
        ProcessFault::Nothing,
    ),
    FaultKind::Blow(
        "dies-before-commit",
        FaultPointKind::Commit(FailCommit::CrashBefore),
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "dies-after-commit",
        FaultPointKind::Commit(FailCommit::CrashAfter),
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "write-refused",
        FaultPointKind::Write(FailWrite::Before),
        ProcessFault::Nothing,
    ),
    FaultKind::Blow(
        "write-unanswered",
        FaultPointKind::Write(FailWrite::After),
        ProcessFault::Nothing,
    ),
    FaultKind::Blow(
        "dies-before-write",
        FaultPointKind::Write(FailWrite::CrashBefore),
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "dies-after-write",
        FaultPointKind::Write(FailWrite::CrashAfter),
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "dies-before-release",
        FaultPointKind::BeforeRelease,
        ProcessFault::Crash,
    ),
    FaultKind::Blow(
        "dies-after-release",
        FaultPointKind::AfterRelease,
        ProcessFault::Crash,
    ),
];

/// What becomes of the journal before the next apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalFate {
    Kept,
    Lost,
}

impl FaultKind {
    fn name(self) -> &'static str {
        match self {
            Self::Answer(name, _) | Self::Blow(name, ..) => name,
        }
    }

    /// The moments of a scene at which it can happen: those that change something, and the others.
    fn moments(self, scene: &FaultScenario) -> (Vec<u64>, Vec<u64>) {
        let done = &scene.counts;
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
                        .filter(|(_, call)| wrong.is_about(call, &scene.scenario));
                    about.map(|(n, _)| n).collect()
                };
                (of(changing), of(reading))
            }
            Self::Blow(_, FaultPointKind::BeforeRequest | FaultPointKind::AfterRequest, _) => {
                let others = (1..=done.requests).filter(|n| !done.changing.contains(n));
                (done.changing.clone(), others.collect())
            }
            Self::Blow(_, FaultPointKind::Event, _) => ((1..=done.events).collect(), Vec::new()),
            Self::Blow(_, FaultPointKind::Commit(_), _) => {
                ((1..=done.commits).collect(), Vec::new())
            }
            Self::Blow(_, FaultPointKind::Write(_), _) => ((1..=done.writes).collect(), Vec::new()),
            Self::Blow(_, FaultPointKind::BeforeRelease | FaultPointKind::AfterRelease, _) => {
                (vec![1], Vec::new())
            }
        }
    }
}

fn changes(action: &str) -> bool {
    !matches!(action, "app" | "list" | "volumes" | "get" | "wait")
}

impl FaultPointKind {
    fn moment(self, n: u64) -> FaultPoint {
        match self {
            Self::BeforeRequest => FaultPoint::BeforeRequest(n),
            Self::AfterRequest => FaultPoint::AfterRequest(n),
            Self::Event => FaultPoint::Event(n),
            Self::Commit(how) => FaultPoint::Commit(n, how),
            Self::Write(how) => FaultPoint::Write(n, how),
            Self::BeforeRelease => FaultPoint::BeforeRelease,
            Self::AfterRelease => FaultPoint::AfterRelease,
        }
    }
}

/// One case: replayed by its name.
#[derive(Clone, Copy)]
struct FaultCase<'a> {
    scene: &'a FaultScenario,
    kind: FaultKind,
    at: u64,
    rest: JournalFate,
}

impl fmt::Display for FaultCase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, kind) = (self.scene.scenario.name, self.kind.name());
        let rest = match self.rest {
            JournalFate::Kept => "kept",
            JournalFate::Lost => "lost",
        };
        write!(f, "{plan}/{kind}/{}/{rest}", self.at)
    }
}

impl FaultCase<'_> {
    /// Plays it; gives what is not as it must be.
    async fn play(&self) -> Vec<String> {
        let durable = self.scene.durable_state();
        let before = ids(&durable.sim);
        let (life, mut found) = self.disturb(&durable).await;
        let known = durable.known(&self.scene.scenario.after.app).await;
        found.extend(unexplained_machines(
            &before,
            &durable.sim,
            &known,
            &durable.journal,
        ));
        if life.is_success() {
            let down = unhealthy_groups(&durable.sim, &self.scene.scenario.after);
            found.extend(
                down.into_iter()
                    .map(|id| format!("all is done, they say, and {id}")),
            );
        }
        if self.rest == JournalFate::Lost {
            durable.journal.delete();
        }
        let wrong = match self.kind {
            FaultKind::Answer(_, wrong) => Some(wrong),
            FaultKind::Blow(..) => None,
        };
        if wrong == Some(CallFault::HostGone) {
            self.scene.bring_hosts_back(&durable);
        }
        if wrong == Some(CallFault::ChecksFail) {
            fix_checks(&durable.sim);
        }
        if wrong == Some(CallFault::LeaseHeld) {
            sleep(LEASE_HELD).await;
        }
        let takes_down = wrong.is_some_and(CallFault::takes_down);
        let ungated = takes_down && self.scene.scenario.is_immediate();
        if ungated {
            // It is not waited for, so it shows only later.
            sleep(SETTLE_TIME).await;
        }
        let guards = self.guards(takes_down);
        let (again, _, findings) = self.scene.run_case_with(&durable, None, &guards).await;
        let mut again_findings = findings;
        // What a host that does not answer tells in part is read in whole later.
        let read_later = wrong == Some(CallFault::HostGone);
        if life.is_success() && !ungated && !read_later && !matches!(again, ProcessOutcome::Idle) {
            found.push(format!("it said that all was done, and then: {again:#?}"));
        }
        let mut last = again;
        if self.scene.scenario.is_swap() && !last.is_success() {
            // It undid what it could not go on with, or said which new Machine does not serve well.
            let (third, _, findings) = self.scene.run_case_with(&durable, None, &guards).await;
            again_findings.extend(findings);
            last = third;
        }
        found.extend(
            again_findings
                .into_iter()
                .map(|finding| format!("again: {finding}")),
        );
        if !last.is_success() {
            found.push(format!("the last apply: {last:#?}"));
        }
        let (mut fleet, left) = self.scene.apply_until_settled(&durable).await;
        let mut should = self.scene.fleet.clone();
        if self.scene.scenario.has_canary() {
            // Each try makes one of its own.
            should.ever_created = should.ever_created.max(fleet.ever_created);
        }
        if let Some(wrong) = wrong {
            if self.scene.scenario.is_swap() && wrong.ends_a_swap() {
                // All new Machines go, and the next apply makes as many.
                should.ever_created = should.ever_created.max(fleet.ever_created);
            }
            if wrong.may_make_another() {
                // A successor that cannot start may be made again instead of being mended, and one whose
                // host has no room is replaced.
                should.ever_created = should.ever_created.max(fleet.ever_created);
                fleet.ignore_spare_volumes(&mut should);
            }
            if ungated && wrong.ends_later() {
                // What is not waited for shows only later, and that is no business of a next apply.
                fleet.ignore_states();
                should.ignore_states();
            }
            match wrong {
                // Where nothing says which region, a Machine stays where it is.
                CallFault::Elsewhere => fleet.replace_text(&format!(" {OTHER_REGION} "), " ams "),
                // The version of before is started, whatever it was; what somebody stopped stays so.
                CallFault::Reverts | CallFault::Stopped => {
                    fleet.ignore_states();
                    should.ignore_states();
                }
                CallFault::StaysCreated => fleet.replace_text(" created ", " stopped "),
                CallFault::Migrates => {
                    fleet.ignore_forks();
                    should.ignore_forks();
                }
                _ => {}
            }
        }
        found.extend(fleet.differences(&should));
        found.extend(left.into_iter().map(|line| format!("left: {line}")));
        found
    }

    /// What is promised, also where a fault keeps one Machine down.
    fn guards(&self, one_is_down: bool) -> Vec<AvailabilityGuard> {
        let mut guards = self.scene.scenario.guards.clone();
        for guard in &mut guards {
            // In a swap the old Machines serve, whatever becomes of a new one.
            let is_swapped = self.scene.scenario.swaps(guard.groups);
            let down = usize::from(one_is_down && !is_swapped);
            guard.min_running = guard.min_running.saturating_sub(down);
        }
        guards
    }

    async fn disturb(&self, durable: &DurableState) -> (ProcessOutcome, Vec<String>) {
        match self.kind {
            FaultKind::Blow(_, at, blow) => {
                let (life, _, found) = self
                    .scene
                    .run_case(durable, Some((at.moment(self.at), blow)))
                    .await;
                (life, found)
            }
            FaultKind::Answer(_, wrong) => {
                let at = usize::try_from(self.at).unwrap();
                let action = self.scene.log[at - 1].action;
                let same = self.scene.log[..at]
                    .iter()
                    .filter(|call| call.action == action);
                let nth = u32::try_from(same.count()).unwrap();
                let fault = Fault::on(action, wrong.effect()).nth(nth);
                let fault = durable.sim.world().inject(fault);
                // Of a replacement the old Machine goes although somebody stops the new one.
                let guards = self.guards(wrong == CallFault::Stopped);
                let run = self.scene.run_case_with(durable, None, &guards);
                let (life, _, mut found) = run.await;
                if durable.sim.world().fired(fault) == 0 {
                    found.push(FAULT_NOT_FIRED.to_owned());
                }
                (life, found)
            }
        }
    }
}

/// The selected cases.
enum CaseFilter {
    Sample,
    All,
    Named(String),
}

impl CaseFilter {
    fn from_env() -> Self {
        match std::env::var("AEROFORM_FAULTS") {
            Err(_) => Self::Sample,
            Ok(text) if text == "all" => Self::All,
            Ok(text) => Self::Named(text),
        }
    }

    fn covers_plan(&self, plan: &str) -> bool {
        match self {
            Self::Sample | Self::All => true,
            Self::Named(named) => named.split('/').next() == Some(plan),
        }
    }

    fn includes(&self, case: &FaultCase<'_>, sampled: bool) -> bool {
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
fn sample_evenly(all: &[u64], most: usize, seed: usize) -> Vec<u64> {
    let n = all.len();
    if n <= most {
        return all.to_vec();
    }
    (0..most).map(|i| all[(i * n / most + seed) % n]).collect()
}

/// What was played of one chapter.
#[derive(Default)]
struct PlayedCases {
    possible: usize,
    cases: usize,
    failed: Vec<String>,
    matrix: FaultMatrix,
}

fn run(title: &str, kinds: &[FaultKind]) {
    let target = CaseFilter::from_env();
    let begun = std::time::Instant::now();
    let mut all = PlayedCases::default();
    let mut plans = 0;
    for chapter in gallery::all() {
        if !target.covers_plan(chapter.name) {
            continue;
        }
        plans += 1;
        // A clock of its own, so that a case happens as it does by itself.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let played = runtime.block_on(play(chapter, kinds, &target));
        all.possible += played.possible;
        all.cases += played.cases;
        all.failed.extend(played.failed);
        all.matrix.add(played.matrix);
    }
    let table = all.matrix.table(kinds.iter().map(|kind| kind.name()));
    let (kinds, took) = (kinds.len(), begun.elapsed().as_secs_f32());
    let PlayedCases {
        possible,
        cases,
        failed,
        ..
    } = all;
    println!(
        "{title}: {cases} cases of {possible} ({plans} plans, {kinds} kinds), each fault fired, \
         {took:.1} s\n{table}\n"
    );
    let n = failed.len();
    assert!(
        failed.is_empty(),
        "{n} of {cases} cases failed\n\n{}",
        failed.join("\n\n")
    );
}

async fn play(chapter: PlanScenario, kinds: &[FaultKind], target: &CaseFilter) -> PlayedCases {
    let scene = Box::pin(FaultScenario::of(chapter)).await;
    let mut all = PlayedCases::default();
    let seed = scene.scenario.name.bytes().map(usize::from).sum::<usize>();
    for (index, kind) in kinds.iter().enumerate() {
        let (changing, others) = kind.moments(&scene);
        let mut sample = sample_evenly(&changing, 1, seed + index * 3);
        if (seed + index).is_multiple_of(READING_SAMPLE) {
            sample.extend(sample_evenly(&others, 1, seed + index * 3));
        }
        if kinds == MACHINES && !(seed + index).is_multiple_of(SAMPLE_STRIDE) {
            sample.clear();
        }
        for at in changing.into_iter().chain(others) {
            for rest in [JournalFate::Kept, JournalFate::Lost] {
                all.possible += 1;
                let kind = *kind;
                let case = FaultCase {
                    scene: &scene,
                    kind,
                    at,
                    rest,
                };
                // An answer does nothing to a journal: one is kept, and the next one is lost.
                let turn =
                    [JournalFate::Kept, JournalFate::Lost][(seed + index) / SAMPLE_STRIDE % 2];
                let plays = rest == turn || matches!(kind, FaultKind::Blow(..));
                if target.includes(&case, plays && sample.contains(&at)) {
                    all.cases += 1;
                    let verdict = verdict(&case).await;
                    let column = MatrixColumn::of(&case.scene.scenario);
                    let lost = case.rest == JournalFate::Lost;
                    let passed = verdict.is_none();
                    all.matrix.count(case.kind.name(), (column, lost), passed);
                    all.failed.extend(verdict);
                }
            }
        }
    }
    all
}

/// What is wrong with a case, with the command that plays it again.
async fn verdict(case: &FaultCase<'_>) -> Option<String> {
    let found = played(async || case.play().await).await;
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
fn after_a_stop_at_any_moment_the_next_apply_does_the_remainder() {
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
