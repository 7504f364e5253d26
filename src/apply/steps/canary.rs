//! A canary: one Machine more of a group, which tries the new config in the proxy's rotation and is destroyed again.
//!
//! The step is the whole life of the Machine. However its trial ends, it is cordoned, stopped and destroyed; only a
//! cancel leaves it, for the next plan, which knows it by its name.

use std::time::Duration;

use super::StepProgress;
use super::create::{CreateResult, check_region, create_once};
use super::destroy::remove_machine;
use crate::apply::codes;
use crate::apply::desired_machine::DesiredMachine;
use crate::apply::gate::{self, Baseline, Gate};
use crate::apply::soak;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{PartResult, StepError};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{Call, LaunchId, Machine, MachineId};
use crate::core::plan::{Action, Change, Inherited};

/// Tries the new config. Passes only if the Machine has passed and is gone. A crash or cancel in between leaves a
/// Machine with an identifying name.
pub(super) async fn canary(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult {
    let Action::Canary {
        launch,
        port,
        soak_ms,
        inherits,
    } = &change.action
    else {
        let cause = "the step tries no canary";
        return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
    };
    let desired = DesiredMachine::canary(context.shared, &change.group)?;
    let trial = Trial {
        context,
        change,
        desired,
        launch,
        port: *port,
        inherits,
    };
    let (id, before) = trial.begin(progress).await?;
    let passed = trial
        .watch(progress, &id, before, Duration::from_millis(*soak_ms))
        .await;
    let failed = match passed {
        Ok(()) => None,
        // Nothing more is called: the next plan removes it.
        Err(end @ StepError::Halted { .. }) => return Err(end),
        Err(end @ (StepError::Failed { .. } | StepError::Unknown { .. })) => Some(end),
    };
    let removed = remove_machine(context, progress, &id, None).await;
    match (failed, removed) {
        (Some(failed), Ok(())) => Err(failed),
        (Some(failed), Err(left)) => Err(with_left(failed, &id, left)),
        (None, removed) => removed,
    }
}

/// One canary of one run.
struct Trial<'c, 'a> {
    context: &'c StepContext<'a>,
    change: &'c Change,
    desired: DesiredMachine<'c>,
    launch: &'c LaunchId,
    port: Option<u16>,
    inherits: &'c Inherited,
}

impl Trial<'_, '_> {
    /// The Machine of an earlier run with the same purpose, or a new one.
    async fn begin(&self, progress: &mut StepProgress) -> PartResult<(MachineId, Baseline)> {
        let context = self.context;
        let name = &self.change.machine.name;
        if let Some(id) = context.observed_id(name)
            && let Some(machine) = context.get(id).await?
            && !machine.state.is_gone()
        {
            if self.is_usable(&machine) {
                context.acquire_lease(id).await?;
                return Ok(self.take(progress, machine, true));
            }
            // Its name is free once it is gone.
            remove_machine(context, progress, id, None).await?;
        }
        let base = self.inherits.base(None);
        let call = Call::Create(Box::new(CreateCall {
            name: name.clone(),
            group: self.change.group.clone(),
            region: self.change.region.clone(),
            config: self.desired.config_over(Some(&base)),
            stamps: self.desired.stamps(Some(self.launch.as_str())),
            skip_launch: false,
            cordoned: false,
            without_lease: false,
            port: self.port,
        }));
        match create_once(context, name, &call).await? {
            CreateResult::New(machine) => {
                context.add_lease(&machine.id);
                let machine = self.desired.complete_answer(machine);
                Ok(self.take(progress, machine, false))
            }
            CreateResult::Existing(machine) => {
                context.acquire_lease(&machine.id).await?;
                Ok(self.take(progress, machine, false))
            }
        }
    }

    fn take(
        &self,
        progress: &mut StepProgress,
        machine: Machine,
        ran_before: bool,
    ) -> (MachineId, Baseline) {
        self.context.report_created(&machine.id);
        let before = if ran_before {
            Baseline::of_unchanged(&machine)
        } else {
            Baseline::default()
        };
        let id = machine.id.clone();
        progress.machine = Some(machine);
        (id, before)
    }

    /// Whether a Machine of this name was made for this config and still tries it.
    fn is_usable(&self, machine: &Machine) -> bool {
        let plan = self.context.shared.input.plan;
        let config = machine.config.as_deref();
        let image = self.inherits.image.as_ref();
        machine.stamps.desired.as_ref() == Some(&plan.desired)
            && machine.state.should_run()
            && !machine.cordoned
            && self.desired.matches(machine)
            && image.is_none_or(|image| config.is_some_and(|c| c.image.as_ref() == Some(image)))
    }

    /// Its gate, then the time under traffic.
    async fn watch(
        &self,
        progress: &mut StepProgress,
        id: &MachineId,
        before: Baseline,
        time: Duration,
    ) -> PartResult {
        let (context, group) = (self.context, &self.change.group);
        check_region(progress, &self.change.region)?;
        let gate = Gate {
            id,
            kind: self.change.gate,
            at_most: Duration::from_secs(self.desired.group.wait_timeout_s),
            steady: context.steady(group),
            before,
        };
        let passed = gate::wait_for_gate(context, progress, gate).await;
        passed.map_err(|end| of_canary(end, group.as_str()))?;
        soak::soak(context, progress, (group, id), time).await
    }
}

/// Names the canary in the failure of its gate.
fn of_canary(end: StepError, group: &str) -> StepError {
    match end {
        StepError::Failed {
            code,
            message,
            hint,
        } => StepError::Failed {
            code,
            message: format!("the canary of `{group}` did not pass: {message}"),
            hint,
        },
        StepError::Unknown { message } => StepError::Unknown { message },
        StepError::Halted { during } => StepError::Halted { during },
    }
}

/// Adds to a failure that the canary could not be removed.
fn with_left(failed: StepError, id: &MachineId, left: StepError) -> StepError {
    let why = match left {
        StepError::Failed { message, .. } | StepError::Unknown { message } => message,
        StepError::Halted { during } => format!("stopped {during}"),
    };
    let text = format!("; {id} could not be destroyed ({why}), which the next apply does");
    match failed {
        StepError::Failed {
            code,
            message,
            hint,
        } => StepError::Failed {
            code,
            message: message + &text,
            hint,
        },
        StepError::Unknown { message } => StepError::Unknown {
            message: message + &text,
        },
        StepError::Halted { during } => StepError::Halted { during },
    }
}
