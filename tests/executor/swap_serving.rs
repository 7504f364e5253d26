//! What serves during a swap, at every moment of a run over random fleets, and what is there when it is over.
//!
//! Reads the world alone, and shares nothing with the planner or the schedule.
//! `AEROFORM_CASES=2000 cargo test --test executor swap_serving` plays more fleets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aeroform::core::fleet::{Desired, DesiredGroup, Regions, Trial};
use aeroform::core::plan::Outcome;
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::Value;
use tokio::time::sleep;

use crate::fixture::{ExecutedRun, ExecutorFixture, checked, image};
use crate::random::Random;
use crate::support::{GroupBuilder, desired, group};

const REGIONS: [&str; 3] = ["ams", "fra", "gru"];
const GROUPS: [&str; 4] = ["api", "cron", "web", "worker"];
/// Between two looks; no state of the world is shorter.
const LOOK: Duration = Duration::from_millis(50);
/// Each of the two waits of a swap.
const WAIT_MS: u64 = 2_000;
const OLD: &str = "shop:1";
const NEW: &str = "shop:2";

fn cases() -> u64 {
    let cases = std::env::var("AEROFORM_CASES");
    cases.map_or(25, |cases| cases.parse().unwrap())
}

/// One Machine as the world shows it.
#[derive(Debug)]
struct Seen {
    id: String,
    name: String,
    group: String,
    region: String,
    image: String,
    cordoned: bool,
    runs: bool,
    serves: bool,
}

fn look(stage: &ExecutorFixture) -> Vec<Seen> {
    let machines = stage.machines();
    let live = machines
        .iter()
        .filter(|machine| machine["state"] != "destroying");
    live.map(seen).collect()
}

fn seen(machine: &Value) -> Seen {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let passes = |check: &Value| check["status"] == "passing";
    let has_checks = machine["config"]["checks"].is_object();
    let checks = machine["checks"].as_array().map_or(&[][..], Vec::as_slice);
    let passing = !has_checks || !checks.is_empty() && checks.iter().all(passes);
    Seen {
        id: text(&machine["id"]),
        name: text(&machine["name"]),
        group: text(&machine["config"]["metadata"]["fly_process_group"]),
        region: text(&machine["region"]),
        image: text(&machine["config"]["image"]),
        cordoned: machine["cordoned"] == true,
        runs: machine["state"] == "started",
        serves: machine["state"] == "started" && passing && machine["cordoned"] != true,
    }
}

fn serving(machines: &[Seen]) -> BTreeMap<&str, usize> {
    let mut serving = BTreeMap::new();
    for machine in machines.iter().filter(|machine| machine.serves) {
        *serving.entry(machine.group.as_str()).or_default() += 1;
    }
    serving
}

/// A fleet before, and what it is to become.
struct Case {
    before: Desired,
    after: Desired,
}

impl Case {
    /// Groups that a swap exchanges; some also get more or fewer Machines.
    fn random(random: &mut Random) -> Self {
        let mut before = Vec::new();
        let mut after = Vec::new();
        for (at, name) in GROUPS
            .into_iter()
            .take(1 + random.below(4) as usize)
            .enumerate()
        {
            let mut regions: BTreeMap<&str, u32> = BTreeMap::new();
            for _ in 0..=random.below(6) {
                *regions.entry(random.pick(&REGIONS).unwrap()).or_default() += 1;
            }
            let mut wanted = regions.clone();
            if random.chance(40) {
                let region = *random.pick(&REGIONS).unwrap();
                let n = wanted.entry(region).or_default();
                *n = if random.chance(50) {
                    *n + 1
                } else {
                    n.saturating_sub(1)
                };
                if wanted.values().sum::<u32>() == 0 {
                    wanted.insert(region, 1);
                }
            }
            let of = |regions: &BTreeMap<&str, u32>, version: &str| {
                let regions: Vec<(&str, u32)> = regions.iter().map(|(r, n)| (*r, *n)).collect();
                image(group(name).serves().exact(&regions), version)
            };
            // Without any check there is no swap.
            let is_checked = at == 0 || random.chance(60);
            let gated = |group: DesiredGroup| if is_checked { checked(group) } else { group };
            before.push((name, gated(of(&regions, OLD))));
            let swapped = gated(of(&wanted, NEW));
            after.push((
                name,
                swapped.with(|group| group.trial = Some(Trial::Bluegreen)),
            ));
        }
        Self {
            before: desired(before),
            after: desired(after),
        }
    }
}

