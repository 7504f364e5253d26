//! Commands that run once, each on a Machine of its own (docs/platform/fly-toml.md 11.1): `release_command` of
//! fly.toml and `verify` of aeroform.toml.
//!
//! Reads them, and builds the config of their Machines. Image and size come from the plan.

use std::ops::Range;

use serde_json::json;

use crate::core::fleet::schema::{Init, Restart};
use crate::core::fleet::{MachineConfig, OnceCommand, OnceKind};

use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::tree::ManifestFile;
use super::document::FlyDocument;
use super::processes::split_command;
use super::shell;

/// flyctl's `release_command_timeout`.
const TIMEOUT_S: u64 = 300;

/// A command of `[deploy]` with its timeout.
#[derive(Debug, Clone)]
pub(in crate::core::manifest) struct WrittenCommand {
    key: &'static str,
    text: String,
    pub(in crate::core::manifest) span: Range<usize>,
    argv: Vec<String>,
    /// None is for ever.
    timeout_s: Option<u64>,
    /// `fly.toml:12`.
    location: String,
}

/// Reads a command and its timeout. One that cannot be split is reported.
pub(in crate::core::manifest) fn read(
    fields: &mut Fields<'_, '_>,
    (key, timeout): (&'static str, &'static str),
    unit: NumberUnit,
) -> Option<WrittenCommand> {
    let text = fields.string(key);
    let timeout = fields.duration(timeout, unit);
    let text = text?;
    let whose = format!("`{}`", fields.path(key));
    let argv = split_command(fields.file, &whose, &text.value, &text.span)?;
    Some(WrittenCommand {
        key,
        location: fields.file.source.line_ref(text.span.start),
        text: text.value,
        span: text.span,
        argv,
        timeout_s: match timeout {
            None => Some(TIMEOUT_S),
            Some(at) => Some(whole_seconds(at.value)).filter(|seconds| *seconds > 0),
        },
    })
}

/// Nanoseconds as seconds, rounded up.
pub(in crate::core::manifest) fn whole_seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

impl WrittenCommand {
    /// Whether it has words: neither empty nor only a comment.
    pub(in crate::core::manifest) fn has_words(&self) -> bool {
        !self.argv.is_empty()
    }

    /// Warns of shell syntax that no shell interprets.
    pub(in crate::core::manifest) fn warn_shell_syntax(&self, file: &ManifestFile<'_>) {
        let whose = format!("`deploy.{}`", self.key);
        shell::warn_shell_syntax(file, &whose, self.key, &self.text, &self.span);
    }

    /// The command with the config of its Machine.
    pub(in crate::core::manifest) fn command(
        &self,
        kind: OnceKind,
        doc: &FlyDocument,
    ) -> OnceCommand {
        let host = doc.host_dedication_id.as_ref();
        OnceCommand {
            argv: self.argv.clone(),
            timeout_s: self.timeout_s,
            guest: doc.deploy.release_command_vm.clone(),
            location: self.location.clone(),
            host_dedication_id: host.map(|host| host.value.clone()),
            template: Box::new(template(kind, &self.argv, doc)),
        }
    }
}

/// What flyctl writes for a release command, without metadata, image and size. Unlike a group's config it has
/// no `machine_config` below it, and neither `experimental.exec` nor `experimental.cmd`.
fn template(kind: OnceKind, argv: &[String], doc: &FlyDocument) -> MachineConfig {
    let mut env = doc.env_of(&kind.group());
    env.insert(kind.variable().to_owned(), "1".to_owned());
    MachineConfig {
        auto_destroy: Some(true),
        dns: Some(json!({ "skip_registration": true })),
        env: Some(env),
        files: doc.machine_files(),
        init: Some(Init {
            cmd: Some(argv.to_vec()),
            entrypoint: doc.experimental.entrypoint.clone(),
            swap_size_mb: doc.swap_size_mb,
            ..Init::default()
        }),
        restart: Some(Restart {
            policy: Some("no".to_owned()),
            ..Restart::default()
        }),
        stop_config: doc.stop.clone(),
        ..MachineConfig::default()
    }
}
