//! Requests of a verb about up-to-date Machines.

use aeroform::core::fleet::{
    CheckState, CheckStatus, Desired, HostStatus, MachineConfig, MachineState,
};
use aeroform::core::plan::{
    Action, CloneSource, Options, Outcome, Plan, Requested, RestartScope, SavedPlan, StepId, check,
    plan, required_approval,
};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, region};

pub(crate) fn replacing(ids: &[&str]) -> Options {
    requested(Requested {
        replace: ids.iter().map(|name| id(name)).collect(),
        ..Requested::default()
    })
}

pub(crate) fn restarting(groups: &[&str]) -> Options {
    let names = groups.iter().map(|name| group_name(name));
    requested(Requested {
        restart: if groups.is_empty() {
            RestartScope::All
        } else {
            RestartScope::Groups(names.collect())
        },
        ..Requested::default()
    })
}

fn requested(requested: Requested) -> Options {
    Options {
        requested,
        ..Options::default()
    }
}

/// Carries it out; nothing is left to do for the manifests alone.
fn settle(stage: &mut PlanFixture, target: &Desired, planned: &Plan) {
    assert_eq!(planned.refusals, []);
    stage.carry_out(target, planned);
    assert!(stage.plan(target).is_empty());
}

/// The Machines that the state knows.
fn known(stage: &PlanFixture) -> Vec<String> {
    let ids = stage.known.machines.keys();
    ids.map(ToString::to_string).collect()
}

#[test]
fn a_machine_that_is_named_is_replaced_new_one_first() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&planned), @"
    group web: 2->2 changed (ams 2->2)
    create web ams replaces m00001
    destroy web ams m00001 Replaced: replacement requested
    ");
    assert_eq!(required_approval(&planned).flags(), "--auto-approve");
    settle(&mut stage, &target, &planned);
    assert_eq!(known(&stage), ["m00002", "m00003"]);
}

/// The region counts of the plan include the move.
#[test]
fn a_machine_that_the_platform_put_elsewhere_is_replaced_in_the_requested_region() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    let misplaced = stage.known.machines.get_mut(&id("m00001")).unwrap();
    misplaced.requested_region = Some(region("gru"));
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 2->2 unchanged (ams 2->2)
    warning placed_elsewhere web
    ");
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&planned), @"
    group web: 2->2 changed (ams 2->1, gru 0->1)
    create web gru replaces m00001
    destroy web ams m00001 Replaced: replacement requested
    ");
    settle(&mut stage, &target, &planned);
}

/// Holds rule 22.
#[test]
fn a_machine_with_a_volume_goes_first_and_the_new_one_gets_the_volume() {
    let target = desired([("db", group("db").count(1).mount())]);
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&planned), @"
    group db: 1->1 changed (ams 1->1)
    destroy db ams m00001 Replaced: replacement requested; the new Machine takes its volume
    create db ams replaces m00001
    ");
    assert_eq!(required_approval(&planned).typed, []);
    settle(&mut stage, &target, &planned);
    stage.edit_outside("m00002", |machine| machine.host = HostStatus::Unreachable);
    let refused = stage.plan_with(&target, &replacing(&["m00002"]));
    assert_eq!(refused.refusals[0].code, "unreachable_volume");
}

#[test]
fn one_on_a_dead_host_is_replaced_elsewhere() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| machine.host = HostStatus::Unreachable);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&planned), @"
    group web: 2->2 changed (ams 2->2)
    create web ams replaces m00001
    destroy web ams m00001 Replaced: its host does not answer
    warning host_unreachable
    ");
    settle(&mut stage, &target, &planned);
}

/// Holds rule 22.
#[test]
fn a_replaced_primary_takes_its_standby_along_and_a_standby_is_replaced_by_one() {
    let jobs = group("jobs").count(1).with(|g| g.standby = Some(1));
    let target = desired([("jobs", jobs)]);
    let mut stage = PlanFixture::with(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&planned), @"
    group jobs: 2->2 changed (ams 2->2)
    create jobs ams replaces m00001
    destroy jobs ams m00001 Replaced: replacement requested
    update jobs ams m00002 standby for #0
    ");
    settle(&mut stage, &target, &planned);
    let planned = stage.plan_with(&target, &replacing(&["m00002"]));
    assert_snapshot!(lines(&planned), @"
    group jobs: 2->2 changed (ams 2->2)
    create jobs ams replaces m00002 standby for m00003
    destroy jobs ams m00002 Replaced: replacement requested
    ");
    settle(&mut stage, &target, &planned);
}

#[test]
fn of_too_many_machines_the_named_one_is_destroyed_and_not_replaced() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(3))]));
    let fewer = desired([("web", group("web").count(2))]);
    assert_snapshot!(lines(&stage.plan_with(&fewer, &replacing(&["m00001"]))), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00001 CountLowered: replacement requested, and the group has too many Machines
    ");
    let gone = desired([("api", group("api").count(1))]);
    let plan = stage.plan_with(&gone, &replacing(&["m00001"]));
    assert_eq!(plan.refusals, []);
}

