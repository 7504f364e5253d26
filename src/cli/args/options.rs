//! Options of one plan, on `plan` and on every verb that applies. A saved plan keeps them.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::parse::{parse_duration_flag, parse_machine_id};
use crate::core::fleet::{MachineId, OnFailure};
use crate::core::plan::{ChosenStrategy, ReleaseCommandMode, Requested};

/// Options of one plan.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of this plan")]
pub struct PlanOptions {
    /// When to run the release command; only `never` is supported, which skips it
    #[arg(long, value_name = "WHEN", value_parser = parse_release_command)]
    pub release_command: Option<ReleaseCommandMode>,
    /// Neither change this Machine nor wait for it; it still counts for its group
    #[arg(long, value_name = "ID", value_parser = parse_machine_id, value_delimiter = ',')]
    pub exclude_machines: Vec<MachineId>,
    /// Update strategy of every group, instead of fly.toml's: rolling or immediate
    #[arg(long, value_name = "STRATEGY", value_parser = parse_strategy)]
    pub strategy: Option<ChosenStrategy>,
    /// How long a Machine must stay up before its change counts as done (10s, 1m; 0 to disable);
    /// overrides `steady` in `[groups.NAME.deploy]` and `AEROFORM_STEADY`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub steady: Option<Duration>,
    /// What the first failure stops: the release (stop) or its group (group); overrides `[deploy]
    /// on_failure` in aeroform.toml
    #[arg(long, value_name = "WHAT", value_parser = on_failure_parser())]
    pub on_failure: Option<OnFailure>,
}

/// Ids of the flags that a saved plan contains.
pub(super) const PERSISTED_FLAGS: [&str; 5] = [
    "exclude_machines",
    "release_command",
    "strategy",
    "steady",
    "on_failure",
];

impl PlanOptions {
    /// Adds these options and `--image` to a request.
    pub fn merge_into(&self, mut requested: Requested, image: Option<&String>) -> Requested {
        requested
            .exclude
            .extend(self.exclude_machines.iter().cloned());
        Requested {
            image: image.cloned().or(requested.image),
            release_command: self.release_command.unwrap_or(requested.release_command),
            strategy: self.strategy.or(requested.strategy),
            steady_ms: self.steady.map(to_milliseconds).or(requested.steady_ms),
            on_failure: self.on_failure.or(requested.on_failure),
            ..requested
        }
    }
}

/// Parses `AEROFORM_STEADY`: how long a Machine must stay up, in milliseconds.
///
/// # Errors
/// The expected format.
pub fn parse_steady(text: &str) -> Result<u64, String> {
    parse_duration_flag(text).map(to_milliseconds)
}

fn to_milliseconds(steady: Duration) -> u64 {
    u64::try_from(steady.as_millis()).unwrap_or(u64::MAX)
}

fn on_failure_parser() -> impl TypedValueParser<Value = OnFailure> {
    PossibleValuesParser::new(OnFailure::ALL.map(|(word, _)| word))
        .map(|word| OnFailure::parse(&word).unwrap_or_default())
}

fn parse_release_command(text: &str) -> Result<ReleaseCommandMode, String> {
    match text {
        "never" => Ok(ReleaseCommandMode::Never),
        "auto" | "always" => {
            Err("this version cannot run the release command; use `never`".to_owned())
        }
        _ => Err("expected `never`".to_owned()),
    }
}

fn parse_strategy(text: &str) -> Result<ChosenStrategy, String> {
    match text {
        "rolling" => Ok(ChosenStrategy::Rolling),
        "immediate" => Ok(ChosenStrategy::Immediate),
        "canary" | "bluegreen" => Err(
            "this version does not support this strategy; use `rolling` or `immediate`".to_owned(),
        ),
        _ => Err("expected `rolling` or `immediate`".to_owned()),
    }
}
