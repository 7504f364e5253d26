//! What a plan must not lose without a word: protected Machines, volumes on hosts that do not answer,
//! and Machines that somebody else has added.

use std::collections::BTreeSet;

use aeroform::core::fleet::{GroupName, HostStatus, Limit, MachineState, Management, MovedMachine};
use aeroform::core::plan::{ApprovalFlags, Options, PlanMode, required_approval};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id};

fn names_removed(target: &mut aeroform::core::fleet::Desired, machine: &str) {
    target.removed_machines.insert(id(machine));
}

#[test]
fn a_removed_entry_does_not_lower_the_count_of_a_protected_group() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(3).protected())]));
    let mut target = desired([("web", group("web").count(2).protected())]);
    names_removed(&mut target, "m00001");
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00001 Named: listed in `[[removed]]`
    refused protected_group web
    ");
}

#[test]
fn a_removed_entry_counts_against_max_destroy_where_it_lowers_the_count() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(3))]));
    let mut target = desired([("web", group("web").count(2))]);
    names_removed(&mut target, "m00001");
    target.policy.max_destroy = Some(Limit::Count(0));
    assert_eq!(stage.plan(&target).refusals[0].code, "max_destroy");
}

/// Holds rule 17.
#[test]
fn a_removed_entry_says_which_machine_goes_wherever_it_is() {
    let mut stage = PlanFixture::with(&desired([(
        "web",
        group("web").exact(&[("ams", 3), ("fra", 1)]),
    )]));
    let mut target = desired([("web", group("web").count(3))]);
    names_removed(&mut target, "m00004");
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 4->3 changed (ams 3->3, fra 1->0)
    destroy web fra m00004 Named: listed in `[[removed]]`
    ");
}

#[test]
fn a_removed_entry_takes_one_away_where_no_count_is_written_and_replaces_one_where_it_is() {
    let all = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::with(&all);
    let mut target = all.clone();
    names_removed(&mut target, "m00001");
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 2->1 changed (ams 2->1)
    destroy web ams m00001 Named: listed in `[[removed]]`
    ");
    let mut target = desired([("web", group("web").serves().count(1))]);
    names_removed(&mut target, "m00002");
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 1->1 changed (ams 1->1)
    create web ams
    destroy web ams m00002 Named: listed in `[[removed]]`
    ");
}

#[test]
fn a_removed_entry_names_the_standby_that_goes() {
    let target = |standby| {
        desired([(
            "worker",
            group("worker").count(1).with(|g| g.standby = Some(standby)),
        )])
    };
    let mut stage = PlanFixture::with(&target(2));
    let mut fewer = target(1);
    names_removed(&mut fewer, "m00002");
    assert_snapshot!(lines(&stage.apply(&fewer)), @"
    group worker: 3->2 changed (ams 3->2)
    destroy worker ams m00002 Named: listed in `[[removed]]`
    ");
}

#[test]
fn a_protected_group_loses_none_by_moving_machines_out_of_it() {
    let before = desired([
        ("web", group("web").count(3).protected()),
        ("junk", group("junk").count(0)),
    ]);
    let stage = PlanFixture::with(&before);
    let mut target = desired([
        ("web", group("web").count(2).protected()),
        ("junk", group("junk").count(0)),
    ]);
    target.moved_machines.push(MovedMachine {
        machine: id("m00001"),
        to: group_name("junk"),
        location: String::new(),
    });
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group junk: 1->0 changed (ams 1->0)
    group web: 2->2 unchanged (ams 2->2)
    destroy junk ams m00001 CountLowered: count is 0
    note scaled_to_zero junk
    refused protected_group web
    ");
    let mut gone = desired([("junk", group("junk").count(3))]);
    for machine in ["m00001", "m00002", "m00003"] {
        gone.moved_machines.push(MovedMachine {
            machine: id(machine),
            to: group_name("junk"),
            location: String::new(),
        });
    }
    assert_eq!(stage.plan(&gone).refusals[0].code, "protected_group");
}

#[test]
fn a_protected_group_loses_no_volume_by_moving_an_added_machine_out_of_it() {
    let web = || group("web").mount().count(2).protected();
    let before = desired([("web", web()), ("junk", group("junk").count(0))]);
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&before);
    stage.clone_machine("m00001", "e1");
    let mut target = before;
    target.moved_machines.push(MovedMachine {
        machine: id("e1"),
        to: group_name("junk"),
        location: String::new(),
    });
    let plan = stage.plan(&target);
    assert_eq!(plan.refusals[0].code, "protected_group");
    assert!(
        plan.refusals[0].message.contains("1 of its volumes"),
        "{}",
        plan.refusals[0].message
    );
    for machine in stage.observed.machines.values_mut() {
        machine.volumes.clear();
    }
    assert_eq!(stage.plan(&target).refusals, []);
}

