//! The events of a supervisor: its children, signals, timers, checks. It also copies the Machine's output to
//! the log.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::checks::{CheckResult, Checks};
use super::log::LogWriter;

/// How often a supervisor checks its folder without a signal, in case the folder was removed or the provider
/// died before signalling.
const RECORD_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// An event.
#[derive(Debug)]
pub(super) enum SupervisorEvent {
    /// A child process exited.
    Child,
    /// The record may have changed.
    CheckRecord,
    /// The supervisor received a signal to stop.
    Terminate,
    /// A check has run.
    Check(CheckResult),
    /// The deadline has passed.
    Deadline,
}

/// All sources of events.
#[derive(Debug)]
pub(super) struct SupervisorEvents {
    child: Signal,
    wake: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Ignores SIGXFSZ: a file size limit loses log lines, like a full disk, and must not kill.
    _limit: Signal,
    record_poll: Interval,
    output: Option<Receiver>,
    log: LogWriter,
    /// The checks of the running process.
    pub(super) checks: Checks,
}

impl SupervisorEvents {
    /// Installs the signal handlers; from here on these signals do not end the process.
    pub(super) fn listen(log: LogWriter) -> io::Result<Self> {
        let mut record_poll = interval(RECORD_POLL_INTERVAL);
        record_poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            child: signal(SignalKind::child())?,
            // The provider signals with SIGHUP, so that a closing terminal only causes an extra check.
            wake: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _limit: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
            record_poll,
            output: None,
            log,
            checks: Checks::none(),
        })
    }

    /// The next event, at the latest at the deadline.
    pub(super) async fn next(&mut self, deadline: Option<Instant>) -> SupervisorEvent {
        loop {
            tokio::select! {
                _ = self.child.recv() => return SupervisorEvent::Child,
                _ = self.wake.recv() => return SupervisorEvent::CheckRecord,
                _ = self.terminate.recv() => return SupervisorEvent::Terminate,
                _ = self.interrupt.recv() => return SupervisorEvent::Terminate,
                _ = self.record_poll.tick() => return SupervisorEvent::CheckRecord,
                result = self.checks.next() => return SupervisorEvent::Check(result),
                () = sleep_until_deadline(deadline) => return SupervisorEvent::Deadline,
                () = readable(self.output.as_ref()) => {
                    self.move_output();
                }
            }
        }
    }

    /// Copies a new process's output to the log.
    pub(super) fn attach_output(&mut self, output: PipeReader) -> io::Result<()> {
        self.drain();
        self.output = Some(Receiver::from_owned_fd(OwnedFd::from(output))?);
        Ok(())
    }

    /// Copies the available output and closes the pipe; an escaped process may hold the other end open
    /// forever.
    pub(super) fn drain(&mut self) {
        while self.move_output() {}
        self.output = None;
        self.ignore_log_error(LogWriter::finish);
    }

    /// Writes a supervisor message to the log.
    pub(super) fn log_line(&mut self, text: &str) {
        self.ignore_log_error(|log| log.say(text));
    }

    /// Copies one chunk; returns whether there may be more.
    fn move_output(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let Some(output) = &self.output else {
            return false;
        };
        match output.try_read(&mut buffer) {
            Ok(0) => {
                self.output = None;
                self.ignore_log_error(LogWriter::finish);
                false
            }
            Ok(size) => {
                self.ignore_log_error(|log| log.take(&buffer[..size]));
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.output = None;
                false
            }
        }
    }

    /// A full disk loses log lines; it must not stop the Machine, which would block on its pipe.
    fn ignore_log_error(&mut self, write: impl FnOnce(&mut LogWriter) -> io::Result<()>) {
        let _ = write(&mut self.log);
    }
}

async fn sleep_until_deadline(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn readable(output: Option<&Receiver>) {
    match output {
        // The following read reports the error.
        Some(output) => drop(output.readable().await),
        None => std::future::pending().await,
    }
}
