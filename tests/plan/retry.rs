//! A Machine whose last change was never seen healthy is updated first, and no other goes down before it passes.

use aeroform::core::fleet::{
    CheckState, CheckStatus, Desired, Exit, Machine, MachineState, OnFailure, ProcessEvent,
    ProcessEventKind, ReleaseStatus, Strategy,
};
use aeroform::core::plan::{
    Action, GateKind, Options, Outcome, Plan, PlanMode, Requested, StepId, check,
};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id};

fn failed() -> Outcome {
    Outcome::Failed {
        code: "machine_failed".to_owned(),
        message: "exit code 1".to_owned(),
        hint: None,
    }
}

fn workers(version: &str) -> Desired {
    let group = group("worker").count(3).max_unavailable(1);
    let group = group.config(json!({"env": {"VERSION": version}}));
    desired([("worker", group)])
}

fn of<'p>(plan: &'p Plan, machine: &str) -> (StepId, &'p Action) {
    let mut changes = plan.changes();
    let found =
        changes.find(|(_, c)| c.machine.id == Some(id(machine)) && c.action != Action::Adopt);
    let (step, change) = found.unwrap_or_else(|| panic!("{machine}: {:#?}", plan.summary_lines()));
    (step, &change.action)
}

fn needs(plan: &Plan, step: StepId) -> Vec<StepId> {
    plan.steps[step.0 as usize].needs.clone()
}

/// Whether a step waits for another, perhaps over others.
fn is_behind(plan: &Plan, step: StepId, first: StepId) -> bool {
    needs(plan, step)
        .into_iter()
        .any(|need| need == first || is_behind(plan, need, first))
}

/// What the platform shows of a Machine that ended by itself.
fn exits(code: i32) -> impl Fn(&mut Machine) {
    move |machine| {
        machine.state = MachineState::Stopped;
        let exit = Exit {
            code: Some(code),
            ..Exit::default()
        };
        machine.events = vec![ProcessEvent {
            id: 1,
            kind: ProcessEventKind::Exited(exit),
        }];
    }
}

/// A rolling update of which the first Machine was changed and did not pass.
fn failed_at_the_first(target: &[Desired; 2], shows: impl Fn(&mut Machine)) -> PlanFixture {
    let mut stage = PlanFixture::with(&target[0]);
    let planned = stage.plan(&target[1]);
    let mut first = true;
    let changes: Vec<StepId> = planned.changes().map(|(id, _)| id).collect();
    stage.carry_out_except(&target[1], &planned, |id| {
        (id != changes[0]).then_some(Outcome::NotStarted)
    });
    for machine in stage.known.machines.values_mut() {
        machine.unproven = std::mem::take(&mut first);
    }
    stage.edit_outside("m00001", shows);
    stage
}

