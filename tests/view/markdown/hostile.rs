//! Random hostile text in every place of a plan: the parsed document has the structure of the same plan with harmless
//! text.

use aeroform::core::escape::sanitize_output;
use aeroform::core::fleet::secret::patterns::redact_certain;
use aeroform::core::fleet::{GroupName, VolumeId};
use aeroform::core::plan::GroupVerdict::{Added, Changed, Removed};
use aeroform::core::plan::{DriftKind, Outcome, Plan, Removal};
use aeroform::core::view::markdown;
use proptest::prelude::*;
use serde_json::json;

use super::parsed::Document;
use super::{style, written};
use crate::build::*;
use crate::runs;

/// Text that means something to a forge, a browser, a terminal or a runner.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("`".to_owned()),
        Just("```".to_owned()),
        Just("~~~".to_owned()),
        Just("</details>".to_owned()),
        Just("</summary>".to_owned()),
        Just("</code>".to_owned()),
        Just("<img src=x onerror=y>".to_owned()),
        Just("![a](http://b)".to_owned()),
        Just("[a](http://b)".to_owned()),
        Just("https://example.com/x".to_owned()),
        Just("www.example.com".to_owned()),
        Just("a@example.com".to_owned()),
        Just("@team".to_owned()),
        Just("@org/team".to_owned()),
        Just("#1".to_owned()),
        Just("GH-1".to_owned()),
        Just("930ce37aa".to_owned()),
        Just("|".to_owned()),
        Just("\\".to_owned()),
        Just("\\|".to_owned()),
        Just("-->".to_owned()),
        Just("--!>".to_owned()),
        Just("&amp;&#64;".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n\n> # x\n\n- y".to_owned()),
        Just("\u{202e}\u{2066}".to_owned()),
        Just("🚀𝕏".to_owned()),
        Just("::error::x".to_owned()),
        Just("##[error]".to_owned()),
        Just("$x$".to_owned()),
        Just("*a* _b_ ~~c~~".to_owned()),
        Just("[^1]".to_owned()),
        Just("-----BEGIN RSA PRIVATE KEY-----".to_owned()),
        Just("-----END RSA PRIVATE KEY-----".to_owned()),
        Just("+ ".to_owned()),
        Just(" ".to_owned()),
        "[a-z]{1,8}",
        "\\PC{0,6}",
        Just("x".repeat(10_000)),
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

/// A name that is valid: without control characters, and short.
fn valid_name(text: &str, otherwise: &str) -> String {
    let mut name: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut end = name.len().min(60);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    if name.is_empty() {
        otherwise.to_owned()
    } else {
        name
    }
}

/// A plan with these texts in every place that holds foreign text.
fn plan_with(texts: &[String]) -> Plan {
    let text = |at: usize| texts[at % texts.len()].as_str();
    // Names differ, and sort alike.
    let name = |at: usize| format!("{at}{}", valid_name(text(at), "x"));
    let (web, jobs, cron) = (name(1), name(2), name(3));
    let changes = fields(
        json!({"env": {"LOG": "calm"}, "init": {"cmd": ["calm"]}}),
        json!({"env": {"LOG": text(4)}, "init": {"cmd": [text(5)]}}),
    );
    let mut gone = destroy(
        &cron,
        "gru",
        "e2865641be9786",
        Removal::GroupRemoved,
        text(6),
    );
    if let Ok(volume) = VolumeId::new(name(7)) {
        gone = with_left_over(gone, volume.as_str());
    }
    let mut reverted = update(&web, "gru", "148ed599c14189", &changes);
    reverted.reverts = Some(7);
    let mut planned = plan(4)
        .group(
            group(&web, text(8), Changed, "gru 2")
                .strategy(text(9))
                .size(text(10)),
        )
        .group(group(&jobs, text(11), Added, "gru 0->1").why(text(12)))
        .group(group(&cron, "", Removed, "gru 1->0"))
        .step(create(&jobs, "gru", 0))
        .step(reverted)
        .step(gone);
    planned.drift = vec![drift(DriftKind::Missing, &web, "gru", "6e82d933b7d587")];
    planned.refusals = vec![note(
        "protected_group",
        Some(&web),
        text(13),
        Some(text(14)),
    )];
    planned.warnings = vec![note("port_of_two_groups", None, text(15), Some(text(16)))];
    planned.notes = vec![note("x", Some(&jobs), text(17), None)];
    if let Ok(from) = GroupName::new(name(18)) {
        planned.groups[1].moved_from = vec![from];
    }
    planned
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_text_changes_no_structure(texts in prop::collection::vec(hostile(), 19), small: bool) {
        let budget = if small { 2_000 } else { 262_144 };
        let text = written(&plan_with(&texts), budget);
        prop_assert!(text.len() <= budget);
        let document = Document::parse(&text);
        document.assert_harmless("a hostile plan");
        if !small {
            let calm = vec!["calm".to_owned(); 19];
            let calm = Document::parse(&written(&plan_with(&calm), budget));
            prop_assert_eq!(&document.structure, &calm.structure, "{}", text);
        }
        // What the program does to every text that leaves it may hide what looks like a password in an address,
        // and changes no structure.
        let hidden = redact_certain(&text);
        let safe = sanitize_output(&hidden, false);
        let sent = Document::parse(&safe);
        sent.assert_harmless("a hostile plan as it is sent");
        prop_assert_eq!(&sent.structure, &document.structure, "{}", safe);
    }

    #[test]
    fn hostile_answers_change_no_structure(message in hostile(), hint in hostile()) {
        let outcome = |message: &str, hint: &str| Outcome::Failed {
            code: "conflict".to_owned(),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        };
        let report = |message: &str, hint: &str| {
            let run = runs::failed_everywhere(&outcome(message, hint));
            markdown::report(&run.report(), "3bd1e992a2a7", &style(65_000)).unwrap()
        };
        let document = Document::parse(&report(&message, &hint));
        document.assert_harmless("a hostile answer");
        let calm = Document::parse(&report("calm", "calm"));
        prop_assert_eq!(document.structure, calm.structure);
    }
}
