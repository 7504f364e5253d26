//! Names out of a manifest: apps, groups, regions and Machines, with the rule that a wrong one
//! breaks.

use std::ops::Range;

use crate::core::fleet::ids::InvalidName;
use crate::core::fleet::{AppName, GroupName, MachineId, Region};
use crate::core::platform::{REGIONS_AS_OF, regions};

use super::codes;
use super::diagnostics::{Diagnostic, shown};
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

/// A region's code; one that is right but for its case is told so. On Fly it has to be one of Fly's.
pub(super) fn region(file: &File<'_>, written: At<String>) -> Option<Region> {
    let error = match Region::new(written.value) {
        Ok(region) if file.runs_on_fly() => return on_fly(file, region, written.span),
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

fn on_fly(file: &File<'_>, region: Region, span: Range<usize>) -> Option<Region> {
    let code = shown(region.as_str());
    let Some(known) = regions::find(region.as_str()) else {
        if file.was_named(&region) {
            return Some(region);
        }
        let listed = || format!("`aeroform platform regions` lists them, as of {REGIONS_AS_OF}");
        let help = file.suggestion(region.as_str(), regions::open_codes());
        let help = help.unwrap_or_else(listed);
        if file.regions_are_known() {
            let message = format!("{code} is not a region of Fly");
            let found = Diagnostic::error(codes::UNKNOWN_REGION, message);
            file.report(found.at(file.place(span, "")).help(help));
            return None;
        }
        // Fly opens regions, and the list that comes with the program grows old.
        let message = format!("{code} is not on the list of Fly's regions of {REGIONS_AS_OF}");
        let found = Diagnostic::warning(codes::UNKNOWN_REGION, message);
        file.report(found.at(file.place(span, "")).help(help));
        return Some(region);
    };
    if known.retired {
        file.report(
            Diagnostic::warning(
                codes::RETIRED_REGION,
                format!(
                    "{code} ({}) is not on Fly's list of regions any more",
                    known.name
                ),
            )
            .at(file.place(span, ""))
            .help("Machines that are there may still run; new ones may be refused"),
        );
    }
    Some(region)
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

#[cfg(test)]
mod tests {
    use super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn on_fly_a_region_is_one_of_flys_and_elsewhere_a_name() {
        let read = |provider: &'static str, code: &str| {
            let (region, found) = fly_fields(&format!("r = \"{code}\""), |fields| {
                fields.file.runs_on(provider);
                let written = fields.string("r")?;
                region(fields.file, written)
            });
            (region.is_some(), found.errors(), found.warnings())
        };
        assert_eq!(read("local", "nai"), (true, 0, 0));
        assert_eq!(read("fly", "ams"), (true, 0, 0));
        assert_eq!(read("fly", "nai"), (true, 0, 1));
        assert_eq!(read("fly", "bog"), (true, 0, 1));
    }
}
