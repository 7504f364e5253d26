//! Random fly.toml over random live configs, on a platform that fills in defaults, reorders lists and respells
//! values: after an apply nothing is left to do, and of what is changed outside the owned fields are drift and the
//! others are not.

use std::fmt::Write;

use aeroform::core::fleet::Desired;
use aeroform::core::fleet::schema::{CONFIG, FieldRow, FieldType, Owner, Spelling, Table};
use aeroform::core::plan::Plan;
use serde_json::{Map, Value, json};

use crate::fixture::{as_fly, ask, platform};
use crate::runs::{FlyFixture, wanted};

/// Cases that are tried; more with `AEROFORM_CASES`.
const CASES: u64 = 5;

/// Numbers that look random and come again with the same seed.
struct Random(u64);

impl Random {
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

/// What a random fly.toml says.
struct Written {
    text: String,
    /// It has a `[[vm]]`.
    sized: bool,
    /// It has a mount.
    mounted: bool,
}

/// A fly.toml that the platform takes.
fn manifest(dice: &mut Random) -> Written {
    let mut text = String::from("app = \"shop\"\nprimary_region = \"ams\"\n");
    // Where groups are named, a service has to say whose it is.
    let named = dice.chance(2);
    let whose = if named { "processes = [\"app\"]\n" } else { "" };
    let config = machine_config(dice);
    if let Some(config) = &config {
        writeln!(text, "machine_config = '''{config}'''").unwrap();
    }
    let mut maybe = |dice: &mut Random, line: &str| {
        let written = dice.chance(2);
        if written {
            text.push_str(line);
            text.push('\n');
        }
        written
    };
    maybe(dice, "kill_signal = \"SIGTERM\"");
    maybe(dice, "kill_timeout = 90");
    maybe(dice, "swap_size_mb = 256");
    maybe(dice, "[env]\nLOG = \"info\"\nPORT = \"8080\"");
    maybe(dice, "[experimental]\nentrypoint = [\"/bin/tini\", \"--\"]");
    maybe(dice, "[[restart]]\npolicy = \"always\"\nretries = 4");
    maybe(
        dice,
        "[[metrics]]\nport = 9091\npath = \"/metrics\"\n[[metrics]]\nport = 9092\nprocesses = [\"other\"]",
    );
    maybe(
        dice,
        "[[statics]]\nguest_path = \"/app/public\"\nurl_prefix = \"/static\"\n[[statics]]\nguest_path = \"/app/more\"\nurl_prefix = \"/more\"",
    );
    maybe(
        dice,
        "[[files]]\nguest_path = \"/etc/a\"\nraw_value = \"aGk=\"\n[[files]]\nguest_path = \"/etc/b\"\nraw_value = \"aG8=\"",
    );
    maybe(
        dice,
        "[checks.alive]\ntype = \"http\"\nport = 8080\npath = \"/live\"\ninterval = \"90s\"\n[checks.open]\ntype = \"tcp\"\nport = 8080",
    );
    let mounted = maybe(
        dice,
        "[[mounts]]\nsource = \"data\"\ndestination = \"/data\"",
    );
    if mounted {
        maybe(
            dice,
            "auto_extend_size_threshold = 80\nauto_extend_size_increment = \"1GB\"\nauto_extend_size_limit = \"5GB\"",
        );
    }
    if named {
        text.push_str("[processes]\napp = \"node x.js --port '80 80'\"\n");
    }
    if dice.chance(2) {
        text.push_str("[http_service]\ninternal_port = 8080\n");
        text.push_str(whose);
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
            "[[http_service.http_options.replay_cache]]\npath_prefix = \"/\"\ntype = \"cookie\"\nname = \"a\"\nttl_seconds = 9\n",
        ] {
            if dice.chance(2) {
                text.push_str(section);
            }
        }
    }
    if dice.chance(2) {
        text.push_str("[[services]]\ninternal_port = 9000\nprotocol = \"tcp\"\n");
        text.push_str(whose);
        text.push_str("[[services.ports]]\nport = 9000\nhandlers = [\"tls\"]\n[[services.ports]]\nstart_port = 9001\nend_port = 9004\n");
        if dice.chance(2) {
            text.push_str("[[services.tcp_checks]]\ninterval = \"15s\"\ntimeout = \"2s\"\n");
        }
    }
    let sized = dice.chance(2);
    if sized {
        text.push_str("[[vm]]\nsize = \"shared-cpu-2x\"\nmemory = \"1gb\"\n");
    }
    let sized = sized || config.is_some_and(|config| config.get("guest").is_some());
    Written {
        text,
        sized,
        mounted,
    }
}

