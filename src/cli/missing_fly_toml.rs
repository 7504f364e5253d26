//! The error of a folder without fly.toml.

use std::path::Path;

use super::args::GlobalFlags;
use super::codes;
use super::manifest_pair::{self, ManifestPair};
use crate::ui::Failure;

/// The error, with the names of similar files there.
pub(super) fn error(global: &GlobalFlags, pair: &ManifestPair) -> Failure {
    other_fly_toml_error(global, pair).unwrap_or_else(|| plain_error(&pair.fly))
}

/// The error that suggests a fly.toml with another name.
fn other_fly_toml_error(global: &GlobalFlags, pair: &ManifestPair) -> Option<Failure> {
    let folder = pair.fly.parent().filter(|_| !pair.by_flag)?;
    let candidates = manifest_pair::candidates(folder);
    let first = candidates.first()?;
    let ways: Vec<String> = candidates
        .iter()
        .map(|there| format!("`{} …`", global.program_for(there)))
        .collect();
    let name = first.file_name()?.to_str()?;
    let config = match candidates.len() {
        1 => format!(", or `config = \"{name}\"` in aeroform.toml"),
        _ => String::new(),
    };
    let ways = ways.join(", ");
    let one = if candidates.len() == 1 {
        "the one that is"
    } else {
        "one of those that are"
    };
    Some(plain_error(&pair.fly).hint(format!("name {one} there: {ways}{config}")))
}

fn plain_error(path: &Path) -> Failure {
    Failure::new(
        codes::NO_FLY_TOML,
        format!("there is no `{}`", path.display()),
    )
    .hint("run in the folder of fly.toml, or name it: `aeroform -C DIR …`, `aeroform -c FILE …`")
}
