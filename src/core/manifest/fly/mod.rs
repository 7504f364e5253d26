//! fly.toml: reads its sections as flyctl does, and builds each group's Machine config.
//!
//! One file per kind of section; each reads its keys and their old forms. [`group_scope`] finds the groups of a section,
//! [`template`] builds a group's MachineConfig. Independent of aeroform.toml.

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
pub(super) mod once;
mod plain_keys;
pub(super) mod processes;
pub(super) mod restart;
pub(super) mod service_parts;
pub(super) mod services;
mod shell;
pub(super) mod signals;
pub(super) mod template;
pub(super) mod vm;
