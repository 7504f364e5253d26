//! Every command and flag that a message or a page names is one that the program takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aeroform::cli::args::Cli;
use clap::{Arg, Command, CommandFactory};

/// Flags that are named as another program's.
const OF_OTHERS: [&str; 1] = ["--theirs"];

fn program() -> Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// The files of a folder and of those in it, with this ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|there| there == ending) {
            found.push(path);
        }
    }
}

/// What stands in strings of the sources and on pages, each with its name: lines that a string goes on in are
/// joined, and tests and comments are left out.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    files(&root.join("src"), "rs", &mut paths);
    files(&root.join("docs"), "md", &mut paths);
    let design = root.join("docs/design");
    paths
        .into_iter()
        // Decisions of a day name what there was on it.
        .filter(|path| !path.starts_with(&design) && !path.ends_with("tests.rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.extension().is_some_and(|ending| ending == "rs") {
                (name, strings(&text))
            } else {
                (name, text)
            }
        })
        .collect()
}

fn strings(source: &str) -> String {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut joined = String::new();
    let mut goes_on = false;
    for line in source.lines() {
        let text = if goes_on { line.trim_start() } else { line };
        if !goes_on && text.trim_start().starts_with("//") {
            continue;
        }
        goes_on = text.ends_with('\\');
        joined.push_str(text.strip_suffix('\\').unwrap_or(text));
        if !goes_on {
            joined.push('\n');
        }
    }
    joined
}

/// What stands between backquotes, in the order of the text.
fn quoted(text: &str) -> Vec<String> {
    let pieces = text
        .split('\n')
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    pieces.map(str::to_owned).collect()
}

fn takes(command: &Command, flag: &str) -> Option<Arg> {
    let name = flag.split('=').next().unwrap_or(flag);
    let is_it = |arg: &&Arg| {
        let long = name.strip_prefix("--");
        let short = name
            .strip_prefix('-')
            .filter(|name| name.chars().count() == 1);
        (long.is_some() && arg.get_long() == long)
            || (short.is_some() && arg.get_short() == short.and_then(|name| name.chars().next()))
    };
    command.get_arguments().find(is_it).cloned()
}

/// What is wrong with a command, as words.
fn wrong(program: &Command, words: &[&str]) -> Option<String> {
    let mut command = program;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let word = word.trim_end_matches([',', ';', ')']);
        // One of several verbs.
        if word.contains('{') && command.has_subcommands() {
            return None;
        }
        // A value that the text leaves open, or what stands for several of them.
        if word.contains(['{', '…', '[']) || word == "FLAG" || word == "VERB" || word == "|" {
            continue;
        }
        if word == "#" || word == "&&" {
            return None;
        }
        if word.len() > 1 && word.starts_with('-') {
            let Some(arg) = takes(command, word) else {
                return Some(format!("`{}` has no `{word}`", command.get_name()));
            };
            if arg.get_action().takes_values() && word.starts_with('-') && !word.contains('=') {
                words.next();
            }
            continue;
        }
        let inner = command.find_subcommand(word);
        match inner {
            Some(inner) => command = inner,
            None if command.get_positionals().next().is_some() => {}
            None => return Some(format!("`{}` takes no `{word}`", command.get_name())),
        }
    }
    None
}

#[test]
fn every_command_that_a_text_names_is_one_that_the_program_takes() {
    let program = program();
    let mut found = Vec::new();
    let mut commands = 0;
    for (file, text) in texts() {
        for quoted in quoted(&text) {
            let begins = ["aeroform ", "{program} "];
            let Some(rest) = begins.iter().find_map(|begin| quoted.strip_prefix(begin)) else {
                continue;
            };
            commands += 1;
            let words: Vec<&str> = rest.split_whitespace().collect();
            found.extend(wrong(&program, &words).map(|why| format!("{file}: `{quoted}`: {why}")));
        }
    }
    assert!(commands > 200, "{commands}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_flag_that_a_message_names_is_one_of_some_verb() {
    fn flags(command: &Command, all: &mut BTreeSet<String>) {
        let longs = command.get_arguments().filter_map(Arg::get_long);
        all.extend(longs.map(|long| format!("--{long}")));
        command
            .get_subcommands()
            .for_each(|inner| flags(inner, all));
    }
    let mut all = BTreeSet::new();
    flags(&program(), &mut all);
    let mut found = Vec::new();
    for (file, text) in texts() {
        let is_message = file.starts_with("src/") || file == "docs/errors.md";
        for quoted in quoted(&text) {
            let flag = quoted.split([' ', '=']).next().unwrap_or_default();
            let is_flag = flag.starts_with("--") && flag.len() > 2 && !flag.contains(['{', '…']);
            if is_message && is_flag && !all.contains(flag) && !OF_OTHERS.contains(&flag) {
                found.push(format!("{file}: `{quoted}`"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