#[test]
fn a_volume_on_a_host_that_does_not_answer_is_not_left_behind() {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    // The platform shows no config of such a Machine, and so no mount either.
    stage.edit_outside("m00001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
        machine.volumes.clear();
        machine.group = None;
        machine.state = MachineState::Failed;
    });
    let same = desired([("db", group("db").count(1).mount())]);
    assert_snapshot!(lines(&stage.plan(&same)), @"
    group db: 1->1 unchanged (ams 1->1)
    warning host_unreachable
    ");
    let changed = desired([(
        "db",
        group("db")
            .count(1)
            .mount()
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    assert_snapshot!(lines(&stage.plan(&changed)), @"
    group db: 1->1 unchanged (ams 1->1)
    warning host_unreachable
    refused unreachable_volume db
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").count(0).mount())]))), @"
    group db: 1->0 changed (ams 1->0)
    destroy db ams m00001 CountLowered leaves 1: count is 0
    note scaled_to_zero db
    warning host_unreachable
    ");
}

#[test]
fn a_standby_on_a_host_that_does_not_answer_is_no_primary() {
    let target = |n| {
        desired([(
            "worker",
            group("worker").count(n).with(|g| g.standby = Some(1)),
        )])
    };
    let mut stage = PlanFixture::with(&target(1));
    stage.edit_outside("m00002", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
        machine.standby_for.clear();
    });
    assert_snapshot!(lines(&stage.plan(&target(1))), @"
    group worker: 2->2 unchanged (ams 2->2)
    warning host_unreachable
    ");
    assert_snapshot!(lines(&stage.plan(&target(2))), @"
    group worker: 2->3 changed (ams 2->3)
    create worker ams
    create worker ams replaces m00002 standby for m00001 #0
    destroy worker ams m00002 Replaced: its host does not answer
    warning host_unreachable
    ");
}

#[test]
fn an_unknown_machine_on_an_unreachable_host_is_left_alone() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00001", "e0001");
    stage.edit_outside("e0001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
        machine.group = None;
        machine.management = Management::Unknown;
    });
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 1->1 unchanged (ams 1->1)
    note unreachable_strangers
    ");
}

#[test]
fn destroying_the_app_with_a_bare_flag_does_not_cover_what_was_added_outside() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00001", "e0001");
    let options = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    let approval = required_approval(&stage.plan_with(&target, &options));
    let all = ApprovalFlags {
        auto_approve: true,
        all_groups: true,
        ..ApprovalFlags::default()
    };
    assert_eq!(approval.not_covered_by(&all).typed.len(), 1);
    assert_eq!(
        approval.flags(),
        "--auto-approve --allow-destroy=all,web:3",
        "what it takes is said"
    );
    let named = ApprovalFlags {
        groups: [(GroupName::new("web").unwrap(), None)].into(),
        ..all
    };
    assert!(approval.not_covered_by(&named).is_empty());
}

#[test]
fn what_a_dead_run_of_ours_has_made_was_not_added_outside() {
    let web = |n| desired([("web", group("web").count(n))]);
    let all = ApprovalFlags {
        auto_approve: true,
        all_groups: true,
        ..ApprovalFlags::default()
    };
    for state_is_lost in [false, true] {
        let mut stage = PlanFixture::with(&web(2));
        let before = stage.known.clone();
        stage.apply(&web(3));
        let run = stage.known.run.clone().unwrap();
        stage.known = before;
        let mut own_runs: BTreeSet<_> = [run].into();
        if state_is_lost {
            own_runs.extend(stage.known.run.clone());
            stage.known = PlanFixture::empty().known;
        }
        let mut options = Options {
            mode: PlanMode::Destroy,
            own_runs,
            ..Options::default()
        };
        let approval = required_approval(&stage.plan_with(&web(3), &options));
        assert!(approval.not_covered_by(&all).is_empty(), "{approval:?}");

        // A copy belongs to another client, whatever its metadata.
        stage.clone_machine("m00003", "e0001");
        let approval = required_approval(&stage.plan_with(&web(3), &options)).not_covered_by(&all);
        let why: Vec<&str> = approval
            .typed
            .iter()
            .map(|typed| typed.why.as_str())
            .collect();
        assert_eq!(
            why,
            ["destroys 1 Machine of group `web` added outside Aeroform"]
        );

        // Without the journal the stamps say whose it is, and a name answers for it.
        options.own_runs.clear();
        let approval = required_approval(&stage.plan_with(&web(3), &options)).not_covered_by(&all);
        let (runs, n) = if state_is_lost {
            ("runs run1, run2", "3 Machines")
        } else {
            ("run run2", "1 Machine")
        };
        assert_eq!(
            approval.typed[0].why,
            format!(
                "destroys 1 Machine of group `web` added outside Aeroform; destroys {n} of group `web` \
                 created by {runs}, which the state does not list"
            )
        );
    }
}

#[test]
fn a_machine_that_exists_never_goes_so_that_a_vanished_one_is_made_again() {
    let mut stage = PlanFixture::with(&desired([(
        "web",
        group("web").exact(&[("ams", 2), ("fra", 1)]),
    )]));
    stage.remove_machine("m00003");
    assert_snapshot!(lines(&stage.apply(&desired([("web", group("web").count(2))]))), @"
    group web: 2->2 changed (ams 2->2)
    forget web fra m00003
    ");
}

#[test]
fn a_plan_that_takes_the_protection_away_does_not_destroy_what_others_have_added() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2).protected())]));
    stage.clone_machine("m00001", "e1");
    let still = stage.plan(&desired([("web", group("web").count(2).protected())]));
    assert_eq!(still.refusals, []);
    let unprotected = stage.plan(&desired([("web", group("web").count(2))]));
    let codes: Vec<&str> = unprotected
        .refusals
        .iter()
        .map(|note| note.code.as_str())
        .collect();
    assert_eq!(codes, ["protected_group"]);
}

