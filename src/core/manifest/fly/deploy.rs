//! `[deploy]`: update strategy and release command (docs/platform/fly-toml.md 11.1 and 12).

use crate::core::fleet::schema::Guest;
use crate::core::fleet::{Limit, Strategy, UnsupportedStrategy};

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::tree::Located;
use super::super::value::Value;
use super::once::{self, WrittenCommand};
use super::processes::split_command;
use super::vm;

/// flyctl's `wait_timeout`.
const WAIT_TIMEOUT_S: u64 = 300;

/// How every group is updated.
#[derive(Debug, Clone)]
pub(in crate::core::manifest) struct Deploy {
    pub(in crate::core::manifest) strategy: Strategy,
    pub(in crate::core::manifest) unsupported_strategy: Option<UnsupportedStrategy>,
    pub(in crate::core::manifest) wait_timeout_s: u64,
    /// Span of `canary`, which does not support mounts.
    pub(super) canary: Option<Located<()>>,
    pub(in crate::core::manifest) release_command: Option<WrittenCommand>,
    /// `release_command_vm`, the size of every command that runs once.
    pub(in crate::core::manifest) release_command_vm: Option<Guest>,
    pub(in crate::core::manifest) seed_command: Option<Vec<String>>,
}

impl Default for Deploy {
    fn default() -> Self {
        Self {
            strategy: Strategy::ROLLING,
            unsupported_strategy: None,
            wait_timeout_s: WAIT_TIMEOUT_S,
            canary: None,
            release_command: None,
            release_command_vm: None,
            seed_command: None,
        }
    }
}

/// Reads `[deploy]`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Deploy {
    let Some(mut fields) = fields.table("deploy") else {
        return Deploy::default();
    };
    let name = fields
        .string("strategy")
        .filter(|name| !name.value.is_empty());
    let limit_span = fields.take_entry("max_unavailable").map(|(span, _)| span);
    let limit = max_unavailable(&mut fields);
    if let (Some(span), Some(name)) = (limit_span, &name)
        && matches!(name.value.as_str(), "immediate" | "bluegreen")
    {
        let message = format!(
            "`deploy.max_unavailable` has no effect with the strategy {}",
            quote_text(&name.value)
        );
        let location = fields.file.location(span, "");
        fields.file.report(
            Diagnostic::warning(codes::MAX_UNAVAILABLE_IGNORED, message)
                .with_location(location)
                .with_related(fields.file.location(name.span.clone(), "the strategy"))
                .help("it applies to `strategy = \"rolling\"` and `\"canary\"`"),
        );
    }
    let wait = fields.duration("wait_timeout", NumberUnit::Nanoseconds);
    let release_command = release_command(&mut fields);
    let release_command_vm = fields
        .table("release_command_vm")
        .map(vm::release_command_guest);
    let seed_command = seed_command(&mut fields);
    let (strategy, unsupported_strategy) = strategy(&fields, name.as_ref(), limit);
    let canary = name
        .filter(|name| name.value == "canary")
        .map(|name| name.map(|_| ()));
    fields.report_unknown_keys();
    Deploy {
        strategy,
        unsupported_strategy,
        // Fly counts nanoseconds; a wait of less than a second is rounded up to one.
        wait_timeout_s: wait
            .filter(|wait| wait.value > 0)
            .map_or(WAIT_TIMEOUT_S, |wait| once::whole_seconds(wait.value)),
        canary,
        release_command,
        release_command_vm,
        seed_command,
    }
}

fn release_command(fields: &mut Fields<'_, '_>) -> Option<WrittenCommand> {
    let keys = ("release_command", "release_command_timeout");
    once::read(fields, keys, NumberUnit::Nanoseconds).filter(WrittenCommand::has_words)
}

/// Its words, where there are any.
fn seed_command(fields: &mut Fields<'_, '_>) -> Option<Vec<String>> {
    let text = fields.string("seed_command")?;
    let words = split_command(
        fields.file,
        "`deploy.seed_command`",
        &text.value,
        &text.span,
    )?;
    (!words.is_empty()).then_some(words)
}

