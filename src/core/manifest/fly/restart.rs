//! `[[restart]]`, `kill_signal` and `kill_timeout`: how a Machine's process ends and comes back
//! (facts/fly-toml-to-machine.md 3.6 and 3.7).

use crate::core::fleet::config::{Restart, StopConfig};

use super::super::diagnostics::shown;
use super::super::duration::{Number, text};
use super::super::tree::Fields;
use super::groups::For;

/// Reads `[[restart]]`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<For<Restart>> {
    fields.tables("restart").into_iter().map(entry).collect()
}

fn entry(mut fields: Fields<'_, '_>) -> For<Restart> {
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
            shown(word)
        };
        let message = format!(
            "a restart policy is \"always\", \"on-failure\" or \"never\"; this one is {found}"
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
    let section = For::of(&mut fields, restart);
    fields.finish();
    section
}

/// Reads the two top-level keys; `old_timeout` is what `[experimental]` says.
pub(super) fn stop(fields: &mut Fields<'_, '_>, old_timeout: Option<String>) -> Option<StopConfig> {
    let signal = fields.text("kill_signal");
    let timeout = fields
        .duration("kill_timeout", Number::Seconds)
        .map(text)
        .or(old_timeout);
    if signal.is_none() && timeout.is_none() {
        return None;
    }
    Some(StopConfig {
        signal,
        timeout,
        ..StopConfig::default()
    })
}
