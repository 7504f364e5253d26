//! What programs read: every document against its published schema.

mod plans;
mod runs;

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{
    AppName, ConfigDigest, Known, KnownMachine, LaunchId, Lineage, MachineConfig, MachineName,
    PendingCreate, ReleaseRecord, RunRecord, StoredConfig,
};
use aeroform::core::view::json;
use aeroform::core::view::json::config::{self, SecretDisplay};
use aeroform::core::view::json::unlock::LockState;
use aeroform::core::view::json::validate::{DiagnosticDocument, LocationDocument, Severity};
use aeroform::core::view::scale::{GroupScale, ScaleCounts};
use aeroform::core::view::{
    FileEdit, PreparedState, ScaleView, StateMove, Style, escape, terminal,
};
use insta::assert_snapshot;
use jsonschema::Validator;
use serde::Serialize;
use serde_json::{Value, json};

use crate::build::{bare_group, group_name, id, last_run, region, volume};
use crate::gallery;

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
    let text = json::to_line(document);
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

/// Holds rule 37.
#[test]
fn no_secret_is_in_any_document() {
    let text = json::to_line(&json::plan::plan(&plans::named("hidden_secrets")));
    for secret in ["sk_live", "postgres:", "aGVsbG8", "d29ybGQ", "hmac"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let text = json::to_line(&json::state::show(&known()));
    for secret in ["hunter2", "hmac"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

fn known() -> Known {
    let lineage = Lineage::new("l1").unwrap();
    let env = BTreeMap::from([
        ("API_TOKEN".to_owned(), "hunter2".to_owned()),
        ("LOG_LEVEL".to_owned(), "info".to_owned()),
    ]);
    let config = StoredConfig::from_config(
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
        requested_region: Some(aeroform::core::fleet::Region::new("gru").unwrap()),
        config: digest.clone(),
        launch: Some(launch.clone()),
        volumes: vec![volume("vol_1")],
        standby_for: vec![id("0123456789")],
        replaces: None,
        swap: None,
        unproven: true,
    };
    let run = RunRecord {
        commit: Some("0123abc".to_owned()),
        url: Some("https://ci.example/jobs/7".to_owned()),
        plan: Some("0123abcd".repeat(4)),
        desired: Some("6d8e8c2a".repeat(4)),
        ..last_run()
    };
    let released = aeroform::core::fleet::known::ReleasedGroup {
        config: digest.clone(),
        placement: BTreeMap::from([(region("ams"), 1)]),
    };
    let mut known = Known::empty(AppName::new("shop").unwrap(), "local");
    known.lineage = Some(lineage);
    known.serial = 13;
    known.run = Some(run.run.clone());
    known.protected_groups = BTreeSet::from([group_name("web")]);
    known.pending_creates = vec![PendingCreate {
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
        run: Some(run.run.clone()),
        outcome: Some("complete".to_owned()),
        image: Some("registry.example/shop:3".to_owned()),
        release_command: None,
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
fn scale_show_is_a_document_of_actual_and_desired_counts() {
    let schema = schema("scale-show");
    let numbers = |count, cpus| ScaleCounts {
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
            desired: Some(numbers(5, 2)),
        }],
    };
    let value = valid(&schema, &json::scale::scale(&view));
    rejects_changes(&schema, &value, &[]);
    let mut text = String::new();
    let style = Style {
        color: false,
        width: 100,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    };
    terminal::scale(&view, &style, &mut text).unwrap();
    assert_snapshot!(text, @"
    shop

    NAME  COUNT  KIND    CPUS   MEMORY           REGIONS
    web   3 → 5  shared  1 → 2  256 MB → 512 MB  ams(2),yyz → ams(4),yyz
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one entry per document")]
fn the_other_documents_are_as_published() {
    let known = known();
    let check = |name: &str, value: &dyn Fn(&Validator) -> Value, optional: &[&str]| {
        let schema = schema(name);
        rejects_changes(&schema, &value(&schema), optional);
    };
    check("state-list", &|s| valid(s, &json::state::list(&known)), &[]);
    check("state-show", &|s| valid(s, &json::state::show(&known)), &[]);
    check("state-log", &|s| valid(s, &json::state::log(&known)), &[]);
    let fresh = Known::empty(AppName::new("shop").unwrap(), "local");
    check("state-show", &|s| valid(s, &json::state::show(&fresh)), &[]);
    check(
        "state-machine",
        &|s| {
            let (machine, group) = (id("a1b2c3"), group_name("web"));
            let location = "state/shop.json";
            valid(
                s,
                &json::state::machine_change(location, 14, &machine, &group),
            )
        },
        &[],
    );
    check(
        "state-push",
        &|s| valid(s, &json::state::push("state/shop.json", 14)),
        &[],
    );
    let moved = StateMove {
        app: AppName::new("shop").unwrap(),
        from: "state/shop.json".to_owned(),
        to: "git+origin".to_owned(),
        target: None,
        serial: Some(14),
        lineage: known.lineage.clone(),
    };
    let files = ["aeroform.toml".to_owned()];
    check(
        "state-migrate",
        &|s| valid(s, &json::state::migrate(&moved, true, &files)),
        &[],
    );
    let empty = StateMove {
        serial: None,
        lineage: None,
        ..moved.clone()
    };
    check(
        "state-migrate",
        &|s| valid(s, &json::state::migrate(&empty, false, &[])),
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
    let prepared = PreparedState {
        place: "git+origin".to_owned(),
        lock: Some("refs/aeroform/lock/shop".to_owned()),
    };
    check(
        "init",
        &|s| {
            valid(
                s,
                &json::init::init("shop", &[]).with_state(Some(&prepared)),
            )
        },
        &["state"],
    );
    let edits = [FileEdit {
        path: "aeroform.toml".to_owned(),
        before: None,
        after: "provider = \"fly\"\n".to_owned(),
    }];
    check(
        "init",
        &|s| valid(s, &json::init::import("shop", &written, &edits)),
        &["files"],
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
        url: Some("https://host/jobs/1"),
    };
    let held = json::unlock::unlock(LockState::Held, Some(holder));
    check("unlock", &|s| valid(s, &held), &["holder"]);
    let removed = json::unlock::unlock(LockState::Removed, None);
    check("unlock", &|s| valid(s, &removed), &["removed"]);
    let free = json::unlock::unlock(LockState::Free, None);
    check("unlock", &|s| valid(s, &free), &[]);
    let diagnostic = |severity| DiagnosticDocument {
        severity,
        code: "unknown_key",
        message: "unknown key `cuont`",
        label: Some("not known here"),
        file: "aeroform.toml",
        line: Some(3),
        column: Some(1),
        also: vec![LocationDocument {
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
    .with_diagnostics(vec![diagnostic(Severity::Error)]);
    check("error", &|s| valid(s, &error), &[]);
    let found = json::validate::validate(vec![
        diagnostic(Severity::Error),
        diagnostic(Severity::Warning),
    ]);
    check("validate", &|s| valid(s, &found), &[]);
}

#[test]
fn platform_and_config_documents_match_their_schemas() {
    let sizes = schema("platform-vm-sizes");
    let value = valid(&sizes, &json::platform::vm_sizes());
    rejects_changes(&sizes, &value, &[]);
    assert_eq!(value["sizes"][0]["cents_per_month"], 194);
    let regions = schema("platform-regions");
    rejects_changes(&regions, &valid(&regions, &json::platform::regions()), &[]);
    let web = group_name("web");
    let template = MachineConfig::from_value(json!({
        "env": {"API_TOKEN": "hunter2", "LOG": "debug"},
        "files": [{"guest_path": "/key", "raw_value": "aHVudGVyMg=="}],
    }));
    let target = bare_group(template.unwrap());
    let app = AppName::new("shop").unwrap();
    let group = |secrets| config::group_config(&web, &target, secrets);
    let document = schema("show-config");
    let hidden = valid(
        &document,
        &config::config(&app, vec![group(SecretDisplay::Hidden)]),
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
        &config::config(&app, vec![group(SecretDisplay::Shown)]),
    );
    assert_eq!(shown["groups"][0]["config"]["env"]["API_TOKEN"], "hunter2");
    assert!(
        group(SecretDisplay::Hidden).has_hidden_values()
            && !group(SecretDisplay::Shown).has_hidden_values()
    );
}

#[test]
fn only_an_error_makes_manifests_invalid() {
    let warned = json::validate::validate(vec![DiagnosticDocument {
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
    let value = valid(&schema("validate"), &warned.with_more(7));
    assert_eq!(value["more"], 7);
}
