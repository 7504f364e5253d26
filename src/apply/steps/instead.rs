//! The branch of an update whose Machine's host has no room (rule 20): a new Machine takes its place, as in a
//! planned replacement, under the name that the plan has chosen. With a volume the group stops.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Progress;
use super::create::{Found, Made, make, placed, take};
use super::destroy::{remove, repeatable};
use super::update::{Brought, Sent, Terms, bring};
use crate::apply::codes;
use crate::apply::ends::{End, Part};
use crate::apply::gate::{self, Before, Gate};
use crate::apply::hands::Hands;
use crate::apply::wanted::{Wanted, now};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{Call, Machine, MachineId, VolumeId};
use crate::core::plan::{Change, GateKind, Inherited, Precondition, ReplaceFallback, Successor};
use crate::provider::ProviderError;

/// Makes the new Machine, waits for its gate, has standbys watch it, and destroys the old one. A crash in
/// between leaves both, or the new one alone; its name says what it is for.
pub(super) async fn replace(
    hands: &Hands<'_>,
    progress: &mut Progress,
    change: &Change,
    wanted: &Wanted<'_>,
    refused: ProviderError,
) -> Part {
    let Some(successor) = change.successor() else {
        return Err(stops(change, &refused));
    };
    let Some(old) = progress.machine.clone() else {
        return Err(End::failed(
            codes::PLAN_MISMATCH,
            "the plan names no Machine",
        ));
    };
    hands.turning(format!(
        "{}; a new Machine takes its place",
        refused.message
    ));
    let brought = put(
        hands,
        progress,
        change,
        wanted,
        &Place {
            old: &old,
            successor,
        },
    )
    .await?;
    let Some(id) = progress.machine.as_ref().map(|new| new.id.clone()) else {
        return Err(End::conflict(format!("{} is gone", successor.name)));
    };
    placed(progress, &change.region)?;
    if old.cordoned {
        repeatable(hands, &Call::Cordon { id: id.clone() }).await?;
    }
    let gate = Gate {
        id: &id,
        kind: brought.gate(change.gate, wanted.group),
        at_most: Duration::from_secs(wanted.group.wait_timeout_s),
        steady: hands.steady(&change.group),
        before: brought.before,
    };
    gate::pass(hands, progress, gate).await?;
    hands.shared.took(&old.id, id);
    let watchers = &hands.shared.job.plan.watchers;
    for standby in successor.repoints.iter().filter_map(|id| watchers.get(id)) {
        let repointed = repoint(hands, change, standby).await?;
        progress
            .instead
            .get_or_insert_default()
            .repointed
            .extend(repointed);
    }
    remove(
        hands,
        &mut Progress::default(),
        &old.id,
        change.precondition.as_ref(),
    )
    .await?;
    progress.instead.get_or_insert_default().old_gone = true;
    Ok(())
}

/// Its data cannot go along to another host.
fn stops(change: &Change, refused: &ProviderError) -> End {
    let volumes = change.precondition.iter().flat_map(|pin| &pin.volumes);
    let volumes: Vec<&str> = volumes.map(VolumeId::as_str).collect();
    let hint = match volumes.as_slice() {
        [] => "apply again later, or with a smaller size".to_owned(),
        volumes => format!(
            "apply again when that host has room, or with a smaller size; on another host it would be \
             without what is on {}, which a snapshot restores to a new volume",
            volumes.join(", ")
        ),
    };
    End::Failed {
        code: refused.code.to_owned(),
        message: refused.message.clone(),
        hint: Some(hint),
    }
}

/// The next plan changes the standby itself, and has a branch for that.
fn not_repointed(standby: &Precondition, refused: &ProviderError) -> End {
    End::Failed {
        code: refused.code.to_owned(),
        message: format!(
            "standby {} cannot be told to watch the new Machine, its own host has no room either: {}",
            standby.id, refused.message
        ),
        hint: Some("run the command again: the standby is replaced as well".to_owned()),
    }
}

struct Place<'a> {
    old: &'a Machine,
    successor: &'a Successor,
}

/// Makes the new Machine, or takes the one that an earlier run has made in the same place.
async fn put(
    hands: &Hands<'_>,
    progress: &mut Progress,
    change: &Change,
    wanted: &Wanted<'_>,
    place: &Place<'_>,
) -> Part<Brought> {
    let Place { old, successor } = place;
    let base = Inherited::default().base(Some(old));
    // One that rests is replaced by one that rests.
    let is_down = old.has_crashed() || wanted.is_to_come_up(old);
    let is_to_run = (old.state.should_run() || is_down) && !wanted.is_standby();
    let config = wanted.over(Some(&base));
    let written = wanted.written(&config, Some(old));
    let call = Call::Create(Box::new(CreateCall {
        name: successor.name.clone(),
        group: change.group.clone(),
        region: change.region.clone(),
        config,
        stamps: wanted.stamps(Some(successor.launch.as_str())),
        skip_launch: !is_to_run,
        port: None,
    }));
    progress.instead = Some(ReplaceFallback::default());
    let made = make(hands, &successor.name, &call).await?;
    progress.instead.get_or_insert_default().created = true;
    made.read(hands, &written);
    match made {
        Made::New(machine) => {
            hands.holds(&machine.id);
            progress.machine = Some(wanted.answered(machine));
            progress.sent = Some(wanted.remembered());
            Ok(Brought {
                before: Before::default(),
                sent: false,
                launched: is_to_run,
                crashed: false,
            })
        }
        Made::Found(machine) => {
            let launch = &successor.launch;
            let found = Found {
                machine,
                launch,
                is_to_run,
            };
            take(hands, progress, wanted, found).await
        }
    }
}

/// Has a standby watch whoever does now the work of those that it watched.
async fn repoint(
    hands: &Hands<'_>,
    change: &Change,
    standby: &Precondition,
) -> Part<Option<Machine>> {
    let shared = hands.shared;
    let _alone = shared.repointing.lock().await;
    let Some(live) = hands.get(&standby.id).await? else {
        return Ok(None);
    };
    // Another step of this run may have re-pointed it already; nobody else may have.
    let mut seen = standby.clone();
    let known: BTreeSet<&MachineId> = standby.standby_for.iter().collect();
    let ours = |id: &MachineId| {
        let places = shared.instead.borrow();
        known.contains(id)
            || places
                .iter()
                .any(|(old, new)| new == id && known.contains(old))
    };
    if live.standby_for.iter().all(ours) && live.standby_for.len() == known.len() {
        seen.standby_for = live.standby_for;
    }
    let watched = standby
        .standby_for
        .iter()
        .map(|id| now(shared, id))
        .collect();
    let id = Some(&standby.id);
    let wanted = Wanted::of(shared, &change.group, id, &standby.volumes, watched)?;
    let terms = Terms {
        pin: Some(&seen),
        restarts: false,
        anew: false,
        rests: true,
        launch: None,
    };
    let mut progress = Progress::default();
    match bring(hands, &mut progress, &standby.id, &wanted, &terms).await? {
        Sent::Brought(_) => {}
        Sent::NoRoom(error) => return Err(not_repointed(standby, &error)),
    }
    let gate = Gate {
        id: &standby.id,
        kind: GateKind::Settled,
        at_most: Duration::from_secs(wanted.group.wait_timeout_s),
        steady: hands.steady(&change.group),
        before: Before::default(),
    };
    gate::pass(hands, &mut progress, gate).await?;
    Ok(progress.machine)
}
