//! SIGINT, SIGTERM and SIGHUP, all alike: somebody wants this to end.
//!
//! A broken pipe is no signal here: the runtime of Rust ignores SIGPIPE, and a write that fails with it
//! is dropped by [`super::Ui`], so that an apply whose reader went away still writes its state.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, codes};

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: a person at a terminal, most often; a second one means "now".
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal went away.
    HangUp,
}

/// Listens from its creation on; until then the signals have their default effect.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// SIGXFSZ, heard so that it kills nobody: a limit on the size of files is an error of the write
    /// that meets it, like a full disk.
    _limit: Signal,
}

impl Signals {
    /// Begins to listen.
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

    /// The next one. Dropping the future loses none.
    pub async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.hang_up.recv() => StopSignal::HangUp,
        }
    }

    /// Runs something that a signal may simply drop.
    pub async fn or_interrupted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            _ = self.next() => Err(Failure::interrupted()),
            done = work => Ok(done),
        }
    }
}
