//! Machines that a plan leaves alone.

use aeroform::core::fleet::{CheckState, CheckStatus, Desired, DesiredGroup, MachineState};
use aeroform::core::plan::{GateKind, Options, Plan, Requested, RestartScope};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

fn without(ids: &[&str]) -> Options {
    Options {
        requested: Requested {
            exclude: ids.iter().map(|name| id(name)).collect(),
            ..Requested::default()
        },
        ..Options::default()
    }
}

fn web(count: u32) -> DesiredGroup {
    let checks = json!({"checks": {"up": {"type": "tcp", "port": 80}}});
    group("web").count(count).config(checks)
}

fn changed(count: u32) -> Desired {
    desired([("web", web(count).config(json!({"image": "shop:2"})))])
}

/// A stage on which one of three Machines fails its check.
fn unhealthy() -> PlanFixture {
    let mut stage = PlanFixture::with(&desired([("web", web(3))]));
    stage.edit_outside("m00001", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: "refused".to_owned(),
            updated_at: String::new(),
        }];
    });
    stage
}

fn refused(plan: &Plan) -> Vec<String> {
    let notes = plan.refusals.iter();
    notes.map(|note| note.message.clone()).collect()
}

#[test]
fn a_machine_that_is_excluded_is_neither_changed_nor_awaited_and_counts() {
    let mut stage = unhealthy();
    let target = changed(3);
    let plan = stage.plan_with(&target, &without(&["m00001"]));
    assert_snapshot!(lines(&plan), @"
    group web: 3->3 changed (ams 3->3)
    update web ams m00002 [image]
    update web ams m00003 [image]
    note excluded_machines web
    ");
    assert_snapshot!(plan.notes[0].message, @"group `web`: 1 Machine excluded (m00001), not changed and not waited for; it differs from the manifests");
    stage.carry_out(&target, &plan);
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 3->3 changed (ams 3->3)
    update web ams m00001 [image]
    ");
    // An up-to-date unhealthy Machine is not waited for either.
    let mut stage = unhealthy();
    let env = desired([("web", web(3)), ("jobs", group("jobs").count(1))]);
    stage.apply(&env);
    let more = stage.plan_with(&env, &without(&["m00001"]));
    assert!(more.is_empty());
}

#[test]
fn an_up_to_date_excluded_machine_that_fails_its_checks_delays_no_other() {
    let mut stage = unhealthy();
    let target = changed(3);
    let first = stage.plan_with(&target, &without(&["m00002", "m00003"]));
    stage.carry_out(&target, &first);
    stage.edit_outside("m00001", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: "refused".to_owned(),
            updated_at: String::new(),
        }];
    });
    let waits = |plan: &Plan| {
        let mut changes = plan.changes();
        changes.any(|(_, change)| {
            change.machine.id == Some(id("m00001")) && change.gate != GateKind::None
        })
    };
    assert!(waits(&stage.plan(&target)));
    let plan = stage.plan_with(&target, &without(&["m00001"]));
    assert!(!waits(&plan));
    assert_eq!(plan.summary().update, 2);
}

#[test]
fn it_is_the_last_to_go_and_a_plan_that_needs_it_is_refused() {
    let stage = unhealthy();
    let fewer = stage.plan_with(&desired([("web", web(2))]), &without(&["m00001"]));
    assert_eq!(fewer.refusals, []);
    assert!(!lines(&fewer).contains("m00001 CountLowered"));
    let none = stage.plan_with(&desired([("web", web(0))]), &without(&["m00001"]));
    assert_snapshot!(refused(&none).join("\n"), @"Machine m00001 of group `web` is excluded but has to change: the plan destroys it (count is 0)");
    let gone = desired([("api", group("api").count(1))]);
    let gone = stage.plan_with(&gone, &without(&["m00001"]));
    assert_snapshot!(refused(&gone).join("\n"), @"Machine m00001 of group `web` is excluded but has to change: its group is not in `[processes]`");
    let unknown = stage.plan_with(&changed(3), &without(&["m00009"]));
    assert_snapshot!(refused(&unknown).join("\n"), @"cannot exclude m00009: no group of the app has it");
}

#[test]
fn a_restart_and_an_uneven_list_leave_it_where_it_is() {
    let mut stage = unhealthy();
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Started);
    let mut options = without(&["m00001"]);
    options.requested.restart = RestartScope::All;
    let plan = stage.plan_with(&desired([("web", web(3))]), &options);
    assert_eq!((plan.refusals.len(), plan.summary().update), (0, 2));
    let evened = desired([("web", web(3).list("fra ams"))]);
    let plan = stage.plan_with(&evened, &without(&["m00001"]));
    assert_eq!(plan.refusals, []);
    assert!(
        !plan
            .changes()
            .any(|(_, change)| change.machine.id == Some(id("m00001")))
    );
}
