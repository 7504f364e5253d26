//! The emulated world behind the [`Provider`](super::Provider) trait: the one fake that executor tests
//! run against.
//!
//! Translates calls to the platform's JSON and back, and waits on tokio's clock, so that a paused
//! clock moves the world; no threads, no sockets. Start at [`SimProvider`].

mod provider;
mod translate;

pub use provider::SimProvider;
