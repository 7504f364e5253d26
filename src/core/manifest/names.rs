//! Names out of a manifest: apps, groups, regions and Machines, with the rule that a wrong one
//! breaks.

use crate::core::fleet::ids::InvalidName;
use crate::core::fleet::{AppName, GroupName, MachineId, Region};

use super::diagnostics::shown;
use super::tree::{At, File};

pub(super) fn app(file: &File<'_>, written: At<String>) -> Option<At<AppName>> {
    checked(file, "an app name", written, AppName::new)
}

pub(super) fn group(file: &File<'_>, written: At<String>) -> Option<At<GroupName>> {
    checked(file, "a process group name", written, |text| {
        GroupName::new(text)
    })
}

pub(super) fn machine(file: &File<'_>, written: At<String>) -> Option<At<MachineId>> {
    checked(file, "a Machine id", written, MachineId::new)
}

/// A region's code; one that is right but for its case is told so.
pub(super) fn region(file: &File<'_>, written: At<String>) -> Option<Region> {
    let error = match Region::new(written.value) {
        Ok(region) => return Some(region),
        Err(error) => error,
    };
    let help = match Region::new(error.text.trim().to_lowercase()) {
        Ok(region) => format!("did you mean `{region}`?"),
        Err(_) => error.rule.to_owned(),
    };
    let message = format!("{} is not a region", shown(&error.text));
    file.bad_value(written.span, message, Some(help));
    None
}

fn checked<T>(
    file: &File<'_>,
    what: &str,
    At { value, span }: At<String>,
    new: fn(String) -> Result<T, InvalidName>,
) -> Option<At<T>> {
    match new(value) {
        Ok(value) => Some(At::new(value, span)),
        Err(error) => {
            let message = format!("{} is not {what}", shown(&error.text));
            file.bad_value(span, message, Some(error.rule.to_owned()));
            None
        }
    }
}
