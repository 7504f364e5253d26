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
