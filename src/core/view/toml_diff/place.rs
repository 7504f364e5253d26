//! Where a field of a Machine's config stands in fly.toml (facts/fly-toml-to-machine.md 3 to 7, read
//! backwards). A field that fly.toml has no word for is named by its path in the config.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::core::fleet::{FieldChange, GroupName};

/// Heads the fields that fly.toml has no word for.
pub(super) const CONFIG_ONLY: &str = "# in the Machine's config, not in fly.toml";

/// A field's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The table that it stands in.
    pub(super) header: Option<String>,
    /// Which of several such tables.
    pub(super) which: Option<String>,
    /// Its key there.
    pub(super) key: String,
    /// How its value is written.
    pub(super) form: Form,
    /// The change is of a whole table or list of tables of this kind.
    pub(super) table: Option<Table>,
}

/// How a value of the config is written in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// A number of MiB (`1gb`).
    Memory,
    /// A list of words as one command line.
    Command,
    /// A restart policy: the platform's `no` is `never`.
    Policy,
    /// The list of headers as a table of them.
    Headers,
}

/// Kinds of table; each renames its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Service,
    Ports,
    ServiceChecks,
    Concurrency,
    Check,
    Mounts,
    Statics,
    Files,
    Vm,
    Restart,
    Metrics,
}

impl Table {
    /// How its header is written.
    pub(super) fn header(self, name: &str) -> String {
        match self {
            Self::Service => "[[services]]".to_owned(),
            Self::Ports => "[[services.ports]]".to_owned(),
            Self::ServiceChecks => "[[services.checks]]".to_owned(),
            Self::Concurrency => "[services.concurrency]".to_owned(),
            Self::Check => format!("[checks.{}]", super::value::key(name)),
            Self::Mounts => "[[mounts]]".to_owned(),
            Self::Statics => "[[statics]]".to_owned(),
            Self::Files => "[[files]]".to_owned(),
            Self::Vm => "[[vm]]".to_owned(),
            Self::Restart => "[[restart]]".to_owned(),
            Self::Metrics => "[metrics]".to_owned(),
        }
    }

    /// The header of a table whose own fields are at hand: a service's checks are named by their type.
    pub(super) fn header_of(self, name: &str, fields: &Value) -> String {
        match self {
            Self::ServiceChecks => {
                check_header(fields.get("type").and_then(Value::as_str).unwrap_or(""))
            }
            Self::Service
            | Self::Ports
            | Self::Concurrency
            | Self::Check
            | Self::Mounts
            | Self::Statics
            | Self::Files
            | Self::Vm
            | Self::Restart
            | Self::Metrics => self.header(name),
        }
    }

    /// What a key of the config is called in fly.toml, and how its value is written.
    pub(super) fn key(self, key: &str) -> (&str, Form) {
        match (self, key) {
            (Self::Service, "autostop") => ("auto_stop_machines", Form::Plain),
            (Self::Service, "autostart") => ("auto_start_machines", Form::Plain),
            (Self::Mounts, "name") => ("source", Form::Plain),
            (Self::Mounts, "path") => ("destination", Form::Plain),
            (Self::Mounts, "size_gb") => ("initial_size", Form::Plain),
            (Self::Mounts, "extend_threshold_percent") => {
                ("auto_extend_size_threshold", Form::Plain)
            }
            (Self::Mounts, "add_size_gb") => ("auto_extend_size_increment", Form::Plain),
            (Self::Mounts, "size_gb_limit") => ("auto_extend_size_limit", Form::Plain),
            (Self::Vm, "memory_mb") => ("memory", Form::Memory),
            (Self::Vm, "max_memory_mb") => ("max_memory", Form::Memory),
            (Self::Restart, "policy") => ("policy", Form::Policy),
            (Self::Restart, "max_retries") => ("retries", Form::Plain),
            (Self::Check | Self::ServiceChecks, "headers") => ("headers", Form::Headers),
            (_, key) => (key, Form::Plain),
        }
    }

    /// The kind of a table inside this one.
    pub(super) fn inner(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Service, "ports") => Some(Self::Ports),
            (Self::Service, "checks") => Some(Self::ServiceChecks),
            (Self::Service, "concurrency") => Some(Self::Concurrency),
            _ => None,
        }
    }
}

fn check_header(kind: &str) -> String {
    match kind {
        "http" => "[[services.http_checks]]".to_owned(),
        "tcp" => "[[services.tcp_checks]]".to_owned(),
        _ => "[[services.checks]]".to_owned(),
    }
}

