//! Two runs at once: neither changes what the other made, and whose own work is otherwise afterwards says so.

use std::time::Duration;

use aeroform::apply::Halt;
use aeroform::core::fleet::{Desired, Known};
use aeroform::core::plan::{Outcome, RunEnd, RunOutcome, StateOutcome};
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::ui::Exit;
use serde_json::json;
use tokio::time::sleep;

use crate::fixture::ExecutorFixture;
use crate::support::{GroupBuilder, desired, group, group_name};

fn web(count: u32, value: &str) -> Desired {
    let config = json!({"image": "shop:1", "env": {"V": value}});
    desired([("web", group("web").count(count).config(config))])
}

/// Another clone of the project: the same app, its own state and journal.
fn rival(stage: &ExecutorFixture) -> ExecutorFixture {
    let mut other = ExecutorFixture::new();
    other.sim = stage.sim.clone();
    other.known = Known::empty(stage.known.app.clone(), "sim");
    other.runs = 10;
    other
}

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn of_two_first_applies_at_once_none_changes_what_the_other_made() {
    let mut stage = ExecutorFixture::new();
    let mut other = rival(&stage);
    let (ours, theirs) = (web(2, "ours"), web(2, "theirs"));
    let (plan, observed) = other.plan(&theirs).await;
    stage.apply(&ours).await;
    stage.sim.world().clear_log();
    let ran = other.carry_out(&theirs, plan, &observed).await;
    assert_eq!(stage.sim.world().count("update"), 0);
    assert!(matches!(ran.report.halted, Some(Halt::StateBehind(_))));
    let codes = ran
        .report
        .results
        .iter()
        .filter_map(|result| match &result.outcome {
            Outcome::Failed { code, message, .. } => {
                assert!(message.starts_with("run run1 by ana made "), "{message}");
                Some(code.as_str())
            }
            _ => None,
        });
    assert!(codes.clone().count() > 0 && codes.clone().all(|code| code == "state_behind"));
    let end = RunEnd {
        plan: &ran.plan,
        results: &ran.report.results,
        interrupted: ran.report.interrupted,
        state_behind: true,
        findings: &ran.report.findings,
        overtaken: &ran.report.overtaken,
        state: &StateOutcome::Unchanged,
        verb: "apply",
    };
    assert_eq!(end.outcome(), RunOutcome::Stale);
    assert_eq!(Exit::from(end.outcome()), Exit::Stale);
    let mut world = stage.sim.world();
    let machines = world.operator("shop").machines();
    assert_eq!(machines.len(), 2);
    assert!(machines.iter().all(|m| m["config"]["env"]["V"] == "ours"));
}

#[tokio::test(start_paused = true)]
async fn what_another_run_made_for_the_same_is_taken_as_it_is() {
    let mut stage = ExecutorFixture::new();
    let mut other = rival(&stage);
    let target = web(2, "same");
    let (plan, observed) = other.plan(&target).await;
    stage.apply(&target).await;
    let ran = other.carry_out(&target, plan, &observed).await;
    assert!(
        ran.report
            .results
            .iter()
            .all(|result| result.outcome == Outcome::Done)
    );
    assert!(ran.report.results.iter().all(|result| !result.updated));
    assert_eq!(stage.sim.world().operator("shop").created_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_that_name_without_a_run_is_updated_and_reported_as_that() {
    let mut stage = ExecutorFixture::new();
    let target = web(1, "wanted");
    let (plan, observed) = stage.plan(&target).await;
    let (_, change) = plan.changes().next().unwrap();
    let name = change.machine.name.to_string();
    let config = json!({"image": "x", "metadata": {"fly_process_group": "web"}});
    stage.sim.world().operator("shop").add(&name, "ams", config);
    let ran = stage.carry_out(&target, plan, &observed).await;
    assert_eq!(ran.report.results[0].outcome, Outcome::Done);
    assert!(ran.report.results[0].updated);
}

/// Holds rule 31.
#[tokio::test(start_paused = true)]
async fn a_run_whose_changes_are_overwritten_names_the_run_that_did() {
    for (how, said) in [
        ("run", "by run run99 by bo"),
        ("deploy", "by release v9"),
        ("by hand", "by another client (it is at version "),
    ] {
        let mut stage = ExecutorFixture::new();
        let mut target = web(2, "ours");
        let jobs = group("jobs").count(1).config(json!({"image": "shop:1"}));
        target.groups.insert(group_name("jobs"), jobs);
        let slow = FaultEffect::SlowStart(Duration::from_secs(60));
        stage
            .sim
            .world()
            .inject(Fault::on("create", slow).in_group("jobs"));
        let sim = stage.sim.clone();
        let meanwhile = async {
            sleep(Duration::from_secs(30)).await;
            let mut world = sim.world();
            let mut hand = world.operator("shop");
            let web =
                |m: &&serde_json::Value| m["config"]["metadata"]["fly_process_group"] == "web";
            let machines = hand.machines();
            let id = machines.iter().find(web).unwrap()["id"].as_str().unwrap();
            hand.update(id, |config| {
                config["env"]["V"] = "theirs".into();
                let metadata = &mut config["metadata"];
                match how {
                    "run" => {
                        metadata["aeroform_run"] = "run99".into();
                        metadata["aeroform_by"] = "bo".into();
                    }
                    "deploy" => metadata["fly_release_version"] = "9".into(),
                    _ => {}
                }
            });
        };
        let (ran, ()) = tokio::join!(stage.apply(&target), meanwhile);
        assert_eq!(ran.report.overtaken.len(), 1, "{how}: {:?}", ran.report);
        let text = &ran.report.overtaken[0];
        assert!(text.contains(said), "{how}: {text}");
        assert_eq!(ran.report.findings, [""; 0]);
    }
}
