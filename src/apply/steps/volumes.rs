//! The volumes of a new Machine: made before it, each for one intent and never two (rule 40).
//!
//! A volume bears no name of ours, so what is written before the call tells what was there: afterwards
//! an unattached one of that name and region that was not seen before is ours. Nothing is ever removed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::create::full;
use crate::apply::ends::{End, Part, Refused};
use crate::apply::hands::Hands;
use crate::apply::job::{Halt, Job};
use crate::apply::settle::LIST_LAG;
use crate::core::fleet::{Call, HostStatus, MachineConfig, Region, Volume, VolumeCall, VolumeId};
use crate::core::plan::{Outcome, PlannedVolume, StepId};
use crate::journal::{JournalError, OpenRun, ResultRow, Started, StartedRow};
use crate::provider::backoff::Backoff;

/// The volumes of each name and region that this run has seen or made. Whoever makes one holds the
/// shelf until it is settled which it is, so that two lost answers cannot mean the same volume.
#[derive(Debug, Default)]
pub(in crate::apply) struct Shelves(RefCell<BTreeMap<Place, Rc<Mutex<Shelf>>>>);

/// A name and a region.
type Place = (String, Region);

#[derive(Debug)]
struct Shelf {
    seen: BTreeSet<VolumeId>,
    /// Those that no row of this run names yet.
    unwritten: BTreeSet<VolumeId>,
    /// Calls of runs that died which have left nothing to be seen so far.
    lost: usize,
}

impl Shelves {
    fn of(&self, job: &Job<'_>, call: &VolumeCall) -> Result<Rc<Mutex<Shelf>>, JournalError> {
        let place = (call.name.clone(), call.region.clone());
        if let Some(known) = self.0.borrow().get(&place) {
            return Ok(Rc::clone(known));
        }
        let new = Shelf::new(job, &call.name, &call.region)?;
        let new = Rc::new(Mutex::new(new));
        self.0.borrow_mut().insert(place, Rc::clone(&new));
        Ok(new)
    }
}

impl Shelf {
    fn new(job: &Job<'_>, name: &str, region: &Region) -> Result<Self, JournalError> {
        let all = job.observed.volumes.iter();
        let here = all.filter(|volume| volume.name == name && volume.region == *region);
        let seen: BTreeSet<VolumeId> = here.map(|volume| volume.id.clone()).collect();
        let mut left = seen.clone();
        let mut lost = 0;
        for open in job
            .journal
            .open_runs(&job.observed.description.journal_lineage())?
        {
            // A run that the state has passed is closed unread.
            if open.row.run != job.run.run && open.row.serial >= job.known.serial {
                lost += lost_of(&open, name, region, &mut left);
            }
        }
        Ok(Self {
            unwritten: seen.clone(),
            seen,
            lost,
        })
    }

    fn found(&mut self, id: &VolumeId) {
        self.seen.insert(id.clone());
        self.unwritten.insert(id.clone());
    }
}

