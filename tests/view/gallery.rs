//! The situations in which people read a plan.

use aeroform::core::fleet::{MachineState, ReleaseStrategy};
use aeroform::core::plan::GroupVerdict::{Added, Changed, Removed, Unchanged};
use aeroform::core::plan::{
    Action, Aim, Branch, Change, Cost, DriftKind, Plan, PlannedRelease, PlannedVolume, Removal,
};
use serde_json::{Value, json};

use crate::build::*;

/// Every situation with its name.
pub(crate) fn all() -> Vec<(&'static str, Plan)> {
    vec![
        ("adopt_and_forget", adopt_and_forget()),
        ("drift", drifted()),
        ("drift_fates", drift_fates()),
        ("nothing_but_a_refusal", nothing_but_a_refusal()),
        ("everything_at_once", everything_at_once()),
        ("group_moved", group_moved()),
        ("group_removed", group_removed()),
        ("groups_become_one", groups_become_one()),
        ("hidden_secrets", hidden_secrets()),
        ("hostile_names", hostile_names()),
        ("immediate", immediate()),
        ("long_command", long_command()),
        ("many_groups", many_groups()),
        ("new_app", new_app()),
        ("new_volumes", new_volumes()),
        ("nothing_to_do", nothing_to_do()),
        ("nothing_to_do_offline", nothing_to_do_offline()),
        ("offline", offline()),
        ("offline_volume", offline_volume()),
        ("records_only", records_only()),
        ("refusals_and_warnings", refusals_and_warnings()),
        ("replace", replaced()),
        ("reverts", reverts()),
        ("scale_down", scale_down()),
        ("scale_up", scale_up()),
        ("services", services()),
        ("shrink", shrink()),
        ("standby", with_standby()),
        ("ten_thousand_machines", ten_thousand(10_000)),
        ("whole_app_destroyed", whole_app_destroyed()),
    ]
}

const ROLLING: &str = "rolling: 1 first, then 2 at a time";

fn memory(before: u32, after: u32) -> Vec<aeroform::core::fleet::FieldChange> {
    let guest = |mb: u32| json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": mb}});
    fields(guest(before), guest(after))
}

/// The plan of the design: one of each kind.
pub(crate) fn everything_at_once() -> Plan {
    let bigger = memory(512, 1024);
    let mut stopped = destroy(
        "cron",
        "bog",
        "21781973f03e89",
        Removal::GroupRemoved,
        "its group is removed",
    );
    stopped.state = Some(MachineState::Stopped);
    plan(12)
        .group(
            group("web", "bin/rails fly:server", Changed, "gru 2->4, bog 2->4")
                .strategy(ROLLING)
                .size("shared-cpu-2x 1 GB"),
        )
        .group(
            group("jobs", "bin/jobs --queue default", Added, "gru 0->2")
                .why("2 Machines: Fly's rule for a new group without services; `[groups.jobs] count` says otherwise"),
        )
        .group(group("cron", "", Removed, "gru 1->0, bog 1->0"))
        .group(group("api", "bin/api", Unchanged, "gru 6"))
        .steps([
            create("jobs", "gru", 0),
            create("jobs", "gru", 1),
            create("web", "gru", 2),
            create("web", "gru", 3),
            create("web", "bog", 4),
            create("web", "bog", 5),
        ])
        .barrier("all created")
        .steps([
            update("web", "gru", "148ed599c14189", &bigger),
            update("web", "gru", "6e82d933b7d587", &bigger),
            update("web", "bog", "3d8d9014b32789", &bigger),
            update("web", "bog", "9080eddc29387e", &bigger),
        ])
        .barrier("all updated")
        .steps([
            destroy("cron", "gru", "e2865641be9786", Removal::GroupRemoved, "its group is removed"),
            leaving(stopped, "vol_vz3lnq8k9x7mz4w1"),
        ])
}

