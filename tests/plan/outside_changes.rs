//! Machines and states of other clients, and answers that must not lead to a change.

use aeroform::core::fleet::{LaunchId, MachineId, Management, PendingCreate};
use aeroform::core::plan::{ApprovalFlags, Options, required_approval};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, region};

/// Holds rule 15.
#[test]
fn what_was_added_outside_is_adopted_and_without_a_count_kept() {
    let target = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00001", "e0001");
    assert_snapshot!(lines(&stage.apply(&target)), @"
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

/// Holds rule 7.
#[test]
fn what_was_added_outside_is_not_destroyed_without_the_groups_name() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00001", "e0001");
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 3->2 changed (ams 3->2)
    adopt web ams e0001: not in the state
    destroy web ams e0001 CountLowered: newest
    ");
    let approval = required_approval(&plan);
    let all = ApprovalFlags {
        auto_approve: true,
        all_groups: true,
        ..ApprovalFlags::default()
    };
    assert!(
        !approval.not_covered_by(&all).is_empty(),
        "a bare flag does not cover it"
    );
    let named = |n| ApprovalFlags {
        groups: [(group_name("web"), n)].into(),
        ..all.clone()
    };
    assert!(approval.not_covered_by(&named(None)).is_empty());
    assert!(approval.not_covered_by(&named(Some(1))).is_empty());
    assert!(!approval.not_covered_by(&named(Some(0))).is_empty());
}

/// Holds rule 5.
#[test]
fn auxiliary_and_unmanaged_machines_are_named_and_left_alone() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&target);
    for (name, management) in [
        ("e0001", Management::Auxiliary),
        ("e0002", Management::Unmanaged),
    ] {
        stage.clone_machine("m00001", name);
        stage.edit_outside(name, |machine| machine.management = management);
    }
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 1->1 unchanged (ams 1->1)
    note special_machines
    note strangers
    ");
}

#[test]
fn machines_of_another_project_folder_are_named_and_no_part_of_the_plan() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::empty();
    stage.observed.description.project = Some("/here".to_owned());
    stage.observed.description.capabilities.port_base = Some(8100);
    stage.observed.description.capabilities.ports_in_use = [8101, 8103].into();
    let mut theirs = stage.clone();
    theirs.apply(&target);
    // The other folder made its Machines of the same serial, so with the names that come first.
    for (id, mut machine) in theirs.observed.machines {
        machine.project = Some("/there".to_owned());
        stage.observed.other_projects.insert(id, machine);
    }
    stage.observed.description.machine_count = Some(2);
    let planned = stage.plan(&target);
    assert_snapshot!(lines(&planned), @"
    group web: 0->2 added (ams 0->2)
    create web ams x2
    -- web: all created
    note other_project
    ");
    let ports: Vec<_> = planned
        .changes()
        .filter_map(|(_, change)| match &change.action {
            aeroform::core::plan::Action::Create { port, .. } => *port,
            _ => None,
        })
        .collect();
    assert_eq!(ports, [8104, 8105]);
    // One of them is taken before the apply has the lock: the next one, and it is said.
    let ports = &mut stage.observed.description.capabilities.ports_in_use;
    ports.insert(8104);
    let fresh = stage.plan(&target);
    assert_eq!(
        aeroform::core::plan::changed_ports(&planned, &fresh),
        ["port 8104 was taken since the plan was shown: a new Machine of `web` gets port 8106"]
    );
    let note = planned
        .notes
        .iter()
        .find(|note| note.code == "other_project");
    let message = &note.unwrap().message;
    assert!(
        message.contains("2 Machines of the same app in `/there`"),
        "{message}"
    );
}

/// Holds rule 8.
#[test]
fn an_empty_answer_is_not_an_empty_world() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.observed.machines.clear();
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 0->2 added (ams 0->2)
    forget web ams m00001
    forget web ams m00002
    create web ams x2
    -- web: all created
    refused fleet_vanished
    ");
    stage.observed.description.machine_count = Some(0);
    assert_snapshot!(lines(&stage.plan(&target)), @"
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
    assert_eq!(stage.plan_with(&target, &accept).refusals, []);
}

#[test]
fn a_list_that_lags_is_no_ground_to_change_anything() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.observed.lagging.push(id("m00001"));
    let plan = stage.plan(&desired([("web", group("web").count(3))]));
    assert_eq!(plan.refusals[0].code, "list_lags");
}

/// Holds rule 5.
#[test]
fn another_incarnation_of_the_app_stops() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.observed.description.scope = aeroform::core::fleet::Lineage::new("scope-2").unwrap();
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 2->2 unchanged (ams 2->2)
    refused other_lineage
    ");
}

