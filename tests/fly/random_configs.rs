//! Random fly.toml over random live configs, on a platform that fills in defaults, reorders lists and respells
//! values: after an apply nothing is left to do, and of what is changed outside the owned fields are drift and the
//! others are not.

use aeroform::core::fleet::schema::{CONFIG, Kind, Owner, Row, Spelling, Table};
use aeroform::core::plan::Plan;
use serde_json::{Map, Value, json};

use crate::runs::{Team, wanted};
use crate::stage::{as_fly, platform};

/// Cases that are tried; more with `AEROFORM_CASES`.
const CASES: u64 = 12;

/// Numbers that look random and come again with the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn chance(&mut self, of: u64) -> bool {
        self.roll(of) == 0
    }
}

/// A fly.toml that the platform takes.
fn manifest(dice: &mut Dice) -> (String, bool) {
    let mut text = String::from("app = \"shop\"\nprimary_region = \"ams\"\n");
    let mut maybe = |dice: &mut Dice, line: &str| {
        if dice.chance(2) {
            text.push_str(line);
            text.push('\n');
        }
    };
    maybe(dice, "kill_signal = \"SIGTERM\"");
    maybe(dice, "kill_timeout = 90");
    maybe(dice, "swap_size_mb = 256");
    maybe(dice, "[env]\nLOG = \"info\"\nPORT = \"8080\"");
    maybe(dice, "[[restart]]\npolicy = \"always\"\nretries = 4");
    maybe(dice, "[metrics]\nport = 9091\npath = \"/metrics\"");
    maybe(
        dice,
        "[[statics]]\nguest_path = \"/app/public\"\nurl_prefix = \"/static\"",
    );
    maybe(
        dice,
        "[[files]]\nguest_path = \"/etc/a\"\nraw_value = \"aGk=\"\n[[files]]\nguest_path = \"/etc/b\"\nraw_value = \"aG8=\"",
    );
    maybe(
        dice,
        "[checks.alive]\ntype = \"http\"\nport = 8080\npath = \"/live\"\ninterval = \"90s\"\n[checks.open]\ntype = \"tcp\"\nport = 8080",
    );
    if dice.chance(2) {
        text.push_str("[http_service]\ninternal_port = 8080\n");
        for line in [
            "auto_stop_machines = \"stop\"",
            "auto_start_machines = true",
            "force_https = true",
            "min_machines_running = 1",
        ] {
            if dice.chance(2) {
                text.push_str(line);
                text.push('\n');
            }
        }
        for section in [
            "[http_service.concurrency]\ntype = \"requests\"\nhard_limit = 50\n",
            "[[http_service.checks]]\npath = \"/up\"\ninterval = \"30s\"\n[http_service.checks.headers]\nB = \"2\"\nA = \"1\"\n",
            "[http_service.http_options.response.headers]\nX-Frame = \"deny\"\n",
        ] {
            if dice.chance(2) {
                text.push_str(section);
            }
        }
    }
    if dice.chance(2) {
        text.push_str("[[services]]\ninternal_port = 9000\nprotocol = \"tcp\"\n[[services.ports]]\nport = 9000\nhandlers = [\"tls\"]\n[[services.ports]]\nport = 9001\n");
        if dice.chance(2) {
            text.push_str("[[services.tcp_checks]]\ninterval = \"15s\"\ntimeout = \"2s\"\n");
        }
    }
    let sized = dice.chance(2);
    if sized {
        text.push_str("[[vm]]\nsize = \"shared-cpu-2x\"\nmemory = \"1gb\"\n");
    }
    (text, sized)
}

/// A value of this row, and another one where that is another value to the platform.
fn values(row: &Row) -> Option<[Value; 2]> {
    let timed = matches!(
        row.spec.equals.spelling,
        Spelling::Duration | Spelling::Clamped(..)
    );
    Some(match (row.name, row.kind()) {
        ("autostop", _) => [json!("suspend"), json!("stop")],
        ("persist_rootfs", _) => [json!("always"), json!("restart")],
        ("cpu_kind", _) => [json!("performance"), json!("shared")],
        ("policy", _) => [json!("no"), json!("spot-price")],
        ("signal", _) => [json!("SIGUSR1"), json!("SIGHUP")],
        ("method", _) => [json!("PUT"), json!("HEAD")],
        ("handlers", _) => [json!(["http"]), json!(["tls"])],
        ("protocol" | "type", Kind::Text) => return None,
        _ if timed => [json!("13s"), json!("17s")],
        (_, Kind::Flag) => [json!(true), json!(false)],
        (_, Kind::Number(_)) => [json!(77), json!(78)],
        (_, Kind::Text) => [json!("one"), json!("two")],
        (_, Kind::Texts) => [json!(["one"]), json!(["two"])],
        (_, Kind::TextMap) => [json!({"ONE": "1"}), json!({"ONE": "2"})],
        (_, Kind::Any) => [json!({"one": 1}), json!({"one": 2})],
        (_, Kind::Section(_) | Kind::List(_) | Kind::Entries(_)) => return None,
    })
}

