//! Random fly.toml files, and the live configs of Machines that they meet.

use std::fmt::Write;

use aeroform::core::fleet::schema::{CONFIG, FieldRow, FieldType, Spelling, Table};
use serde_json::{Map, Value, json};

/// Numbers that look random and come again with the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    pub(crate) fn chance(&mut self, of: u64) -> bool {
        self.roll(of) == 0
    }
}

/// What a random fly.toml says.
pub(crate) struct Written {
    pub(crate) text: String,
    /// It has a `[[vm]]`.
    pub(crate) sized: bool,
    /// It has a mount.
    pub(crate) mounted: bool,
}

/// A fly.toml that the platform takes.
pub(crate) fn manifest(dice: &mut Random) -> Written {
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
pub(crate) fn machine_config(dice: &mut Random) -> Option<Value> {
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
pub(crate) fn values(table: &Table, row: &FieldRow) -> Option<[Value; 2]> {
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
pub(crate) const UNCOMPARED_FIELDS: [&str; 15] = [
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
pub(crate) fn strew(table: &Table, fields: &mut Map<String, Value>, dice: &mut Random) {
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
pub(crate) fn live(dice: &mut Random, volume: Option<&str>) -> Value {
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
