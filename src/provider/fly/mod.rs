//! Provider `fly`: Machines of the Fly Machines API or a compatible server.
//!
//! It is generic over a [`Transport`], so that tests use the same client with an emulated platform without
//! sockets. It does not retry and does not decide: a lost response is reported as an unknown outcome. Only a wait for a
//! Machine reads more than once, since the platform's own wait is shorter. The token is only in headers. Start at
//! [`FlyProvider`]; [`Access`] has the addresses and the token. [`body`], [`wire`], [`events`] and [`errors`]
//! convert between the API's JSON and our types.

mod access;
mod app_suggestions;
pub mod body;
mod client;
pub mod codes;
mod created;
pub mod errors;
pub mod events;
mod http;
mod leases;
mod logs;
mod provider;
mod rate_limit;
mod releases;
mod token_fields;
mod transport;
mod wait;
pub mod wire;

pub use access::{Access, AccessError, TOKEN_VARS};
pub use client::ProgressCallback;
pub use http::HttpTransport;
pub use provider::FlyProvider;
pub use transport::{Method, Request, Response, Transport, TransportError};
