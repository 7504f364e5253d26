//! docs/from-flyctl.md, word for word: its commands are commands, and what it shows is what is printed.
//!
//! `SNAPSHOTS=overwrite cargo test --test cli from_flyctl` writes what is seen into the page.

use std::process::Stdio;

use aeroform::cli::args::Cli;
use clap::Parser;
use regex::Regex;

use crate::fly::{EmulatorProcess, on};
use crate::sandbox::Sandbox;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/from-flyctl.md");

/// The words of a command line; of quotes only pairs of `'` are known.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_command_of_the_page_is_one() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let commands: Vec<&str> = quoted
        .filter(|text| text.starts_with("aeroform ") && !text.contains('\n'))
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let command = command.replace("ID", "148ed599c14189");
        let parsed = Cli::try_parse_from(words(&command));
        assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
    }
}

/// What is printed, with every Machine's id and the platform's times as the page has them.
fn masked(text: &str) -> String {
    let id = Regex::new(r"\b[0-9a-f]{14}\b").unwrap();
    let at = Regex::new(r"\b[0-9-]{10}T[0-9:]{8}Z").unwrap();
    let text = id.replace_all(text, "148ed599c14189");
    at.replace_all(&text, "2026-01-02T10:00:00Z").into_owned()
}

#[test]
fn the_page_shows_what_the_commands_print() {
    assert_page_shows(PAGE);
}

/// Runs the commands of a page on an emulated platform. Its files are written where they are in the text, and the
/// first are applied.
pub(crate) fn assert_page_shows(file: &str) {
    let page = std::fs::read_to_string(file).unwrap();
    let sandbox = Sandbox::new();
    let platform = EmulatorProcess::with_app(&sandbox);
    let run = |line: &str| {
        let words = words(line.strip_prefix("aeroform ").unwrap());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = on(&sandbox, &platform, &words);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {shown}");
        masked(&String::from_utf8(output.stdout).unwrap())
    };
    let mut seen = String::new();
    let mut rest = page.as_str();
    let mut applied = false;
    while let Some(start) = rest.find("```") {
        let (before, block) = rest.split_at(start + 3);
        let (head, text) = block.split_once('\n').unwrap();
        let (text, after) = text.split_once("```").unwrap();
        seen.extend([before, head, "\n"]);
        match head.split_once(' ') {
            Some(("toml", name)) => sandbox.write(name, text),
            _ if !applied => {
                run("aeroform apply -y");
                applied = true;
            }
            _ => {}
        }
        if head == "console" {
            for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                seen.extend(["$ ", line, "\n", &run(line)]);
            }
        } else {
            seen.push_str(text);
        }
        seen.push_str("```");
        rest = after;
    }
    seen.push_str(rest);
    if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        std::fs::write(file, &seen).unwrap();
    }
    assert!(
        seen == page,
        "the page shows something else; `SNAPSHOTS=overwrite` writes it down:\n{seen}"
    );
}
