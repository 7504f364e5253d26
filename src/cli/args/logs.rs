//! The flags of `logs`.

use clap::Args;

/// `aeroform logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly logs`, which follows by itself: here `-f` does.

Examples:
  aeroform logs                every Machine's
  aeroform logs -f web         those of group web, as they come
  aeroform logs --tail 20 148ed599c14189")]
pub struct LogsArgs {
    /// A group, or a Machine by id or name; without it the whole app
    #[arg(value_name = "GROUP|ID")]
    pub of: Option<String>,
    /// The same group, in Fly's spelling
    #[arg(
        short,
        long,
        visible_alias = "process-group",
        value_name = "GROUP",
        conflicts_with = "of"
    )]
    pub group: Option<String>,
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// Begin with so many of the newest lines
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}
