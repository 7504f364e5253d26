//! Stops all processes of this supervisor, and those that a dead supervisor left.

use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use tokio::time::{Instant, sleep};

use super::{RecordCheck, Supervisor};
use crate::core::fleet::MachineConfig;
use crate::core::fleet::normalise::parse_duration;
use crate::provider::local::record::{DesiredState, LocalStatus};
use crate::provider::local::{events::SupervisorEvent, process_tree, signals};

/// The platform's default timeout before it kills.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the process tree is checked while stopping; the exit of a grandchild causes no event.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The first pause between two rounds of killing. A process that the kernel blocks (a dead disk) is waited
/// for without using the CPU.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How to stop a Machine, from its config.
#[derive(Debug, Clone, Copy)]
pub(super) struct StopRule {
    signal: Signal,
    timeout: Duration,
}

/// How much time a stop allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum StopMode {
    /// The Machine's signal and timeout, then kill.
    Graceful,
    /// Kill.
    Immediate,
}

impl StopRule {
    pub(super) fn of(config: &MachineConfig) -> Self {
        let stop = config.stop_config.as_ref();
        let signal = stop
            .and_then(|stop| stop.signal.as_deref())
            .and_then(signals::by_name);
        let timeout = stop
            .and_then(|stop| stop.timeout.as_deref())
            .and_then(parse_duration);
        Self {
            signal: signal.unwrap_or(Signal::INT),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_nanos),
        }
    }
}

impl Supervisor {
    /// Stops all descendants. The main process and its group get the Machine's own signal, as from a
    /// terminal; other processes get `SIGTERM` and the rest of the timeout; then all are killed. Returns when
    /// none is left.
    pub(super) async fn stop_all_processes(&mut self, mode: StopMode) {
        if mode == StopMode::Graceful {
            self.send_stop_signals().await;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            self.reap();
            let left = remaining_processes();
            match &self.main {
                None if left.is_empty() => break,
                None => {}
                // On systems that do not show processes, only the group can be killed.
                Some(main) => drop(kill_process_group(main.pid, Signal::KILL)),
            }
            send_all(&left, Signal::KILL);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.status.main = None;
        self.events.drain();
    }

    async fn send_stop_signals(&mut self) {
        let deadline = Instant::now() + self.stop_rule.timeout;
        if let Some(main) = &self.main {
            // It leads its group until it is reaped, so its pid is valid; it may have exited.
            let _ = kill_process_group(main.pid, self.stop_rule.signal);
        }
        let mut signalled_rest = false;
        loop {
            self.reap();
            let left = remaining_processes();
            if left.is_empty() && self.main.is_none() {
                return;
            }
            if self.main.is_none() && !signalled_rest {
                signalled_rest = true;
                send_all(&left, Signal::TERM);
            }
            let now = Instant::now();
            if now >= deadline {
                return;
            }
            let event = self
                .events
                .next(Some(deadline.min(now + POLL_INTERVAL)))
                .await;
            if matches!(event, SupervisorEvent::CheckRecord) && self.must_kill_now() {
                return;
            }
        }
    }

    /// Whether a newer desired state requires an immediate kill.
    fn must_kill_now(&mut self) -> bool {
        match self.reload_record() {
            RecordCheck::FolderRemoved => true,
            RecordCheck::Unchanged => false,
            RecordCheck::Changed => {
                self.acknowledge();
                self.record.desired_state == DesiredState::Destroyed
            }
        }
    }

    /// Kills the processes that a dead supervisor left, before anything else.
    pub(super) async fn kill_orphans(&mut self, predecessor: Option<&LocalStatus>) {
        let marks: Vec<String> = self
            .record
            .process_markers()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let predecessor = predecessor.map(|status| &status.supervisor);
        let mut pause = FIRST_PAUSE;
        loop {
            let left = process_tree::orphans(predecessor, &marks);
            if left.is_empty() {
                return;
            }
            send_all(&left, Signal::KILL);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn remaining_processes() -> Vec<process_tree::ProcessRef> {
    process_tree::descendants(rustix::process::getpid().as_raw_pid())
}

fn send_all(processes: &[process_tree::ProcessRef], signal: Signal) {
    for process in processes {
        signals::send_if(process.pid, signal, || process.is_same_process());
    }
}
