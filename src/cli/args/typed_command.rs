//! The verb and arguments as typed, for commands that messages tell the user to run.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::core::fleet::quoting::shell_word;

/// Arguments that are left out: consent must be given again, output flags do not matter, and the flags that select
/// the project are part of [`GlobalFlags::program`](super::GlobalFlags::program).
const NOT_REPEATED: [&str; 10] = [
    "auto_approve",
    "format",
    "json",
    "chdir",
    "config",
    "app",
    "provider",
    "color",
    "quiet",
    "verbose",
];

/// A verb with its arguments.
#[derive(Debug, Clone, Default)]
pub struct TypedCommand {
    verb: Vec<String>,
    flags: Vec<(String, String)>,
    positionals: Vec<(String, String)>,
}

impl TypedCommand {
    /// Reads the verb and its arguments from a parsed command line.
    pub fn from_matches(command: &Command, matches: &ArgMatches) -> Self {
        let (mut command, mut matches) = (command, matches);
        let mut typed = Self::default();
        while let Some((name, inner)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else {
                break;
            };
            typed.verb.push(name.to_owned());
            (command, matches) = (found, inner);
        }
        for arg in command.get_arguments() {
            typed.add(arg, matches);
        }
        typed
    }

    fn add(&mut self, arg: &Arg, matches: &ArgMatches) {
        let id = arg.get_id().as_str();
        let given = matches!(matches.try_contains_id(id), Ok(true))
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        if !given || NOT_REPEATED.contains(&id) {
            return;
        }
        let raw = matches.get_raw_occurrences(id).into_iter().flatten();
        let mut occurrences: Vec<Vec<String>> = raw
            .map(|values| values.map(|v| v.to_string_lossy().into_owned()).collect())
            .collect();
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => {
                let words = occurrences.into_iter().flatten();
                let words = words.map(|word| (id.to_owned(), shell_word(&word).into_owned()));
                self.positionals.extend(words);
                return;
            }
        };
        if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
            self.flags.push((id.to_owned(), name));
            return;
        }
        if matches!(arg.get_action(), ArgAction::Set) {
            occurrences = occurrences.pop().into_iter().collect();
        }
        for values in occurrences {
            let value = values.join(",");
            let value_word = shell_word(&value);
            let separator = if arg.is_require_equals_set() || value.starts_with('-') {
                "="
            } else {
                " "
            };
            self.flags
                .push((id.to_owned(), format!("{name}{separator}{value_word}")));
        }
    }

    /// The verb with its arguments, except those with the ids `omitted`; `more` is added.
    pub fn render_without(&self, omitted: &[&str], more: &[String]) -> String {
        let retained =
            |(id, word): &(String, String)| (!omitted.contains(&id.as_str())).then(|| word.clone());
        let mut words = self.verb.clone();
        words.extend(self.flags.iter().filter_map(retained));
        words.extend(more.iter().cloned());
        let positionals: Vec<String> = self.positionals.iter().filter_map(retained).collect();
        if positionals.iter().any(|word| word.starts_with('-')) {
            words.push("--".to_owned());
        }
        words.extend(positionals);
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn a_verb_is_rendered_with_its_arguments() {
        let typed = |words: &str| {
            let words: Vec<&str> = words.split('|').collect();
            let mut command = Cli::command();
            let matches = command.try_get_matches_from_mut(words).unwrap();
            TypedCommand::from_matches(&command, &matches)
        };
        for (given, expected) in [
            ("aeroform|restart|-g|worker|-y", "restart --group worker"),
            (
                "aeroform|-C|a b|machine|replace|-y|--json|one|two|--parallelism|2",
                "machine replace --parallelism 2 one two",
            ),
            (
                "aeroform|apply|--image|shop:1|--exclude-machines|a,b|--exclude-machines=c|--accept-missing",
                "apply --image shop:1 --exclude-machines a,b --exclude-machines c --accept-missing",
            ),
            (
                "aeroform|scale|count|web=+1|-y|--refresh",
                "scale count --refresh=true web=+1",
            ),
            ("aeroform|apply|my plan", "apply 'my plan'"),
            ("aeroform|refresh", "refresh"),
        ] {
            let words = typed(given).render_without(&[], &[]);
            assert_eq!(
                words.split(' ').collect::<std::collections::BTreeSet<_>>(),
                expected.split(' ').collect(),
                "{given}: {words}"
            );
        }
        let replaces = typed("aeroform|machine|replace|one|two|--steady|3s");
        let left = ["two".to_owned()];
        assert_eq!(
            replaces.render_without(&["ids"], &left),
            "machine replace --steady 3s two"
        );
    }
}
