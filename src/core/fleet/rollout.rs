//! What a deploy does besides updating Machines: commands to run and volumes to create.
//!
//! Only data from fly.toml (docs/platform/fly-toml.md 7.1, 11.1 and 11.2); none of it is part of a Machine's
//! config.

use serde::{Deserialize, Serialize};

use super::schema::Guest;

/// Commands and options for the app as one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Rollout {
    /// Runs before any Machine is changed; the deploy stops if it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_command: Option<Box<ReleaseCommand>>,
    /// The arguments of the command that runs afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed_command: Option<Vec<String>>,
    /// The location of the configured compose file with containers (`fly.toml:4`).
    #[serde(skip)]
    pub compose: Option<String>,
    /// What a failure stops. Not part of the desired digest, because it changes no Machine.
    #[serde(skip)]
    pub on_failure: OnFailure,
}

/// What the first failed or unknown change stops (rule 29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The release: no further change starts in any group.
    #[default]
    Stop,
    /// Its group; other groups continue.
    Group,
}

impl OnFailure {
    /// All values with their names.
    pub const ALL: [(&'static str, Self); 2] = [("stop", Self::Stop), ("group", Self::Group)];

    /// The value with this name.
    pub fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        Some(all.find(|(name, _)| *name == word)?.1)
    }
}

/// `[deploy] release_command` and its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReleaseCommand {
    /// Its arguments.
    #[serde(rename = "words")]
    pub argv: Vec<String>,
    /// Its timeout, seconds; `None` means no timeout.
    pub timeout_s: Option<u64>,
    /// The size of its Machine, if written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// The source location (`fly.toml:12`), for reasons.
    #[serde(skip)]
    pub location: String,
}

/// A test Machine to run for an updated one (`machine_checks`).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MachineCheck {
    /// Its command.
    pub command: Vec<String>,
    /// Its image; `None` is the image of the tested Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its entrypoint; `None` is the entrypoint of the tested Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Its stop signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// Its stop timeout; Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_timeout: Option<String>,
}

/// Properties of new volumes of a group; existing volumes are not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NewVolume {
    /// Its size, GB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_size_gb: Option<u32>,
    /// For how many days snapshots are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are taken automatically.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
}
