//! JSON output of every command, with a version and a schema in docs/schemas.
//!
//! One file per command. These types are a stable interface, separate from internal types, which may change. None
//! contains a secret or its digest. Serialise a document with [`to_line()`] only.

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
pub mod releases;
pub mod scale;
mod serialize;
pub mod state;
pub mod status;
pub mod unlock;
pub mod validate;
pub mod version;

pub use serialize::{to_line, to_pretty};

/// Version of these documents; raised by incompatible changes.
pub const FORMAT_VERSION: u32 = 1;
