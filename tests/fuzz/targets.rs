//! The readers, what they begin from, and what must hold of every answer.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aeroform::core::fleet::AppName;
use aeroform::core::manifest::command::split;
use aeroform::core::manifest::{Overrides, SourceFile, load, settings};
use aeroform::core::plan::SavedPlan;
use aeroform::core::state;
use aeroform::core::view::diagnostics::render;

use super::engine::FuzzTarget;
use super::support::{GroupBuilder, PlanFixture, desired, group};

/// Stands between fly.toml and aeroform.toml in one input.
pub(crate) const BETWEEN: &str = "\n#=#=#\n";

pub(crate) const TOML: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "1979-05-27",
    "0x10",
    "1_0",
    "app = \"shop\"\n",
    "[processes]\n",
    "[env]\n",
    "[[services]]\n",
    "[http_service]\n",
    "[[services.ports]]\n",
    "[checks.a]\n",
    "[[http_service.checks]]\n",
    "[mounts]\n",
    "[[mounts]]\n",
    "[[vm]]\n",
    "[deploy]\n",
    "[[restart]]\n",
    "[[files]]\n",
    "[[statics]]\n",
    "[metrics]\n",
    "[build]\n",
    "[experimental]\n",
    "[groups.web]\n",
    "[groups.web.local]\n",
    "[[moved]]\n",
    "[policy]\n",
    "[state]\n",
    "processes",
    "internal_port",
    "kill_timeout",
    "max_unavailable",
    "count",
    "regions",
    "primary_region",
    "\"10s\"",
    "\"1gb\"",
    "\"25%\"",
    "\"web\"",
    "\"gru\"",
    "{ gru = 2 }",
    "standby = 1\n",
    BETWEEN,
];

const JSON: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "\"format\"",
    "\"format\":1",
    "\"machine\"",
    "\"config\"",
    "\"release\"",
    "\"run\"",
    "\"serial\"",
    "\"lineage\"",
    "\"groups\"",
    "\"app\"",
    "\"shop\"",
    "<<<<<<< HEAD\n",
    "=======\n",
    ">>>>>>> b\n",
    "\"format_version\"",
    "\"steps\"",
    "\"needs\"",
    "\"change\"",
    "\"pool\"",
    "\"create\"",
    "\"destroy\"",
    "\"id\":0",
];

const SHELL: &[&str] = &[
    "'", "\"", "\\", "#", " ", "\t", "\n", "\r", "''", "\"\"", "\\\"", "\\'", "\\\n", "&&", "$X",
    "é",
];

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}

pub(crate) fn manifest() -> FuzzTarget {
    let both = [
        (
            include_str!("../../examples/storefront/fly.toml"),
            include_str!("../../examples/storefront/aeroform.toml"),
        ),
        (
            include_str!("../../examples/fly-rails/fly.toml"),
            include_str!("../../examples/fly-rails/aeroform.toml"),
        ),
        (
            include_str!("../../examples/fly-minimal/fly.toml"),
            include_str!("../../examples/fly-minimal/aeroform.toml"),
        ),
    ];
    FuzzTarget {
        name: "manifest",
        seeds: both
            .map(|(fly, aeroform)| format!("{fly}{BETWEEN}{aeroform}").into_bytes())
            .into(),
        words: TOML,
        read: read_manifest,
    }
}

fn read_manifest(input: &[u8]) -> String {
    let between = BETWEEN.as_bytes();
    let cut = input
        .windows(between.len())
        .position(|part| part == between);
    let (fly, aeroform) = match cut {
        Some(at) => (&input[..at], Some(&input[at + between.len()..])),
        None => (input, None),
    };
    let file = |path, bytes| SourceFile { path, bytes };
    let aeroform = || aeroform.map(|bytes| file("aeroform.toml", bytes));
    let mut codes = BTreeSet::new();
    for provider in ["local", "fly"] {
        let overrides = Overrides {
            provider: Some(provider.to_owned()),
            ..Overrides::default()
        };
        let loaded = load(file("fly.toml", fly), aeroform(), &overrides);
        assert_eq!(loaded.desired.is_none(), loaded.diagnostics.has_errors());
        settings(aeroform(), &overrides);
        for (color, width) in [(false, 100), (true, 1)] {
            let mut text = String::new();
            render(&loaded.diagnostics, color, width, &mut text).unwrap();
            assert_eq!(text.is_empty(), loaded.diagnostics.is_empty());
            assert!(
                color || !text.contains('\u{1b}'),
                "an escape sequence of the file is shown"
            );
        }
        codes.extend(loaded.diagnostics.iter().map(|found| found.code));
        if let Some(desired) = loaded.desired {
            codes.insert(match desired.groups.len() {
                0 => "none",
                1 => "one",
                _ => "more",
            });
        }
    }
    format!("{codes:?}")
}

