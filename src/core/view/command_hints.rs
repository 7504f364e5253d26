//! Adds the flags in use to commands inside messages, so that they can be pasted.

use std::borrow::Cow;

/// How a message names the program.
const PROGRAM_MARK: &str = "`aeroform";

/// The text with the flags of this run in every command: `aeroform plan` becomes `aeroform -C shop plan`. A command
/// with flags before its verb is kept, and so is one that is only reported (`run 7f3k (…)`, the holder of a lock).
pub fn expand_commands<'t>(text: &'t str, program: &str) -> Cow<'t, str> {
    if program == "aeroform" || !text.contains(PROGRAM_MARK) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + program.len());
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM_MARK) {
        let (before, after) = (&rest[..at], &rest[at + PROGRAM_MARK.len()..]);
        shown.push_str(before);
        let verb = after.trim_start();
        let is_command = after.len() > verb.len() && !verb.starts_with('-');
        if is_command && !is_reported(after) {
            shown.push('`');
            shown.push_str(program);
        } else {
            shown.push_str(PROGRAM_MARK);
        }
        rest = after;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The same in serialised JSON, in the strings and lists of strings under these keys.
pub fn expand_commands_in_json<'t>(text: &'t str, program: &str) -> Cow<'t, str> {
    const TEXT_KEYS: [&str; 9] = [
        "message",
        "hint",
        "help",
        "cause",
        "causes",
        "notes",
        "remarks",
        "findings",
        "overtaken",
    ];
    if program == "aeroform" || !text.contains(PROGRAM_MARK) {
        return Cow::Borrowed(text);
    }
    let quoted = serde_json::Value::from(program).to_string();
    let program = &quoted[1..quoted.len() - 1];
    let mut shown = String::with_capacity(text.len() + program.len());
    let mut rest = text;
    let mut key = "";
    while let Some(begins) = rest.find('"') {
        let (before, string) = rest.split_at(begins + 1);
        shown.push_str(before);
        let length = json_string_end(string);
        let (string, after) = string.split_at(length);
        if after[1..].trim_start().starts_with(':') {
            key = string;
            shown.push_str(string);
        } else if TEXT_KEYS.contains(&key) {
            shown.push_str(&expand_commands(string, program));
        } else {
            shown.push_str(string);
        }
        shown.push('"');
        rest = &after[1..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The end of the JSON string that starts here, without its closing quote.
fn json_string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    // Serialised JSON closes every string.
    text.len().saturating_sub(1)
}

/// Whether the text after a command says who runs it, or since when.
fn is_reported(command: &str) -> bool {
    let behind = command.split_once('`').map_or("", |(_, behind)| behind);
    behind.starts_with(" by ") || behind.starts_with(", since ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_json_are_changed_where_people_read_them_and_nowhere_else() {
        let program = "aeroform -C 'my \"shop\\'";
        let document = serde_json::json!({
            "hint": "run `aeroform plan`", "line": "`aeroform plan`", "notes": ["a \"`aeroform apply`", "b"],
            "steps": [{"message": "`aeroform status`: \\", "name": "`aeroform x`"}],
        });
        let shown = expand_commands_in_json(&document.to_string(), program).into_owned();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let begun = |verb: &str| format!("`{program} {verb}`");
        let expected = serde_json::json!({
            "hint": format!("run {}", begun("plan")), "line": "`aeroform plan`",
            "notes": [format!("a \"{}", begun("apply")), "b"],
            "steps": [{"message": format!("{}: \\", begun("status")), "name": "`aeroform x`"}],
        });
        assert_eq!(shown, expected);
        let text = document.to_string();
        assert_eq!(expand_commands_in_json(&text, "aeroform"), text);
    }

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
                "stop it first (`aeroform machine stop x`)",
                "stop it first (`aeroform -C shop -a shop-2 machine stop x`)",
            ),
            (
                "run r1 (`aeroform apply` by ana)",
                "run r1 (`aeroform apply` by ana)",
            ),
            (
                "(pid 7, `aeroform apply`, since 3)",
                "(pid 7, `aeroform apply`, since 3)",
            ),
        ] {
            assert_eq!(expand_commands(text, program), shown);
            assert_eq!(expand_commands(text, "aeroform"), text);
        }
    }
}
