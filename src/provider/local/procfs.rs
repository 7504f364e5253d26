//! Reads processes and sockets from /proc; no other module knows its layout. On systems without /proc all
//! results are empty.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// The used fields of /proc/PID/stat.
#[derive(Debug, Clone)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) start: u64,
    state: char,
}

impl Stat {
    /// Whether it has exited and waits to be reaped.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The command's name is in parentheses and may contain any character, so fields are counted from the
    /// last parenthesis.
    fn parse(text: &str) -> Option<Self> {
        let pid = text.split_once(' ')?.0.parse().ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            pid,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

/// The kernel's boot id; empty if there is none.
pub(super) fn boot_id() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    })
    .clone()
}

/// One process, if it exists.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Stat::parse(&String::from_utf8_lossy(&bytes))
}

/// Every visible process, by pid.
pub(super) fn processes() -> BTreeMap<i32, Stat> {
    pids().filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process was started with all of these `KEY=value` entries; false if that cannot be read.
pub(super) fn has_environment(pid: i32, entries: &[String]) -> bool {
    let Ok(bytes) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    entries.iter().all(|entry| {
        bytes
            .split(|byte| *byte == 0)
            .any(|found| found == entry.as_bytes())
    })
}

/// Whether a process was started with exactly these arguments.
pub(super) fn is_run_with(words: &[&OsStr]) -> bool {
    let mut line = Vec::new();
    for word in words {
        line.push(0);
        line.extend_from_slice(word.as_bytes());
    }
    line.push(0);
    pids().any(|pid| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|found| {
            let program = found.iter().position(|byte| *byte == 0);
            program.is_some_and(|end| found[end..] == line)
        })
    })
}

/// The command line of a process, on one line.
pub(super) fn command(pid: i32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Inodes of the TCP sockets that listen on this port.
pub(super) fn listeners(port: u16) -> Vec<String> {
    let all = listening().into_iter();
    all.filter(|(found, _)| *found == port)
        .map(|(_, inode)| inode)
        .collect()
}

/// The ports in use from this one on; empty if the system does not report them.
pub(super) fn listening_from(first: u16) -> BTreeSet<u16> {
    let all = listening().into_iter().map(|(port, _)| port);
    all.filter(|port| *port >= first).collect()
}

/// Port and inode of every listening TCP socket.
fn listening() -> Vec<(u16, String)> {
    const LISTEN: &str = "0A";
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..]
                && state == LISTEN
                && let Some((_, port)) = local.rsplit_once(':')
                && let Ok(port) = u16::from_str_radix(port, 16)
            {
                sockets.push((port, inode.to_owned()));
            }
        }
    }
    sockets
}

/// The processes that have one of these sockets open, as far as their files are readable.
pub(super) fn socket_holders(inodes: &[String]) -> Vec<i32> {
    let links: Vec<String> = inodes.iter().map(|i| format!("socket:[{i}]")).collect();
    pids()
        .filter(|pid| {
            let files = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten();
            files.flatten().any(|file| {
                fs::read_link(file.path())
                    .is_ok_and(|target| links.iter().any(|w| target.as_os_str() == w.as_str()))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b (c) S 7 42 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.parent, stat.session, stat.start),
            (42, 7, 9, 777)
        );
        assert!(!stat.is_zombie());
    }
}
