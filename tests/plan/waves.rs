//! In which wave a Machine is updated: one table over its states.

use aeroform::core::fleet::{
    CheckState, CheckStatus, Exit, Machine, MachineState, ProcessEvent, ProcessEventKind,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group};

const DOWN: &str = "web: update those that are down, rolling";
const RUNNING: &str = "web: update running, rolling";
const STOPPED: &str = "web: update stopped, rolling";

fn exited(machine: &mut Machine, code: i32, requested: bool) {
    let exit = Exit {
        code: Some(code),
        requested,
        ..Exit::default()
    };
    machine.events = vec![ProcessEvent {
        id: 1,
        kind: ProcessEventKind::Exited(exit),
    }];
}

fn has_check(machine: &mut Machine, status: CheckState) {
    machine.checks = vec![CheckStatus {
        name: "up".to_owned(),
        status,
        output: String::new(),
        updated_at: "1".to_owned(),
    }];
}

/// Each state, what else is seen of the Machine, and its wave.
type Row = (MachineState, fn(&mut Machine), &'static str);

const TABLE: [Row; 17] = [
    (MachineState::Created, |_| {}, STOPPED),
    (MachineState::Starting, |_| {}, DOWN),
    (MachineState::Started, |_| {}, RUNNING),
    (
        MachineState::Started,
        |m| has_check(m, CheckState::Passing),
        RUNNING,
    ),
    (
        MachineState::Started,
        |m| has_check(m, CheckState::Critical),
        DOWN,
    ),
    (MachineState::Started, |m| exited(m, 1, false), RUNNING),
    (MachineState::Replacing, |_| {}, DOWN),
    (MachineState::Unknown, |_| {}, DOWN),
    (MachineState::Failed, |_| {}, DOWN),
    (MachineState::Stopping, |_| {}, STOPPED),
    (MachineState::Stopped, |_| {}, STOPPED),
    (MachineState::Stopped, |m| exited(m, 1, false), DOWN),
    (MachineState::Stopped, |m| exited(m, 1, true), STOPPED),
    (MachineState::Stopped, |m| exited(m, 0, false), STOPPED),
    (MachineState::Suspending, |_| {}, STOPPED),
    (MachineState::Suspended, |_| {}, STOPPED),
    (MachineState::Suspended, |m| exited(m, 1, true), STOPPED),
];

/// Holds rule 23.
#[test]
fn the_state_of_a_machine_decides_in_which_wave_it_is_updated() {
    let web = |version: &str| {
        let changed = json!({"env": {"VERSION": version}});
        desired([("web", group("web").count(1).config(changed))])
    };
    for (state, set, wave) in TABLE {
        let mut stage = PlanFixture::with(&web("1"));
        stage.edit_outside("m00001", |machine| {
            machine.state = state;
            set(machine);
        });
        let seen = &stage.observed.machines["m00001"];
        let case = format!("{state:?}, {:?}, {:?}", seen.events, seen.checks);
        let plan = stage.plan(&web("2"));
        let (step, _) = plan.changes().next().unwrap();
        let pool = plan.steps[step.0 as usize].pool.unwrap();
        assert_eq!(plan.pools[pool.0 as usize].name, wave, "{case}");
    }
}
