//! The log file of one Machine: timestamped lines, a size limit, one rotated file.
//!
//! Only the supervisor writes it; [`super::logs`] reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::layout::MachineDir;
use crate::env::Env;

/// Longer lines are split, so that output without line ends cannot fill memory.
const LONGEST_LINE: usize = 8 * 1024;

/// Writes a Machine's log.
#[derive(Debug)]
pub(super) struct LogWriter {
    dir: MachineDir,
    file: File,
    written: u64,
    cap: u64,
    partial: Vec<u8>,
}

impl LogWriter {
    /// Opens the log in this folder for appending. It and the rotated file have at most twice `cap` bytes and
    /// one line.
    pub(super) fn open(dir: &MachineDir, cap: u64) -> io::Result<Self> {
        let file = append_to(dir)?;
        Ok(Self {
            written: file.metadata()?.len(),
            dir: dir.clone(),
            file,
            cap,
            partial: Vec::new(),
        })
    }

    /// Takes output and writes the complete lines.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&rest[..end]);
            self.finish_line()?;
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        while self.partial.len() > LONGEST_LINE {
            let rest = self.partial.split_off(LONGEST_LINE);
            self.finish_line()?;
            self.partial = rest;
        }
        Ok(())
    }

    /// Writes an incomplete last line.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.partial.is_empty() {
            return Ok(());
        }
        self.finish_line()
    }

    /// Writes a supervisor message.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.finish()?;
        self.write(format!("aeroform: {text}").as_bytes())
    }

    fn finish_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return self.write(b"");
        }
        line.chunks(LONGEST_LINE)
            .try_for_each(|part| self.write(part))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut line = format!("{} ", Env::precise_now()).into_bytes();
        line.extend_from_slice(text);
        line.push(b'\n');
        let size = line.len() as u64;
        if self.written > 0 && self.written + size > self.cap {
            fs::rename(self.dir.log(), self.dir.older_log())?;
            self.file = append_to(&self.dir)?;
            self.written = 0;
        }
        // One write per line, so that a reader sees only complete lines, except the last.
        self.file.write_all(&line)?;
        self.written += size;
        Ok(())
    }
}

fn append_to(dir: &MachineDir) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(dir.log())
}