#[test]
fn one_that_crashed_is_started_again_before_another_goes_down() {
    let mut stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let plan = stage.plan(&workers("2"));
    assert_snapshot!(lines(&plan), @"
    group worker: 3->3 changed (ams 3->3)
    start again worker ams m00001: exited with code 1 after run run2
    update worker ams m00002 [env.VERSION]
    update worker ams m00003 [env.VERSION]
    ");
    assert!(plan.calls_provider(), "it counts as a change");
    assert_eq!(plan.summary().start, 1);
    let (first, _) = of(&plan, "m00001");
    assert_eq!(needs(&plan, of(&plan, "m00002").0), [first]);
    stage.apply(&workers("2"));
    assert!(stage.known.machines.values().all(|m| !m.unproven));
}

/// Else each try would destroy what the one before has tried, and try the next one. Holds rule 34.
#[test]
fn a_group_that_shrinks_keeps_the_one_that_crashed_to_show_first_whether_the_others_would_work() {
    let shrunk = |version: &str| {
        let group = group("worker").count(2).max_unavailable(1);
        let group = group.config(json!({"env": {"VERSION": version}}));
        desired([("worker", group)])
    };
    let stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    // The same again, and one that may mend it.
    for version in ["2", "3"] {
        let plan = stage.plan(&shrunk(version));
        let (first, action) = of(&plan, "m00001");
        assert!(!matches!(action, Action::Destroy { .. }), "{version}");
        for other in ["m00002", "m00003"] {
            let (step, _) = of(&plan, other);
            assert!(is_behind(&plan, step, first), "{version} {other}");
        }
    }
    // Where nothing else changes the one that does not work goes first, as always.
    let stage = failed_at_the_first(&[workers("1"), workers("1")], exits(1));
    let plan = stage.plan(&shrunk("1"));
    assert!(matches!(of(&plan, "m00001").1, Action::Destroy { .. }));
    assert_eq!(plan.changes().count(), 1);
}

#[test]
fn a_retry_that_fails_again_leaves_it_as_it_is() {
    let mut stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    for _ in 0..3 {
        let plan = stage.plan(&workers("2"));
        let (start, action) = of(&plan, "m00001");
        assert_eq!(*action, Action::Start);
        stage.carry_out_except(&workers("2"), &plan, |step| {
            Some(if step == start {
                failed()
            } else {
                Outcome::Skipped { because: start }
            })
        });
        assert!(stage.known.machines[&id("m00001")].unproven);
    }
}

#[test]
fn one_that_is_up_and_not_healthy_is_waited_for() {
    let target = |version| {
        let checked = json!({
            "env": {"VERSION": version},
            "checks": {"up": {"type": "tcp", "port": 8080}},
        });
        desired([("web", group("web").count(2).config(checked))])
    };
    let fails = |machine: &mut Machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: String::new(),
            updated_at: "1".to_owned(),
        }];
    };
    let stage = failed_at_the_first(&[target("1"), target("2")], fails);
    let plan = stage.plan(&target("2"));
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 changed (ams 2->2)
    wait for web ams m00001: updated by run run2, never seen healthy
    update web ams m00002 [env.VERSION]
    ");
    assert!(plan.waits_for_unproven());
}

#[test]
fn one_that_was_stopped_on_request_is_adopted() {
    for target in [workers("2"), workers("1")] {
        let stage = failed_at_the_first(&[workers("1"), workers("2")], |machine| {
            machine.state = MachineState::Stopped;
        });
        let plan = stage.plan(&target);
        let summary = plan.summary();
        assert_eq!((summary.start, summary.wait), (0, 0));
    }
    let done = failed_at_the_first(&[workers("1"), workers("2")], exits(0));
    assert_eq!(
        done.plan(&workers("2")).summary().start,
        0,
        "its work is done"
    );
}

#[test]
fn one_that_serves_has_not_done_its_work_with_exit_code_0() {
    let web = |version| {
        let config = json!({"env": {"VERSION": version}});
        desired([("web", group("web").serves().count(2).config(config))])
    };
    let stage = failed_at_the_first(&[web("1"), web("2")], exits(0));
    assert_eq!(*of(&stage.plan(&web("2")), "m00001").1, Action::Start);
}