/// Some are stopped, some crashed, some cordoned, as other people leave them.
async fn disturb(stage: &ExecutorFixture, random: &mut Random) {
    for machine in stage.machines() {
        let id = machine["id"].as_str().unwrap();
        let mut world = stage.sim.world();
        let mut operator = world.operator("shop");
        match random.below(12) {
            0 | 1 => operator.stop(id),
            2 => operator.fail(id),
            3 | 4 => operator.cordon(id, true),
            _ => {}
        }
    }
    sleep(Duration::from_secs(5)).await;
}

fn wanted(group: &DesiredGroup) -> BTreeMap<String, usize> {
    let Regions::Exact(regions) = &group.regions else {
        unreachable!("every group of a case has a map");
    };
    let regions = regions.iter().filter(|(_, n)| **n > 0);
    regions
        .map(|(region, n)| (region.to_string(), *n as usize))
        .collect()
}

/// How few of each group may serve: as many as at the start, unless the count of a region falls.
struct Watch {
    fewest: BTreeMap<String, usize>,
    blues: BTreeSet<String>,
    /// How many are out of rotation, and how many there are, by group and region.
    cordoned: BTreeMap<(String, String), (usize, usize)>,
}

fn cordoned(machines: &[Seen]) -> BTreeMap<(String, String), (usize, usize)> {
    let mut places: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for machine in machines {
        let place = (machine.group.clone(), machine.region.clone());
        let (cordoned, all) = places.entry(place).or_default();
        *cordoned += usize::from(machine.cordoned);
        *all += 1;
    }
    places
}

impl Watch {
    fn begin(stage: &ExecutorFixture, after: &Desired) -> Self {
        let machines = look(stage);
        let fewest = after.groups.iter().map(|(name, group)| {
            let mut serving: BTreeMap<&str, usize> = BTreeMap::new();
            let of_group = machines.iter().filter(|m| m.group == name.as_str());
            for machine in of_group.filter(|machine| machine.serves) {
                *serving.entry(&machine.region).or_default() += 1;
            }
            let wanted = wanted(group);
            let kept = serving
                .iter()
                .map(|(region, n)| wanted.get(*region).copied().unwrap_or(0).min(*n));
            let fewest: usize = kept.sum();
            (name.to_string(), fewest)
        });
        // A group of which nothing runs is updated in place.
        let runs = machines.iter().filter(|machine| machine.runs);
        let swapped: BTreeSet<&str> = runs.map(|machine| machine.group.as_str()).collect();
        let all = machines.iter();
        let blues = all.filter(|machine| swapped.contains(machine.group.as_str()));
        Self {
            fewest: fewest.collect(),
            cordoned: cordoned(&machines),
            blues: blues.map(|machine| machine.id.clone()).collect(),
        }
    }

    fn judge(&self, stage: &ExecutorFixture) -> Option<String> {
        let machines = look(stage);
        let serving = serving(&machines);
        let mut fewest = self.fewest.iter();
        fewest.find_map(|(group, fewest)| {
            let now = serving.get(group.as_str()).copied().unwrap_or(0);
            (now < *fewest).then(|| format!("{now} of {group} serve, not {fewest}"))
        })
    }

    /// What is not as the files want it, in a fleet of which all is said to be done.
    fn leftovers(&self, stage: &ExecutorFixture, after: &Desired) -> Vec<String> {
        let mut found = Vec::new();
        let machines = look(stage);
        for machine in &machines {
            if self.blues.contains(&machine.id) {
                found.push(format!("{} is blue", machine.id));
            }
            if machine.image != NEW {
                found.push(format!("{} has another image", machine.id));
            }
        }
        for (place, (out, all)) in cordoned(&machines) {
            let (before, all_before) = self.cordoned.get(&place).copied().unwrap_or_default();
            if out > before || all == all_before && out != before {
                found.push(format!("{out} of {place:?} are cordoned, not {before}"));
            }
        }
        let names: BTreeSet<&str> = machines.iter().map(|m| m.name.as_str()).collect();
        if names.len() != machines.len() {
            found.push("two Machines of one name".to_owned());
        }
        for (name, group) in &after.groups {
            let mut regions: BTreeMap<String, usize> = BTreeMap::new();
            for machine in machines
                .iter()
                .filter(|machine| machine.group == name.as_str())
            {
                *regions.entry(machine.region.clone()).or_default() += 1;
            }
            if regions != wanted(group) {
                found.push(format!("{name}: {regions:?}"));
            }
        }
        found
    }
}

