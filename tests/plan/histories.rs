//! Whether the stamps on a Machine belong to the history that the state tells.

use aeroform::core::fleet::{Lineage, RunId};
use aeroform::core::plan::{SavedPlan, Spent};
use serde_json::json;

use crate::support::{GroupWords, Stage, desired, group};

#[test]
fn stamps_of_another_app_are_no_run_that_the_state_should_list() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    // A config with all its metadata, brought here from an app that is further on.
    stage.touch("m00001", |machine| {
        machine.stamps.lineage = Some(Lineage::new("another").unwrap());
        machine.stamps.run = Some(RunId::new("elsewhere").unwrap());
        machine.stamps.serial = Some(99);
    });
    assert!(stage.plan(&wanted).is_empty());
    let changed = group("web").count(2).config(json!({"env": {"A": "1"}}));
    let changed = desired([("web", changed)]);
    let made = stage.plan(&changed);
    assert_eq!((made.refusals, made.takes_over), (vec![], vec![]));
    stage.apply(&changed);
    let run = RunId::new("elsewhere").unwrap();
    assert!(stage.known.runs.iter().all(|listed| listed.run != run));
}

#[test]
fn a_saved_plan_is_spent_by_its_run_and_perhaps_when_the_state_forgets_its_time() {
    let mut stage = Stage::with(&desired([("web", group("web").count(1))]));
    let saved = SavedPlan::of(&stage.plan(&desired([("web", group("web").count(2))])));
    assert_eq!(saved.spent(&stage.known), None);
    stage.known.runs[0].plan = Some(saved.digest());
    let run = stage.known.runs[0].clone();
    assert_eq!(saved.spent(&stage.known), Some(Spent::By(run)));
    stage.known.runs[0].plan = None;
    let list = |stage: &mut Stage, first: u64| {
        let run = stage.known.runs[0].clone();
        let run = |serial| aeroform::core::fleet::RunRecord {
            serial,
            ..run.clone()
        };
        stage.known.runs = (first..first + 50).map(run).collect();
    };
    list(&mut stage, saved.serial + 1);
    assert_eq!(saved.spent(&stage.known), None);
    list(&mut stage, saved.serial + 2);
    assert_eq!(saved.spent(&stage.known), Some(Spent::Perhaps));
}
