//! Provider `fly`: Machines of the Fly Machines API, or of anything that speaks it.
//!
//! Knows the wire and nothing of what anybody wants. Generic over a [`Transport`], so that the same
//! client talks to the platform, and in tests to an emulated one without a socket. Retries nothing and
//! decides nothing: an answer that was lost is reported as lost. Only a wait for a Machine reads more than once, since
//! the platform's own wait is shorter. The token stands in headers and nowhere
//! else. Start at [`FlyProvider`]; [`Access`] says where it asks and as whom.

mod access;
mod app_suggestions;
pub(super) mod body;
mod client;
pub mod codes;
mod created;
pub(super) mod events;
mod http;
mod leases;
mod logs;
mod provider;
mod rate_limit;
mod releases;
mod token_fields;
mod transport;
mod wait;
pub(super) mod wire;

pub(super) mod errors;

pub use access::{Access, AccessError, TOKEN_VARS};
pub use client::ProgressCallback;
pub use http::HttpTransport;
pub use provider::FlyProvider;
pub use transport::{Method, Request, Response, Transport, TransportError};
