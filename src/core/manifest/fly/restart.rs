//! `[[restart]]`: the restart policy of a Machine (docs/platform/fly-toml.md 3.7).

use crate::core::fleet::schema::Restart;

use super::super::diagnostics::quote_text;
use super::super::fields::Fields;
use super::group_scope::GroupScoped;

/// Reads `[[restart]]`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupScoped<Restart>> {
    fields.tables("restart").into_iter().map(entry).collect()
}

fn entry(mut fields: Fields<'_, '_>) -> GroupScoped<Restart> {
    const WORDS: [&str; 3] = ["always", "on-failure", "never"];
    let policy = fields.string("policy");
    let word = policy.as_ref().map_or("", |policy| policy.value.as_str());
    let wire = match word {
        "always" | "on-failure" => Some(word.to_owned()),
        "never" => Some("no".to_owned()),
        _ => None,
    };
    if wire.is_none() && (policy.is_some() || !fields.has("policy")) {
        let span = policy
            .as_ref()
            .map_or(fields.span.clone(), |policy| policy.span.clone());
        let found = if word.is_empty() {
            "missing".to_owned()
        } else {
            quote_text(word)
        };
        let message = format!(
            "the restart policy must be \"always\", \"on-failure\" or \"never\", not {found}"
        );
        let help = match word {
            "no" => Some("did you mean `never`?".to_owned()),
            word => fields.file.suggestion(word, WORDS),
        };
        fields.file.bad_value(span, message, help);
    }
    let restart = Restart {
        policy: wire,
        max_retries: fields
            .integer("retries", 0..u32::MAX)
            .map(|at| at.value)
            .filter(|retries| *retries > 0),
        ..Restart::default()
    };
    let section = GroupScoped::of(&mut fields, restart);
    fields.report_unknown_keys();
    section
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn never_is_no_on_the_wire() {
        let text = "[[restart]]\npolicy = \"never\"\n[[restart]]\npolicy = \"on-failure\"\n\
            retries = 10\nprocesses = [\"web\"]\n";
        let (restarts, found) = fly_fields(text, read);
        assert!(found.is_empty());
        assert_eq!(restarts[0].body.policy.as_deref(), Some("no"));
        assert_eq!(restarts[1].body.max_retries, Some(10));
        assert_eq!(restarts[1].processes[0].value, "web");
    }

    #[test]
    fn a_policy_has_to_be_named_and_known() {
        for text in ["retries = 3", "policy = \"sometimes\"", "policy = 1"] {
            let (_, found) = fly_fields(&format!("[[restart]]\n{text}\n"), read);
            assert_eq!(found.errors(), 1, "{text}");
        }
    }
}
