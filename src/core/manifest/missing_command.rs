//! A group without a command: on Fly the image has one, with provider `local` it is an error.

use super::codes;
use crate::core::fleet::quoting::{toml_key, toml_string};
use crate::core::fleet::{GroupName, MachineConfig};

use super::diagnostics::{Diagnostic, quote_text};
use super::dockerfile;
use super::fly::processes::Process;
use super::join::ParsedManifests;

/// Whether a config has a command.
pub(super) fn has_command(config: &MachineConfig) -> bool {
    let some = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
    let init = config.init.as_ref();
    init.is_some_and(|init| some(&init.exec) || some(&init.entrypoint) || some(&init.cmd))
}

/// The error for a missing command, with a fix.
pub(super) fn missing_command(
    both: &ParsedManifests<'_>,
    name: &GroupName,
    process: Option<&Process>,
) -> Diagnostic {
    let fly = both.fly_file;
    let message = format!(
        "process group {} has no command, and provider `local` has no image to take one from",
        quote_text(name.as_str())
    );
    let span = match process {
        Some(process) => process.command.span.clone(),
        None => both.document.app_span.clone().unwrap_or(0..0),
    };
    let label = if process.is_some() {
        "empty"
    } else {
        "no [processes]: the only group is `app`"
    };
    let file = both
        .aeroform_file
        .map_or("aeroform.toml", |aero| aero.source.path);
    let known = both
        .overrides
        .dockerfile
        .as_deref()
        .and_then(dockerfile::find_command);
    let command = known.as_deref().unwrap_or("…");
    let from = if known.is_some() {
        " (the Dockerfile's command)"
    } else {
        ""
    };
    let table = toml_key(name.as_str());
    let command = toml_string(command);
    // Without aeroform.toml, `local` is only the default.
    let elsewhere = if both.aeroform_file.is_none() {
        "\nor, for an app on Fly, start with `aeroform init --provider fly`"
    } else {
        ""
    };
    Diagnostic::error(codes::NO_COMMAND, message)
        .with_location(fly.location(span, label))
        .help(format!(
            "add to {file}{from}:\n[groups.{table}.local]\ncommand = {command}{elsewhere}"
        ))
}
