use serde_json::{Value, json};

use super::*;
use crate::core::fleet::{GroupName, MachineConfig, overlay};

fn diff(before: Value, after: Value) -> String {
    let config = |value| MachineConfig::from_value(value).unwrap();
    let changes = overlay::changes(&config(before), &config(after));
    let mut rows = Vec::new();
    for block in blocks(&GroupName::new("web").unwrap(), &changes) {
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
                DiffLine::Hidden { key, what } => rows.push(format!("~ {key} ({what}, hidden)")),
                DiffLine::Reordered(key) => rows.push(format!("~ {key} (reordered)")),
            }
        }
    }
    rows.join("\n")
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
    +   auto_stop_machines = "stop"
    +   protocol = "tcp"
    +   [[services.http_checks]]
    +     interval = "15s"
    +     path = "/up"
    +   [services.concurrency]
    +     type = "requests"
    +     soft_limit = 5
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
