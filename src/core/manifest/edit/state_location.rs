//! `[state]`: where the state is.

use super::super::settings::StateLocation;
use super::toml_entries::{
    all_entries, find_entry, replace_entry, set_entry, toml_key, toml_string,
};
use super::toml_source::TomlSource;

/// The key of a location in `[state]`, and its value.
pub(super) fn entry(location: &StateLocation) -> (&'static str, &str) {
    match location {
        StateLocation::Path(path) => ("path", path),
        StateLocation::Url(url) => ("url", url),
    }
}

/// Writes the location, in place of the one that is written.
pub(super) fn write(text: &str, location: &StateLocation) -> Option<String> {
    let (key, value) = entry(location);
    let other = match location {
        StateLocation::Path(_) => "url",
        StateLocation::Url(_) => "path",
    };
    let value = toml_string(value);
    let has_other = {
        let script = TomlSource::parse(text)?;
        find_entry(&all_entries(&script), &["state", other]).is_some()
    };
    if has_other {
        replace_entry(text, &["state", other], &toml_key(key), &value)
    } else {
        set_entry(text, &["state", key], &value)
    }
}
