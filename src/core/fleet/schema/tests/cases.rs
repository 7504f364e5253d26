//! One independent case for each row, in the order of the rows.

use serde_json::{Value, json};

use super::super::Effect;

/// The result for a field that a Machine has and no file sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Silence {
    Goes,
    Stays,
}
use Silence::{Goes, Stays};

/// A field: its path (`*` is an entry), two possible values, the result if no file sets it, and what a
/// change of it forces.
pub(super) struct Case {
    pub(super) path: &'static str,
    pub(super) one: Value,
    pub(super) other: Value,
    pub(super) silence: Silence,
    pub(super) forces: Option<Effect>,
    /// Values equal to absent.
    pub(super) nothing: Vec<Value>,
    /// Pairs of equal spellings.
    pub(super) same: Vec<(Value, Value)>,
    /// Pairs of different spellings.
    pub(super) apart: Vec<(Value, Value)>,
    pub(super) default: Option<Value>,
}

impl Case {
    fn nothing(mut self, values: &[Value]) -> Self {
        self.nothing = values.to_vec();
        self
    }

    fn same(mut self, one: Value, other: Value) -> Self {
        self.same.push((one, other));
        self
    }

    fn apart(mut self, one: Value, other: Value) -> Self {
        self.apart.push((one, other));
        self
    }

    fn default(mut self, value: Value) -> Self {
        self.default = Some(value);
        self
    }
}

fn case(path: &'static str, one: Value, other: Value, silence: Silence) -> Case {
    Case {
        path,
        one,
        other,
        silence,
        forces: Some(Effect::InPlace),
        nothing: Vec::new(),
        same: Vec::new(),
        apart: Vec::new(),
        default: None,
    }
}

fn flag(path: &'static str, silence: Silence) -> Case {
    case(path, json!(true), json!(false), silence).nothing(&[json!(false)])
}

fn number(path: &'static str, silence: Silence) -> Case {
    case(path, json!(7), json!(8), silence).nothing(&[json!(0)])
}

fn text(path: &'static str, silence: Silence) -> Case {
    case(path, json!("one"), json!("two"), silence).nothing(&[json!("")])
}

/// A text field that identifies its entry.
fn name(path: &'static str) -> Case {
    case(path, json!("one"), json!("two"), Goes)
}

fn words(path: &'static str, silence: Silence) -> Case {
    case(path, json!(["a", "b"]), json!(["b", "a"]), silence)
}

fn time(path: &'static str) -> Case {
    text(path, Goes).same(json!("60s"), json!("1m"))
}

/// A time that the platform makes at most a minute.
fn clamped(path: &'static str) -> Case {
    time(path)
        .same(json!("2m"), json!("1m"))
        .apart(json!("59s"), json!("1m"))
}

fn any(path: &'static str, silence: Silence) -> Case {
    case(path, json!("one"), json!("two"), silence)
}

fn forces(case: Case, effect: Option<Effect>) -> Case {
    Case {
        forces: effect,
        ..case
    }
}