fn new_app() -> Plan {
    let mut plan = plan(0);
    plan.serial = 0;
    plan.group(group(
        "web",
        "python3 -m http.server $PORT",
        Added,
        "ams 0->2",
    ))
    .group(group("worker", "sh worker.sh", Added, "ams 0->1"))
    .steps([
        create("web", "ams", 0),
        create("web", "ams", 1),
        create("worker", "ams", 2),
    ])
}

/// Volumes that are made: for new Machines in two regions, and for a replacement.
fn new_volumes() -> Plan {
    let with = |mut change: Change, size_gb: u32, encrypted: bool| {
        if let Action::Create {
            new_volumes, port, ..
        } = &mut change.action
        {
            *port = None;
            new_volumes.push(PlannedVolume {
                name: "data".to_owned(),
                size_gb,
                encrypted,
                unique_zone: true,
                snapshot_retention: Some(14),
                scheduled_snapshots: None,
            });
        }
        change
    };
    let taking = |mut change: Change, name: &str| {
        if let Action::Create { volumes, port, .. } = &mut change.action {
            *port = None;
            volumes.push(volume(name));
        }
        change
    };
    let mut plan = plan(2);
    plan.cost = Some(Box::new(Cost {
        cents_per_month: 1389,
        if_always_running: false,
        prices_of: "2025-08-19".to_owned(),
    }));
    let [new, old] = replace(
        "db",
        "gru",
        "148ed599c14189",
        9,
        "its config cannot be changed in place",
    );
    plan.group(group("db", "bin/db", Changed, "ams 1->4, bog 0->1, gru 1"))
        .steps([
            taking(create("db", "ams", 0), "vol_vz3lnq8k9x7mz4w1"),
            with(create("db", "ams", 1), 10, true),
            with(create("db", "ams", 2), 10, true),
            with(create("db", "bog", 3), 1, false),
        ])
        .barrier("db: all created")
        .steps([with(new, 10, true), old])
}

fn scale_up() -> Plan {
    plan(2)
        .group(group("web", "bin/web", Changed, "ams 2->12").strategy("rolling"))
        .steps((0..10).map(|n| create("web", "ams", n + if n > 4 { 3 } else { 0 })))
}

fn scale_down() -> Plan {
    let gone = |machine, reason| destroy("web", "ams", machine, Removal::CountLowered, reason);
    let mut stopped = gone("d8d9014b327890", "not started");
    stopped.state = Some(MachineState::Stopped);
    plan(6)
        .group(group("web", "bin/web", Changed, "ams 6->3").strategy(ROLLING))
        .steps([
            gone("148ed599c14189", "its checks fail"),
            stopped,
            gone("9080eddc29387e", "the newest"),
        ])
}

fn group_removed() -> Plan {
    let mut plan = plan(4)
        .group(group("web", "bin/web", Changed, "ams 2->3"))
        .group(group("cron", "", Removed, "ams 1->0"))
        .step(create("web", "ams", 2))
        .step(destroy(
            "cron",
            "ams",
            "e2865641be9786",
            Removal::GroupRemoved,
            "its group is removed",
        ));
    plan.notes.push(note(
        "renamed_group",
        Some("cron"),
        "group `cron` goes and a new group looks like it",
        Some(
            "if it is the same group under a new name, write this in aeroform.toml, and its Machines move instead:\n[[moved]]\nfrom = \"cron\"\nto = \"clock\"",
        ),
    ));
    plan
}

fn group_moved() -> Plan {
    let mut jobs = group("jobs", "bin/jobs", Changed, "ams 3").strategy("rolling: 1 at a time");
    jobs.moved_from = vec![group_name("worker")];
    plan(3).group(jobs).steps(
        ["148ed599c14189", "6e82d933b7d587", "9080eddc29387e"]
            .map(|machine| moving("jobs", "worker", "ams", machine)),
    )
}

fn groups_become_one() -> Plan {
    let mut jobs = group("jobs", "bin/jobs", Added, "ams 2").strategy("rolling: 1 at a time");
    jobs.moved_from = vec![group_name("mailer"), group_name("worker")];
    plan(2).group(jobs).steps([
        moving("jobs", "mailer", "ams", "148ed599c14189"),
        moving("jobs", "worker", "ams", "6e82d933b7d587"),
    ])
}

