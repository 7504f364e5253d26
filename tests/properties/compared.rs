//! A plan and the plan of its base, for random bases, branches, states and worlds.

use aeroform::core::fleet::{Desired, MachineConfig};
use aeroform::core::plan::{Action, Comparison, Plan, PlanOf, Snapshot, StepId};
use proptest::prelude::*;
use serde_json::json;

use super::config;
use super::random::{OutsideChange, apply_outside_change, manifest, outside_change};
use super::support::PlanFixture;

/// A fleet that this manifest made, and that others changed since.
fn stage(first: &Desired, outside: &[OutsideChange]) -> PlanFixture {
    let mut stage = PlanFixture::empty();
    let planned = stage.plan(first);
    if planned.refusals.is_empty() {
        stage.apply(first);
    }
    for (at, change) in outside.iter().enumerate() {
        apply_outside_change(&mut stage, change, at);
    }
    stage
}

fn compare(
    stage: &PlanFixture,
    ours: &Desired,
    base: &Desired,
    online: bool,
) -> (Plan, Comparison) {
    let plan_of = |desired: &Desired| {
        if online {
            stage.plan(desired)
        } else {
            stage.offline(desired)
        }
    };
    let (plan, of_base) = (plan_of(ours), plan_of(base));
    let snapshot = Snapshot {
        known: &stage.known,
        observed: online.then_some(&stage.observed),
    };
    let of = |plan, desired| PlanOf { plan, desired };
    let compared = Comparison::of(of(&plan, ours), of(&of_base, base), snapshot);
    (plan, compared)
}

/// The manifest with this value in every group.
fn with_log(mut desired: Desired, log: &str) -> Desired {
    for group in desired.groups.values_mut() {
        let mut tree = group.template.to_value();
        tree["env"]["LOG"] = json!(log);
        group.template = MachineConfig::from_value(tree).unwrap();
    }
    desired
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn this_change_and_what_is_pending_are_the_plan(
        first in manifest(), base in manifest(), ours in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..5),
        online in any::<bool>(),
    ) {
        let stage = stage(&first, &outside);
        let (plan, compared) = compare(&stage, &ours, &base, online);
        let this_change = compared.this_change(&plan);
        let pending = compared.pending_changes(&plan);
        let ids = |plan: &Plan| plan.changes().map(|(id, _)| id).collect::<Vec<StepId>>();
        let mut both = [ids(&this_change), ids(&pending)].concat();
        both.sort();
        prop_assert_eq!(both, ids(&plan));
        prop_assert_eq!(compared.this_change_summary(&plan), this_change.summary());
        prop_assert_eq!(compared.pending_summary(&plan), pending.summary());
        // What the base's plan has and is not pending is dropped.
        let of_base = if online { stage.plan(&base) } else { stage.offline(&base) };
        let old_half = |plan: &Plan| plan.changes().filter(|(_, change)| {
            let (_, half) = change.action.verb();
            half == Some(aeroform::core::plan::ReplaceHalf::Destroy)
        }).count();
        let whole = of_base.changes().count() - old_half(&of_base);
        let remaining = pending.changes().count() - old_half(&pending);
        prop_assert_eq!(compared.dropped.len(), whole - remaining);
    }

    #[test]
    fn an_unchanged_branch_has_nothing_of_its_own(
        first in manifest(), base in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..5),
        online in any::<bool>(),
    ) {
        let stage = stage(&first, &outside);
        let (plan, compared) = compare(&stage, &base, &base, online);
        let this_change = compared.this_change(&plan);
        prop_assert!(this_change.is_empty(), "{:#?}", this_change.summary_lines());
        prop_assert!(this_change.drift.is_empty() && this_change.refusals.is_empty());
        prop_assert!(this_change.warnings.is_empty());
        prop_assert!(compared.dropped.is_empty());
    }

    #[test]
    fn two_values_of_one_field_are_never_pending(
        first in manifest(), target in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..5),
        online in any::<bool>(),
    ) {
        let stage = stage(&first, &outside);
        let (ours, base) = (with_log(target.clone(), "b"), with_log(target, "c"));
        let (plan, compared) = compare(&stage, &ours, &base, online);
        for (_, change) in compared.pending_changes(&plan).changes() {
            let log = change.changes.iter().any(|field| field.path.join(".") == "env.LOG");
            let planned = matches!(change.action, Action::Create { .. });
            prop_assert!(!log && !planned, "{change:?}");
        }
    }

    #[test]
    fn merging_and_applying_gives_what_was_shown(
        first in manifest(), base in manifest(), ours in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..5),
    ) {
        let mut stage = stage(&first, &outside);
        let (plan, compared) = compare(&stage, &ours, &base, true);
        prop_assume!(plan.refusals.is_empty());
        let this_change = compared.this_change(&plan);
        stage.apply(&ours);
        for group in &this_change.groups {
            for (region, (_, after)) in &group.regions {
                let machines = stage.observed.machines.values();
                let there = machines.filter(|machine| {
                    machine.group.as_ref() == Some(&group.name) && machine.region == *region
                });
                prop_assert_eq!(there.count(), *after as usize, "{} {}", &group.name, region);
            }
        }
    }
}
