//! Running again does the remainder, whatever the last run did not get to, and nothing beyond it.

use aeroform::core::fleet::{
    CheckState, CheckStatus, HostStatus, Limit, MachineState, Strategy, Volume,
};
use aeroform::core::plan::{Action, GateKind, Options, Outcome, Plan, StepId, Work};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, moved, region};

fn failed() -> Outcome {
    Outcome::Failed {
        code: "refused".to_owned(),
        message: "no".to_owned(),
        hint: None,
    }
}

pub(crate) fn nth(plan: &Plan, n: usize, is: impl Fn(&Action) -> bool) -> StepId {
    let mut found = plan.changes().filter(|(_, change)| is(&change.action));
    found.nth(n).unwrap().0
}

pub(crate) fn creates(action: &Action) -> bool {
    matches!(action, Action::Create { .. })
}

pub(crate) fn destroys(action: &Action) -> bool {
    matches!(action, Action::Destroy { .. })
}

#[test]
fn a_new_group_without_a_count_is_completed_after_a_run_that_failed() {
    let target = desired([("web", group("web").serves()), ("worker", group("worker"))]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let (second, primary, standby) = (
        nth(&plan, 1, creates),
        nth(&plan, 2, creates),
        nth(&plan, 3, creates),
    );
    stage.carry_out_except(&target, &plan, |step| match step {
        _ if step == second || step == primary => Some(failed()),
        _ if step == standby => Some(Outcome::Skipped { because: primary }),
        _ => None,
    });
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 1->2 changed (ams 1->2)
    group worker: 0->2 added (ams 0->2)
    create web ams
    create worker ams
    create worker ams standby for #1
    ");
    stage.apply(&target);
    assert_eq!(stage.observed.machines.len(), 4);
    assert_eq!(stage.known.pending_creates, []);
}

#[test]
fn a_standby_that_was_not_made_is_made_by_the_next_run() {
    let target = desired([("worker", group("worker"))]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let standby = nth(&plan, 1, creates);
    stage.carry_out_except(&target, &plan, |step| {
        (step == standby).then_some(Outcome::NotStarted)
    });
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group worker: 1->2 changed (ams 1->2)
    create worker ams standby for m00001
    ");
}

#[test]
fn a_new_group_without_a_count_is_completed_after_a_crash() {
    let target = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::empty();
    let before = stage.known.clone();
    let plan = stage.plan(&target);
    let second = nth(&plan, 1, creates);
    stage.carry_out_except(&target, &plan, |step| {
        (step == second).then_some(Outcome::NotStarted)
    });
    stage.known = before;
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group web: 1->2 changed (ams 1->2)
    adopt web ams m00001: not in the state
    create web ams
    record unrecorded_run
    ");
}

#[test]
fn a_replacement_that_was_half_done_does_not_add_a_machine() {
    let before = desired([("db", group("db").serves())]);
    let after = desired([("db", group("db").serves().mount())]);
    let stage = PlanFixture::with(&before);
    let plan = stage.plan(&after);
    let old = nth(&plan, 0, destroys);
    let begun = nth(&plan, 0, creates);
    for crashed in [false, true] {
        for both_halves in [false, true] {
            let mut stage = stage.clone();
            let known = stage.known.clone();
            stage.carry_out_except(&after, &plan, |step| {
                let does = step == begun || both_halves && step == old;
                (!does).then_some(Outcome::NotStarted)
            });
            if crashed {
                stage.known = known;
            }
            stage.apply(&after);
            assert_eq!(
                stage.observed.machines.len(),
                2,
                "crashed {crashed}, both halves {both_halves}"
            );
        }
    }
}

#[test]
fn a_replacement_that_was_half_done_ends_in_a_protected_group_too() {
    let before = desired([("db", group("db").count(2).protected())]);
    let after = desired([("db", group("db").count(2).protected().mount())]);
    let stage = PlanFixture::with(&before);
    let plan = stage.plan(&after);
    let begun = nth(&plan, 0, creates);
    for crashed in [false, true] {
        let mut stage = stage.clone();
        let known = stage.known.clone();
        stage.carry_out_except(&after, &plan, |step| {
            (step != begun).then_some(Outcome::NotStarted)
        });
        if crashed {
            stage.known = known;
        }
        stage.apply(&after);
        assert_eq!(stage.observed.machines.len(), 2, "crashed {crashed}");
    }
}

#[test]
fn an_only_machine_that_was_replaced_before_a_crash_is_not_a_vanished_fleet() {
    let before = desired([("db", group("db").count(1))]);
    let after = desired([("db", group("db").count(1).mount())]);
    let mut stage = PlanFixture::with(&before);
    let known = stage.known.clone();
    let plan = stage.plan(&after);
    stage.carry_out(&after, &plan);
    stage.known = known;
    assert_snapshot!(lines(&stage.apply(&after)), @"
    group db: 1->1 changed (ams 1->1)
    forget db ams m00001
    wait for db ams m00002: created by run run2, never seen to stay up
    record unrecorded_run
    ");
}

/// Holds rule 6.
#[test]
fn what_another_tool_replaced_is_as_many_as_before() {
    let target = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::with(&target);
    stage.clone_machine("m00001", "e0001");
    stage.remove_machine("m00001");
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 2->2 changed (ams 2->2)
    forget web ams m00001
    adopt web ams e0001: not in the state
    ");
}

#[test]
fn a_pending_create_stays_pending_until_its_result_is_certain() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let second = nth(&plan, 1, creates);
    let unknown = Outcome::Unknown {
        message: "lost".to_owned(),
    };
    stage.carry_out_except(&target, &plan, |step| {
        (step == second).then(|| unknown.clone())
    });
    let pending = stage.known.pending_creates.clone();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (pending[0].group.clone(), pending[0].region.clone()),
        (group_name("web"), region("ams"))
    );
    // A run that does not get to it loses nothing of it.
    for outcome in [Outcome::NotStarted, failed()] {
        let plan = stage.plan(&target);
        stage.carry_out_except(&target, &plan, |_| Some(outcome.clone()));
        assert_eq!(stage.known.pending_creates, pending);
    }
    stage.apply(&target);
    assert_eq!(stage.known.pending_creates, []);
}

#[test]
fn a_pending_create_that_did_happen_is_settled() {
    let target = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let mut other = stage.clone();
    other.carry_out(&target, &plan);
    let second = nth(&plan, 1, creates);
    let unknown = Outcome::Unknown {
        message: "lost".to_owned(),
    };
    stage.carry_out_except(&target, &plan, |step| {
        (step == second).then(|| unknown.clone())
    });
    // It was made after all, and the list shows it only now.
    stage.observed = other.observed;
    let plan = stage.apply(&target);
    assert_eq!((plan.summary().wait, plan.summary().create), (1, 0));
    assert_eq!(stage.known.pending_creates, []);
}

#[test]
fn a_create_that_is_no_longer_desired_is_not_pending() {
    let target = desired([("web", group("web").serves())]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let second = nth(&plan, 1, creates);
    stage.carry_out_except(&target, &plan, |step| (step == second).then(failed));
    stage.apply(&desired([(
        "web",
        group("web")
            .serves()
            .count(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]));
    assert_eq!(stage.known.pending_creates, []);
}

#[test]
fn a_moved_standby_watches_the_primaries_of_its_new_group() {
    let of = |name, n| group(name).count(n).with(|g| g.standby = Some(1));
    let mut stage = PlanFixture::with(&desired([("worker", of("worker", 1))]));
    let mut target = desired([("jobs", of("jobs", 2))]);
    target.moved.push(moved("worker", "jobs"));
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group jobs: 2->3 changed (ams 2->3)
    create jobs ams
    move jobs ams m00001 from worker [env.FLY_PROCESS_GROUP init.cmd]
    move jobs ams m00002 from worker standby for m00001 #0 [env.FLY_PROCESS_GROUP init.cmd]
    ");
}

#[test]
fn a_standby_whose_group_gets_services_loses_its_standbys_field() {
    let serving = desired([("web", group("web").serves().count(2))]);
    let mut stage = PlanFixture::with(&serving);
    stage.edit_outside("m00002", |machine| machine.standby_for = vec![id("m00001")]);
    assert_snapshot!(lines(&stage.apply(&serving)), @"
    group web: 2->2 changed (ams 2->2)
    update web ams m00002
    ");
    let worker = desired([(
        "worker",
        group("worker").count(1).with(|g| g.standby = Some(1)),
    )]);
    let mut stage = PlanFixture::with(&worker);
    let mut target = serving.clone();
    target.moved.push(moved("worker", "web"));
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 2->2 changed (ams 2->2)
    move web ams m00002 from worker [env.FLY_PROCESS_GROUP init.cmd services]
    move web ams m00001 from worker [env.FLY_PROCESS_GROUP init.cmd services]
    ");
}

#[test]
fn a_protected_group_keeps_its_primaries_even_for_a_standby() {
    let stage = PlanFixture::with(&desired([("worker", group("worker").count(2).protected())]));
    let target = group("worker").count(1).with(|g| g.standby = Some(1));
    let plan = stage.plan(&desired([("worker", target)]));
    assert_eq!(plan.refusals[0].code, "protected_group");
}

fn unknown() -> Outcome {
    Outcome::Unknown {
        message: "no answer".to_owned(),
    }
}

/// Holds rule 29.
#[test]
fn what_was_not_seen_to_work_is_waited_for_before_anything_follows() {
    let before = desired([("web", group("web").count(2).max_unavailable(1))]);
    let after = desired([(
        "web",
        group("web")
            .count(2)
            .max_unavailable(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    let mut stage = PlanFixture::with(&before);
    let plan = stage.plan(&after);
    let first = nth(&plan, 0, |action| matches!(action, Action::Update { .. }));
    // Its answer was lost, and it was done all the same.
    let mut done = stage.clone();
    done.carry_out_except(&after, &plan, |step| {
        (step != first).then_some(Outcome::NotStarted)
    });
    stage.carry_out_except(&after, &plan, |step| {
        let outcome = if step == first {
            unknown()
        } else {
            Outcome::NotStarted
        };
        Some(outcome)
    });
    stage.observed = done.observed;
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Replacing);
    let plan = stage.plan(&after);
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 changed (ams 2->2)
    wait for web ams m00001: updated by run run2, never seen to stay up
    update web ams m00002 [env.LOG]
    ");
    let (waits, _) = plan
        .changes()
        .find(|(_, change)| change.gate == GateKind::Started && change.action == Action::Wait)
        .unwrap();
    let update = nth(&plan, 0, |action| matches!(action, Action::Update { .. }));
    assert_eq!(plan.steps[update.0 as usize].needs, [waits]);
}

#[test]
fn a_machine_that_could_not_be_seen_to_go_is_not_made_again() {
    let before = desired([("web", group("web").serves().list("ams"))]);
    let after = desired([("web", group("web").serves().list("ams gru"))]);
    let mut stage = PlanFixture::with(&before);
    let plan = stage.plan(&after);
    let gone = nth(&plan, 0, destroys);
    stage.carry_out_except(&after, &plan, |step| (step == gone).then(unknown));
    let lost = stage.known.machines.iter();
    let lost: Vec<_> = lost.filter(|(_, m)| m.replaces.is_some()).collect();
    let lost = lost[0].1.replaces.clone().unwrap();
    stage.remove_machine(lost.as_str());
    assert_snapshot!(lines(&stage.apply(&after)), @"
    group web: 2->2 changed (ams 1->1, gru 1->1)
    forget web ams m00002
    ");
}

#[test]
fn a_missing_machine_and_its_pending_create_are_one() {
    let target = desired([("web", group("web").serves().list("ams fra gru"))]);
    let mut stage = PlanFixture::with(&target);
    let target = desired([("web", group("web").serves())]);
    stage.remove_machine("m00002");
    let plan = stage.plan(&target);
    let planned = nth(&plan, 0, creates);
    stage.carry_out_except(&target, &plan, |step| {
        Some(if step == planned {
            unknown()
        } else {
            Outcome::NotStarted
        })
    });
    assert_eq!(stage.known.pending_creates.len(), 1);
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 2->3 changed (ams 1->1, fra 0->1, gru 1->1)
    forget web fra m00002
    create web fra
    ");
    assert_eq!(stage.observed.machines.len(), 3);
}

#[test]
fn a_rebalance_that_was_half_done_neither_adds_nor_lowers() {
    let before = desired([("web", group("web").serves().protected().list("ams"))]);
    let after = desired([("web", group("web").serves().protected().list("ams gru"))]);
    let mut stage = PlanFixture::with(&before);
    let plan = stage.plan(&after);
    let gone = nth(&plan, 0, destroys);
    stage.carry_out_except(&after, &plan, |step| {
        (step == gone).then_some(Outcome::NotStarted)
    });
    assert_snapshot!(lines(&stage.apply(&after)), @"
    group web: 3->2 changed (ams 2->1, gru 1->1)
    destroy web ams m00002 Rebalanced: newest
    ");
    assert_eq!(stage.observed.machines.len(), 2);
}

#[test]
fn a_machine_that_is_made_again_gets_the_volume_of_the_one_that_is_gone() {
    let target = desired([("db", group("db").count(2).mount())]);
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&target);
    let freed = stage.observed.machines[&id("m00002")].volumes.clone();
    for (n, machine) in stage.observed.machines.values().enumerate() {
        let attached = (n == 0).then(|| machine.id.clone());
        stage.observed.volumes.push(Volume {
            encrypted: true,
            id: machine.volumes[0].clone(),
            name: "data".to_owned(),
            region: machine.region.clone(),
            size_gb: 1,
            attached_to: attached,
            host: HostStatus::Ok,
        });
    }
    stage.remove_machine("m00002");
    let plan = stage.plan(&target);
    let takes = plan.changes().find_map(|(_, change)| match &change.action {
        Action::Create { volumes, .. } => Some(volumes.clone()),
        _ => None,
    });
    assert_eq!(takes, Some(freed));
}

#[test]
fn no_machine_that_serves_goes_down_before_those_that_do_not_are_up_again() {
    let version = |version: &str| {
        let checked = json!({
            "env": {"VERSION": version},
            "checks": {"up": {"type": "tcp", "port": 8080}},
        });
        let group = group("web").count(3).max_unavailable(1).config(checked);
        desired([("web", group)])
    };
    let mut stage = PlanFixture::with(&version("1"));
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Failed);
    stage.edit_outside("m00003", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: String::new(),
            updated_at: "1".to_owned(),
        }];
    });
    let plan = stage.apply(&version("2"));
    assert_snapshot!(lines(&plan), @"
    group web: 3->3 changed (ams 3->3)
    update web ams m00002 [env.VERSION]
    update web ams m00003 [env.VERSION]
    -- web: all up again
    update web ams m00001 [env.VERSION]
    ");
    let step = |machine: &str| {
        let mut of = plan.changes();
        of.find(|(_, change)| change.machine.id == Some(id(machine)))
            .unwrap()
    };
    let barrier = plan
        .steps
        .iter()
        .find(|step| matches!(&step.work, Work::Barrier { name } if name == "web: all up again"))
        .unwrap();
    assert_eq!(barrier.needs, [step("m00002").0, step("m00003").0]);
    assert_eq!(plan.steps[step("m00001").0.0 as usize].needs, [barrier.id]);
    assert_eq!(step("m00002").1.gate, GateKind::Healthy);
}

#[test]
fn an_up_to_date_machine_that_fails_its_checks_is_awaited_before_another_goes_down() {
    let version = |version: &str, strategy: Strategy| {
        let checked = json!({
            "env": {"VERSION": version},
            "checks": {"up": {"type": "tcp", "port": 8080}},
        });
        let group = group("web").count(2).config(checked);
        desired([("web", group.with(|group| group.strategy = strategy))])
    };
    let rolling = Strategy::Rolling {
        max_unavailable: Limit::Count(1),
    };
    let mut stage = PlanFixture::with(&version("1", rolling));
    let target = version("2", rolling);
    // The first one came up with the new version, the second failed for a reason of its own.
    let planned = stage.plan(&target);
    let second = nth(&planned, 1, |action| {
        matches!(action, Action::Update { .. })
    });
    stage.carry_out_except(&target, &planned, |id| (id == second).then(failed));
    assert!(!stage.known.machines[&id("m00001")].unproven);
    stage.edit_outside("m00001", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: String::new(),
            updated_at: "1".to_owned(),
        }];
    });
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 changed (ams 2->2)
    wait for web ams m00001: its checks fail; no other Machine goes down before they pass
    update web ams m00002 [env.VERSION]
    ");
    let first = nth(&plan, 0, |action| matches!(action, Action::Wait));
    let next = nth(&plan, 0, |action| matches!(action, Action::Update { .. }));
    assert_eq!(plan.steps[next.0 as usize].needs, [first]);
    stage.apply(&target);
    // Whoever updates all at once is promised nothing.
    let at_once = stage.plan(&version("3", Strategy::Immediate));
    assert_eq!(at_once.summary().adopt, 0);
}

#[test]
fn several_groups_that_become_one_are_counted_together() {
    let mut stage = PlanFixture::with(&desired([("cron", group("cron").count(3))]));
    let known = stage.known.clone();
    let both = desired([
        ("cron", group("cron").count(3)),
        ("jobs", group("jobs").count(4)),
    ]);
    stage.apply(&both);
    stage.known = known;
    let mut target = desired([("web", group("web").count(3).protected())]);
    target.moved = vec![moved("cron", "web"), moved("jobs", "web")];
    let options = Options {
        adopt_runs: stage
            .observed
            .machines
            .values()
            .filter_map(|m| m.stamps.run.clone())
            .collect(),
        ..Options::default()
    };
    let plan = stage.plan_with(&target, &options);
    assert_eq!((plan.groups[0].before, plan.groups[0].after), (7, 3));
}

#[test]
fn a_machine_in_another_region_settles_a_pending_create() {
    let at = |place: &'static str| desired([("web", group("web").list(place))]);
    let mut stage = PlanFixture::empty();
    let plan = stage.plan(&at("ams"));
    let create = nth(&plan, 0, creates);
    stage.carry_out_except(&at("ams"), &plan, |step| match step {
        _ if step == create => Some(failed()),
        _ => Some(Outcome::Skipped { because: create }),
    });
    assert_eq!(stage.known.pending_creates.len(), 2);
    stage.apply(&at("bog"));
    assert_eq!(stage.known.pending_creates, []);
    assert!(stage.plan(&at("bog")).is_empty());
}

#[test]
fn a_pending_create_is_found_under_the_groups_new_name() {
    let target = desired([("worker", group("worker").serves())]);
    let mut stage = PlanFixture::empty();
    let planned = stage.plan(&target);
    let lost = nth(&planned, 1, creates);
    stage.carry_out_except(&target, &planned, |step| {
        (step == lost).then(|| Outcome::Unknown {
            message: "no answer".to_owned(),
        })
    });
    let pending = stage.known.pending_creates[0].launch.clone();
    let mut renamed = desired([("jobs", group("jobs").serves())]);
    renamed.moved = vec![moved("worker", "jobs")];
    let planned = stage.apply(&renamed);
    let mut changes = planned.changes();
    let (_, planned) = changes.find(|(_, change)| creates(&change.action)).unwrap();
    // The Machine that may exist already bears the name that the group had.
    assert_eq!(planned.machine.name.as_str(), format!("worker-{pending}"));
}
