//! Rollbacks: in every plan of the gallery the Machine of each create and update fails its gate in turn, with
//! `on_failure = "rollback"`; then something more goes wrong at each moment of the rollback.
//!
//! Without a second fault the fleet is the old one and so are the lines of the state. With one, the fleet never
//! falls below the promise of its strategy, the report says what it left, and the next apply does the rest.
//!
//! By default a fixed sample is played. `AEROFORM_ROLLBACK=all` plays everything, and
//! `AEROFORM_ROLLBACK=PLAN/FAILING/KIND/AT`, or a beginning of it, plays exactly that.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use aeroform::core::fleet::OnFailure;
use aeroform::core::plan::way_back::{RollbackStop, Undone};
use aeroform::core::plan::{Action, PlanMode};
use aeroform::emulator::world::{Fault, FaultEffect, FaultId, LoggedCall, World};
use serde_json::json;

use crate::gallery::{self, PlanScenario};
use crate::invariants::{AvailabilityWatch, FleetSummary, ids, unexplained_machines};
use crate::process::{FaultPoint, Process, ProcessFault};
use crate::scenario::{DurableState, FAULT_NOT_FIRED, FaultScenario, ProcessOutcome, played};

/// By default one failing Machine of each of these plans is played: in place, standbys, replacements with the new
/// Machine and the old one first, a move, a new group, a count, and hosts without room.
const SAMPLED_PLANS: [&str; 8] = [
    "changes-rolling",
    "standby-follows",
    "mount-gone",
    "old-first",
    "renamed",
    "group-added",
    "changes-and-grows",
    "changes-without-room",
];
/// How many cases of each.
const SAMPLED_CASES: usize = 9;
/// How long calls in flight have after a signal, as the program gives them.
const SIGNAL_GRACE: Duration = Duration::from_secs(4);

/// The create or update whose Machine does not start: the n-th of its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NthCall {
    action: &'static str,
    nth: u32,
}

impl NthCall {
    fn of(log: &[LoggedCall], at: usize) -> Self {
        let action = log[at].action;
        let same = log[..=at].iter().filter(|call| call.action == action);
        let nth = u32::try_from(same.count()).unwrap();
        Self { action, nth }
    }

    fn fault(self, effect: FaultEffect) -> Fault {
        Fault::on(self.action, effect).nth(self.nth)
    }
}

/// What goes wrong during the rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Nothing,
    /// Somebody changes a Machine when it begins.
    Changed,
    /// The Machine of this create or update fails its gate.
    GateFails(NthCall),
    /// This call is answered with an error, and did nothing.
    ServerError(NthCall),
    /// The answer of this call is lost.
    LostAnswer(NthCall),
    /// A signal arrives at this request.
    Signal(u64),
    /// The process dies before this request.
    DiesBefore(u64),
    /// The process dies after this request.
    DiesAfter(u64),
}

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing/0"),
            Self::Changed => f.write_str("changed/0"),
            Self::GateFails(at) => write!(f, "gate-fails/{}-{}", at.action, at.nth),
            Self::ServerError(at) => write!(f, "server-error/{}-{}", at.action, at.nth),
            Self::LostAnswer(at) => write!(f, "lost-answer/{}-{}", at.action, at.nth),
            Self::Signal(at) => write!(f, "signal/{at}"),
            Self::DiesBefore(at) => write!(f, "dies-before/{at}"),
            Self::DiesAfter(at) => write!(f, "dies-after/{at}"),
        }
    }
}

#[derive(Clone, Copy)]
struct RollbackCase<'a> {
    scene: &'a FaultScenario,
    failing: NthCall,
    second: Second,
}

impl fmt::Display for RollbackCase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, second) = (self.scene.scenario.name, self.second);
        let NthCall { action, nth } = self.failing;
        write!(f, "{plan}/{action}-{nth}/{second}")
    }
}

fn starts(action: &str) -> bool {
    matches!(action, "create" | "update")
}

fn changes(action: &str) -> bool {
    !matches!(action, "app" | "list" | "volumes" | "get" | "wait")
}

