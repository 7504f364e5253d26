//! How long a rolling update of many Machines takes, beside what its waves allow.

use std::collections::BTreeMap;
use std::time::Duration;

use aeroform::core::fleet::{Desired, Limit, Region, Strategy, Trial};
use aeroform::core::plan::{Plan, PoolId, StepId, Wave, Work};
use aeroform::emulator::world::{Fault, FaultEffect, Timings};
use tokio::time::Instant;

use crate::fixture::{ExecutorFixture, checked, image};
use crate::support::{GroupBuilder, desired, group};

const GROUPS: [&str; 4] = ["api", "mail", "web", "worker"];
const STEADY: Duration = Duration::from_secs(3);

fn fleet(version: &str) -> Desired {
    let quarter = |name| {
        let group = checked(image(group(name), version)).exact(&[("ams", 25), ("gru", 25)]);
        group.with(|group| {
            group.strategy = Strategy::Rolling {
                max_unavailable: Limit::Share(0.25),
            };
            group.steady_ms = Some(STEADY.as_millis().try_into().unwrap());
        })
    };
    desired(GROUPS.map(|name| (name, quarter(name))))
}

/// From the call of an update until its gate is passed.
fn one_update(timings: &Timings) -> Duration {
    timings.replace + timings.boot + timings.first_check.max(STEADY)
}

/// How many times an update of this wave has to wait for another one.
fn turns(plan: &Plan, wave: &Wave) -> usize {
    let pool = &plan.pools[wave.pool.0 as usize];
    let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
    for step in &wave.steps {
        *regions.entry(region_of(plan, *step)).or_default() += 1;
    }
    let of_region = |(region, n): (&&Region, &usize)| n.div_ceil(pool.per_region[*region]);
    let of_regions = regions.iter().map(of_region).max().unwrap();
    of_regions.max(wave.steps.len().div_ceil(pool.size))
}

/// The turns of the longest group.
fn turns_of_waves(plan: &Plan) -> usize {
    let of_group = |waves: &Vec<Wave>| waves.iter().map(|wave| turns(plan, wave)).sum::<usize>();
    let groups = plan.groups.iter().map(|group| of_group(&group.waves));
    groups.max().unwrap()
}

/// The same where only so many steps run at once: in each turn those of the regions with most left, within their limits.
fn turns_in_order(plan: &Plan, parallelism: usize) -> usize {
    let of_group = |waves: &Vec<Wave>| -> Vec<(PoolId, Vec<&Region>)> {
        let regions = |wave: &Wave| {
            wave.steps
                .iter()
                .map(|step| region_of(plan, *step))
                .collect()
        };
        waves
            .iter()
            .map(|wave| (wave.pool, regions(wave)))
            .collect()
    };
    let mut groups: Vec<_> = plan
        .groups
        .iter()
        .map(|group| of_group(&group.waves))
        .collect();
    let mut turns = 0;
    while !groups.is_empty() {
        let mut places = parallelism;
        for waves in &mut groups {
            let (pool, left) = &mut waves[0];
            let pool = &plan.pools[pool.0 as usize];
            let mut in_pool = pool.size;
            let mut in_region = pool.per_region.clone();
            while places > 0 && in_pool > 0 {
                let of_region = |region: &Region| left.iter().filter(|of| **of == region).count();
                let with_room = in_region.iter().filter(|(_, room)| **room > 0);
                let most = with_room.max_by_key(|(region, _)| of_region(region));
                let Some(region) = most.map(|(region, _)| region.clone()) else {
                    break;
                };
                let Some(at) = left.iter().position(|of| **of == region) else {
                    break;
                };
                left.remove(at);
                in_region.entry(region).and_modify(|room| *room -= 1);
                (places, in_pool) = (places - 1, in_pool - 1);
            }
            if left.is_empty() {
                waves.remove(0);
            }
        }
        groups.retain(|waves| !waves.is_empty());
        turns += 1;
    }
    turns
}

fn region_of(plan: &Plan, step: StepId) -> &Region {
    match &plan.steps[step.0 as usize].work {
        Work::Change(change) => &change.region,
        Work::Barrier { .. } => unreachable!("a wave has changes"),
    }
}

