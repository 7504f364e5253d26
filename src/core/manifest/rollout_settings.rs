//! `strategy`, `max_unavailable` and `wait_timeout`: how Machines are updated. They are in `[deploy]` of fly.toml for
//! every group, and in `[groups.NAME.deploy]` of aeroform.toml for one.
//!
//! Reads them as they are written; [`super::group_rollout`] decides which of the two files counts.

use crate::core::fleet::Limit;

use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::duration::NumberUnit;
use super::fields::Fields;
use super::fly::once::whole_seconds;
use super::tree::{Dialect, Located, ManifestFile};
use super::value::Value;

/// The names of the strategies.
pub(super) const STRATEGIES: &[&str] = &["rolling", "immediate", "canary", "bluegreen"];

/// The settings of one table.
#[derive(Debug, Clone, Default)]
pub(super) struct RolloutSettings {
    pub(super) strategy: Option<Located<WrittenStrategy>>,
    /// With the span of its key.
    pub(super) max_unavailable: Option<Located<Limit>>,
    pub(super) wait_timeout_s: Option<Located<u64>>,
}

/// A strategy by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenStrategy {
    Rolling,
    Immediate,
    Canary,
    Bluegreen,
}

impl WrittenStrategy {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "rolling" => Self::Rolling,
            "immediate" => Self::Immediate,
            "canary" => Self::Canary,
            "bluegreen" => Self::Bluegreen,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Immediate => "immediate",
            Self::Canary => "canary",
            Self::Bluegreen => "bluegreen",
        }
    }

    /// Whether it updates a few Machines at a time.
    pub(super) fn has_limit(self) -> bool {
        match self {
            Self::Rolling | Self::Canary => true,
            Self::Immediate | Self::Bluegreen => false,
        }
    }
}

/// Reads the three keys.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> RolloutSettings {
    let name = fields
        .string("strategy")
        .filter(|name| !name.value.is_empty());
    let max_unavailable = max_unavailable(fields);
    let settings = RolloutSettings {
        wait_timeout_s: wait_timeout(fields),
        strategy: name.and_then(|name| strategy(fields, &name)),
        max_unavailable,
    };
    if let (Some(limit), Some(strategy)) = (&settings.max_unavailable, &settings.strategy)
        && !strategy.value.has_limit()
    {
        warn_ignored_limit(fields.file, &fields.path("max_unavailable"), limit, {
            (fields.file, strategy)
        });
    }
    settings
}

