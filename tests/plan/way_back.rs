//! What undoes a run (`on_failure = "rollback"`): which steps, in which order, with which gates.

use std::collections::BTreeMap;

use aeroform::core::fleet::{Desired, Machine, MachineId, MachineState, OnFailure, StoredConfig};
use aeroform::core::plan::way_back::{RunSoFar, UndoScope, WayBack, derive};
use aeroform::core::plan::{
    Action, Change, GateKind, Options, Outcome, Plan, Requested, StepId, StepResult, Work,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

fn rollback() -> Options {
    Options {
        requested: Requested {
            on_failure: Some(OnFailure::Rollback),
            ..Requested::default()
        },
        ..Options::default()
    }
}

fn fleet(web: u32, worker: u32, version: &str) -> Desired {
    let env = json!({"env": {"VERSION": version}});
    let web = group("web").count(web).max_unavailable(1);
    let worker = group("worker").count(worker).max_unavailable(1);
    desired([
        ("web", web.config(env.clone())),
        ("worker", worker.config(env)),
    ])
}

fn failed() -> Outcome {
    Outcome::Failed {
        code: "gate_timeout".to_owned(),
        message: "it is stopped".to_owned(),
        hint: None,
    }
}

/// A plan of which some changes were made, in this order; the last one failed its gate.
fn undo(stage: &PlanFixture, target: &Desired, plan: &Plan, made: &[StepId]) -> Option<WayBack> {
    let mut results = vec![StepResult::of(Outcome::NotStarted); plan.steps.len()];
    let mut bodies: BTreeMap<(StepId, MachineId), Machine> = BTreeMap::new();
    for (step, change) in plan.changes().filter(|(step, _)| made.contains(step)) {
        let before = change.machine.id.as_ref();
        let before = before.and_then(|id| stage.observed.machines.get(id));
        if let Some(before) = before {
            bodies.insert((step, before.id.clone()), before.clone());
        }
        let mut machine = before.cloned().unwrap_or_else(|| {
            let any = stage.observed.machines.values().next().unwrap();
            Machine {
                id: id(&format!("n{}", step.0)),
                ..any.clone()
            }
        });
        machine.group = Some(change.group.clone());
        let config = machine.config.as_deref().unwrap();
        results[step.0 as usize] = StepResult {
            sent: Some(StoredConfig::from_config(
                config,
                &stage.observed.description.scope,
            )),
            machine: Some(machine),
            ..StepResult::of(Outcome::Done)
        };
    }
    results[made.last().unwrap().0 as usize].outcome = failed();
    let run = RunSoFar {
        plan,
        desired: target,
        known: &stage.known,
        observed: &stage.observed,
        results: &results,
        bodies: &bodies,
        ended: made,
    };
    derive(run, UndoScope::Run)
}

fn changes(way: &WayBack) -> Vec<&Change> {
    way.plan.changes().map(|(_, change)| change).collect()
}

fn updates(plan: &Plan, group: &str) -> Vec<StepId> {
    let changes = plan.changes();
    let of = |change: &Change| {
        change.group.as_str() == group && matches!(change.action, Action::Update { .. })
    };
    changes
        .filter_map(|(step, change)| of(change).then_some(step))
        .collect()
}

fn creates(plan: &Plan) -> Vec<StepId> {
    let changes = plan.changes();
    changes
        .filter_map(|(step, c)| matches!(c.action, Action::Create { .. }).then_some(step))
        .collect()
}

#[test]
fn the_one_that_failed_comes_back_first_then_the_last_change_first_and_new_ones_go_last() {
    let stage = PlanFixture::with(&fleet(3, 2, "1"));
    let target = fleet(4, 2, "2");
    let plan = stage.plan_with(&target, &rollback());
    let (created, web, worker) = (
        creates(&plan),
        updates(&plan, "web"),
        updates(&plan, "worker"),
    );
    let made = [created[0], web[0], worker[0], web[1]];
    let way = undo(&stage, &target, &plan, &made).unwrap();
    let of = |step: StepId| {
        let mut changes = plan.changes();
        changes
            .find(|(id, _)| *id == step)
            .unwrap()
            .1
            .machine
            .id
            .clone()
    };
    let back: Vec<_> = changes(&way).iter().map(|c| c.machine.id.clone()).collect();
    let new = Some(id(&format!("n{}", created[0].0)));
    assert_eq!(back, [of(web[1]), of(worker[0]), of(web[0]), new]);
    // The last one waits for all others, each of which keeps the pool of its change.
    let last = way.plan.steps.last().unwrap();
    assert!(matches!(
        &last.work,
        Work::Change(change) if matches!(change.action, Action::Destroy { .. })
    ));
    assert!(!last.needs.is_empty());
    assert_eq!(way.plan.steps[0].pool, plan.steps[web[1].0 as usize].pool);
}

#[test]
fn a_machine_must_be_as_well_as_it_was() {
    let mut stage = PlanFixture::with(&fleet(3, 1, "1"));
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Failed);
    let target = fleet(3, 1, "2");
    let plan = stage.plan_with(&target, &rollback());
    let web = updates(&plan, "web");
    let way = undo(&stage, &target, &plan, &web).unwrap();
    let gates = changes(&way);
    let gate = |machine: &str| {
        let mut of = gates.iter().filter(|c| c.machine.id == Some(id(machine)));
        of.next().unwrap().gate
    };
    assert_eq!(gate("m00001"), GateKind::Settled);
    assert_eq!(gate("m00002"), GateKind::None);
    assert_eq!(gate("m00003"), GateKind::Started);
}

#[test]
fn a_run_that_has_changed_nothing_has_nothing_to_undo() {
    let stage = PlanFixture::with(&fleet(1, 1, "1"));
    let target = fleet(1, 1, "2");
    let plan = stage.plan_with(&target, &rollback());
    let results = vec![StepResult::of(Outcome::NotStarted); plan.steps.len()];
    let run = RunSoFar {
        plan: &plan,
        desired: &target,
        known: &stage.known,
        observed: &stage.observed,
        results: &results,
        bodies: &BTreeMap::new(),
        ended: &[],
    };
    assert_eq!(derive(run, UndoScope::Run), None);
}

#[test]
fn no_machine_is_destroyed_before_every_group_is_complete() {
    let stage = PlanFixture::with(&fleet(3, 2, "1"));
    let target = fleet(2, 2, "2");
    let behind = |plan: &Plan| {
        let mut changes = plan.changes();
        let destroy = changes.find(|(_, c)| matches!(c.action, Action::Destroy { .. }));
        let (destroy, _) = destroy.unwrap();
        let worker = updates(plan, "worker");
        worker.iter().all(|step| is_behind(plan, destroy, *step))
    };
    assert!(behind(&stage.plan_with(&target, &rollback())));
    assert!(!behind(&stage.plan(&target)));
}

/// Whether a step waits for another, perhaps over others.
fn is_behind(plan: &Plan, step: StepId, first: StepId) -> bool {
    let needs = plan.steps[step.0 as usize].needs.iter();
    let mut needs = needs.copied();
    needs.any(|need| need == first || is_behind(plan, need, first))
}
