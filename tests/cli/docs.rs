//! docs/cli.md, docs/errors.md and docs/exit-codes.md against the program: they say what it does.
//!
//! `AEROFORM_UPDATE_DOCS=1 cargo test --test cli docs` writes the first two again.

use std::fmt::Write as _;
use std::path::Path;

use aeroform::cli::args;
use aeroform::cli::codes::CODE_TABLES;
use aeroform::core::code::{Code, ExitClass};
use aeroform::ui::Exit;
use clap::{Arg, Command};

#[test]
fn the_cli_reference_says_what_the_program_takes() {
    is_up_to_date("docs/cli.md", &reference());
}

#[test]
fn the_table_of_errors_is_the_one_in_the_program() {
    is_up_to_date("docs/errors.md", &errors());
}

/// Compares a generated page with the one that is there.
fn is_up_to_date(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{page} is not what the program says; \
         `AEROFORM_UPDATE_DOCS=1 cargo test --test cli docs` writes it anew"
    );
}

#[test]
fn the_table_of_exit_codes_is_the_one_in_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| {
            line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit())
        })
        .collect();
    let expected: Vec<String> = Exit::ALL
        .iter()
        .map(|exit| {
            format!(
                "| {} | {} | {} |",
                exit.code(),
                exit.meaning(),
                exit.advice()
            )
        })
        .collect();
    assert_eq!(rows, expected);
}

fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\nAll codes of Aeroform, generated from the program; \
         each code is provoked by a test. `…` stands for a value. The codes never change their meaning, \
         and programs find them in the JSON that `--json` prints; exit codes are on [a page of their \
         own](exit-codes.md).\n",
    );
    for table in CODE_TABLES {
        write!(page, "\n## {}\n\n{}\n\n", table.title, table.about).unwrap();
        page.push_str("| Code | Message | Cause | What to do | Exit |\n");
        page.push_str("| ---- | ------- | ----- | ---------- | ---: |\n");
        for code in table.codes {
            let (message, cause, hint) = (code.message(), code.cause(), code.hint());
            let message = if message == "…" {
                "(the error itself)"
            } else {
                message
            };
            let row = [message, cause, hint].map(|cell| cell.replace('|', "\\|"));
            let (name, exit) = (code.name(), exit_of(*code));
            writeln!(page, "| `{name}` | {} | {exit} |", row.join(" | ")).unwrap();
        }
    }
    page
}

fn exit_of(code: Code) -> String {
    match code.exit_class() {
        ExitClass::Warning => String::new(),
        error => Exit::from(error).code().to_string(),
    }
}

fn reference() -> String {
    let mut root = args::command();
    root.build();
    let mut page = String::from(
        "# Command line\n\nGenerated from the program's help; a test compares them. Exit codes are on \
         [a page of their own](exit-codes.md).\n",
    );
    let globals: Vec<&Arg> = shown_args(&root)
        .filter(|arg| arg.is_global_set())
        .collect();
    write_command(&mut page, &root, "aeroform");
    page.push_str("\nEvery command takes these:\n\n");
    write_args(&mut page, globals.into_iter());
    page
}

fn write_command(page: &mut String, command: &Command, path: &str) {
    write!(page, "\n## {path}\n\n").unwrap();
    let about = command.get_long_about().or(command.get_about());
    writeln!(
        page,
        "{}",
        about.map(ToString::to_string).unwrap_or_default()
    )
    .unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    write!(page, "\n    {usage}\n").unwrap();
    let mut own = shown_args(command)
        .filter(|arg| !arg.is_global_set())
        .peekable();
    if own.peek().is_some() {
        page.push('\n');
        write_args(page, own);
    }
    if let Some(after) = command.get_after_help() {
        page.push('\n');
        for line in after.to_string().lines() {
            write_line(page, line);
        }
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        if sub.get_name() != "help" {
            write_command(page, sub, &format!("{path} {}", sub.get_name()));
        }
    }
}

/// A line of help; a terminal breaks one that is too long, and so does the page.
fn write_line(page: &mut String, line: &str) {
    let is_prose = !line.starts_with(' ');
    let mut written = String::new();
    for word in line.split_inclusive(' ') {
        if is_prose && written.chars().count() + word.trim_end().chars().count() > 100 {
            writeln!(page, "    {}", written.trim_end()).unwrap();
            written.clear();
        }
        written.push_str(word);
    }
    writeln!(page, "{}", format!("    {written}").trim_end()).unwrap();
}

/// Lines that were broken by hand would be broken again by a terminal, in the middle.
#[test]
fn prose_in_help_is_broken_by_the_terminal_alone() {
    fn check_command(command: &Command) {
        let after = command.get_after_help().map(ToString::to_string);
        let lines: Vec<&str> = after.iter().flat_map(|text| text.lines()).collect();
        let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
        for pair in lines.windows(2) {
            let broken = is_prose(pair[0]) && is_prose(pair[1]);
            assert!(!broken, "{}: {pair:?}", command.get_name());
        }
        command.get_subcommands().for_each(check_command);
    }
    check_command(&args::command());
}

fn shown_args(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
}

fn write_args<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    for arg in args {
        let shown = arg.to_string();
        let short = arg
            .get_short()
            .map(|c| format!("`-{c}`, "))
            .unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .filter_map(|value| value.to_str())
            .filter(|value| *value != "false")
            .collect();
        let default = if defaults.is_empty() {
            String::new()
        } else {
            format!(" (default: `{}`)", defaults.join(","))
        };
        writeln!(page, "- {short}`{shown}`: {help}{default}").unwrap();
    }
}