/// What is not changed: what identifies a Machine, what the platform or its own line has, and what
/// decides whether it runs at all.
const APART: [&str; 18] = [
    "image",
    "metadata",
    "mounts",
    "standbys",
    "size",
    "schedule",
    "auto_destroy",
    "internal_port",
    "port",
    "start_port",
    "end_port",
    "guest_path",
    "url_prefix",
    "name",
    "path",
    "host_dedication_id",
    "containers",
    "processes",
];

/// Lays random fields of the table over what is there.
fn strew(table: &Table, fields: &mut Map<String, Value>, dice: &mut Dice) {
    for row in table.rows.iter().filter(|row| !APART.contains(&row.name)) {
        match (row.kind(), fields.get_mut(row.name)) {
            (Kind::Section(inner), there) => {
                let mut own = there
                    .and_then(|there| there.as_object().cloned())
                    .unwrap_or_default();
                if dice.chance(2) {
                    strew(inner, &mut own, dice);
                    if dice.chance(3) {
                        own.insert("not_known_to_us".to_owned(), json!({"a": 1}));
                    }
                }
                if !own.is_empty() {
                    fields.insert(row.name.to_owned(), own.into());
                }
            }
            (Kind::List(inner), Some(Value::Array(entries))) => {
                for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                    strew(inner, entry, dice);
                }
            }
            (Kind::Entries(inner), Some(Value::Object(entries))) => {
                for entry in entries.values_mut().filter_map(Value::as_object_mut) {
                    strew(inner, entry, dice);
                }
            }
            (_, None) if dice.chance(4) => {
                if let Some([value, _]) = values(row) {
                    fields.insert(row.name.to_owned(), value);
                }
            }
            _ => {}
        }
    }
}

/// A Machine as `fly deploy` and others may have left it.
fn live(dice: &mut Dice) -> Value {
    let mut config = json!({
        "image": "r.example/shop:1",
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "app", "team": "x"},
        "services": [
            {"internal_port": 8080, "protocol": "tcp", "checks": [{"type": "http", "path": "/up"}], "ports": [
                {"port": 443, "handlers": ["http", "tls"]}, {"port": 80, "handlers": ["http"]}]},
            {"internal_port": 9000, "protocol": "tcp", "ports": [{"port": 9000}]}],
        "checks": {"alive": {"type": "http", "port": 8080, "path": "/old"}, "gone": {"type": "tcp", "port": 1}},
        "files": [{"guest_path": "/etc/b", "raw_value": "eA=="}],
        "statics": [{"guest_path": "/old", "url_prefix": "/old"}],
        "env": {"OLD": "1"},
        "not_known_to_us": [1, 2],
    });
    strew(CONFIG, config.as_object_mut().unwrap(), dice);
    if dice.chance(2) {
        config["services"].as_array_mut().unwrap().reverse();
    }
    config
}

/// One leaf that is changed from outside.
struct Touch {
    path: String,
    value: Value,
    owned: bool,
}

/// Every leaf of the rows, those that are there and those that could be, with another value.
fn touches(
    table: &Table,
    tree: &Value,
    path: &str,
    owned: Option<bool>,
    sized: bool,
    found: &mut Vec<Touch>,
) {
    let Some(fields) = tree.as_object() else {
        return;
    };
    for key in fields.keys().filter(|key| table.row(key).is_none()) {
        let path = format!("{path}/{key}");
        found.push(Touch {
            path,
            value: json!("changed"),
            owned: false,
        });
    }
    for row in table.rows.iter().filter(|row| !APART.contains(&row.name)) {
        let place = format!("{path}/{}", row.name);
        let there = fields.get(row.name);
        let own = match row.spec.owner {
            Owner::Deploy => owned.unwrap_or(true),
            // A size is ours where a `[[vm]]` is written.
            Owner::Running => sized,
            Owner::Platform => false,
        };
        match (row.kind(), there) {
            (Kind::Section(inner), there) => {
                let inside = if row.spec.owner == Owner::Running {
                    Some(sized)
                } else {
                    owned
                };
                let there = there.cloned().unwrap_or_else(|| json!({}));
                touches(inner, &there, &place, inside, sized, found);
            }
            (Kind::List(inner), Some(Value::Array(entries))) => {
                for (at, entry) in entries.iter().enumerate() {
                    touches(inner, entry, &format!("{place}/{at}"), owned, sized, found);
                }
            }
            (Kind::Entries(inner), Some(Value::Object(entries))) => {
                for (name, entry) in entries {
                    touches(
                        inner,
                        entry,
                        &format!("{place}/{name}"),
                        owned,
                        sized,
                        found,
                    );
                }
            }
            (Kind::TextMap, Some(Value::Object(entries))) => {
                for name in entries.keys() {
                    found.push(Touch {
                        path: format!("{place}/{name}"),
                        value: json!("changed"),
                        owned: own,
                    });
                }
            }
            (_, there) => {
                let Some([one, two]) = values(row) else {
                    continue;
                };
                let value = if there == Some(&one) { two } else { one };
                found.push(Touch {
                    path: place,
                    value,
                    owned: own,
                });
            }
        }
    }
}

