//! Normalises configs: one spelling for every value that the platform rewrites (rule 3), so that equal
//! configs compare as equal.
//!
//! The table ([`super::schema`]) says which spellings are the same; this module converts them. Ownership of
//! fields is decided elsewhere.

use serde_json::{Map, Value};

use super::MachineConfig;
use super::schema::{
    CONFIG, Effect, FieldRow, FieldType, Section, Service, Spelling, Table, UNKNOWN,
};

/// Metadata keys that are bookkeeping, never configuration (rule 1).
pub fn is_bookkeeping(key: &str) -> bool {
    key == "fly_builder_id"
        || key == "fly_platform_version"
        || key == "fly_process_group"
        || key == "fly_canary"
        || ["aeroform_", "fly_release_", "fly_flyctl_", "fly_bluegreen_"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

/// Variables that are bookkeeping (rule 1).
pub fn is_standby_stamp(name: &str) -> bool {
    name == "FLY_STANDBY_FOR"
}

/// The config as a normalised tree: no bookkeeping, no empty values, one spelling of every value, and sorted
/// lists where order has no meaning.
pub fn normalise_config(config: &MachineConfig) -> Value {
    normalise_tree(CONFIG, config.to_value())
}

/// The same for a tree, by any table.
pub fn normalise_tree(table: &Table, mut tree: Value) -> Value {
    if let Value::Object(map) = &mut tree {
        normalise_section(table, map, CheckScope::Machine);
    }
    tree
}

/// Normalises a stored config again, since an older version may have known fewer spellings.
pub fn renormalise(tree: &Value) -> Value {
    normalise_tree(CONFIG, tree.clone())
}

/// Where a check is configured: the platform limits the times of service checks.
#[derive(Clone, Copy, PartialEq)]
enum CheckScope {
    Machine,
    Service,
}

impl CheckScope {
    fn of(self, table: &Table) -> Self {
        if table.name == Service::TABLE.name {
            Self::Service
        } else {
            self
        }
    }
}

fn normalise_section(table: &Table, map: &mut Map<String, Value>, inside: CheckScope) {
    let inside = inside.of(table);
    map.retain(|key, value| {
        let row = table.row(key).unwrap_or(&UNKNOWN);
        normalise_field(row, value, inside)
    });
}

/// Normalises a field's value; returns whether anything is left of it.
fn normalise_field(row: &FieldRow, value: &mut Value, inside: CheckScope) -> bool {
    let spec = &row.spec;
    if spec.effect == Effect::Bookkeeping {
        return false;
    }
    match (row.kind(), &mut *value) {
        (FieldType::Section(table), Value::Object(map)) => normalise_section(table, map, inside),
        (FieldType::Entries(table), Value::Object(map)) => {
            for entry in map.values_mut() {
                normalise_entry(table, entry, inside);
            }
        }
        (FieldType::List(table), Value::Array(entries)) => {
            for entry in &mut *entries {
                normalise_entry(table, entry, inside);
            }
            if spec.equals.any_order {
                sort(entries, spec.entry_keys);
            }
        }
        (FieldType::TextMap, Value::Object(map)) => {
            map.retain(|key, _| !spec.stamps.is_some_and(|is_stamp| is_stamp(key)));
        }
        (FieldType::Texts, Value::Array(texts)) if spec.equals.any_order => {
            texts.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
        (_, value) => {
            drop_empty(value);
            if let Some(spelt) = canonical_spelling(spec.equals.spelling, value, inside) {
                *value = spelt;
            }
            let is_absent = spec.equals.empty_is_absent && is_zero_value(value);
            return !is_empty(value) && !is_absent;
        }
    }
    !is_empty(value)
}

fn normalise_entry(table: &Table, entry: &mut Value, inside: CheckScope) {
    match entry {
        Value::Object(map) => normalise_section(table, map, inside),
        other => drop_empty(other),
    }
}

/// The canonical spelling of a value; `None` if it already has it. `null` stands for an absent value.
fn canonical_spelling(spelling: Spelling, value: &Value, inside: CheckScope) -> Option<Value> {
    match (spelling, value) {
        (Spelling::Duration, Value::String(text)) => Some(normalise_duration(text).into()),
        // Where a zero duration is allowed, it means absent.
        (Spelling::Clamped(0, _), Value::String(text)) if parse_duration(text) == Some(0) => {
            Some(Value::Null)
        }
        (Spelling::Clamped(min, max), Value::String(text)) => {
            let clamped = |nanos: u64| match inside {
                CheckScope::Service => nanos.clamp(min, max),
                CheckScope::Machine => nanos,
            };
            Some(format_duration(clamped(parse_duration(text)?)).into())
        }
        (Spelling::Image, Value::String(text)) => Some(normalise_image(text).into()),
        (Spelling::AnyCase, Value::String(text)) => Some(text.to_ascii_uppercase().into()),
        (Spelling::Autostop, Value::Bool(true)) => Some("stop".into()),
        (Spelling::Autostop, Value::Bool(false)) => Some(Value::Null),
        (Spelling::Autostop, Value::String(text)) if text == "off" => Some(Value::Null),
        (Spelling::PersistRootfs, Value::Number(number)) => match number.as_u64() {
            Some(0) => Some(Value::Null),
            Some(1) => Some("never".into()),
            Some(2) => Some("restart".into()),
            Some(3) => Some("always".into()),
            Some(_) | None => None,
        },
        (
            Spelling::AsIs
            | Spelling::Duration
            | Spelling::Clamped(..)
            | Spelling::Image
            | Spelling::AnyCase
            | Spelling::Autostop
            | Spelling::PersistRootfs,
            _,
        ) => None,
    }
}

/// Sorts by these keys, then by everything else.
fn sort(entries: &mut [Value], keys: &[&str]) {
    entries.sort_by_cached_key(|entry| {
        let key = |key: &&str| match entry.get(*key) {
            Some(Value::Number(number)) => (number.as_u64().unwrap_or(u64::MAX), String::new()),
            Some(Value::String(text)) => (0, text.clone()),
            Some(_) | None => (0, String::new()),
        };
        (keys.iter().map(key).collect::<Vec<_>>(), entry.to_string())
    });
}

/// Removes `null`, `[]` and `{}` at every depth; they all mean "absent".
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

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_zero_value(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        Value::Array(_) | Value::Object(_) => is_empty(value),
    }
}

/// A reference with a digest is the same with and without a tag.
pub fn normalise_image(image: &str) -> String {
    let Some((name, digest)) = image.split_once('@') else {
        return image.to_owned();
    };
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let name = name[slash..]
        .find(':')
        .map_or(name, |colon| &name[..slash + colon]);
    format!("{name}@{digest}")
}

/// This image with this digest; an image that already names its digest is kept.
pub fn pin_to_digest(image: &str, digest: &str) -> String {
    if image.contains('@') {
        image.to_owned()
    } else {
        format!("{image}@{digest}")
    }
}

/// Whether a text is an image digest (`sha256:` and hex characters).
pub fn is_image_digest(text: &str) -> bool {
    let hex = |hash: &str| !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(method, hash)| {
        !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric()) && hex(hash)
    })
}

