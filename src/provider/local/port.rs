//! Chooses a Machine's port: one that no other Machine of the app has and no process listens on.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use super::codes;
use super::procfs;
use super::record::LocalRecord;
use crate::provider::{ErrorClass, ProviderError};

/// The length of a command line in messages.
const LONGEST_COMMAND: usize = 80;

/// A port, and a note if it is not the requested one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PortAssignment {
    pub(super) port: u16,
    pub(super) remark: Option<String>,
}

/// The ports in use at one moment.
pub(super) struct Ports<'a> {
    /// The app's first port.
    base: u16,
    others: &'a [LocalRecord],
    listening: BTreeSet<u16>,
}

impl<'a> Ports<'a> {
    /// Checks which ports are in use. `others` are all other Machines of the app.
    pub(super) fn of(base: u16, others: &'a [LocalRecord]) -> Self {
        Self {
            base,
            others,
            listening: procfs::listening_from(base),
        }
    }

    /// The requested port if it is free, else the next free one. If another process takes it a moment later,
    /// the Machine's own process reports that in its log.
    pub(super) fn assign(&self, requested: u16) -> Result<PortAssignment, ProviderError> {
        let Some(why) = self.conflict_reason(requested) else {
            return Ok(PortAssignment {
                port: requested,
                remark: None,
            });
        };
        let port = self.lowest(requested.saturating_add(1))?;
        Ok(PortAssignment {
            port,
            remark: Some(format!("{why}: the Machine gets port {port}")),
        })
    }

    /// The lowest free port from this one on; if there is none, from the base on.
    pub(super) fn lowest(&self, first: u16) -> Result<u16, ProviderError> {
        let borne: BTreeSet<u16> = self.others.iter().filter_map(|other| other.port).collect();
        let first = first.max(self.base);
        let mut ports = (first..=u16::MAX).chain(self.base..first);
        ports
            .find(|port| !borne.contains(port) && self.bind_error(*port).is_none())
            .ok_or_else(no_free_port)
    }

    /// The same for a Machine that has this port and is about to start; its own processes may listen on it.
    pub(super) fn reassign_if_taken(
        &self,
        own: &LocalRecord,
    ) -> Result<Option<PortAssignment>, ProviderError> {
        let Some(port) = own.port else {
            return Ok(None);
        };
        let marks = own
            .process_markers()
            .map(|(key, value)| format!("{key}={value}"));
        let holders = procfs::socket_holders(&procfs::listeners(port));
        let is_own = |pid: &i32| procfs::has_environment(*pid, &marks);
        if !holders.is_empty() && holders.iter().all(is_own) {
            return Ok(None);
        }
        let assigned = self.assign(port)?;
        Ok((assigned.port != port).then_some(assigned))
    }

    /// Why this port is not free.
    fn conflict_reason(&self, port: u16) -> Option<String> {
        let other = self.others.iter().find(|other| other.port == Some(port));
        if let Some(other) = other {
            let (id, group) = (&other.id, &other.group);
            return Some(format!("port {port} belongs to Machine {id} ({group})"));
        }
        Some(match self.bind_error(port)? {
            ErrorKind::AddrInUse => match port_holder(port) {
                Some(holder) => format!("port {port} is in use by {holder}"),
                None => {
                    format!("port {port} is in use by a process of another user")
                }
            },
            kind => format!("port {port} cannot be used: {kind}"),
        })
    }

    /// Tries all addresses, because any listener would block a process that binds to all of them.
    fn bind_error(&self, port: u16) -> Option<ErrorKind> {
        if self.listening.contains(&port) {
            return Some(ErrorKind::AddrInUse);
        }
        let tried = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        tried.err().map(|error| error.kind())
    }
}

fn no_free_port() -> ProviderError {
    let message = "no port is free";
    ProviderError::new(ErrorClass::Invalid, codes::PORT_IN_USE, message)
        .hint("stop what uses the ports, or set `AEROFORM_LOCAL_PORTS` to a lower number")
}

/// The process and command that listens there, if the system shows it.
fn port_holder(port: u16) -> Option<String> {
    let inodes = procfs::listeners(port);
    if inodes.is_empty() {
        return None;
    }
    let pid = procfs::socket_holders(&inodes).into_iter().next()?;
    Some(match procfs::command(pid) {
        Some(command) => {
            let command: String = command.chars().take(LONGEST_COMMAND).collect();
            format!("pid {pid} (`{command}`)")
        }
        None => format!("pid {pid}"),
    })
}