/// What a `machine_config` may hold, where there is one.
fn machine_config(dice: &mut Random) -> Option<Value> {
    if dice.chance(2) {
        return None;
    }
    let mut config = Map::new();
    for (key, value) in [
        (
            "containers",
            json!([{"name": "app", "image": "."}, {"name": "side", "image": "r.example/side:1", "env": {"A": "1"}}]),
        ),
        (
            "volumes",
            json!([{"name": "scratch", "temp_dir": {"storage_type": "memory", "size_mb": 5}}]),
        ),
        ("dns", json!({"options": [{"name": "ndots", "value": "2"}]})),
        ("metadata", json!({"owner": "us"})),
        ("init", json!({"tty": true, "kernel_args": ["quiet"]})),
        ("schedule", json!("daily")),
        ("newer", json!({"deep": {"er": 1}})),
    ] {
        if dice.chance(3) {
            config.insert(key.to_owned(), value);
        }
    }
    (!config.is_empty()).then(|| config.into())
}

/// A value of this row, and another one where that is another value to the platform.
fn values(table: &Table, row: &FieldRow) -> Option<[Value; 2]> {
    let timed = matches!(
        row.spec.equals.spelling,
        Spelling::Duration | Spelling::Clamped(..)
    );
    Some(match (table.name, row.name, row.kind()) {
        (_, "autostop", _) => [json!("suspend"), json!("stop")],
        (_, "persist_rootfs", _) => [json!("always"), json!("restart")],
        (_, "cpu_kind", _) => [json!("performance"), json!("shared")],
        (_, "policy", _) => [json!("no"), json!("always")],
        (_, "signal", _) => [json!("SIGUSR1"), json!("SIGHUP")],
        (_, "method", _) => [json!("PUT"), json!("HEAD")],
        (_, "handlers", _) => [json!(["http"]), json!(["tls"])],
        (_, "image", _) => [json!("r.example/shop:8"), json!("r.example/shop:9")],
        (_, "processes", _) => [json!([{"exec": ["a"]}]), json!([{"exec": ["b"]}])],
        (_, "schedule", _) => [json!("hourly"), json!("weekly")],
        ("Service", "protocol", _) => [json!("udp"), json!("tcp")],
        (_, "protocol", _) => [json!("https"), json!("http")],
        ("Check", "type", _) => [json!("tcp"), json!("http")],
        ("Concurrency", "type", _) => [json!("requests"), json!("connections")],
        _ if timed => [json!("13s"), json!("17s")],
        (_, _, FieldType::Flag) => [json!(true), json!(false)],
        (_, _, FieldType::Number(_)) => [json!(77), json!(78)],
        (_, _, FieldType::Text) => [json!("one"), json!("two")],
        (_, _, FieldType::Texts) => [json!(["one"]), json!(["two"])],
        (_, _, FieldType::TextMap) => [json!({"ONE": "1"}), json!({"ONE": "2"})],
        (_, _, FieldType::Any) => [json!({"one": 1}), json!({"one": 2})],
        (_, _, FieldType::Section(_) | FieldType::List(_) | FieldType::Entries(_)) => return None,
    })
}

/// What is not strewn over a live config: what identifies an entry of a list, and what would be another Machine.
const UNCOMPARED_FIELDS: [&str; 15] = [
    "image",
    "metadata",
    "mounts",
    "standbys",
    "size",
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
];

/// Lays random fields of the table over what is there.
fn strew(table: &Table, fields: &mut Map<String, Value>, dice: &mut Random) {
    for row in table
        .rows
        .iter()
        .filter(|row| !UNCOMPARED_FIELDS.contains(&row.name))
    {
        match (row.kind(), fields.get_mut(row.name)) {
            (FieldType::Section(inner), there) => {
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
            (FieldType::List(inner), Some(Value::Array(entries))) => {
                for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                    strew(inner, entry, dice);
                }
            }
            (FieldType::Entries(inner), Some(Value::Object(entries))) => {
                for entry in entries.values_mut().filter_map(Value::as_object_mut) {
                    strew(inner, entry, dice);
                }
            }
            (_, None) if dice.chance(4) => {
                if let Some([value, _]) = values(table, row) {
                    fields.insert(row.name.to_owned(), value);
                }
            }
            _ => {}
        }
    }
}

