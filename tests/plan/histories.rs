//! Whether the stamps on a Machine belong to the history that the state tells.

use aeroform::core::fleet::{Lineage, RunId};
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
