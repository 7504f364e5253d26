//! One spelling for everything that the platform rewrites (RULES 3), so that equal means equal.
//!
//! The only place that knows which spellings are the same. Nothing here decides who owns a field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::MachineConfig;
use super::config::{Check, Restart, Service};

const SECOND: u64 = 1_000_000_000;

/// Metadata keys that are bookkeeping, never configuration (RULES 1).
pub fn is_bookkeeping(key: &str) -> bool {
    key == "fly_builder_id"
        || key == "fly_platform_version"
        || key == "fly_process_group"
        || ["aeroform_", "fly_release_", "fly_flyctl_", "fly_bluegreen_"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

/// The config as a tree in which equal configs are equal trees: no bookkeeping, no volume ids, no
/// standbys, no empty values, one spelling of durations, autostop and images, and one order of headers,
/// handlers, services and files.
pub fn normalised(config: &MachineConfig) -> Value {
    let mut config = config.clone();
    config.standbys = None;
    if let Some(metadata) = &mut config.metadata {
        metadata.retain(|key, _| !is_bookkeeping(key));
    }
    if let Some(env) = &mut config.env {
        env.remove("FLY_STANDBY_FOR");
    }
    for mount in config.mounts.iter_mut().flatten() {
        mount.volume = None;
    }
    if let Some(written) = &mut config.image {
        *written = image(written);
    }
    let persist = config
        .guest
        .as_mut()
        .and_then(|guest| guest.persist_rootfs.as_mut());
    if let Some(written) = persist {
        *written = normal_persist(written);
    }
    let stop_timeout = config
        .stop_config
        .as_mut()
        .and_then(|stop| stop.timeout.as_mut());
    if let Some(text) = stop_timeout {
        *text = normal_duration(text);
    }
    // The platform fills in what it takes for missing.
    config.restart = config.restart.filter(|restart| {
        let policy = restart.policy.as_deref().unwrap_or("on-failure");
        let retries = restart.max_retries.unwrap_or(10);
        let beside = Restart {
            policy: None,
            max_retries: None,
            ..restart.clone()
        };
        policy != "on-failure" || retries != 10 || beside != Restart::default()
    });
    if let Some(metrics) = &mut config.metrics {
        metrics.https = metrics.https.filter(|https| *https);
    }
    for file in config.statics.iter_mut().flatten() {
        for text in [&mut file.index_document, &mut file.tigris_bucket] {
            *text = text.take().filter(|text| !text.is_empty());
        }
    }
    for check in config.checks.iter_mut().flat_map(BTreeMap::values_mut) {
        normal_check(check);
    }
    for service in config.services.iter_mut().flatten() {
        normal_service(service);
    }
    let mut tree = config.to_value();
    drop_empty(&mut tree);
    sort_entries(&mut tree);
    tree
}

/// A remembered form as this version would remember it: an older one may have known fewer spellings.
pub fn again(tree: &Value) -> Cow<'_, Value> {
    match MachineConfig::from_value(tree.clone()) {
        Ok(config) => Cow::Owned(normalised(&config)),
        Err(_) => Cow::Borrowed(tree),
    }
}

/// What the platform takes for missing is missing: autostop that is off, no Machine that is to run.
fn normal_service(service: &mut Service) {
    let autostop = service.autostop.take();
    service.autostop = autostop
        .map(|value| normal_autostop(&value))
        .filter(|value| value != "off");
    service.min_machines_running = service.min_machines_running.filter(|least| *least > 0);
    for port in service.ports.iter_mut().flatten() {
        port.force_https = port.force_https.filter(|force| *force);
        if let Some(handlers) = &mut port.handlers {
            handlers.sort();
        }
    }
    for check in service.checks.iter_mut().flatten() {
        normal_check(check);
        // The platform keeps checks of services within these, whatever is asked for.
        let limits = [
            (&mut check.grace_period, 0),
            (&mut check.interval, SECOND),
            (&mut check.timeout, SECOND),
        ];
        for (text, least) in limits {
            if let Some(nanos) = text.as_deref().and_then(parse_duration) {
                *text = Some(format_duration(nanos.clamp(least, 60 * SECOND)));
            }
        }
    }
}

fn normal_check(check: &mut Check) {
    let durations = [
        &mut check.grace_period,
        &mut check.interval,
        &mut check.timeout,
    ];
    for text in durations.into_iter().flatten() {
        *text = normal_duration(text);
    }
    check.tls_skip_verify = check.tls_skip_verify.filter(|skip| *skip);
    if let Some(headers) = &mut check.headers {
        headers.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Puts entries whose order means nothing in one order: services and what is in them, and files. Statics
/// and containers keep theirs, where the first of several may win.
fn sort_entries(tree: &mut Value) {
    sort(tree.get_mut("files"), &["guest_path"]);
    for service in entries(tree.get_mut("services")) {
        sort(service.get_mut("ports"), &["port", "start_port"]);
        sort(service.get_mut("checks"), &["type", "path"]);
    }
    sort(tree.get_mut("services"), &["internal_port", "protocol"]);
}

fn entries(list: Option<&mut Value>) -> &mut [Value] {
    list.and_then(Value::as_array_mut)
        .map_or(&mut [], Vec::as_mut_slice)
}

/// By these keys, and where they are equal by everything else.
fn sort(list: Option<&mut Value>, keys: &[&str]) {
    entries(list).sort_by_cached_key(|entry| {
        let key = |key: &&str| match entry.get(*key) {
            Some(Value::Number(number)) => (number.as_u64().unwrap_or(u64::MAX), String::new()),
            Some(Value::String(text)) => (0, text.clone()),
            Some(_) | None => (0, String::new()),
        };
        (keys.iter().map(key).collect::<Vec<_>>(), entry.to_string())
    });
}

/// Removes `null`, `[]` and `{}` at every depth; they all mean "missing".
pub(super) fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for child in map.values_mut() {
                drop_empty(child);
            }
            map.retain(|_, child| !is_empty(child));
        }
        Value::Array(items) => {
            for child in items {
                drop_empty(child);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn normal_autostop(value: &Value) -> Value {
    match value {
        Value::Bool(false) => Value::from("off"),
        Value::Bool(true) => Value::from("stop"),
        other => other.clone(),
    }
}

/// Answers may hold the number of the word.
fn normal_persist(value: &Value) -> Value {
    match value.as_u64() {
        Some(0) => Value::Null,
        Some(1) => Value::from("never"),
        Some(2) => Value::from("restart"),
        Some(3) => Value::from("always"),
        Some(_) | None => value.clone(),
    }
}

/// A reference with a digest is the same with and without a tag.
pub fn image(image: &str) -> String {
    let Some((name, digest)) = image.split_once('@') else {
        return image.to_owned();
    };
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let name = name[slash..]
        .find(':')
        .map_or(name, |colon| &name[..slash + colon]);
    format!("{name}@{digest}")
}

/// This image by this digest; one that names its digest names it already.
pub fn pinned(image: &str, digest: &str) -> String {
    if image.contains('@') {
        image.to_owned()
    } else {
        format!("{image}@{digest}")
    }
}

/// Whether a text is the digest of an image (`sha256:` and hex characters).
pub fn is_image_digest(text: &str) -> bool {
    let hex = |hash: &str| !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(method, hash)| {
        !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric()) && hex(hash)
    })
}

/// Whether a text can name an image: something a registry could be asked for. A variable that is not set in a
/// pipeline leaves an empty text, or an empty tag behind the name.
pub fn names_image(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    !name.is_empty()
        && !name.ends_with([':', '/'])
        && digest.is_none_or(|digest| {
            let hash = digest.split_once(':').map(|(_, hash)| hash);
            hash.is_some_and(|hash| !hash.is_empty())
        })
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// `60s`, `1m` and `1m0s` become `1m0s`; what is no duration stays as it is.
fn normal_duration(text: &str) -> String {
    match parse_duration(text) {
        Some(nanos) => format_duration(nanos),
        None => text.to_owned(),
    }
}

/// Reads a Go duration (`1m0s`, `+1.5h`, `250ms`) as nanoseconds; `0` needs no unit.
pub fn parse_duration(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total: f64 = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[unit_end..];
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the guard keeps it within u64, and no sign is ever read"
    )]
    (total < u64::MAX as f64).then_some(total.round() as u64)
}

/// Writes nanoseconds as Go does: `1h0m0s`, `1m30s`, `1.5s`, `250ms`.
pub fn format_duration(nanos: u64) -> String {
    let fraction = |value: u64, unit: u64, name: &str| {
        let text = format!(
            "{:09}",
            u128::from(value % unit) * 1_000_000_000 / u128::from(unit)
        );
        let text = text.trim_end_matches('0');
        let dot = if text.is_empty() { "" } else { "." };
        format!("{}{dot}{text}{name}", value / unit)
    };
    let seconds = nanos / 1_000_000_000;
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => fraction(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(nanos, 1_000_000, "ms"),
        _ => {
            let rest = fraction(nanos - (seconds / 60) * 60_000_000_000, 1_000_000_000, "s");
            match (seconds / 3600, seconds / 60 % 60) {
                (0, 0) => rest,
                (0, minutes) => format!("{minutes}m{rest}"),
                (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_have_one_spelling() {
        for (text, normal) in [
            ("60s", "1m0s"),
            ("1m", "1m0s"),
            ("1.5h", "1h30m0s"),
            ("1500ms", "1.5s"),
            ("250ms", "250ms"),
            ("0", "0s"),
            ("10 s", "10 s"),
            ("abc", "abc"),
        ] {
            assert_eq!(normal_duration(text), normal, "{text}");
        }
    }

    #[test]
    fn what_the_platform_rewrites_is_equal() {
        let ours = json!({
            "env": {"A": "1"},
            "image": "registry.fly.io/shop:deployment-1@sha256:abc",
            "services": [{"internal_port": 80, "autostop": "stop",
                "ports": [{"port": 443, "handlers": ["http", "tls"]}],
                "checks": [{"interval": "60s"}]}],
            "metadata": {"fly_process_group": "web"},
            "mounts": [{"name": "data", "path": "/data"}],
            "statics": [{"guest_path": "/public", "url_prefix": "/"}]
        });
        let theirs = json!({
            "env": {"A": "1", "FLY_STANDBY_FOR": "x"}, "dns": {}, "files": [], "restart": null,
            "image": "registry.fly.io/shop@sha256:abc",
            "services": [{"internal_port": 80, "autostop": true, "force_instance_key": null,
                "ports": [{"port": 443, "handlers": ["tls", "http"]}],
                "checks": [{"interval": "1m0s"}]}],
            "metadata": {"fly_release_id": "r", "aeroform_run": "x"}, "standbys": ["a"],
            "mounts": [{"name": "data", "path": "/data", "volume": "vol_1"}],
            "statics": [{"guest_path": "/public", "url_prefix": "/", "tigris_bucket": "",
                "index_document": ""}]
        });
        let read = |value| normalised(&MachineConfig::from_value(value).unwrap());
        assert_eq!(read(ours), read(theirs));
    }

    #[test]
    fn every_list_whose_order_means_nothing_has_one_order() {
        let check = |path: &str| json!({"type": "http", "path": path});
        let port = |port: u16| json!({"port": port});
        let service = |inner: u16, ports: [u16; 2], paths: [&str; 2]| {
            json!({"internal_port": inner, "protocol": "tcp", "ports": ports.map(port),
                "checks": paths.map(check)})
        };
        let file = |path: &str| json!({"guest_path": path});
        let read = |value| normalised(&MachineConfig::from_value(value).unwrap());
        assert_eq!(
            read(json!({"files": [file("/a"), file("/b")],
                "services": [service(80, [1, 2], ["/a", "/b"]), service(81, [3, 4], ["/", "/c"])]})),
            read(json!({"files": [file("/b"), file("/a")],
                "services": [service(81, [4, 3], ["/c", "/"]), service(80, [2, 1], ["/b", "/a"])]})),
        );
    }

    #[test]
    fn what_the_platform_clamps_or_writes_as_a_number_is_equal() {
        let read = |value| normalised(&MachineConfig::from_value(value).unwrap());
        let times = |grace: &str, interval: &str, timeout: &str| {
            read(json!({"services": [{"checks": [
                {"grace_period": grace, "interval": interval, "timeout": timeout}]}]}))
        };
        assert_eq!(times("2m", "10ms", "61s"), times("60s", "1s", "1m"));
        assert_ne!(times("0s", "1s", "1s"), times("1s", "1s", "1s"));
        for (number, word) in [(1, "never"), (2, "restart"), (3, "always")] {
            let persist = |value| read(json!({"guest": {"persist_rootfs": value}}));
            assert_eq!(persist(json!(number)), persist(json!(word)));
        }
        assert_eq!(read(json!({"guest": {"persist_rootfs": 0}})), json!({}));
    }

    #[test]
    fn an_image_is_pinned_once_and_by_nothing_but_a_digest() {
        assert_eq!(pinned("shop:1", "sha256:ab"), "shop:1@sha256:ab");
        assert_eq!(pinned("shop@sha256:cd", "sha256:ab"), "shop@sha256:cd");
        assert!(is_image_digest("sha256:0aB9"));
        for text in ["", "sha256:", ":ab", "sha256", "sha256:xy", "sha256:ab cd"] {
            assert!(!is_image_digest(text), "{text}");
        }
    }

    #[test]
    fn unknown_fields_are_carried_at_every_depth() {
        let value = json!({"new": {"a": 1}, "services": [{"internal_port": 1, "x": [1],
            "ports": [{"port": 2, "y": true}]}]});
        let config = MachineConfig::from_value(value.clone()).unwrap();
        assert_eq!(config.to_value(), value);
    }
}
