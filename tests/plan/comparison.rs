//! What a change does, what was pending before it, and what it drops.

use aeroform::core::fleet::{Desired, FieldChange};
use aeroform::core::plan::comparison::{
    StateCopy, codes, not_compared_note, old_app_note, state_remarks,
};
use aeroform::core::plan::{Comparison, Plan, PlanOf, Snapshot};
use aeroform::core::state;
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::provoked::assert_all_provoked;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group};

fn compare(stage: &PlanFixture, ours: &Desired, base: &Desired) -> (Plan, Comparison) {
    let (plan, of_base) = (stage.plan(ours), stage.plan(base));
    let of = |plan, desired| PlanOf { plan, desired };
    let snapshot = Snapshot {
        known: &stage.known,
        observed: Some(&stage.observed),
    };
    let compared = Comparison::of(of(&plan, ours), of(&of_base, base), snapshot);
    (plan, compared)
}

/// This change, then what is pending and dropped.
fn comparison_lines(stage: &PlanFixture, ours: &Desired, base: &Desired) -> String {
    let (plan, compared) = compare(stage, ours, base);
    let counts = |summary| {
        let value = serde_json::to_value(summary).unwrap();
        let counts = value.as_object().unwrap().iter();
        let counts = counts.filter(|(_, n)| **n != json!(0));
        let counts: Vec<String> = counts.map(|(what, n)| format!("{n} {what}")).collect();
        match &counts[..] {
            [] => "nothing".to_owned(),
            counts => counts.join(", "),
        }
    };
    let this_change = compared.this_change(&plan);
    assert_eq!(compared.this_change_summary(&plan), this_change.summary());
    let dropped = compared.dropped.iter().map(|dropped| {
        let id = dropped.machine.id.as_ref().map_or("new", |id| id.as_str());
        format!("\ndropped: {:?} {} {id}", dropped.action, dropped.group)
    });
    format!(
        "{}\npending: {}{}",
        lines(&this_change),
        counts(compared.pending_summary(&plan)),
        dropped.collect::<String>()
    )
}

fn web(count: u32, log: &str) -> aeroform::core::fleet::DesiredGroup {
    group("web")
        .count(count)
        .config(json!({"env": {"LOG": log}}))
}

