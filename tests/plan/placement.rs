//! Which places are kept when Machines are named, vanish, are replaced or are held by volumes.

use aeroform::core::fleet::{Desired, HostStatus};
use aeroform::core::plan::{Action, Plan, StandbyTarget};
use insta::assert_snapshot;
use serde_json::json;

use crate::counts::two_of_four_with_volumes;
use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

fn naming(mut target: Desired, machine: &str) -> Desired {
    target.removed_machines.insert(id(machine));
    target
}

/// Regions of the creates, in order.
fn made_in(plan: &Plan) -> Vec<&str> {
    let creates = plan.changes().filter_map(|(_, change)| {
        let is_create = matches!(change.action, Action::Create { .. });
        is_create.then_some(change.region.as_str())
    });
    creates.collect()
}

/// Holds rule 34.
#[test]
fn a_named_machine_goes_before_others_also_where_a_list_is_held_by_volumes() {
    let (stage, db) = two_of_four_with_volumes();
    let planned = stage.plan(&naming(db(3, "bog"), "m00002"));
    assert_snapshot!(lines(&planned), @"
    group db: 4->3 changed (ams 4->1, bog 0->2)
    create db bog x2
    -- db: all created
    destroy db ams m00002 Named leaves 1: listed in `[[removed]]`
    destroy db ams m00004 Rebalanced: newest
    destroy db ams m00003 Rebalanced: newest
    note held_by_volumes db
    ");
}

#[test]
fn the_place_of_a_named_machine_is_filled_in_its_own_region() {
    let stage = PlanFixture::with(&desired([(
        "web",
        group("web").exact(&[("ams", 1), ("fra", 1)]),
    )]));
    let target = desired([("web", group("web").count(2))]);
    let planned = stage.plan(&naming(target, "m00002"));
    assert_eq!(made_in(&planned), ["fra"]);
}

#[test]
fn of_several_missing_machines_only_the_desired_count_is_created_again() {
    let mut stage = PlanFixture::with(&desired([(
        "web",
        group("web").exact(&[("ams", 1), ("bog", 1), ("gru", 1)]),
    )]));
    stage.remove_machine("m00001");
    stage.remove_machine("m00002");
    let planned = stage.apply(&desired([("web", group("web").count(2))]));
    assert_eq!((made_in(&planned).len(), planned.summary().destroy), (1, 0));
}

#[test]
fn a_named_machine_that_has_vanished_is_not_made_again() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(3))]));
    stage.remove_machine("m00002");
    let target = desired([("web", group("web"))]);
    assert_eq!(made_in(&stage.plan(&target)), ["ams"]);
    assert_eq!(made_in(&stage.plan(&naming(target, "m00002"))), [""; 0]);
}

#[test]
fn a_standby_that_another_tool_has_replaced_is_not_made_a_second_time() {
    let target = desired([("jobs", group("jobs"))]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00002", "e1");
    stage.remove_machine("m00002");
    let planned = stage.plan(&target);
    assert_eq!(made_in(&planned), [""; 0], "{:#?}", planned.summary_lines());
}

#[test]
fn a_standby_watches_the_successor_of_a_primary_that_is_replaced() {
    let jobs = |version: &str| {
        let jobs = group("jobs").count(2).with(|group| group.standby = Some(1));
        desired([("jobs", jobs.config(json!({"env": {"VERSION": version}})))])
    };
    let mut stage = PlanFixture::with(&jobs("1"));
    stage.edit_outside("m00001", |machine| machine.host = HostStatus::Unreachable);
    let planned = stage.plan(&jobs("2"));
    let standby = planned
        .changes()
        .find_map(|(_, change)| match &change.action {
            Action::Update { standby_for } if !standby_for.is_empty() => Some(standby_for),
            _ => None,
        });
    let watched = standby.unwrap();
    assert!(
        !watched.contains(&StandbyTarget::Machine(id("m00001"))),
        "{watched:?}"
    );
    assert!(
        watched
            .iter()
            .any(|one| matches!(one, StandbyTarget::Step(_))),
        "{watched:?}"
    );
}

#[test]
fn a_standby_is_made_where_most_of_its_primaries_are() {
    let jobs = group("jobs").exact(&[("ams", 1), ("fra", 2), ("gru", 1)]);
    let mut stage = PlanFixture::with(&desired([("jobs", jobs.clone())]));
    let with_one = jobs.with(|group| group.standby = Some(1));
    let planned = stage.apply(&desired([("jobs", with_one)]));
    assert_eq!(made_in(&planned), ["fra"]);
}
