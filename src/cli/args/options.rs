//! Options of one plan, on `plan` and on every verb that applies. A saved plan keeps them.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::parse::{
    parse_duration_flag, parse_group_name, parse_machine_id, parse_max_unavailable, parse_region,
    parse_timeout_s, parse_wait_timeout_s,
};
use crate::core::fleet::{GroupName, MachineId, OnFailure, Region};
use crate::core::plan::{CheckMode, ChosenLimit, ChosenStrategy, ReleaseCommandMode, Requested};

/// Options of one plan.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of this plan")]
pub struct PlanOptions {
    /// When to run the release command of fly.toml: when image, env, files or commands change or a group is new
    /// (auto), in every apply (always), not in this one (never); after an earlier run of unknown outcome, run it
    /// again (rerun) or count it as done (skip)
    #[arg(long, value_name = "WHEN", value_parser = release_command_parser())]
    pub release_command: Option<ReleaseCommandMode>,
    /// Same as `--release-command=never`, as in flyctl
    #[arg(long, conflicts_with = "release_command")]
    pub skip_release_command: bool,
    /// How long the release command may run (10m, or a number of seconds; none for no limit); overrides
    /// `release_command_timeout` in `[deploy]` of fly.toml
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout_s)]
    pub release_command_timeout: Option<u64>,
    /// Whether to run `verify` of `[deploy]` in aeroform.toml: when the release command would run (auto) or not
    /// in this apply (never)
    #[arg(long, value_name = "WHEN", value_parser = check_parser())]
    pub verify: Option<CheckMode>,
    /// Apply without the machine checks of fly.toml, which this version cannot run (never)
    #[arg(long, value_name = "WHEN", value_parser = check_parser())]
    pub machine_checks: Option<CheckMode>,
    /// Change only these groups; what belongs to another group stays as it is, and the plan says what it leaves out
    #[arg(long, value_name = "GROUP,…", value_parser = parse_group_name, value_delimiter = ',')]
    pub process_groups: Vec<GroupName>,
    /// Change Machines in these regions only, and create none elsewhere
    #[arg(long = "regions", visible_alias = "only-regions", value_name = "REGION,…", value_parser = parse_region, value_delimiter = ',')]
    pub only_regions: Vec<Region>,
    /// Change no Machine in these regions
    #[arg(long, value_name = "REGION,…", value_parser = parse_region, value_delimiter = ',')]
    pub exclude_regions: Vec<Region>,
    /// Change only these Machines, and create none besides replacements
    #[arg(long, value_name = "ID,…", value_parser = parse_machine_id, value_delimiter = ',')]
    pub only_machines: Vec<MachineId>,
    /// Neither change this Machine nor wait for it; it still counts for its group
    #[arg(long, value_name = "ID", value_parser = parse_machine_id, value_delimiter = ',')]
    pub exclude_machines: Vec<MachineId>,
    /// Update strategy of every group: a few Machines at a time (rolling), all at once (immediate), one extra Machine
    /// first (canary), or a second set of Machines that replaces the first (bluegreen); overrides `strategy` in
    /// `[groups.NAME.deploy]` and fly.toml
    #[arg(long, value_name = "STRATEGY", value_parser = strategy_parser())]
    pub strategy: Option<ChosenStrategy>,
    /// How many Machines of a group a rolling update takes down at once: a number of them (2), or below 1 a share of
    /// the group (0.33); overrides `max_unavailable` in `[groups.NAME.deploy]` and fly.toml
    #[arg(long, value_name = "NUMBER", value_parser = parse_max_unavailable, allow_negative_numbers = true)]
    pub max_unavailable: Option<ChosenLimit>,
    /// How long a Machine may take to start and pass its checks (10m, or a number of seconds); overrides
    /// `wait_timeout` in `[groups.NAME.deploy]` and fly.toml
    #[arg(long = "wait-timeout", value_name = "DURATION", value_parser = parse_wait_timeout_s)]
    pub wait: Option<u64>,
    /// How long a Machine must stay up before its change counts as done (10s, 1m; 0 to disable);
    /// overrides `steady` in `[groups.NAME.deploy]` and `AEROFORM_STEADY`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub steady: Option<Duration>,
    /// As in flyctl: `--smoke-checks=false` is `--steady 0`, and true changes nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", conflicts_with = "steady")]
    pub smoke_checks: Option<bool>,
    /// How long a canary stays under traffic after its gate (2m, or a number of seconds); overrides `canary` in
    /// `[groups.NAME.deploy]`
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub canary_soak: Option<Duration>,
    /// Where no Machine of a group with checks runs, start one to prove the new version
    #[arg(long)]
    pub wake: bool,
    /// What the first failure does: stop the release (stop), stop its group (group), or stop the release and
    /// undo it (rollback); overrides `[deploy] on_failure` in aeroform.toml
    #[arg(long, value_name = "WHAT", value_parser = on_failure_parser())]
    pub on_failure: Option<OnFailure>,
}

