//! What a Machine has gone through, as the platform tells it (docs/platform/machines-api.md 17.3).

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::lifecycle::{Exit, State};

/// A Machine came into a state.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) state: State,
    /// Its process ended by itself.
    #[serde(default)]
    pub(super) ended: Option<Exit>,
    /// It did not run before, so nothing ended.
    #[serde(default)]
    pub(super) idle: Option<Idle>,
}

/// What a Machine comes from that is down and has not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Idle {
    /// It was made.
    Made,
    /// It got a new version.
    Updated,
}

impl Event {
    /// The event as the platform shows it, the `number`th of that Machine.
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

/// 26 characters that rise with the number, of letters as the platform's; ten of a Machine's id tell it from
/// every other.
fn id(machine: &str, number: usize) -> String {
    let own = BASE32_NOPAD.encode(format!("{machine:0<10.10}").as_bytes());
    format!("01{number:08}{own}")
}