/// Warns of a limit beside a strategy that has none.
pub(super) fn warn_ignored_limit(
    file: &ManifestFile<'_>,
    path: &str,
    limit: &Located<Limit>,
    (strategy_file, strategy): (&ManifestFile<'_>, &Located<WrittenStrategy>),
) {
    let name = quote_text(strategy.value.as_str());
    let message = format!("`{path}` has no effect with the strategy {name}");
    file.report(
        Diagnostic::warning(codes::MAX_UNAVAILABLE_IGNORED, message)
            .with_location(file.location(limit.span.clone(), ""))
            .with_related(strategy_file.location(strategy.span.clone(), "the strategy"))
            .help("it applies to `strategy = \"rolling\"` and `\"canary\"`"),
    );
}

fn strategy(fields: &Fields<'_, '_>, name: &Located<String>) -> Option<Located<WrittenStrategy>> {
    let Some(strategy) = WrittenStrategy::parse(&name.value) else {
        let help = fields
            .file
            .suggestion(&name.value, STRATEGIES.iter().copied());
        let all = || format!("the strategies are {}", STRATEGIES.join(", "));
        fields.file.bad_value(
            name.span.clone(),
            format!("{} is not a strategy", quote_text(&name.value)),
            Some(help.unwrap_or_else(all)),
        );
        return None;
    };
    Some(Located::new(strategy, name.span.clone()))
}

/// From 1, its integer part is a number of Machines; below, it is a fraction of the group.
fn max_unavailable(fields: &mut Fields<'_, '_>) -> Option<Located<Limit>> {
    let (span, node) = fields.take_entry("max_unavailable")?;
    let path = fields.path("max_unavailable");
    let number: f64 = match node.get_ref() {
        Value::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok()?,
        Value::Float(float) => float.as_str().parse().ok()?,
        _ => {
            fields.file.wrong_type(&path, node, "a number");
            return None;
        }
    };
    match Limit::of_number(number) {
        Ok(limit) => Some(Located::new(limit, span)),
        Err(why) => {
            let help = "a number of Machines (1) or a share of the group (0.33)".to_owned();
            let message = format!("`{path}` must be {why}");
            fields.file.bad_value(node.span(), message, Some(help));
            None
        }
    }
}

/// In whole seconds, rounded up. flyctl counts a bare number as nanoseconds and takes 0 for its default; in
/// aeroform.toml a number is seconds and 0 an error.
fn wait_timeout(fields: &mut Fields<'_, '_>) -> Option<Located<u64>> {
    let (unit, zero_is_default) = match fields.file.dialect {
        Dialect::Fly | Dialect::FlyStrict => (NumberUnit::Nanoseconds, true),
        Dialect::Aeroform => (NumberUnit::Seconds, false),
    };
    let wait = fields.duration("wait_timeout", unit)?;
    if wait.value > 0 {
        return Some(wait.map(whole_seconds));
    }
    if !zero_is_default {
        let message = format!("`{}` must be above 0", fields.path("wait_timeout"));
        let help = "write how long a Machine may take to start and pass its checks: \"10m\"";
        fields
            .file
            .bad_value(wait.span, message, Some(help.to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::fly_fields;
    use super::*;

    fn settings(text: &str) -> (RolloutSettings, usize, usize) {
        let (settings, found) = fly_fields(text, read);
        (settings, found.errors(), found.warnings())
    }

    #[test]
    fn max_unavailable_is_a_share_below_one_and_a_whole_number_from_there() {
        for (text, limit) in [
            ("", None),
            ("max_unavailable = 0.5", Some(Limit::Share(0.5))),
            ("max_unavailable = 1", Some(Limit::Count(1))),
            ("max_unavailable = 2.9", Some(Limit::Count(2))),
            ("max_unavailable = 1000", Some(Limit::Count(1000))),
        ] {
            let read = settings(text).0.max_unavailable;
            assert_eq!(read.map(|at| at.value), limit, "{text}");
        }
        for text in [
            "max_unavailable = 0",
            "max_unavailable = -1",
            "max_unavailable = nan",
            "max_unavailable = inf",
            "max_unavailable = \"1\"",
            "max_unavailable = 1e12",
        ] {
            assert_eq!(settings(text).1, 1, "{text}");
        }
    }

    #[test]
    fn a_strategy_is_known_by_its_name() {
        let read = |text: &str| {
            let (settings, errors, warnings) = settings(text);
            (settings.strategy.map(|at| at.value), errors, warnings)
        };
        let immediate = Some(WrittenStrategy::Immediate);
        assert_eq!(read("strategy = \"immediate\""), (immediate, 0, 0));
        let bluegreen = WrittenStrategy::Bluegreen;
        assert_eq!(read("strategy = \"bluegreen\""), (Some(bluegreen), 0, 0));
        assert_eq!(read("strategy = \"\""), (None, 0, 0));
        assert_eq!(read("strategy = \"roling\""), (None, 1, 0));
    }

    #[test]
    fn the_wait_of_fly_toml_is_in_whole_seconds_and_zero_says_nothing() {
        for (text, seconds) in [
            ("", None),
            ("wait_timeout = \"10m\"", Some(600)),
            ("wait_timeout = \"1500ms\"", Some(2)),
            ("wait_timeout = \"0s\"", None),
        ] {
            let read = settings(text).0.wait_timeout_s;
            assert_eq!(read.map(|at| at.value), seconds, "{text}");
        }
        assert_eq!(
            settings("wait_timeout = 60").2,
            1,
            "a number is nanoseconds"
        );
    }
}
