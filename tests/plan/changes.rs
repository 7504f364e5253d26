//! What changes of a Machine, how, and what is left as it is.

use aeroform::core::fleet::{
    DesiredGroup, Exit, HostStatus, MachineState, ProcessEvent, ProcessEventKind,
};
use aeroform::core::plan::required_approval;
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, moved};

#[test]
fn an_update_rolls_one_first_and_then_a_third_at_a_time() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(6))]));
    stage.edit_outside("m00006", |machine| machine.state = MachineState::Stopped);
    let target = desired([(
        "web",
        group("web")
            .count(6)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    let plan = stage.apply(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 6->6 changed (ams 6->6)
    update web ams m00001 [env.LOG]
    update web ams m00006 [env.LOG]
    update web ams m00002 [env.LOG]
    update web ams m00003 [env.LOG]
    update web ams m00004 [env.LOG]
    update web ams m00005 [env.LOG]
    -- web: all updated
    ");
    let pools: Vec<_> = plan
        .pools
        .iter()
        .map(|p| format!("{} {} {}", p.name, p.size, p.first_alone))
        .collect();
    assert_snapshot!(pools.join("\n"), @"
    web: update running, rolling 2 true
    web: update stopped, rolling 1 false
    ");
}

/// Holds rule 17.
#[test]
fn a_moved_group_keeps_its_machines() {
    let mut stage = PlanFixture::with(&desired([("worker", group("worker").count(2))]));
    let mut target = desired([("jobs", group("jobs").count(2))]);
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group jobs: 0->2 added (ams 0->2)
    group worker: 2->0 removed (ams 2->0)
    create jobs ams x2
    -- jobs: all created
    destroy worker ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy worker ams m00002 GroupRemoved: its group is not in `[processes]`
    note renamed_group worker
    ");
    target.moved.push(moved("worker", "jobs"));
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group jobs: 2->2 changed (ams 2->2)
    move jobs ams m00001 from worker [env.FLY_PROCESS_GROUP init.cmd]
    move jobs ams m00002 from worker [env.FLY_PROCESS_GROUP init.cmd]
    ");
}

/// Holds rule 16.
#[test]
fn app_that_vanishes_because_processes_appeared_is_said_exactly() {
    let mut before = desired([("app", group("app").serves().count(2))]);
    before.has_processes = false;
    let stage = PlanFixture::with(&before);
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
    group `app` will be removed: fly.toml now has `[processes]`, and `app` is not in it
    to rename the group and keep its Machines, add this to aeroform.toml:
    [[moved]]
    from = "app"
    to = "web"
    "#);
}

#[test]
fn drift_on_our_fields_is_put_back_and_the_platforms_fields_are_left() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        let config = config_of(machine);
        config
            .env
            .as_mut()
            .unwrap()
            .insert("ADDED".to_owned(), "1".to_owned());
        config.schedule = Some("daily".to_owned());
        config.guest = Some(aeroform::core::fleet::schema::Guest {
            cpus: Some(4),
            ..Default::default()
        });
        machine.state = MachineState::Stopped;
        machine.instance = "01NEW".to_owned();
    });
    let plan = stage.apply(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 changed (ams 1->1)
    update web ams m00001 [env.ADDED]
    ");
    assert_eq!(plan.drift.len(), 1);
    assert_eq!(plan.drift[0].changes.len(), 1);
}

#[test]
fn an_outside_change_that_matches_the_manifests_is_only_recorded() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let target = desired([(
        "web",
        group("web")
            .count(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.edit_outside("m00001", |machine| {
        config_of(machine)
            .env
            .as_mut()
            .unwrap()
            .insert("LOG".to_owned(), "debug".to_owned());
    });
    let plan = stage.apply(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 changed (ams 1->1)
    adopt web ams m00001: already up to date; only the state is behind
    ");
    assert!(!plan.calls_provider());
}

/// Holds rule 2.
#[test]
fn what_another_tool_wrote_on_a_machines_own_line_is_recorded() {
    let target = desired([
        ("web", group("web").count(1)),
        ("db", group("db").count(1).mount()),
    ]);
    let mut stage = PlanFixture::with(&target);
    let volume = aeroform::core::fleet::VolumeId::new("vol_9").unwrap();
    stage.edit_outside("m00001", |machine| machine.volumes = vec![volume]);
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group db: 1->1 changed (ams 1->1)
    group web: 1->1 unchanged (ams 1->1)
    adopt db ams m00001: already up to date; only the state is behind
    ");
}

#[test]
fn a_failed_machine_is_started_again() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        machine.state = MachineState::Failed;
        machine.detail = Some("supervisor is gone".to_owned());
    });
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00001
    ");
}

/// Holds rule 9.
#[test]
fn a_machine_on_a_dead_host_is_left_alone_until_it_must_change() {
    let target = desired([
        ("web", group("web").count(2)),
        ("db", group("db").count(1).mount()),
    ]);
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&target);
    for name in ["m00001", "m00002"] {
        stage.edit_outside(name, |machine| {
            machine.host = HostStatus::Unreachable;
            machine.config = None;
        });
    }
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group db: 1->1 unchanged (ams 1->1)
    group web: 2->2 unchanged (ams 2->2)
    warning host_unreachable
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
    warning host_unreachable
    refused unreachable_volume db
    ");
}

#[test]
fn a_mount_that_comes_replaces_new_first_and_repoints_nothing_else() {
    let mut stage = PlanFixture::with(&desired([("db", group("db").count(2))]));
    assert_snapshot!(lines(&stage.apply(&desired([("db", group("db").count(2).mount())]))), @"
    group db: 2->2 changed (ams 2->2)
    create db ams replaces m00001 [mounts]
    destroy db ams m00001 Replaced: a mount was added: the Machine is replaced
    create db ams replaces m00002 [mounts]
    destroy db ams m00002 Replaced: a mount was added: the Machine is replaced
    ");
}

/// Holds rule 14.
#[test]
fn a_mount_that_goes_leaves_its_volume_and_asks_for_the_name() {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    let plan = stage.plan(&desired([("db", group("db").count(1))]));
    assert_snapshot!(lines(&plan), @"
    group db: 1->1 changed (ams 1->1)
    create db ams replaces m00001 [mounts]
    destroy db ams m00001 Replaced leaves 1: a mount was removed: the Machine is replaced
    ");
    assert_eq!(
        required_approval(&plan).typed[0].why,
        "leaves 1 volume of group `db` behind"
    );
}

#[test]
fn a_group_of_which_nothing_runs_is_warned_of_unless_it_is_meant_to_rest() {
    let exited = |code: i32| {
        let exit = Exit {
            code: Some(code),
            ..Exit::default()
        };
        vec![ProcessEvent {
            id: 1,
            kind: ProcessEventKind::Exited(exit),
        }]
    };
    let warned =
        |change: &dyn Fn(DesiredGroup) -> DesiredGroup, events: &[ProcessEvent], up: bool| {
            let target = desired([("web", change(group("web").count(2)))]);
            let mut stage = PlanFixture::with(&target);
            for id in ["m00001", "m00002"] {
                stage.edit_outside(id, |machine| {
                    machine.state = MachineState::Stopped;
                    machine.events = events.to_vec();
                });
            }
            if up {
                stage.edit_outside("m00002", |machine| machine.state = MachineState::Started);
            }
            let plan = stage.plan(&target);
            assert!(plan.is_empty(), "{:#?}", plan.summary_lines());
            let warnings = plan.warnings.iter();
            warnings
                .filter(|note| note.code == "not_running")
                .map(|note| note.message.clone())
                .collect::<Vec<_>>()
        };
    let plain = |group: DesiredGroup| group;
    let said = ["group `web`: none of its 2 Machines is running"];
    assert_eq!(warned(&plain, &[], false), said);
    assert_eq!(warned(&plain, &exited(1), false), said);
    assert_eq!(warned(&plain, &[], true), [""; 0]);
    assert_eq!(warned(&plain, &exited(0), false), [""; 0]);
    let timed = |group: DesiredGroup| group.config(json!({"schedule": "daily"}));
    assert_eq!(warned(&timed, &exited(1), false), [""; 0]);
    let autostop = |group: DesiredGroup| {
        group.config(
            json!({"services": [{"internal_port": 8080, "protocol": "tcp",
            "autostop": "stop", "autostart": true}]}),
        )
    };
    assert_eq!(warned(&autostop, &[], false), [""; 0]);
}
