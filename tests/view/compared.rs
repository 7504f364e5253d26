//! A plan with a base: what the change does by itself, and a line each for what is pending and dropped.

use aeroform::core::fleet::{Desired, Known};
use aeroform::core::plan::comparison::{not_compared_note, old_app_note};
use aeroform::core::plan::{Comparison, Plan, PlanOf, Snapshot};
use aeroform::core::view::json::plan::compared_plan;
use aeroform::core::view::{Style, terminal};
use insta::assert_snapshot;

use crate::gallery;
use crate::schemas::{schema, valid};
use crate::show::{style, written};

/// A plan of which one third is pending, and a base with steps that the plan does not have.
fn compared() -> (Plan, Comparison) {
    let without = |rest: u32| {
        let mut plan = gallery::everything_at_once();
        plan.steps.retain(|step| step.id.0 % 3 != rest);
        plan
    };
    let (plan, of_base) = (without(1), without(2));
    let known = Known::empty(plan.app.clone(), &plan.provider);
    let desired = Desired::empty(plan.app.clone(), None, &plan.provider);
    let of = |plan| PlanOf {
        plan,
        desired: &desired,
    };
    let snapshot = Snapshot {
        known: &known,
        observed: None,
    };
    let compared = Comparison::of(of(&plan), of(&of_base), snapshot);
    (plan, compared)
}

#[test]
fn a_plan_with_a_base_shows_this_change() {
    let (plan, compared) = compared();
    for (name, verbose) in [("this_change", false), ("this_change_verbose", true)] {
        let style = Style {
            verbose,
            ..style(80)
        };
        let text = written(|out| terminal::compared_plan(&plan, &compared, &style, out));
        assert_snapshot!(format!("compared__{name}"), text);
    }
}

#[test]
fn a_plan_with_a_base_is_a_document_as_published() {
    let schema = schema("plan");
    let (plan, compared) = compared();
    let this_change = compared.this_change(&plan);
    let document = valid(&schema, &compared_plan(&plan, &this_change, &compared));
    let steps = document["steps"].as_array().unwrap();
    let pending = steps.iter().filter(|step| step["pending"] == true).count();
    assert_eq!(steps.len(), plan.changes().count());
    assert_eq!(pending, compared.pending.len());
    assert!(pending > 0 && !compared.dropped.is_empty());
    let mut new = Comparison::new_app("the base has another app here".to_owned());
    new.remarks.push(old_app_note(&plan.app, "fly"));
    let mut unread = Comparison::not_compared("no such folder".to_owned());
    unread
        .remarks
        .push(not_compared_note("../base", "no such folder"));
    for comparison in [new, unread] {
        valid(&schema, &compared_plan(&plan, &plan, &comparison));
    }
}
