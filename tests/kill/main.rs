//! Real ends of real processes: the binary is killed, starved, hung up on and contradicted while it
//! applies, and the process table of this computer is the judge.
//!
//! Start at [`app`] for what is applied, at [`table`] for who judges, at [`kills`] for the sweep.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod app;
mod clock;
mod disk;
mod kills;
mod losses;
mod moments;
mod phase;
mod rivals;
mod signals;
mod table;
