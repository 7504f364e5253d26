//! The volumes of a new Machine: created before it, exactly one per intent (rule 40).
//!
//! A volume has no identifying name, so the journal records the existing volumes before the call: afterwards a
//! new unattached one with that name and region is ours. Nothing is ever deleted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tokio::sync::Mutex;

use super::create::no_capacity_error;
use crate::apply::run_input::{Halt, RunInput};
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError};
use crate::core::fleet::{Call, HostStatus, MachineConfig, Region, Volume, VolumeCall, VolumeId};
use crate::core::plan::{Outcome, PlannedVolume, StepId};
use crate::journal::{JournalError, OpenRun, PendingCall, PendingCallRow, ResultRow};
use crate::provider::Listing;
use crate::provider::retry::LIST_LAG;

/// The volumes per name and region that this run saw or created. A create holds the pool until its result is
/// settled, so that two lost responses cannot mean the same volume.
#[derive(Debug, Default)]
pub(in crate::apply) struct VolumePools(RefCell<BTreeMap<PoolKey, Rc<Mutex<VolumePool>>>>);

/// A name and a region.
type PoolKey = (String, Region);

#[derive(Debug)]
struct VolumePool {
    seen_volumes: BTreeSet<VolumeId>,
    /// Volumes that no row of this run names yet.
    unjournaled: BTreeSet<VolumeId>,
    /// Calls of crashed runs without a visible result so far.
    lost_calls: usize,
}

impl VolumePools {
    fn pool(
        &self,
        job: &RunInput<'_>,
        call: &VolumeCall,
    ) -> Result<Rc<Mutex<VolumePool>>, JournalError> {
        let place = (call.name.clone(), call.region.clone());
        if let Some(known) = self.0.borrow().get(&place) {
            return Ok(Rc::clone(known));
        }
        let new = VolumePool::new(job, &call.name, &call.region)?;
        let new = Rc::new(Mutex::new(new));
        self.0.borrow_mut().insert(place, Rc::clone(&new));
        Ok(new)
    }
}

impl VolumePool {
    fn new(job: &RunInput<'_>, name: &str, region: &Region) -> Result<Self, JournalError> {
        let all = job.observed.volumes.iter();
        let here = all.filter(|volume| volume.name == name && volume.region == *region);
        let seen: BTreeSet<VolumeId> = here.map(|volume| volume.id.clone()).collect();
        let mut left = seen.clone();
        let mut lost = 0;
        for open in job
            .journal
            .open_runs(&job.observed.description.journal_lineage())?
        {
            // A run recorded in the state is closed without reading it.
            if open.row.run != job.run.run && open.row.serial >= job.known.serial {
                lost += count_lost(&open, name, region, &mut left);
            }
        }
        Ok(Self {
            unjournaled: seen.clone(),
            seen_volumes: seen,
            lost_calls: lost,
        })
    }

    fn add_seen(&mut self, id: &VolumeId) {
        self.seen_volumes.insert(id.clone());
        self.unjournaled.insert(id.clone());
    }
}

/// How many volumes that run may have created that are not yet attributed.
fn count_lost(open: &OpenRun, name: &str, region: &Region, left: &mut BTreeSet<VolumeId>) -> usize {
    let settled = |row: &&ResultRow| !matches!(row.outcome, Outcome::Unknown { .. });
    let ended = open.results.iter().filter(settled).map(|row| row.step);
    let ended: BTreeSet<StepId> = ended.collect();
    let mut lost = 0;
    let mut before: BTreeSet<&VolumeId> = BTreeSet::new();
    for row in &open.started {
        let PendingCall::CreateVolume {
            name: of,
            region: there,
            seen,
        } = &row.call
        else {
            continue;
        };
        if of != name || there != region {
            continue;
        }
        before.extend(seen);
        if ended.contains(&row.step) {
            continue;
        }
        match left.iter().find(|id| !before.contains(id)).cloned() {
            Some(id) => {
                left.remove(&id);
            }
            None => lost += 1,
        }
    }
    lost
}

