//! What keeps serving during a rolling update, at every moment of a run over random fleets.
//!
//! Reads the world alone, and shares nothing with the planner or the schedule.
//! `AEROFORM_CASES=2000 cargo test --test executor serving` plays more fleets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aeroform::core::fleet::{
    Desired, DesiredGroup, GroupName, Limit, MovedMachine, OrderedRegions, Regions, Strategy,
};
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::Value;
use tokio::time::sleep;

use crate::fixture::{ExecutorFixture, checked, image};
use crate::random::Random;
use crate::support::{GroupBuilder, desired, group, group_name, id, region};

const REGIONS: [&str; 4] = ["ams", "fra", "gru", "lhr"];
const GROUPS: [&str; 5] = ["api", "cron", "mail", "web", "worker"];
/// Between two looks; no state of the world is shorter.
const LOOK: Duration = Duration::from_millis(50);

fn cases() -> u64 {
    let cases = std::env::var("AEROFORM_CASES");
    cases.map_or(40, |cases| cases.parse().unwrap())
}

/// One Machine as the world shows it.
struct Seen {
    id: String,
    group: String,
    region: String,
    serves: bool,
}

fn look(stage: &ExecutorFixture) -> Vec<Seen> {
    let machines = stage.machines();
    machines.iter().map(seen).collect()
}

fn seen(machine: &Value) -> Seen {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = machine["checks"].as_array();
    let passes = |check: &Value| check["status"] == "passing";
    let checked = machine["config"]["checks"].as_object();
    let passing = match (checked.is_some_and(|all| !all.is_empty()), checks) {
        (false, _) => true,
        (true, None) => false,
        (true, Some(checks)) => !checks.is_empty() && checks.iter().all(passes),
    };
    Seen {
        id: text(&machine["id"]),
        group: text(&machine["config"]["metadata"]["fly_process_group"]),
        region: text(&machine["region"]),
        serves: machine["state"] == "started"
            && passing
            && machine["cordoned"] != true
            && machine["host_status"] != "unreachable",
    }
}

/// A fleet before, and what it is to become.
struct Case {
    before: Desired,
    after: Desired,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let mut before = Vec::new();
        let mut after = Vec::new();
        for name in GROUPS.into_iter().take(1 + random.below(5) as usize) {
            let mut regions: BTreeMap<&str, u32> = BTreeMap::new();
            for _ in 0..=random.below(8) {
                *regions.entry(random.pick(&REGIONS).unwrap()).or_default() += 1;
            }
            let regions: Vec<(&str, u32)> = regions.into_iter().collect();
            let mut group = image(group(name).exact(&regions), "shop:1");
            if random.chance(50) {
                group = checked(group);
            }
            let limit = match random.below(4) {
                0 => Limit::Count(1 + random.below(4)),
                1 => Limit::Share(0.25),
                2 => Limit::Share(0.34),
                _ => Limit::Share(1.0),
            };
            group.strategy = Strategy::Rolling {
                max_unavailable: limit,
            };
            let mut next = image(group.clone(), "shop:2");
            if random.chance(25) {
                let first = random.pick(&REGIONS).unwrap();
                next.region_order = vec![OrderedRegions::Region(region(first))];
            }
            before.push((name, group));
            after.push((name, next));
        }
        Self {
            before: desired(before),
            after: desired(after),
        }
    }

    /// A Machine that moves to another group, with the counts of both as they are then.
    fn with_move(mut self, stage: &ExecutorFixture, random: &mut Random) -> Self {
        let machines = look(stage);
        let (Some(machine), Some(to)) = (random.pick(&machines), self.other_group(random)) else {
            return self;
        };
        if machine.group == to {
            return self;
        }
        let place = region(&machine.region);
        change_count(&mut self.after, &machine.group, &place, -1);
        change_count(&mut self.after, &to, &place, 1);
        self.after.moved_machines.push(MovedMachine {
            machine: id(&machine.id),
            to: group_name(&to),
            location: String::new(),
        });
        self
    }

    fn other_group(&self, random: &mut Random) -> Option<String> {
        let names: Vec<String> = self.after.groups.keys().map(ToString::to_string).collect();
        random.pick(&names).cloned()
    }
}

