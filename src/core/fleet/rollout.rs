//! What a deploy does around the Machines: commands that it runs, and volumes that it makes.
//!
//! Data only, as fly.toml says it (docs/platform/fly-toml.md 7.1, 11.1 and 11.2); none of it
//! stands in a Machine's config.

use serde::{Deserialize, Serialize};

use super::schema::Guest;

/// What runs once for the whole app.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Rollout {
    /// Runs before any Machine is touched, and stops the deploy when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_command: Option<Box<ReleaseCommand>>,
    /// The words of the command that runs after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed_command: Option<Vec<String>>,
    /// Where a compose file is named whose containers Machines are to have (`fly.toml:4`).
    #[serde(skip)]
    pub compose: Option<String>,
    /// What a failure stops; how and never what, so that it is no part of the digest of desired.
    #[serde(skip)]
    pub on_failure: OnFailure,
}

/// What the first change that fails or stays unknown stops (rule 29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The release: nothing further of it begins in any group.
    #[default]
    Stop,
    /// Its group; the others go on.
    Group,
}

impl OnFailure {
    /// Every one of them, by the word for it.
    pub const ALL: [(&'static str, Self); 2] = [("stop", Self::Stop), ("group", Self::Group)];

    /// The one of this name.
    pub fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        Some(all.find(|(name, _)| *name == word)?.1)
    }
}

/// `[deploy] release_command`, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReleaseCommand {
    /// Its words.
    #[serde(rename = "words")]
    pub argv: Vec<String>,
    /// How long it may take, seconds; none means for ever.
    pub timeout_s: Option<u64>,
    /// The size of its Machine, where one is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// Where it is written (`fly.toml:12`), for reasons.
    #[serde(skip)]
    pub location: String,
}

/// What runs in a test Machine beside one that was updated (`machine_checks`).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MachineCheck {
    /// What it runs.
    pub command: Vec<String>,
    /// Its image; none means that of the tested Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its entrypoint; none means that of the tested Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// How it is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// How long it may take to stop; Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_timeout: Option<String>,
}

/// What a volume has that is made for a group; one that exists stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NewVolume {
    /// Its size, GB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_size_gb: Option<u32>,
    /// How many days its snapshots are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Whether snapshots are made by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_snapshots: Option<bool>,
}