#[test]
fn an_update_of_one_that_crashed_does_both_and_goes_first() {
    let stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let plan = stage.plan(&workers("3"));
    assert_snapshot!(lines(&plan), @"
    group worker: 3->3 changed (ams 3->3)
    update worker ams m00001 [env.VERSION]
    update worker ams m00002 [env.VERSION]
    update worker ams m00003 [env.VERSION]
    ");
    let (first, _) = of(&plan, "m00001");
    let (second, _) = of(&plan, "m00002");
    assert_eq!(needs(&plan, second), [first]);
    assert_eq!(needs(&plan, of(&plan, "m00003").0), [second]);
    let gate = plan.changes().find(|(id, _)| *id == first).unwrap().1.gate;
    assert_eq!(gate, GateKind::Started, "it is to run");
}

#[test]
fn one_seen_between_its_crash_and_its_restart_is_to_run() {
    let stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let mut machine = stage.observed.machines[&id("m00001")].clone();
    machine.state = MachineState::Stopping;
    assert!(machine.has_crashed());
    // One that somebody stops is not.
    machine.events.insert(
        0,
        ProcessEvent {
            id: 2,
            kind: ProcessEventKind::StopRequested,
        },
    );
    assert!(!machine.has_crashed());
}

#[test]
fn one_goes_alone_and_then_the_others_together() {
    let target = [workers("1"), workers("2")];
    let mut stage = failed_at_the_first(&target, exits(1));
    for machine in stage.known.machines.values_mut() {
        machine.unproven = true;
    }
    for machine in ["m00002", "m00003"] {
        stage.edit_outside(machine, exits(1));
    }
    let plan = stage.plan(&workers("3"));
    let pools: Vec<_> = ["m00001", "m00002", "m00003"]
        .map(|machine| plan.steps[of(&plan, machine).0.0 as usize].pool)
        .to_vec();
    assert!(pools.iter().all(|pool| *pool == pools[0]));
    let pool = &plan.pools[pools[0].unwrap().0 as usize];
    assert_eq!(
        (pool.size, pool.first_alone, pool.stops_on_failure),
        (3, true, true)
    );
}

#[test]
fn one_that_runs_unproven_and_changes_goes_next_and_no_faster_than_the_strategy_says() {
    let stage = failed_at_the_first(&[workers("1"), workers("2")], |_| {});
    let plan = stage.plan(&workers("3"));
    let (first, _) = of(&plan, "m00001");
    let pool = &plan.pools[plan.steps[first.0 as usize].pool.unwrap().0 as usize];
    assert_eq!((pool.size, pool.first_alone), (1, true));
    assert!(is_behind(&plan, of(&plan, "m00002").0, first));
}

#[test]
fn one_that_failed_since_is_mended_before_one_that_runs_unproven_changes() {
    let mut stage = failed_at_the_first(&[workers("1"), workers("2")], |_| {});
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Failed);
    let target = workers("3");
    let plan = stage.plan(&target);
    let step = |machine| of(&plan, machine).0;
    // It serves no requests, so its update costs no capacity.
    assert!(is_behind(&plan, step("m00001"), step("m00002")));
    assert!(is_behind(&plan, step("m00003"), step("m00001")));
    let found = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert_eq!(found, []);
}

#[test]
fn machines_that_do_not_serve_go_first_together_for_any_cause() {
    let target = |version| {
        let config = json!({
            "env": {"VERSION": version},
            "checks": {"up": {"type": "tcp", "port": 80}},
        });
        desired([(
            "worker",
            group("worker").count(3).max_unavailable(1).config(config),
        )])
    };
    let mut stage = failed_at_the_first(&[target("1"), target("2")], |machine| {
        machine.state = MachineState::Failed;
    });
    for machine in stage.known.machines.values_mut() {
        machine.unproven = true;
    }
    stage.edit_outside("m00002", |machine| machine.checks.clear());
    let target = target("3");
    let plan = stage.plan(&target);
    let step = |machine| of(&plan, machine).0;
    // One has failed, and the checks of the other have not been run yet.
    assert!(!is_behind(&plan, step("m00002"), step("m00001")));
    let found = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert_eq!(found, []);
}

#[test]
fn the_release_does_not_go_on_in_another_group_unless_that_is_said() {
    let target = |worker, web| {
        let config = |version| json!({"env": {"VERSION": version}});
        desired([
            ("web", group("web").count(2).config(config(web))),
            ("worker", group("worker").count(2).config(config(worker))),
        ])
    };
    let mut stage = PlanFixture::with(&target("1", "1"));
    stage.apply(&target("2", "1"));
    stage
        .known
        .machines
        .get_mut(&id("m00003"))
        .unwrap()
        .unproven = true;
    stage.edit_outside("m00003", exits(1));
    let last = target("2", "2");
    let plan = stage.plan(&last);
    let (first, action) = of(&plan, "m00003");
    assert_eq!(*action, Action::Start);
    assert!(is_behind(&plan, of(&plan, "m00001").0, first));
    let options = Options {
        requested: Requested {
            on_failure: Some(OnFailure::Group),
            ..Requested::default()
        },
        ..Options::default()
    };
    let plan = stage.plan_with(&last, &options);
    let (first, _) = of(&plan, "m00003");
    assert!(!is_behind(&plan, of(&plan, "m00001").0, first));
}