pub(crate) fn state() -> FuzzTarget {
    FuzzTarget {
        name: "state",
        seeds: texts([
            include_str!("../golden/state-format-1.json"),
            include_str!("../../state/aeroform-rails.json"),
            include_str!("../../state/aeroform-minimal.json"),
        ]),
        words: JSON,
        read: read_state,
    }
}

fn read_state(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let mut answer = String::new();
    for app in ["shop", "aeroform-rails", "aeroform-minimal"] {
        let app = AppName::new(app).unwrap();
        match state::read(&text, &app) {
            Ok(known) => {
                let written = state::write(&known);
                assert_eq!(
                    state::read(&written, &app).as_ref(),
                    Ok(&known),
                    "{written}"
                );
                write!(answer, "read {} ", known.machines.len().min(3)).unwrap();
            }
            Err(error) => {
                // What is wrong, without the values that differ every time.
                let words = error.to_string();
                let words = words.split(['`', '"']).step_by(2).collect::<String>();
                answer.extend(words.chars().filter(|c| !c.is_ascii_digit()));
            }
        }
    }
    answer
}

pub(crate) fn plan() -> FuzzTarget {
    let before = desired([
        ("web", group("web").serves().count(2)),
        ("db", group("db").mount().count(1)),
        ("cron", group("cron").count(1)),
    ]);
    let after = desired([
        ("web", group("web").serves().count(3).list("ams gru")),
        ("db", group("db").mount().count(1)),
        ("jobs", group("jobs").with(|group| group.standby = Some(1))),
    ]);
    let stage = PlanFixture::with(&before);
    let plans = [
        PlanFixture::empty().plan(&before),
        stage.plan(&after),
        stage.offline(&after),
    ];
    FuzzTarget {
        name: "plan",
        seeds: plans
            .map(|plan| SavedPlan::of(&plan).to_json().into_bytes())
            .into(),
        words: JSON,
        read: read_plan,
    }
}

fn read_plan(input: &[u8]) -> String {
    match SavedPlan::parse(&String::from_utf8_lossy(input)) {
        Ok(saved) => {
            let again = SavedPlan::parse(&saved.to_json()).unwrap();
            assert_eq!(again, saved);
            format!("read {}", saved.steps.len().min(9))
        }
        Err(error) => {
            let words = error.to_string();
            let words = words.split(['`', '"']).step_by(2).collect::<String>();
            words.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
    }
}

pub(crate) fn command() -> FuzzTarget {
    FuzzTarget {
        name: "command",
        seeds: texts([
            "bin/web --port 8080",
            "sh -c \"a 'b' && c\"",
            "a\\ b \\#c # comment\nd",
            "'single \\n' \"double \\\" quote\" ''",
        ]),
        words: SHELL,
        read: read_command,
    }
}

fn read_command(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match split(&text) {
        Ok(words) => {
            // Every character escaped, in quotes: the same words come back.
            let quoted = |word: &String| -> String {
                let escaped: String = word.chars().flat_map(|c| ['\\', c]).collect();
                format!("\"{escaped}\"")
            };
            let again: Vec<String> = words.iter().map(quoted).collect();
            assert_eq!(split(&again.join(" ")).as_ref(), Ok(&words));
            format!(
                "{} {}",
                words.len().min(9),
                words.iter().any(String::is_empty)
            )
        }
        Err(error) => error.to_string(),
    }
}
