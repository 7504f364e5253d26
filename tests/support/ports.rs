//! Ports that a test has to itself.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// They are below the ephemeral ports that the system assigns.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// The first of so many ports in a row that nothing uses and that no other test of this
/// process was given lately.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes begin at different places.
    let start = u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        let at = NEXT.fetch_add(count, Ordering::Relaxed) % (COUNT - count);
        let first = FIRST + (start + at) % (COUNT - count);
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}
