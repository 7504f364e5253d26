//! `[deploy]`: settings of an update and release command (docs/platform/fly-toml.md 11.1 and 12).

use crate::core::fleet::schema::Guest;

use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::rollout_settings::{self, RolloutSettings};
use super::once::{self, WrittenCommand};
use super::processes::split_command;
use super::vm;

/// How every group is updated.
#[derive(Debug, Clone, Default)]
pub(in crate::core::manifest) struct Deploy {
    pub(in crate::core::manifest) rollout: RolloutSettings,
    pub(in crate::core::manifest) release_command: Option<WrittenCommand>,
    /// `release_command_vm`, the size of every command that runs once.
    pub(in crate::core::manifest) release_command_vm: Option<Guest>,
    pub(in crate::core::manifest) seed_command: Option<Vec<String>>,
}

/// Reads `[deploy]`.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Deploy {
    let Some(mut fields) = fields.table("deploy") else {
        return Deploy::default();
    };
    let rollout = rollout_settings::read(&mut fields);
    let release_command = release_command(&mut fields);
    let release_command_vm = fields
        .table("release_command_vm")
        .map(vm::release_command_guest);
    let seed_command = seed_command(&mut fields);
    fields.report_unknown_keys();
    Deploy {
        rollout,
        release_command,
        release_command_vm,
        seed_command,
    }
}

fn release_command(fields: &mut Fields<'_, '_>) -> Option<WrittenCommand> {
    let keys = ("release_command", "release_command_timeout");
    once::read(fields, keys, NumberUnit::Nanoseconds).filter(WrittenCommand::has_words)
}

/// Its words, where there are any.
fn seed_command(fields: &mut Fields<'_, '_>) -> Option<Vec<String>> {
    let text = fields.string("seed_command")?;
    let words = split_command(
        fields.file,
        "`deploy.seed_command`",
        &text.value,
        &text.span,
    )?;
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    fn deploy(text: &str) -> (Deploy, usize, usize) {
        let (deploy, found) = fly_fields(&format!("[deploy]\n{text}"), read);
        (deploy, found.errors(), found.warnings())
    }

    #[test]
    fn a_release_command_that_cannot_be_split_is_refused() {
        assert_eq!(deploy("release_command = \"it's\"").1, 1);
    }
}
