//! fly.toml: its sections as flyctl reads them, and what they make of each group's Machines.
//!
//! One file per family of sections; each reads its keys and knows their old forms. [`group_scope`]
//! says which group a section speaks of, [`template`] puts a group's MachineConfig together.
//! Nothing here knows aeroform.toml.

pub(super) mod build;
pub(super) mod checks;
mod config_tree;
pub(super) mod containers;
pub(super) mod cross_checks;
pub(super) mod deploy;
pub(super) mod document;
pub(super) mod environment;
pub(super) mod experimental;
pub(super) mod files;
pub(super) mod group_scope;
pub(super) mod local_files;
pub(super) mod machine_checks;
pub(super) mod metrics;
pub(super) mod mounts;
mod plain_keys;
pub(super) mod processes;
pub(super) mod restart;
pub(super) mod service_parts;
pub(super) mod services;
mod shell;
pub(super) mod signals;
pub(super) mod template;
pub(super) mod vm;