/// Changes a Machine that the run has changed last.
fn change_a_machine(world: &mut World) {
    let machines = world.operator("shop").machines();
    let serial = |machine: &serde_json::Value| {
        let text = machine["config"]["metadata"]["aeroform_serial"].as_str();
        let serial = text.and_then(|text| text.parse::<u64>().ok());
        (serial, machine["updated_at"].to_string())
    };
    let alive = machines.iter().filter(|m| m["state"] != "destroying");
    if let Some(last) = alive.max_by_key(|machine| serial(machine)) {
        let id = last["id"].as_str().unwrap().to_owned();
        let by_hand = |config: &mut serde_json::Value| config["env"]["BY_HAND"] = json!("1");
        world.operator("shop").update(&id, by_hand);
    }
}

impl RollbackCase<'_> {
    /// Plays it; gives what is not as it must be.
    async fn play(&self) -> Vec<String> {
        let durable = self.scene.durable_state();
        let app = &self.scene.scenario.after.app;
        let before = ids(&durable.sim);
        let mut old = FleetSummary::of(&durable.sim, &durable.known(app).await);
        let (life, _, mut found) = self.disturb(&durable).await;
        let known = durable.known(app).await;
        let (sim, journal) = (&durable.sim, &durable.journal);
        found.extend(unexplained_machines(&before, sim, &known, journal));
        if life.is_success() {
            found.push("a Machine fails its gate, and all is done, they say".to_owned());
        }
        if self.judge_report(&life, &mut found) {
            let mut now = FleetSummary::of(sim, &known);
            now.ignore_history();
            old.ignore_history();
            // One that had failed is started again, and an update leaves a suspended one stopped (rule 23).
            for fleet in [&mut now, &mut old] {
                fleet.replace_text(" failed ", " started ");
                fleet.replace_text(" suspended ", " stopped ");
            }
            // What the run has adopted or forgotten is a fact that no rollback changes.
            let adopts = Self::adopts(&life);
            let differ = now.differences(&old).into_iter();
            let differ = differ.filter(|line| !adopts || !line.starts_with("in the state"));
            found.extend(differ.map(|line| format!("rolled back: {line}")));
        }
        self.apply_again(&durable, &life, &mut found).await;
        found
    }

    /// Plays the first apply.
    async fn disturb(&self, durable: &DurableState) -> (ProcessOutcome, Process, Vec<String>) {
        let scenario = &self.scene.scenario;
        let inject = |at: NthCall, effect| durable.sim.world().inject(at.fault(effect));
        let mut faults: Vec<FaultId> = vec![inject(self.failing, FaultEffect::FailStart)];
        let mut blow = None;
        let mut hand: Option<fn(&mut World)> = None;
        match self.second {
            Second::Nothing => {}
            Second::Changed => hand = Some(change_a_machine),
            Second::GateFails(at) => faults.push(inject(at, FaultEffect::FailStart)),
            Second::ServerError(at) => {
                faults.push(inject(at, FaultEffect::LoseBefore { status: 500 }));
            }
            Second::LostAnswer(at) => {
                faults.push(inject(at, FaultEffect::LoseAfter { status: 504 }));
            }
            Second::Signal(at) => {
                let signal = ProcessFault::Signal(SIGNAL_GRACE);
                blow = Some((FaultPoint::BeforeRequest(at), signal));
            }
            Second::DiesBefore(at) => {
                blow = Some((FaultPoint::BeforeRequest(at), ProcessFault::Crash));
            }
            Second::DiesAfter(at) => {
                blow = Some((FaultPoint::AfterRequest(at), ProcessFault::Crash));
            }
        }
        let mut guards = scenario.guards.clone();
        if self.second == Second::Changed {
            // Whoever changes a Machine takes it down.
            guards.clear();
        }
        let watch = AvailabilityWatch::over(&guards);
        let (life, process) = durable
            .run_process_beside(&scenario.after, &scenario.options, blow, watch, hand)
            .await;
        let mut found = process.guard_watch.lock().unwrap().findings.clone();
        let unfired = |id: &FaultId| durable.sim.world().fired(*id) == 0;
        if faults.iter().any(unfired) || blow.is_some() && !process.fired() {
            found.push(FAULT_NOT_FIRED.to_owned());
        }
        (life, process, found)
    }

    /// Whether it reports a complete rollback; and what is wrong with the report.
    fn judge_report(&self, life: &ProcessOutcome, found: &mut Vec<String>) -> bool {
        let ProcessOutcome::Ran(ran) = life else {
            return false;
        };
        let report = &ran.ended.report;
        let Some(rollback) = &report.rollback else {
            found.push(format!("nothing was rolled back: {life:#?}"));
            return false;
        };
        let complete = rollback.is_complete();
        let left = |undone: &Undone| matches!(undone, Undone::LeftAlone { .. });
        match self.second {
            Second::Nothing | Second::LostAnswer(_) | Second::ServerError(_) if !complete => {
                found.push(format!("it is not complete: {rollback:#?}"));
            }
            // A standby is not started, so it fails nothing; what is complete is compared with what was.
            Second::GateFails(_)
                if !complete && !matches!(rollback.stopped, Some(RollbackStop::Failed(_))) =>
            {
                found.push(format!("a gate failed, and it did not stop: {rollback:#?}"));
            }
            Second::Changed if !rollback.undone().any(left) => {
                found.push(format!("nobody is left alone: {rollback:#?}"));
            }
            Second::Nothing
            | Second::Changed
            | Second::GateFails(_)
            | Second::LostAnswer(_)
            | Second::ServerError(_)
            | Second::Signal(_)
            | Second::DiesBefore(_)
            | Second::DiesAfter(_) => {}
        }
        if complete && !report.findings.is_empty() {
            found.push(format!("findings: {:?}", report.findings));
        }
        complete
    }

    /// Whether the plan adopts or forgets Machines.
    fn adopts(life: &ProcessOutcome) -> bool {
        let ProcessOutcome::Ran(ran) = life else {
            return false;
        };
        let mut changes = ran.plan.changes();
        changes.any(|(_, change)| matches!(change.action, Action::Adopt | Action::Forget))
    }

    /// The next apply does the rest.
    async fn apply_again(
        &self,
        durable: &DurableState,
        life: &ProcessOutcome,
        found: &mut Vec<String>,
    ) {
        let mut guards = self.scene.scenario.guards.clone();
        let rollback = match life {
            ProcessOutcome::Ran(ran) => ran.ended.report.rollback.as_ref(),
            _ => None,
        };
        // One that came back as a new Machine may be updated in place now.
        let restored = |undone: &Undone| matches!(undone, Undone::Restored { .. });
        if rollback.is_some_and(|rollback| rollback.undone().any(restored)) {
            for guard in &mut guards {
                guard.min_running = guard.min_running.saturating_sub(1);
            }
        }
        if self.second != Second::Nothing {
            for guard in &mut guards {
                // The Machine that failed, and one that failed on the way back.
                guard.min_running = guard.min_running.saturating_sub(2);
                guard.min_existing = guard.min_existing.saturating_sub(1);
            }
        }
        let (mut again, _, findings) = self.scene.run_case_with(durable, None, &guards).await;
        found.extend(findings.iter().map(|finding| format!("again: {finding}")));
        if self.second == Second::Changed && !again.is_success() {
            (again, _, _) = self.scene.run_case_with(durable, None, &[]).await;
        }
        if !again.is_success() {
            found.push(format!("the second apply: {again:#?}"));
        }
        let (mut fleet, left) = self.scene.apply_until_settled(durable).await;
        let mut should = self.scene.fleet.clone();
        fleet.ignore_history();
        should.ignore_history();
        found.extend(fleet.differences(&should));
        found.extend(left.into_iter().map(|line| format!("left: {line}")));
    }
}

