//! Field changes in the language that people wrote: each change of a Machine's config as the lines of
//! fly.toml that would be different.
//!
//! Data only, neither escaped nor laid out. Start at [`blocks()`]; `place` knows where a field stands in
//! fly.toml, `http_service` how two ports are one table there, `value` how a value is written there, `emphasis` which part of a changed value is new.

mod blocks;
mod emphasis;
mod http_service;
mod location;
mod toml_lines;
mod value;

pub use blocks::{DiffBlock, DiffLine, blocks, lowered_resources};
pub use emphasis::{DiffPart, highlight_difference};
pub use toml_lines::{TomlLines, lines_for_addition, lines_for_changes};
