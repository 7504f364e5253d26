//! What the program is built from: permissive licences only, no OpenSSL. Reads the rules from deny.toml,
//! so that this test and `cargo deny` cannot disagree.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use crate::assert_none;
use crate::repository::root;

/// The allowed licences and the banned crates of deny.toml.
fn rules() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let rules: DocumentMut = text.parse().unwrap();
    let texts = |items: &Item, key: Option<&str>| -> BTreeSet<String> {
        let entry = |value: &toml_edit::Value| match key {
            Some(key) => value.as_inline_table().unwrap()[key]
                .as_str()
                .map(str::to_owned),
            None => value.as_str().map(str::to_owned),
        };
        let items = items.as_array().unwrap();
        items.iter().map(|item| entry(item).unwrap()).collect()
    };
    (
        texts(&rules["licenses"]["allow"], None),
        texts(&rules["bans"]["deny"], Some("crate")),
    )
}

/// Every package that this machine builds, from the lock file and without asking the network.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", &host()])
        .current_dir(root())
        .output()
        .expect("cargo is there");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {problem}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn host() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc is there");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host")
        .to_owned()
}

/// Whether an SPDX expression can be met with allowed licences alone.
fn is_permissive(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is an old spelling of OR. AND binds tighter than OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any_of(&mut words, allowed);
    verdict && words.peek().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut verdict = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all_of(words, allowed);
    }
    verdict
}

fn all_of(words: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut verdict = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, allowed);
    }
    verdict
}

fn one(words: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let verdict = any_of(words, allowed);
            words.next_if_eq(&")").is_some() && verdict
        }
        Some(licence) => match words.next_if_eq(&"WITH") {
            Some(_) => {
                let exception = words.next().unwrap_or_default();
                allowed.contains(&format!("{licence} WITH {exception}"))
            }
            None => allowed.contains(licence),
        },
        None => false,
    }
}

#[test]
fn every_crate_is_permissively_licensed_and_none_is_banned() {
    let (allowed, banned) = rules();
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let mut found = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("(none)");
        if !is_permissive(licence, &allowed) {
            found.push(format!("{name}: {licence}"));
        }
        if banned.contains(name) {
            found.push(format!("{name}: banned by deny.toml"));
        }
    }
    assert_none("crates that deny.toml does not allow", &found);
}

#[test]
fn licence_expressions_are_read_as_they_mean() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0", "X WITH E"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("GPL-3.0 OR MIT AND GPL-2.0", false),
        ("X WITH E", true),
        ("X", false),
        ("(none)", false),
        ("", false),
    ] {
        assert_eq!(
            is_permissive(expression, &allowed),
            expected,
            "{expression}"
        );
    }
}