/// Whether a text can be an image reference. An unset variable in a pipeline leaves an empty text or an empty
/// tag.
pub fn is_valid_image_ref(text: &str) -> bool {
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

/// `60s`, `1m` and `1m0s` become `1m0s`; a text that is not a duration is kept.
fn normalise_duration(text: &str) -> String {
    match parse_duration(text) {
        Some(nanos) => format_duration(nanos),
        None => text.to_owned(),
    }
}

/// Parses a Go duration (`1m0s`, `+1.5h`, `250ms`) to nanoseconds; `0` needs no unit.
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

/// Formats nanoseconds as Go does: `1h0m0s`, `1m30s`, `1.5s`, `250ms`.
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
            assert_eq!(normalise_duration(text), normal, "{text}");
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
        let read = |value| normalise_config(&MachineConfig::from_value(value).unwrap());
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
        let read = |value| normalise_config(&MachineConfig::from_value(value).unwrap());
        assert_eq!(
            read(json!({"files": [file("/a"), file("/b")],
                "services": [service(80, [1, 2], ["/a", "/b"]), service(81, [3, 4], ["/", "/c"])]})),
            read(json!({"files": [file("/b"), file("/a")],
                "services": [service(81, [4, 3], ["/c", "/"]), service(80, [2, 1], ["/b", "/a"])]})),
        );
    }

    #[test]
    fn what_the_platform_clamps_or_writes_as_a_number_is_equal() {
        let read = |value| normalise_config(&MachineConfig::from_value(value).unwrap());
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
        assert_eq!(pin_to_digest("shop:1", "sha256:ab"), "shop:1@sha256:ab");
        assert_eq!(
            pin_to_digest("shop@sha256:cd", "sha256:ab"),
            "shop@sha256:cd"
        );
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
