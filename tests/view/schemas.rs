//! What programs read: every document against its published schema.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{
    AppName, ConfigDigest, Count, DesiredGroup, Known, KnownMachine, LaunchId, Lineage,
    MachineConfig, MachineName, NewVolume, Pending, Places, Regions, ReleaseRecord, RunId,
    RunRecord, StoredConfig, Strategy,
};
use aeroform::core::plan::{Action, Plan, Standby, Work};
use aeroform::core::view::json;
use aeroform::core::view::json::config::{self, Secrets};
use aeroform::core::view::json::validate::{Diagnostic, Place, Severity};
use aeroform::core::view::scale::{GroupScale, Scale};
use aeroform::core::view::{FileEdit, ScaleView, StatusView, Style, escape, terminal};
use insta::assert_snapshot;
use jsonschema::Validator;
use serde::Serialize;
use serde_json::{Value, json};

use crate::build::{group_name, id, region, volume};
use crate::{gallery, runs};

pub(crate) fn schema(name: &str) -> Validator {
    let path = format!(
        "{}/docs/schemas/{name}.schema.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The document as it is printed, read back and found to be as published.
pub(crate) fn valid(schema: &Validator, document: &impl Serialize) -> Value {
    let text = json::text(document);
    assert!(!text.chars().any(escape::is_hazard), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
    value
}

/// What must not pass: the document without each of its keys that are not optional, and with a key
/// more.
pub(crate) fn rejects_changes(schema: &Validator, value: &Value, optional: &[&str]) {
    let object = value.as_object().unwrap();
    for key in object
        .keys()
        .filter(|key| !optional.contains(&key.as_str()))
    {
        let mut without = object.clone();
        without.remove(key);
        assert!(!schema.is_valid(&Value::Object(without)), "without {key}");
    }
    let mut more = object.clone();
    more.insert("something_new".to_owned(), json!(1));
    assert!(!schema.is_valid(&Value::Object(more)), "with a key more");
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
        rejects_changes(&schema, &value, &["cost", "release", "reverts"]);
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

fn named(name: &str) -> Plan {
    let mut all = gallery::all().into_iter();
    all.find(|(n, _)| *n == name).unwrap().1
}

#[test]
fn the_drift_of_every_plan_is_as_published() {
    let schema = schema("drift");
    let mut drifted = 0;
    for (_, plan) in gallery::all() {
        let value = valid(&schema, &json::drift::drift(&plan));
        rejects_changes(&schema, &value, &[]);
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

#[test]
fn no_secret_is_in_any_document() {
    let text = json::text(&json::plan::plan(&named("hidden_secrets")));
    for secret in ["sk_live", "postgres:", "aGVsbG8", "d29ybGQ", "hmac"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let text = json::text(&json::state::show(&known()));
    for secret in ["hunter2", "hmac"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_plan_has_the_promised_shape() {
    let value = valid(&schema("plan"), &json::plan::plan(&named("group_removed")));
    assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r#"
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
          "hint": "if it is the same group under a new name, write this in aeroform.toml, and its Machines move instead:\n[[moved]]\nfrom = \"cron\"\nto = \"clock\"",
          "message": "group `cron` goes and a new group looks like it"
        }
      ],
      "online": true,
      "provider": "local",
      "records": [],
      "refusals": [],
      "serial": 12,
      "shrinks": 0,
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
          "reason": "its group has too few",
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
        "create": 1,
        "destroy": 1,
        "forget": 0,
        "move": 0,
        "new_volumes": 0,
        "replace": 0,
        "update": 0
      },
      "warnings": []
    }
    "#);
}

#[test]
fn statuses_are_as_published() {
    let schema = schema("status");
    for (_, mut view) in runs::statuses() {
        view.machines.truncate(100);
        let value = valid(&schema, &json::status::status(&view));
        rejects_changes(&schema, &value, &["drift", "plan"]);
    }
    let (_, mut view): (_, StatusView) = runs::statuses().remove(0);
    view.machines.truncate(2);
    view.groups.truncate(1);
    let value = valid(&schema, &json::status::status(&view));
    assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r#"
    {
      "app": "shop",
      "format_version": 1,
      "groups": [
        {
          "actual": 1,
          "desired": true,
          "healthy": 1,
          "name": "cron",
          "regions": {
            "ams": 1
          },
          "started": 1,
          "wanted": 1
        }
      ],
      "last_run": {
        "at": "2026-01-01T00:00:00Z",
        "by": "ana",
        "command": "apply",
        "outcome": "complete",
        "run": "7f3k2m4n6p",
        "serial": 13
      },
      "machines": [
        {
          "checks": [],
          "cordoned": false,
          "group": "cron",
          "host": "ok",
          "id": "abcdefabcd",
          "known": true,
          "management": "ours",
          "name": "cron-abcdefabcd",
          "pid": 4203,
          "region": "ams",
          "restarts": 0,
          "standby": false,
          "state": "started"
        },
        {
          "address": "http://127.0.0.1:8100",
          "checks": [
            {
              "name": "http-8080",
              "status": "passing"
            }
          ],
          "cordoned": false,
          "group": "web",
          "host": "ok",
          "id": "a1b2c3d4e5",
          "known": true,
          "management": "ours",
          "name": "web-a1b2c3d4e5",
          "pid": 4200,
          "region": "ams",
          "restarts": 0,
          "standby": false,
          "state": "started"
        }
      ],
      "missing": [],
      "provider": "local",
      "serial": 13
    }
    "#);
}

#[test]
fn a_run_is_a_line_per_event_from_the_version_to_the_outcome() {
    let schema = schema("apply");
    let plan = gallery::everything_at_once();
    let mut lines = Vec::new();
    for event in &runs::events() {
        if let Some(line) = json::apply::event(&plan, event) {
            let value = valid(&schema, &line);
            let optional = ["run", "up_to_ms", "part"];
            rejects_changes(&schema, &value, &optional);
            lines.push(json::text(&line));
        }
    }
    for (_, run) in runs::ends() {
        let line = json::apply::finished(&run.report());
        let value = valid(&schema, &line);
        rejects_changes(
            &schema,
            &value,
            &["replaced", "findings", "serial", "unpublished"],
        );
        lines.push(json::text(&line));
    }
    valid(&schema, &json::apply::started_without_run(&plan));
    assert_snapshot!(lines.join("\n"), @r#"
    {"event":"started","format_version":1,"run":"7f3k2m4n6p","app":"shop","steps":12,"summary":{"create":6,"update":4,"replace":0,"move":0,"destroy":2,"adopt":0,"forget":0,"new_volumes":0}}
    {"event":"step_began","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"}}
    {"event":"step_waiting","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"},"on":"check http-8080","up_to_ms":300000}
    {"event":"step_ended","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"},"outcome":"done"}
    {"event":"step_began","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"}}
    {"event":"step_retrying","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"cause":"the lease is held by ana"}
    {"event":"step_ended","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"outcome":"failed","code":"gate_timeout","message":"check http-8080 did not pass within 5m","hint":"look at it: `aeroform logs 148ed599c14189`"}
    {"event":"step_ended","step":8,"action":"update","group":"web","region":"gru","machine":{"id":"6e82d933b7d587","name":"web-6e82d933b7d587"},"outcome":"unknown","message":"the answer to update was lost"}
    {"event":"step_ended","step":12,"action":"destroy","group":"cron","region":"gru","machine":{"id":"e2865641be9786","name":"cron-e2865641be9786"},"outcome":"skipped","because":7}
    {"event":"interrupted"}
    {"event":"step_ended","step":13,"action":"destroy","group":"cron","region":"bog","machine":{"id":"21781973f03e89","name":"cron-21781973f03e89"},"outcome":"not_started"}
    {"event":"finished","outcome":"complete","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"replaced":[{"group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"by":{"id":"3d8d9014b32789","name":"web-3d8d9014b32789"}},{"group":"web","region":"gru","machine":{"id":"6e82d933b7d587","name":"web-6e82d933b7d587"},"by":{"id":"148e1234f56789","name":"web-148e1234f56789"}}],"serial":13}
    {"event":"finished","outcome":"complete","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":6,"failed":2,"unknown":1,"skipped":3,"not_started":0,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":0,"failed":12,"unknown":0,"skipped":0,"not_started":0,"serial":13}
    {"event":"finished","outcome":"interrupted","total":12,"done":4,"failed":0,"unknown":0,"skipped":0,"not_started":8,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"unpublished":{"cause":"state/shop.json was changed since it was read","copy":"state/shop.json.run-7f3k2m4n6p"}}
    {"event":"finished","outcome":"failed","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"findings":["web 148ed599c14189 is gone: somebody destroyed it after us"],"serial":13}
    "#);
}

fn known() -> Known {
    let lineage = Lineage::new("l1").unwrap();
    let env = BTreeMap::from([
        ("API_TOKEN".to_owned(), "hunter2".to_owned()),
        ("LOG_LEVEL".to_owned(), "info".to_owned()),
    ]);
    let config = StoredConfig::of(
        &MachineConfig {
            env: Some(env),
            ..MachineConfig::default()
        },
        &lineage,
    );
    let digest: ConfigDigest = config.digest();
    let launch = LaunchId::new("abcdefghij").unwrap();
    let machine = KnownMachine {
        name: MachineName::new("web-abcdefghij").unwrap(),
        group: group_name("web"),
        region: region("ams"),
        config: digest.clone(),
        launch: Some(launch.clone()),
        volumes: vec![volume("vol_1")],
        standby_for: vec![id("0123456789")],
        replaces: None,
        unproven: true,
    };
    let run = RunRecord {
        run: RunId::new("7f3k2m4n6p").unwrap(),
        serial: 13,
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "ana".to_owned(),
        command: "apply".to_owned(),
        outcome: "complete".to_owned(),
        commit: Some("0123abc".to_owned()),
        plan: Some("0123abcd".repeat(4)),
    };
    let released = aeroform::core::fleet::known::ReleasedGroup {
        config: digest.clone(),
        placement: BTreeMap::from([(region("ams"), 1)]),
    };
    let mut known = Known::empty(AppName::new("shop").unwrap(), "local");
    known.lineage = Some(lineage);
    known.serial = 13;
    known.run = Some(run.run.clone());
    known.protect = BTreeSet::from([group_name("web")]);
    known.pending = vec![Pending {
        launch,
        group: group_name("web"),
        region: region("ams"),
        standby: false,
        replaces: None,
    }];
    known.releases = vec![ReleaseRecord {
        release: 3,
        at: run.at.clone(),
        by: run.by.clone(),
        groups: BTreeMap::from([(group_name("web"), released)]),
    }];
    known.runs = vec![run];
    known.configs = BTreeMap::from([(digest, config)]);
    known.machines = BTreeMap::from([(id("a1b2c3"), machine)]);
    known
}

#[test]
fn an_edit_is_a_document_with_the_change_of_each_file() {
    let schema = schema("edit");
    let plan = gallery::everything_at_once();
    let files = [FileEdit {
        path: "aeroform.toml".to_owned(),
        before: Some("[groups.web]\ncount = 2\n".to_owned()),
        after: "[groups.web]\nregions = { ams = 3 }\n".to_owned(),
    }];
    let document = json::edit::edit(&plan.app, &files, false, Some(&plan));
    let value = valid(&schema, &document);
    rejects_changes(&schema, &value, &["plan"]);
    assert_snapshot!(value["files"][0]["diff"].as_str().unwrap(), @r"
    @@ -1,2 +1,2 @@
     [groups.web]
    -count = 2
    +regions = { ams = 3 }
    ");
    valid(&schema, &json::edit::edit(&plan.app, &[], true, None));
}

#[test]
fn scale_show_is_a_document_of_what_is_and_what_is_wanted() {
    let schema = schema("scale-show");
    let numbers = |count, cpus| Scale {
        count,
        cpu_kind: Some("shared".to_owned()),
        cpus: Some(cpus),
        memory_mb: Some(256 * cpus),
        regions: BTreeMap::from([(region("ams"), count - 1), (region("yyz"), 1)]),
    };
    let view = ScaleView {
        app: AppName::new("shop").unwrap(),
        online: true,
        groups: vec![GroupScale {
            name: group_name("web"),
            actual: numbers(3, 1),
            wanted: numbers(5, 2),
        }],
    };
    let value = valid(&schema, &json::scale::scale(&view));
    rejects_changes(&schema, &value, &[]);
    let mut text = String::new();
    let style = Style {
        color: false,
        width: 100,
        verbose: false,
    };
    terminal::scale(&view, &style, &mut text).unwrap();
    assert_snapshot!(text, @"
    shop

    NAME  COUNT  KIND    CPUS   MEMORY           REGIONS
    web   3 → 5  shared  1 → 2  256 MB → 512 MB  ams(2),yyz → ams(4),yyz
    ");
}

#[test]
fn the_other_documents_are_as_published() {
    let known = known();
    let check = |name: &str, value: &dyn Fn(&Validator) -> Value, optional: &[&str]| {
        let schema = schema(name);
        rejects_changes(&schema, &value(&schema), optional);
    };
    check("state-list", &|s| valid(s, &json::state::list(&known)), &[]);
    check("state-show", &|s| valid(s, &json::state::show(&known)), &[]);
    let fresh = Known::empty(AppName::new("shop").unwrap(), "local");
    check("state-show", &|s| valid(s, &json::state::show(&fresh)), &[]);
    check(
        "state-machine",
        &|s| {
            let (machine, group) = (id("a1b2c3"), group_name("web"));
            let place = "state/shop.json";
            valid(s, &json::state::machine_change(place, 14, &machine, &group))
        },
        &[],
    );
    check(
        "state-push",
        &|s| valid(s, &json::state::push("state/shop.json", 14)),
        &[],
    );
    check(
        "version",
        &|s| valid(s, &json::version::version("0.1.0")),
        &[],
    );
    let written = ["aeroform.toml".to_owned(), ".gitignore".to_owned()];
    check(
        "init",
        &|s| valid(s, &json::init::init("shop", &written)),
        &[],
    );
    let group = group_name("web");
    let machine = id("a1b2c3");
    let log = json::logs::log(
        &machine,
        Some(&group),
        "2026-01-01T00:00:00Z",
        "\u{1b}[0mhi",
    );
    check("logs", &|s| valid(s, &log), &["group"]);
    let holder = json::unlock::LockHolder {
        who: "ana",
        host: "laptop",
        pid: 4200,
        command: "apply",
        since: "2026-01-01T00:00:00Z",
        run: None,
    };
    let held = json::unlock::unlock(true, Some(holder));
    check("unlock", &|s| valid(s, &held), &["holder"]);
    check(
        "unlock",
        &|s| valid(s, &json::unlock::unlock(false, None)),
        &[],
    );
    let diagnostic = |severity| Diagnostic {
        severity,
        code: "unknown_key",
        message: "unknown key `cuont`",
        label: Some("not known here"),
        file: "aeroform.toml",
        line: Some(3),
        column: Some(1),
        also: vec![Place {
            label: Some("the group stands here"),
            file: "fly.toml",
            line: 2,
            column: 1,
        }],
        help: Some("did you mean `count`?"),
    };
    let causes = ["the plan was made at serial 41".to_owned()];
    let error = json::error::error(
        "stale_plan",
        "cannot apply the saved plan",
        &causes,
        Some("plan again"),
        4,
    )
    .with(vec![diagnostic(Severity::Error)]);
    check("error", &|s| valid(s, &error), &[]);
    let found = json::validate::validate(vec![
        diagnostic(Severity::Error),
        diagnostic(Severity::Warning),
    ]);
    check("validate", &|s| valid(s, &found), &[]);
}

#[test]
fn what_fly_offers_and_what_is_wanted_are_as_published() {
    let sizes = schema("platform-vm-sizes");
    let value = valid(&sizes, &json::platform::vm_sizes());
    rejects_changes(&sizes, &value, &[]);
    assert_eq!(value["sizes"][0]["cents_per_month"], 194);
    let regions = schema("platform-regions");
    rejects_changes(&regions, &valid(&regions, &json::platform::regions()), &[]);
    let web = group_name("web");
    let wanted = DesiredGroup {
        command: None,
        template: MachineConfig::from_value(json!({
            "env": {"API_TOKEN": "hunter2", "LOG": "debug"},
            "files": [{"guest_path": "/key", "raw_value": "aHVudGVyMg=="}],
        }))
        .unwrap(),
        count: Count::Unwritten,
        regions: Regions::Unwritten,
        max_per_region: None,
        standby: None,
        ha: true,
        protect: false,
        strategy: Strategy::Immediate,
        wait_timeout_s: 300,
        machine_checks: Vec::new(),
        new_volume: NewVolume::default(),
        places: Places::default(),
    };
    let app = AppName::new("shop").unwrap();
    let group = |secrets| config::group(&web, &wanted, secrets);
    let document = schema("show-config");
    let hidden = valid(
        &document,
        &config::config(&app, vec![group(Secrets::Hidden)]),
    );
    rejects_changes(&document, &hidden, &[]);
    let text = hidden.to_string();
    assert!(
        !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
        "{text}"
    );
    assert!(text.contains("debug"), "{text}");
    let shown = valid(
        &document,
        &config::config(&app, vec![group(Secrets::Shown)]),
    );
    assert_eq!(shown["groups"][0]["config"]["env"]["API_TOKEN"], "hunter2");
    assert!(group(Secrets::Hidden).hides() && !group(Secrets::Shown).hides());
}

#[test]
fn only_an_error_makes_manifests_invalid() {
    let warned = json::validate::validate(vec![Diagnostic {
        severity: Severity::Warning,
        code: "unknown_key",
        message: "unknown key",
        label: None,
        file: "fly.toml",
        line: None,
        column: None,
        also: Vec::new(),
        help: None,
    }]);
    let value = valid(&schema("validate"), &warned);
    assert_eq!(value["valid"], true);
}

#[test]
fn a_standby_that_moves_says_for_whom_it_stands_by() {
    let mut plan = named("group_moved");
    let Work::Change(change) = &mut plan.steps[2].work else {
        panic!("a move");
    };
    change.action = Action::Move {
        from: group_name("worker"),
        standby_for: vec![Standby::Machine(id("148ed599c14189"))],
    };
    let value = valid(&schema("plan"), &json::plan::plan(&plan));
    let watched = &value["steps"][2]["standby_for"];
    assert_eq!(*watched, json!([{"machine": "148ed599c14189"}]));
}