/// Sets a value, with the tables around it where they are missing.
fn set(tree: &mut Value, path: &str, value: Value) {
    let steps: Vec<&str> = path[1..].split('/').collect();
    let (last, way) = steps.split_last().unwrap();
    let mut at = tree;
    for step in way {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => {
                if other.get(*step).is_none_or(Value::is_null) {
                    other[*step] = json!({});
                }
                &mut other[*step]
            }
        };
    }
    at[*last] = value;
}

fn said(plan: &Plan) -> Vec<String> {
    let changes = plan.changes().flat_map(|(_, change)| &change.changes);
    changes.map(|change| change.path.join(".")).collect()
}

#[tokio::test(start_paused = true)]
async fn after_an_apply_nothing_is_left_and_of_changes_from_outside_only_owned_leaves_are_drift() {
    let cases = std::env::var("AEROFORM_CASES").map_or(CASES, |text| text.parse().unwrap());
    let (mut owned, mut others) = (0, 0);
    for seed in 0..cases {
        let mut dice = Dice(seed);
        let (fly, sized) = manifest(&mut dice);
        let desired = wanted(
            &fly,
            "image = \"r.example/shop:2\"\n[groups.app]\ncount = 1\n",
        );
        let desk = platform();
        desk.world().respells = true;
        if dice.chance(2) {
            desk.world().adds = json!({"services": [{"autostart": true, "ports": [{"force_https": true}]}],
                "env": {"PLATFORM": "1"}, "stop_config": {"timeout": "70s"}});
        }
        let before = live(&mut dice);
        desk.world()
            .operator("shop")
            .add("calm-river-1", "ams", before.clone());
        let provider = as_fly(&desk);
        let mut team = Team::of(&provider);
        let ran = team.settle(&desired).await;
        let warned = |note: &aeroform::core::plan::Note| note.code == "config_unreadable";
        assert!(
            !ran.plan.warnings.iter().any(warned),
            "seed {seed}: {before:#}"
        );
        let id = desk.world().operator("shop").machines()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let raw = |world: &mut aeroform::emulator::world::World| {
            let mut config = Value::Null;
            world
                .operator("shop")
                .update(&id, |there| config = there.clone());
            config
        };
        let settled = raw(&mut desk.world());
        assert_eq!(
            settled["not_known_to_us"], before["not_known_to_us"],
            "seed {seed}"
        );
        let mut all = Vec::new();
        touches(CONFIG, &settled, "", None, sized, &mut all);
        // `false` is no `force_https`, and what the platform has added may disappear.
        all.retain(|touch| !touch.path.ends_with("/force_https") || touch.value == true);
        for touch in all {
            desk.world()
                .operator("shop")
                .update(&id, |config| set(config, &touch.path, touch.value.clone()));
            let (plan, _) = team.planned(&desired).await;
            let at = format!(
                "seed {seed}: {} = {}: {:?}\n{fly}\n{settled:#}",
                touch.path,
                touch.value,
                said(&plan)
            );
            assert_eq!(!plan.is_empty(), touch.owned, "{at}");
            assert_eq!(!plan.drift.is_empty(), touch.owned, "drift, {at}");
            if touch.owned {
                owned += 1;
            } else {
                others += 1;
            }
            desk.world()
                .operator("shop")
                .update(&id, |config| *config = settled.clone());
        }
        let (plan, _) = team.planned(&desired).await;
        assert!(plan.is_empty(), "seed {seed}: {:?}", said(&plan));
    }
    println!("{cases} cases: {owned} owned leaves are drift, {others} others are not");
    assert!(owned > 20 * cases && others > 5 * cases);
}
