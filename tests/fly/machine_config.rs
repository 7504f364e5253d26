//! `machine_config` with every field of the table and with keys that nobody knows: what of it reaches the
//! platform, and that nothing is left to do afterwards.

use aeroform::core::fleet::schema::{CONFIG, Effect, FieldRow, FieldType, Owner, Table};
use aeroform::core::fleet::{MachineConfig, StoredConfig};
use aeroform::core::state;
use serde_json::{Map, Value, json};

use crate::fixture::{as_fly, platform};
use crate::runs::{FlyFixture, target};

/// An unknown key, at every level.
const UNKNOWN: &str = "not_known_to_us";

/// A value for this row, with everything that it can hold.
fn sample(row: &FieldRow) -> Value {
    match (row.name, row.kind()) {
        ("autostop", _) => json!("suspend"),
        ("autostart", _) => json!(false),
        ("cpu_kind", _) => json!("performance"),
        ("memory_mb", _) => json!(4096),
        ("persist_rootfs" | "policy", _) => json!("always"),
        ("schedule", _) => json!("daily"),
        ("method", _) => json!("PUT"),
        ("timeout" | "interval" | "grace_period", _) => json!("7s"),
        ("processes", _) => json!([{"exec": ["a"], UNKNOWN: [1]}]),
        ("containers", _) => {
            json!([{"name": "app", "image": "x:1", UNKNOWN: 1}, {"name": "side", "image": "y:1"}])
        }
        (_, FieldType::Flag) => json!(true),
        (_, FieldType::Number(_)) => json!(7),
        (_, FieldType::Text) => json!("x"),
        (_, FieldType::Texts) => json!(["x", "y"]),
        (_, FieldType::TextMap) => json!({"KEY": "x"}),
        (_, FieldType::Any) => json!({"x": [1, {"y": true}]}),
        (_, FieldType::Section(table)) => whole(table),
        (_, FieldType::List(table)) => json!([whole(table)]),
        (_, FieldType::Entries(table)) => json!({"one": whole(table)}),
    }
}

fn whole(table: &Table) -> Value {
    let mut fields: Map<String, Value> = table
        .rows
        .iter()
        .map(|row| (row.name.to_owned(), sample(row)))
        .collect();
    fields.insert(UNKNOWN.to_owned(), json!({"deep": [null, 1, "x"]}));
    fields.into()
}

/// Every leaf of a tree with its path; lists are leaves where they hold no tables.
fn leaves(tree: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match tree {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                leaves(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}/{at}"), found);
            }
        }
        leaf => found.push((path.to_owned(), leaf.clone())),
    }
}

/// What `fly deploy` takes from the sections of fly.toml, or from nowhere: the rows that it rebuilds, and what a
/// Machine's own line has.
fn is_replaced(path: &str) -> bool {
    let mut steps = path[1..].split('/');
    let top = steps.next().unwrap();
    let row = CONFIG.row(top);
    match (top, row) {
        ("image", _) => true,
        ("init", Some(row)) => {
            let FieldType::Section(table) = row.kind() else {
                unreachable!()
            };
            let inner = steps.next().and_then(|key| table.row(key));
            inner.is_some_and(|row| row.spec.owner == Owner::Deploy)
        }
        (_, Some(row)) => row.spec.owner == Owner::Deploy || row.spec.effect == Effect::Bookkeeping,
        (_, None) => false,
    }
}

fn manifest(config: &Value) -> String {
    format!(
        "app = \"shop\"\nprimary_region = \"ams\"\nmachine_config = '''{config}'''\n[processes]\nweb = \"bin/web\"\n"
    )
}

