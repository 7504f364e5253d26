//! Flags that change how one plan is made: on `plan` and on every verb that applies. A saved plan keeps
//! them.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{parse_duration_flag, parse_machine_id};
use crate::core::fleet::{MachineId, OnFailure};
use crate::core::plan::{ChosenStrategy, ReleaseCommandMode, Requested};

/// How this plan is made.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "For this plan alone")]
pub struct PlanOptions {
    /// When the release command runs: `never` goes on without it
    #[arg(long, value_name = "WHEN", value_parser = parse_release_command)]
    pub release_command: Option<ReleaseCommandMode>,
    /// Leave this Machine alone: neither changed nor waited for; it counts for its group's number
    #[arg(long, value_name = "ID", value_parser = parse_machine_id, value_delimiter = ',')]
    pub exclude_machines: Vec<MachineId>,
    /// How every group is updated, whatever fly.toml says: rolling or immediate
    #[arg(long, value_name = "STRATEGY", value_parser = parse_strategy)]
    pub strategy: Option<ChosenStrategy>,
    /// How long a Machine must stay up before its change counts as done (10s, 1m; 0 turns it off); beats
    /// `steady` in `[groups.NAME.deploy]` and `AEROFORM_STEADY`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub steady: Option<Duration>,
    /// What the first failure stops: the release (stop), or its group (group); beats `[deploy]
    /// on_failure` of aeroform.toml
    #[arg(long, value_name = "WHAT", value_parser = on_failure_parser())]
    pub on_failure: Option<OnFailure>,
}

/// What a saved plan has decided, by the names of the flags.
pub(super) const PERSISTED_FLAGS: [&str; 5] = [
    "exclude_machines",
    "release_command",
    "strategy",
    "steady",
    "on_failure",
];

impl PlanOptions {
    /// What is asked of the planner, with these and `--image` on top.
    pub fn merge_into(&self, mut asked: Requested, image: Option<&String>) -> Requested {
        asked.exclude.extend(self.exclude_machines.iter().cloned());
        Requested {
            image: image.cloned().or(asked.image),
            release_command: self.release_command.unwrap_or(asked.release_command),
            strategy: self.strategy.or(asked.strategy),
            steady_ms: self.steady.map(to_milliseconds).or(asked.steady_ms),
            on_failure: self.on_failure.or(asked.on_failure),
            ..asked
        }
    }
}

/// How long a Machine must stay up, as `AEROFORM_STEADY` writes it, milliseconds.
///
/// # Errors
/// What would be one.
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
            Err("this version cannot run the release command; it takes `never`".to_owned())
        }
        _ => Err("it takes `never`".to_owned()),
    }
}

fn parse_strategy(text: &str) -> Result<ChosenStrategy, String> {
    match text {
        "rolling" => Ok(ChosenStrategy::Rolling),
        "immediate" => Ok(ChosenStrategy::Immediate),
        "canary" | "bluegreen" => Err(
            "this strategy is not part of this version; it takes `rolling` and `immediate`"
                .to_owned(),
        ),
        _ => Err("it takes `rolling` and `immediate`".to_owned()),
    }
}
