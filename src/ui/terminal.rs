//! What the standard streams are: a terminal or not, and how wide.

use std::io::{self, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::env::Env;

/// Width where no terminal says one: wide enough for a plan in a pipeline's log.
const WIDTH_WITHOUT_TERMINAL: usize = 100;

/// Narrower than this nothing is legible; the view wraps as if it had so much.
pub(super) const MIN_WIDTH: usize = 20;

/// The three standard streams.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// Standard input is a terminal.
    pub stdin: bool,
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
}

impl Streams {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        }
    }

    /// Whether a person can be asked: they see the question and can type the answer.
    pub fn can_ask(self) -> bool {
        self.stdin && self.stderr
    }
}

/// Columns of standard output: `COLUMNS` if it is a number, else what the terminal says.
pub fn width(env: &Env, streams: Streams) -> usize {
    let columns = env
        .var("COLUMNS")
        .and_then(|text| text.parse().ok())
        .or_else(|| streams.stdout.then(|| size_of(std::io::stdout()))?)
        .or_else(|| streams.stderr.then(|| size_of(std::io::stderr()))?)
        .unwrap_or(WIDTH_WITHOUT_TERMINAL);
    columns.max(MIN_WIDTH)
}

/// Columns and lines of standard output as they are now; usual ones where nobody says.
pub fn size_now() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let of = |cells: u16, usual: usize| match cells {
        0 => usual,
        cells => usize::from(cells),
    };
    let (columns, lines) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    (of(columns, 80).max(MIN_WIDTH), of(lines, 24))
}

/// A terminal that was never told its size says 0, which is no size.
fn size_of(stream: impl rustix::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// While it lasts the terminal does not write `^C` for an interrupt, which would push what is drawn there one
/// line away from where it is cleared.
#[derive(Debug)]
pub(super) struct SilentInterrupt {
    before: Termios,
}

impl SilentInterrupt {
    /// None where there is no terminal, or it is somebody else's at this moment.
    pub(super) fn new() -> Option<Self> {
        let before = tcgetattr(io::stderr()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHOCTL);
        set_modes(&silent).then_some(Self { before })
    }
}

impl Drop for SilentInterrupt {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        let _ = set_modes(&self.before);
    }
}

/// Whoever runs in the background and sets a terminal is stopped by it.
fn set_modes(modes: &Termios) -> bool {
    let is_ours = tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    is_ours && tcsetattr(io::stderr(), OptionalActions::Now, modes).is_ok()
}
