//! What a plan says of how many Machines change at once, and how long that takes at least.

use aeroform::core::fleet::{Desired, Strategy};
use aeroform::core::plan::{Options, Plan, Requested};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group};

/// So many changes at once, and a window of ten seconds.
fn at_most(parallelism: usize) -> Options {
    Options {
        parallelism: Some(parallelism),
        requested: Requested {
            steady_ms: Some(10_000),
            ..Requested::default()
        },
        ..Options::default()
    }
}

/// A group of so many whose image changes.
fn updated(count: u32, max_unavailable: u32) -> (PlanFixture, Desired) {
    let web = || group("web").count(count).max_unavailable(max_unavailable);
    let stage = PlanFixture::with(&desired([("web", web())]));
    let image = json!({"image": "shop:2"});
    (stage, desired([("web", web().config(image))]))
}

fn said(plan: &Plan) -> (&str, Option<u64>) {
    (&plan.groups[0].strategy, plan.at_least_ms)
}

#[test]
fn a_plan_says_how_many_machines_change_at_once_and_not_how_many_might() {
    let (stage, target) = updated(100, 99);
    let plan = stage.plan_with(&target, &at_most(16));
    assert_eq!(
        said(&plan),
        (
            "rolling: 1 first, then 16 at a time (`--parallelism`; `max_unavailable` allows 99)",
            // One, then 99 in seven turns.
            Some(80_000)
        )
    );
    assert_eq!(plan.groups[0].at_least_ms, Some(80_000));
    let all = stage.plan_with(&target, &at_most(200));
    assert_eq!(
        said(&all),
        ("rolling: 1 first, then 99 at a time", Some(20_000))
    );
    let one = stage.plan_with(&target, &at_most(1));
    assert_eq!(
        said(&one),
        (
            "rolling: 1 at a time (`--parallelism`; `max_unavailable` allows 99)",
            Some(1_000_000)
        )
    );
}

#[test]
fn no_more_change_at_once_than_there_are() {
    let (stage, target) = updated(3, 50);
    let plan = stage.plan_with(&target, &at_most(16));
    assert_eq!(
        said(&plan),
        ("rolling: 1 first, then 2 at a time", Some(20_000))
    );
    let (stage, target) = updated(1, 50);
    let plan = stage.plan_with(&target, &at_most(16));
    assert_eq!(said(&plan), ("rolling", Some(10_000)));
}

#[test]
fn all_at_once_is_no_more_than_the_executor_does() {
    let (stage, mut target) = updated(40, 1);
    for group in target.groups.values_mut() {
        group.strategy = Strategy::Immediate;
    }
    let plan = stage.plan_with(&target, &at_most(16));
    assert_eq!(
        said(&plan),
        (
            "immediate: 16 at a time (`--parallelism`), without waiting for health",
            None
        )
    );
    let all = stage.plan_with(&target, &at_most(40));
    assert_eq!(
        said(&all).0,
        "immediate: all at once, without waiting for health"
    );
}

#[test]
fn new_machines_and_other_groups_count_for_the_least_time() {
    let target = desired([("web", group("web").count(40))]);
    let plan = PlanFixture::empty().plan_with(&target, &at_most(16));
    assert_eq!(
        plan.at_least_ms,
        Some(30_000),
        "16, 16, 8 and a standby's none"
    );
    // Of two groups, each of which is done in one turn, not all are made at once.
    let two = ["web", "jobs"].map(|name| (name, group(name).count(16)));
    let plan = PlanFixture::empty().plan_with(&desired(two), &at_most(16));
    assert_eq!(plan.groups[0].at_least_ms, Some(10_000));
    assert_eq!(plan.at_least_ms, Some(20_000));
    // New ones first, then the others.
    let (stage, target) = updated(2, 1);
    let more = target
        .groups
        .values()
        .cloned()
        .map(|group| ("web", group.count(3)));
    let plan = stage.plan_with(&desired(more), &at_most(16));
    assert_eq!(plan.at_least_ms, Some(30_000));
}

#[test]
fn without_a_window_nothing_is_said_of_time() {
    let (stage, target) = updated(100, 99);
    let options = Options {
        requested: Requested {
            steady_ms: Some(0),
            ..Requested::default()
        },
        ..at_most(16)
    };
    let plan = stage.plan_with(&target, &options);
    assert_eq!((plan.at_least_ms, plan.groups[0].at_least_ms), (None, None));
    assert!(!plan.groups[0].strategy.contains("up for"));
}

/// Twelve in three regions, of which four change at once and two of each region: no region is left as a tail.
#[test]
fn regions_are_updated_evenly() {
    let web = || group("web").exact(&[("ams", 4), ("bog", 4), ("gru", 4)]);
    let stage = PlanFixture::with(&desired([("web", web())]));
    let image = json!({"image": "shop:2"});
    let plan = stage.plan_with(&desired([("web", web().config(image))]), &at_most(16));
    assert_eq!(
        said(&plan),
        (
            "rolling: 1 first, then 4 at a time, at most 2 in ams, 2 in bog and 2 in gru",
            // One, then eleven in three turns.
            Some(40_000)
        )
    );
}
