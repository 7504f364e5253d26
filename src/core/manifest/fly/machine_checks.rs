//! `machine_checks`: checks that a deploy runs in a test Machine (docs/platform/fly-toml.md 11.2).

use crate::core::fleet::MachineCheck;

use super::super::codes;
use super::super::diagnostics::Diagnostic;
use super::super::duration::{NumberUnit, to_platform_text};
use super::super::fields::Fields;
use super::signals;

/// Reads the list, in any of its three sections.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<MachineCheck> {
    let tables = fields.tables("machine_checks").into_iter();
    tables.filter_map(entry).collect()
}

fn entry(mut fields: Fields<'_, '_>) -> Option<MachineCheck> {
    let words = |fields: &mut Fields<'_, '_>, key| {
        let list = fields.strings(key)?;
        let words: Vec<String> = list.into_iter().map(|at| at.value).collect();
        (!words.is_empty()).then_some(words)
    };
    let command = words(&mut fields, "command");
    if command.is_none() && !fields.has("command") {
        let location = fields.file.location(fields.span.clone(), "");
        let message = "a machine check needs a `command`";
        fields.file.report(
            Diagnostic::error(codes::MISSING_KEY, message)
                .with_location(location)
                .help("add `command = [\"…\"]`, a list of words"),
        );
    }
    let check = MachineCheck {
        image: fields.text("image"),
        entrypoint: words(&mut fields, "entrypoint"),
        kill_signal: signals::signal(&mut fields),
        kill_timeout: signals::timeout(&mut fields, NumberUnit::Nanoseconds).map(to_platform_text),
        command: command.unwrap_or_default(),
    };
    fields.report_unknown_keys();
    (!check.command.is_empty()).then_some(check)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn a_check_is_a_command_and_a_number_counts_nanoseconds() {
        let text = "[[machine_checks]]\ncommand = [\"curl\", \"x\"]\nkill_timeout = 5\n\
            [[machine_checks]]\nimage = \"i\"\n";
        let (checks, found) = fly_fields(text, read);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].kill_timeout.as_deref(), Some("5ns"));
        assert_eq!((found.errors(), found.warnings()), (1, 1));
    }
}