#[test]
fn an_app_whose_machines_are_all_gone_can_be_destroyed() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.remove_machine("m00001");
    stage.remove_machine("m00002");
    assert_eq!(stage.plan(&target).refusals[0].code, "all_missing");
    let options = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    let planned = stage.plan_with(&target, &options);
    assert_eq!((&*planned.refusals, planned.summary().forget), (&[][..], 2));
}

#[test]
fn a_standby_beside_its_successor_is_no_loss_of_a_protected_group() {
    let target = desired([(
        "worker",
        group("worker")
            .count(1)
            .with(|g| g.standby = Some(1))
            .protected(),
    )]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00002", "m00009");
    let mut successor = stage.known.machines[&id("m00002")].clone();
    successor.name = stage.observed.machines[&id("m00009")].name.clone();
    successor.replaces = Some(id("m00002"));
    stage.known.machines.insert(id("m00009"), successor);
    let plan = stage.plan(&target);
    assert_eq!(plan.summary().destroy, 1);
    assert_eq!(plan.refusals, []);
    // It is no part of what a fall of the number of primaries is held against either.
    let fewer = desired([("worker", group("worker").count(0).protected())]);
    assert_eq!(stage.plan(&fewer).refusals.len(), 1);
}

#[test]
fn a_removed_entry_takes_no_standby_of_a_protected_group_where_no_count_is_written() {
    let target = desired([("worker", group("worker").protected())]);
    let stage = PlanFixture::with(&target);
    let mut removed = target.clone();
    names_removed(&mut removed, "m00002");
    assert_snapshot!(lines(&stage.plan(&removed)), @"
    group worker: 2->1 changed (ams 2->1)
    destroy worker ams m00002 Named: listed in `[[removed]]`
    refused protected_group worker
    ");
    // Where a number is written another takes its place.
    let counted = group("worker").count(1).with(|g| g.standby = Some(1));
    let mut replaced = desired([("worker", counted.protected())]);
    names_removed(&mut replaced, "m00002");
    assert_eq!(stage.plan(&replaced).refusals, []);
}

#[test]
fn a_standby_that_others_have_added_to_a_protected_group_may_go_again() {
    let counted = group("worker").count(1).with(|g| g.standby = Some(1));
    let target = desired([("worker", counted.protected())]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00002", "n00001");
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group worker: 3->2 changed (ams 3->2)
    adopt worker ams n00001: not in the state
    destroy worker ams n00001 CountLowered: too many standbys
    ");
}

#[test]
fn a_machine_leaves_its_group_only_once_the_one_that_takes_its_place_there_is_up() {
    let groups = |jobs| {
        desired([
            ("web", group("web").count(2).protected()),
            ("jobs", group("jobs").count(jobs)),
        ])
    };
    let mut stage = PlanFixture::with(&groups(0));
    let mut target = groups(1);
    target.moved_machines.push(MovedMachine {
        machine: id("m00001"),
        to: group_name("jobs"),
        location: String::new(),
    });
    let planned = stage.apply(&target);
    assert_snapshot!(lines(&planned), @"
    group jobs: 1->1 changed (ams 1->1)
    group web: 1->2 changed (ams 1->2)
    create web ams
    move jobs ams m00001 from web [env.FLY_PROCESS_GROUP init.cmd]
    ");
    let steps: Vec<_> = planned.changes().map(|(step, _)| step).collect();
    assert_eq!(planned.steps[steps[1].0 as usize].needs, [steps[0]]);
}