/// Ids of the flags that a saved plan contains.
pub(super) const PERSISTED_FLAGS: [&str; 18] = [
    "process_groups",
    "only_regions",
    "exclude_regions",
    "only_machines",
    "exclude_machines",
    "release_command",
    "skip_release_command",
    "release_command_timeout",
    "verify",
    "machine_checks",
    "strategy",
    "max_unavailable",
    "wait",
    "steady",
    "smoke_checks",
    "canary_soak",
    "wake",
    "on_failure",
];

impl PlanOptions {
    /// Adds these options and `--image` to a request.
    pub fn merge_into(&self, mut requested: Requested, image: Option<&String>) -> Requested {
        requested.groups.extend(self.process_groups.iter().cloned());
        requested.regions.extend(self.only_regions.iter().cloned());
        let exclude_regions = self.exclude_regions.iter().cloned();
        requested.exclude_regions.extend(exclude_regions);
        requested.only.extend(self.only_machines.iter().cloned());
        requested
            .exclude
            .extend(self.exclude_machines.iter().cloned());
        Requested {
            image: image.cloned().or(requested.image),
            release_command: if self.skip_release_command {
                ReleaseCommandMode::Never
            } else {
                self.release_command.unwrap_or(requested.release_command)
            },
            release_command_timeout_s: self
                .release_command_timeout
                .or(requested.release_command_timeout_s),
            verify: self.verify.unwrap_or(requested.verify),
            machine_checks: self.machine_checks.unwrap_or(requested.machine_checks),
            strategy: self.strategy.or(requested.strategy),
            max_unavailable: self.max_unavailable.or(requested.max_unavailable),
            wait_timeout_s: self.wait.or(requested.wait_timeout_s),
            steady_ms: self.steady_ms().or(requested.steady_ms),
            canary_soak_ms: self
                .canary_soak
                .map(to_milliseconds)
                .or(requested.canary_soak_ms),
            wake: self.wake || requested.wake,
            on_failure: self.on_failure.or(requested.on_failure),
            ..requested
        }
    }

    fn steady_ms(&self) -> Option<u64> {
        let off = self.smoke_checks.filter(|checks| !checks).map(|_| 0);
        self.steady.map(to_milliseconds).or(off)
    }
}

/// Parses `AEROFORM_STEADY`: how long a Machine must stay up, in milliseconds.
///
/// # Errors
/// The expected format.
pub fn parse_steady(text: &str) -> Result<u64, String> {
    parse_duration_flag(text).map(to_milliseconds)
}

impl PlanOptions {
    /// The filters of which a verb that names its Machines takes none: all but `--exclude-machines`.
    pub(super) fn has_place_filter(&self) -> bool {
        let groups = !self.process_groups.is_empty();
        let regions = !self.only_regions.is_empty() || !self.exclude_regions.is_empty();
        groups || regions || !self.only_machines.is_empty()
    }

    /// Whether any filter is given.
    pub(super) fn has_filter(&self) -> bool {
        self.has_place_filter() || !self.exclude_machines.is_empty()
    }
}

fn to_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn on_failure_parser() -> impl TypedValueParser<Value = OnFailure> {
    PossibleValuesParser::new(OnFailure::ALL.map(|(word, _)| word))
        .map(|word| OnFailure::parse(&word).unwrap_or_default())
}

fn release_command_parser() -> impl TypedValueParser<Value = ReleaseCommandMode> {
    PossibleValuesParser::new(ReleaseCommandMode::ALL.map(ReleaseCommandMode::as_str))
        .map(|word| ReleaseCommandMode::parse(&word).unwrap_or_default())
}

fn check_parser() -> impl TypedValueParser<Value = CheckMode> {
    PossibleValuesParser::new(CheckMode::ALL.map(CheckMode::as_str))
        .map(|word| CheckMode::parse(&word).unwrap_or_default())
}

fn strategy_parser() -> impl TypedValueParser<Value = ChosenStrategy> {
    let words = PossibleValuesParser::new(ChosenStrategy::ALL.map(ChosenStrategy::as_str));
    words.try_map(|word| ChosenStrategy::parse(&word).ok_or("no strategy"))
}
