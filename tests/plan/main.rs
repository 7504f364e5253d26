//! The planner by example: each test reads like a line of its specification. Every plan here is also
//! read by `check` and planned twice (see `support::Stage`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod again;
mod check;
mod codes;
mod cost;
mod half_up;
mod histories;
mod images;
mod losses;
mod ownership;
mod places;
#[path = "../support/provoked.rs"]
mod provoked;
mod refresh;
#[path = "../support/mod.rs"]
mod support;

use aeroform::core::fleet::{HostStatus, LaunchId, Limit, MachineState, Management, Pending};
use aeroform::core::plan::{Aim, Allow, Options, Plan, SavedPlan, questions};
use insta::assert_snapshot;
use serde_json::json;
use support::{GroupWords, Stage, desired, group, group_name, id, moved};

fn lines(plan: &Plan) -> String {
    plan.summary_lines().join("\n")
}

#[test]
fn a_new_app_gets_flys_own_rule_where_no_count_is_written() {
    let stage = Stage::empty();
    let wanted = desired([
        ("web", group("web").serves()),
        ("worker", group("worker")),
        ("db", group("db").mount()),
    ]);
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group db: 0->1 added (ams 0->1)
    group web: 0->2 added (ams 0->2)
    group worker: 0->2 added (ams 0->2)
    create db ams
    create web ams x2
    -- web: all created
    create worker ams
    create worker ams standby for #4
    ");
}

#[test]
fn ha_false_makes_one_and_a_region_list_one_per_region() {
    let stage = Stage::empty();
    let wanted = desired([
        ("web", group("web").serves().with(|g| g.ha = false)),
        ("edge", group("edge").serves().list("ams fra iad")),
    ]);
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group edge: 0->3 added (ams 0->1, fra 0->1, iad 0->1)
    group web: 0->1 added (ams 0->1)
    create edge ams
    create edge fra
    create edge iad
    -- edge: all created
    create web ams
    warning shared_port
    ");
}

#[test]
fn scaling_up_creates_where_the_list_has_fewest() {
    let mut stage = Stage::with(&desired([("web", group("web").count(4).list("gru bog"))]));
    let wanted = desired([("web", group("web").count(8).list("gru bog"))]);
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group web: 4->8 changed (bog 2->4, gru 2->4)
    create web bog x2
    create web gru x2
    -- web: all created
    ");
}

#[test]
fn scale_down_destroys_the_unhealthy_machine_first() {
    let before = desired([("web", group("web").count(3))]);
    let mut stage = Stage::with(&before);
    stage.touch("m00001", |machine| machine.state = MachineState::Stopped);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00001 CountLowered: not started
    ");
    stage.touch("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00002 CountLowered: cordoned
    ");
    stage.touch("m00003", |machine| machine.host = HostStatus::Unreachable);
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: its host does not answer
    note host_unreachable
    ");
}

#[test]
fn a_removed_group_loses_all_its_machines_after_everything_else_stands() {
    let before = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(2)),
    ]);
    let mut stage = Stage::with(&before);
    let plan = stage.apply(&desired([("web", group("web").count(3))]));
    assert_snapshot!(lines(&plan), @"
    group cron: 2->0 removed (ams 2->0)
    group web: 2->3 changed (ams 2->3)
    create web ams
    destroy cron ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy cron ams m00002 GroupRemoved: its group is not in `[processes]`
    ");
    let asked = questions(&plan);
    assert_eq!(asked.typed.len(), 1);
    assert_eq!(asked.typed[0].name, "cron");
    assert_eq!(asked.flags(), "--auto-approve --allow-destroy=cron:2");
}