/// Creates the volumes one after the other; returns their ids in the order of the mounts. `config` is that of
/// their Machine. A crash in between leaves unattached volumes, which the next plan uses.
pub(super) async fn create_volumes(
    context: &StepContext<'_>,
    step: StepId,
    region: &Region,
    planned: &[PlannedVolume],
    config: &MachineConfig,
) -> PartResult<Vec<VolumeId>> {
    let mut created = Vec::with_capacity(planned.len());
    for volume in planned {
        let call = VolumeCall {
            name: volume.name.clone(),
            region: region.clone(),
            size_gb: volume.size_gb,
            encrypted: volume.encrypted,
            unique_zone: volume.unique_zone,
            snapshot_retention: volume.snapshot_retention,
            scheduled_snapshots: volume.scheduled_snapshots,
            guest: config.guest.clone(),
            image: config.image.clone(),
        };
        created.push(create_volume(context, step, call).await?);
    }
    Ok(created)
}

/// Nothing is started without the journal.
fn journal_error(context: &StepContext<'_>, error: &JournalError) -> StepError {
    context.shared.halt(Halt::Journal(error.to_string()));
    not_started_error()
}

fn not_started_error() -> StepError {
    StepError::Halted {
        during: "before `create-volume`".to_owned(),
    }
}

async fn create_volume(
    context: &StepContext<'_>,
    step: StepId,
    call: VolumeCall,
) -> PartResult<VolumeId> {
    let job = &context.shared.input;
    let shelf = context.shared.volume_pools.pool(job, &call);
    let shelf = shelf.map_err(|error| journal_error(context, &error))?;
    if shelf.try_lock().is_err() {
        let what = format!("another `{}` in {} to be made", call.name, call.region);
        context.report_waiting(what, LIST_LAG);
    }
    let mut shelf = shelf.lock().await;
    if shelf.lost_calls > 0 {
        shelf.lost_calls -= 1;
        if let Some(id) = find_created(context, &call, &shelf.seen_volumes).await? {
            shelf.add_seen(&id);
            return Ok(id);
        }
        shelf.lost_calls = 0;
    }
    if context.shared.is_halted() {
        return Err(not_started_error());
    }
    let row = PendingCallRow {
        step,
        call: PendingCall::CreateVolume {
            name: call.name.clone(),
            region: call.region.clone(),
            seen: shelf.unjournaled.iter().cloned().collect(),
        },
    };
    let begun = job.journal.begin_call(&job.run.run, &row);
    begun.map_err(|error| journal_error(context, &error))?;
    shelf.unjournaled.clear();
    let id = call_until_settled(context, call, &shelf.seen_volumes).await?;
    shelf.add_seen(&id);
    Ok(id)
}

/// Repeats the call until the created volume is known.
async fn call_until_settled(
    context: &StepContext<'_>,
    volume_call: VolumeCall,
    seen: &BTreeSet<VolumeId>,
) -> PartResult<VolumeId> {
    let call = Call::CreateVolume(Box::new(volume_call.clone()));
    context
        .retry(async || {
            let error = match context.call(&call).await {
                Ok(receipt) => match receipt.volume {
                    Some(volume) => return Ok(volume.id),
                    None => Err("a volume was reported as created, but not returned".to_owned()),
                },
                Err(CallError::Step(end)) => return Err(end.into()),
                Err(
                    CallError::NotFound(error)
                    | CallError::Invalid(error)
                    | CallError::Conflict(error),
                ) => return Err(StepError::from_provider(&error).into()),
                Err(CallError::NoRoom(error)) => return Err(no_capacity_error(&error).into()),
                Err(CallError::Unknown(error)) => Ok(error),
            };
            if let Some(id) = find_created(context, &volume_call, seen).await? {
                return Ok(id);
            }
            let error = error.map_err(|message| StepError::Unknown { message })?;
            Err(PartError::unknown(error))
        })
        .await
}

/// A new unattached volume with that name and region; waits as long as a list may lag.
async fn find_created(
    context: &StepContext<'_>,
    volume_call: &VolumeCall,
    seen: &BTreeSet<VolumeId>,
) -> PartResult<Option<VolumeId>> {
    let is_it = |volume: &Volume| {
        let ours = volume.name == volume_call.name && volume.region == volume_call.region;
        let free = volume.attached_to.is_none() && volume.host == HostStatus::Ok;
        ours && free && !seen.contains(&volume.id)
    };
    let find = |listing: Listing| {
        let found = listing.volumes.into_iter().filter(is_it);
        Ok(found.map(|volume| volume.id).min())
    };
    let what = format!("volume `{}`", volume_call.name);
    context.find_listed(&what, find).await
}
