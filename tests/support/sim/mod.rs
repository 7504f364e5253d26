//! The emulated platform behind the `Provider` trait, for executor tests.
//!
//! Converts calls to the platform's JSON and back, and sleeps on tokio's clock, so that a paused clock drives
//! the simulation; no threads, no sockets. Start at [`SimProvider`].

#![allow(dead_code, reason = "each binary uses its part")]

mod provider;
mod translate;

pub(crate) use provider::SimProvider;
