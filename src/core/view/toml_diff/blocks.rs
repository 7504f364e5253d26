//! Turns changes into lines, grouped by table.

use serde_json::Value;

use super::location::{self, TomlLocation, locate};
use super::{http_service, value};
use crate::core::fleet::{FieldChange, GroupName};
use crate::core::plan::GroupChange;

/// Lines under one table of fly.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffBlock {
    /// The table's header (`[[vm]]`); none for top-level keys.
    pub header: Option<String>,
    /// Identifies one of several tables (`internal_port 8080 tcp`).
    pub which: Option<String>,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

impl DiffBlock {
    /// Whether it is nested in another table (`[[services.ports]]` in `[[services]]`).
    fn is_inside(&self, outer: &Self) -> bool {
        let name = |block: &Self| {
            let header = block.header.as_deref()?;
            Some(header.trim_matches(['[', ']']).to_owned())
        };
        let inside = |(inner, outer): (String, String)| {
            let rest = inner.strip_prefix(&outer);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let which = |block: &Self| block.which.clone().unwrap_or_default();
        name(self).zip(name(outer)).is_some_and(inside) && which(self).ends_with(&which(outer))
    }
}

/// One line of the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    /// A key with a value that changes.
    Changed {
        /// The key.
        key: String,
        /// Its value before.
        before: String,
        /// Its value after.
        after: String,
    },
    /// A removed line, with its depth.
    Removed(usize, String),
    /// An added line, with its depth.
    Added(usize, String),
    /// A key whose values are not shown.
    Hidden {
        /// The key.
        key: String,
        /// `added`, `changed` or `removed`.
        what: &'static str,
    },
    /// Entries of this key are the same in another order.
    Reordered(String),
}

/// Which of several spellings fly.toml has.
#[derive(Debug, Clone, Copy, Default)]
pub struct TomlForms<'a> {
    /// The service that `[http_service]` defines (`8080 tcp`).
    pub http_service: Option<&'a str>,
    /// The spelling of the size in `[[vm]]`.
    pub size: SizeForm<'a>,
}

/// How `[[vm]]` sets kind and number of CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SizeForm<'a> {
    /// Not known: a size is named if both kind and number change.
    #[default]
    Unknown,
    /// `size = "shared-cpu-2x"`: this name after the change.
    Named(&'a str),
    /// `cpu_kind` and `cpus`.
    Parts,
}

impl<'a> TomlForms<'a> {
    /// The forms in which a planned group writes its fields.
    pub fn of(group: &'a GroupChange) -> Self {
        let name = group
            .size
            .as_deref()
            .and_then(|size| size.split(' ').next());
        Self {
            http_service: group.http_service.as_deref(),
            size: match name {
                _ if group.has_size_in_parts => SizeForm::Parts,
                Some(name) => SizeForm::Named(name),
                None => SizeForm::Unknown,
            },
        }
    }
}

/// The changes of a Machine of this group, grouped by table and in the spelling of fly.toml.
pub fn blocks(group: &GroupName, forms: TomlForms<'_>, changes: &[FieldChange]) -> Vec<DiffBlock> {
    let mut ranked: Vec<(BlockRank, DiffBlock)> = Vec::new();
    let http_service = forms.http_service;
    let mut changes = location::merge_exchanges(
        &location::with_size_names(changes, forms.size),
        http_service,
    );
    if let Some(service) = http_service {
        changes = http_service::as_http_service(&changes, service);
    }
    for change in &changes {
        let location = locate(group, &change.path);
        let rank = BlockRank::of(&location);
        let mut block = DiffBlock {
            lines: lines(&location, change),
            header: location.header,
            which: location.which,
        };
        if let Some(service) = http_service
            && change.path.iter().take(2).eq(["services", service])
        {
            block = http_service::rename_block(block, service);
        }
        let same = |(r, b): &&mut (BlockRank, DiffBlock)| {
            *r == rank && b.header == block.header && b.which == block.which
        };
        if let Some((_, before)) = ranked.iter_mut().find(same) {
            before.lines.extend(block.lines);
            continue;
        }
        let inner = |(r, inner): &(BlockRank, DiffBlock)| *r == rank && inner.is_inside(&block);
        let at = ranked.iter().position(inner).unwrap_or(ranked.len());
        ranked.insert(at, (rank, block));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, block)| block).collect()
}

