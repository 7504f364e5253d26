//! A person at a real terminal: a pty, what they type, and the screen that they see.

use std::num::NonZeroU16;
use std::process::Command;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Eof, Expect, NBytes, Needle, Session};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};

/// A program on a terminal. The modes of the terminal must be as they were when it ends.
pub(crate) struct Terminal {
    session: OsSession,
    screen: vt100::Parser,
    modes: LocalModes,
}

impl Terminal {
    /// On one of 100 columns and 50 lines, unless `COLUMNS` says otherwise, that does not echo.
    pub(crate) fn start(mut command: Command) -> Self {
        if !command.get_envs().any(|(key, _)| key == "COLUMNS") {
            command.env("COLUMNS", "100");
        }
        let modes = LocalModes::ICANON | LocalModes::ISIG;
        Self::on(command, (100, 50), modes)
    }

    /// On one of this size, as a shell has it.
    pub(crate) fn sized(command: &Command, columns: u16, lines: u16) -> Self {
        let mut shell = Command::new("sh");
        let script = "read go; stty sane; exec \"$0\" \"$@\"";
        shell.args(["-c", script]).arg(command.get_program());
        shell.args(command.get_args()).env_clear();
        let set = command.get_envs();
        shell.envs(set.filter_map(|(key, value)| Some((key, value?))));
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let modes = LocalModes::ICANON | LocalModes::ISIG | LocalModes::ECHO;
        let mut terminal = Self::on(shell, (columns, lines), modes);
        // Whoever starts a program on a pty gives that a size of its own at any time until now.
        terminal.resize(columns, lines);
        terminal.type_line("go");
        terminal
    }

    fn on(mut command: Command, (columns, lines): (u16, u16), modes: LocalModes) -> Self {
        if !command.get_envs().any(|(key, _)| key == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
        Self {
            session,
            screen: vt100::Parser::new(size(lines), size(columns), 0),
            modes,
        }
    }

    /// The terminal gets another size.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        let process = self.session.get_process_mut();
        process.set_window_size(columns, lines).unwrap();
        let screen = self.screen.screen_mut();
        screen.set_size(size(lines), size(columns));
    }

    /// Waits until the screen shows this.
    pub(crate) fn until(&mut self, shown: impl Fn(&str) -> bool) {
        while !shown(&self.contents()) {
            self.expect(NBytes(1));
            self.read_rest();
        }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        let pid = Pid::from_raw(self.session.get_process().pid().as_raw()).unwrap();
        kill_process(pid, signal).unwrap();
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
    /// visible then, and the terminal in its own modes.
    pub(crate) fn end(mut self) -> (i32, String) {
        self.expect(Eof);
        let code = match self.session.get_process().wait().unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        };
        assert!(!self.screen.screen().hide_cursor(), "the cursor is hidden");
        let modes = tcgetattr(self.session.get_stream()).unwrap().local_modes;
        assert!(modes.contains(self.modes), "{modes:?}");
        (code, self.contents())
    }

    /// Waits until the program ends; whether anything on the screen had a colour.
    pub(crate) fn saw_color(mut self) -> bool {
        self.expect(Eof);
        self.shows(|cell| cell.fgcolor() != vt100::Color::Default)
    }

    /// Whether any place of the screen is so.
    pub(crate) fn shows(&self, is: impl Fn(&vt100::Cell) -> bool) -> bool {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        (0..rows.get())
            .any(|row| (0..columns.get()).any(|column| screen.cell(row, column).is_some_and(&is)))
    }

    /// Reads the remaining output.
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
