//! Who goes, in which order, and what refuses it.

use aeroform::core::fleet::{HostStatus, Limit, MachineState, MovedMachine};
use aeroform::core::plan::{Options, PlanMode, required_approval};
use insta::assert_snapshot;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id};

/// Holds rule 34.
#[test]
fn scale_down_destroys_the_unhealthy_machine_first() {
    let before = desired([("web", group("web").count(3))]);
    let mut stage = PlanFixture::with(&before);
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00001 CountLowered: not started
    ");
    stage.edit_outside("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00002 CountLowered: cordoned
    ");
    stage.edit_outside("m00003", |machine| machine.host = HostStatus::Unreachable);
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: its host does not answer
    warning host_unreachable
    ");
}

#[test]
fn a_removed_group_loses_all_its_machines_after_everything_else_stands() {
    let before = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(2)),
    ]);
    let mut stage = PlanFixture::with(&before);
    let plan = stage.apply(&desired([("web", group("web").count(3))]));
    assert_snapshot!(lines(&plan), @"
    group cron: 2->0 removed (ams 2->0)
    group web: 2->3 changed (ams 2->3)
    create web ams
    destroy cron ams m00001 GroupRemoved: its group is not in `[processes]`
    destroy cron ams m00002 GroupRemoved: its group is not in `[processes]`
    ");
    let approval = required_approval(&plan);
    assert_eq!(approval.typed.len(), 1);
    assert_eq!(approval.typed[0].name, "cron");
    assert_eq!(approval.flags(), "--auto-approve --allow-destroy=cron:2");
}

/// Holds rule 33.
#[test]
fn a_group_that_keeps_no_machine_asks_for_its_name_whatever_the_cause() {
    let stage = PlanFixture::with(&desired([("web", group("web").exact(&[("ams", 2)]))]));
    for emptied in [
        group("web").count(0),
        group("web").exact(&[("ams", 0)]),
        group("web").exact(&[]),
    ] {
        let approval = required_approval(&stage.plan(&desired([("web", emptied)])));
        assert_eq!(approval.flags(), "--auto-approve --allow-destroy=web:2");
        let why = "destroys all Machines of group `web` (2 Machines)";
        assert_eq!(approval.typed[0].why, why);
    }
    for smaller in [
        group("web").count(1),
        group("web").exact(&[("ams", 1)]),
        group("web").exact(&[("fra", 1)]),
    ] {
        let approval = required_approval(&stage.plan(&desired([("web", smaller)])));
        assert_eq!(approval.flags(), "--auto-approve");
    }
}

#[test]
fn machines_that_move_to_another_group_are_not_destroyed() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    let mut moves = desired([
        ("web", group("web").count(0)),
        ("api", group("api").count(2)),
    ]);
    moves.moved_machines = ["m00001", "m00002"]
        .map(|machine| MovedMachine {
            machine: id(machine),
            to: group_name("api"),
            location: String::new(),
        })
        .to_vec();
    let plan = stage.plan(&moves);
    assert_snapshot!(lines(&plan), @"
    group api: 2->2 changed (ams 2->2)
    group web: 0->0 unchanged ()
    move api ams m00001 from web [env.FLY_PROCESS_GROUP init.cmd]
    move api ams m00002 from web [env.FLY_PROCESS_GROUP init.cmd]
    -- api: all arrived
    ");
    assert_eq!(required_approval(&plan).flags(), "--auto-approve");
    // One of them goes for good and leaves its group empty.
    moves.moved_machines.pop();
    let plan = stage.plan(&moves);
    assert_eq!(
        required_approval(&plan).flags(),
        "--auto-approve --allow-destroy=web:1"
    );
}

#[test]
fn one_machine_that_moves_into_a_group_of_none_takes_no_group_away() {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(2)),
        ("old", group("old").count(1)),
    ]));
    let into = |machine: &str, web: u32| {
        let mut moves = desired([
            ("web", group("web").count(web)),
            ("old", group("old").count(0)),
        ]);
        let (machine, to) = (id(machine), group_name("old"));
        moves.moved_machines = vec![MovedMachine {
            machine,
            to,
            location: String::new(),
        }];
        moves
    };
    let known = PlanFixture::with(&desired([("web", group("web").count(2))]));
    // The group that it leaves has others, and the one that it comes to had none.
    let approval = required_approval(&known.plan(&into("m00001", 2)));
    assert_eq!(approval.flags(), "--auto-approve");
    // A group that loses its last Machine needs approval, and so does one that loses a Machine of its own.
    let approval = required_approval(&known.plan(&into("m00001", 0)));
    let flags = approval.flags();
    assert!(
        flags.contains("old:1") && flags.contains("web:1"),
        "{flags}"
    );
    let approval = required_approval(&stage.plan(&into("m00002", 2)));
    assert_eq!(approval.flags(), "--auto-approve --allow-destroy=old:2");
}

#[test]
fn destroying_the_app_asks_for_its_name() {
    let target = desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]);
    let mut stage = PlanFixture::with(&target);
    let options = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    let plan = stage.plan_with(&target, &options);
    assert_snapshot!(lines(&plan), @"
    group cron: 1->0 removed (ams 1->0)
    group web: 2->0 removed (ams 2->0)
    destroy cron ams m00001 AppDestroyed: the app is destroyed
    destroy web ams m00002 AppDestroyed: the app is destroyed
    destroy web ams m00003 AppDestroyed: the app is destroyed
    ");
    assert_eq!(
        required_approval(&plan).flags(),
        "--auto-approve --allow-destroy=all"
    );
    stage.carry_out(&target, &plan);
    assert!(stage.known.machines.is_empty() && stage.observed.machines.is_empty());
    assert!(stage.plan_with(&target, &options).is_empty());
}

/// Holds rule 33.
#[test]
fn protect_refuses_what_lowers_the_count_and_unprotecting_is_a_plan_of_its_own() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(3).protected())]));
    stage.apply(&desired([("web", group("web").count(3).protected())]));
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2).protected())]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: newest
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(2))]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00003 CountLowered: newest
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
    destroy web ams m00003 CountLowered: newest
    ");
}

#[test]
fn a_protected_group_may_be_as_small_as_another_tool_has_made_it() {
    let web = |count| desired([("web", group("web").count(count).protected())]);
    let mut stage = PlanFixture::with(&web(2));
    stage.remove_machine("m00001");
    stage.clone_machine("m00002", "e0001");
    stage.edit_outside("m00002", |machine| machine.cordoned = true);
    assert_snapshot!(lines(&stage.apply(&web(1))), @"
    group web: 2->1 changed (ams 2->1)
    forget web ams m00001
    adopt web ams e0001: not in the state
    destroy web ams m00002 CountLowered: cordoned
    ");
}

#[test]
fn max_destroy_refuses_and_shows_the_plan_all_the_same() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(10))]));
    let mut target = desired([("web", group("web").count(7))]);
    target.policy.max_destroy = Some(Limit::Share(0.25));
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 10->7 changed (ams 10->7)
    destroy web ams m00010 CountLowered: newest
    destroy web ams m00009 CountLowered: newest
    destroy web ams m00008 CountLowered: newest
    refused max_destroy
    ");
    target.policy.max_destroy = Some(Limit::Count(3));
    assert_eq!(stage.plan(&target).refusals, []);
}
