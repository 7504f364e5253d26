//! aeroform.toml: settings for which fly.toml has no key (docs/aeroform-toml.md).
//!
//! Reads keys and checks single entries; [`super::consistency`] checks that they agree with fly.toml.

pub(super) mod document;
pub(super) mod group_settings;
pub(super) mod hold;
pub(super) mod moved;
pub(super) mod order;
mod regions;

pub(super) use document::{AeroformDocument, read};
