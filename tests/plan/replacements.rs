//! A Machine and the one that takes its place, where a run made the new one and did not destroy the old one.

use aeroform::core::fleet::Desired;
use aeroform::core::plan::Outcome;
use serde_json::json;

use crate::rerun::{destroys, nth};
use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

fn list(regions: &str) -> Desired {
    desired([("web", group("web").count(2).protected().list(regions))])
}

fn half_done() -> PlanFixture {
    let mut stage = PlanFixture::with(&list("ams"));
    let plan = stage.plan(&list("ams gru"));
    let gone = nth(&plan, 0, destroys);
    stage.carry_out_except(&list("ams gru"), &plan, |step| {
        (step == gone).then_some(Outcome::NotStarted)
    });
    stage
}

#[test]
fn taking_protection_away_keeps_both_halves_of_a_pair() {
    let mut stage = half_done();
    for machine in stage.known.machines.values_mut() {
        machine.replaces = machine.region.as_str().eq("gru").then(|| id("m00001"));
    }
    let plan = stage.plan(&desired([("web", group("web").list("ams gru"))]));
    assert_eq!(plan.refusals, []);
    assert_eq!(plan.summary().destroy, 0, "{:#?}", plan.summary_lines());
}

#[test]
fn a_machine_and_its_successor_that_both_stay_are_two() {
    let mut stage = half_done();
    assert_eq!(stage.known.machines.len(), 3);
    // The next wish keeps all three, and the one after that may not lower what is protected.
    let three = desired([("web", group("web").count(3).protected())]);
    stage.apply(&desired([(
        "web",
        group("web")
            .count(3)
            .protected()
            .config(json!({"env": {"LOG": "debug"}})),
    )]));
    assert!(stage.known.machines.values().all(|m| m.replaces.is_none()));
    stage.apply(&three);
    let plan = stage.plan(&list("ams gru"));
    assert_eq!(plan.refusals[0].code, "protected_group");
}
