//! Whether a port is free, and who has it if not.

use std::net::{Ipv4Addr, TcpListener};

use super::codes;
use super::procfs;
use crate::provider::{ErrorClass, ProviderError};

/// Enough of a command line to know it by.
const LONGEST_COMMAND: usize = 80;

/// Refuses a port that something listens on. A race with a process that takes it a moment later is
/// lost: then the Machine's own process says so in its log.
pub(super) fn check_free(port: u16) -> Result<(), ProviderError> {
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return Ok(());
    };
    let message = match error.kind() {
        std::io::ErrorKind::AddrInUse => match holder(port) {
            Some(holder) => format!("port {port} is in use by {holder}"),
            None => format!("port {port} is in use, by a process that the system does not show"),
        },
        _ => format!("port {port} cannot be used: {error}"),
    };
    Err(in_use(message))
}

/// The error for a port that cannot be had.
pub(super) fn in_use(message: String) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, codes::PORT_IN_USE, message)
        .hint("stop what uses the port, then apply again")
}

/// Process and command of whoever listens there, where the system shows it.
fn holder(port: u16) -> Option<String> {
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