/// The faults of a rollback, from one that nothing disturbs; none where nothing is rolled back.
async fn seconds(scene: &FaultScenario, failing: NthCall) -> Vec<Second> {
    let case = RollbackCase {
        scene,
        failing,
        second: Second::Nothing,
    };
    let durable = scene.durable_state();
    let (life, process, _) = case.disturb(&durable).await;
    let begun = *process.rollback.lock().unwrap();
    let ran = match &life {
        ProcessOutcome::Ran(ran) => ran,
        other => panic!("{case}: {other:#?}"),
    };
    let Some((first, calls)) = begun else {
        assert!(ran.ended.report.rollback.is_none(), "{case}: no event");
        return Vec::new();
    };
    let mut seconds = vec![Second::Nothing, Second::Changed];
    let log = durable.sim.world().log().to_vec();
    for at in (calls..log.len()).filter(|at| changes(log[*at].action)) {
        let call = NthCall::of(&log, at);
        if starts(call.action) {
            seconds.push(Second::GateFails(call));
        }
        seconds.push(Second::ServerError(call));
        seconds.push(Second::LostAnswer(call));
    }
    let requests = process.done().requests;
    for at in first + 1..=requests {
        seconds.push(Second::Signal(at));
        seconds.push(Second::DiesBefore(at));
        seconds.push(Second::DiesAfter(at));
    }
    seconds
}