/// Holds rule 5.
#[test]
fn a_lost_state_is_taken_over_from_the_stamps() {
    let target = desired([("web", group("web").count(2).protected())]);
    let mut stage = PlanFixture::with(&target);
    stage.known = PlanFixture::empty().known;
    assert_snapshot!(lines(&stage.plan(&desired([("web", group("web").count(1))]))), @"
    group web: 2->1 changed (ams 2->1)
    adopt web ams m00001: not in the state
    adopt web ams m00002: not in the state
    destroy web ams m00002 CountLowered: newest
    record unrecorded_run
    refused protected_group web
    ");
    assert_snapshot!(lines(&stage.apply(&target)), @"
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

/// Holds rule 12.
#[test]
fn a_run_that_the_state_does_not_list_stops_unless_it_is_the_same_commit_or_only_adds() {
    let before = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&before);
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

/// Holds rule 12.
#[test]
fn an_adopted_run_is_listed_and_blocks_no_later_run() {
    let before = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&before);
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
    assert_eq!(plan.adopted_runs.len(), 1);
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

/// A group without a written count keeps its Machines, whoever created them.
/// Holds rule 12.
#[test]
fn what_a_lost_run_has_made_stays_beside_what_others_have_added() {
    let target = desired([("web", group("web").serves().list("ams bog gru"))]);
    for serial in [0, 3] {
        let mut stage = PlanFixture::with(&target);
        // The run that made them has written no state; one before it may have left what was owed.
        stage.known.pending_creates = stage
            .observed
            .machines
            .values()
            .filter(|_| serial > 0)
            .map(|m| PendingCreate {
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
        assert_eq!(stage.plan(&target).summary().destroy, 0);
        assert_eq!(stage.apply(&target).groups[0].after, 4);
    }
}

/// Holds rule 4.
#[test]
fn a_pending_create_is_spent_first() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let launch = aeroform::core::fleet::LaunchId::new("abcdefghij").unwrap();
    stage
        .known
        .pending_creates
        .push(aeroform::core::fleet::PendingCreate {
            launch,
            group: group_name("web"),
            region: crate::support::region("ams"),
            standby: false,
            replaces: None,
        });
    let plan = stage.apply(&desired([("web", group("web").count(2))]));
    assert!(
        plan.changes()
            .any(|(_, change)| change.machine.name.as_str() == "web-abcdefghij")
    );
    assert_eq!(stage.known.pending_creates, []);
}

#[test]
fn a_launch_id_that_stands_twice_in_the_state_is_spent_once() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    for region in ["ams", "fra"] {
        stage
            .known
            .pending_creates
            .push(aeroform::core::fleet::PendingCreate {
                launch: aeroform::core::fleet::LaunchId::new("abcdefghij").unwrap(),
                group: group_name("web"),
                region: crate::support::region(region),
                standby: false,
                replaces: None,
            });
    }
    stage.apply(&desired([(
        "web",
        group("web").exact(&[("ams", 2), ("fra", 1)]),
    )]));
}

/// Holds rules 6 and 8.
#[test]
fn a_fleet_that_another_tool_replaced_as_a_whole_has_not_vanished() {
    let target = desired([("web", group("web").serves()), ("jobs", group("jobs"))]);
    let refusals = |stage: &PlanFixture| -> Vec<String> {
        let refusals = stage.plan(&target).refusals.into_iter();
        refusals.map(|note| note.code.clone()).collect()
    };
    let mut stage = PlanFixture::with(&target);
    let all: Vec<MachineId> = stage.known.machines.keys().cloned().collect();
    for (n, machine) in all.iter().enumerate() {
        stage.clone_machine(machine.as_str(), &format!("e000{n}"));
        stage.remove_machine(machine.as_str());
    }
    // One copy is enough, and only of the group, the region and the create of a Machine that is gone.
    let one = stage.clone();
    for n in 1..all.len() {
        stage.remove_machine(&format!("e000{n}"));
    }
    assert_eq!(refusals(&stage), [""; 0]);
    let mut other_region = stage.clone();
    other_region.edit_outside("e0000", |machine| machine.region = region("gru"));
    let mut other_launch = stage.clone();
    other_launch.edit_outside("e0000", |machine| machine.stamps.launch = None);
    let mut other_app = stage.clone();
    other_app.edit_outside("e0000", |machine| machine.stamps.lineage = None);
    for stage in [other_region, other_launch, other_app] {
        assert_eq!(refusals(&stage), ["all_missing"]);
    }
    // The copies are adopted, and copied in their turn.
    let mut stage = one;
    stage.apply(&target);
    for n in 0..all.len() {
        stage.clone_machine(&format!("e000{n}"), &format!("f000{n}"));
        stage.remove_machine(&format!("e000{n}"));
    }
    assert_eq!(refusals(&stage), [""; 0]);
}