/// Applies while the world is watched.
async fn apply_watched(
    stage: &mut ExecutorFixture,
    watch: &Watch,
    after: &Desired,
) -> Result<ExecutedRun, String> {
    let seen_by = ExecutorFixture {
        sim: stage.sim.clone(),
        ..ExecutorFixture::new()
    };
    let run = async {
        let (planned, observed) = stage.plan(after).await;
        Box::pin(stage.carry_out(after, planned, &observed)).await
    };
    tokio::pin!(run);
    let mut breach = watch.judge(&seen_by);
    let ran = loop {
        tokio::select! {
            ran = &mut run => break ran,
            () = sleep(LOOK) => breach = breach.or_else(|| watch.judge(&seen_by)),
        }
    };
    match breach.or_else(|| watch.judge(&seen_by)) {
        None => Ok(ran),
        Some(breach) => Err(format!("{breach}\n{}", ran.plan.summary_lines().join("\n"))),
    }
}

fn is_complete(ran: &ExecutedRun) -> bool {
    let done = |outcome: &Outcome| *outcome == Outcome::Done;
    ran.report
        .results
        .iter()
        .all(|result| done(&result.outcome))
        && ran.report.findings.is_empty()
}

fn unfinished(ran: &ExecutedRun) -> String {
    let bad = ran.report.results.iter();
    let bad: Vec<_> = bad
        .filter(|result| result.outcome != Outcome::Done)
        .map(|result| format!("{:?}", result.outcome))
        .collect();
    format!(
        "{}\n{:?}\n{}",
        bad.join("\n"),
        ran.report.findings,
        ran.plan.summary_lines().join("\n")
    )
}

fn fault(random: &mut Random) -> Fault {
    let refused = || FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    let lost = || FaultEffect::LoseAfter { status: 504 };
    let (action, effect) = match random.below(12) {
        0 => ("create", FaultEffect::ExitsAtOnce(1)),
        1 => ("create", FaultEffect::ChecksNeverPass),
        2 => ("create", FaultEffect::FailStart),
        3 => ("create", lost()),
        4 => ("create", refused()),
        5 => ("create", FaultEffect::ListLag(Duration::from_secs(10))),
        6 => ("uncordon", refused()),
        7 => ("uncordon", lost()),
        8 => ("metadata", refused()),
        9 => ("cordon", refused()),
        10 => ("stop", lost()),
        _ => ("destroy", refused()),
    };
    Fault::on(action, effect).nth(1 + random.below(6))
}

/// Applies until all is done, twice at most after the first time; what is not as it must be.
async fn play_case(random: &mut Random, faulty: bool) -> Result<(), String> {
    let mut stage = ExecutorFixture::new();
    stage.sim = stage.sim.with_swap_wait(WAIT_MS);
    let case = Case::random(random);
    stage.apply_until_settled(&case.before).await;
    disturb(&stage, &mut random.fork()).await;
    let watch = Watch::begin(&stage, &case.after);
    let mut story = Vec::new();
    if faulty {
        let fault = fault(random);
        story.push(format!("{fault:?}"));
        stage.sim.world().inject(fault);
    }
    let applies = if faulty { 3 } else { 1 };
    for apply in 1..=applies {
        let ran = Box::pin(apply_watched(&mut stage, &watch, &case.after)).await?;
        if is_complete(&ran) {
            break;
        }
        story.push(unfinished(&ran));
        if apply == applies {
            return Err(story.join("\n\n"));
        }
        stage.sim.world().clear_faults();
        for machine in look(&stage) {
            stage.sim.world().operator("shop").fix_checks(&machine.id);
        }
    }
    sleep(Duration::from_secs(60)).await;
    let left = watch.leftovers(&stage, &case.after);
    if !left.is_empty() {
        return Err(format!("{left:?}\n{}", story.join("\n\n")));
    }
    stage.assert_settled(&case.after).await;
    Ok(())
}

fn play(seed: u64, faulty: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut random = Random::new(seed);
    if let Err(breach) = runtime.block_on(Box::pin(play_case(&mut random, faulty))) {
        panic!("seed {seed}: {breach}");
    }
}

/// Holds rules 10 and 29.
#[test]
fn a_swap_never_lowers_what_serves_and_leaves_the_wanted_greens_alone() {
    for seed in 0..cases() {
        play(seed, false);
    }
}

#[test]
fn a_swap_that_fails_never_lowers_what_serves_and_two_more_applies_end_it() {
    for seed in 0..cases() {
        play(10_000 + seed, true);
    }
}
