//! Plans and their drift as programs read them.

use aeroform::core::plan::{Action, Plan, StandbyTarget, Work};
use aeroform::core::view::json;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{rejects_changes, schema, valid};
use crate::build::{group_name, id};
use crate::gallery;

#[test]
fn the_waves_of_a_group_have_their_machines_and_limits() {
    let plan = crate::waves::rolling();
    let value = valid(&schema("plan"), &json::plan::plan(&plan));
    let group = &value["groups"][0];
    let machine =
        |id: &str, region: &str| json!({"id": id, "name": format!("web-{id}"), "region": region});
    assert_eq!(
        group["waves"][3],
        json!({
            "name": "running",
            "size": 2,
            "per_region": {"ams": 1, "gru": 1},
            "first_alone": false,
            "machines": [machine("32fc9cd5da0c77", "ams"), machine("b45c320011da0c", "gru")],
            "gate": "healthy",
        })
    );
    assert_eq!(
        group["lowest_serving"],
        json!({
            "machines": 2,
            "of": 6,
            "regions": {"ams": {"machines": 1, "of": 4}, "gru": {"machines": 1, "of": 2}},
        })
    );
}

#[test]
fn every_plan_is_as_published() {
    let schema = schema("plan");
    // A document of 10,000 steps is told apart by none of them and takes seconds to validate.
    let small = |plan: &Plan| plan.steps.len() < 1_000;
    for plan in gallery::all()
        .into_iter()
        .map(|(_, plan)| plan)
        .filter(small)
    {
        let value = valid(&schema, &json::plan::plan(&plan));
        rejects_changes(
            &schema,
            &value,
            &[
                "cost",
                "hold",
                "release",
                "groups_order",
                "left_out",
                "reverts",
                "unlisted_runs",
            ],
        );
        assert_eq!(
            value["steps"].as_array().unwrap().len(),
            plan.changes().count(),
            "barriers are no steps"
        );
    }
    for plan in [gallery::everything_at_once(), named("replace")] {
        let value = valid(&schema, &json::plan::plan(&plan));
        for (at, wrong) in [
            ("/steps/0/action", json!("destroyed")),
            ("/steps/0/region", json!(3)),
            ("/steps/0/gate", Value::Null),
            ("/groups/0/change", json!("new")),
            ("/summary/move", json!(-1)),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(at).unwrap() = wrong;
            assert!(!schema.is_valid(&changed), "{at}");
        }
    }
}

pub(super) fn named(name: &str) -> Plan {
    let mut all = gallery::all().into_iter();
    all.find(|(n, _)| *n == name).unwrap().1
}

#[test]
fn the_drift_of_every_plan_is_as_published() {
    let schema = schema("drift");
    let mut drifted = 0;
    for (_, plan) in gallery::all() {
        let value = valid(&schema, &json::drift::drift(&plan));
        rejects_changes(&schema, &value, &["unlisted_runs"]);
        drifted += usize::from(!plan.drift.is_empty());
    }
    assert!(drifted > 0, "no plan of the gallery has drift");
}

#[test]
fn both_halves_of_a_replacement_say_replace() {
    let value = valid(&schema("plan"), &json::plan::plan(&named("replace")));
    let steps: Vec<String> = value["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{} {} {}",
                step["action"], step["part"], step["machine"]["name"]
            )
        })
        .collect();
    assert_snapshot!(steps.join("\n"), @r#"
    "replace" "create" "db-launch0000"
    "replace" "destroy" "db-148ed599c14189"
    "replace" "create" "db-launch0001"
    "replace" "destroy" "db-6e82d933b7d587"
    "replace" "destroy" "web-9080eddc29387e"
    "replace" "create" "web-launch0002"
    "#);
    assert_eq!(value["summary"]["replace"], 3);
}

/// The JSON of a plan, which its schema allows.
fn valid_text(plan: &str) -> String {
    let value = valid(&schema("plan"), &json::plan::plan(&named(plan)));
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn a_plan_has_the_promised_shape() {
    assert_snapshot!(valid_text("group_removed"), @r#"
    {
      "app": "shop",
      "destroys_app": false,
      "drift": [],
      "format_version": 1,
      "groups": [
        {
          "after": 0,
          "before": 1,
          "change": "removed",
          "name": "cron",
          "regions": {
            "ams": {
              "after": 0,
              "before": 1
            }
          }
        },
        {
          "after": 3,
          "before": 2,
          "change": "changed",
          "command": "bin/web",
          "name": "web",
          "regions": {
            "ams": {
              "after": 3,
              "before": 2
            }
          }
        }
      ],
      "machines": 4,
      "notes": [
        {
          "code": "renamed_group",
          "group": "cron",
          "hint": "to rename the group and keep its Machines, add this to aeroform.toml:\n[[moved]]\nfrom = \"cron\"\nto = \"clock\"",
          "message": "group `cron` will be removed, and a new group looks like it"
        }
      ],
      "online": true,
      "plan_digest": "2c816398dcdb",
      "provider": "local",
      "records": [],
      "refusals": [],
      "serial": 12,
      "shrinks": 0,
      "state": {
        "serial": 12
      },
      "steps": [
        {
          "action": "create",
          "changes": [],
          "gate": "healthy",
          "group": "web",
          "id": 0,
          "machine": {
            "name": "web-launch0002"
          },
          "port": 8102,
          "reason": "its group has too few Machines",
          "region": "ams"
        },
        {
          "action": "destroy",
          "changes": [],
          "gate": "gone",
          "group": "cron",
          "id": 1,
          "machine": {
            "id": "e2865641be9786",
            "name": "cron-e2865641be9786"
          },
          "reason": "its group is removed",
          "region": "ams",
          "removal": "group-removed",
          "state": "started"
        }
      ],
      "summary": {
        "adopt": 0,
        "canary": 0,
        "create": 1,
        "destroy": 1,
        "forget": 0,
        "move": 0,
        "new_volumes": 0,
        "replace": 0,
        "run": 0,
        "start": 0,
        "swap": 0,
        "update": 0,
        "wait": 0
      },
      "warnings": []
    }
    "#);
}

#[test]
fn a_standby_that_moves_names_its_primary() {
    let mut plan = named("group_moved");
    let Work::Change(change) = &mut plan.steps[2].work else {
        panic!("a move");
    };
    change.action = Action::Move {
        from: group_name("worker"),
        standby_for: vec![StandbyTarget::Machine(id("148ed599c14189"))],
    };
    let value = valid(&schema("plan"), &json::plan::plan(&plan));
    let watched = &value["steps"][2]["standby_for"];
    assert_eq!(*watched, json!([{"machine": "148ed599c14189"}]));
}
