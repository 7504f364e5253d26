//! Parses names of apps, groups, regions and Machines.

use std::ops::Range;

use crate::core::fleet::ids::InvalidName;
use crate::core::fleet::{AppName, GroupName, MachineId, Region};
use crate::core::platform::{REGIONS_AS_OF, regions};

use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::tree::{Located, ManifestFile};

pub(super) fn parse_app(
    file: &ManifestFile<'_>,
    written: Located<String>,
) -> Option<Located<AppName>> {
    parse_name(file, "an app name", written, AppName::new)
}

pub(super) fn parse_group(
    file: &ManifestFile<'_>,
    written: Located<String>,
) -> Option<Located<GroupName>> {
    parse_name(file, "a process group name", written, |text| {
        GroupName::new(text)
    })
}

pub(super) fn parse_machine(
    file: &ManifestFile<'_>,
    written: Located<String>,
) -> Option<Located<MachineId>> {
    parse_name(file, "a Machine id", written, MachineId::new)
}

/// A region's code, with a hint for wrong case. On Fly it must be a region of Fly.
pub(super) fn parse_region(file: &ManifestFile<'_>, written: Located<String>) -> Option<Region> {
    let error = match Region::new(written.value) {
        Ok(region) if file.runs_on_fly() => return require_fly_region(file, region, written.span),
        Ok(region) => return Some(region),
        Err(error) => error,
    };
    let help = match Region::new(error.text.trim().to_lowercase()) {
        Ok(region) => format!("did you mean `{region}`?"),
        Err(_) => error.rule.to_owned(),
    };
    let message = format!("{} is not a region", quote_text(&error.text));
    file.bad_value(written.span, message, Some(help));
    None
}

fn require_fly_region(
    file: &ManifestFile<'_>,
    region: Region,
    span: Range<usize>,
) -> Option<Region> {
    let code = quote_text(region.as_str());
    let Some(known) = regions::find(region.as_str()) else {
        if file.is_platform_region(&region) {
            return Some(region);
        }
        let listed = || format!("`aeroform platform regions` lists them, as of {REGIONS_AS_OF}");
        let help = file.suggestion(region.as_str(), regions::open_codes());
        let help = help.unwrap_or_else(listed);
        if file.has_platform_regions() {
            let message = format!("{code} is not a Fly region");
            let found = Diagnostic::error(codes::UNKNOWN_REGION, message);
            file.report(found.with_location(file.location(span, "")).help(help));
            return None;
        }
        // Fly opens regions, so the built-in list may be outdated.
        let message = format!("{code} is not in the list of Fly regions of {REGIONS_AS_OF}");
        let found = Diagnostic::warning(codes::UNKNOWN_REGION, message);
        file.report(found.with_location(file.location(span, "")).help(help));
        return Some(region);
    };
    if known.retired {
        file.report(
            Diagnostic::warning(
                codes::RETIRED_REGION,
                format!(
                    "{code} ({}) is no longer in Fly's list of regions",
                    known.name
                ),
            )
            .with_location(file.location(span, ""))
            .help("existing Machines may keep running; new ones may be refused"),
        );
    }
    Some(region)
}

fn parse_name<T>(
    file: &ManifestFile<'_>,
    what: &str,
    Located { value, span }: Located<String>,
    new: fn(String) -> Result<T, InvalidName>,
) -> Option<Located<T>> {
    match new(value) {
        Ok(value) => Some(Located::new(value, span)),
        Err(error) => {
            let message = format!("{} is not {what}", quote_text(&error.text));
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
                fields.file.set_provider(provider);
                let written = fields.string("r")?;
                parse_region(fields.file, written)
            });
            (region.is_some(), found.errors(), found.warnings())
        };
        assert_eq!(read("local", "nai"), (true, 0, 0));
        assert_eq!(read("fly", "ams"), (true, 0, 0));
        assert_eq!(read("fly", "nai"), (true, 0, 1));
        assert_eq!(read("fly", "bog"), (true, 0, 1));
    }
}