/// The strategy, with the name of an unsupported one, which is replaced by `rolling`.
fn strategy(
    fields: &Fields<'_, '_>,
    name: Option<&Located<String>>,
    limit: Option<Limit>,
) -> (Strategy, Option<UnsupportedStrategy>) {
    const WORDS: [&str; 4] = ["rolling", "immediate", "canary", "bluegreen"];
    let rolling = limit.map_or(Strategy::ROLLING, |max_unavailable| Strategy::Rolling {
        max_unavailable,
    });
    let Some(name) = name else {
        return (rolling, None);
    };
    let unsupported = |unsupported: UnsupportedStrategy| {
        let message = format!(
            "the strategy {} is not supported yet: a plan that updates running Machines is refused",
            quote_text(unsupported.as_str())
        );
        let location = fields.file.location(name.span.clone(), "");
        let warning =
            Diagnostic::warning(codes::STRATEGY_NOT_SUPPORTED, message).with_location(location);
        let help = "`--strategy rolling` updates a few at a time instead";
        fields.file.report(warning.help(help));
        (rolling, Some(unsupported))
    };
    match name.value.as_str() {
        "rolling" => (rolling, None),
        "immediate" => (Strategy::Immediate, None),
        "canary" => unsupported(UnsupportedStrategy::Canary),
        "bluegreen" => unsupported(UnsupportedStrategy::Bluegreen),
        other => {
            let help = fields.file.suggestion(other, WORDS);
            let all = || format!("the strategies are {}", WORDS.join(", "));
            fields.file.bad_value(
                name.span.clone(),
                format!("{} is not a strategy", quote_text(other)),
                Some(help.unwrap_or_else(all)),
            );
            (rolling, None)
        }
    }
}

/// From 1, its integer part is a number of Machines; below, it is a fraction of the group.
fn max_unavailable(fields: &mut Fields<'_, '_>) -> Option<Limit> {
    let node = fields.take("max_unavailable")?;
    let number: f64 = match node.get_ref() {
        Value::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok()?,
        Value::Float(float) => float.as_str().parse().ok()?,
        _ => {
            fields
                .file
                .wrong_type("deploy.max_unavailable", node, "a number");
            return None;
        }
    };
    if !(number > 0.0 && number <= f64::from(u32::MAX)) {
        let message = "`deploy.max_unavailable` must be above 0, or nothing could be updated";
        let help = "a number of Machines (1) or a share of the group (0.33)".to_owned();
        fields
            .file
            .bad_value(node.span(), message.to_owned(), Some(help));
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above; what is behind the point is meant to go"
    )]
    let whole = number as u32;
    Some(if number >= 1.0 {
        Limit::Count(whole)
    } else {
        Limit::Share(number)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    fn deploy(text: &str) -> (Deploy, usize, usize) {
        let (deploy, found) = fly_fields(&format!("[deploy]\n{text}"), read);
        (deploy, found.errors(), found.warnings())
    }

    #[test]
    fn max_unavailable_is_a_share_below_one_and_a_whole_number_from_there() {
        for (text, limit) in [
            ("", Limit::Share(0.33)),
            ("max_unavailable = 0.5", Limit::Share(0.5)),
            ("max_unavailable = 1", Limit::Count(1)),
            ("max_unavailable = 2.9", Limit::Count(2)),
        ] {
            let rolling = Strategy::Rolling {
                max_unavailable: limit,
            };
            assert_eq!(deploy(text).0.strategy, rolling, "{text}");
        }
        for text in [
            "max_unavailable = 0",
            "max_unavailable = -1",
            "max_unavailable = nan",
        ] {
            assert_eq!(deploy(text).1, 1, "{text}");
        }
    }

    #[test]
    fn strategies_that_are_not_built_are_known_by_name_with_a_warning() {
        assert_eq!(
            deploy("strategy = \"immediate\"").0.strategy,
            Strategy::Immediate
        );
        let (deploy, errors, warnings) = deploy("strategy = \"bluegreen\"");
        assert!(matches!(deploy.strategy, Strategy::Rolling { .. }));
        let named = deploy.unsupported_strategy;
        assert_eq!(named, Some(UnsupportedStrategy::Bluegreen));
        assert_eq!((errors, warnings), (0, 1));
    }

    #[test]
    fn the_wait_is_in_whole_seconds_and_five_minutes_if_nothing_is_said() {
        for (text, seconds) in [
            ("", 300),
            ("wait_timeout = \"10m\"", 600),
            ("wait_timeout = \"1500ms\"", 2),
            ("wait_timeout = \"0s\"", 300),
        ] {
            assert_eq!(deploy(text).0.wait_timeout_s, seconds, "{text}");
        }
        assert_eq!(deploy("wait_timeout = 60").2, 1, "a number is nanoseconds");
    }

    #[test]
    fn a_release_command_that_cannot_be_split_is_refused() {
        assert_eq!(deploy("release_command = \"it's\"").1, 1);
    }
}
