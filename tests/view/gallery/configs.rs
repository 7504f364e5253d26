//! Plans that change configs: what of them is shown, what is hidden, and what comes of it.

use aeroform::core::fleet::ReleaseStrategy;
use aeroform::core::plan::GroupVerdict::{Changed, Unchanged};
use aeroform::core::plan::hold::PlannedHold;
use aeroform::core::plan::{Branch, LeftOut, Plan, PlannedRelease, Verb};
use serde_json::json;

use super::cost;
use crate::build::*;

pub(super) fn services() -> Plan {
    let service = |soft: u32, interval: &str| {
        json!({"internal_port": 8080, "protocol": "tcp", "autostop": "suspend", "autostart": true,
            "min_machines_running": 1,
            "concurrency": {"type": "requests", "soft_limit": soft, "hard_limit": 250},
            "ports": [{"port": 443, "handlers": ["http", "tls"]}],
            "checks": [{"type": "http", "path": "/up", "method": "get", "interval": interval}]})
    };
    let before = json!({
        "image": "registry.example/shop@sha256:7b1f6c0a93d4e21f7b1f6c0a93d4e21f7b1f6c0a93d4e21f7b1f6c0a93d4e21f",
        "init": {"cmd": ["bin/rails", "server"]}, "stop_config": {"signal": "SIGINT"},
        "env": {"LOG_LEVEL": "debug", "WEB_CONCURRENCY": "2"},
        "services": [service(200, "15s")]});
    let after = json!({
        "image": "registry.example/shop@sha256:7b1f6c0a93d4e21f7b1f6c0a93d4e21f7b1f6c0a93d4e21f7b1f6c0a93d4e99e",
        "init": {"cmd": ["bin/rails", "server", "--early-hints"]}, "stop_config": {"signal": "SIGTERM", "timeout": "30s"},
        "env": {"LOG_LEVEL": "info", "RAILS_ENV": "production"},
        "services": [service(150, "30s"), {"internal_port": 9090, "protocol": "tcp", "ports": [{"port": 9090}]}]});
    let changes = fields(before, after);
    let mut plan = plan(2);
    plan.cost = Some(Box::new(cost(1420, true)));
    plan.group(
        group("web", "bin/rails server --early-hints", Changed, "ams 2")
            .strategy("rolling: 1 at a time"),
    )
    .steps([
        update("web", "ams", "148ed599c14189", &changes),
        update("web", "ams", "6e82d933b7d587", &changes),
    ])
}

/// What an adopted Machine has and no file of ours ever said.
pub(super) fn unsent() -> Plan {
    let service = |more: serde_json::Value| {
        let mut service = json!({"internal_port": 8080, "protocol": "tcp",
            "ports": [{"port": 443, "handlers": ["http", "tls"]}]});
        service
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        service
    };
    let before = json!({"stop_config": {"timeout": "20s"}, "services": [service(json!({"autostop": "stop",
        "checks": [{"type": "http", "path": "/up", "interval": "15s"}]}))]});
    let mut changes = fields(before, json!({"services": [service(json!({}))]}));
    for change in &mut changes {
        change.unsent = true;
    }
    let mut mixed = fields(json!({"env": {"OURS": "1", "THEIRS": "2"}}), json!({}));
    mixed[1].unsent = true;
    plan(3)
        .group(group("web", "bin/web", Changed, "ams 2").strategy("rolling: 1 at a time"))
        .steps([
            update("web", "ams", "148ed599c14189", &changes),
            update("web", "ams", "6e82d933b7d587", &changes),
            update("web", "ams", "9080eddc29387e", &mixed),
        ])
}

pub(super) fn hidden_secrets() -> Plan {
    let changes = fields(
        json!({"env": {"STRIPE_KEY": "sk_live_1", "OLD_TOKEN": "x", "LOG_LEVEL": "debug"},
            "files": [{"guest_path": "/etc/app.conf", "raw_value": "aGVsbG8="}]}),
        json!({"env": {"STRIPE_KEY": "sk_live_2", "DATABASE_URL": "postgres://u:p@h/db", "LOG_LEVEL": "info"},
            "files": [{"guest_path": "/etc/app.conf", "raw_value": "d29ybGQ="}]}),
    );
    plan(1)
        .group(group("web", "bin/web", Changed, "ams 1").strategy("rolling"))
        .step(update("web", "ams", "148ed599c14189", &changes))
}

pub(super) fn shrink() -> Plan {
    let mut changes = fields(
        json!({"guest": {"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096}}),
        json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}}),
    );
    changes.push(field(&["guest", "cpus"], json!(4), json!(2)));
    let mut plan = plan(3).group(
        group("web", "bin/web", Changed, "ams 3")
            .strategy("rolling: 1 at a time")
            .size("shared-cpu-2x 512 MB"),
    );
    for machine in ["148ed599c14189", "6e82d933b7d587", "9080eddc29387e"] {
        let mut change = update("web", "ams", machine, &changes);
        change.branches = vec![Branch::NoRoomStops];
        plan = plan.step(change);
    }
    plan.cost = Some(Box::new(cost(-17_420, false)));
    plan
}

/// Group web has gone back to a release.
pub(super) fn held() -> Plan {
    let mut plan = plan(2)
        .group(group("web", "bin/web", Changed, "ams 2").strategy("rolling: 1 at a time"))
        .steps(["148ed599c14189", "6e82d933b7d587"].map(|machine| {
            let changes = fields(json!({"env": {"MODE": "b"}}), json!({"env": {"MODE": "a"}}));
            update("web", "ams", machine, &changes)
        }));
    plan.hold = Some(PlannedHold {
        release: 41,
        groups: vec![group_name("web")],
        local: false,
    });
    plan
}

/// Only group worker is applied.
pub(super) fn left_out() -> Plan {
    let changes = fields(json!({"image": "shop:1"}), json!({"image": "shop:2"}));
    let mut plan = plan(7)
        .group(group("web", "bin/web", Unchanged, "ams 6"))
        .group(group("worker", "bin/worker", Changed, "ams 1").strategy("rolling: 1 at a time"))
        .step(update("worker", "ams", "148ed599c14189", &changes));
    plan.requested.groups = [group_name("worker")].into();
    let mut left = LeftOut {
        group: group_name("web"),
        filter: "--process-groups worker".to_owned(),
        actions: [(Verb::Update, 6), (Verb::Destroy, 1)].into(),
        of_release: true,
        machines: [id("6e82d933b7d587")].into(),
    };
    plan.left_out.push(left.clone());
    left.group = group_name("api");
    left.actions = [(Verb::Create, 2)].into();
    left.machines.clear();
    plan.left_out.push(left);
    plan
}

/// Somebody has deployed meanwhile, and the manifests name another image.
pub(super) fn reverts() -> Plan {
    let image = |digit: &str| {
        let digest = digit.repeat(64);
        json!({"image": format!("registry.example/shop@sha256:{digest}")})
    };
    let changes = fields(image("2"), image("1"));
    let mut plan = plan(2)
        .group(group("web", "bin/web", Changed, "ams 2").strategy("rolling: 1 at a time"))
        .steps(["148ed599c14189", "6e82d933b7d587"].map(|machine| {
            let mut change = update("web", "ams", machine, &changes);
            change.reverts = Some(43);
            change
        }));
    plan.release = Some(PlannedRelease {
        number: 44,
        image: None,
        local: false,
        strategy: ReleaseStrategy::Rolling,
    });
    plan
}
