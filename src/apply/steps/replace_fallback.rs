//! The fallback of an update if the Machine's host has no capacity (rule 20): a new Machine replaces it, as in
//! a planned replacement, with the name from the plan. With a volume the group stops.

use std::collections::BTreeSet;
use std::time::Duration;

use super::StepProgress;
use super::create::{
    CreateResult, ExistingMachine, check_region, create_once, take_existing, wait_for_created,
};
use super::destroy::remove_machine;
use super::update::{AtRest, UpdateResult, UpdateTerms, UpdatedMachine, ensure_config};
use crate::apply::codes;
use crate::apply::desired_machine::{DesiredMachine, current_machine};
use crate::apply::gate::{self, Baseline, Gate};
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{PartResult, StepError};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{Call, Machine, MachineId, VolumeId};
use crate::core::plan::{Change, GateKind, Inherited, Precondition, ReplaceFallback, Successor};
use crate::provider::ProviderError;

/// Creates the new Machine, waits for its gate, re-points standbys, and destroys the old one. A crash in
/// between leaves both, or only the new one; its name identifies it.
pub(super) async fn replace_on_new_host(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    desired: &DesiredMachine<'_>,
    refused: ProviderError,
) -> PartResult {
    let Some(successor) = change.successor() else {
        return Err(volume_blocks_error(change, &refused));
    };
    let Some(old) = progress.machine.clone() else {
        return Err(StepError::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        ));
    };
    context.report_fallback(format!(
        "{}; it is replaced by a new Machine",
        refused.message
    ));
    let updated = create_replacement(
        context,
        progress,
        change,
        desired,
        &Replacement {
            old: &old,
            successor,
        },
    )
    .await?;
    let Some(id) = progress.machine.as_ref().map(|new| new.id.clone()) else {
        return Err(StepError::conflict(format!("{} is gone", successor.name)));
    };
    check_region(progress, &change.region)?;
    let cordoned = old.cordoned;
    wait_for_created(
        context,
        progress,
        change,
        desired.group,
        &id,
        updated,
        cordoned,
    )
    .await?;
    context.shared.record_replacement(&old.id, id);
    let watchers = &context.shared.input.plan.watchers;
    for standby in successor.repoints.iter().filter_map(|id| watchers.get(id)) {
        let repointed = repoint_standby(context, change, standby).await?;
        progress
            .replace_fallback
            .get_or_insert_default()
            .repointed
            .extend(repointed);
    }
    remove_machine(
        context,
        &mut StepProgress::default(),
        &old.id,
        change.precondition.as_ref(),
    )
    .await?;
    progress.replace_fallback.get_or_insert_default().old_gone = true;
    Ok(())
}

/// The data cannot move to another host.
fn volume_blocks_error(change: &Change, refused: &ProviderError) -> StepError {
    let volumes = change.precondition.iter().flat_map(|pin| &pin.volumes);
    let volumes: Vec<&str> = volumes.map(VolumeId::as_str).collect();
    let hint = match volumes.as_slice() {
        [] => "apply again later, or with a smaller size".to_owned(),
        volumes => format!(
            "apply again when that host has capacity, or with a smaller size; on another host it would lose the data of {}, unless a snapshot is restored to a new volume",
            volumes.join(", ")
        ),
    };
    StepError::Failed {
        code: refused.code.to_owned(),
        message: refused.message.clone(),
        hint: Some(hint),
    }
}

/// The next plan changes the standby, and has a fallback for it.
fn repoint_error(standby: &Precondition, refused: &ProviderError) -> StepError {
    StepError::Failed {
        code: refused.code.to_owned(),
        message: format!(
            "standby {} cannot be updated to watch the new Machine, because its host has no capacity either: {}",
            standby.id, refused.message
        ),
        hint: Some("run the command again, which replaces the standby too".to_owned()),
    }
}

struct Replacement<'a> {
    old: &'a Machine,
    successor: &'a Successor,
}

/// Creates the new Machine, or uses the one that an earlier run created for this replacement.
async fn create_replacement(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
    desired: &DesiredMachine<'_>,
    place: &Replacement<'_>,
) -> PartResult<UpdatedMachine> {
    let Replacement { old, successor } = place;
    let base = Inherited::default().base(Some(old));
    // A stopped Machine is replaced by a stopped one.
    let is_down = old.has_crashed() || desired.must_come_up(old);
    let is_to_run = (old.state.should_run() || is_down) && !desired.is_standby();
    let config = desired.config_over(Some(&base));
    let written = desired.sent_config(&config, Some(old));
    let call = Call::Create(Box::new(CreateCall {
        name: successor.name.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        config,
        stamps: desired.stamps(Some(successor.launch.as_str())),
        skip_launch: !is_to_run,
        cordoned: false,
        without_lease: false,
        port: None,
    }));
    progress.replace_fallback = Some(ReplaceFallback::default());
    let result = create_once(context, &successor.name, &call).await?;
    progress.replace_fallback.get_or_insert_default().created = true;
    result.record_additions(context, &written);
    match result {
        CreateResult::New(machine) => {
            context.add_lease(&machine.id);
            progress.machine = Some(desired.complete_answer(machine));
            progress.sent_config = Some(desired.stored_config());
            Ok(UpdatedMachine {
                baseline: Baseline::default(),
                may_have_sent: false,
                launched: is_to_run,
                crashed: false,
            })
        }
        CreateResult::Existing(machine) => {
            let launch = &successor.launch;
            let found = ExistingMachine {
                machine,
                launch,
                is_to_run,
            };
            take_existing(context, progress, desired, found).await
        }
    }
}

/// Re-points a standby to the replacement of its primary.
async fn repoint_standby(
    context: &StepContext<'_>,
    change: &Change,
    standby: &Precondition,
) -> PartResult<Option<Machine>> {
    let shared = context.shared;
    let _alone = shared.repointing.lock().await;
    let Some(live) = context.get(&standby.id).await? else {
        return Ok(None);
    };
    // Only another step of this run may have re-pointed it.
    let mut seen = standby.clone();
    let known: BTreeSet<&MachineId> = standby.standby_for.iter().collect();
    let ours = |id: &MachineId| {
        let fallbacks = shared.replace_fallbacks.borrow();
        known.contains(id)
            || fallbacks
                .iter()
                .any(|(old, new)| new == id && known.contains(old))
    };
    if live.standby_for.iter().all(ours) && live.standby_for.len() == known.len() {
        seen.standby_for = live.standby_for;
    }
    let watched = standby
        .standby_for
        .iter()
        .map(|id| current_machine(shared, id))
        .collect();
    let id = Some(&standby.id);
    let desired = DesiredMachine::new(shared, &change.group, id, &standby.volumes, watched)?;
    let terms = UpdateTerms {
        precondition: Some(&seen),
        must_run: false,
        force_restart: false,
        at_rest: AtRest::Stays,
        takes_turn: false,
        launch_id: None,
    };
    let mut progress = StepProgress::default();
    match ensure_config(context, &mut progress, &standby.id, &desired, &terms).await? {
        UpdateResult::Updated(_) => {}
        UpdateResult::NoRoom(error) => return Err(repoint_error(standby, &error)),
    }
    let gate = Gate {
        id: &standby.id,
        kind: GateKind::Settled,
        at_most: Duration::from_secs(desired.group.wait_timeout_s),
        steady: context.steady(&change.group),
        before: Baseline::default(),
    };
    gate::wait_for_gate(context, &mut progress, gate).await?;
    Ok(progress.machine)
}
