//! Properties of the standard streams: terminal or not, and width.

use std::io::{self, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::env::Env;

/// Default width: wide enough for a plan in a pipeline's log.
const WIDTH_WITHOUT_TERMINAL: usize = 100;

/// Minimum width: nothing narrower is readable, so views wrap at this one.
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
    /// The streams of this process.
    pub fn of_process() -> Self {
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        }
    }

    /// Whether the user can be asked: they see the question and can type.
    pub fn can_ask(self) -> bool {
        self.stdin && self.stderr
    }
}

/// Columns of standard output: `COLUMNS` if it is a number, otherwise from the terminal.
pub fn width(env: &Env, streams: Streams) -> usize {
    let columns = env
        .var("COLUMNS")
        .and_then(|text| text.parse().ok())
        .or_else(|| streams.stdout.then(|| size_of(std::io::stdout()))?)
        .or_else(|| streams.stderr.then(|| size_of(std::io::stderr()))?)
        .unwrap_or(WIDTH_WITHOUT_TERMINAL);
    columns.max(MIN_WIDTH)
}

/// Current columns and lines of standard output, with defaults.
pub fn size_now() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let of = |cells: u16, usual: usize| match cells {
        0 => usual,
        cells => usize::from(cells),
    };
    let (columns, lines) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    (of(columns, 80).max(MIN_WIDTH), of(lines, 24))
}

/// Current columns of standard error, with a default.
pub(super) fn stderr_width() -> usize {
    size_of(std::io::stderr()).unwrap_or(80)
}

/// A terminal without a configured size reports 0.
fn size_of(stream: impl rustix::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Suppresses the terminal's `^C`, which would shift the drawn lines by one.
#[derive(Debug)]
pub(super) struct SilentInterrupt {
    before: Termios,
}

impl SilentInterrupt {
    /// `None` without a terminal, or if another process group has it.
    pub(super) fn new() -> Option<Self> {
        let before = tcgetattr(io::stderr()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHOCTL);
        set_modes(&silent).then_some(Self { before })
    }
}

impl Drop for SilentInterrupt {
    fn drop(&mut self) {
        // A closed terminal needs no restore.
        let _ = set_modes(&self.before);
    }
}

/// Setting a terminal from the background would stop the process.
fn set_modes(modes: &Termios) -> bool {
    let is_ours = tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    is_ours && tcsetattr(io::stderr(), OptionalActions::Now, modes).is_ok()
}
