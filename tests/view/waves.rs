//! The waves of a group: in a plan, and on the line of the group while they run.

use std::collections::BTreeMap;

use aeroform::core::fleet::MachineState;
use aeroform::core::plan::GroupVerdict::Changed;
use aeroform::core::plan::{
    Action, Frees, GateKind, LowestServing, Outcome, Plan, Pool, PoolId, StepEvent, StepId, Wave,
    WaveName, Work,
};
use aeroform::core::view::run_report::step_change;
use aeroform::core::view::terminal::running_groups::RunningGroups;
use serde_json::json;

use crate::build::{GroupBuilder, PlanBuilder, fields, group, group_name, plan, region, update};

/// Six Machines in two regions, one of which an earlier run left.
pub(crate) fn rolling() -> Plan {
    let changes = fields(
        json!({"env": {"LOG_LEVEL": "info"}}),
        json!({"env": {"LOG_LEVEL": "debug"}}),
    );
    let machines = [
        ("gru", "da0c77e640e9c5", MachineState::Stopped),
        ("ams", "2508b45c320011", MachineState::Started),
        ("ams", "640e9cd5da0c77", MachineState::Stopped),
        ("ams", "9cd5da0c640e77", MachineState::Stopped),
        ("ams", "32fc9cd5da0c77", MachineState::Started),
        ("gru", "b45c320011da0c", MachineState::Started),
    ];
    let mut plan = plan(6);
    for (at, id, state) in machines {
        let mut change = update("web", at, id, &changes);
        change.state = Some(state);
        plan = plan.step(change);
    }
    plan.pools.push(Pool {
        name: "web".to_owned(),
        size: 2,
        per_region: BTreeMap::from([(region("ams"), 1), (region("gru"), 1)]),
        frees: Frees::WhenDone,
        first_alone: true,
        stops_on_failure: true,
        stops_release: true,
    });
    let wave = |name, steps: &[u32], first_alone, gate| Wave {
        name,
        steps: steps.iter().map(|step| StepId(*step)).collect(),
        pool: PoolId(1),
        first_alone,
        gate,
        reason: None,
    };
    let mut web = group("web", "bin/rails s", Changed, "ams 4, gru 2")
        .strategy("rolling: 1 first, then 2 at a time, at most 1 in ams and 1 in gru");
    web.waves = vec![
        wave(WaveName::ToStartAgain, &[0], true, GateKind::Healthy),
        wave(WaveName::First, &[1], true, GateKind::Healthy),
        wave(WaveName::Stopped, &[2, 3], false, GateKind::Settled),
        wave(WaveName::Running, &[4, 5], false, GateKind::Healthy),
    ];
    web.waves[0].reason = Some("exited with code 1 after release v2".to_owned());
    web.checks = vec!["/up".to_owned()];
    web.steady_ms = Some(10_000);
    web.wait_timeout_ms = Some(300_000);
    web.lowest_serving = Some(LowestServing {
        machines: 2,
        of: 6,
        regions: BTreeMap::from([(region("ams"), (1, 4)), (region("gru"), (1, 2))]),
    });
    plan.group(web)
}

/// All serve, and one region is updated after the other; its group is behind another one.
pub(crate) fn by_region() -> Plan {
    let mut plan = serving();
    let web = &mut plan.groups[0];
    let mut later = web.waves[1].clone();
    web.waves[1].steps.truncate(1);
    later.steps.remove(0);
    web.waves.push(later);
    let names = [vec!["migrator"], vec!["worker", "jobs"], vec!["web"]];
    plan.groups_order = names
        .map(|list| list.into_iter().map(group_name).collect())
        .into();
    plan
}

