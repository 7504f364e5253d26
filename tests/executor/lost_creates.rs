//! Creates whose answer was lost: the Machine of that name and its state decide what happens, by one table.

use std::time::Duration;

use aeroform::core::fleet::Desired;
use aeroform::core::plan::Plan;
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::json;

use crate::fixture::{ExecutedRun, ExecutorFixture, image, web};
use crate::support::desired;

/// Who created the Machine that has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CreatedBy {
    /// The call whose answer was lost.
    ThisCall,
    /// Another run, for the same desired state.
    AnotherRun,
    /// Another run, for another desired state.
    RunForOtherPurpose,
    /// Something that leaves no stamps.
    Unknown,
}

/// The state of that Machine when it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Started,
    Stopped,
    /// For another 5 seconds: shorter than a Machine is looked for.
    Destroying,
    /// For another 40 seconds: longer.
    DestroyingSlowly,
    Destroyed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The run creates a Machine.
    Creates,
    /// The run uses the Machine of that name.
    Uses,
    /// The run refuses, and changes nothing.
    Refuses,
}

use CreatedBy::{AnotherRun, RunForOtherPurpose, ThisCall, Unknown};
use Expected::{Creates, Refuses, Uses};
use State::{Destroyed, Destroying, DestroyingSlowly, Started, Stopped};

const STATES: [State; 5] = [Started, Stopped, Destroying, DestroyingSlowly, Destroyed];

/// What happens for each state of [`STATES`].
const TABLE: [(CreatedBy, [Expected; 5]); 4] = [
    (ThisCall, [Uses, Uses, Creates, Creates, Creates]),
    (AnotherRun, [Uses, Uses, Creates, Creates, Creates]),
    (
        RunForOtherPurpose,
        [Refuses, Refuses, Creates, Creates, Creates],
    ),
    (Unknown, [Uses, Uses, Creates, Creates, Creates]),
];

/// How the answer was lost; the call has no effect in the first three.
const LOSSES: [FaultEffect; 5] = [
    FaultEffect::LoseBefore { status: 408 },
    FaultEffect::LoseBefore { status: 504 },
    FaultEffect::BreakBefore,
    FaultEffect::LoseAfter { status: 500 },
    FaultEffect::BreakAfter,
];

/// Puts the Machine with this id into that state.
async fn bring_to(stage: &ExecutorFixture, id: &str, machine_state: State) {
    let takes = match machine_state {
        Destroying => Duration::from_secs(5),
        Started | Stopped | DestroyingSlowly | Destroyed => Duration::from_secs(40),
    };
    match machine_state {
        Started => {}
        Stopped => stage.sim.world().operator("shop").stop(id),
        Destroying | DestroyingSlowly => stage.begin_destroy(id, takes).await,
        Destroyed => stage.sim.world().operator("shop").destroy(id),
    }
}

struct Lost {
    stage: ExecutorFixture,
    target: Desired,
    ran: ExecutedRun,
    /// The Machine that had the name.
    id: String,
}

/// Loses the answer of the first create, while the Machine of that name has this creator and this state.
async fn lose(by: CreatedBy, machine_state: State, loss: &FaultEffect) -> Lost {
    let mut stage = ExecutorFixture::new();
    let target = desired([("web", web(1))]);
    let (planned, observed) = stage.plan(&target).await;
    let mut other = ExecutorFixture::new();
    other.sim = stage.sim.clone();
    other.runs = 10;
    match by {
        ThisCall => {}
        AnotherRun => other.apply(&target).await.assert_complete(),
        RunForOtherPurpose => {
            let target = desired([("web", image(web(1), "shop:9"))]);
            other.apply(&target).await.assert_complete();
        }
        Unknown => add_without_stamps(&stage, &target, &planned),
    }
    let fault = stage.sim.world().inject(Fault::on("create", loss.clone()));
    let id;
    let ran = if by == ThisCall {
        // Its state changes before it is listed.
        stage.sim.world().timings.list_lag = Duration::from_secs(3);
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let id = other.id(0);
            bring_to(&other, &id, machine_state).await;
            id
        };
        let ran;
        (ran, id) = tokio::join!(stage.carry_out(&target, planned, &observed), meanwhile);
        ran
    } else {
        id = stage.id(0);
        bring_to(&stage, &id, machine_state).await;
        stage.carry_out(&target, planned, &observed).await
    };
    assert_eq!(stage.sim.world().fired(fault), 1);
    Lost {
        stage,
        target,
        ran,
        id,
    }
}

fn add_without_stamps(stage: &ExecutorFixture, target: &Desired, planned: &Plan) {
    let (_, create) = planned.changes().next().unwrap();
    let mut config = target.groups["web"].template.to_value();
    config["metadata"] = json!({"fly_process_group": "web"});
    let mut world = stage.sim.world();
    let name = create.machine.name.as_str();
    world.operator("shop").add(name, "ams", config).unwrap();
}

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn after_a_lost_create_the_machine_of_that_name_and_its_state_decide() {
    for (by, of_states) in TABLE {
        for (state, expected) in STATES.into_iter().zip(of_states) {
            for loss in LOSSES {
                let took_effect = matches!(
                    loss,
                    FaultEffect::LoseAfter { .. } | FaultEffect::BreakAfter
                );
                if by == ThisCall && !took_effect {
                    continue;
                }
                let case = format!("{by:?}, {state:?}, {loss:?}");
                let lost = lose(by, state, &loss).await;
                lost.assert(expected, &case).await;
                if state == DestroyingSlowly {
                    let waits = format!("{} to let its name go", lost.id);
                    assert!(lost.ran.waits().contains(&waits.as_str()), "{case}");
                }
            }
        }
    }
}

impl Lost {
    async fn assert(&self, expected: Expected, case: &str) {
        let Self {
            stage,
            target,
            ran,
            id,
        } = self;
        if expected == Refuses {
            assert_eq!(ran.failure().0, "state_behind", "{case}");
            assert_eq!(stage.machines()[0]["config"]["image"], "shop:9", "{case}");
        } else {
            assert_eq!(ran.outcomes(), ["done"], "{case}: {:#?}", ran.report);
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        stage.assert_one_machine_per_name(1);
        let is_of_that_name = stage.id(0) == *id;
        assert_eq!(is_of_that_name, expected != Creates, "{case}");
        assert_eq!(stage.sim.world().count("update"), 0, "{case}");
        if expected != Refuses {
            assert_eq!(stage.states(), ["started"], "{case}");
            stage.assert_settled(target).await;
        }
    }
}
