//! Orders of steps, without a provider.

use std::collections::BTreeMap;

use super::*;
use crate::core::fleet::{AppName, GroupName, MachineName, OnFailure, Region};
use crate::core::plan::types::FORMAT_VERSION;
use crate::core::plan::{
    Change, Frees, GateKind, MachineRef, PlanMode, Pool, PoolId, Requested, StateSource, Step,
};

/// Replacements in one pool: each is a step and the one behind it.
fn replacements(count: u32, size: usize) -> Plan {
    let step = |id: u32| Step {
        id: StepId(id),
        needs: (id % 2 == 1).then(|| StepId(id - 1)).into_iter().collect(),
        pool: Some(PoolId(0)),
        completes: (id % 2 == 1).then(|| StepId(id - 1)),
        work: Work::Change(Box::new(Change {
            action: Action::Forget,
            group: GroupName::new("db").unwrap(),
            region: Region::new("ams").unwrap(),
            machine: MachineRef {
                id: None,
                name: MachineName::new("db").unwrap(),
            },
            reason: String::new(),
            changes: Vec::new(),
            precondition: None,
            gate: GateKind::None,
            wake: None,
            branches: Vec::new(),
            state: None,
            reverts: None,
            standby: false,
        })),
    };
    Plan {
        format_version: FORMAT_VERSION,
        app: AppName::new("shop").unwrap(),
        provider: "test".to_owned(),
        provider_unwritten: false,
        named_by: None,
        lineage: None,
        serial: 0,
        state: StateSource::default(),
        desired: String::new(),
        desired_digests: BTreeMap::new(),
        online: true,
        machines: 0,
        mode: PlanMode::Normal,
        hold: None,
        requested: Requested::default(),
        on_failure: OnFailure::Stop,
        groups: Vec::new(),
        groups_order: Vec::new(),
        left_out: Vec::new(),
        swap: None,
        steps: (0..count * 2).map(step).collect(),
        pools: vec![Pool {
            name: "db".to_owned(),
            size,
            per_region: std::collections::BTreeMap::new(),
            frees: Frees::WhenDone,
            first_alone: true,
            stops_on_failure: true,
            stops_release: true,
        }],
        drift: Vec::new(),
        watchers: BTreeMap::new(),
        adopted_runs: Vec::new(),
        unlisted_runs: Vec::new(),
        provenance: BTreeMap::new(),
        cost: None,
        at_least_ms: None,
        release: None,
        release_command_done: None,
        newest_release: None,
        unseen_release: None,
        notes: Vec::new(),
        warnings: Vec::new(),
        refusals: Vec::new(),
        records: Vec::new(),
        expected_machines: BTreeMap::new(),
    }
}

fn starts(schedule: &mut Schedule<'_>, parallelism: usize) -> Vec<u32> {
    std::iter::from_fn(|| {
        schedule
            .start(parallelism, CreatePolicy::Allow)
            .map(|step| step.0)
    })
    .collect()
}

fn failed() -> Outcome {
    Outcome::Unknown {
        message: String::new(),
    }
}

#[test]
fn the_first_replacement_ends_before_another_begins() {
    let plan = replacements(3, 2);
    let mut schedule = Schedule::new(&plan);
    assert_eq!(starts(&mut schedule, 16), [0]);
    schedule.finish(StepId(0), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [1]);
    schedule.finish(StepId(1), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [2, 4]);
}

#[test]
fn a_replacement_that_was_begun_is_ended_although_its_pool_stops() {
    let plan = replacements(4, 2);
    let mut schedule = Schedule::new(&plan);
    for step in [0, 1] {
        assert_eq!(starts(&mut schedule, 16), [step]);
        schedule.finish(StepId(step), Outcome::Done);
    }
    assert_eq!(starts(&mut schedule, 16), [2, 4]);
    let unstarted = schedule.finish(StepId(2), failed());
    let steps: Vec<u32> = unstarted.iter().map(|(step, _)| step.0).collect();
    assert_eq!(steps, [6, 7, 3]);
    schedule.finish(StepId(4), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [5]);
}

/// Holds rule 29: the second half keeps the place of the first, so that no third Machine is down between them.
#[test]
fn a_region_has_no_more_begun_than_its_limit() {
    let mut plan = replacements(4, 3);
    let gru = Region::new("gru").unwrap();
    for step in [6, 7] {
        let Work::Change(change) = &mut plan.steps[step].work else {
            unreachable!()
        };
        change.region = gru.clone();
    }
    plan.pools[0].first_alone = false;
    plan.pools[0].per_region = [(Region::new("ams").unwrap(), 1), (gru, 1)].into();
    let mut schedule = Schedule::new(&plan);
    assert_eq!(starts(&mut schedule, 16), [0, 6]);
    schedule.finish(StepId(0), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [1]);
    schedule.finish(StepId(1), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [2]);
    schedule.finish(StepId(6), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [7]);
}

/// Four in each of three regions, of which four change at once and two of each region: no region is left as a tail.
#[test]
fn regions_are_updated_evenly() {
    let mut plan = replacements(6, 4);
    let regions = ["ams", "bog", "gru"].map(|name| Region::new(name).unwrap());
    for (at, step) in plan.steps.iter_mut().enumerate() {
        (step.needs, step.completes) = (Vec::new(), None);
        let Work::Change(change) = &mut step.work else {
            unreachable!()
        };
        change.region = regions[at / 4].clone();
    }
    plan.pools[0].per_region = regions.map(|region| (region, 2)).into();
    let mut schedule = Schedule::new(&plan);
    let mut turns = Vec::new();
    loop {
        let started = starts(&mut schedule, 16);
        if started.is_empty() {
            break;
        }
        for step in &started {
            schedule.finish(StepId(*step), Outcome::Done);
        }
        turns.push(started);
    }
    assert_eq!(
        turns,
        [vec![0], vec![4, 8, 1, 5], vec![9, 2, 6, 10], vec![3, 7, 11]]
    );
}

