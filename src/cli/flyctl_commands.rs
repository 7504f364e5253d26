//! The verbs of flyctl, Terraform and Nomad that this program does not have, and what says the same here.
//!
//! Only words for who types one of them; nothing here runs anything.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The verb, and what says the same here.
const EQUIVALENTS: [(&str, &str); 20] = [
    (
        "deploy",
        "`aeroform apply`, with an image that is built: `--image REF`",
    ),
    ("launch", "`aeroform init`, beside a fly.toml"),
    ("up", "`aeroform apply`"),
    ("run", "`aeroform apply`"),
    ("down", "`aeroform destroy`"),
    ("ps", "`aeroform status`"),
    ("list", "`aeroform machine list`"),
    ("ls", "`aeroform machine list`"),
    ("machines", "`aeroform machine`"),
    ("taint", "`aeroform machine replace ID`"),
    (
        "force-unlock",
        "`aeroform unlock`, which says who holds the lock: it goes with that process",
    ),
    ("output", "`aeroform status --json`"),
    ("check", "`aeroform validate`"),
    ("fmt", "nothing: aeroform changes no file that it need not"),
    (
        "releases",
        "`fly releases`, which shows those of aeroform, too",
    ),
    ("secrets", "`fly secrets`, then `aeroform restart`"),
    ("volumes", "`fly volumes`"),
    ("ssh", "`fly ssh`"),
    ("apps", "`fly apps`"),
    ("auth", "`fly auth`; the token is read from `FLY_API_TOKEN`"),
];

/// The same mistake, with what says the same here in the place of verbs that are spelt alike.
pub(super) fn add_suggestion(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    // A verb below another one is that one's to know.
    let is_first = args.get(1).is_some_and(|first| *first == **verb);
    let same = EQUIVALENTS.iter().find(|(foreign, _)| foreign == verb);
    if let Some((_, here)) =
        same.filter(|_| is_first && error.kind() == ErrorKind::InvalidSubcommand)
    {
        let tip = StyledStr::from(format!("here it is {here}"));
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}