/// Holds what docs/errors.md says of plans with a base.
#[test]
fn every_line_above_a_plan_with_a_base_is_provoked() {
    let mut stage = PlanFixture::with(&desired([("web", web(2, "a"))]));
    let older = state::write(&stage.known);
    stage.apply(&desired([("web", web(3, "b"))]));
    let newer = state::write(&stage.known);
    let app = &stage.known.app;
    let remarks = |own: (&str, Option<&str>), base: (&str, Option<&str>)| {
        let copy = |(path, text)| StateCopy { path, text };
        state_remarks(copy(own), copy(base), app)
    };
    let (here, there) = ("state/shop.json", "stat/shop.json");
    let (old, new) = (Some(&*older), Some(&*newer));
    assert_eq!(remarks((here, new), (here, new)), []);
    assert_eq!(remarks((here, None), (here, None)), []);
    let all = [
        remarks((here, old), (here, new)),
        remarks((here, new), (here, old)),
        remarks((here, Some("[]")), (here, new)),
        remarks((here, new), (here, Some("[]"))),
        remarks((here, None), (here, new)),
        remarks((here, new), (here, None)),
        remarks((there, None), (here, new)),
        remarks((there, new), (here, new)),
        vec![
            old_app_note(app, "fly"),
            not_compared_note("../base", "no such folder"),
        ],
    ]
    .concat();
    let lines: Vec<&str> = all.iter().map(|note| note.message.as_str()).collect();
    assert_snapshot!(lines.join("\n"), @"
    this checkout is behind its base, or reverts its state file
    this change edits `state/shop.json`, serial 2 → 1
    this change edits `state/shop.json`, serial 1 → 2
    this change edits `state/shop.json`: it is no state of this app any more
    this change edits `state/shop.json`, serial 2 now
    this change removes `state/shop.json`
    this change adds `state/shop.json`, serial 2
    `[state]` names `stat/shop.json`, and `state/shop.json` in the base; this plan uses the base's state
    `[state]` names `stat/shop.json`, and `state/shop.json` in the base; this plan uses the base's state
    in the base this is app `shop` on `fly`: that app and its Machines are left as they are
    the base `../base` is not compared: no such folder
    ");
    let seen = all.iter().map(|note| note.code.clone());
    assert_all_provoked(codes::ALL, seen, &[]);
}

#[test]
fn an_unchanged_branch_has_nothing_of_its_own() {
    let mut stage = PlanFixture::with(&desired([
        ("web", web(2, "a")),
        ("cron", group("cron").count(2)),
    ]));
    stage.edit_outside("m00003", |machine| {
        config_of(machine).schedule = Some("daily".to_owned());
    });
    stage.remove_machine("m00004");
    let base = desired([("web", web(3, "b")), ("cron", group("cron").count(1))]);
    let (plan, compared) = compare(&stage, &base, &base);
    assert!(plan.calls_provider());
    let this_change = compared.this_change(&plan);
    assert!(this_change.is_empty() && this_change.drift.is_empty());
    assert!(compared.dropped.is_empty());
    assert_eq!(compared.pending_summary(&plan), plan.summary());
}

#[test]
fn two_values_of_one_field_are_never_pending() {
    let stage = PlanFixture::with(&desired([("web", web(2, "a"))]));
    let (ours, base) = (
        desired([("web", web(2, "b"))]),
        desired([("web", web(2, "c"))]),
    );
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00001 [env.LOG]
    update web ams m00002 [env.LOG]
    pending: nothing
    dropped: Update web m00001
    dropped: Update web m00002
    ");
}

#[test]
fn two_hidden_values_of_one_field_are_never_pending() {
    let with = |token: &str| {
        let web = group("web").count(2);
        desired([("web", web.config(json!({"env": {"API_TOKEN": token}})))])
    };
    let stage = PlanFixture::with(&with("first-secret"));
    let (ours, base) = (with("second-secret"), with("third-secret"));
    let hidden = |field: &FieldChange| field.hidden;
    assert!(
        stage
            .plan(&ours)
            .changes()
            .all(|(_, c)| c.changes.iter().any(hidden))
    );
    for offline in [false, true] {
        let plan_of = |desired: &Desired| {
            if offline {
                stage.offline(desired)
            } else {
                stage.plan(desired)
            }
        };
        let (plan, of_base) = (plan_of(&ours), plan_of(&base));
        let of = |plan, desired| PlanOf { plan, desired };
        let snapshot = Snapshot {
            known: &stage.known,
            observed: (!offline).then_some(&stage.observed),
        };
        let compared = Comparison::of(of(&plan, &ours), of(&of_base, &base), snapshot);
        assert!(compared.pending.is_empty(), "offline: {offline}");
        let same = Comparison::of(of(&plan, &ours), of(&plan, &ours), snapshot);
        assert_eq!(same.pending.len(), 2, "offline: {offline}");
    }
}

#[test]
fn new_machines_and_removals_are_compared_by_number() {
    let stage = PlanFixture::with(&desired([
        ("web", web(2, "a")),
        ("cron", group("cron").count(4)),
    ]));
    let base = desired([("web", web(3, "a")), ("cron", group("cron").count(3))]);
    let ours = desired([("web", web(5, "a")), ("cron", group("cron").count(1))]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group cron: 3->1 changed (ams 3->1)
    group web: 3->5 changed (ams 3->5)
    create web ams x2
    destroy cron ams m00003 CountLowered: newest
    destroy cron ams m00002 CountLowered: newest
    pending: 1 create, 1 destroy
    ");
    let ours = desired([("web", web(5, "a"))]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group cron: 3->0 removed (ams 3->0)
    group web: 3->5 changed (ams 3->5)
    create web ams x2
    destroy cron ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy cron ams m00002 GroupRemoved: its group is not in `[processes]`
    destroy cron ams m00003 GroupRemoved: its group is not in `[processes]`
    pending: 1 create, 1 destroy
    ");
    let ours = desired([("web", web(2, "a")), ("cron", group("cron").count(4))]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group cron: 4->4 unchanged (ams 4->4)
    group web: 2->2 unchanged (ams 2->2)
    pending: nothing
    dropped: Create web new
    dropped: Destroy cron m00004
    ");
}

#[test]
fn new_machines_with_another_config_are_not_the_pending_ones() {
    let stage = PlanFixture::with(&desired([("web", web(2, "a"))]));
    let base = desired([("web", web(3, "a"))]);
    let ours = desired([("web", web(3, "b"))]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group web: 3->3 changed (ams 3->3)
    create web ams
    update web ams m00001 [env.LOG]
    update web ams m00002 [env.LOG]
    pending: nothing
    dropped: Create web new
    ");
}

#[test]
fn both_halves_of_a_replacement_are_pending_together() {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").count(1))]));
    let base = desired([("db", group("db").count(1).mount())]);
    assert_snapshot!(comparison_lines(&stage, &base, &base), @"
    group db: 1->1 unchanged (ams 1->1)
    pending: 1 replace
    ");
    let logs = json!({"env": {"LOG": "b"}});
    let ours = desired([("db", group("db").count(1).mount().config(logs))]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group db: 1->1 changed (ams 1->1)
    create db ams replaces m00001 [env.LOG mounts]
    destroy db ams m00001 Replaced: a mount was added: the Machine is replaced
    pending: nothing
    dropped: Replace db m00001
    ");
}

#[test]
fn protecting_a_group_is_part_of_the_change_that_does_it() {
    let stage = PlanFixture::with(&desired([("web", web(2, "a"))]));
    let base = desired([("web", web(2, "a"))]);
    let ours = desired([("web", web(2, "a").protected())]);
    assert_snapshot!(comparison_lines(&stage, &ours, &base), @"
    group web: 2->2 unchanged (ams 2->2)
    record protects web
    pending: nothing
    ");
    assert_snapshot!(comparison_lines(&stage, &ours, &ours), @"
    group web: 2->2 unchanged (ams 2->2)
    pending: nothing
    ");
}