#[test]
fn an_update_rolls_one_first_and_then_a_third_at_a_time() {
    let mut stage = Stage::with(&desired([("web", group("web").count(6))]));
    stage.touch("m00006", |machine| machine.state = MachineState::Stopped);
    let wanted = desired([(
        "web",
        group("web")
            .count(6)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    let plan = stage.apply(&wanted);
    assert_snapshot!(lines(&plan), @"
    group web: 6->6 changed (ams 6->6)
    update web ams m00001 [env.LOG]
    update web ams m00002 [env.LOG]
    update web ams m00003 [env.LOG]
    update web ams m00004 [env.LOG]
    update web ams m00005 [env.LOG]
    update web ams m00006 [env.LOG]
    -- web: all updated
    ");
    let pools: Vec<_> = plan
        .pools
        .iter()
        .map(|p| format!("{} {} {}", p.name, p.size, p.first_alone))
        .collect();
    assert_snapshot!(pools.join("\n"), @"
    web: update running, rolling 2 true
    web: update stopped, rolling 1 true
    ");
}

#[test]
fn a_moved_group_keeps_its_machines() {
    let mut stage = Stage::with(&desired([("worker", group("worker").count(2))]));
    let mut wanted = desired([("jobs", group("jobs").count(2))]);
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group jobs: 0->2 added (ams 0->2)
    group worker: 2->0 removed (ams 2->0)
    create jobs ams x2
    -- jobs: all created
    destroy worker ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy worker ams m00002 GroupRemoved: its group is not in `[processes]`
    note renamed_group worker
    ");
    wanted.moved.push(moved("worker", "jobs"));
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group jobs: 2->2 changed (ams 2->2)
    move jobs ams m00001 from worker [env.FLY_PROCESS_GROUP init.cmd]
    move jobs ams m00002 from worker [env.FLY_PROCESS_GROUP init.cmd]
    -- jobs: all updated
    ");
}

#[test]
fn app_that_vanishes_because_processes_appeared_is_said_exactly() {
    let mut before = desired([("app", group("app").serves().count(2))]);
    before.has_processes = false;
    let stage = Stage::with(&before);
    let plan = stage.plan(&desired([
        ("web", group("web").serves()),
        ("worker", group("worker")),
    ]));
    let note = plan
        .notes
        .iter()
        .find(|note| note.code == "app_removed")
        .unwrap();
    assert_snapshot!(format!("{}\n{}", note.message, note.hint.as_deref().unwrap()), @r#"
    group `app` goes because `[processes]` appeared in fly.toml: that list is complete, and `app` is not in it
    if it is the same group under a new name, write this in aeroform.toml, and its Machines move instead:
    [[moved]]
    from = "app"
    to = "web"
    "#);
}

#[test]
fn without_a_count_what_vanished_is_made_again_where_it_was() {
    let wanted = desired([("web", group("web").serves().list("ams fra"))]);
    let mut stage = Stage::with(&wanted);
    stage.lose("m00002");
    let wanted = desired([("web", group("web").serves())]);
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group web: 1->2 changed (ams 1->1, fra 0->1)
    forget web fra m00002
    create web fra
    ");
}

#[test]
fn what_was_added_outside_is_adopted_and_without_a_count_kept() {
    let wanted = desired([("web", group("web").serves())]);
    let mut stage = Stage::with(&wanted);
    stage.clone_machine("m00001", "e0001");
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group web: 3->3 changed (ams 3->3)
    adopt web ams e0001: not in the state
    ");
    assert_eq!(stage.known.machines.len(), 3);
    assert_eq!(
        stage.known.machines[&id("e0001")].launch,
        None,
        "a copy answers no intent"
    );
}

#[test]
fn what_was_added_outside_is_not_destroyed_without_the_groups_name() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.clone_machine("m00001", "e0001");
    let plan = stage.plan(&wanted);
    assert_snapshot!(lines(&plan), @"
    group web: 3->2 changed (ams 3->2)
    adopt web ams e0001: not in the state
    destroy web ams e0001 CountLowered: the newest
    ");
    let asked = questions(&plan);
    let all = Allow {
        auto_approve: true,
        all: true,
        ..Allow::default()
    };
    assert!(
        !asked.open(&all).is_empty(),
        "a bare flag does not cover it"
    );
    let named = |n| Allow {
        groups: [(group_name("web"), n)].into(),
        ..all.clone()
    };
    assert!(asked.open(&named(None)).is_empty());
    assert!(asked.open(&named(Some(1))).is_empty());
    assert!(!asked.open(&named(Some(0))).is_empty());
}

#[test]
fn drift_on_our_fields_is_put_back_and_the_platforms_fields_are_left() {
    let wanted = desired([("web", group("web").count(1))]);
    let mut stage = Stage::with(&wanted);
    stage.touch("m00001", |machine| {
        let config = machine.config.as_mut().unwrap();
        config
            .env
            .as_mut()
            .unwrap()
            .insert("ADDED".to_owned(), "1".to_owned());
        config.schedule = Some("daily".to_owned());
        config.guest = Some(aeroform::core::fleet::config::Guest {
            cpus: Some(4),
            ..Default::default()
        });
        machine.state = MachineState::Stopped;
        machine.instance = "01NEW".to_owned();
    });
    let plan = stage.apply(&wanted);
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 changed (ams 1->1)
    update web ams m00001 [env.ADDED]
    ");
    assert_eq!(plan.drift.len(), 1);
    assert_eq!(plan.drift[0].changes.len(), 1);
}

#[test]
fn a_change_made_outside_that_is_already_as_wanted_is_only_recorded() {
    let mut stage = Stage::with(&desired([("web", group("web").count(1))]));
    let wanted = desired([(
        "web",
        group("web")
            .count(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.touch("m00001", |machine| {
        machine
            .config
            .as_mut()
            .unwrap()
            .env
            .as_mut()
            .unwrap()
            .insert("LOG".to_owned(), "debug".to_owned());
    });
    let plan = stage.apply(&wanted);
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 changed (ams 1->1)
    adopt web ams m00001: it is already as wanted, the state is not
    ");
    assert!(!plan.calls_provider());
}

#[test]
fn a_failed_machine_is_started_again() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.touch("m00001", |machine| {
        machine.state = MachineState::Failed;
        machine.detail = Some("supervisor is gone".to_owned());
    });
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00001
    ");
}

#[test]
fn a_mount_that_comes_replaces_new_first_and_repoints_nothing_else() {
    let mut stage = Stage::with(&desired([("db", group("db").count(2))]));
    assert_snapshot!(lines(&stage.apply(&desired([("db", group("db").count(2).mount())]))), @"
    group db: 2->2 changed (ams 2->2)
    create db ams replaces m00001 [mounts]
    destroy db ams m00001 Replaced: its config cannot be changed in place
    create db ams replaces m00002 [mounts]
    destroy db ams m00002 Replaced: its config cannot be changed in place
    -- db: all updated
    ");
}

#[test]
fn a_mount_that_goes_leaves_its_volume_and_asks_for_the_name() {
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    let plan = stage.plan(&desired([("db", group("db").count(1))]));
    assert_snapshot!(lines(&plan), @"
    group db: 1->1 changed (ams 1->1)
    create db ams replaces m00001 [mounts]
    destroy db ams m00001 Replaced leaves 1: its config cannot be changed in place
    ");
    assert_eq!(
        questions(&plan).typed[0].why,
        "leaves 1 volume of group `db` behind"
    );
}

#[test]
fn standbys_watch_all_primaries_and_are_repointed_when_those_change() {
    let mut stage = Stage::empty();
    let wanted = |n| {
        desired([(
            "worker",
            group("worker").count(n).with(|g| g.standby = Some(1)),
        )])
    };
    assert_snapshot!(lines(&stage.apply(&wanted(1))), @"
    group worker: 0->2 added (ams 0->2)
    create worker ams
    create worker ams standby for #0
    ");
    assert_snapshot!(lines(&stage.apply(&wanted(2))), @"
    group worker: 2->3 changed (ams 2->3)
    create worker ams
    update worker ams m00002 standby for m00001 #0
    ");
    assert_snapshot!(lines(&stage.apply(&wanted(0))), @"
    group worker: 3->0 changed (ams 3->0)
    destroy worker ams m00003 CountLowered: none is wanted in its region
    destroy worker ams m00001 CountLowered: none is wanted in its region
    destroy worker ams m00002 CountLowered: one standby too many
    note scaled_to_zero worker
    ");
}

#[test]
fn a_written_count_without_standby_means_no_standbys() {
    let mut stage = Stage::with(&desired([("worker", group("worker"))]));
    assert_snapshot!(lines(&stage.apply(&desired([("worker", group("worker").count(1))]))), @"
    group worker: 2->1 changed (ams 2->1)
    destroy worker ams m00002 CountLowered: one standby too many
    ");
}

#[test]
fn protect_refuses_what_lowers_the_count_and_unprotecting_is_a_plan_of_its_own() {
    let mut stage = Stage::with(&desired([("web", group("web").count(3).protected())]));
    stage.apply(&desired([("web", group("web").count(3).protected())]));
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2).protected())]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: the newest
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: the newest
    record unprotects web
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("other", group("other").count(1))]))), @"
    group other: 0->1 added (ams 0->1)
    group web: 3->0 removed (ams 3->0)
    create other ams
    destroy web ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy web ams m00002 GroupRemoved: its group is not in `[processes]`
    destroy web ams m00003 GroupRemoved: its group is not in `[processes]`
    note renamed_group web
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(3))]))), @"
    group web: 3->3 unchanged (ams 3->3)
    record unprotects web
    ");
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: the newest
    ");
}

#[test]
fn max_destroy_refuses_and_shows_the_plan_all_the_same() {
    let stage = Stage::with(&desired([("web", group("web").count(10))]));
    let mut wanted = desired([("web", group("web").count(7))]);
    wanted.policy.max_destroy = Some(Limit::Share(0.25));
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group web: 10->7 changed (ams 10->7)
    destroy web ams m00010 CountLowered: the newest
    destroy web ams m00009 CountLowered: the newest
    destroy web ams m00008 CountLowered: the newest
    refused max_destroy
    ");
    wanted.policy.max_destroy = Some(Limit::Count(3));
    assert_eq!(stage.plan(&wanted).refusals, []);
}

#[test]
fn an_empty_answer_is_not_an_empty_world() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.observed.machines.clear();
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group web: 0->2 added (ams 0->2)
    forget web ams m00001
    forget web ams m00002
    create web ams x2
    -- web: all created
    refused fleet_vanished
    ");
    stage.observed.description.machine_count = 0;
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group web: 0->2 added (ams 0->2)
    forget web ams m00001
    forget web ams m00002
    create web ams x2
    -- web: all created
    refused all_missing
    ");
    let accept = Options {
        accept_missing: true,
        ..Options::default()
    };
    assert_eq!(stage.plan_with(&wanted, &accept).refusals, []);
}

#[test]
fn another_incarnation_of_the_app_stops() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.observed.description.scope = aeroform::core::fleet::Lineage::new("scope-2").unwrap();
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group web: 2->2 unchanged (ams 2->2)
    refused other_lineage
    ");
}

#[test]
fn a_lost_state_is_taken_over_from_the_stamps() {
    let wanted = desired([("web", group("web").count(2).protected())]);
    let mut stage = Stage::with(&wanted);
    stage.known = Stage::empty().known;
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(1))]))), @"
    group web: 2->1 changed (ams 2->1)
    adopt web ams m00001: not in the state
    adopt web ams m00002: not in the state
    destroy web ams m00002 CountLowered: the newest
    record unrecorded_run
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group web: 2->2 changed (ams 2->2)
    adopt web ams m00001: not in the state
    adopt web ams m00002: not in the state
    record protects web
    record unrecorded_run
    ");
    assert!(
        stage
            .known
            .machines
            .values()
            .all(|machine| machine.launch.is_some())
    );
}

