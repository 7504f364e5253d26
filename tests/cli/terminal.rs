//! A person at a real terminal: a pty, what they type, and the screen that they see.

use std::num::NonZeroU16;
use std::process::Command;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, Needle, Session};

/// A program on a terminal of 100 columns and 50 lines, unless `COLUMNS` says otherwise.
pub(crate) struct Terminal {
    session: OsSession,
    screen: vt100::Parser,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        command.env("TERM", "xterm-256color");
        if !command.get_envs().any(|(key, _)| key == "COLUMNS") {
            command.env("COLUMNS", "100");
        }
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
        Self {
            session,
            screen: vt100::Parser::new(size(50), size(100), 0),
        }
    }

    /// Waits until that text is printed.
    pub(crate) fn expect(&mut self, text: impl Needle) {
        match self.session.expect(text) {
            Ok(found) => self.screen.process(found.as_bytes()),
            Err(error) => {
                self.read_rest();
                panic!("{error}; the screen:\n{}", self.contents())
            }
        }
    }

    /// Types a line and Enter.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.session.send_line(line).unwrap();
    }

    /// Shows what is typed and says how large it is, as terminals do.
    pub(crate) fn echo(&mut self) {
        let process = self.session.get_process_mut();
        process.set_window_size(100, 50).unwrap();
        process.set_echo(true, None).unwrap();
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        self.session.send(ControlCode::EndOfText).unwrap();
    }

    /// Presses Ctrl-D.
    pub(crate) fn end_input(&mut self) {
        self.session.send(ControlCode::EndOfTransmission).unwrap();
    }

    /// Waits until the program ends; its exit code and what is left on the screen. The cursor must be
    /// visible then.
    pub(crate) fn end(mut self) -> (i32, String) {
        self.expect(Eof);
        let code = match self.session.get_process().wait().unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        };
        assert!(!self.screen.screen().hide_cursor(), "the cursor is hidden");
        (code, self.contents())
    }

    /// Waits until the program ends; whether anything on the screen had a colour.
    pub(crate) fn saw_color(mut self) -> bool {
        self.expect(Eof);
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        (0..rows.get()).any(|row| {
            (0..columns.get()).any(|column| {
                screen
                    .cell(row, column)
                    .is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
            })
        })
    }

    /// What was printed and not asked for.
    fn read_rest(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = self.session.try_read(&mut bytes) {
            self.screen.process(&bytes[..n]);
        }
    }

    /// What is on the screen.
    pub(crate) fn contents(&self) -> String {
        self.screen.screen().contents()
    }
}

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}