fn replaced() -> Plan {
    let mounts = fields(
        json!({}),
        json!({"mounts": [{"name": "data", "path": "/data", "size_gb": 3}]}),
    );
    let mut plan = plan(3)
        .group(group("db", "bin/db", Changed, "ams 2").strategy("rolling: 1 at a time"))
        .group(group("web", "bin/web", Changed, "ams 1").strategy("rolling"));
    for (machine, n) in [("148ed599c14189", 0), ("6e82d933b7d587", 1)] {
        let [mut new, old] = replace(
            "db",
            "ams",
            machine,
            n,
            "its config cannot be changed in place",
        );
        new.changes.clone_from(&mounts);
        plan = plan.step(new).step(old);
    }
    let [new, old] = replace(
        "web",
        "ams",
        "9080eddc29387e",
        2,
        "its host does not answer",
    );
    plan.step(leaving(old, "vol_vz3lnq8k9x7mz4w1")).step(new)
}

fn services() -> Plan {
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

fn hidden_secrets() -> Plan {
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

fn shrink() -> Plan {
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

/// Somebody has deployed meanwhile, and the manifests name another image.
fn reverts() -> Plan {
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
        strategy: ReleaseStrategy::Rolling,
    });
    plan
}

fn cost(cents_per_month: i64, if_always_running: bool) -> Cost {
    Cost {
        cents_per_month,
        if_always_running,
        prices_of: "2025-08-19".to_owned(),
    }
}

fn drifted() -> Plan {
    let back = memory(1024, 512);
    let mut changed = drift(DriftKind::Changed, "web", "ams", "148ed599c14189");
    changed.changes = memory(512, 1024);
    let mut other = drift(DriftKind::Changed, "web", "bog", "6e82d933b7d587");
    other.changes = memory(512, 1024);
    let mut plan = plan(3)
        .group(group("web", "bin/web", Changed, "ams 2->3, bog 1").strategy("rolling: 1 at a time"))
        .step(forget("web", "ams", "9080eddc29387e"))
        .step(create("web", "ams", 7))
        .steps([
            update("web", "ams", "148ed599c14189", &back),
            update("web", "bog", "6e82d933b7d587", &back),
        ]);
    plan.drift = vec![
        changed,
        other,
        drift(DriftKind::Missing, "web", "ams", "9080eddc29387e"),
        drift(DriftKind::Added, "worker", "ams", "d8d9014b327890"),
    ];
    plan
}

/// One that is wanted so by now, one that changes again, one that goes; two regions that take turns by id.
fn drift_fates() -> Plan {
    let changed = |group: &str, at: &str, machine: &str| {
        let mut drift = drift(DriftKind::Changed, group, at, machine);
        drift.changes = memory(512, 1024);
        drift
    };
    let mut plan = plan(5)
        .group(group("web", "bin/web", Changed, "ams 2->1, bog 2"))
        .group(group("worker", "bin/work", Changed, "ams 1"))
        .step(adopt("web", "ams", "148ed599c14189"))
        .step(adopt("web", "bog", "6e82d933b7d587"))
        .steps([update(
            "worker",
            "ams",
            "d8d9014b327890",
            &memory(1024, 2048),
        )])
        .step(destroy(
            "web",
            "ams",
            "9080eddc29387e",
            Removal::CountLowered,
            "the count is lower",
        ));
    plan.drift = vec![
        changed("worker", "ams", "d8d9014b327890"),
        changed("web", "ams", "148ed599c14189"),
        changed("web", "bog", "6e82d933b7d587"),
        changed("web", "ams", "7080eddc29387e"),
        changed("web", "ams", "9080eddc29387e"),
    ];
    plan
}

fn nothing_but_a_refusal() -> Plan {
    let mut plan = plan(0).group(group("web", "bin/web", Unchanged, ""));
    plan.refusals = vec![note(
        "no_region",
        Some("web"),
        "nothing says in which region group `web` starts",
        Some("write `primary_region` in fly.toml, or `regions` in `[groups.web]`"),
    )];
    plan
}

fn refusals_and_warnings() -> Plan {
    let mut plan = scale_down();
    plan.refusals = vec![
        note(
            "protected_group",
            Some("web"),
            "group `web` is protected: 3 Machines of it would be destroyed",
            Some("take `protect` out of `[groups.web]` at aeroform.toml:12 and apply that first"),
        ),
        note(
            "max_destroy",
            None,
            "3 Machines would be destroyed, and `[policy] max_destroy` allows 2",
            Some("raise `max_destroy`, or do it in smaller steps"),
        ),
    ];
    plan.warnings = vec![note(
        "mutable_tag",
        None,
        "image `registry.example/shop:latest` is a tag, which may move",
        Some("name it by its digest, `…@sha256:…`"),
    )];
    plan.notes = vec![note(
        "imbalance_kept",
        Some("web"),
        "the regions stay uneven, since Machines with mounts are not moved",
        None,
    )];
    plan
}

fn nothing_to_do() -> Plan {
    plan(12)
        .group(group("api", "bin/api", Unchanged, "gru 6"))
        .group(group("web", "bin/web", Unchanged, "gru 3, bog 3"))
}

fn nothing_to_do_offline() -> Plan {
    let mut plan = nothing_to_do();
    plan.online = false;
    plan
}

fn offline() -> Plan {
    let mut plan = plan(5)
        .group(group("web", "bin/web", Changed, "ams 5->4"))
        .step(destroy(
            "web",
            "ams",
            "148ed599c14189",
            Removal::CountLowered,
            "which one: decided at apply",
        ));
    plan.online = false;
    plan
}

/// Whether that Machine goes is decided at apply, and with it whether its volume is left.
fn offline_volume() -> Plan {
    let goes = destroy(
        "db",
        "ams",
        "148ed599c14189",
        Removal::CountLowered,
        "which one: decided at apply",
    );
    let mut plan = plan(5)
        .group(group("db", "bin/db", Changed, "ams 2->1"))
        .step(leaving(goes, "vol_vz3"));
    plan.online = false;
    plan
}

fn records_only() -> Plan {
    let mut plan = nothing_to_do();
    plan.records = vec![note(
        "protects",
        Some("web"),
        "group `web` becomes protected",
        None,
    )];
    plan
}

fn adopt_and_forget() -> Plan {
    plan(4)
        .group(group("web", "bin/web", Changed, "ams 4"))
        .steps([
            forget("web", "ams", "e2865641be9786"),
            adopt("web", "ams", "148ed599c14189"),
            adopt("web", "ams", "6e82d933b7d587"),
        ])
}

fn hostile_names() -> Plan {
    let changes = fields(
        json!({"env": {"GREETING": "hi"}}),
        json!({"env": {"GREETING": "\u{1b}[2J\u{202e}gnp.exe\n::error::pwned\n##[error]x", "A B": "1"}}),
    );
    let name = "we\u{202e}b::error::x";
    let mut plan = plan(1)
        .group(
            group(name, "sh -c 'echo \u{1b}]0;pwned\u{7}'", Changed, "ams 1").strategy("rolling"),
        )
        .step(update(name, "ams", "148ed599c14189", &changes));
    plan.warnings = vec![note(
        "check_output",
        Some(name),
        "::error file=app.rb::\u{1b}[31mthe check said\r\nPlan: 0 to destroy.",
        Some("look\u{200b} at it"),
    )];
    plan
}

fn immediate() -> Plan {
    let changes = fields(json!({"env": {"A": "1"}}), json!({"env": {"A": "2"}}));
    plan(20)
        .group(
            group("web", "bin/web", Changed, "ams 10, fra 10")
                .strategy("immediate: all at once, health is not waited for"),
        )
        .steps((0..20).map(|n| {
            let at = if n % 2 == 0 { "ams" } else { "fra" };
            update("web", at, &format!("148ed599c141{n:02}"), &changes)
        }))
}

fn long_command() -> Plan {
    let word = "--a-rather-long-option=with-a-value ";
    let before: Vec<Value> = format!("bin/run {}", word.repeat(8))
        .split_whitespace()
        .map(Value::from)
        .collect();
    let mut after = before.clone();
    after.push(Value::from("--last"));
    let changes = fields(
        json!({"init": {"cmd": before}}),
        json!({"init": {"cmd": after}}),
    );
    plan(1)
        .group(
            group(
                "a_rather_long_group_name_that_is_cut",
                &format!("bin/run {}--last", word.repeat(8)),
                Changed,
                "ams 1",
            )
            .strategy("rolling"),
        )
        .step(update(
            "a_rather_long_group_name_that_is_cut",
            "ams",
            "148ed599c14189",
            &changes,
        ))
}

fn many_groups() -> Plan {
    let quiet = (0..20).map(|n| group(&format!("queue-{n:02}"), "bin/q", Unchanged, "ams 2"));
    let regions = "ams 1->2, arn 1->2, bog 1->2, cdg 1->2, dfw 1->2, fra 1->2, gru 1->2, iad 1->2";
    let new = regions.split(", ").map(|place| &place[..3]).zip(0..);
    quiet
        .fold(plan(48), Planning::group)
        .group(group("web", "bin/web", Changed, regions))
        .steps(new.map(|(at, n)| create("web", at, n)))
}

fn with_standby() -> Plan {
    let mut plan = plan(1)
        .group(
            group("worker", "bin/worker", Added, "ams 0->2")
                .why("1 and 1 standby: Fly's rule for a new group without services"),
        )
        .group(group("jobs", "bin/jobs", Changed, "ams 1->2"))
        .step(create("worker", "ams", 0))
        .step(standby("jobs", "ams", 2, "148ed599c14189"));
    let mut reserve = create("worker", "ams", 1);
    if let aeroform::core::plan::Action::Create { standby_for, .. } = &mut reserve.action {
        standby_for.push(aeroform::core::plan::Standby::Step(plan.steps[0].id));
    }
    plan = plan.step(reserve);
    plan
}

/// So many Machines in twenty regions that all get a new image, and as many that go.
pub(crate) fn ten_thousand(n: usize) -> Plan {
    let changes = fields(json!({"image": "shop:41"}), json!({"image": "shop:42"}));
    let at = |n: usize| format!("r{:02}", n % 20);
    let mut plan = plan(n)
        .group(
            group("web", "bin/web", Changed, "").strategy("rolling: 1 first, then 1,650 at a time"),
        )
        .group(group("old", "", Removed, ""));
    plan.groups[0].before = u32::try_from(n / 2).unwrap();
    plan.groups[1].before = u32::try_from(n - n / 2).unwrap();
    plan.groups[1].after = plan.groups[1].before;
    for k in 0..n / 2 {
        plan = plan.step(update("web", &at(k), &format!("148ed{k:09}"), &changes));
    }
    for k in n / 2..n {
        plan = plan.step(destroy(
            "old",
            &at(k),
            &format!("148ed{k:09}"),
            Removal::GroupRemoved,
            "its group is removed",
        ));
    }
    plan
}

fn whole_app_destroyed() -> Plan {
    let gone = |group: &str, at: &str, machine: &str| {
        destroy(
            group,
            at,
            machine,
            Removal::AppDestroyed,
            "the whole app is destroyed",
        )
    };
    let mut plan = plan(3)
        .group(group("web", "", Removed, "ams 2->0"))
        .group(group("worker", "", Removed, "ams 1->0"))
        .steps([
            gone("web", "ams", "148ed599c14189"),
            gone("web", "ams", "6e82d933b7d587"),
            leaving(
                gone("worker", "ams", "9080eddc29387e"),
                "vol_vz3lnq8k9x7mz4w1",
            ),
        ]);
    plan.aim = Aim::Nothing;
    plan
}
