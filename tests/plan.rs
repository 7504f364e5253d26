//! The planner by example: each test reads like a line of its specification. Every plan here is also
//! read by `check` and planned twice (see `support::Stage`).

mod support;

use aeroform::core::fleet::{HostStatus, Limit, MachineState, Management};
use aeroform::core::plan::{Allow, Options, Plan, SavedPlan, questions};
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
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
}

#[test]
fn ha_false_makes_one_and_a_region_list_one_per_region() {
    let stage = Stage::empty();
    let wanted = desired([
        ("web", group("web").serves().with(|g| g.ha = false)),
        ("edge", group("edge").serves().list("ams fra iad")),
    ]);
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
}

#[test]
fn scaling_up_creates_where_the_list_has_fewest() {
    let mut stage = Stage::with(&desired([("web", group("web").count(4).list("gru bog"))]));
    let wanted = desired([("web", group("web").count(8).list("gru bog"))]);
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
}

#[test]
fn scale_down_destroys_the_unhealthy_machine_first() {
    let before = desired([("web", group("web").count(3))]);
    let mut stage = Stage::with(&before);
    stage.touch("m00001", |machine| machine.state = MachineState::Stopped);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"");
    stage.touch("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"");
    stage.touch("m00003", |machine| machine.host = HostStatus::Unreachable);
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"");
}

#[test]
fn a_removed_group_loses_all_its_machines_after_everything_else_stands() {
    let before = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(2)),
    ]);
    let mut stage = Stage::with(&before);
    let plan = stage.apply(&desired([("web", group("web").count(3))]));
    assert_snapshot!(lines(&plan), @"");
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
    assert_snapshot!(lines(&plan), @"");
    let pools: Vec<_> = plan
        .pools
        .iter()
        .map(|p| format!("{} {} {}", p.name, p.size, p.first_alone))
        .collect();
    assert_snapshot!(pools.join("\n"), @"");
}

#[test]
fn a_moved_group_keeps_its_machines() {
    let mut stage = Stage::with(&desired([("worker", group("worker").count(2))]));
    let mut wanted = desired([("jobs", group("jobs").count(2))]);
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
    wanted.moved.push(moved("worker", "jobs"));
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
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
    assert_snapshot!(format!("{}\n{}", note.message, note.hint.as_deref().unwrap()), @"");
}

#[test]
fn without_a_count_what_vanished_is_made_again_where_it_was() {
    let wanted = desired([("web", group("web").serves().list("ams fra"))]);
    let mut stage = Stage::with(&wanted);
    stage.lose("m00002");
    let wanted = desired([("web", group("web").serves())]);
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
}

#[test]
fn what_was_added_outside_is_adopted_and_without_a_count_kept() {
    let wanted = desired([("web", group("web").serves())]);
    let mut stage = Stage::with(&wanted);
    stage.clone_machine("m00001", "e0001");
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
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
    assert_snapshot!(lines(&plan), @"");
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
    assert_snapshot!(lines(&plan), @"");
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
    assert_snapshot!(lines(&plan), @"");
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
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
}

#[test]
fn a_mount_that_comes_replaces_new_first_and_repoints_nothing_else() {
    let mut stage = Stage::with(&desired([("db", group("db").count(2))]));
    assert_snapshot!(lines(&stage.apply(&desired([("db", group("db").count(2).mount())]))), @"");
}

#[test]
fn a_mount_that_goes_leaves_its_volume_and_asks_for_the_name() {
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    let plan = stage.plan(&desired([("db", group("db").count(1))]));
    assert_snapshot!(lines(&plan), @"");
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
    assert_snapshot!(lines(&stage.apply(&wanted(1))), @"");
    assert_snapshot!(lines(&stage.apply(&wanted(2))), @"");
    assert_snapshot!(lines(&stage.apply(&wanted(0))), @"");
}

#[test]
fn a_written_count_without_standby_means_no_standbys() {
    let mut stage = Stage::with(&desired([("worker", group("worker"))]));
    assert_snapshot!(lines(&stage.apply(&desired([("worker", group("worker").count(1))]))), @"");
}

#[test]
fn protect_refuses_what_lowers_the_count_and_unprotecting_is_a_plan_of_its_own() {
    let mut stage = Stage::with(&desired([("web", group("web").count(3).protected())]));
    stage.apply(&desired([("web", group("web").count(3).protected())]));
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2).protected())]))), @"");
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"");
    assert_snapshot!(lines(&stage.plan(&desired([("other", group("other").count(1))]))), @"");
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(3))]))), @"");
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"");
}

#[test]
fn max_destroy_refuses_and_shows_the_plan_all_the_same() {
    let stage = Stage::with(&desired([("web", group("web").count(10))]));
    let mut wanted = desired([("web", group("web").count(7))]);
    wanted.policy.max_destroy = Some(Limit::Share(0.25));
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
    wanted.policy.max_destroy = Some(Limit::Count(3));
    assert_eq!(stage.plan(&wanted).refusals, []);
}

#[test]
fn an_empty_answer_is_not_an_empty_world() {
    let wanted = desired([("web", group("web").count(2))]);
    let mut stage = Stage::with(&wanted);
    stage.observed.machines.clear();
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
    stage.observed.description.machine_count = 0;
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
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
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
}

#[test]
fn a_lost_state_is_taken_over_from_the_stamps() {
    let wanted = desired([("web", group("web").count(2).protected())]);
    let mut stage = Stage::with(&wanted);
    stage.known = Stage::empty().known;
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(1))]))), @"");
    assert_snapshot!(lines(&stage.apply(&wanted)), @"");
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
    assert_snapshot!(lines(&stage.plan(&before)), @"");
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
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
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
    assert_snapshot!(lines(&stage.plan(&wanted)), @"");
    let env = json!({"env": {"LOG": "debug"}});
    let changed = desired([
        ("web", group("web").count(2).config(env.clone())),
        ("db", group("db").count(1).mount().config(env)),
    ]);
    assert_snapshot!(lines(&stage.plan(&changed)), @"");
}

#[test]
fn machines_with_volumes_are_not_moved_to_even_out_a_list() {
    let mut stage = Stage::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").exact(&[("gru", 3)]).mount())]));
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").count(3).list("gru bog").mount())]))), @"");
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").exact(&[("gru", 2), ("bog", 1)]).mount())]))), @"");
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
    assert_snapshot!(lines(&stage.offline(&wanted)), @"");
    assert_snapshot!(lines(&Stage::empty().offline(&wanted)), @"");
}

#[test]
fn destroying_the_app_asks_for_its_name() {
    let wanted = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]);
    let mut stage = Stage::with(&wanted);
    let options = Options {
        destroy: true,
        ..Options::default()
    };
    let plan = stage.plan_with(&wanted, &options);
    assert_snapshot!(lines(&plan), @"");
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
        machine.config.as_mut().unwrap().schedule = Some("daily".to_owned())
    });
    other.clone_machine("m00001", "e0001");
    assert_snapshot!(saved.differences(&other.plan(&wanted)).join("\n"), @"");
}

#[test]
fn a_pending_create_is_spent_first() {
    let mut stage = Stage::with(&desired([("web", group("web").count(1))]));
    let launch = aeroform::core::fleet::LaunchId::new("abcdefghij").unwrap();
    stage.known.pending.push(aeroform::core::fleet::Pending {
        launch,
        group: group_name("web"),
        region: support::region("ams"),
    });
    let plan = stage.apply(&desired([("web", group("web").count(2))]));
    assert!(
        plan.changes()
            .any(|(_, change)| change.machine.name.as_str() == "web-abcdefghij")
    );
    assert_eq!(stage.known.pending, []);
}