#[test]
fn a_restart_is_of_machines_that_run_and_rolls() {
    let checked = group("web")
        .count(4)
        .config(json!({"checks": {"up": {"type": "tcp", "port": 80}}}));
    let target = desired([("jobs", group("jobs").count(1)), ("web", checked)]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Stopped);
    stage.edit_outside("m00003", |machine| machine.state = MachineState::Suspended);
    let planned = stage.plan_with(&target, &restarting(&["web"]));
    assert_snapshot!(lines(&planned), @"
    group jobs: 1->1 unchanged (ams 1->1)
    group web: 4->4 changed (ams 4->4)
    update web ams m00004
    update web ams m00005
    note left_at_rest web
    ");
    let widest = planned.pools.iter().map(|pool| pool.size).max();
    assert_eq!(widest, Some(1));
    settle(&mut stage, &target, &planned);
    assert_eq!(stage.known.serial, 2, "its stamps are on the Machines");
    let all = stage.plan_with(&target, &restarting(&[]));
    assert_eq!(all.summary().update, 3);
}

#[test]
fn one_that_fails_its_checks_is_restarted_before_one_that_serves() {
    let checked = group("web")
        .count(2)
        .config(json!({"checks": {"up": {"type": "tcp", "port": 80}}}));
    let target = desired([("web", checked)]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00002", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: String::new(),
            updated_at: String::new(),
        }];
    });
    let planned = stage.plan_with(&target, &restarting(&[]));
    assert_snapshot!(lines(&planned), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00002
    update web ams m00001
    ");
}

#[test]
fn what_the_files_change_is_in_the_same_plan() {
    let before = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&before);
    let after = group("web").count(3).config(json!({"env": {"LOG": "x"}}));
    let after = desired([("web", after)]);
    let planned = stage.plan_with(&after, &restarting(&["web"]));
    assert_snapshot!(lines(&planned), @"
    group web: 2->3 changed (ams 2->3)
    create web ams
    update web ams m00001 [env.LOG]
    update web ams m00002 [env.LOG]
    ");
    settle(&mut stage, &after, &planned);
}

#[test]
fn what_a_replacement_has_left_undone_the_next_apply_does_and_the_successor_stays() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    let destroys = |step: StepId| {
        let mut changes = planned.changes();
        changes.any(|(id, change)| id == step && matches!(change.action, Action::Destroy { .. }))
    };
    stage.carry_out_except(&target, &planned, |step| {
        destroys(step).then_some(Outcome::NotStarted)
    });
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 3->2 changed (ams 3->2)
    destroy web ams m00001 Rebalanced: its replacement already exists
    ");
    stage.apply(&target);
    assert_eq!(known(&stage), ["m00002", "m00003"]);
}

#[test]
fn a_clone_copies_settings_that_no_manifest_sets() {
    let before = desired([
        ("jobs", group("jobs").count(1)),
        ("web", group("web").count(1)),
    ]);
    let mut stage = PlanFixture::with(&before);
    stage.edit_outside("m00002", |machine| {
        let config = json!({"dns": {"skip_registration": true}, "env": {"FLY_PROCESS_GROUP": "web"},
            "init": {"cmd": ["bin/web"]}});
        machine.config = Some(MachineConfig::from_value(config).unwrap().into());
    });
    let one_more = group("jobs").exact(&[("ams", 1), ("fra", 1)]);
    let target = desired([("jobs", one_more), ("web", group("web").count(1))]);
    let like = Requested {
        clone_source: Some(CloneSource {
            machine: id("m00002"),
            group: Some(group_name("jobs")),
            region: Some(region("fra")),
        }),
        ..Requested::default()
    };
    let planned = stage.plan_with(&target, &requested(like));
    settle(&mut stage, &target, &planned);
    let config = stage.observed.machines["m00003"].config.as_ref().unwrap();
    assert_eq!(config.dns, Some(json!({"skip_registration": true})));
    let own = config.init.as_ref().unwrap().cmd.clone().unwrap();
    assert_eq!(own, ["bin/jobs"]);
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let target = desired([("web", group("web").count(1))]);
    let stage = PlanFixture::with(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00009"]));
    assert_snapshot!(planned.refusals[0].message, @"cannot replace m00009: no group of the app has it");
    let planned = stage.plan_with(&target, &restarting(&["wbe"]));
    assert_snapshot!(planned.refusals[0].message, @"cannot restart group `wbe`: the app has no such group");
}

#[test]
fn a_saved_plan_stores_its_request_and_differs_from_one_without() {
    let target = desired([("web", group("web").count(2))]);
    let stage = PlanFixture::with(&target);
    let planned = stage.plan_with(&target, &replacing(&["m00001"]));
    let saved = SavedPlan::parse(&SavedPlan::of(&planned).to_json()).unwrap();
    assert_eq!(saved.requested, planned.requested);
    assert_eq!(saved.differences(&planned), [""; 0]);
    let without = saved.differences(&stage.plan(&target));
    assert_eq!(without[0], "the set of flags differs");
}

#[test]
fn an_offline_plan_says_that_apply_selects_the_running_machines() {
    let target = desired([("web", group("web").count(2))]);
    let stage = PlanFixture::with(&target);
    for options in [restarting(&[]), replacing(&["m00001"])] {
        let planned = plan(&target, &stage.known, None, &options);
        assert_eq!(check(&planned, &target, &stage.known, None), []);
        let late = planned
            .notes
            .iter()
            .any(|note| note.message.contains("decided at apply"));
        assert_eq!(
            (planned.is_empty(), late),
            (false, true),
            "{}",
            lines(&planned)
        );
    }
}

#[test]
fn the_check_finds_a_request_without_a_step() {
    let target = desired([("web", group("web").count(2))]);
    let stage = PlanFixture::with(&target);
    for options in [restarting(&[]), replacing(&["m00001"])] {
        let mut planned = stage.plan(&target);
        planned.requested = options.requested;
        let found = check(&planned, &target, &stage.known, Some(&stage.observed));
        assert!(!found.is_empty());
    }
}