/// Where this path of the config stands in fly.toml.
pub(super) fn place(group: &GroupName, path: &[String]) -> Place {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let top = |key: &str| leaf(None, None, key, Form::Plain);
    let under = |header: &str, key: &str| leaf(Some(header.to_owned()), None, key, Form::Plain);
    match parts.as_slice() {
        ["image"] => under("[build]", "image"),
        ["env", key] => under("[env]", key),
        ["init", "cmd"] => leaf(
            Some("[processes]".to_owned()),
            None,
            group.as_str(),
            Form::Command,
        ),
        ["init", key @ ("entrypoint" | "exec")] => under("[experimental]", key),
        ["init", "swap_size_mb"] => top("swap_size_mb"),
        ["stop_config", "signal"] => top("kill_signal"),
        ["stop_config", "timeout"] => top("kill_timeout"),
        ["guest"] => whole(Table::Vm, ""),
        ["guest", "size"] => under("[[vm]]", "size"),
        ["guest", key] => field(Table::Vm, "", None, key),
        ["restart"] => whole(Table::Restart, ""),
        ["restart", key] => field(Table::Restart, "", None, key),
        ["metrics"] => whole(Table::Metrics, ""),
        ["metrics", key] => field(Table::Metrics, "", None, key),
        ["checks", name] => whole(Table::Check, name),
        ["checks", name, key] => field(Table::Check, name, None, key),
        ["mounts"] | ["mounts", _] => whole(Table::Mounts, ""),
        ["mounts", name, key] => field(Table::Mounts, "", Some((*name).to_owned()), key),
        ["statics"] | ["statics", _] => whole(Table::Statics, ""),
        ["statics", name, key] => field(Table::Statics, "", Some((*name).to_owned()), key),
        ["files", name, key] => field(Table::Files, "", Some((*name).to_owned()), key),
        ["files"] => under("[[files]]", "files"),
        ["files", _] => whole(Table::Files, ""),
        ["services", rest @ ..] => in_services(rest),
        _ => leaf(
            Some(CONFIG_ONLY.to_owned()),
            None,
            &path.join("."),
            Form::Plain,
        ),
    }
}

fn in_services(rest: &[&str]) -> Place {
    let of = |service: &str| Some(format!("internal_port {service}"));
    let inside = |service: &str, what: &str, name: &str| {
        Some(format!("{what} {name} of internal_port {service}"))
    };
    match rest {
        [] | [_] => whole(Table::Service, ""),
        [service, "ports"] | [service, "ports", _] => within(Table::Ports, of(service)),
        [service, "ports", port, key] => {
            field(Table::Ports, "", inside(service, "port", port), key)
        }
        [service, "checks"] | [service, "checks", _] => within(Table::ServiceChecks, of(service)),
        [service, "checks", check, key] => {
            let (kind, name) = check.split_once(' ').unwrap_or((check, ""));
            let mut place = field(Table::ServiceChecks, "", None, key);
            place.header = Some(check_header(kind));
            place.which = if name.is_empty() {
                of(service)
            } else {
                Some(format!("{name} of internal_port {service}"))
            };
            place
        }
        [service, "concurrency"] => within(Table::Concurrency, of(service)),
        [service, "concurrency", key] => field(Table::Concurrency, "", of(service), key),
        [service, key] => field(Table::Service, "", of(service), key),
        [service, keys @ ..] => field(Table::Service, "", of(service), &keys.join(".")),
    }
}

fn leaf(header: Option<String>, which: Option<String>, key: &str, form: Form) -> Place {
    Place {
        header,
        which,
        key: key.to_owned(),
        form,
        table: None,
    }
}

fn field(table: Table, name: &str, which: Option<String>, key: &str) -> Place {
    let (key, form) = table.key(key);
    leaf(Some(table.header(name)), which, key, form)
}

/// A whole table comes or goes: its header is one of the lines that do.
fn whole(table: Table, name: &str) -> Place {
    Place {
        table: Some(table),
        ..leaf(None, None, name, Form::Plain)
    }
}

fn within(table: Table, which: Option<String>) -> Place {
    let service = Some(Table::Service.header(""));
    Place {
        table: Some(table),
        ..leaf(service, which, "", Form::Plain)
    }
}

