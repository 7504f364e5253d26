//! What a Machine has gone through, as the platform tells it (facts/fly-machines-api.md 17.3).

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::lifecycle::State;

/// A Machine came into a state.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) state: State,
    /// Its process ended by itself with this code.
    pub(super) exit: Option<i32>,
}

impl Event {
    /// The event as the platform shows it, the `number`th of that Machine.
    pub(super) fn shown(&self, machine: &str, number: usize, calendar: Calendar) -> Value {
        let (kind, status, source) = match self.state {
            State::Created => ("launch", "created", "user"),
            State::Starting => ("start", "starting", "user"),
            State::Started => ("start", "started", "flyd"),
            State::Replacing => ("update", "replacing", "user"),
            State::Stopping => ("stop", "stopping", "user"),
            State::Stopped | State::Failed => ("exit", "stopped", "flyd"),
            State::Suspending => ("suspend", "suspending", "user"),
            State::Suspended => ("suspend", "suspended", "flyd"),
            State::Destroying => ("destroy", "destroying", "user"),
            State::Destroyed => ("destroy", "destroyed", "flyd"),
        };
        let mut shown = json!({
            "id": id(machine, number), "type": kind, "status": status, "source": source,
            "timestamp": calendar.millis(self.at),
        });
        if kind == "exit" {
            let failed = self.state == State::Failed;
            let code = self.exit.unwrap_or(i32::from(failed));
            shown["request"] = json!({
                "exit_event": {
                    "exit_code": code, "guest_exit_code": code, "guest_signal": -1, "signal": -1,
                    "oom_killed": false, "requested_stop": !failed && self.exit.is_none(),
                    "restarting": false, "exited_at": calendar.precise(self.at),
                },
                "restart_count": if failed { 10 } else { 0 },
            });
        }
        shown
    }
}

/// 26 characters that rise with the number, of letters as the platform's; ten of a Machine's id tell it from
/// every other.
fn id(machine: &str, number: usize) -> String {
    let own = BASE32_NOPAD.encode(format!("{machine:0<10.10}").as_bytes());
    format!("01{number:08}{own}")
}
