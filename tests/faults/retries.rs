//! A release that does not work, and is tried again and again: no try is a success while a Machine that should
//! run does not, and none takes down one Machine more than the first try did.

use std::time::Duration;

use aeroform::emulator::world::{ExitsAfter, Fault, FaultEffect, RefusalKind};
use tokio::time::sleep;

use crate::gallery::{self, PlanScenario};
use crate::invariants::{AvailabilityWatch, in_service, unhealthy_groups};
use crate::scenario::{DurableState, FaultScenario, ProcessOutcome, SETTLE_TIME};

/// So many times after the first.
const RETRIES: usize = 2;
/// Of the kinds, each plan has every so manieth.
const SAMPLE_STRIDE: usize = 3;

/// What is wrong with the new version, or with the platform.
#[derive(Clone)]
struct BrokenRelease {
    name: &'static str,
    effect: FaultEffect,
    /// It is over once nothing goes wrong any more.
    heals: bool,
}

fn all() -> Vec<BrokenRelease> {
    let broken = |name, effect, heals| BrokenRelease {
        name,
        effect,
        heals,
    };
    let loops = FaultEffect::ExitsAfter(ExitsAfter {
        after: Duration::from_millis(1200),
        code: 1,
        signal: None,
        oom_killed: false,
        restarts: None,
    });
    let refused = FaultEffect::Refuse {
        status: 422,
        message: "no".to_owned(),
    };
    vec![
        broken("ends", FaultEffect::ExitsAtOnce(1), true),
        broken("crash-loop", loops, false),
        broken("reverts", FaultEffect::Reverts, true),
        broken("does-not-start", FaultEffect::FailStart, true),
        broken("checks", FaultEffect::ChecksNeverPass, true),
        broken("refused", refused, true),
        broken(
            "image-unknown",
            FaultEffect::Refusal(RefusalKind::ImageUnknown),
            true,
        ),
    ]
}

#[test]
fn a_release_that_does_not_work_stays_a_failure_and_takes_down_no_machine_more() {
    let begun = std::time::Instant::now();
    let (mut cases, mut found) = (0, Vec::new());
    for chapter in gallery::all() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let seed = chapter.name.bytes().map(usize::from).sum::<usize>();
        runtime.block_on(async {
            let Some(scene) = Box::pin(updates_several(chapter)).await else {
                return;
            };
            for (n, broken) in all().into_iter().enumerate() {
                if (n + seed).is_multiple_of(SAMPLE_STRIDE) {
                    cases += 1;
                    let name = format!("{}/{}", scene.scenario.name, broken.name);
                    let wrong = play(&scene, &broken, (n + seed) % 2 == 0).await;
                    found.extend(wrong.map(|what| format!("{name}: {what}")));
                }
            }
        });
    }
    println!("{cases} releases in {:.1} s", begun.elapsed().as_secs_f32());
    assert!(cases > 25, "{cases}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A plan that waits for its updates, and has more than one of them.
async fn updates_several(chapter: PlanScenario) -> Option<FaultScenario> {
    if chapter.is_immediate() {
        return None;
    }
    let scene = Box::pin(FaultScenario::of(chapter)).await;
    let calls = |action| {
        scene
            .log
            .iter()
            .filter(|call| call.action == action)
            .count()
    };
    (calls("update") > 1).then_some(scene)
}

/// What is wrong, if something is.
async fn play(scene: &FaultScenario, broken: &BrokenRelease, journal: bool) -> Option<String> {
    let durable = scene.durable_state();
    for action in ["update", "start"] {
        let fault = Fault::on(action, broken.effect.clone());
        durable.sim.world().inject(fault.times(u32::MAX));
    }
    let (first, lowest) = attempt(scene, &durable).await;
    if let Some(what) = untrue(scene, &durable, &first) {
        return Some(format!("the first try {what}"));
    }
    sleep(SETTLE_TIME).await;
    if first.is_success() {
        return None;
    }
    // What runs the version of before again goes down once more each time.
    let floor = match broken.effect {
        FaultEffect::Reverts => lowest,
        _ => in_service(&durable.sim),
    };
    for retry in 1..=RETRIES {
        if !journal {
            durable.journal.delete();
        }
        let (again, lowest) = attempt(scene, &durable).await;
        if let Some(what) = untrue(scene, &durable, &again) {
            return Some(format!("retry {retry} {what}"));
        }
        if again.is_success() {
            return Some(format!("retry {retry} is a success"));
        }
        if lowest < floor {
            return Some(format!(
                "retry {retry} leaves {lowest} in service, and the first try left {floor}"
            ));
        }
        sleep(SETTLE_TIME).await;
    }
    if !broken.heals {
        return None;
    }
    durable.sim.world().clear_faults();
    for id in crate::invariants::ids(&durable.sim) {
        durable.sim.world().operator("shop").fix_checks(&id);
    }
    let (mended, _) = attempt(scene, &durable).await;
    let (mut fleet, left) = scene.apply_until_settled(&durable).await;
    let mut should = scene.fleet.clone();
    if broken.effect == FaultEffect::Reverts {
        // The version of before is started, whatever it was.
        fleet.ignore_states();
        should.ignore_states();
    }
    // Where the platform had no room once it has now.
    should.ever_created = fleet.ever_created;
    let mut wrong = fleet.differences(&should);
    wrong.extend(left);
    let healed = mended.is_success() && wrong.is_empty();
    (!healed).then(|| {
        format!(
            "once nothing is wrong: {wrong:#?} {:.900?}",
            format!("{mended:?}")
        )
    })
}

/// One apply, and how few Machines were in service meanwhile.
async fn attempt(scene: &FaultScenario, durable: &DurableState) -> (ProcessOutcome, usize) {
    let chapter = &scene.scenario;
    let watch = AvailabilityWatch::of_service();
    let (life, process) = durable
        .run_process(&chapter.after, &chapter.options, None, watch)
        .await;
    let lowest = process.guard_watch.into_inner().unwrap().lowest_in_service;
    (life, lowest.unwrap_or_else(|| in_service(&durable.sim)))
}

fn untrue(scene: &FaultScenario, durable: &DurableState, life: &ProcessOutcome) -> Option<String> {
    let down = unhealthy_groups(&durable.sim, &scene.scenario.after);
    let untrue = life.is_success() && !down.is_empty();
    untrue.then(|| format!("is a success, they say, and {}", down.join(", ")))
}
