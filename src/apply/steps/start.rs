//! Start again: a Machine that ended although nobody stopped it, with the config that it has.

use std::time::Duration;

use super::Progress;
use super::keep::take;
use super::update::{SETTLE, Sent, Terms, bring};
use crate::apply::codes;
use crate::apply::ends::{End, Part, Refused};
use crate::apply::gate::{self, Before, Gate};
use crate::apply::hands::Hands;
use crate::apply::pin;
use crate::apply::wanted::Wanted;
use crate::core::fleet::{Call, Machine, MachineState};
use crate::core::plan::Change;

/// Starts it and waits for its gate. One that runs already is only waited for, and one that somebody has
/// stopped since the plan was made stays at rest. A crash or cancel in between leaves it started or as it was,
/// which the next run sees.
pub(super) async fn start(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
    let taken = take(hands, progress, change)?;
    let (Some(group), Some(pin)) = (taken.group, &change.precondition) else {
        let message = "the plan starts a Machine that it does not pin";
        return Err(End::failed(codes::PLAN_MISMATCH, message));
    };
    let id = &taken.machine.id;
    let at_most = Duration::from_secs(group.wait_timeout_s);
    hands.lease(id).await?;
    let mut tries = 0;
    let before = loop {
        let live = hands.settled(id, SETTLE.max(at_most)).await?;
        let live = live.filter(|live| !live.state.is_gone());
        let live = live.ok_or_else(|| End::conflict(format!("{id} is gone")))?;
        progress.machine = Some(live.clone());
        let lineage = &hands.shared.job.observed.description.scope;
        if let Some(message) = pin::mismatch(pin, &live, lineage) {
            return Err(End::conflict(message));
        }
        if live.state == MachineState::Failed {
            break update(hands, progress, change, &live).await?;
        }
        if live.state.is_inactive() && !live.exited_by_itself() {
            return Ok(());
        }
        if live.state.should_run() {
            break Before::untouched(&live);
        }
        // A start gives no new instance.
        let attempt = Before::on_its_way(&live);
        match hands.call(&Call::Start { id: id.clone() }).await {
            Ok(_) => break attempt,
            Err(Refused::End(end)) => return Err(end),
            Err(Refused::NotFound(_)) => return Err(End::conflict(format!("{id} is gone"))),
            Err(Refused::NoRoom(error) | Refused::Invalid(error)) => return Err(End::of(&error)),
            // It may have been done, or the platform is not done with the Machine yet: the next look tells.
            Err(Refused::Conflict(error)) if !hands.again(tries, &error).await? => {
                return Err(End::conflict(error.message));
            }
            Err(Refused::Unknown(error)) if !hands.again(tries, &error).await? => {
                let message = error.message;
                return Err(End::Unknown { message });
            }
            Err(Refused::Conflict(_) | Refused::Unknown(_)) => tries += 1,
        }
    };
    let gate = Gate {
        id,
        kind: change.gate,
        at_most,
        steady: hands.steady(&change.group),
        before,
    };
    gate::pass(hands, progress, gate).await
}

/// A failed Machine is started by sending it the config that it has: whether the platform starts one by a start
/// alone is not documented.
async fn update(
    hands: &Hands<'_>,
    progress: &mut Progress,
    change: &Change,
    live: &Machine,
) -> Part<Before> {
    let wanted = Wanted::of(
        hands.shared,
        &change.group,
        Some(&live.id),
        &live.volumes,
        live.standby_for.clone(),
    )?;
    let terms = Terms {
        pin: change.precondition.as_ref(),
        restarts: true,
        rests: false,
        anew: false,
        launch: None,
    };
    match bring(hands, progress, &live.id, &wanted, &terms).await? {
        Sent::Brought(brought) => Ok(brought.before),
        Sent::NoRoom(error) => Err(End::of(&error)),
    }
}
