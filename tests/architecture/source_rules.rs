//! What a source file may name besides other rooms.

use crate::assert_none;
use crate::rust_source::{ItemKind, NamedItem, SourceFile, sources};

/// Lines of one file before its tests, after which the question is which idea wants its own name.
const MAX_LINES: usize = 600;

/// Whether a path reaches out of the core: files, clock, environment, network, threads, randomness.
fn is_outside(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        // A length of time is a number; asking what time it is is not.
        ["std", "time", "Duration", ..] => false,
        [
            "std",
            "env" | "fs" | "net" | "os" | "process" | "thread" | "time",
            ..,
        ]
        | ["std", "io", "stdin" | "stdout" | "stderr", ..]
        | [
            "async_trait" | "anstream" | "axum" | "dialoguer" | "futures_util" | "getrandom"
            | "indicatif" | "rand" | "reqwest" | "rusqlite" | "rustix" | "tokio",
            ..,
        ]
        | [.., "Timestamp" | "Zoned" | "Instant" | "SystemTime", "now"] => true,
        _ => false,
    }
}

fn findings(rule: impl Fn(&SourceFile, &NamedItem) -> Option<String>) -> Vec<String> {
    let sources = sources();
    assert!(sources.len() > 10, "the source files were found");
    sources
        .iter()
        .flat_map(|source| source.items.iter().map(move |item| (source, item)))
        .filter_map(|(source, item)| {
            rule(source, item).map(|what| format!("{}:{}: {what}", source.file, item.line))
        })
        .collect()
}

#[test]
fn the_core_touches_nothing_outside_itself() {
    let found = findings(|source, item| match &item.kind {
        ItemKind::Path(path) if source.module.first().is_some_and(|m| m == "core") => {
            is_outside(path).then(|| format!("`{}` in the core", path.join("::")))
        }
        _ => None,
    });
    assert_none("the core is pure", &found);
}

#[test]
fn text_reaches_the_terminal_only_through_ui() {
    let found = findings(|source, item| match &item.kind {
        ItemKind::Macro(name)
            if ["print", "println", "eprint", "eprintln"].contains(&name.as_str()) =>
        {
            let speaks = source
                .module
                .first()
                .is_some_and(|m| m == "ui" || m == "main");
            (!speaks).then(|| format!("`{name}!` outside ui"))
        }
        _ => None,
    });
    assert_none("output goes through ui", &found);
}

#[test]
fn variables_and_the_clock_come_in_only_through_env() {
    let local = ["provider", "local"].map(str::to_owned);
    let found = findings(|source, item| {
        let ItemKind::Path(path) = &item.kind else {
            return None;
        };
        let tail: Vec<&str> = path
            .iter()
            .rev()
            .take(2)
            .rev()
            .map(String::as_str)
            .collect();
        let reads = matches!(
            tail.as_slice(),
            ["env", "var" | "var_os" | "vars" | "vars_os"]
                | ["SystemTime" | "Timestamp" | "Zoned", "now"]
        );
        // A supervisor of provider `local` is a program of its own: it dates what it sees, and hands
        // on the variables that Machines inherit.
        let may = source.file == "src/env.rs" || source.module.starts_with(&local);
        (reads && !may).then(|| format!("`{}` outside env", path.join("::")))
    });
    assert_none("clock and variables come from env", &found);
}

#[test]
fn nothing_unfinished_and_no_unwrap_is_left_in_the_code() {
    let found = findings(|_, item| match &item.kind {
        ItemKind::Method(name) if name == "unwrap" => {
            Some("`.unwrap()`; say with `expect` what makes it impossible".to_owned())
        }
        ItemKind::Macro(name) if ["todo", "unimplemented", "dbg"].contains(&name.as_str()) => {
            Some(format!("`{name}!`"))
        }
        _ => None,
    });
    assert_none("left in the code", &found);
}

#[test]
fn what_a_provider_is_like_stands_in_the_table_and_nobody_compares_names() {
    let compares = |line: &str| {
        ["fly", "local"].iter().any(|name| {
            let quoted = format!("\"{name}\"");
            // The beginning of a file's name is none of a provider.
            [
                format!("== {quoted}"),
                format!("!= {quoted}"),
                format!("{quoted} =>"),
            ]
            .iter()
            .any(|form| line.contains(form.as_str()) && !line.contains("stem =="))
        })
    };
    let of_code = |text: &str| text.find("#[cfg(test)]").unwrap_or(text.len());
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            let lines = source.text[..of_code(&source.text)].lines().enumerate();
            let lines = lines.filter(|(_, line)| compares(line));
            lines.map(move |(at, line)| format!("{}:{}: {}", source.file, at + 1, line.trim()))
        })
        .collect();
    assert_none("names of providers are compared", &found);
}

#[test]
fn every_module_says_what_it_is_for() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{}: does not begin with `//! `", source.file))
        .collect();
    assert_none("modules begin with what they are responsible for", &found);
}

#[test]
fn no_file_is_too_long_to_read_at_once() {
    let found: Vec<String> = sources()
        .iter()
        .filter_map(|source| {
            let lines = source
                .text
                .lines()
                .take_while(|line| *line != "#[cfg(test)]")
                .count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines before its tests", source.file))
        })
        .collect();
    assert_none("which idea wants its own name?", &found);
}

#[test]
fn a_reach_out_of_the_core_is_recognised() {
    let outside = |path: &str| is_outside(&path.split("::").map(str::to_owned).collect::<Vec<_>>());
    assert!(outside("std::fs::read"));
    assert!(outside("std::time::Instant"));
    assert!(outside("jiff::Timestamp::now"));
    assert!(outside("tokio::time::sleep"));
    assert!(!outside("std::time::Duration::from_secs"));
    assert!(!outside("std::collections::BTreeMap"));
}
