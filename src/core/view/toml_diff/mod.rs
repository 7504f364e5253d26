//! Changes of a Machine's config as changed lines of fly.toml.
//!
//! Data only, without escaping and layout. Start at [`blocks()`]. `location` finds a field's key in fly.toml,
//! `http_service` joins two ports to one table, `value` writes values, `emphasis` marks the changed part of a value.

mod blocks;
mod emphasis;
mod http_service;
mod location;
mod toml_lines;
mod value;

pub use blocks::{DiffBlock, DiffLine, SizeForm, TomlForms, blocks, lowered_resources};
pub use emphasis::{DiffPart, highlight_difference};
pub use toml_lines::{TomlLines, lines_for_addition, lines_for_changes};
