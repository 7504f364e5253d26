//! The help of the program: its verbs under headings, which clap has only for flags.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::{Cli, STYLES, output};

/// The headings with their verbs.
const SECTIONS: [(&str, &[&str]); 5] = [
    (
        "Plan and apply",
        &[
            "init", "validate", "plan", "apply", "restart", "rollback", "destroy",
        ],
    ),
    (
        "Look",
        &["status", "releases", "logs", "drift", "show", "platform"],
    ),
    ("Edit", &["scale", "group", "regions", "machine"]),
    ("State", &["import", "refresh", "state", "unlock"]),
    (
        "Try out and set up",
        &["emulator", "completions", "man", "version", "help"],
    ),
];

/// What clap adds by itself when it builds the command.
const HELP_ABOUT: &str = "Print this help or that of a command";

/// The command line, with its verbs under headings and the format that only one of them has.
pub fn command() -> Command {
    let command = Cli::command().mut_subcommands(|verb| match verb.get_name() {
        "plan" => output::with_gitlab(verb),
        _ => verb,
    });
    let sections = render_sections(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{sections}{{options}}{{after-help}}"
    ))
}

fn render_sections(command: &Command) -> String {
    let header = STYLES.get_header();
    let literal = STYLES.get_literal();
    let names = SECTIONS.iter().flat_map(|(_, verbs)| *verbs);
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (title, verbs) in SECTIONS {
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map_or_else(|| HELP_ABOUT.to_owned(), ToString::to_string);
            let _ = writeln!(text, "  {literal}{verb:width$}{literal:#}  {about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_help_lists_every_command_once() {
        let mut command = command();
        command.build();
        let existing = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let existing: BTreeSet<String> = existing.map(|sub| sub.get_name().to_owned()).collect();
        let listed: Vec<&str> = SECTIONS
            .iter()
            .flat_map(|(_, verbs)| *verbs)
            .copied()
            .collect();
        assert_eq!(listed.len(), existing.len());
        assert_eq!(
            listed
                .iter()
                .map(|verb| (*verb).to_owned())
                .collect::<BTreeSet<_>>(),
            existing
        );
        let help = command.render_help().to_string();
        let is_listed = |verb: &String| {
            help.lines()
                .any(|line| line.starts_with(&format!("  {verb} ")))
        };
        assert!(existing.iter().all(is_listed), "{help}");
    }
}