#[test]
fn an_immediate_group_waits_for_no_machine() {
    let target = |version| {
        let mut target = workers(version);
        let group = target.groups.values_mut().next().unwrap();
        group.strategy = aeroform::core::fleet::Strategy::Immediate;
        target
    };
    let mut stage = failed_at_the_first(&[target("1"), target("2")], exits(1));
    assert_eq!(stage.plan(&target("2")).summary().start, 0);
    // Nor has it seen anybody work.
    stage.apply(&target("2"));
    let plan = stage.plan(&target("2"));
    assert!(plan.is_empty(), "{:#?}", plan.summary_lines());
    assert!(stage.known.machines[&id("m00001")].unproven);
    assert_eq!(*of(&stage.plan(&workers("2")), "m00001").1, Action::Start);
}

#[test]
fn without_a_state_a_refresh_or_an_immediate_run_proves_nothing_either() {
    let immediate = |mut target: Desired| {
        for group in target.groups.values_mut() {
            group.strategy = aeroform::core::fleet::Strategy::Immediate;
        }
        target
    };
    for aim in [PlanMode::RefreshOnly, PlanMode::Normal] {
        let mut stage = failed_at_the_first(&[workers("2"), workers("2")], exits(1));
        stage.known = aeroform::core::fleet::Known::empty(
            stage.known.app.clone(),
            stage.known.provider.clone(),
        );
        let target = immediate(workers("2"));
        let options = Options {
            mode: aim,
            ..Options::default()
        };
        let plan = stage.plan_with(&target, &options);
        stage.carry_out(&target, &plan);
        assert_eq!(stage.known.machines.len(), 3);
        assert_eq!(*of(&stage.plan(&workers("2")), "m00001").1, Action::Start);
    }
}

#[test]
fn a_host_that_does_not_answer_proves_nothing() {
    let mut stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let there = stage.observed.machines[&id("m00001")].clone();
    stage.edit_outside("m00001", |machine| {
        machine.host = aeroform::core::fleet::HostStatus::Unreachable;
    });
    stage.apply(&workers("2"));
    assert!(stage.known.machines[&id("m00001")].unproven);
    stage.edit_outside("m00001", |machine| *machine = there.clone());
    assert_eq!(*of(&stage.plan(&workers("2")), "m00001").1, Action::Start);
}

#[test]
fn a_refresh_proves_nothing() {
    let mut stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let options = Options {
        mode: PlanMode::RefreshOnly,
        ..Options::default()
    };
    // Something else is there to take in.
    stage.clone_machine("m00002", "e0001");
    let plan = stage.plan_with(&workers("2"), &options);
    stage.carry_out(&workers("2"), &plan);
    assert!(stage.known.machines[&id("m00001")].unproven);
    stage.remove_machine("e0001");
    assert_eq!(*of(&stage.plan(&workers("2")), "m00001").1, Action::Start);
}

#[test]
fn what_a_lost_run_left_is_not_proven_by_a_refresh_either() {
    let mut stage = PlanFixture::with(&workers("1"));
    let known = stage.known.clone();
    let plan = stage.plan(&workers("2"));
    stage.carry_out(&workers("2"), &plan);
    stage.known = known;
    stage.edit_outside("m00001", exits(1));
    let options = Options {
        mode: PlanMode::RefreshOnly,
        ..Options::default()
    };
    let plan = stage.plan_with(&workers("2"), &options);
    stage.carry_out(&workers("2"), &plan);
    assert_eq!(*of(&stage.plan(&workers("2")), "m00001").1, Action::Start);
}

#[test]
fn without_any_state_what_runs_is_adopted() {
    let mut stage = PlanFixture::with(&workers("1"));
    stage.known = PlanFixture::empty().known;
    let plan = stage.plan(&workers("1"));
    assert_eq!((plan.summary().adopt, plan.summary().wait), (3, 0));
    stage.edit_outside("m00001", exits(1));
    assert_eq!(stage.plan(&workers("1")).summary().start, 1);
}