/// The changes with kind and number of CPUs told as the size's name where both are known: people write
/// `size = "shared-cpu-2x"`.
pub(super) fn with_size_names(changes: &[FieldChange]) -> Vec<FieldChange> {
    let find = |key: &str| {
        changes
            .iter()
            .position(|c| c.path.len() == 2 && c.path[0] == "guest" && c.path[1] == key)
    };
    let (Some(kind), Some(cpus)) = (find("cpu_kind"), find("cpus")) else {
        return changes.to_vec();
    };
    let name = |kind: &Option<Value>, cpus: &Option<Value>| {
        let (kind, cpus) = (kind.as_ref()?.as_str()?, cpus.as_ref()?.as_u64()?);
        let kind = match kind {
            "shared" => "shared-cpu",
            other => other,
        };
        Some(Value::from(format!("{kind}-{cpus}x")))
    };
    let before = name(&changes[kind].before, &changes[cpus].before);
    let after = name(&changes[kind].after, &changes[cpus].after);
    if before.is_none() && after.is_none() {
        return changes.to_vec();
    }
    let mut folded = Vec::with_capacity(changes.len() - 1);
    for (at, change) in changes.iter().enumerate() {
        if at == kind.min(cpus) {
            folded.push(FieldChange {
                path: vec!["guest".to_owned(), "size".to_owned()],
                before: before.clone(),
                after: after.clone(),
                effect: changes[kind].effect.max(changes[cpus].effect),
                hidden: false,
                shrinks: changes[kind].shrinks || changes[cpus].shrinks,
            });
        } else if at != kind.max(cpus) {
            folded.push(change.clone());
        }
    }
    folded
}

/// The changes with a check or a port that goes and the only one that comes in its place told as one
/// that changes: which path a check asks for is what identifies it, and one line of fly.toml to people.
pub(super) fn with_exchanges(
    changes: &[FieldChange],
    http_service: Option<&str>,
) -> Vec<FieldChange> {
    let mut told = Vec::with_capacity(changes.len());
    for change in changes {
        let Some((goes, comes)) = exchange(changes, change, http_service) else {
            told.push(change.clone());
            continue;
        };
        // It is told where the first of the two stands.
        let other = if change == goes { comes } else { goes };
        let place = |wanted: &FieldChange| changes.iter().position(|one| one == wanted);
        if place(change) < place(other) {
            told.extend(fields(goes, comes));
        }
    }
    told
}

/// The two changes that exchange one entry for another, where this is one of them.
fn exchange<'c>(
    changes: &'c [FieldChange],
    change: &FieldChange,
    http_service: Option<&str>,
) -> Option<(&'c FieldChange, &'c FieldChange)> {
    let list = list_of(change)?;
    let mut goes = Vec::new();
    let mut comes = Vec::new();
    for one in changes.iter().filter(|one| list_of(one) == Some(list)) {
        match (&one.before, &one.after) {
            (Some(Value::Object(_)), None) => goes.push(one),
            (None, Some(Value::Object(_))) => comes.push(one),
            _ => return None,
        }
    }
    let (&[goes], &[comes]) = (goes.as_slice(), comes.as_slice()) else {
        return None;
    };
    let kind = |value: &Option<Value>| value.as_ref()?.get("type").cloned();
    // Of services only the one in [http_service] is known to be the same with another port.
    if list.len() == 1 && comes.path.last().map(String::as_str) != http_service {
        return None;
    }
    (kind(&goes.before) == kind(&comes.after)).then_some((goes, comes))
}

/// The list of services, or of checks or ports of one, that a change is an entry of.
fn list_of(change: &FieldChange) -> Option<&[String]> {
    match change.path.as_slice() {
        [services, _, list, _]
            if services == "services" && (list == "checks" || list == "ports") =>
        {
            Some(&change.path[..3])
        }
        [services, _] if services == "services" => Some(&change.path[..1]),
        _ => None,
    }
}

/// The keys that differ between two entries, under the path of the one that goes; a service's under that
/// of the one that comes, which is how it is written.
fn fields(goes: &FieldChange, comes: &FieldChange) -> Vec<FieldChange> {
    let side = |value: &Option<Value>| match value {
        Some(Value::Object(fields)) => fields.clone(),
        _ => serde_json::Map::new(),
    };
    let (before, after) = (side(&goes.before), side(&comes.after));
    let path = if goes.path.len() == 2 {
        &comes.path
    } else {
        &goes.path
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange {
            path: path.iter().chain([key]).cloned().collect(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
            effect: goes.effect.max(comes.effect),
            hidden: goes.hidden || comes.hidden,
            shrinks: false,
        })
        .collect()
}