fn change_count(desired: &mut Desired, name: &str, place: &aeroform::core::fleet::Region, by: i64) {
    let group = desired.groups.get_mut(&group_name(name)).unwrap();
    let Regions::Exact(regions) = &mut group.regions else {
        unreachable!("every group of a case has a map");
    };
    let n = regions.entry(place.clone()).or_default();
    *n = u32::try_from(i64::from(*n) + by).unwrap();
    let total = regions.values().sum();
    group.count = aeroform::core::fleet::Count::Written(total);
}

/// Some are stopped, some crashed, some cordoned, as other people leave them.
async fn disturb(stage: &ExecutorFixture, random: &mut Random) {
    for machine in stage.machines() {
        let id = machine["id"].as_str().unwrap();
        let mut world = stage.sim.world();
        let mut operator = world.operator("shop");
        match random.below(10) {
            0 | 1 => operator.stop(id),
            2 => operator.fail(id),
            3 => operator.cordon(id, true),
            _ => {}
        }
    }
    sleep(Duration::from_secs(5)).await;
}

/// The regions in which a group is to have Machines.
fn staying((name, group): (&GroupName, &DesiredGroup)) -> Vec<(String, String)> {
    let Regions::Exact(regions) = &group.regions else {
        unreachable!("every group of a case has a map");
    };
    let regions = regions.iter().filter(|(_, n)| **n > 0);
    regions
        .map(|(region, _)| (name.to_string(), region.to_string()))
        .collect()
}

/// What served at the start, and what calls of the run have taken down since.
struct Watch {
    groups: BTreeMap<String, Limit>,
    /// The group and region in which each Machine served.
    served: BTreeMap<String, (String, String)>,
    /// Machines that went down by the run and have not served since.
    down: BTreeSet<String>,
    /// The regions in which each group is to have Machines.
    stays: BTreeSet<(String, String)>,
    /// Whether a fault may take Machines down by itself.
    faulty: bool,
    /// Those that served again after the run took them down: what happens to them now is no call of it.
    back: BTreeSet<String>,
}

impl Watch {
    fn begin(stage: &ExecutorFixture, after: &Desired, faulty: bool) -> Self {
        let limit = |group: &DesiredGroup| match group.strategy {
            Strategy::Rolling { max_unavailable } => max_unavailable,
            Strategy::Immediate => unreachable!("every group of a case is rolling"),
        };
        let groups = after.groups.iter();
        let served = look(stage).into_iter().filter(|machine| machine.serves);
        Self {
            groups: groups
                .map(|(name, group)| (name.to_string(), limit(group)))
                .collect(),
            served: served
                .map(|seen| (seen.id, (seen.group, seen.region)))
                .collect(),
            stays: after.groups.iter().flat_map(staying).collect(),
            faulty,
            down: BTreeSet::new(),
            back: BTreeSet::new(),
        }
    }

    /// What one look shows that must not be.
    fn judge(&mut self, stage: &ExecutorFixture) -> Option<String> {
        let now: BTreeMap<String, Seen> = look(stage)
            .into_iter()
            .map(|seen| (seen.id.clone(), seen))
            .collect();
        for id in self.served.keys() {
            if self.back.contains(id) {
                continue;
            }
            if now.get(id).is_some_and(|seen| seen.serves) {
                if self.down.remove(id) {
                    self.back.insert(id.clone());
                }
            } else {
                self.down.insert(id.clone());
            }
        }
        let mut served: BTreeMap<&str, usize> = BTreeMap::new();
        let mut of_region: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        let mut down: BTreeMap<&str, usize> = BTreeMap::new();
        for (id, (group, region)) in &self.served {
            let is_down = usize::from(self.down.contains(id));
            *served.entry(group).or_default() += 1;
            *down.entry(group).or_default() += is_down;
            let of_region = of_region.entry((group, region)).or_default();
            of_region.0 += 1;
            of_region.1 += is_down;
        }
        for (group, n) in &served {
            let most = self.groups[*group].to_count_ceil(*n).max(1);
            if down[group] > most {
                return Some(format!(
                    "{} of {n} of {group} are down, not {most}",
                    down[group]
                ));
            }
        }
        for ((group, region), (n, down)) in of_region {
            let most = self.groups[group].to_count_ceil(n).max(1).min(n - 1).max(1);
            if down > most {
                return Some(format!(
                    "{down} of {n} of {group} in {region} are down, not {most}"
                ));
            }
        }
        if self.faulty {
            return None;
        }
        self.region_without(&now)
    }

