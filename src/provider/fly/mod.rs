//! Provider `fly`: Machines of the Fly Machines API, or of anything that speaks it.
//!
//! Knows the wire and nothing of what anybody wants. Generic over a [`Transport`], so that the same
//! client talks to the platform, and in tests to an emulated one without a socket. Retries nothing and
//! decides nothing: an answer that was lost is told as such. The token stands in headers and nowhere
//! else. Start at [`FlyProvider`]; [`Access`] says where it asks and as whom.

mod access;
mod apps;
pub(super) mod body;
mod client;
pub mod codes;
pub(super) mod events;
mod http;
mod leases;
mod logs;
mod names;
mod newborn;
mod pace;
mod provider;
mod releases;
mod transport;
mod wait;
pub(super) mod wire;

pub(super) mod answers;

pub use access::{Access, AccessError, TOKENS};
pub use client::Teller;
pub use http::HttpTransport;
pub use provider::FlyProvider;
pub use transport::{Method, Request, Response, Transport, TransportError};
