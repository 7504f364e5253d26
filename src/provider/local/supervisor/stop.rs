//! Stopping until nothing is left: what belongs to this supervisor, and what a dead one left behind.

use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use tokio::time::{Instant, sleep};

use super::{Look, Supervisor};
use crate::core::fleet::MachineConfig;
use crate::core::fleet::normal::parse_duration;
use crate::provider::local::record::{Status, Wanted};
use crate::provider::local::{events::Event, signals, tree};

/// The platform's own wait before it kills.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the tree is looked at while it ends. The end of a grandchild wakes nobody else.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Pauses between two rounds of killing. A process that the kernel holds on to (a dead disk) is waited
/// for as long as it takes, and not at the price of a busy processor.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// How a Machine is stopped, by its config.
#[derive(Debug, Clone, Copy)]
pub(super) struct StopRule {
    signal: Signal,
    timeout: Duration,
}

/// How much time a stop grants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Manner {
    /// Its own signal and timeout, then death.
    Gentle,
    /// Death.
    AtOnce,
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
    /// Ends everything that descends from here. The main process and its process group get the
    /// Machine's own signal, as from a terminal; what it leaves behind gets `SIGTERM` and the rest of
    /// the timeout; what is there then is killed. Returns when nothing is left.
    pub(super) async fn empty(&mut self, manner: Manner) {
        if manner == Manner::Gentle {
            self.ask_to_end().await;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            self.reap();
            let left = left();
            match &self.main {
                None if left.is_empty() => break,
                None => {}
                // Where the system does not show processes, the group is all there is to be killed.
                Some(main) => drop(kill_process_group(main.pid, Signal::KILL)),
            }
            send_all(&left, Signal::KILL);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.status.main = None;
        self.events.drain();
    }

    async fn ask_to_end(&mut self) {
        let deadline = Instant::now() + self.stop_rule.timeout;
        if let Some(main) = &self.main {
            // It leads its group until it is reaped, so the number means it. It may be gone already.
            let _ = kill_process_group(main.pid, self.stop_rule.signal);
        }
        let mut asked_the_rest = false;
        loop {
            self.reap();
            let left = left();
            if left.is_empty() && self.main.is_none() {
                return;
            }
            if self.main.is_none() && !asked_the_rest {
                asked_the_rest = true;
                send_all(&left, Signal::TERM);
            }
            let now = Instant::now();
            if now >= deadline {
                return;
            }
            let event = self.events.next(Some(deadline.min(now + LOOK_AGAIN))).await;
            if matches!(event, Event::Look) && self.must_hurry() {
                return;
            }
        }
    }

    /// Whether what is wanted by now leaves no time for a gentle stop.
    fn must_hurry(&mut self) -> bool {
        match self.look() {
            Look::Gone => true,
            Look::Same => false,
            Look::Changed => {
                self.acknowledge();
                self.record.wanted == Wanted::Destroyed
            }
        }
    }

    /// Kills what a supervisor that died left behind, before anything else is done.
    pub(super) async fn sweep(&mut self, predecessor: Option<&Status>) {
        let marks: Vec<String> = self
            .record
            .marks()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let predecessor = predecessor.map(|status| &status.supervisor);
        let mut pause = FIRST_PAUSE;
        loop {
            let left = tree::orphans(predecessor, &marks);
            if left.is_empty() {
                return;
            }
            send_all(&left, Signal::KILL);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn left() -> Vec<tree::Seen> {
    tree::descendants(rustix::process::getpid().as_raw_pid())
}

fn send_all(processes: &[tree::Seen], signal: Signal) {
    for process in processes {
        signals::send_if(process.pid, signal, || process.is_still_there());
    }
}