#[derive(Default)]
struct Played {
    /// Plans that were rolled back.
    plans: BTreeSet<&'static str>,
    possible: usize,
    cases: usize,
    rollbacks: usize,
    failed: Vec<String>,
}

async fn play(chapter: PlanScenario, filter: Option<&str>, all: &mut Played) {
    let name = chapter.name;
    let mut chapter = chapter;
    chapter.options.requested.on_failure = Some(OnFailure::Rollback);
    let scene = Box::pin(FaultScenario::of(chapter)).await;
    let calls = (0..scene.log.len()).filter(|at| starts(scene.log[*at].action));
    let mut failing: Vec<NthCall> = calls.map(|at| NthCall::of(&scene.log, at)).collect();
    match filter {
        // From the middle on.
        None => {
            let middle = failing.len() / 2;
            failing.rotate_left(middle);
        }
        Some("all") => {}
        Some(named) => failing.retain(|call| {
            let prefix = format!("{name}/{}-{}", call.action, call.nth);
            named.starts_with(&prefix) || prefix.starts_with(named)
        }),
    }
    for failing in failing {
        if filter.is_none() && all.plans.contains(&name) {
            break;
        }
        let seconds = seconds(&scene, failing).await;
        if !seconds.is_empty() {
            all.plans.insert(name);
        }
        all.rollbacks += usize::from(!seconds.is_empty());
        // No multiple of three: signals and deaths take turns.
        let stride = (seconds.len() / SAMPLED_CASES).max(1);
        let stride = stride + usize::from(stride.is_multiple_of(3));
        for (index, second) in seconds.into_iter().enumerate() {
            let case = RollbackCase {
                scene: &scene,
                failing,
                second,
            };
            let shown = case.to_string();
            let plays = match filter {
                None => index.is_multiple_of(stride),
                Some("all") => true,
                Some(named) => shown == named || shown.starts_with(&format!("{named}/")),
            };
            all.possible += 1;
            if plays {
                all.cases += 1;
                all.failed.extend(verdict(&case).await);
            }
        }
    }
}

/// What is wrong with a case, with the command that plays it again.
async fn verdict(case: &RollbackCase<'_>) -> Option<String> {
    let found = played(async || case.play().await).await;
    (!found.is_empty()).then(|| {
        let found = found.join("\n  ");
        format!(
            "{case}\n  {found}\n  again: AEROFORM_ROLLBACK={case} cargo test --test faults rollback"
        )
    })
}

/// Plans that a rollback is no part of.
fn is_left_out(chapter: &PlanScenario) -> bool {
    chapter.options.mode != PlanMode::Normal
}

/// Holds rule 29.
#[test]
fn a_rollback_ends_on_the_old_fleet_or_where_the_next_apply_continues() {
    let filter = std::env::var("AEROFORM_ROLLBACK").ok();
    let begun = std::time::Instant::now();
    let mut all = Played::default();
    for chapter in gallery::all() {
        let named = filter.as_deref().filter(|named| *named != "all");
        let other = match (named, filter.is_none()) {
            (Some(named), _) => named.split('/').next() != Some(chapter.name),
            (None, sampled) => sampled && !SAMPLED_PLANS.contains(&chapter.name),
        };
        if other || is_left_out(&chapter) {
            continue;
        }
        // A clock of its own, so that a case happens as it does by itself.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(chapter, filter.as_deref(), &mut all));
    }
    let Played {
        plans,
        possible,
        cases,
        rollbacks,
        failed,
    } = all;
    let took = begun.elapsed().as_secs_f32();
    let plans = plans.len();
    println!("{cases} cases of {possible} ({rollbacks} rollbacks of {plans} plans), {took:.1} s");
    assert!(filter.is_some() || plans == SAMPLED_PLANS.len());
    let n = failed.len();
    assert!(
        failed.is_empty(),
        "{n} of {cases} cases failed\n\n{}",
        failed.join("\n\n")
    );
}
