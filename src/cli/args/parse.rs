//! Parsers of values that several flags take.

use std::time::Duration;

use crate::core::fleet::normalise::{is_valid_image_ref, parse_duration};
use crate::core::fleet::{AppName, GroupName, MachineId, Region, RunId};

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
