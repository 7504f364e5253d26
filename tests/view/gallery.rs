//! The situations in which people read a plan.

mod configs;
mod extremes;
mod swap;

use aeroform::core::fleet::{MachineState, RunId};
use aeroform::core::plan::GroupVerdict::{Added, Changed, Removed, Unchanged};
use aeroform::core::plan::{
    Action, AdoptedRun, Change, Cost, Drift, DriftKind, Plan, PlanMode, PlannedVolume, Removal,
    RestartScope, StandbyTarget, UnlistedRun,
};
use serde_json::json;

use crate::build::*;
use crate::waves;
pub(crate) use extremes::ten_thousand;

/// Every situation with its name.
pub(crate) fn all() -> Vec<(&'static str, Plan)> {
    vec![
        ("adopt_and_forget", adopt_and_forget()),
        ("drift", drifted()),
        ("drift_fates", drift_fates()),
        ("drift_of_runs", drift_of_runs()),
        ("nothing_but_a_refusal", nothing_but_a_refusal()),
        ("everything_at_once", everything_at_once()),
        ("group_moved", group_moved()),
        ("group_removed", group_removed()),
        ("groups_become_one", groups_become_one()),
        ("held", configs::held()),
        ("hidden_secrets", configs::hidden_secrets()),
        ("hostile_names", extremes::hostile_names()),
        ("immediate", extremes::immediate()),
        ("left_out", configs::left_out()),
        ("long_command", extremes::long_command()),
        ("many_groups", extremes::many_groups()),
        ("new_app", new_app()),
        ("new_volumes", new_volumes()),
        ("nothing_to_do", nothing_to_do()),
        ("nothing_to_do_offline", nothing_to_do_offline()),
        ("offline", offline()),
        ("offline_volume", offline_volume()),
        ("records_only", records_only()),
        ("refusals_and_warnings", refusals_and_warnings()),
        ("replace", replaced()),
        ("restart", restart()),
        ("reverts", configs::reverts()),
        ("scale_down", scale_down()),
        ("scale_up", scale_up()),
        ("unsent", configs::unsent()),
        ("unpriced_region", unpriced_region()),
        ("unproven", unproven()),
        ("services", configs::services()),
        ("shrink", configs::shrink()),
        ("standby", with_standby()),
        ("ten_thousand_machines", ten_thousand(10_000)),
        ("waves", waves::rolling()),
        ("waves_by_region", waves::by_region()),
        ("waves_of_serving", waves::serving()),
        ("swap", swap::begun()),
        ("swap_of_two_images", swap::of_two_images()),
        ("swap_to_finish", swap::to_finish()),
        ("waves_of_two_changes", waves::two_changes()),
        ("whole_app_destroyed", whole_app_destroyed()),
    ]
}

/// What a failed run has left.
fn unproven() -> Plan {
    let of = |machine, action, reason| {
        let mut change = change_of(machine, action, "web", "gru", reason);
        change.gate = aeroform::core::plan::GateKind::Healthy;
        change
    };
    let never = "updated by run w6x2a5k7qd, never seen healthy";
    let crashed = "exited with code 1 after release v2";
    plan(5)
        .group(group("web", "bin/web", Changed, "gru 5").strategy(ROLLING))
        .step(of("148ed599c14189", Action::Wait, never))
        .step(of("6e82d933b7d587", Action::Wait, never))
        .step(of("3d8d9014b32789", Action::Start, crashed))
        .step(of(
            "9080eddc29387e",
            Action::Start,
            "ran out of memory after release v2",
        ))
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
            with_left_over(stopped, "vol_vz3lnq8k9x7mz4w1"),
        ])
}