#[test]
fn the_second_reading_finds_one_that_is_not_waited_for() {
    let target = workers("2");
    let stage = failed_at_the_first(&[workers("1"), workers("2")], exits(1));
    let plan = stage.plan(&target);
    let findings = |fault: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        fault(&mut plan);
        check(&plan, &target, &stage.known, Some(&stage.observed))
    };
    let (update, _) = of(&plan, "m00002");
    let found = findings(&|plan| plan.steps[update.0 as usize].needs.clear());
    assert!(
        found[0]
            .0
            .contains("before step 0 has confirmed its last change"),
        "{found:?}"
    );
    let found = findings(&|plan| {
        if let aeroform::core::plan::Work::Change(change) = &mut plan.steps[0].work {
            change.action = Action::Adopt;
        }
    });
    assert!(found[0].0.contains("no step waits for it"), "{found:?}");
}

#[test]
fn a_failed_release_is_recorded_with_the_config_that_it_wanted() {
    let target = [workers("1"), workers("2")];
    let mut stage = PlanFixture::with(&target[0]);
    let planned = stage.plan(&target[1]);
    let changes: Vec<StepId> = planned.changes().map(|(id, _)| id).collect();
    stage.release = Some((7, ReleaseStatus::Failed));
    stage.carry_out_except(&target[1], &planned, |id| {
        (id != changes[0]).then_some(Outcome::NotStarted)
    });
    let release = stage.known.releases.last().unwrap();
    assert_eq!(release.outcome(), "failed");
    assert_eq!(release.run, stage.known.run);
    let config = &release.groups[&group_name("worker")].config;
    let configs = stage.known.machines.values().map(|machine| &machine.config);
    assert_eq!(configs.filter(|had| *had == config).count(), 1);
    let released = stage.known.configs[config].tree();
    assert_eq!(released["env"]["VERSION"], "2");
    // A complete one names what every Machine has.
    stage.release = Some((8, ReleaseStatus::Complete));
    stage.apply(&target[1]);
    let release = stage.known.releases.last().unwrap();
    assert!(release.is_complete());
    let config = &release.groups[&group_name("worker")].config;
    let mut configs = stage.known.machines.values().map(|machine| &machine.config);
    assert!(configs.all(|had| had == config));
}

/// A run that ended between the update of a crashed Machine and its start: the platform leaves it stopped.
#[test]
fn one_that_had_crashed_and_was_updated_but_not_started_is_started() {
    let updated = |state: MachineState| {
        move |machine: &mut Machine| {
            exits(1)(machine);
            machine.state = state;
            let update = ProcessEvent {
                id: 2,
                kind: ProcessEventKind::Changed,
            };
            machine.events.insert(0, update);
        }
    };
    // While it is being updated, and afterwards.
    for state in [MachineState::Replacing, MachineState::Stopped] {
        let stage = failed_at_the_first(&[workers("1"), workers("2")], updated(state));
        let plan = stage.plan(&workers("2"));
        assert_eq!(*of(&plan, "m00001").1, Action::Start, "{state:?}");
        // Also where nothing is waited for.
        let at_once = |version: &str| {
            let mut target = workers(version);
            for group in target.groups.values_mut() {
                group.strategy = Strategy::Immediate;
            }
            target
        };
        let mut stage = failed_at_the_first(&[at_once("1"), at_once("2")], updated(state));
        let plan = stage.plan(&at_once("2"));
        assert_eq!(*of(&plan, "m00001").1, Action::Start, "{state:?}");
        stage.apply(&at_once("2"));
        assert!(stage.plan(&at_once("2")).is_empty());
    }
    // What crashed later is left as it is there.
    let mut target = [workers("1"), workers("1")];
    for group in target.iter_mut().flat_map(|t| t.groups.values_mut()) {
        group.strategy = Strategy::Immediate;
    }
    let stage = failed_at_the_first(&target, exits(1));
    assert!(
        stage
            .plan(&target[1])
            .changes()
            .all(|(_, c)| c.action == Action::Adopt)
    );
}
