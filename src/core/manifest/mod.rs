//! The manifests: fly.toml and aeroform.toml, from text to
//! [`Desired`](crate::core::fleet::Desired).
//!
//! Pure: turns text into values and diagnostics; callers read files and print. fly.toml means what flyctl makes of it
//! (docs/platform/fly-toml.md). The planner, not this module, counts and places Machines. No input causes a panic.
//!
//! Start at [`load()`]. `tree` reads a file, `fly` and `aeroform` interpret keys, `join` combines both files.

mod aeroform;
pub mod aeroform_keys;
pub mod codes;
pub mod command;
pub mod config_fields;
mod consistency;
pub mod diagnostics;
mod dockerfile;
mod duration;
pub mod edit;
mod fields;
mod fly;
mod format;
mod group_rollout;
mod join;
mod load;
mod missing_command;
mod names;
mod nesting;
mod prescan;
pub mod reference;
mod rollout_settings;
mod secrets;
mod settings;
mod size;
mod source;
mod suggest;
#[cfg(test)]
mod testing;
mod tree;
mod value;

pub use diagnostics::{Diagnostic, Diagnostics, Severity, SourceLocation};
pub use load::{Loaded, load, settings};
pub use prescan::{find_app_name, group_locations, referenced_files};
pub use settings::{LocalFile, Overrides, PROVIDERS, Settings, StateLocation};
pub use size::memory_mb;
pub use source::SourceFile;
pub use suggest::did_you_mean;
