//! Waits for a Machine with the platform's wait endpoint, repeated until the timeout
//! (docs/platform/machines-api.md 6).
//!
//! The loop is not [`retry`](crate::provider::retry), which repeats failures: most of these waits succeed and
//! end before the Machine reaches the state.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::client::ApiRequest;
use super::provider::{FlyProvider, machine_path};
use super::transport::{Method, Transport};
use super::wire;
use crate::core::fleet::{AppName, Machine, MachineId, WaitUntil};
use crate::provider::backoff::Backoff;
use crate::provider::{ErrorClass, ProviderError, codes};

/// The longest single wait; a Machine stopped meanwhile is noticed after it.
const MAX_SINGLE_WAIT_S: u64 = 10;

impl<T: Transport> FlyProvider<T> {
    pub(super) async fn wait_for(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let deadline = Instant::now() + at_most;
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(4), 0);
        let mut tries = 0;
        let mut last = None;
        loop {
            let looked = timeout_at(deadline, self.wait_once(app, id, until, deadline)).await;
            let Ok(looked) = looked else {
                return Err(wait_timeout_error(last.as_ref()));
            };
            let pause = match looked {
                Ok(machine) if machine.state.has_reached(until) => return Ok(machine),
                Ok(machine) => {
                    let in_vain = !machine.state.is_transient();
                    last = Some(machine);
                    if in_vain || Instant::now() >= deadline {
                        return Err(wait_timeout_error(last.as_ref()));
                    }
                    backoff.delay(0)
                }
                Err(error) => match error.class {
                    ErrorClass::NotFound if until == WaitUntil::Destroyed => {
                        return Ok(wire::destroyed_machine(id));
                    }
                    ErrorClass::RateLimited(pause) => {
                        pause.unwrap_or_default() + backoff.delay(tries)
                    }
                    ErrorClass::Transient | ErrorClass::Unknown if tries < 5 => {
                        backoff.delay(tries)
                    }
                    _ => return Err(error),
                },
            };
            tries += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            sleep(pause.min(left)).await;
        }
    }

    /// Calls the platform's wait, then reads the Machine, because the response does not include it.
    async fn wait_once(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        deadline: Instant,
    ) -> Result<Machine, ProviderError> {
        let states = match until {
            WaitUntil::Started => "state=started&state=failed",
            WaitUntil::Stopped => "state=stopped&state=suspended&state=failed",
            WaitUntil::Destroyed => "state=destroyed",
            WaitUntil::Settled => "state=settled",
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = left.as_secs().clamp(1, MAX_SINGLE_WAIT_S);
        let path = machine_path(app, id, &format!("/wait?{states}&timeout={seconds}"));
        let request = ApiRequest {
            expected_wait: Duration::from_secs(seconds),
            ..ApiRequest::new(Method::Get, path)
        };
        match self.client.call_machines_api(request).await {
            Ok(_) => {}
            Err(error) if error.code == codes::TIMED_OUT.name() => {}
            Err(error) if error.class == ErrorClass::NotFound => {
                let error = self.created.retry_if_just_created(app, id, error);
                // Nobody can wait for a destroyed Machine, but it can still be read for a while.
                return match self.read(app, id).await {
                    Ok(read) if read.machine.state.is_gone() => Ok(read.machine),
                    Ok(_) | Err(_) => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
        Ok(self.read(app, id).await?.machine)
    }
}

fn wait_timeout_error(last: Option<&Machine>) -> ProviderError {
    let message = match last {
        Some(machine) => format!(
            "machine failed to reach desired state, currently {}",
            machine.state.as_str()
        ),
        None => "machine failed to reach desired state in time".to_owned(),
    };
    ProviderError::new(ErrorClass::Transient, codes::NOT_REACHED, message)
}