fn new_app() -> Plan {
    let mut plan = plan(0);
    plan.serial = 0;
    plan.state.serial = 0;
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
        prices_date: "2025-08-19".to_owned(),
    }));
    let [new, old] = replace(
        "db",
        "gru",
        "148ed599c14189",
        9,
        "a mount was removed: the Machine is replaced",
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

fn unpriced_region() -> Plan {
    let mut plan = plan(2)
        .group(group("web", "bin/web", Changed, "iad 2->3, bom 0->1, sin 0->1").strategy("rolling"))
        .steps([
            create("web", "iad", 0),
            create("web", "bom", 1),
            create("web", "sin", 2),
        ]);
    "fly".clone_into(&mut plan.provider);
    plan
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
            gone("9080eddc29387e", "newest"),
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
        "group `cron` will be removed, and a new group looks like it",
        Some(
            "to rename the group and keep its Machines, add this to aeroform.toml:\n[[moved]]\nfrom = \"cron\"\nto = \"clock\"",
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
            "a mount was removed: the Machine is replaced",
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
    plan.step(with_left_over(old, "vol_vz3lnq8k9x7mz4w1"))
        .step(new)
}

fn cost(cents_per_month: i64, if_always_running: bool) -> Cost {
    Cost {
        cents_per_month,
        if_always_running,
        prices_date: "2025-08-19".to_owned(),
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
    let mut standby = drift(DriftKind::Added, "worker", "bog", "e784079b449483");
    standby.standby = true;
    plan.drift = vec![
        changed,
        other,
        drift(DriftKind::Missing, "web", "ams", "9080eddc29387e"),
        drift(DriftKind::Added, "worker", "ams", "d8d9014b327890"),
        standby,
    ];
    plan
}

/// A Machine that is gone, and what two runs did that the state does not list; the second one is refused. Both name
/// people and commits that no view may trust.
fn drift_of_runs() -> Plan {
    let (adopted, refused) = ("w6x2abcdef", "q7y3abcdef");
    let of_run = |run: &str, mut drift: Drift| {
        drift.run = Some(RunId::new(run).unwrap());
        drift
    };
    let mut changed = drift(DriftKind::Changed, "web", "ams", "148ed599c14189");
    changed.changes = memory(512, 1024);
    let mut standby = drift(DriftKind::Added, "worker", "bog", "e784079b449483");
    standby.standby = true;
    let mut plan = plan(5);
    plan.drift = vec![
        of_run(adopted, changed),
        drift(DriftKind::Missing, "web", "ams", "9080eddc29387e"),
        of_run(
            refused,
            drift(DriftKind::Added, "worker", "ams", "d8d9014b327890"),
        ),
        of_run(adopted, standby),
    ];
    plan.adopted_runs = vec![AdoptedRun {
        run: RunId::new(adopted).unwrap(),
        serial: 13,
        by: Some("@ana #1 <b>ana</b>".to_owned()),
        commit: Some("930ce37a2b1c4d5e6f708192a3b4c5d6e7f80912".to_owned()),
        desired: None,
        is_ancestor: true,
        machines: ["148ed599c14189", "6e82d933b7d587", "e784079b449483"]
            .map(id)
            .to_vec(),
    }];
    plan.unlisted_runs = vec![UnlistedRun {
        run: RunId::new(refused).unwrap(),
        serial: 13,
        by: None,
        commit: Some("`https://a.b`+changes".to_owned()),
        machines: vec![id("d8d9014b327890")],
    }];
    plan.refusals = vec![note(
        "state_behind",
        None,
        "run q7y3abcdef changed 1 Machine (d8d9014b327890), but is not in the state (state at serial 12, run at serial 13)",
        None,
    )];
    plan
}

/// A change that is kept, one that changes further, one that is destroyed; two regions alternate by id.
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
        "no region is set for group `web`",
        Some("set `primary_region` in fly.toml, or `regions` in `[groups.web]`"),
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
            "3 Machines would be destroyed, but `[policy] max_destroy` allows 2",
            Some("raise `max_destroy`, or do it in smaller steps"),
        ),
    ];
    plan.warnings = vec![note(
        "mutable_tag",
        None,
        "image `registry.example/shop:latest` is a tag, which can change",
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
        .step(with_left_over(goes, "vol_vz3"));
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

/// A restart of a group, and a standby that watches others afterwards.
fn restart() -> Plan {
    let restarted = |machine| {
        let mut change = update("worker", "ams", machine, &[]);
        "restart requested".clone_into(&mut change.reason);
        change
    };
    let watched = ["148ed599c14189", "6e82d933b7d587"];
    let mut repointed = restarted("e2865641be9786");
    "the Machines it watches change".clone_into(&mut repointed.reason);
    repointed.standby = true;
    if let Action::Update { standby_for } = &mut repointed.action {
        let targets = watched.map(|machine| StandbyTarget::Machine(id(machine)));
        standby_for.extend(targets);
    }
    let mut plan = plan(3)
        .group(group("worker", "bin/worker", Changed, "ams 3").strategy("rolling"))
        .steps(watched.map(restarted))
        .step(repointed);
    plan.requested.restart = RestartScope::All;
    plan
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
        standby_for.push(StandbyTarget::Step(plan.steps[0].id));
    }
    plan = plan.step(reserve);
    plan
}

fn whole_app_destroyed() -> Plan {
    let gone = |group: &str, at: &str, machine: &str| {
        destroy(
            group,
            at,
            machine,
            Removal::AppDestroyed,
            "the app is destroyed",
        )
    };
    let mut plan = plan(3)
        .group(group("web", "", Removed, "ams 2->0"))
        .group(group("worker", "", Removed, "ams 1->0"))
        .steps([
            gone("web", "ams", "148ed599c14189"),
            gone("web", "ams", "6e82d933b7d587"),
            with_left_over(
                gone("worker", "ams", "9080eddc29387e"),
                "vol_vz3lnq8k9x7mz4w1",
            ),
        ]);
    plan.mode = PlanMode::Destroy;
    plan
}
