//! The table of crash windows: every row is whole, and every test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::assert_none;
use crate::repository::{files, root};

/// Columns of the table, the last of which names tests.
const COLUMNS: usize = 6;

/// What is wrong with the rows of a page, given the tests that there are; and how many rows it has.
fn findings(page: &str, tests: &BTreeSet<String>) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut rows = 0;
    let lines = page.lines().enumerate();
    for (line, row) in lines.filter(|(_, line)| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0] == "window" || cells[0] == "---" {
            continue;
        }
        rows += 1;
        let line = line + 1;
        if cells.len() != COLUMNS || cells.iter().any(|cell| cell.is_empty()) {
            found.push(format!(
                "{line}: a row has {COLUMNS} cells with something in them"
            ));
            continue;
        }
        let named: Vec<&str> = cells[COLUMNS - 1].split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            found.push(format!("{line}: no test is named"));
        }
        let missing = named.into_iter().filter(|name| !tests.contains(*name));
        found.extend(missing.map(|name| format!("{line}: there is no test `{name}`")));
    }
    (found, rows)
}

/// The tests in a file: functions with the attribute, and those that a harness of its own lists.
fn tests_in(file: &str, text: &str) -> Vec<String> {
    let mut all: Vec<String> = commented_tests(text)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    if file == "tests/kill/main.rs" {
        let listed = Regex::new(r"(?m)^\s+\w+::(\w+),$").unwrap();
        let list = text
            .split_once("trials![")
            .and_then(|(_, rest)| rest.split_once("];"));
        let names = listed.captures_iter(list.map_or("", |(list, _)| list));
        all.extend(names.map(|found| found[1].to_owned()));
    }
    all
}

/// The functions with the attribute of a test, each with the comment above it. A test of the harness of `tests/kill`
/// has no attribute; its comment says which rule it holds.
pub(crate) fn commented_tests(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(words) = line.strip_prefix("///") {
            comment.push_str(words);
            comment.push('\n');
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = ["fn ", "async fn ", "pub(crate) fn "]
            .iter()
            .find_map(|begin| line.strip_prefix(begin))
        {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if is_test || comment.starts_with(" Holds rule") {
                found.push((name, comment.clone()));
            }
            comment.clear();
            is_test = false;
        } else if line.is_empty() || line.ends_with('}') {
            comment.clear();
            is_test = false;
        }
    }
    found
}

/// The names of all tests of the repository.
pub(crate) fn tests() -> BTreeSet<String> {
    files()
        .iter()
        .filter(|file| Path::new(file).extension().is_some_and(|e| e == "rs"))
        .flat_map(|file| tests_in(file, &fs::read_to_string(root().join(file)).unwrap()))
        .collect()
}

#[test]
fn every_crash_window_names_a_test_that_exists() {
    let page = fs::read_to_string(root().join("docs/crash-windows.md")).unwrap();
    let tests = tests();
    assert!(tests.len() > 400, "only {} tests were found", tests.len());
    let (found, rows) = findings(&page, &tests);
    assert!(rows > 30, "only {rows} rows were found");
    assert_none("docs/crash-windows.md", &found);
}

#[test]
fn a_row_that_names_no_test_is_found() {
    let tests = BTreeSet::from(["it_works".to_owned()]);
    let page = "| window | b | c | d | e | test |\n| --- | --- | --- | --- | --- | --- |\n\
        | a | b | c | d | e | `it_works` |\n\
        | a | b | c | d | e | `it_worked` |\n\
        | a | b | c | d | e | none |\n\
        | a | b | | d | e | `it_works` |\n";
    let (found, rows) = findings(page, &tests);
    assert_eq!(rows, 4);
    let lines: Vec<&str> = found.iter().map(|text| &text[..1]).collect();
    assert_eq!(lines, ["4", "5", "6"], "{found:?}");
}

#[test]
fn a_test_is_known_by_its_attribute_or_its_list() {
    let text = "#[test]\nfn a() {}\n#[tokio::test(start_paused = true)]\n#[ignore]\nasync fn b() {}\n\
        fn c() {}\n trials![\n    kills::d,\n];\n";
    assert_eq!(tests_in("tests/x.rs", text), ["a", "b"]);
    assert_eq!(tests_in("tests/kill/main.rs", text), ["a", "b", "d"]);
}
