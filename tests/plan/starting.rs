//! Machines on their way up, as a run that was killed leaves them.

use aeroform::core::fleet::{CheckState, CheckStatus, Machine, MachineState};
use aeroform::core::plan::{Action, GateKind, Plan, StepId};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, id};

/// The gates of the Machines of a plan that no call changes, in order of Machine.
fn gates(plan: &Plan) -> Vec<GateKind> {
    let remaining = plan
        .changes()
        .filter(|(_, change)| matches!(change.action, Action::Adopt | Action::Wait));
    let gates: std::collections::BTreeMap<_, _> = remaining
        .map(|(_, change)| (change.machine.id.clone(), change.gate))
        .collect();
    gates.into_values().collect()
}

#[test]
fn what_a_killed_run_left_half_up_passes_its_gate_before_it_counts() {
    let target = desired([("web", group("web").count(3).max_unavailable(1))]);
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(0))]));
    let before = stage.known.clone();
    stage.apply(&target);
    stage.known = before;
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Starting);
    stage.edit_outside("m00003", |machine| machine.state = MachineState::Stopped);
    let plan = stage.plan(&target);
    // It is unknown whether the first one stays up, and the last one was stopped.
    let expected = [GateKind::Started, GateKind::Started, GateKind::None];
    assert_eq!(gates(&plan), expected);

    // What changes after it waits for it.
    let newer = desired([(
        "web",
        group("web")
            .count(3)
            .max_unavailable(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.edit_outside("m00002", |machine| {
        let config = config_of(machine);
        let env = config.env.get_or_insert_default();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    let plan = stage.plan(&newer);
    // The one that may serve changes next, the one at rest last.
    let of = |machine: &str| {
        let mut changes = plan.changes();
        changes
            .find(|(_, c)| c.machine.id == Some(id(machine)) && c.action != Action::Adopt)
            .unwrap()
    };
    let (first, waits) = of("m00002");
    assert_eq!(
        (&waits.action, waits.gate),
        (&Action::Wait, GateKind::Started)
    );
    let needs = |step: StepId| &plan.steps[step.0 as usize].needs;
    assert_eq!(*needs(of("m00001").0), [first]);
    assert_eq!(*needs(of("m00003").0), [of("m00001").0]);
}

#[test]
fn a_started_machine_that_is_adopted_waits_only_for_checks_that_do_not_pass() {
    let checked = group("web")
        .count(2)
        .config(json!({"checks": {"up": {"type": "tcp", "port": 8080}}}));
    let target = desired([("web", checked)]);
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(0))]));
    let before = stage.known.clone();
    stage.apply(&target);
    stage.known = before;
    let shows = |status| {
        move |machine: &mut Machine| {
            machine.checks = vec![CheckStatus {
                name: "up".to_owned(),
                status,
                output: String::new(),
                updated_at: "1".to_owned(),
            }];
        }
    };
    stage.edit_outside("m00001", shows(CheckState::Passing));
    stage.edit_outside("m00002", shows(CheckState::Warning));
    let plan = stage.plan(&target);
    assert_eq!(gates(&plan), [GateKind::None, GateKind::Healthy]);
}

#[test]
fn the_choice_of_a_removed_machine_does_not_depend_on_starting_ones() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    let target = desired([(
        "web",
        group("web")
            .count(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.edit_outside("m00001", |machine| {
        let config = config_of(machine);
        let env = config.env.get_or_insert_default();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    for state in [
        MachineState::Started,
        MachineState::Starting,
        MachineState::Replacing,
    ] {
        stage.edit_outside("m00001", |machine| machine.state = state);
        let plan = stage.plan(&target);
        let gone = plan
            .changes()
            .find(|(_, change)| matches!(change.action, Action::Destroy { .. }));
        assert_eq!(gone.unwrap().1.machine.id, Some(id("m00002")), "{state:?}");
    }
}
