//! The page of all keys, and that the code reads what the page says it reads.

use std::fmt::Write;

use aeroform::core::manifest::reference::{FlyKey, FlySection, KeySupport, page, sections};

use crate::{assert_printed, on, project, rendered};

#[test]
fn the_page_is_what_the_code_knows() {
    assert_printed("docs/fly-toml.md", &page());
}

/// A fly.toml with one key, whose value is of a type that no key takes.
fn with(section: &FlySection, key: &FlyKey) -> String {
    let mut text = "app = \"a\"\n".to_owned();
    let mut above: Vec<&FlySection> = sections()
        .filter(|other| {
            let within = section.path.strip_prefix(other.path);
            !other.path.is_empty() && within.is_some_and(|rest| rest.starts_with('.'))
        })
        .collect();
    above.push(section);
    for section in above.iter().filter(|section| !section.path.is_empty()) {
        let path = section.path.replace('*', "x");
        if section.syntax.starts_with("`[[") {
            writeln!(text, "[[{path}]]").expect("a string takes any text");
        } else {
            writeln!(text, "[{path}]").expect("a string takes any text");
        }
    }
    if section.path.is_empty() && key.name == "app" {
        text.clear();
    }
    writeln!(text, "{} = 1979-05-27", key.name).expect("a string takes any text");
    text
}

#[test]
fn every_key_is_read_or_left_alone_as_the_page_says() {
    for section in sections() {
        for key in section.keys {
            let text = with(section, key);
            if section.path.ends_with(".headers") && key.name == "value" {
                // flyctl prints a value of any type there.
                continue;
            }
            let found = project(text.as_bytes(), None, &on("fly"));
            let of_key = |code: Option<&str>| {
                found.diagnostics.iter().any(|diagnostic| {
                    let location = diagnostic.location.as_ref();
                    let here =
                        location.is_some_and(|location| location.excerpt.starts_with(key.name));
                    here && code.is_none_or(|code| code == diagnostic.code)
                })
            };
            assert!(!of_key(Some("unknown_key")), "{text}\n{}", rendered(&found));
            match key.support {
                KeySupport::Supported | KeySupport::PassedThrough => {
                    assert!(of_key(Some("wrong_type")), "{text}\n{}", rendered(&found));
                }
                KeySupport::Refused => assert!(of_key(None), "{text}\n{}", rendered(&found)),
                KeySupport::Ignored => {}
            }
        }
    }
}

#[test]
fn a_key_that_is_not_on_the_page_is_unknown_in_every_section() {
    for section in sections().filter(|section| !section.keys.is_empty()) {
        let unknown = FlyKey {
            name: "zzz",
            ..section.keys[0]
        };
        let text = with(section, &unknown);
        let found = project(text.as_bytes(), None, &on("fly"));
        assert!(
            found
                .diagnostics
                .iter()
                .any(|found| found.code == "unknown_key"),
            "{text}\n{}",
            rendered(&found)
        );
    }
}
