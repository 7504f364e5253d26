//! The views: a gallery of plans, statuses and runs as a person and a program see them.
//!
//! Terminal views are kept as files under snapshots/, plain and with colours as readable tags; every
//! JSON document is validated against the schemas in docs/schemas.

#![expect(clippy::unwrap_used, reason = "what a test is made of must be there")]

mod build;
mod compared;
#[path = "../support/effort.rs"]
mod effort;
mod gallery;
mod machines;
mod markdown;
mod releases;
mod runs;
mod schemas;
mod show;
mod statuses;
mod terminal;
mod waves;