/// All serve; one region has one Machine, so that it is down for a moment.
pub(crate) fn serving() -> Plan {
    let mut plan = rolling();
    plan.steps.truncate(3);
    let web = &mut plan.groups[0];
    (web.before, web.after) = (3, 3);
    web.regions = BTreeMap::from([(region("ams"), (2, 2)), (region("gru"), (1, 1))]);
    "rolling: 1 at a time; gru: its only one restarts".clone_into(&mut web.strategy);
    web.waves = vec![
        Wave {
            name: WaveName::First,
            steps: vec![StepId(1)],
            pool: PoolId(1),
            first_alone: true,
            gate: GateKind::Healthy,
            reason: None,
        },
        Wave {
            name: WaveName::Running,
            steps: vec![StepId(0), StepId(2)],
            pool: PoolId(1),
            first_alone: false,
            gate: GateKind::Healthy,
            reason: None,
        },
    ];
    web.lowest_serving = Some(LowestServing {
        machines: 2,
        of: 3,
        regions: BTreeMap::from([(region("ams"), (1, 2)), (region("gru"), (0, 1))]),
    });
    plan
}

/// Two are started again, the others are updated, and no check is known.
pub(crate) fn two_changes() -> Plan {
    let mut plan = rolling();
    for (step, reason) in [
        (0, "exited with code 1 after release v2"),
        (2, "ran out of memory after release v2"),
    ] {
        if let Work::Change(change) = &mut plan.steps[step].work {
            change.action = Action::Start;
            change.changes.clear();
            change.branches.clear();
            reason.clone_into(&mut change.reason);
        }
    }
    let web = &mut plan.groups[0];
    web.checks.clear();
    web.waves[0].steps.push(StepId(2));
    web.waves[2].steps.remove(0);
    web.lowest_serving = Some(LowestServing {
        machines: 0,
        of: 1,
        regions: BTreeMap::from([(region("ams"), (0, 1))]),
    });
    plan
}

/// The line of the group after these events, with the time behind it.
fn line_after(events: &[(u32, StepEvent)], time: &str, columns: usize) -> String {
    let plan = rolling();
    let mut groups = RunningGroups::of(&plan);
    let mut line = String::new();
    for (step, what) in events {
        let step = StepId(*step);
        let change = step_change(&plan, step).unwrap();
        let group = groups.record((step, change, None), what, false);
        line = format!(
            "{}/{} {}",
            group.ended(),
            group.total().unwrap(),
            group.now().line(time, columns).text("aeroform")
        );
    }
    line
}

fn waits(on: &str) -> StepEvent {
    StepEvent::Waiting {
        on: on.to_owned(),
        up_to_ms: Some(300_000),
    }
}

#[test]
fn the_line_of_a_group_says_its_wave_and_what_it_waits_for_and_until_when() {
    let first = [
        (0, StepEvent::Began),
        (0, StepEvent::Ended(Outcome::Done)),
        (1, StepEvent::Began),
        (1, waits("check http-8080")),
    ];
    assert_eq!(
        line_after(&first, "4m 48s left", 80),
        "1/6 first, alone: waits for check http-8080  2508b45c320011  4m 48s left"
    );
    // The Machine goes before the check, and the check before the time.
    assert_eq!(
        line_after(&first, "4m 48s left", 60),
        "1/6 first, alone: waits for check http-8080  4m 48s left"
    );
    assert_eq!(
        line_after(&first, "4m 48s left", 40),
        "1/6 first, alone: waits for ch…  4m 48s left"
    );
    let between = (1, StepEvent::Ended(Outcome::Done));
    let events: Vec<_> = first.iter().cloned().chain([between]).collect();
    assert_eq!(line_after(&events, "", 80), "2/6 waits for its turn");
}

#[test]
fn the_line_of_a_group_is_about_the_machine_that_began_first_or_that_has_trouble() {
    let both = [
        (4, StepEvent::Began),
        (5, StepEvent::Began),
        (5, waits("it to start")),
        (4, waits("check http-8080")),
    ];
    assert_eq!(
        line_after(&both, "5m left", 80),
        "0/6 running, 2 at once: waits for check http-8080  32fc9cd5da0c77  5m left"
    );
    let cause = "rate limit".to_owned();
    let trouble = (5, StepEvent::Retrying { cause });
    let events: Vec<_> = both.into_iter().chain([trouble]).collect();
    assert_eq!(
        line_after(&events, "", 80),
        "0/6 running, 2 at once: retrying: rate limit  b45c320011da0c"
    );
}