/// How many volumes that run may have made which are not among those that are left to explain.
fn lost_of(open: &OpenRun, name: &str, region: &Region, left: &mut BTreeSet<VolumeId>) -> usize {
    let settled = |row: &&ResultRow| !matches!(row.outcome, Outcome::Unknown { .. });
    let ended = open.results.iter().filter(settled).map(|row| row.step);
    let ended: BTreeSet<StepId> = ended.collect();
    let mut lost = 0;
    let mut before: BTreeSet<&VolumeId> = BTreeSet::new();
    for row in &open.started {
        let Started::CreateVolume {
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

/// Makes the volumes one after another; gives their ids in the order of the mounts. `config` is that of
/// the Machine that they are for. A crash in between leaves volumes that no Machine has: the next plan
/// takes them.
pub(super) async fn make(
    hands: &Hands<'_>,
    step: StepId,
    region: &Region,
    planned: &[PlannedVolume],
    config: &MachineConfig,
) -> Part<Vec<VolumeId>> {
    let mut made = Vec::with_capacity(planned.len());
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
        made.push(one(hands, step, call).await?);
    }
    Ok(made)
}

/// Nothing new is begun without the journal.
fn unwritten(hands: &Hands<'_>, error: &JournalError) -> End {
    hands.shared.halt(Halt::Journal(error.to_string()));
    not_begun()
}

fn not_begun() -> End {
    End::Halted {
        during: "before `create-volume`".to_owned(),
    }
}

async fn one(hands: &Hands<'_>, step: StepId, call: VolumeCall) -> Part<VolumeId> {
    let job = &hands.shared.job;
    let shelf = hands.shared.shelves.of(job, &call);
    let shelf = shelf.map_err(|error| unwritten(hands, &error))?;
    if shelf.try_lock().is_err() {
        let what = format!("another `{}` in {} to be made", call.name, call.region);
        hands.waiting(what, LIST_LAG);
    }
    let mut shelf = shelf.lock().await;
    if shelf.lost > 0 {
        shelf.lost -= 1;
        if let Some(id) = turned_up(hands, &call, &shelf.seen).await? {
            shelf.found(&id);
            return Ok(id);
        }
        shelf.lost = 0;
    }
    if hands.shared.halt_reached() {
        return Err(not_begun());
    }
    let row = StartedRow {
        step,
        call: Started::CreateVolume {
            name: call.name.clone(),
            region: call.region.clone(),
            seen: shelf.unwritten.iter().cloned().collect(),
        },
    };
    let begun = job.journal.start(&job.run.run, &row);
    begun.map_err(|error| unwritten(hands, &error))?;
    shelf.unwritten.clear();
    let id = sent(hands, call, &shelf.seen).await?;
    shelf.found(&id);
    Ok(id)
}

/// Makes the call until it is settled which volume it has made.
async fn sent(hands: &Hands<'_>, wanted: VolumeCall, seen: &BTreeSet<VolumeId>) -> Part<VolumeId> {
    let call = Call::CreateVolume(Box::new(wanted.clone()));
    let mut tries = 0;
    loop {
        let open = match hands.call(&call).await {
            Ok(receipt) => match receipt.volume {
                Some(volume) => return Ok(volume.id),
                None => Err("a volume was made, they say, and not shown".to_owned()),
            },
            Err(Refused::End(end)) => return Err(end),
            Err(Refused::NotFound(error) | Refused::Invalid(error) | Refused::Conflict(error)) => {
                return Err(End::of(&error));
            }
            Err(Refused::NoRoom(error)) => return Err(full(&error)),
            Err(Refused::Unknown(error)) => Ok(error),
        };
        if let Some(id) = turned_up(hands, &wanted, seen).await? {
            return Ok(id);
        }
        let error = open.map_err(|message| End::Unknown { message })?;
        if !hands.again(tries, &error).await? {
            return Err(End::Unknown {
                message: error.message,
            });
        }
        tries += 1;
    }
}

/// An unattached volume of that name and region that was not there before; waits as long as a list may
/// lack it.
async fn turned_up(
    hands: &Hands<'_>,
    wanted: &VolumeCall,
    seen: &BTreeSet<VolumeId>,
) -> Part<Option<VolumeId>> {
    let is_it = |volume: &Volume| {
        let ours = volume.name == wanted.name && volume.region == wanted.region;
        let free = volume.attached_to.is_none() && volume.host == HostStatus::Ok;
        ours && free && !seen.contains(&volume.id)
    };
    let deadline = Instant::now() + LIST_LAG;
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4), 0);
    let mut tries = 0;
    loop {
        let listed = hands.list().await?.volumes;
        let found = listed.into_iter().filter(is_it).map(|volume| volume.id);
        if let Some(id) = found.min() {
            return Ok(Some(id));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        if tries == 0 {
            hands.waiting(format!("volume `{}` to be listed", wanted.name), left);
        }
        hands.rest(backoff.delay(tries).min(left)).await?;
        tries += 1;
    }
}
