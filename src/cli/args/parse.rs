//! Parsers of values that several flags take.

use std::time::Duration;

use crate::core::fleet::normalise::{is_valid_image_ref, parse_duration};
use crate::core::fleet::{AppName, GroupName, Limit, MachineId, Region, RunId};
use crate::core::plan::ChosenLimit;

pub(super) fn parse_app_name(text: &str) -> Result<AppName, String> {
    AppName::new(text).map_err(|error| error.rule.to_owned())
}

pub(super) fn parse_image(text: &str) -> Result<String, String> {
    if is_valid_image_ref(text) {
        Ok(text.to_owned())
    } else {
        Err("this is not an image reference; is a variable in it unset?".to_owned())
    }
}

pub(super) fn parse_group_name(text: &str) -> Result<GroupName, String> {
    GroupName::new(text).map_err(|error| error.rule.to_owned())
}

pub(super) fn parse_region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.rule.to_owned())
}

pub(super) fn parse_machine_id(text: &str) -> Result<MachineId, String> {
    MachineId::new(text).map_err(|error| error.rule.to_owned())
}

pub(super) fn parse_run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.rule.to_owned())
}

pub(super) fn parse_duration_flag(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map(Duration::from_nanos)
        .ok_or_else(|| "expected a duration such as 30s, 5m or 1h30m".to_owned())
}

/// How many Machines may be down at once, as flyctl takes it: a number of them, or below 1 a share.
pub(super) fn parse_max_unavailable(text: &str) -> Result<ChosenLimit, String> {
    let expected = || "expected a number of Machines (2) or a share of a group (0.33)".to_owned();
    let number: f64 = text.parse().map_err(|_| expected())?;
    let limit = Limit::of_number(number).map_err(|rule| format!("this must be {rule}"))?;
    Ok(limit.into())
}

/// How long a Machine may take to start. flyctl takes 0 and `none` for 2 minutes (docs/platform/fly-toml.md 11).
pub(super) fn parse_wait_timeout_s(text: &str) -> Result<u64, String> {
    match parse_timeout_s(text) {
        Ok(0) => Err(
            "a wait has a limit, so 0 and none are refused (flyctl waits 2m for them)".to_owned(),
        ),
        Ok(seconds) => Ok(seconds),
        Err(_) => Err("expected a duration such as 90s or 10m, or a number of seconds".to_owned()),
    }
}

/// A timeout as flyctl takes it: a duration, a number of seconds, or `none` (0). Fractions are rounded up.
pub(super) fn parse_timeout_s(text: &str) -> Result<u64, String> {
    // What fits into a duration in nanoseconds, as everywhere.
    const MAX_S: u64 = u64::MAX / 1_000_000_000;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match text {
        "none" => Some(0),
        number if is_number => number.parse().ok().filter(|seconds| *seconds <= MAX_S),
        text => parse_duration(text).map(|nanos| nanos.div_ceil(1_000_000_000)),
    };
    seconds.ok_or_else(|| {
        "expected a duration such as 90s or 10m, a number of seconds, or none".to_owned()
    })
}
