//! Machines on their way up, as a run that was killed leaves them.

use aeroform::core::fleet::{CheckState, CheckStatus, Machine, MachineState};
use aeroform::core::plan::{Action, GateKind, Plan};
use serde_json::json;

use crate::support::{GroupWords, Stage, config_of, desired, group, id};

/// The gates of the adoptions of a plan, in order of Machine.
fn gates(plan: &Plan) -> Vec<GateKind> {
    let adoptions = plan
        .changes()
        .filter(|(_, change)| matches!(change.action, Action::Adopt));
    adoptions.map(|(_, change)| change.gate).collect()
}

#[test]
fn what_a_killed_run_left_half_up_passes_its_gate_before_it_counts() {
    let wanted = desired([("web", group("web").count(3).max_unavailable(1))]);
    let mut stage = Stage::with(&desired([("web", group("web").count(0))]));
    let before = stage.known.clone();
    stage.apply(&wanted);
    stage.known = before;
    stage.touch("m00002", |machine| machine.state = MachineState::Starting);
    stage.touch("m00003", |machine| machine.state = MachineState::Stopped);
    let plan = stage.plan(&wanted);
    let expected = [GateKind::None, GateKind::Started, GateKind::None];
    assert_eq!(gates(&plan), expected);

    // What changes after it waits for it.
    let newer = desired([(
        "web",
        group("web")
            .count(3)
            .max_unavailable(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.touch("m00002", |machine| {
        let config = config_of(machine);
        let env = config.env.get_or_insert_default();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    let plan = stage.plan(&newer);
    let gated = plan
        .changes()
        .find(|(_, c)| c.gate == GateKind::Started && matches!(c.action, Action::Adopt));
    let (gated, _) = gated.unwrap();
    let mut updates = 0;
    for step in &plan.steps {
        let is_update = plan
            .changes()
            .any(|(id, change)| id == step.id && matches!(change.action, Action::Update { .. }));
        if is_update {
            updates += 1;
            assert!(step.needs.contains(&gated), "{step:?}");
        }
    }
    assert_eq!(updates, 2);
}

#[test]
fn a_started_machine_that_is_adopted_waits_only_for_checks_that_do_not_pass() {
    let checked = group("web")
        .count(2)
        .config(json!({"checks": {"up": {"type": "tcp", "port": 8080}}}));
    let wanted = desired([("web", checked)]);
    let mut stage = Stage::with(&desired([("web", group("web").count(0))]));
    let before = stage.known.clone();
    stage.apply(&wanted);
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
    stage.touch("m00001", shows(CheckState::Passing));
    stage.touch("m00002", shows(CheckState::Warning));
    let plan = stage.plan(&wanted);
    assert_eq!(gates(&plan), [GateKind::None, GateKind::Healthy]);
}

#[test]
fn who_goes_does_not_hang_on_whether_another_is_up_yet() {
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    let wanted = desired([(
        "web",
        group("web")
            .count(1)
            .config(json!({"env": {"LOG": "debug"}})),
    )]);
    stage.touch("m00001", |machine| {
        let config = config_of(machine);
        let env = config.env.get_or_insert_default();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    for state in [
        MachineState::Started,
        MachineState::Starting,
        MachineState::Replacing,
    ] {
        stage.touch("m00001", |machine| machine.state = state);
        let plan = stage.plan(&wanted);
        let gone = plan
            .changes()
            .find(|(_, change)| matches!(change.action, Action::Destroy { .. }));
        assert_eq!(gone.unwrap().1.machine.id, Some(id("m00002")), "{state:?}");
    }
}
