//! Saved plans, and plans made from the state alone.

use aeroform::core::fleet::MachineState;
use aeroform::core::plan::SavedPlan;
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, group_name};

#[test]
fn a_saved_plan_is_the_same_until_what_it_touches_changes() {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]));
    let target = desired([
        (
            "web",
            group("web")
                .count(3)
                .config(json!({"env": {"API_TOKEN": "hunter2"}})),
        ),
        ("cron", group("cron").count(1)),
    ]);
    let saved = SavedPlan::of(&stage.plan(&target));
    let text = saved.to_json();
    assert!(!text.contains("hunter2"));
    assert_eq!(SavedPlan::parse(&text).unwrap(), saved);
    assert_eq!(saved.differences(&stage.plan(&target)), [""; 0]);
    let mut unrelated = stage.clone();
    unrelated.edit_outside("m00003", |machine| machine.state = MachineState::Stopped);
    assert_eq!(saved.differences(&unrelated.plan(&target)), [""; 0]);
    let mut other = stage.clone();
    other.edit_outside("m00001", |machine| {
        config_of(machine).schedule = Some("daily".to_owned());
    });
    other.clone_machine("m00001", "e0001");
    assert_snapshot!(saved.differences(&other.plan(&target)).join("\n"), @"
    adopting e0001 of group `cron` in ams is new
    destroying e0001 of group `cron` in ams is new
    ");
}

#[test]
fn a_saved_plan_of_another_version_is_refused_by_its_version() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let text = SavedPlan::of(&stage.plan(&desired([("web", group("web").count(2))]))).to_json();
    let of = |version: &str| {
        let text = text.replace(
            "\"format_version\": 3",
            &format!("\"format_version\": {version}"),
        );
        SavedPlan::parse(&text).unwrap_err().to_string()
    };
    assert_snapshot!(of("1"), @"the plan has format 1, but this program applies format 3 only");
    assert_snapshot!(of("99"), @"the plan has format 99, but this program reads formats up to 3");
    // Older versions knew other fields; what is wrong is the version all the same.
    let stripped = "{\"format_version\": 1, \"plan\": {}}";
    assert_eq!(SavedPlan::parse(stripped).unwrap_err().to_string(), of("1"));
}

#[test]
fn a_saved_plan_is_another_when_what_it_only_records_or_inherits_is() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    let more = desired([("web", group("web").count(3))]);
    let saved = SavedPlan::of(&stage.plan(&more));
    let mut guarded = stage.clone();
    guarded.known.protected_groups.insert(group_name("web"));
    assert_snapshot!(saved.differences(&guarded.plan(&more)).join("\n"), @"the set of state-only changes differs");
    for name in ["m00001", "m00002"] {
        stage.edit_outside(name, |machine| {
            config_of(machine).image = Some("shop:2".to_owned());
        });
    }
    assert_snapshot!(saved.differences(&stage.plan(&more)).join("\n"), @"creating a Machine of group `web` in ams is now a different change");
}

/// Holds rule 34.
#[test]
fn offline_the_state_is_the_fleet_and_what_goes_is_decided_at_apply() {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(3)),
        ("cron", group("cron").count(1)),
    ]));
    let target = desired([(
        "web",
        group("web")
            .count(2)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    assert_snapshot!(lines(&stage.offline(&target)), @"
    group cron: 1->0 removed (ams 1->0)
    group web: 3->2 changed (ams 3->2)
    update web ams m00002 [env.LOG]
    update web ams m00003 [env.LOG]
    destroy web ams m00004 CountLowered: not up to date
    destroy cron ams m00001 GroupRemoved: its group is not in `[processes]`
    note decided_at_apply
    ");
    assert_snapshot!(lines(&PlanFixture::empty().offline(&target)), @"
    group web: 0->2 added (ams 0->2)
    create web ams x2
    -- web: all created
    ");
}

#[test]
fn an_edited_plan_is_refused_and_another_layout_of_its_text_is_not() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let saved = SavedPlan::of(&stage.plan(&desired([("web", group("web").count(2))])));
    let text = saved.to_json();
    let edited = text.replace("\"ams\"", "\"fra\"");
    assert_snapshot!(
        SavedPlan::parse(&edited).unwrap_err(),
        @"the plan was edited or damaged: its checksum is that of another content"
    );
    let squeezed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(SavedPlan::parse(&squeezed.to_string()).unwrap(), saved);
}

/// The digest that people compare.
#[test]
fn the_digest_of_a_plan_is_over_what_is_compared_and_nothing_else() {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]));
    let more = |log: &str| {
        let web = group("web").count(3).config(json!({"env": {"LOG": log}}));
        desired([("web", web), ("cron", group("cron").count(1))])
    };
    let of = |stage: &PlanFixture, log: &str| stage.offline(&more(log)).plan_digest();
    let planned = of(&stage, "debug");
    assert_eq!(planned.len(), 12);
    let mut later = stage.clone();
    later.known.serial += 5;
    assert_eq!(of(&later, "debug"), planned, "serial and launch ids");
    let mut quiet = more("debug");
    quiet
        .groups
        .get_mut(&group_name("cron"))
        .unwrap()
        .wait_timeout_s = 9;
    assert_eq!(
        stage.offline(&quiet).plan_digest(),
        planned,
        "a group without a step"
    );
    assert_ne!(
        of(&stage, "info"),
        planned,
        "another value of the same field"
    );
    let fewer = desired([
        ("web", group("web").count(3)),
        ("cron", group("cron").count(1)),
    ]);
    assert_ne!(
        stage.offline(&fewer).plan_digest(),
        planned,
        "another field"
    );
    assert_ne!(stage.plan(&more("debug")).plan_digest(), planned, "online");
}
