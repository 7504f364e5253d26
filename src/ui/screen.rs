//! A repeatedly drawn view on the terminal's alternate screen; the previous content is restored however the
//! program ends.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, Ui, codes, terminal};

/// Alternate screen, hidden cursor.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
/// Visible cursor, main screen.
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
/// Moves to the first line; every line then clears the rest of its row.
const HOME: &str = "\x1b[H";
const END_OF_LINE: &str = "\x1b[K\r\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// The alternate screen of standard output, until dropped.
#[derive(Debug)]
pub struct AlternateScreen {
    resized: Signal,
}

impl AlternateScreen {
    /// Enters the alternate screen.
    pub fn open() -> Result<Self, Failure> {
        let resized = signal(SignalKind::window_change()).map_err(|error| {
            Failure::new(codes::SIGNALS, "cannot listen for signals").cause(error)
        })?;
        send(OPEN);
        Ok(Self { resized })
    }

    /// Current columns and lines.
    pub fn size(&self) -> (usize, usize) {
        terminal::size_now()
    }

    /// Waits for a resize.
    pub async fn resized(&mut self) {
        self.resized.recv().await;
    }

    /// Replaces the content by these lines. Lines that do not fit are counted in the line before the last,
    /// which is `foot`.
    pub fn draw(&self, ui: &Ui, text: &str, foot: &str) {
        let (text, foot) = (ui.sanitized_stdout(text), ui.sanitized_stdout(foot));
        let (_, height) = self.size();
        let room = height.saturating_sub(1).max(1);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let mut frame = HOME.to_owned();
        let shown = if lines.len() > room {
            room.saturating_sub(1)
        } else {
            lines.len()
        };
        for line in &lines[..shown] {
            frame.push_str(line);
            frame.push_str(END_OF_LINE);
        }
        if shown < lines.len() {
            write!(frame, "+ {} more lines", lines.len() - shown)
                .expect("writing to a String cannot fail");
            frame.push_str(END_OF_LINE);
        }
        frame.push_str(&foot);
        frame.push_str(CLEAR_BELOW);
        send(&frame);
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        send(CLOSE);
    }
}

/// Errors of a closed terminal are ignored.
fn send(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
