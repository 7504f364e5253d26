//! No run is a success while a Machine that should run does not, whatever the platform does to it.

use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::json;

use crate::fixture::{ExecutorFixture, checked, image, worker};
use crate::stays_up::{exits, steady};
use crate::support::{GroupBuilder, desired};

/// Every fault that touches whether a Machine runs, on creates and updates of every kind of group: a run says
/// that all is well only while every Machine that should run does, with the wanted config, where it should be.
#[tokio::test(start_paused = true)]
async fn no_run_is_a_success_while_a_machine_that_should_run_does_not() {
    let mut effects = vec![
        FaultEffect::FailStart,
        FaultEffect::ChecksNeverPass,
        FaultEffect::Reverts,
        FaultEffect::WrongRegion("gru".to_owned()),
        FaultEffect::ExitsAtOnce(0),
        FaultEffect::ExitsAtOnce(3),
    ];
    for after in [3, 12] {
        for code in [0, 137] {
            for restarts in [None, Some(0), Some(1)] {
                effects.push(FaultEffect::ExitsAfter(exits(after, code, restarts)));
            }
        }
    }
    let groups = [
        worker(2),
        worker(2).serves(),
        checked(worker(2)),
        worker(2).config(json!({"restart": {"policy": "always"}})),
    ];
    let (mut successes, mut failures) = (0, 0);
    for effect in &effects {
        for group in &groups {
            for (action, nth) in [("create", 1), ("update", 1), ("update", 2)] {
                let mut stage = ExecutorFixture::new();
                let group = steady(group.clone()).max_unavailable(1);
                if action == "update" {
                    stage
                        .apply_until_settled(&desired([("jobs", group.clone())]))
                        .await;
                }
                let fault = Fault::on(action, effect.clone()).nth(nth);
                stage.sim.world().inject(fault);
                let target = desired([("jobs", image(group.clone(), "shop:2"))]);
                let ran = stage.apply(&target).await;
                let done = ran.outcomes().iter().all(|outcome| *outcome == "done");
                if !done || !ran.report.findings.is_empty() {
                    failures += 1;
                    continue;
                }
                successes += 1;
                let serves = group.template.has_services() || group.template.has_checks();
                for machine in stage.machines() {
                    let mut events = machine["events"].as_array().unwrap().iter();
                    let ended_well = !serves
                        && events.any(|event| event["request"]["exit_event"]["exit_code"] == 0);
                    let said = format!("{action} {nth} {effect:?}: {machine:#}");
                    assert!(machine["state"] == "started" || ended_well, "{said}");
                    assert_eq!(machine["config"]["image"], "shop:2", "{said}");
                    assert_eq!(machine["region"], "ams", "{said}");
                }
            }
        }
    }
    assert!(successes > 40 && failures > 60, "{successes} {failures}");
}

/// The platform tells nothing of a Machine whose host does not answer, and what was sent to it is known.
#[tokio::test(start_paused = true)]
async fn a_standby_whose_host_goes_away_as_it_is_made_is_remembered_as_one() {
    let mut stage = ExecutorFixture::new();
    let mut group = worker(1);
    group.standby = Some(1);
    let target = desired([("worker", group)]);
    let fault = Fault::on("create", FaultEffect::HostUnreachable { in_part: true });
    stage.sim.world().inject(fault.nth(2));
    stage.apply(&target).await;
    let known = stage.known.machines.values();
    assert_eq!(
        known.filter(|known| !known.standby_for.is_empty()).count(),
        1
    );
    let (plan, _) = stage.plan(&target).await;
    assert_eq!(plan.summary().create, 0, "{:#?}", plan.summary_lines());
}
