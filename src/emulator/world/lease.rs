//! Leases of Machines (docs/platform/machines-api.md 7).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::machine::EmulatedMachine;
use super::simulation::{Answer, Refusal, World};

/// The lifetime of a lease without a ttl; the platform's own default is unknown.
const DEFAULT_TTL: Duration = Duration::from_secs(30);

/// The actions that require the lease if it is held.
const GUARDED: &[&str] = &[
    "update", "destroy", "start", "stop", "suspend", "restart", "cordon", "uncordon",
];

/// A lease of one Machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) nonce: String,
    pub(super) owner: String,
    pub(super) description: String,
    pub(super) expires: Duration,
}

impl Lease {
    fn render(&self, version: &str, calendar: Calendar) -> Value {
        json!({"status": "success", "data": {
            "nonce": self.nonce, "expires_at": calendar.unix(self.expires), "owner": self.owner,
            "description": self.description, "version": version,
        }})
    }
}

/// The refusal of this call if another caller holds the lease.
pub(super) fn refusal(
    action: &str,
    record: &EmulatedMachine,
    nonce: Option<&str>,
    now: Duration,
    calendar: Calendar,
) -> Option<Refusal> {
    let lease = record.lease(now)?;
    let ours = nonce == Some(lease.nonce.as_str());
    (GUARDED.contains(&action) && !ours)
        .then(|| Refusal::new(409, describe_holder(record, lease, calendar)))
}

fn describe_holder(record: &EmulatedMachine, lease: &Lease, calendar: Calendar) -> String {
    format!(
        "machine ID {} lease currently held by {}, expires at {}",
        record.id,
        lease.owner,
        calendar.seconds(lease.expires)
    )
}

impl World {
    /// `POST …/lease`: acquires the lease, or refreshes it for a caller with its nonce.
    pub fn lease(
        &mut self,
        app: &str,
        id: &str,
        ttl: Option<Duration>,
        description: &str,
    ) -> Answer {
        let caller = self.caller().clone();
        self.serve_machine_call("lease", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let (now, calendar) = (world.now(), world.calendar);
            let drawn = world.draw()[..12].to_owned();
            let record = world.record(app, id)?;
            let expires = now + ttl.unwrap_or(DEFAULT_TTL);
            let lease = match record.lease(now) {
                Some(lease) if caller.nonce.as_deref() == Some(lease.nonce.as_str()) => Lease {
                    expires,
                    ..lease.clone()
                },
                Some(lease) => {
                    let message = describe_holder(record, lease, calendar);
                    return Err(Refusal::new(409, message).enveloped());
                }
                None => Lease {
                    nonce: drawn,
                    owner: caller.owner.unwrap_or_else(|| "somebody".to_owned()),
                    description: description.to_owned(),
                    expires,
                },
            };
            let shown = lease.render(&record.instance, calendar);
            record.set_lease(Some(lease));
            Ok(shown)
        })
    }

    /// `GET …/lease`.
    pub fn read_lease(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("read-lease", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let (now, calendar) = (world.now(), world.calendar);
            let record = world.record(app, id)?;
            let lease = record.lease(now).ok_or_else(no_lease)?;
            let mut shown = lease.render(&record.instance, calendar);
            // A read must not reveal the nonce.
            shown["data"]["nonce"] = "".into();
            Ok(shown)
        })
    }

    /// `DELETE …/lease`: requires the nonce.
    pub fn release_lease(&mut self, app: &str, id: &str) -> Answer {
        let caller = self.caller().clone();
        self.serve_machine_call("release-lease", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let now = world.now();
            let record = world.record(app, id)?;
            let lease = record.lease(now).ok_or_else(no_lease)?;
            if caller.nonce.as_deref() != Some(lease.nonce.as_str()) {
                return Err(Refusal::new(400, "invalid lease nonce").enveloped());
            }
            record.set_lease(None);
            Ok(json!({"status": "success", "data": {"ok": true}}))
        })
    }
}

fn no_lease() -> Refusal {
    Refusal::new(404, "lease not found").enveloped()
}
