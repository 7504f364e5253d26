//! A state that follows what is there, without a Machine being touched.

use aeroform::core::fleet::{HostStatus, Known, MachineState};
use aeroform::core::plan::{Options, PlanMode, required_approval};
use aeroform::core::view::style::Style;
use aeroform::core::view::{json, terminal};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, id};

const PLAIN: &Style = &Style {
    width: 100,
    color: false,
    verbose: false,
    program: "aeroform",
    cut_words: false,
};

fn to_the_state() -> Options {
    Options {
        mode: PlanMode::RefreshOnly,
        ..Options::default()
    }
}

#[test]
fn a_refresh_takes_what_is_there_into_the_state_and_touches_no_machine() {
    let config = json!({"env": {"LOG": "info"}});
    let target = desired([
        ("cron", group("cron").count(1)),
        ("web", group("web").count(3).config(config)),
    ]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00002", |machine| {
        let env = config_of(machine).env.as_mut().unwrap();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    stage.edit_outside("m00003", |machine| machine.state = MachineState::Stopped);
    stage.remove_machine("m00001");
    stage.clone_machine("m00004", "e0001");
    let plan = stage.plan_with(&target, &to_the_state());
    assert_snapshot!(lines(&plan), @"
    group web: 4->4 changed (ams 4->4)
    forget cron ams m00001
    adopt web ams e0001: not in the state
    adopt web ams m00002: changed outside Aeroform
    note put_back_later web
    ");
    assert_snapshot!(plan.notes[0].message, @"group `web`: the manifests differ, so the next apply reverts env.LOG");
    assert!(!plan.calls_provider());
    assert_eq!(required_approval(&plan).flags(), "--auto-approve");
    let before = stage.observed.clone();
    stage.carry_out(&target, &plan);
    assert_eq!(stage.observed.machines, before.machines);
    let again = stage.plan_with(&target, &to_the_state());
    assert!(again.is_empty() && again.drift.is_empty(), "{again:#?}");
    assert_eq!(required_approval(&again).flags(), "");
    // What the manifests say stays what they say.
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group cron: 0->1 added (ams 0->1)
    group web: 4->3 changed (ams 4->3)
    create cron ams
    update web ams m00002 [env.LOG]
    destroy web ams m00003 CountLowered: not started
    ");
}

#[test]
fn a_field_that_no_manifest_writes_never_enters_the_state() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        config_of(machine).schedule = Some("daily".to_owned());
    });
    let plan = stage.plan_with(&target, &to_the_state());
    assert!(plan.is_empty() && plan.drift.is_empty());
    stage.clone_machine("m00001", "e0001");
    let plan = stage.plan_with(&target, &to_the_state());
    stage.carry_out(&target, &plan);
    let stored = stage.known.sent_config(&id("e0001")).unwrap();
    assert!(!stored.tree().to_string().contains("daily"));
}

#[test]
fn a_machine_whose_host_does_not_answer_has_not_drifted() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let planned = stage.plan_with(&target, &to_the_state());
    assert!(planned.drift.is_empty() && planned.is_empty());
    let unseen: Vec<&str> = planned
        .unverifiable_machines()
        .map(|note| note.message.as_str())
        .collect();
    assert_eq!(unseen, ["host unreachable: 1 Machine (m00001)"]);
    let mut text = String::new();
    terminal::drift(&planned, PLAIN, &mut text).unwrap();
    assert!(
        text.contains("warning: host unreachable: 1 Machine (m00001)"),
        "{text}"
    );
    assert!(
        text.contains("what could be read does not differ from the state"),
        "{text}"
    );
    let document = serde_json::to_value(json::drift::drift(&planned)).unwrap();
    assert_eq!(document["warnings"][0]["code"], "host_unreachable");
}

#[test]
fn a_group_that_no_manifest_has_is_taken_over_and_not_removed() {
    let mut stage = PlanFixture::with(&desired([("old", group("old").count(2))]));
    stage.known = Known::empty(stage.known.app.clone(), "test");
    let target = desired([("web", group("web").count(0))]);
    let plan = stage.plan_with(&target, &to_the_state());
    assert_snapshot!(lines(&plan), @"
    group old: 2->2 changed (ams 2->2)
    adopt old ams m00001: not in the state
    adopt old ams m00002: not in the state
    record unrecorded_run
    ");
    stage.carry_out(&target, &plan);
    assert_eq!(stage.known.machines.len(), 2);
}

#[test]
fn what_no_file_says_is_named_with_its_line_and_nothing_is_claimed() {
    let config = json!({"env": {"LOG": "info"}});
    let target = desired([("web", group("web").count(2).config(config))]);
    let mut stage = PlanFixture::with(&target);
    let set = |machine: &mut _, key: &str, value: &str| {
        let env = config_of(machine).env.as_mut().unwrap();
        env.insert(key.to_owned(), value.to_owned());
    };
    stage.edit_outside("m00001", |machine| set(machine, "NEW", "1"));
    let plan = stage.plan_with(&target, &to_the_state());
    assert!(plan.is_empty(), "{plan:#?}");
    assert_snapshot!(plan.notes[0].message, @"group `web`: the state cannot record env.NEW, which no manifest sets; the next apply reverts it");
    assert_snapshot!(plan.notes[0].hint.as_deref().unwrap(), @r#"
    to keep the current values, add this to fly.toml:
    [env]
    NEW = "1"
    "#);
    // What can be taken in is, beside what cannot.
    stage.edit_outside("m00001", |machine| set(machine, "LOG", "debug"));
    stage.edit_outside("m00002", |machine| {
        set(machine, "API_TOKEN", "hunter2hunter2");
        config_of(machine).services =
            serde_json::from_value(json!([{"internal_port": 80}])).unwrap();
    });
    let plan = stage.plan_with(&target, &to_the_state());
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 changed (ams 2->2)
    adopt web ams m00001: changed outside Aeroform
    note put_back_later web
    note not_taken_in web
    ");
    let notes: Vec<&str> = plan
        .notes
        .iter()
        .map(|note| note.message.as_str())
        .collect();
    assert_snapshot!(notes.join("\n"), @"
    group `web`: the manifests differ, so the next apply reverts env.LOG
    group `web`: the state cannot record env.API_TOKEN, env.NEW, services, which no manifest sets; the next apply reverts it
    ");
    assert_snapshot!(plan.not_adopted().next().unwrap().hint.as_deref().unwrap(), @r#"
    to keep the current values, add this to fly.toml (and the lines marked `+` above):
    [env]
    API_TOKEN = "…"   # hidden; `fly secrets set` keeps it out of the file
    NEW = "1"
    "#);
    stage.carry_out(&target, &plan);
    assert!(stage.plan_with(&target, &to_the_state()).is_empty());
}