/// A Machine as `fly deploy` and others may have left it, on this volume where it has one.
fn live(dice: &mut Random, volume: Option<&str>) -> Value {
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
        "metrics": {"port": 9000, "path": "/old"},
        "containers": [{"name": "side", "image": "r.example/side:0", "not_known_to_us": {"a": 1}}],
        "volumes": [{"name": "scratch", "temp_dir": {"storage_type": "disk", "size_mb": 1}}],
        "env": {"OLD": "1"},
    });
    for key in [
        "services",
        "checks",
        "files",
        "statics",
        "metrics",
        "containers",
        "volumes",
        "env",
    ] {
        if dice.chance(4) {
            config.as_object_mut().unwrap().remove(key);
        }
    }
    config["not_known_to_us"] = json!([1, 2]);
    if let Some(volume) = volume {
        let path = ["/data", "/old"][usize::from(dice.chance(2))];
        let mut mount = json!({"name": "data", "path": path, "volume": volume, "size_gb": 1,
            "encrypted": true, "not_known_to_us": 1});
        for (key, value) in [
            ("add_size_gb", 3),
            ("extend_threshold_percent", 60),
            ("size_gb_limit", 9),
            ("add_size_percent", 20),
            ("min_add_size_gb", 2),
        ] {
            if dice.chance(2) {
                mount[key] = value.into();
            }
        }
        config["mounts"] = json!([mount]);
    }
    strew(CONFIG, config.as_object_mut().unwrap(), dice);
    if let (Some(Value::Array(services)), true) = (config.get_mut("services"), dice.chance(2)) {
        services.reverse();
    }
    config
}

/// One thing that is done from outside.
struct ConfigEdit {
    path: String,
    /// What is there afterwards; none takes it away.
    value: Option<Value>,
    owned: bool,
}

impl ConfigEdit {
    fn new(path: String, value: Option<Value>, owned: bool) -> Self {
        Self { path, value, owned }
    }
}

/// One more entry of a list, like the last one under another name.
fn another(row: &FieldRow, entries: &[Value]) -> Option<Value> {
    let mut more = entries.last()?.as_object()?.clone();
    let key = row
        .spec
        .entry_keys
        .iter()
        .find(|key| more.contains_key(**key))?;
    let name = match more[*key] {
        Value::Number(_) => json!(4321),
        _ => json!("more"),
    };
    more.insert((*key).to_owned(), name);
    Some(more.into())
}

/// Whose a table is and what of it was sent.
#[derive(Clone, Copy)]
struct FieldContext<'a> {
    /// Where it lies inside of a size.
    guest: bool,
    /// Whether sizes are written.
    sized: bool,
    /// What of it the files write.
    sent: Option<&'a Value>,
}

impl<'a> FieldContext<'a> {
    fn at(self, key: &str) -> Self {
        let sent = self.sent.and_then(|sent| sent.get(key));
        Self { sent, ..self }
    }

    /// The written entry that this one of a list is.
    fn entry(self, keys: &[&str], entry: &Value) -> Self {
        let written = self.sent.and_then(Value::as_array);
        let same = |other: &&'a Value| keys.iter().all(|key| other.get(*key) == entry.get(*key));
        let sent = written.and_then(|all| all.iter().find(same));
        Self { sent, ..self }
    }
}

/// Every leaf of the rows, those that are there and those that could be, with another value and with none; and
/// every list with an entry less and one more.
fn touches(
    table: &Table,
    tree: &Value,
    path: &str,
    context: FieldContext<'_>,
    found: &mut Vec<ConfigEdit>,
) {
    let Some(fields) = tree.as_object() else {
        return;
    };
    for key in fields.keys().filter(|key| table.row(key).is_none()) {
        let owned = context.at(key).sent.is_some();
        for value in [Some(json!("changed")), None] {
            found.push(ConfigEdit::new(format!("{path}/{key}"), value, owned));
        }
    }
    for row in table.rows {
        // A Machine's own line has its volumes and for whom it stands by. The legacy size is another way to say
        // what `guest` says.
        let apart = match table.name {
            "Mount" => ["name", "volume"],
            _ => ["standbys", "size"],
        };
        if apart.contains(&row.name) {
            continue;
        }
        let place = format!("{path}/{}", row.name);
        let there = fields.get(row.name);
        let inner = FieldContext {
            guest: context.guest || row.name == "guest",
            ..context.at(row.name)
        };
        let own = match row.spec.owner {
            Owner::Deploy => context.sized || !inner.guest,
            Owner::Running | Owner::Platform => inner.sent.is_some(),
        };
        match (row.kind(), there) {
            (FieldType::Section(within), there) => {
                let there = there.cloned().unwrap_or_else(|| json!({}));
                touches(within, &there, &place, inner, found);
            }
            (FieldType::List(within), Some(Value::Array(entries))) => {
                for (at, entry) in entries.iter().enumerate() {
                    let of = inner.entry(row.spec.entry_keys, entry);
                    let place = format!("{place}/{at}");
                    touches(within, entry, &place, of, found);
                    found.push(ConfigEdit::new(place, None, of.sent.is_some()));
                }
                let more = another(row, entries).filter(|_| row.name != "mounts");
                let place = format!("{place}/{}", entries.len());
                found.extend(more.map(|more| ConfigEdit::new(place, Some(more), own)));
            }
            (FieldType::Entries(within), Some(Value::Object(entries))) => {
                for (name, entry) in entries {
                    let place = format!("{place}/{name}");
                    touches(within, entry, &place, inner.at(name), found);
                    found.push(ConfigEdit::new(place, None, inner.at(name).sent.is_some()));
                }
            }
            (FieldType::TextMap, Some(Value::Object(entries))) => {
                let stamped = |name: &String| row.spec.stamps.is_some_and(|is| is(name));
                for name in entries.keys().filter(|name| !stamped(name)) {
                    let sent = inner.at(name).sent.is_some();
                    let own = sent || row.spec.owner == Owner::Deploy;
                    for (value, owned) in [(Some(json!("changed")), own), (None, sent)] {
                        found.push(ConfigEdit::new(format!("{place}/{name}"), value, owned));
                    }
                }
                let own = row.spec.owner == Owner::Deploy;
                found.push(ConfigEdit::new(
                    format!("{place}/MORE"),
                    Some(json!("1")),
                    own,
                ));
            }
            (_, there) => {
                let Some([one, two]) = values(table, row) else {
                    continue;
                };
                let value = if there == Some(&one) { two } else { one };
                found.push(ConfigEdit::new(place.clone(), Some(value), own));
                if there.is_some() {
                    found.push(ConfigEdit::new(place, None, own && inner.sent.is_some()));
                }
            }
        }
    }
}

