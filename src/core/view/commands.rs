//! Commands of this program inside texts for people: each is shown with the flags in use, so that it can be
//! pasted as it is.

use std::borrow::Cow;

/// How a text names the program.
const PLAIN: &str = "`aeroform";

/// The text with every command of the program begun as this run was: `aeroform plan` becomes
/// `aeroform -C shop plan`. A command that has flags before its verb stays, for it names what it means; so
/// does one that is only reported (`run 7f3k (…)`, the holder of a lock).
pub(super) fn pasteable<'t>(text: &'t str, program: &str) -> Cow<'t, str> {
    if program == "aeroform" || !text.contains(PLAIN) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + program.len());
    let mut rest = text;
    while let Some(at) = rest.find(PLAIN) {
        let (before, after) = (&rest[..at], &rest[at + PLAIN.len()..]);
        shown.push_str(before);
        let verb = after.trim_start();
        let is_command = after.len() > verb.len() && !verb.starts_with('-');
        if is_command && !is_reported(before) {
            shown.push('`');
            shown.push_str(program);
        } else {
            shown.push_str(PLAIN);
        }
        rest = after;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether what stands before a command says that somebody has run it: `(`, or the number of a process.
fn is_reported(before: &str) -> bool {
    let number = before.strip_suffix(", ").unwrap_or_default();
    before.ends_with('(') || number.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_has_to_be_typed_here() {
        let program = "aeroform -C shop -a shop-2";
        for (text, shown) in [
            (
                "run `aeroform plan`",
                "run `aeroform -C shop -a shop-2 plan`",
            ),
            ("`aeroform\n  plan`", "`aeroform -C shop -a shop-2\n  plan`"),
            ("`aeroform -c x init`", "`aeroform -c x init`"),
            ("use the newer `aeroform`", "use the newer `aeroform`"),
            (
                "run r1 (`aeroform apply` by ana)",
                "run r1 (`aeroform apply` by ana)",
            ),
            (
                "(pid 7, `aeroform apply`, since 3)",
                "(pid 7, `aeroform apply`, since 3)",
            ),
        ] {
            assert_eq!(pasteable(text, program), shown);
            assert_eq!(pasteable(text, "aeroform"), text);
        }
    }
}
