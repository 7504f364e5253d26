//! Every code of an error or remark: declared in one place, said as the table says, provoked by a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aeroform::cli::codes::CODE_TABLES;
use aeroform::core::code::Code;
use proc_macro2::{TokenStream, TokenTree};

use crate::assert_none;
use crate::repository::root;
use crate::rust_source::{ItemKind, sources};

fn codes() -> impl Iterator<Item = Code> {
    CODE_TABLES
        .iter()
        .flat_map(|table| table.codes.iter().copied())
}

/// The text literals of a file's code, without those of its tests.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    collect(code.parse().unwrap(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                if let Some(inner) = literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')) {
                    // A line that goes on, and the escapes that messages have.
                    let lines: Vec<&str> = inner.split("\\\n").map(str::trim_start).collect();
                    found.push(lines.concat().replace("\\\"", "\"").replace("{{", "{"));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

#[test]
fn a_code_has_one_row() {
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = codes()
        .filter(|code| !seen.insert(code.name()))
        .map(|code| format!("`{}` has two rows", code.name()))
        .collect();
    assert_none("codes that mean two things", &twice);
    assert!(seen.len() > 100, "only {} codes were found", seen.len());
}

#[test]
fn every_list_of_codes_is_in_the_table_and_none_is_made_elsewhere() {
    let sources = sources();
    let collected = sources
        .iter()
        .find(|s| s.file == "src/cli/codes.rs")
        .unwrap();
    let mut findings = Vec::new();
    for source in &sources {
        let declares = source
            .items
            .iter()
            .any(|item| matches!(&item.kind, ItemKind::Macro(name) if name == "codes"));
        let is_list = source.file.ends_with("/codes.rs");
        if declares && !is_list {
            findings.push(format!(
                "{}: codes are declared in a file `codes.rs`",
                source.file
            ));
        }
        let all = [
            &["crate".to_owned()],
            &source.module[..],
            &["ALL".to_owned()],
        ]
        .concat();
        let is_collected = source.file == collected.file
            || collected
                .items
                .iter()
                .any(|item| matches!(&item.kind, ItemKind::Path(path) if *path == all));
        if is_list && !is_collected {
            findings.push(format!(
                "{}: {} does not name its list",
                source.file, collected.file
            ));
        }
        let makes = source.items.iter().any(|item| {
            matches!(&item.kind, ItemKind::Path(path) if path.ends_with(&["Code".to_owned(), "declared".to_owned()]))
        });
        if makes && source.file != "src/core/code.rs" {
            findings.push(format!(
                "{}: a code is made by the macro `codes!` alone",
                source.file
            ));
        }
    }
    assert_none("codes outside of the table", &findings);
}

/// A name that is written out would go on meaning what its row said when the row is gone.
#[test]
fn a_code_is_named_by_its_constant() {
    let names: BTreeSet<&str> = codes()
        .map(Code::name)
        .filter(|name| name.contains('_'))
        .collect();
    let mut findings = Vec::new();
    for source in sources() {
        // The emulated platform speaks words of its own, and a key of a manifest may be called alike.
        if source.file.ends_with("/codes.rs")
            || source.file.starts_with("src/emulator/")
            || source.file.starts_with("src/core/manifest/")
        {
            continue;
        }
        for literal in literals(&source.text) {
            if names.contains(literal.as_str()) && literal != "already_exists" {
                findings.push(format!("{}: \"{literal}\"", source.file));
            }
        }
    }
    assert_none("codes that are written out", &findings);
}

#[test]
fn the_table_says_what_the_program_says() {
    let said: Vec<String> = sources()
        .iter()
        .filter(|source| !source.file.ends_with("/codes.rs"))
        .flat_map(|source| literals(&source.text))
        .collect();
    let mut findings = Vec::new();
    for code in codes() {
        for part in code.message().split('…') {
            let part = part.trim_matches(|c: char| !c.is_alphanumeric());
            if part.len() >= 4 && !said.iter().any(|literal| literal.contains(part)) {
                findings.push(format!("`{}`: nothing says \"{part}\"", code.name()));
            }
        }
    }
    assert_none(
        "messages of the table that the program does not have",
        &findings,
    );
}

/// Each table is compared whole with what a test provokes, so that a new code without one fails there.
#[test]
fn every_code_of_every_table_is_provoked_by_a_test() {
    let mut calls = String::new();
    read_all(&root().join("tests"), &mut calls);
    let calls: String = calls.split_whitespace().collect();
    let count = calls.matches("assert_all_provoked(").count();
    assert_eq!(
        count,
        CODE_TABLES.len(),
        "one call of assert_all_provoked for each table"
    );
}

/// The tests of codes: one file in each folder of tests, and the one of comparisons.
fn read_all(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path
            .file_name()
            .is_some_and(|name| name == "codes.rs" || name == "comparison.rs")
        {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
