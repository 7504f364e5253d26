//! Starts the main process of a Machine: command, folder and environment. No shell is used.

use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::record::LocalRecord;
use crate::core::fleet::MachineConfig;

/// The variables that a Machine inherits; no others, above all no tokens of the user.
const INHERITED: [&str; 11] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// Whether Machines inherit a variable.
pub(super) fn is_inherited(key: &str) -> bool {
    INHERITED.contains(&key) || key.starts_with("LC_")
}

/// The command to run: `exec`, else `entrypoint` and `cmd`. Empty if only the image's command is configured,
/// which does not exist here.
pub(super) fn command_words(config: &MachineConfig) -> Vec<String> {
    let init = config.init.clone().unwrap_or_default();
    let exec = init.exec.unwrap_or_default();
    if !exec.is_empty() {
        return exec;
    }
    let mut words = init.entrypoint.unwrap_or_default();
    words.extend(init.cmd.unwrap_or_default());
    words
}

/// Starts the main process in its own process group. Its stdout and stderr share a pipe, so that their order
/// is kept.
pub(super) fn start(record: &LocalRecord) -> Result<(Pid, PipeReader), String> {
    let words = command_words(&record.config);
    let Some((program, arguments)) = words.split_first() else {
        return Err("no command to run".to_owned());
    };
    if !record.project.is_dir() {
        let place = record.project.display();
        return Err(format!("the project folder {place} does not exist"));
    }
    let explain = |error: io::Error| format!("cannot start `{program}`: {error}");
    let (reader, writer) = io::pipe().map_err(explain)?;
    let child = Command::new(program)
        .args(arguments)
        .current_dir(&record.project)
        .envs(record.config.env.iter().flatten())
        .envs(machine_environment(record))
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(explain)?)
        .stderr(writer)
        .process_group(0)
        .spawn()
        .map_err(explain)?;
    Ok((Pid::from_child(&child), reader))
}

/// Variables set by the provider; they override the config's.
fn machine_environment(record: &LocalRecord) -> Vec<(&'static str, String)> {
    let configured = record.config.env.as_ref();
    let primary = configured
        .and_then(|env| env.get("PRIMARY_REGION").cloned())
        .unwrap_or_else(|| record.region.to_string());
    let mut environment = vec![
        ("FLY_APP_NAME", record.app.to_string()),
        ("FLY_REGION", record.region.to_string()),
        ("FLY_PROCESS_GROUP", record.group.to_string()),
        ("PRIMARY_REGION", primary),
        ("FLY_PRIVATE_IP", "127.0.0.1".to_owned()),
    ];
    environment.extend(record.process_markers());
    environment.extend(record.port.map(|port| ("PORT", port.to_string())));
    environment
}