    /// A region of which nothing serves, although two or more served and one is to stay.
    fn region_without(&self, now: &BTreeMap<String, Seen>) -> Option<String> {
        let mut before: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (group, region) in self.served.values() {
            *before.entry((group, region)).or_default() += 1;
        }
        let serves = |group: &str, region: &str| {
            let mut machines = now.values().filter(|seen| seen.serves);
            machines.any(|seen| seen.group == group && seen.region == region)
        };
        let two = before.into_iter().filter(|(_, n)| *n >= 2);
        let mut gone = two.filter(|((group, region), _)| {
            let stays = self
                .stays
                .contains(&((*group).to_owned(), (*region).to_owned()));
            stays && !serves(group, region)
        });
        let ((group, region), n) = gone.next()?;
        Some(format!("none of {n} of {group} in {region} serves"))
    }
}

/// Applies while the world is watched.
async fn apply_watched(
    stage: &mut ExecutorFixture,
    after: &Desired,
    fault: bool,
) -> Result<(), String> {
    let mut watch = Watch::begin(stage, after, fault);
    let sim = stage.sim.clone();
    let seen_by = ExecutorFixture {
        sim,
        ..ExecutorFixture::new()
    };
    let run = async {
        let (planned, observed) = stage.plan(after).await;
        Box::pin(stage.carry_out(after, planned, &observed)).await
    };
    tokio::pin!(run);
    let mut breach = None;
    let ran = loop {
        tokio::select! {
            ran = &mut run => break ran,
            () = sleep(LOOK) => breach = breach.or_else(|| watch.judge(&seen_by)),
        }
    };
    if let Some(breach) = breach {
        return Err(format!("{breach}\n{}", ran.plan.summary_lines().join("\n")));
    }
    if !fault {
        ran.assert_complete();
    }
    Ok(())
}

fn play(seed: u64, faulty: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let played: Result<(), String> = runtime.block_on(async {
        let mut random = Random::new(seed);
        let mut stage = ExecutorFixture::new();
        let case = Case::random(&mut random);
        stage.apply_until_settled(&case.before).await;
        disturb(&stage, &mut random.fork()).await;
        let case = if random.chance(30) {
            case.with_move(&stage, &mut random)
        } else {
            case
        };
        if faulty {
            let effect = match random.below(4) {
                0 => FaultEffect::ExitsAtOnce(1),
                1 => FaultEffect::ChecksNeverPass,
                2 => FaultEffect::LoseAfter { status: 504 },
                _ => FaultEffect::FailStart,
            };
            let name = case.other_group(&mut random).unwrap();
            stage
                .sim
                .world()
                .inject(Fault::on("update", effect).in_group(&name));
        }
        Box::pin(apply_watched(&mut stage, &case.after, faulty)).await
    });
    if let Err(breach) = played {
        panic!("seed {seed}: {breach}");
    }
}

/// Holds rule 29.
#[test]
fn a_rolling_update_takes_down_no_more_of_a_group_or_a_region_than_allowed() {
    for seed in 0..cases() {
        play(seed, false);
    }
}

#[test]
fn a_failure_takes_down_no_more_either() {
    for seed in 0..cases() {
        play(10_000 + seed, true);
    }
}