#[tokio::test(start_paused = true)]
async fn every_field_and_every_unknown_key_of_machine_config_reaches_the_platform_once() {
    let mut config = whole(CONFIG);
    // Of a whole size the legacy name is another way to say it, and a Machine with a schedule is not waited for.
    config.as_object_mut().unwrap().remove("size");
    let ours = "image = \"shop:1\"\n[groups.web]\ncount = 1\n";
    let desired = target(&manifest(&config), ours);
    let server = platform();
    server.world().fills_in = false;
    let provider = as_fly(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&desired).await;
    let machines = server.world().operator("shop").machines();
    let sent = &machines[0]["config"];
    let mut all = Vec::new();
    leaves(&config, "", &mut all);
    assert!(all.len() > 100, "the table has {} leaves", all.len());
    let (mut equal, mut lost) = (0, Vec::new());
    for (path, value) in &all {
        let found = sent.pointer(path);
        // Containers get the image of the app.
        let is_image = path == "/containers/0/image";
        match (is_replaced(path), found) {
            (true, Some(found)) if found == value => lost.push(format!("{path} was sent")),
            (true, _) => {}
            (false, Some(found)) if found == value || is_image => equal += 1,
            (false, found) => lost.push(format!("{path}: {value} became {found:?}")),
        }
    }
    println!("{equal} of {} leaves of machine_config are sent", all.len());
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    // What the state remembers is what was sent, and an update loses nothing of it.
    let text = state::write(&team.known);
    assert!(text.contains(UNKNOWN), "{text}");
    team.known = state::read(&text, &team.known.app).unwrap();
    let newer = target(&manifest(&config), &ours.replace("shop:1", "shop:2"));
    let ran = team.settle(&newer).await;
    assert!(
        ran.plan.changes().count() == 1,
        "{:#?}",
        ran.plan.summary_lines()
    );
    let again = &server.world().operator("shop").machines()[0]["config"];
    let same = |path: &str| sent.pointer(path) == again.pointer(path);
    assert!(
        all.iter()
            .all(|(path, _)| path.contains("image") || same(path))
    );
}

#[tokio::test(start_paused = true)]
async fn each_unknown_key_alone_is_sent_remembered_and_taken_back() {
    let ours = "image = \"shop:1\"\n[groups.web]\ncount = 1\n";
    for path in [
        "",
        "guest",
        "init",
        "dns",
        "rootfs",
        "spot",
        "metadata",
        "volumes/0",
        "containers/0",
    ] {
        let mut config = json!({UNKNOWN: {"deep": 1}});
        for step in path.rsplit('/').filter(|step| !step.is_empty()) {
            config = match step {
                "0" => json!([config]),
                step => json!({step: config}),
            };
        }
        if path == "metadata" {
            config = json!({"metadata": {UNKNOWN: "x"}});
        }
        if path == "guest" {
            config["guest"]["cpus"] = 1.into();
        }
        if let Some(container) = config.pointer_mut("/containers/0") {
            container["name"] = "app".into();
        }
        let server = platform();
        let provider = as_fly(&server);
        let mut team = FlyFixture::of(&provider);
        team.settle(&target(&manifest(&config), ours)).await;
        let has = || {
            let machines = server.world().operator("shop").machines();
            machines[0]["config"].to_string().contains(UNKNOWN)
        };
        assert!(has(), "{path}");
        team.settle(&target(&manifest(&json!({})), ours)).await;
        // An unwritten size stays unchanged.
        assert_eq!(has(), path == "guest", "{path}");
    }
}

#[test]
fn the_remembered_form_of_a_config_has_every_leaf_that_is_not_bookkeeping() {
    let lineage = aeroform::core::fleet::Lineage::new("l").unwrap();
    let config = MachineConfig::from_value(whole(CONFIG)).unwrap();
    let stored = StoredConfig::from_config(&config, &lineage);
    let mut all = Vec::new();
    leaves(&whole(CONFIG), "", &mut all);
    for (path, _) in all {
        let bookkeeping = path == "/standbys" || path.ends_with("/volume");
        assert_eq!(
            stored.tree().pointer(&path).is_none(),
            bookkeeping,
            "{path}"
        );
    }
}
