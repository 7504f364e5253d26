//! Verbs of flyctl, Terraform and Nomad and flags of `fly deploy` that this program does not have, with the
//! equivalent here.
//!
//! Used only for the error message.

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::fly_deploy_flags;

/// An option that every verb with the options of a plan has.
const PLAN_OPTION: &str = "release_command";

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

/// Replaces clap's suggestion of similar verbs or flags by the equivalent.
pub(super) fn add_suggestion(
    mut error: clap::Error,
    args: &[OsString],
    command: &Command,
) -> clap::Error {
    let here = match error.kind() {
        ErrorKind::InvalidSubcommand => equivalent_verb(&error, args).map(str::to_owned),
        ErrorKind::UnknownArgument => deploy_flag(&error, args, command),
        _ => None,
    };
    if let Some(here) = here {
        let tip = StyledStr::from(format!("in aeroform: {here}"));
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
        if error.kind() == ErrorKind::UnknownArgument {
            // It would show how to use a flag of a similar name.
            error.remove(ContextKind::Usage);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

fn equivalent_verb(error: &clap::Error, args: &[OsString]) -> Option<&'static str> {
    let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    // Only top-level verbs have an equivalent.
    let is_first = args.get(1).is_some_and(|first| *first == **verb);
    let same = EQUIVALENTS.iter().find(|(foreign, _)| foreign == verb);
    same.filter(|_| is_first).map(|(_, here)| *here)
}

/// What an unknown flag is here, if the verb plans or applies and `fly deploy` has the flag.
fn deploy_flag(error: &clap::Error, args: &[OsString], command: &Command) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    takes_plan_options(args, command)
        .then(|| fly_deploy_flags::find(flag))
        .flatten()
}

/// Whether the typed verb has the options of a plan. The value of a flag may be taken for a verb; that changes only
/// this message.
fn takes_plan_options(args: &[OsString], command: &Command) -> bool {
    let words = args.iter().filter_map(|arg| arg.to_str());
    let verb = words.fold(command, |verb, word| {
        verb.find_subcommand(word).unwrap_or(verb)
    });
    verb.get_arguments().any(|arg| arg.get_id() == PLAN_OPTION)
}
