//! A Machine's events in the platform's format (docs/platform/machines-api.md 17.3).

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::lifecycle::{Exit, State};

/// A Machine entered a state.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) state: State,
    /// Its process exited by itself.
    #[serde(default)]
    pub(super) ended: Option<Exit>,
    /// It was not running, so no process exited.
    #[serde(default)]
    pub(super) idle: Option<Idle>,
}

/// Why a Machine that never ran is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Idle {
    /// It was created.
    Made,
    /// It got a new version.
    Updated,
}

impl Event {
    /// The event's JSON; `number` is its index on that Machine.
    pub(super) fn render(&self, machine: &str, number: usize, calendar: Calendar) -> Value {
        let (kind, status, source) = match (self.state, self.idle) {
            (_, Some(Idle::Made)) => ("launch", "stopped", "flyd"),
            (_, Some(Idle::Updated)) => ("update", "stopped", "flyd"),
            (State::Created, _) => ("launch", "created", "user"),
            (State::Starting, _) => ("start", "starting", "user"),
            (State::Started, _) => ("start", "started", "flyd"),
            (State::Replacing, _) => ("update", "replacing", "user"),
            (State::Stopping, _) => ("stop", "stopping", "user"),
            (State::Stopped | State::Failed, _) => ("exit", "stopped", "flyd"),
            (State::Suspending, _) => ("suspend", "suspending", "user"),
            (State::Suspended, _) => ("suspend", "suspended", "flyd"),
            (State::Destroying, _) => ("destroy", "destroying", "user"),
            (State::Destroyed, _) => ("destroy", "destroyed", "flyd"),
        };
        let mut shown = json!({
            "id": id(machine, number), "type": kind, "status": status, "source": source,
            "timestamp": calendar.millis(self.at),
        });
        if kind == "exit" {
            let failed = self.state == State::Failed;
            let exit = self.ended.unwrap_or(Exit {
                code: i32::from(failed),
                signal: None,
                oom_killed: false,
                restarting: false,
                restarts: if failed { 10 } else { 0 },
            });
            let signal = exit.signal.unwrap_or(-1);
            shown["request"] = json!({
                "exit_event": {
                    "exit_code": exit.code, "guest_exit_code": exit.code, "guest_signal": signal,
                    "signal": signal, "oom_killed": exit.oom_killed,
                    "requested_stop": !failed && self.ended.is_none(),
                    "restarting": exit.restarting, "exited_at": calendar.precise(self.at),
                },
                "restart_count": exit.restarts,
            });
        }
        shown
    }
}

/// 26 letters and digits that increase with the number, like the platform's; ten characters of the Machine's
/// id make it unique.
fn id(machine: &str, number: usize) -> String {
    let own = BASE32_NOPAD.encode(format!("{machine:0<10.10}").as_bytes());
    format!("01{number:08}{own}")
}
