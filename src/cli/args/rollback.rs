//! `aeroform rollback`.

use clap::Args;

use super::EditFlags;
use super::parse::parse_group_name;
use crate::core::fleet::GroupName;

/// `aeroform rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes [hold] into aeroform.toml and applies it: the Machines get the images and configs of an earlier release, and \
counts and regions stay those of the files. Without RELEASE it is the newest complete release; if the app runs that \
one, the newest complete release before it with another config. `aeroform releases` lists them; the state remembers \
the last 10 releases of Aeroform. While [hold] is in the file, every plan follows that release. No release command \
runs: a changed database is not changed back.

With flyctl:
  fly releases --image; fly deploy --image IMAGE       aeroform rollback

Examples:
  aeroform rollback                   to the release before
  aeroform rollback v41               to this release
  aeroform rollback v41 -g web        only group web; the other groups follow the files
  aeroform rollback --plan-only       show the edit and the plan
  aeroform rollback --end             follow the files again")]
pub struct RollbackArgs {
    /// The release, such as v41
    #[arg(value_name = "RELEASE", value_parser = parse_release_number)]
    pub release: Option<u64>,
    /// Only this group; can be repeated
    #[arg(
        short,
        long = "group",
        visible_alias = "process-group",
        value_name = "GROUP",
        value_parser = parse_group_name,
        value_delimiter = ','
    )]
    pub group: Vec<GroupName>,
    /// Remove `[hold]`: follow the files again
    #[arg(long, conflicts_with_all = ["release", "group"])]
    pub end: bool,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `v41`, or only the number.
fn parse_release_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    let number = digits.parse::<u32>().ok().filter(|number| *number > 0);
    let number = number.ok_or("expected the number of a release, such as v41")?;
    Ok(u64::from(number))
}