#[test]
fn a_run_that_the_state_does_not_list_stops_unless_it_is_the_same_commit_or_only_adds() {
    let before = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&before);
    let old = stage.known.clone();
    let other = desired([(
        "web",
        group("web")
            .count(2)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.apply(&other);
    stage.known = old;
    assert_snapshot!(lines(&stage.plan(&before)), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00001 [env.LOG]
    update web ams m00002 [env.LOG]
    -- web: all updated
    refused state_behind
    ");
    assert_eq!(
        stage.plan(&other).refusals,
        [],
        "the same commit run again goes on"
    );
    let run = stage
        .observed
        .machines
        .values()
        .next()
        .unwrap()
        .stamps
        .run
        .clone()
        .unwrap();
    let options = Options {
        adopt_runs: [run].into(),
        ..Options::default()
    };
    assert_eq!(stage.plan_with(&before, &options).refusals, []);
}

#[test]
fn special_machines_and_strangers_are_named_and_left_alone() {
    let wanted = desired([("web", group("web").count(1))]);
    let mut stage = Stage::with(&wanted);
    for (name, management) in [
        ("e0001", Management::Special),
        ("e0002", Management::Stranger),
    ] {
        stage.clone_machine("m00001", name);
        stage.touch(name, |machine| machine.management = management);
    }
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group web: 1->1 unchanged (ams 1->1)
    note special_machines
    note strangers
    ");
}

#[test]
fn a_machine_on_a_dead_host_is_left_alone_until_it_must_change() {
    let wanted = desired([
        ("web", group("web").count(2)),
        ("db", group("db").count(1).mount()),
    ]);
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&wanted);
    for name in ["m00001", "m00002"] {
        stage.touch(name, |machine| {
            machine.host = HostStatus::Unreachable;
            machine.config = None;
        });
    }
    assert_snapshot!(lines(&stage.plan(&wanted)), @"
    group db: 1->1 unchanged (ams 1->1)
    group web: 2->2 unchanged (ams 2->2)
    note host_unreachable
    note host_unreachable
    ");
    let env = json!({"env": {"LOG": "debug"}});
    let changed = desired([
        ("web", group("web").count(2).config(env.clone())),
        ("db", group("db").count(1).mount().config(env)),
    ]);
    assert_snapshot!(lines(&stage.plan(&changed)), @"
    group db: 1->1 unchanged (ams 1->1)
    group web: 2->2 changed (ams 2->2)
    create web ams replaces m00002 [env.LOG]
    destroy web ams m00002 Replaced: its host does not answer
    update web ams m00003 [env.LOG]
    -- web: all updated
    note host_unreachable
    note host_unreachable
    refused unreachable_volume db
    ");
}

#[test]
fn machines_with_volumes_are_not_moved_to_even_out_a_list() {
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").exact(&[("gru", 3)]).mount())]));
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").count(3).list("gru bog").mount())]))), @"
    group db: 3->3 unchanged (gru 3->3)
    note held_by_volumes db
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").exact(&[("gru", 2), ("bog", 1)]).mount())]))), @"
    group db: 3->3 changed (bog 0->1, gru 3->2)
    create db bog
    destroy db gru m00003 Rebalanced leaves 1: the newest
    ");
}

#[test]
fn each_new_machine_gets_the_lowest_free_port() {
    let mut stage = Stage::empty();
    stage.observed.description.capabilities.port_base = Some(8100);
    stage.apply(&desired([("web", group("web").count(3))]));
    stage.apply(&desired([("web", group("web").count(2))]));
    stage.apply(&desired([("web", group("web").count(4))]));
    let ports: Vec<_> = stage
        .observed
        .machines
        .values()
        .map(|m| m.port.unwrap())
        .collect();
    assert_eq!(ports, [8100, 8101, 8102, 8103]);
}

#[test]
fn offline_the_state_is_the_fleet_and_what_goes_is_decided_at_apply() {
    let stage = Stage::with(&desired([
        ("web", group("web").count(3)),
        ("cron", group("cron").count(1)),
    ]));
    let wanted = desired([(
        "web",
        group("web")
            .count(2)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    assert_snapshot!(lines(&stage.offline(&wanted)), @"
    group cron: 1->0 removed (ams 1->0)
    group web: 3->2 changed (ams 3->2)
    update web ams m00002 [env.LOG]
    update web ams m00003 [env.LOG]
    -- web: all updated
    destroy web ams m00004 CountLowered: not up to date
    destroy cron ams m00001 GroupRemoved: its group is not in `[processes]`
    note decided_at_apply
    ");
    assert_snapshot!(lines(&Stage::empty().offline(&wanted)), @"
    group web: 0->2 added (ams 0->2)
    create web ams x2
    -- web: all created
    ");
}

#[test]
fn destroying_the_app_asks_for_its_name() {
    let wanted = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]);
    let mut stage = Stage::with(&wanted);
    let options = Options {
        aim: Aim::Nothing,
        ..Options::default()
    };
    let plan = stage.plan_with(&wanted, &options);
    assert_snapshot!(lines(&plan), @"
    group cron: 1->0 removed (ams 1->0)
    group web: 2->0 removed (ams 2->0)
    destroy cron ams m00001 AppDestroyed: the app is destroyed
    destroy web ams m00002 AppDestroyed: the app is destroyed
    destroy web ams m00003 AppDestroyed: the app is destroyed
    ");
    assert_eq!(
        questions(&plan).flags(),
        "--auto-approve --allow-destroy=all"
    );
    stage.carry_out(&wanted, &plan);
    assert!(stage.known.machines.is_empty() && stage.observed.machines.is_empty());
    assert!(stage.plan_with(&wanted, &options).is_empty());
}

#[test]
fn a_saved_plan_is_the_same_until_what_it_touches_changes() {
    let stage = Stage::with(&desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]));
    let wanted = desired([
        (
            "web",
            group("web")
                .count(3)
                .config(json!({"env": {"API_TOKEN": "hunter2"}})),
        ),
        ("cron", group("cron").count(1)),
    ]);
    let saved = SavedPlan::of(&stage.plan(&wanted));
    let text = saved.text();
    assert!(!text.contains("hunter2"));
    assert_eq!(SavedPlan::parse(&text).unwrap(), saved);
    assert_eq!(saved.differences(&stage.plan(&wanted)), [""; 0]);
    let mut unrelated = stage.clone();
    unrelated.touch("m00003", |machine| machine.state = MachineState::Stopped);
    assert_eq!(saved.differences(&unrelated.plan(&wanted)), [""; 0]);
    let mut other = stage.clone();
    other.touch("m00001", |machine| {
        machine.config.as_mut().unwrap().schedule = Some("daily".to_owned());
    });
    other.clone_machine("m00001", "e0001");
    assert_snapshot!(saved.differences(&other.plan(&wanted)).join("\n"), @"
    adopting e0001 of group `cron` in ams is new
    destroying e0001 of group `cron` in ams is new
    ");
}

#[test]
fn a_pending_create_is_spent_first() {
    let mut stage = Stage::with(&desired([("web", group("web").count(1))]));
    let launch = aeroform::core::fleet::LaunchId::new("abcdefghij").unwrap();
    stage.known.pending.push(aeroform::core::fleet::Pending {
        launch,
        group: group_name("web"),
        region: support::region("ams"),
        standby: false,
        replaces: None,
    });
    let plan = stage.apply(&desired([("web", group("web").count(2))]));
    assert!(
        plan.changes()
            .any(|(_, change)| change.machine.name.as_str() == "web-abcdefghij")
    );
    assert_eq!(stage.known.pending, []);
}

#[test]
fn a_run_that_was_taken_over_is_listed_and_stops_nobody_later() {
    let before = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&before);
    let old = stage.known.clone();
    let other = desired([("web", group("web").count(3))]);
    stage.apply(&other);
    // The state of that run was never written, and what follows is another commit.
    stage.known = old;
    let third = desired([
        ("web", group("web").count(3)),
        ("cron", group("cron").count(1)),
    ]);
    let plan = stage.apply(&third);
    assert_eq!(plan.takes_over.len(), 1);
    assert!(
        stage
            .known
            .runs
            .iter()
            .any(|run| run.outcome == "taken over")
    );
    let fourth = desired([(
        "web",
        group("web").count(3).config(json!({"env": {"A": "1"}})),
    )]);
    assert_eq!(stage.plan(&fourth).refusals, []);
}

#[test]
fn a_list_that_lags_is_no_ground_to_change_anything() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.observed.lagging.push(id("m00001"));
    let plan = stage.plan(&desired([("web", group("web").count(3))]));
    assert_eq!(plan.refusals[0].code, "list_lags");
}

#[test]
fn what_another_tool_wrote_on_a_machines_own_line_is_recorded() {
    let wanted = desired([
        ("web", group("web").count(1)),
        ("db", group("db").count(1).mount()),
    ]);
    let mut stage = Stage::with(&wanted);
    let volume = aeroform::core::fleet::VolumeId::new("vol_9").unwrap();
    stage.touch("m00001", |machine| machine.volumes = vec![volume]);
    assert_snapshot!(lines(&stage.apply(&wanted)), @"
    group db: 1->1 changed (ams 1->1)
    group web: 1->1 unchanged (ams 1->1)
    adopt db ams m00001: it is already as wanted, the state is not
    ");
}

#[test]
fn a_saved_plan_is_another_when_what_it_only_records_or_inherits_is() {
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    let more = desired([("web", group("web").count(3))]);
    let saved = SavedPlan::of(&stage.plan(&more));
    let mut guarded = stage.clone();
    guarded.known.protect.insert(group_name("web"));
    assert_snapshot!(saved.differences(&guarded.plan(&more)).join("\n"), @"what is only recorded differs");
    for name in ["m00001", "m00002"] {
        stage.touch(name, |machine| {
            machine.config.as_mut().unwrap().image = Some("shop:2".to_owned());
        });
    }
    assert_snapshot!(saved.differences(&stage.plan(&more)).join("\n"), @"creating a Machine of group `web` in ams is another change now");
}

#[test]
fn a_launch_id_that_stands_twice_in_the_state_is_spent_once() {
    let mut stage = Stage::with(&desired([("web", group("web").count(1))]));
    for region in ["ams", "fra"] {
        stage.known.pending.push(aeroform::core::fleet::Pending {
            launch: aeroform::core::fleet::LaunchId::new("abcdefghij").unwrap(),
            group: group_name("web"),
            region: support::region(region),
            standby: false,
            replaces: None,
        });
    }
    stage.apply(&desired([(
        "web",
        group("web").exact(&[("ams", 2), ("fra", 1)]),
    )]));
}

#[test]
fn a_renamed_group_takes_its_running_standby_along() {
    let jobs = || group("jobs").count(1).with(|g| g.standby = Some(1));
    let mut stage = Stage::with(&desired([("jobs", jobs())]));
    stage.touch("m00002", |machine| machine.state = MachineState::Started);
    let mut renamed = desired([("queue", jobs())]);
    renamed.moved = vec![moved("jobs", "queue")];
    assert_snapshot!(lines(&stage.plan(&renamed)), @"
    group queue: 2->2 changed (ams 2->2)
    move queue ams m00001 from jobs
    move queue ams m00002 from jobs standby for m00001
    ");
}

/// Its place is kept for its volume, so it is not the one that goes, whatever else is wrong with it.
#[test]
fn where_a_list_is_held_by_volumes_those_without_one_go_first() {
    let db = |count: u32, regions: &str| {
        desired([("db", group("db").count(count).mount().list(regions))])
    };
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&db(2, "ams"));
    stage.volumes = false;
    stage.apply(&db(4, "ams"));
    stage.touch("m00001", |machine| machine.state = MachineState::Stopped);
    assert_snapshot!(lines(&stage.apply(&db(3, "bog"))), @"
    group db: 4->3 changed (ams 4->2, bog 0->1)
    create db bog
    destroy db ams m00004 CountLowered: the newest
    destroy db ams m00003 Rebalanced: the newest
    note held_by_volumes db
    ");
}

/// A group without a written count keeps the Machines that it has, whoever made them.
#[test]
fn what_a_lost_run_has_made_stays_beside_what_others_have_added() {
    let wanted = desired([("web", group("web").serves().list("ams bog gru"))]);
    for serial in [0, 3] {
        let mut stage = Stage::with(&wanted);
        // The run that made them has written no state; one before it may have left what was owed.
        stage.known.pending = stage
            .observed
            .machines
            .values()
            .filter(|_| serial > 0)
            .map(|m| Pending {
                launch: LaunchId::new(m.stamps.launch.clone().unwrap()).unwrap(),
                group: group_name("web"),
                region: m.region.clone(),
                standby: false,
                replaces: None,
            })
            .collect();
        stage.known.machines.clear();
        stage.known.configs.clear();
        stage.known.runs.clear();
        stage.known.run = None;
        stage.known.serial = 0;
        stage.clone_machine("m00001", "e0001");
        assert_eq!(stage.plan(&wanted).summary().destroy, 0);
        assert_eq!(stage.apply(&wanted).groups[0].after, 4);
    }
}

#[test]
fn a_protected_group_may_be_as_small_as_another_tool_has_made_it() {
    let web = |count| desired([("web", group("web").count(count).protected())]);
    let mut stage = Stage::with(&web(2));
    stage.lose("m00001");
    stage.clone_machine("m00002", "e0001");
    stage.touch("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.apply(&web(1))), @"
    group web: 2->1 changed (ams 2->1)
    forget web ams m00001
    adopt web ams e0001: not in the state
    destroy web ams m00002 CountLowered: cordoned
    ");
}