fn check(fields: [&'static str; 12]) -> Vec<Case> {
    let [
        grace,
        headers,
        interval,
        kind,
        method,
        path,
        port,
        protocol,
        timeout,
        name_,
        skip,
        type_,
    ] = fields;
    let header = |n: &str| json!([{"name": n, "values": ["v"]}, {"name": "Z", "values": ["v"]}]);
    let turned = json!([{"name": "Z", "values": ["v"]}, {"name": "A", "values": ["v"]}]);
    vec![
        time(grace),
        case(headers, header("A"), header("B"), Goes).same(header("A"), turned),
        time(interval),
        text(kind, Goes).default(json!("informational")),
        text(method, Goes)
            .same(json!("head"), json!("HEAD"))
            .default(json!("GET")),
        text(path, Goes),
        number(port, Goes),
        text(protocol, Goes).default(json!("http")),
        time(timeout),
        text(name_, Goes),
        flag(skip, Goes),
        name(type_),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table, one entry per field")]
pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        flag("auto_destroy", Stays),
        case(
            "cache_drive",
            json!({"size_mb": 1}),
            json!({"size_mb": 2}),
            Stays,
        ),
        case(
            "checks",
            json!({"a": {"type": "tcp"}}),
            json!({"b": {"type": "tcp"}}),
            Goes,
        ),
        case(
            "containers",
            json!([{"name": "a"}]),
            json!([{"name": "b"}]),
            Stays,
        ),
        flag("disable_machine_autostart", Stays),
        case(
            "dns",
            json!({"hostname": "a"}),
            json!({"hostname": "b"}),
            Stays,
        ),
        case("env", json!({"A": "1"}), json!({"A": "2"}), Goes)
            .same(json!({"A": "1"}), json!({"A": "1", "FLY_STANDBY_FOR": "m"})),
        case(
            "files",
            json!([{"guest_path": "/a"}]),
            json!([{"guest_path": "/b"}]),
            Goes,
        )
        .same(
            json!([{"guest_path": "/a"}, {"guest_path": "/b"}]),
            json!([{"guest_path": "/b"}, {"guest_path": "/a"}]),
        ),
        text("files.*.image_config", Goes),
        name("files.*.guest_path"),
        number("files.*.mode", Goes),
        case("files.*.raw_value", json!("YQ=="), json!("Yg=="), Goes),
        text("files.*.secret_name", Goes),
        case(
            "guest",
            json!({"cpus": 2, "memory_mb": 512}),
            json!({"cpus": 4, "memory_mb": 512}),
            Stays,
        ),
        text("guest.cpu_kind", Goes).default(json!("shared")),
        number("guest.cpus", Goes).default(json!(1)),
        text("guest.gpu_kind", Goes),
        number("guest.gpus", Goes),
        forces(
            text("guest.host_dedication_id", Goes),
            Some(Effect::Replace),
        ),
        words("guest.kernel_args", Goes),
        number("guest.max_memory_mb", Goes),
        number("guest.memory_mb", Goes).default(json!(256)),
        text("guest.persist_rootfs", Goes).same(json!(3), json!("always")),
        any("guest.required_host_features", Stays),
        text_of_image(),
        case(
            "init",
            json!({"tty": true}),
            json!({"kernel_args": ["a"]}),
            Stays,
        ),
        words("init.cmd", Goes),
        words("init.entrypoint", Goes),
        words("init.exec", Goes),
        words("init.kernel_args", Stays),
        number("init.swap_size_mb", Goes),
        flag("init.tty", Stays),
        case("metadata", json!({"a": "1"}), json!({"a": "2"}), Stays)
            .same(json!({"a": "1"}), json!({"a": "1", "fly_release_id": "r"})),
        case("metrics", json!({"port": 1}), json!({"port": 2}), Goes),
        flag("metrics.https", Goes),
        text("metrics.path", Goes),
        number("metrics.port", Goes),
        forces(
            case(
                "mounts",
                json!([{"name": "a", "path": "/a"}]),
                json!([{"name": "b", "path": "/a"}]),
                Goes,
            ),
            Some(Effect::Replace),
        ),
        number("mounts.*.add_size_gb", Goes),
        number("mounts.*.add_size_percent", Stays),
        flag("mounts.*.encrypted", Stays),
        number("mounts.*.extend_threshold_percent", Goes),
        number("mounts.*.min_add_size_gb", Stays),
        forces(text("mounts.*.name", Stays), Some(Effect::Replace)),
        name("mounts.*.path"),
        number("mounts.*.size_gb", Stays),
        number("mounts.*.size_gb_limit", Goes),
        forces(name("mounts.*.volume"), None),
        case(
            "processes",
            json!([{"cmd": ["a"]}]),
            json!([{"cmd": ["b"]}]),
            Stays,
        ),
        case(
            "restart",
            json!({"policy": "always"}),
            json!({"policy": "no"}),
            Goes,
        ),
        any("restart.gpu_bid_price", Stays),
        number("restart.max_retries", Goes).default(json!(10)),
        text("restart.policy", Goes).default(json!("on-failure")),
        case(
            "rootfs",
            json!({"size_gb": 1}),
            json!({"size_gb": 2}),
            Stays,
        ),
        text("schedule", Stays),
        text("size", Stays),
        flag("skip_health_checks", Stays),
        case(
            "spot",
            json!({"max_price_fraction": 0.5}),
            json!({"max_price_fraction": 0.6}),
            Stays,
        ),
        forces(case("standbys", json!(["m1"]), json!(["m2"]), Stays), None),
        case(
            "statics",
            json!([{"url_prefix": "/a"}]),
            json!([{"url_prefix": "/b"}]),
            Goes,
        ),
        name("statics.*.guest_path"),
        text("statics.*.index_document", Goes),
        text("statics.*.tigris_bucket", Goes),
        name("statics.*.url_prefix"),
        case(
            "stop_config",
            json!({"signal": "SIGHUP"}),
            json!({"signal": "SIGTERM"}),
            Goes,
        ),
        text("stop_config.signal", Goes).default(json!("SIGINT")),
        time("stop_config.timeout").default(json!("5s")),
        case(
            "volumes",
            json!([{"name": "a"}]),
            json!([{"name": "b"}]),
            Stays,
        ),
        case(
            "services",
            json!([{"internal_port": 1}]),
            json!([{"internal_port": 2}]),
            Goes,
        )
        .same(
            json!([{"internal_port": 1}, {"internal_port": 2}]),
            json!([{"internal_port": 2}, {"internal_port": 1}]),
        ),
        case("services.*.autostart", json!(true), json!(false), Goes),
        case("services.*.autostop", json!("suspend"), json!("stop"), Goes)
            .nothing(&[json!(false), json!("off")])
            .same(json!(true), json!("stop")),
        case(
            "services.*.checks",
            json!([{"type": "tcp"}]),
            json!([{"type": "http"}]),
            Goes,
        )
        .same(
            json!([{"type": "tcp"}, {"type": "http"}]),
            json!([{"type": "http"}, {"type": "tcp"}]),
        ),
        clamped("services.*.checks.*.grace_period").apart(json!("1ms"), json!("1s")),
        clamped("services.*.checks.*.interval").same(json!("1ms"), json!("1s")),
        clamped("services.*.checks.*.timeout").same(json!("1ms"), json!("1s")),
        number("services.*.checks.*.port", Goes).default(json!(80)),
        case(
            "services.*.concurrency",
            json!({"hard_limit": 1}),
            json!({"hard_limit": 2}),
            Goes,
        ),
        number("services.*.concurrency.hard_limit", Goes),
        number("services.*.concurrency.soft_limit", Goes).default(json!(20)),
        text("services.*.concurrency.type", Goes).default(json!("connections")),
        text("services.*.force_instance_description", Goes),
        text("services.*.force_instance_key", Goes),
        case("services.*.internal_port", json!(1), json!(2), Goes),
        number("services.*.min_machines_running", Goes),
        case(
            "services.*.ports",
            json!([{"port": 1}]),
            json!([{"port": 2}]),
            Goes,
        )
        .same(
            json!([{"port": 1}, {"port": 2}]),
            json!([{"port": 2}, {"port": 1}]),
        ),
        text("services.*.protocol", Goes).default(json!("tcp")),
        number("services.*.ports.*.end_port", Goes),
        flag("services.*.ports.*.force_https", Goes),
        case(
            "services.*.ports.*.handlers",
            json!(["http", "tls"]),
            json!(["http"]),
            Goes,
        )
        .same(json!(["http", "tls"]), json!(["tls", "http"])),
        case(
            "services.*.ports.*.http_options",
            json!({"compress": true}),
            json!({"compress": false}),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.compress",
            json!(true),
            json!(false),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.h2_backend",
            json!(true),
            json!(false),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.headers_read_timeout",
            json!(1),
            json!(2),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.idle_timeout",
            json!(1),
            json!(2),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.replay_cache",
            json!([{"name": "a"}]),
            json!([{"name": "b"}]),
            Goes,
        ),
        flag(
            "services.*.ports.*.http_options.replay_cache.*.allow_bypass",
            Goes,
        ),
        text("services.*.ports.*.http_options.replay_cache.*.name", Goes),
        text(
            "services.*.ports.*.http_options.replay_cache.*.path_prefix",
            Goes,
        ),
        number(
            "services.*.ports.*.http_options.replay_cache.*.ttl_seconds",
            Goes,
        ),
        text("services.*.ports.*.http_options.replay_cache.*.type", Goes),
        case(
            "services.*.ports.*.http_options.response",
            json!({"pristine": true}),
            json!({"pristine": false}),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.response.headers",
            json!({"a": "1"}),
            json!({"a": "2"}),
            Goes,
        ),
        case(
            "services.*.ports.*.http_options.response.pristine",
            json!(true),
            json!(false),
            Goes,
        ),
        number("services.*.ports.*.port", Goes),
        case(
            "services.*.ports.*.proxy_proto_options",
            json!({"version": "v1"}),
            json!({"version": "v2"}),
            Goes,
        ),
        text("services.*.ports.*.proxy_proto_options.version", Goes),
        number("services.*.ports.*.start_port", Goes),
        case(
            "services.*.ports.*.tls_options",
            json!({"alpn": ["a"]}),
            json!({"alpn": ["b"]}),
            Goes,
        ),
        words("services.*.ports.*.tls_options.alpn", Goes),
        case(
            "services.*.ports.*.tls_options.default_self_signed",
            json!(true),
            json!(false),
            Goes,
        ),
        words("services.*.ports.*.tls_options.versions", Goes),
        case(
            "checks.*.headers.*.values",
            json!(["a"]),
            json!(["b"]),
            Goes,
        ),
        name("checks.*.headers.*.name"),
    ];
    cases.extend(check([
        "checks.*.grace_period",
        "checks.*.headers",
        "checks.*.interval",
        "checks.*.kind",
        "checks.*.method",
        "checks.*.path",
        "checks.*.port",
        "checks.*.protocol",
        "checks.*.timeout",
        "checks.*.tls_server_name",
        "checks.*.tls_skip_verify",
        "checks.*.type",
    ]));
    cases
}

fn text_of_image() -> Case {
    case("image", json!("a@sha256:1"), json!("b@sha256:1"), Stays)
        .same(json!("a:1@sha256:1"), json!("a@sha256:1"))
}
