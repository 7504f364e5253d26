//! Warns of shell syntax in commands. Fly splits a command into words and executes the first one
//! (docs/platform/fly-toml.md 3.3), so operators and variables reach the program as text.
//!
//! Only warns, because flyctl accepts these commands.

use std::ops::Range;

use crate::core::fleet::quoting::toml_string;

use super::super::codes;
use super::super::command::split;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::tree::ManifestFile;

/// Programs that interpret shell syntax.
const SHELLS: [&str; 9] = [
    "ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "tcsh", "zsh",
];

/// Shell builtins.
const BUILTINS: [&str; 6] = [".", "cd", "exec", "export", "set", "source"];

/// Warns of shell syntax that no shell interprets. `key` is the key of its line, for the help.
pub(super) fn warn_shell_syntax(
    file: &ManifestFile<'_>,
    whose: &str,
    key: &str,
    command: &str,
    span: &Range<usize>,
) {
    let Some(found) = find_shell_syntax(command) else {
        return;
    };
    let message = format!("the command of {whose} has {found}, but no shell interprets it");
    let line = toml_string(&shell_command(command));
    file.report(
        Diagnostic::warning(codes::SHELL_SYNTAX, message)
            .with_location(file.location(span.clone(), ""))
            .help(format!("run it in a shell: {key} = {line}")),
    );
}

/// The first shell syntax in a command without a shell, for a message.
fn find_shell_syntax(command: &str) -> Option<String> {
    let words = split(command).ok()?;
    let first = words.first()?;
    let program = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    if words
        .iter()
        .any(|word| SHELLS.contains(&program(word).as_str()))
    {
        return None;
    }
    if BUILTINS.contains(&first.as_str()) {
        return Some(format!("{} as its first word", quote_text(first)));
    }
    if is_assignment(first) {
        return Some(format!("the assignment {}", quote_text(first)));
    }
    find_unquoted_syntax(command).map(|found| quote_text(&found))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let mut chars = name.chars();
        chars
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The first operator outside of quotes, or the first variable or backtick outside of single quotes.
fn find_unquoted_syntax(command: &str) -> Option<String> {
    let chars: Vec<char> = command.chars().collect();
    let at = |index: usize| chars.get(index).copied();
    let is_gap = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let (mut single, mut double) = (false, false);
    let mut index = 0;
    while let Some(c) = at(index) {
        let (before, next) = (index.checked_sub(1).and_then(at), at(index + 1));
        match c {
            '\\' if !single => index += 1,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '#' if !single && !double && is_gap(before) => return None,
            '`' if !single => return Some("`".to_owned()),
            '$' if !single
                && next.is_some_and(|c| c.is_ascii_alphabetic() || "_{(".contains(c)) =>
            {
                let name: String = chars[index..]
                    .iter()
                    .skip(1)
                    .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
                    .collect();
                return Some(match name.as_str() {
                    "" => format!("${}", next.unwrap_or_default()),
                    name => format!("${name}"),
                });
            }
            '&' | '|' if !single && !double && next == Some(c) => return Some(format!("{c}{c}")),
            '|' | ';' if !single && !double => return Some(c.to_string()),
            '&' if !single && !double && is_gap(next) => return Some("&".to_owned()),
            // `->`, `=>` and `>=` are not redirections.
            '>' if !single
                && !double
                && !matches!(before, Some('-' | '='))
                && next != Some('=') =>
            {
                return Some(">".to_owned());
            }
            _ => {}
        }
        index += 1;
    }
    None
}

/// The same command for a shell, quoted as Fly splits it.
fn shell_command(command: &str) -> String {
    let command = command.trim();
    if command.contains('\'') {
        let escaped = command.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("sh -c \"{escaped}\"");
    }
    format!("sh -c '{command}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_of_a_shell_is_found_where_no_shell_reads_it() {
        for (command, found) in [
            ("rake db:migrate && rails s", "`&&`"),
            ("a || b", "`||`"),
            ("a | b", "`|`"),
            ("a; b", "`;`"),
            ("a > /dev/null", "`>`"),
            ("a 2>&1", "`>`"),
            ("a &", "`&`"),
            ("cd /app", "`cd` as its first word"),
            (
                "RAILS_ENV=production rails s",
                "the assignment `RAILS_ENV=production`",
            ),
            ("serve -p $PORT", "`$PORT`"),
            ("serve -p \"$PORT\"", "`$PORT`"),
            ("serve -p ${PORT:-80}", "`${`"),
            ("run `hostname`", "```"),
        ] {
            assert_eq!(
                find_shell_syntax(command).as_deref(),
                Some(found),
                "{command}"
            );
        }
    }

    #[test]
    fn commands_that_mean_what_they_say_are_left_alone() {
        for command in [
            "bin/rails fly:server",
            "sh -c 'a && b'",
            "/bin/bash -lc \"cd /app && $X\"",
            "docker-entrypoint.sh sh -c \"echo $X\"",
            "node -e 'a && b'",
            "curl http://x/?a=1&b=2",
            "awk '{print $1}'",
            "pip install x>=1.0",
            "ruby -e \"a => b\"",
            "run --env=X",
            "echo \\$HOME",
            "a # && b",
            "price $5",
            "",
        ] {
            assert_eq!(find_shell_syntax(command), None, "{command}");
        }
    }

    #[test]
    fn the_way_out_splits_into_the_shell_and_one_word() {
        for command in ["a && b", "echo 'x' && b", "echo \"x\" 'y' \\ && b"] {
            let words = split(&shell_command(command)).unwrap();
            assert_eq!(words, ["sh", "-c", command], "{command}");
        }
    }
}
