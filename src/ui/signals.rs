//! SIGINT, SIGTERM and SIGHUP, all handled alike.
//!
//! A broken pipe is not a signal here: Rust ignores SIGPIPE, and [`super::Ui`] drops output that fails with it,
//! so that an apply whose reader has gone still writes its state.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, codes};

/// A received signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: usually a user at a terminal; a second one means "now".
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal was closed.
    HangUp,
}

/// Handles signals from its creation on; until then they have their default effect.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// SIGXFSZ, handled so that it does not kill the process: a file size limit then fails the write, like a
    /// full disk.
    _limit: Signal,
}

impl Signals {
    /// Registers the handlers.
    pub fn listen() -> Result<Self, Failure> {
        let listen = || -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
                _limit: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
            })
        };
        listen()
            .map_err(|error| Failure::new(codes::SIGNALS, "cannot listen for signals").cause(error))
    }

    /// The next signal. Dropping the future loses none.
    pub async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.hang_up.recv() => StopSignal::HangUp,
        }
    }

    /// Runs a future that a signal may drop.
    pub async fn or_interrupted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            _ = self.next() => Err(Failure::interrupted()),
            done = work => Ok(done),
        }
    }
}
