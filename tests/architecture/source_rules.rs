//! What a source file may name besides other layers. Calls that clippy can forbid are in clippy.toml.

use std::collections::BTreeSet;

use toml_edit::DocumentMut;

use crate::assert_none;
use crate::repository::root;
use crate::rust_source::{ItemKind, NamedItem, SourceFile, sources};

/// Lines of one file before its tests, after which the question is which idea wants its own name.
const MAX_LINES: usize = 600;

/// The crates that the core may name: data types, formats, text, digests.
const CORE_CRATES: &[&str] = &[
    "annotate_snippets",
    "data_encoding",
    "hmac",
    "jiff",
    "jsonc_parser",
    "owo_colors",
    "saphyr_parser",
    "serde",
    "serde_json",
    "sha2",
    "similar",
    "strsim",
    "thiserror",
    "toml",
    "toml_edit",
    "toml_parser",
    "unicode_width",
];

/// Whether a path reaches out of the core: a crate that is not on the list, or files, clock, environment, network,
/// threads and randomness of the standard library.
fn is_outside(path: &[String], dependencies: &BTreeSet<String>) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        // A length of time is a number; asking what time it is is not.
        ["std", "time", "Duration", ..] | [] => false,
        [
            "std",
            "env" | "fs" | "net" | "os" | "process" | "thread" | "time",
            ..,
        ]
        | ["std", "io", "stdin" | "stdout" | "stderr", ..]
        | [.., "Timestamp" | "Zoned" | "Instant" | "SystemTime", "now"] => true,
        [name, ..] => dependencies.contains(*name) && !CORE_CRATES.contains(name),
    }
}

/// The dependencies of Cargo.toml, as code names them.
fn dependencies() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: DocumentMut = text.parse().unwrap();
    let names = manifest["dependencies"].as_table().unwrap().iter();
    names.map(|(name, _)| name.replace('-', "_")).collect()
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
    let dependencies = dependencies();
    let found = findings(|source, item| match &item.kind {
        ItemKind::Path(path) if source.module.first().is_some_and(|m| m == "core") => {
            is_outside(path, &dependencies).then(|| format!("`{}` in the core", path.join("::")))
        }
        _ => None,
    });
    assert_none("the core is pure", &found);
}

#[test]
fn traits_of_providers_are_in_the_table_and_no_code_compares_their_names() {
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
fn the_core_names_every_crate_of_its_list() {
    let dependencies = dependencies();
    let named: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| source.module.first().is_some_and(|m| m == "core"))
        .flat_map(|source| source.items)
        .filter_map(|item| match item.kind {
            ItemKind::Path(path) => path.into_iter().next(),
            ItemKind::Macro(_) => None,
        })
        .filter(|name| dependencies.contains(name))
        .collect();
    assert_eq!(
        named,
        CORE_CRATES.iter().map(|name| (*name).to_owned()).collect()
    );
}

#[test]
fn a_reach_out_of_the_core_is_recognised() {
    let dependencies = dependencies();
    let outside = |path: &str| {
        let path: Vec<String> = path.split("::").map(str::to_owned).collect();
        is_outside(&path, &dependencies)
    };
    assert!(outside("std::fs::read"));
    assert!(outside("std::time::Instant"));
    assert!(outside("jiff::Timestamp::now"));
    assert!(outside("tokio::time::sleep"));
    assert!(outside("async_trait::async_trait"));
    assert!(!outside("serde_json::Value"));
    assert!(!outside("std::time::Duration::from_secs"));
    assert!(!outside("std::collections::BTreeMap"));
}