/// Steps of several groups, each in a pool of its own, without needs.
fn groups(actions: &[(&str, Action, bool)]) -> Plan {
    let mut plan = replacements(1, 1);
    plan.steps.clear();
    plan.pools.clear();
    for (at, (group, action, new_config)) in (0..).zip(actions) {
        let mut step = replacements(1, 1).steps.remove(0);
        (step.id, step.needs, step.pool) = (StepId(at), Vec::new(), Some(PoolId(at)));
        step.completes = None;
        let Work::Change(change) = &mut step.work else {
            unreachable!()
        };
        change.group = GroupName::new(*group).unwrap();
        change.action = action.clone();
        if *new_config {
            change.changes = vec![crate::core::fleet::FieldChange {
                path: vec!["image".to_owned()],
                before: None,
                after: None,
                effect: crate::core::fleet::Effect::InPlace,
                shrinks: false,
                line_ends: false,
                hidden: false,
                unsent: false,
            }];
        }
        plan.steps.push(step);
        plan.pools.push(Pool {
            name: (*group).to_owned(),
            size: 1,
            per_region: std::collections::BTreeMap::new(),
            frees: Frees::WhenDone,
            first_alone: false,
            stops_on_failure: true,
            stops_release: true,
        });
    }
    plan
}

fn create() -> Action {
    Action::Create {
        launch: crate::core::fleet::LaunchId::new("aaaaaaaaaa").unwrap(),
        port: None,
        standby_for: Vec::new(),
        replaces: None,
        volumes: Vec::new(),
        new_volumes: Vec::new(),
        inherits: Box::default(),
        green: None,
    }
}

fn update() -> Action {
    Action::Update {
        standby_for: Vec::new(),
    }
}

fn destroy() -> Action {
    Action::Destroy {
        removal: Removal::CountLowered,
        left_volumes: Vec::new(),
    }
}

/// The steps that start after the first failure, and the steps that are then skipped.
fn after_the_first_fails(plan: &Plan) -> (Vec<u32>, Vec<u32>) {
    let mut schedule = Schedule::new(plan);
    assert_eq!(starts(&mut schedule, 1), [0]);
    let unstarted = schedule.finish(StepId(0), failed());
    let unstarted = unstarted.iter().map(|(step, _)| step.0).collect();
    (starts(&mut schedule, 16), unstarted)
}

#[test]
fn a_failure_stops_the_release_in_every_group() {
    let steps = [
        ("web", update(), true),
        ("worker", update(), true),
        ("worker", create(), false),
        ("cron", create(), false),
        ("cron", update(), false),
        ("old", destroy(), false),
        ("cron", Action::Wait, false),
        ("cron", Action::Adopt, false),
    ];
    let mut plan = groups(&steps);
    let (begun, unstarted) = after_the_first_fails(&plan);
    assert_eq!((begun, unstarted), (vec![3, 6, 7], vec![1, 2, 4, 5]));
    plan.on_failure = OnFailure::Group;
    let (begun, unstarted) = after_the_first_fails(&plan);
    assert_eq!((begun, unstarted), (vec![1, 2, 3, 4, 5, 6, 7], vec![]));
    // Who updates all at once is promised nothing.
    plan.on_failure = OnFailure::Stop;
    plan.pools[0].stops_release = false;
    assert_eq!(after_the_first_fails(&plan).1, [] as [u32; 0]);
}

#[test]
fn the_old_half_of_a_replacement_goes_although_another_group_has_failed() {
    let mut plan = replacements(2, 1);
    let mut other = groups(&[("web", update(), true)]).steps.remove(0);
    (other.id, other.pool) = (StepId(4), Some(PoolId(1)));
    plan.steps.push(other);
    let mut pool = plan.pools[0].clone();
    pool.name = "web".to_owned();
    plan.pools.push(pool);
    for (step, action) in [
        (0, create_for()),
        (1, replaced()),
        (2, create_for()),
        (3, replaced()),
    ] {
        let Work::Change(change) = &mut plan.steps[step].work else {
            unreachable!()
        };
        change.action = action;
    }
    let mut schedule = Schedule::new(&plan);
    assert_eq!(starts(&mut schedule, 16), [0, 4]);
    let unstarted = schedule.finish(StepId(4), failed());
    let steps: Vec<u32> = unstarted.iter().map(|(step, _)| step.0).collect();
    assert_eq!(steps, [2, 3]);
    schedule.finish(StepId(0), Outcome::Done);
    assert_eq!(starts(&mut schedule, 16), [1]);
}

fn create_for() -> Action {
    let Action::Create {
        launch,
        port,
        standby_for,
        volumes,
        new_volumes,
        inherits,
        ..
    } = create()
    else {
        unreachable!()
    };
    Action::Create {
        launch,
        port,
        standby_for,
        replaces: Some(crate::core::fleet::MachineId::new("m1").unwrap()),
        volumes,
        new_volumes,
        inherits,
        green: None,
    }
}

fn replaced() -> Action {
    Action::Destroy {
        removal: Removal::Replaced,
        left_volumes: Vec::new(),
    }
}