/// Sets a value, with the tables around it where they are missing, or takes it away.
fn set(tree: &mut Value, path: &str, value: Option<Value>) {
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
    match (at, value) {
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (Value::Object(fields), None) => drop(fields.remove(*last)),
        (Value::Array(items), Some(value)) => {
            let at = last.parse().unwrap();
            items.truncate(at);
            items.push(value);
        }
        (at, Some(value)) => at[*last] = value,
        (at, None) => unreachable!("{path} in {at}"),
    }
}

/// Every change that can be made to a config.
fn all_edits(desired: &Desired, config: &Value, sized: bool, mounted: bool) -> Vec<ConfigEdit> {
    let mut sent = desired.groups.values().next().unwrap().template.to_value();
    sent["image"] = json!("r.example/shop:2");
    let context = FieldContext {
        guest: false,
        sized,
        sent: Some(&sent),
    };
    let mut all = Vec::new();
    touches(CONFIG, config, "", context, &mut all);
    // `false` is no `force_https`, and what the platform has added may disappear.
    let is_false = |edit: &ConfigEdit| edit.value == Some(json!(false));
    let is_host = |edit: &ConfigEdit| edit.path.ends_with("/host_dedication_id");
    all.retain(|edit| !(mounted && is_host(edit)));
    all.retain(|edit| !edit.path.ends_with("/force_https") || !is_false(edit));
    all
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
        let mut dice = Random(seed);
        let Written {
            text: fly,
            sized,
            mounted,
        } = manifest(&mut dice);
        let desired = wanted(
            &fly,
            "image = \"r.example/shop:2\"\n[groups.app]\ncount = 1\n",
        );
        let desk = platform();
        desk.world().respells = true;
        if dice.chance(2) {
            desk.world().extra_defaults = json!({"services": [{"autostart": true, "ports": [{"force_https": true}]}],
                "env": {"PLATFORM": "1"}, "stop_config": {"timeout": "70s"}});
        }
        let mut volume = None;
        if mounted {
            let body = json!({"name": "data", "region": "ams", "size_gb": 1});
            let (_, made) = ask(&desk, "POST", "/v1/apps/shop/volumes", body).await;
            volume = made["id"].as_str().map(str::to_owned);
        }
        let before = live(&mut dice, volume.as_deref());
        desk.world()
            .operator("shop")
            .add("calm-river-1", "ams", before.clone());
        let provider = as_fly(&desk);
        let mut team = FlyFixture::of(&provider);
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
        // Of a mount all stays but where it is and when it grows by itself.
        for key in [
            "name",
            "volume",
            "size_gb",
            "encrypted",
            "add_size_percent",
            "min_add_size_gb",
            "not_known_to_us",
        ] {
            let of = |config: &Value| config["mounts"][0][key].clone();
            assert_eq!(of(&settled), of(&before), "seed {seed}: {key}");
        }
        let all = all_edits(&desired, &settled, sized, mounted);
        for touch in all {
            desk.world()
                .operator("shop")
                .update(&id, |config| set(config, &touch.path, touch.value.clone()));
            let (plan, _) = team.planned(&desired).await;
            let at = format!(
                "seed {seed}: {} = {:?}: {:?}\n{fly}\n{settled:#}",
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
