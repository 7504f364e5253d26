//! Swaps: a second set of Machines in the place of the first.

use aeroform::core::fleet::FieldChange;
use aeroform::core::plan::GroupVerdict::Changed;
use aeroform::core::plan::{
    Action, Change, GateKind, Plan, Removal, StandbyTarget, StepId, SwapOverlap,
};
use serde_json::json;

use crate::build::{
    GroupBuilder, PlanBuilder, change_of, destroy, fields, green, group, id, plan, switch,
};

const BLUES: [(&str, &str); 6] = [
    ("ams", "2508a3a1dd4e86"),
    ("ams", "32fc9cd5da0c77"),
    ("ams", "640e41b7f5d787"),
    ("ams", "9cd5b45cda0c70"),
    ("gru", "b45c320011da0c"),
    ("gru", "da0c640e9cd532"),
];

fn overlap(greens: u32, blues: u32) -> SwapOverlap {
    SwapOverlap {
        greens,
        existing: 0,
        resting: 0,
        blues,
        at_least_ms: Some(30_000),
        cents: Some(1),
    }
}

fn image(before: &str) -> Vec<FieldChange> {
    fields(json!({"image": before}), json!({"image": "shop:2"}))
}

fn created(step: u32) -> StandbyTarget {
    StandbyTarget::Step(StepId(step))
}

fn swapped(mut plan: Plan) -> Plan {
    let groups = ["web", "worker"];
    let swap = json!({"tag": "tag", "groups": groups, "wait_ms": 10_000});
    plan.swap = Some(serde_json::from_value(swap).unwrap());
    plan
}

fn blue(group: &str, at: &str, machine: &str) -> Change {
    destroy(group, at, machine, Removal::Swapped, "its config changes")
}

/// Two groups with one switch.
pub(crate) fn begun() -> Plan {
    let strategy = |n: u32| format!("bluegreen: {n} beside {n}, one switch, then {n} to destroy");
    let mut web = group("web", "bin/rails s", Changed, "ams 4, gru 2").strategy(&strategy(6));
    web.overlap = Some(SwapOverlap {
        resting: 1,
        ..overlap(6, 6)
    });
    let mut worker = group("worker", "bin/work", Changed, "ams 2").strategy(&strategy(2));
    worker.overlap = Some(SwapOverlap {
        cents: None,
        at_least_ms: None,
        ..overlap(2, 2)
    });
    let mut plan = plan(8).group(web).group(worker);
    for (n, (at, machine)) in (0..).zip(BLUES) {
        let mut green = green("web", at, n, Some(machine));
        green.changes = image("shop:1");
        plan = plan.step(green);
    }
    let mut worker = green("worker", "ams", 6, Some("e43c651bed2df4"));
    worker.changes = image("shop:1");
    // A standby names no blue.
    let mut standby = green("worker", "ams", 7, None);
    if let Action::Create { standby_for, .. } = &mut standby.action {
        standby_for.push(created(6));
    }
    let mut old_standby = blue("worker", "ams", "f0c651bed2df4e");
    old_standby.standby = true;
    let ids = BLUES.map(|(_, machine)| machine);
    let plan = plan
        .step(worker)
        .barrier("every new Machine has passed")
        .step(standby)
        .step(switch("web", "ams", (0..6).map(created), &ids))
        .step(switch("worker", "ams", [created(6)], &["e43c651bed2df4"]))
        .steps(BLUES.map(|(at, machine)| blue("web", at, machine)))
        .step(blue("worker", "ams", "e43c651bed2df4"))
        .step(old_standby);
    swapped(plan)
}

/// What a half `fly deploy` has left.
pub(crate) fn of_two_images() -> Plan {
    let mut web = group("web", "bin/rails s", Changed, "ams 4, gru 2->1")
        .strategy("bluegreen: 5 beside 5, one switch, then 5 to destroy");
    web.overlap = Some(overlap(5, 5));
    let mut plan = plan(6).group(web);
    for (n, (at, machine)) in (0..).zip(BLUES).take(5) {
        let mut green = green("web", at, n, Some(machine));
        green.changes = image(if n < 3 { "shop:0" } else { "shop:1" });
        plan = plan.step(green);
    }
    let ids = BLUES.map(|(_, machine)| machine);
    let plan = plan
        .step(switch("web", "ams", (0..5).map(created), &ids[..5]))
        .steps(
            BLUES[..5]
                .iter()
                .map(|(at, machine)| blue("web", at, machine)),
        )
        .step(destroy(
            "web",
            "gru",
            ids[5],
            Removal::CountLowered,
            "newest",
        ));
    swapped(plan)
}

/// A run that ended after the switch.
pub(crate) fn to_finish() -> Plan {
    let mut web = group("web", "bin/rails s", Changed, "ams 4->2")
        .strategy("bluegreen: 2 new ones exist, one switch, then 2 to destroy");
    web.overlap = Some(SwapOverlap {
        existing: 2,
        at_least_ms: Some(20_000),
        cents: None,
        ..overlap(0, 2)
    });
    let ids = BLUES.map(|(_, machine)| machine);
    let wait = |machine| {
        let reason = "it is new and has the traffic already";
        let mut change = change_of(machine, Action::Wait, "web", "ams", reason);
        change.gate = GateKind::Healthy;
        change
    };
    let greens = ids[2..4].iter();
    let greens = greens.map(|machine| StandbyTarget::Machine(id(machine)));
    let switched = switch("web", "ams", greens, &ids[..2]);
    let plan = plan(4)
        .group(web)
        .steps([wait(ids[2]), wait(ids[3])])
        .step(switched)
        .steps(
            BLUES[..2]
                .iter()
                .map(|(at, machine)| blue("web", at, machine)),
        );
    swapped(plan)
}