async fn assert_takes_no_longer_than_the_waves_allow(parallelism: usize, expected_turns: usize) {
    let mut stage = ExecutorFixture::new();
    stage.parallelism = 64;
    stage.sim.world().timings.first_check = Duration::from_secs(2);
    stage.apply_until_settled(&fleet("shop:1")).await;
    let target = fleet("shop:2");
    let (planned, observed) = stage.plan(&target).await;
    assert_eq!(planned.summary().update, 200);
    let turns = turns_in_order(&planned, parallelism);
    assert_eq!(turns, expected_turns);
    assert!(turns >= turns_of_waves(&planned));
    let each = one_update(&stage.sim.world().timings);
    let bound = each * u32::try_from(turns).unwrap();
    stage.parallelism = parallelism;
    let begun = Instant::now();
    let ran = stage.carry_out(&target, planned, &observed).await;
    let took = begun.elapsed();
    ran.assert_complete();
    println!("parallelism {parallelism}: {took:?}, at least {bound:?} in {turns} turns");
    assert!(took >= bound, "{took:?} is less than {bound:?}");
    assert!(
        took <= bound.mul_f64(1.1),
        "{took:?} is more than {bound:?}"
    );
    stage.assert_settled(&target).await;
}

/// Twenty of each of three groups.
fn swapped_fleet(version: &str, trial: Option<Trial>) -> Desired {
    let twenty = |name| {
        let group = checked(image(group(name), version).serves());
        group.exact(&[("ams", 12), ("gru", 8)]).with(|group| {
            group.trial = trial;
            group.steady_ms = Some(0);
        })
    };
    desired(["api", "web", "worker"].map(|name| (name, twenty(name))))
}

/// Eight creates at a time, and what follows the last ones of them.
#[tokio::test(start_paused = true)]
async fn the_new_machines_of_a_swap_serve_as_early_as_its_pool_allows() {
    const ANSWER: Duration = Duration::from_secs(1);
    let mut stage = ExecutorFixture::new();
    stage.parallelism = 16;
    stage.sim = stage.sim.with_swap_wait(10_000);
    stage.sim.world().timings.first_check = Duration::from_secs(2);
    stage
        .apply_until_settled(&swapped_fleet("shop:1", None))
        .await;
    let slow = FaultEffect::SlowAnswer(ANSWER);
    stage
        .sim
        .world()
        .inject(Fault::on("create", slow).times(u32::MAX));
    let timings = stage.sim.world().timings.clone();
    let last = timings.prepare + timings.boot + timings.first_check;
    // The Machines of the last ones begin to start before the answer is there.
    let bound = ANSWER * (60_u32.div_ceil(8) - 1) + last;
    let target = swapped_fleet("shop:2", Some(Trial::Bluegreen));
    let seen_by = stage.sim.clone();
    let begun = Instant::now();
    let run = stage.apply_until_settled(&target);
    tokio::pin!(run);
    let mut serve_after = None;
    loop {
        tokio::select! {
            ran = &mut run => break drop(ran),
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let machines = seen_by.world().operator("shop").machines();
                let new = machines.iter().filter(|machine| {
                    machine["config"]["image"] == "shop:2" && machine["cordoned"] != true
                });
                if new.count() == 60 {
                    serve_after.get_or_insert(begun.elapsed());
                }
            }
        }
    }
    let took = serve_after.unwrap();
    println!("60 new Machines serve after {took:?}, at least {bound:?}");
    assert!(took >= bound, "{took:?} is less than {bound:?}");
    assert!(
        took <= bound.mul_f64(1.1),
        "{took:?} is more than {bound:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_hundred_updates_take_no_longer_than_their_waves_allow() {
    // The first one; then 49 of each group, 13 at a time and 7 in each region.
    assert_takes_no_longer_than_the_waves_allow(64, 5).await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_updates_keep_all_of_sixteen_places_busy() {
    // The first ones side by side; then 196, of which the last four alone: no region is left for the end.
    assert_takes_no_longer_than_the_waves_allow(16, 14).await;
}
