//! Verbs of flyctl, Terraform and Nomad that this program does not have, with the equivalent here.
//!
//! Used only for the error message.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Verb and equivalent.
const EQUIVALENTS: [(&str, &str); 19] = [
    ("deploy", "`aeroform apply --image REF`, with a built image"),
    ("launch", "`aeroform init`, next to a fly.toml"),
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
        "`aeroform unlock`, which removes a lock that nobody renews",
    ),
    ("output", "`aeroform status --json`"),
    ("check", "`aeroform validate`"),
    ("fmt", "not needed: aeroform preserves formatting"),
    ("secrets", "`fly secrets`, then `aeroform restart`"),
    ("volumes", "`fly volumes`"),
    ("ssh", "`fly ssh`"),
    ("apps", "`fly apps`"),
    (
        "auth",
        "`fly auth`; Aeroform reads the token from `FLY_API_TOKEN`",
    ),
];

/// Replaces clap's suggestion of similar verbs by the equivalent.
pub(super) fn add_suggestion(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    // Only top-level verbs have an equivalent.
    let is_first = args.get(1).is_some_and(|first| *first == **verb);
    let same = EQUIVALENTS.iter().find(|(foreign, _)| foreign == verb);
    if let Some((_, here)) =
        same.filter(|_| is_first && error.kind() == ErrorKind::InvalidSubcommand)
    {
        let tip = StyledStr::from(format!("in aeroform: {here}"));
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}
