//! aeroform.toml: what fly.toml cannot say (docs/aeroform-toml.md).
//!
//! Reads keys and checks what one entry says by itself; what has to agree with fly.toml is checked
//! in [`super::consistency`].

pub(super) mod document;
pub(super) mod group_settings;
pub(super) mod moved;
mod regions;

pub(super) use document::{AeroformDocument, read};