/// The order of blocks: top-level keys come before the first table, as in TOML.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BlockRank {
    TopLevel,
    InTable,
    WholeTable,
    ConfigOnly,
}

impl BlockRank {
    fn of(location: &TomlLocation) -> Self {
        match (&location.header, location.table) {
            (Some(header), _) if header == location::CONFIG_ONLY => Self::ConfigOnly,
            (Some(_), _) => Self::InTable,
            (None, Some(_)) => Self::WholeTable,
            (None, None) => Self::TopLevel,
        }
    }
}

/// Lines for lowered CPU or memory.
pub fn lowered_resources(
    group: &GroupName,
    size: SizeForm<'_>,
    changes: &[FieldChange],
) -> Vec<String> {
    location::with_size_names(changes, size)
        .iter()
        .filter(|change| change.shrinks)
        .map(|change| {
            let location = locate(group, &change.path);
            let shown = |value: &Option<Value>| {
                value.as_ref().map_or_else(
                    || "nothing".to_owned(),
                    |v| value::unquoted(&value::to_form(location.form, v)),
                )
            };
            format!(
                "{} {} → {}",
                location.key,
                shown(&change.before),
                shown(&change.after)
            )
        })
        .collect()
}

fn lines(location: &TomlLocation, change: &FieldChange) -> Vec<DiffLine> {
    let key = value::key(&location.key);
    if change.hidden {
        let what = match (&change.before, &change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(_), Some(_)) => "changed",
        };
        return vec![DiffLine::Hidden { key, what }];
    }
    if let Some(table) = location.table {
        let whole = |value: &Option<Value>| {
            value
                .as_ref()
                .map(|value| value::table_lines(table, &location.key, value))
                .unwrap_or_default()
        };
        let (before, after) = (whole(&change.before), whole(&change.after));
        let mut sorted = (before.clone(), after.clone());
        sorted.0.sort();
        sorted.1.sort();
        if sorted.0 == sorted.1 && !before.is_empty() {
            return vec![DiffLine::Reordered(key)];
        }
        let removed = before
            .into_iter()
            .map(|(d, text)| DiffLine::Removed(d, text));
        let added = after.into_iter().map(|(d, text)| DiffLine::Added(d, text));
        return removed.chain(added).collect();
    }
    let text = |v: &Value| value::literal(&value::to_form(location.form, v));
    match (&change.before, &change.after) {
        // Only hidden parts differ.
        (Some(before), Some(after)) if text(before) == text(after) => vec![DiffLine::Hidden {
            key,
            what: "changed",
        }],
        (Some(before), Some(after)) => vec![DiffLine::Changed {
            key,
            before: text(before),
            after: text(after),
        }],
        (Some(before), None) => vec![DiffLine::Removed(0, format!("{key} = {}", text(before)))],
        (None, Some(after)) => vec![DiffLine::Added(0, format!("{key} = {}", text(after)))],
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::fleet::{GroupName, MachineConfig, diff};

    #[test]
    fn a_size_has_the_spelling_of_fly_toml() {
        let guest = |cpus: u32| json!({"guest": {"cpu_kind": "shared", "cpus": cpus}});
        let of = |size| {
            let forms = TomlForms {
                size,
                ..TomlForms::default()
            };
            rendered_forms(guest(1), guest(2), forms)
        };
        insta::assert_snapshot!(of(SizeForm::Named("shared-cpu-2x")), @r#"
        [[vm]]
        - size = "shared-cpu-1x"
        + size = "shared-cpu-2x"
        "#);
        insta::assert_snapshot!(of(SizeForm::Parts), @"
        [[vm]]
        - cpus = 1
        + cpus = 2
        ");
        assert_eq!(of(SizeForm::Unknown), of(SizeForm::Parts));
    }

    fn diff(before: Value, after: Value) -> String {
        rendered(before, after, None)
    }

    fn rendered(before: Value, after: Value, http: Option<&str>) -> String {
        let forms = TomlForms {
            http_service: http,
            ..TomlForms::default()
        };
        rendered_forms(before, after, forms)
    }

    fn rendered_forms(before: Value, after: Value, forms: TomlForms<'_>) -> String {
        let config = |value| MachineConfig::from_value(value).unwrap();
        let changes = diff::diff_configs(&config(before), &config(after));
        let mut rows = Vec::new();
        for block in blocks(&GroupName::new("web").unwrap(), forms, &changes) {
            let which = block.which.map_or(String::new(), |w| format!("  # {w}"));
            rows.extend(block.header.map(|header| format!("{header}{which}")));
            for line in block.lines {
                match line {
                    DiffLine::Changed { key, before, after } => {
                        rows.push(format!("- {key} = {before}"));
                        rows.push(format!("+ {key} = {after}"));
                    }
                    DiffLine::Removed(depth, line) => {
                        rows.push(format!("- {}{line}", "  ".repeat(depth)));
                    }
                    DiffLine::Added(depth, line) => {
                        rows.push(format!("+ {}{line}", "  ".repeat(depth)));
                    }
                    DiffLine::Hidden { key, what } => {
                        rows.push(format!("~ {key} ({what}, hidden)"));
                    }
                    DiffLine::Reordered(key) => rows.push(format!("~ {key} (reordered)")),
                }
            }
        }
        rows.join("\n")
    }

    #[test]
    fn a_change_of_a_hidden_part_is_shown_as_hidden() {
        let check = |token: &str| {
            let headers = json!([{"name": "Authorization", "values": [token]}]);
            json!({"checks": {"up": {"type": "http", "headers": headers}}})
        };
        let text = diff(check("Bearer one"), check("Bearer two"));
        assert!(text.ends_with("~ headers (changed, hidden)"), "{text}");
    }

    #[test]
    fn fields_stand_where_people_wrote_them() {
        let text = diff(
            json!({"image": "shop:1", "env": {"A": "1", "API_TOKEN": "x"},
            "guest": {"memory_mb": 512}, "init": {"cmd": ["bin/rails", "server"], "swap_size_mb": 512},
            "restart": {"policy": "no"}, "stop_config": {"signal": "SIGINT", "timeout": "5s"},
            "schedule": "daily"}),
            json!({"image": "shop:2", "env": {"A": "2", "B": "say \"hi\"", "API_TOKEN": "y"},
            "guest": {"memory_mb": 1024}, "init": {"cmd": ["sh", "-c", "a b"]},
            "restart": {"policy": "on-failure", "max_retries": 3}, "stop_config": {"signal": "SIGTERM"}}),
        );
        insta::assert_snapshot!(text, @r###"
    - swap_size_mb = 512
    - kill_signal = "SIGINT"
    + kill_signal = "SIGTERM"
    - kill_timeout = "5s"
    [env]
    - A = "1"
    + A = "2"
    ~ API_TOKEN (changed, hidden)
    + B = 'say "hi"'
    [[vm]]
    - memory = "512mb"
    + memory = "1gb"
    [build]
    - image = "shop:1"
    + image = "shop:2"
    [processes]
    - web = "bin/rails server"
    + web = "sh -c 'a b'"
    [[restart]]
    + retries = 3
    - policy = "never"
    + policy = "on-failure"
    # in the Machine's config, not in fly.toml
    - schedule = "daily"
    "###);
    }

    #[test]
    fn services_come_and_go_as_tables_and_change_as_keys() {
        let service = |port: u16, soft: u32| {
            json!({"internal_port": port, "protocol": "tcp", "autostop": true,
            "concurrency": {"type": "requests", "soft_limit": soft},
            "ports": [{"port": 443, "handlers": ["http", "tls"]}],
            "checks": [{"type": "http", "path": "/up", "interval": "15s"}]})
        };
        let mut slower = service(8080, 40);
        slower["checks"][0]["interval"] = json!("30s");
        slower["autostop"] = json!("suspend");
        insta::assert_snapshot!(
            diff(json!({"services": [service(8080, 20)]}), json!({"services": [slower, service(9090, 5)]})),
            @r#"
    [[services]]  # internal_port 8080 tcp
    - auto_stop_machines = "stop"
    + auto_stop_machines = "suspend"
    [[services.http_checks]]  # /up of internal_port 8080 tcp
    - interval = "15s"
    + interval = "30s"
    [services.concurrency]  # internal_port 8080 tcp
    - soft_limit = 20
    + soft_limit = 40
    + [[services]]
    +   internal_port = 9090
    +   protocol = "tcp"
    +   auto_stop_machines = "stop"
    +   [[services.http_checks]]
    +     path = "/up"
    +     interval = "15s"
    +   [services.concurrency]
    +     soft_limit = 5
    +     type = "requests"
    +   [[services.ports]]
    +     port = 443
    +     handlers = ["http", "tls"]
    "#
        );
        insta::assert_snapshot!(
            diff(
                json!({"checks": {"up": {"type": "http", "path": "/up"}}, "mounts": [{"name": "data", "path": "/data"}]}),
                json!({"checks": {"up": {"type": "http", "path": "/health"}}})
            ),
            @r###"
    [checks.up]
    - path = "/up"
    + path = "/health"
    - [[mounts]]
    -   source = "data"
    -   destination = "/data"
    "###
        );
    }

    #[test]
    fn an_http_service_is_shown_as_one() {
        let service = |port: u16, force: bool, path: &str| {
            let options = json!({"compress": force});
            json!({"services": [{"internal_port": port, "protocol": "tcp", "autostop": true,
                "concurrency": {"soft_limit": 20},
                "ports": [
                    {"port": 80, "handlers": ["http"], "force_https": force, "http_options": options},
                    {"port": 443, "handlers": ["http", "tls"], "http_options": options}],
                "checks": [{"type": "http", "path": path}]}]})
        };
        let http = Some("8080 tcp");
        let before = service(8080, false, "/up");
        insta::assert_snapshot!(rendered(before.clone(), service(8080, true, "/live"), http), @r#"
        [http_service]
        + force_https = true
        - http_options.compress = false
        + http_options.compress = true
        [[http_service.checks]]  # /up
        - path = "/up"
        + path = "/live"
        "#);
        insta::assert_snapshot!(rendered(service(3000, true, "/up"), service(8080, true, "/up"), http), @"
        [http_service]
        - internal_port = 3000
        + internal_port = 8080
        ");
        insta::assert_snapshot!(rendered(json!({}), before, http), @r#"
        + [http_service]
        +   internal_port = 8080
        +   auto_stop_machines = "stop"
        +   http_options = { compress = false }
        +   [[http_service.checks]]
        +     path = "/up"
        +   [http_service.concurrency]
        +     soft_limit = 20
        "#);
    }

    #[test]
    fn a_check_that_replaces_another_is_shown_as_a_change() {
        let checks = |paths: &[&str]| {
            let checks: Vec<Value> = paths
                .iter()
                .map(|path| json!({"type": "http", "path": path, "interval": "15s"}))
                .collect();
            json!({"services": [{"internal_port": 8080, "protocol": "tcp", "checks": checks}]})
        };
        insta::assert_snapshot!(diff(checks(&["/up"]), checks(&["/health"])), @r#"
        [[services.http_checks]]  # /up of internal_port 8080 tcp
        - path = "/up"
        + path = "/health"
        "#);
        insta::assert_snapshot!(diff(checks(&["/up", "/b"]), checks(&["/b", "/health"])), @r#"
        [[services.http_checks]]  # /up of internal_port 8080 tcp
        - path = "/up"
        + path = "/health"
        "#);
        // It is unknown which of two replaces which.
        insta::assert_snapshot!(diff(checks(&["/up"]), checks(&["/a", "/b"])), @r#"
        [[services]]  # internal_port 8080 tcp
        - [[services.http_checks]]
        -   path = "/up"
        -   interval = "15s"
        + [[services.http_checks]]
        +   path = "/a"
        +   interval = "15s"
        + [[services.http_checks]]
        +   path = "/b"
        +   interval = "15s"
        "#);
    }

    #[test]
    fn kind_and_number_of_cpus_together_are_a_size() {
        let guest = |kind: &str, cpus: u32| json!({"guest": {"cpu_kind": kind, "cpus": cpus}});
        insta::assert_snapshot!(diff(guest("shared", 1), guest("performance", 2)), @r###"
    [[vm]]
    - size = "shared-cpu-1x"
    + size = "performance-2x"
    "###);
        insta::assert_snapshot!(diff(guest("shared", 1), guest("shared", 2)), @r###"
    [[vm]]
    - cpus = 1
    + cpus = 2
    "###);
    }
}
