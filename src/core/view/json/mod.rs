//! For programs: every command's output as data, with a version and a schema in docs/schemas.
//!
//! One file per command. A type here is a promise to readers, kept apart from our own types on purpose:
//! those may change. No value of a secret and no digest of one is in any of them. Turn a document into
//! text with [`to_line()`] and nothing else.

pub mod apply;
pub mod config;
pub mod drift;
pub mod edit;
pub mod emulator;
pub mod error;
pub mod init;
pub mod logs;
pub mod machine;
pub mod plan;
pub mod platform;
pub mod scale;
mod serialize;
pub mod state;
pub mod status;
pub mod unlock;
pub mod validate;
pub mod version;

pub use serialize::{to_line, to_pretty};

/// Version of every document in here; rises when a reader could break.
pub const FORMAT_VERSION: u32 = 1;
