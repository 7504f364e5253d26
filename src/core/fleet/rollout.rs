//! What a deploy does besides updating Machines: commands to run and volumes to create.
//!
//! Only data from fly.toml (docs/platform/fly-toml.md 7.1, 11.1 and 11.2); none of it is part of a Machine's
//! config.

use serde::{Deserialize, Serialize};

use super::schema::Guest;
use super::{GroupName, MachineConfig};

/// Commands and options for the app as one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Rollout {
    /// Runs before any Machine is changed; the deploy stops if it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_command: Option<Box<OnceCommand>>,
    /// Runs after the last update and before the first destroy; the release fails with it. Not part of the
    /// desired digest, because it changes no Machine.
    #[serde(skip)]
    pub verify: Option<Box<OnceCommand>>,
    /// The group whose Machines give the commands their size, and their region if none is set.
    #[serde(skip)]
    pub default_group: Option<GroupName>,
    /// The arguments of the command that runs afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed_command: Option<Vec<String>>,
    /// The location of the configured compose file with containers (`fly.toml:4`).
    #[serde(skip)]
    pub compose: Option<String>,
    /// What a failure stops. Not part of the desired digest, because it changes no Machine.
    #[serde(skip)]
    pub on_failure: OnFailure,
    /// Which groups come before which; none if they change side by side. Not part of the desired digest,
    /// because it changes no Machine.
    #[serde(skip)]
    pub groups_order: Option<GroupsOrder>,
}

/// `groups_order` in `[deploy]` of aeroform.toml: lists of groups, one after the other, each behind the gates of
/// the one before. A group that no list names goes with the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupsOrder {
    /// The lists.
    pub lists: Vec<Vec<GroupName>>,
    /// The source location (`aeroform.toml:12`), for reasons.
    pub location: String,
}

impl GroupsOrder {
    /// The index of the list that a group goes with.
    pub fn position(&self, group: &GroupName) -> usize {
        let named = self.lists.iter().position(|list| list.contains(group));
        named.unwrap_or(self.lists.len().saturating_sub(1))
    }
}

/// What the first failed or unknown change stops (rule 29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The release: no further change starts in any group.
    #[default]
    Stop,
    /// Its group; other groups continue.
    Group,
    /// The release; once its calls have ended, the run undoes what it changed.
    Rollback,
}

impl OnFailure {
    /// All values with their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("stop", Self::Stop),
        ("group", Self::Group),
        ("rollback", Self::Rollback),
    ];

    /// Whether a failure stops the release in all groups.
    pub fn stops_release(self) -> bool {
        match self {
            Self::Stop | Self::Rollback => true,
            Self::Group => false,
        }
    }

    /// The value with this name.
    pub fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        Some(all.find(|(name, _)| *name == word)?.1)
    }
}

/// A command that runs once, to its end, on a Machine of its own: the release command, or `verify`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnceCommand {
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
    /// The dedicated host of its Machine, whichever size it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_dedication_id: Option<String>,
    /// The config of its Machine, without image and size (docs/platform/fly-toml.md 11.1).
    #[serde(skip)]
    pub template: Box<MachineConfig>,
}

/// Which of the commands that run once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnceKind {
    /// `[deploy] release_command` of fly.toml.
    ReleaseCommand,
    /// `[deploy] verify` of aeroform.toml.
    Verify,
}

impl OnceKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ReleaseCommand, Self::Verify];

    /// The name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseCommand => "release command",
            Self::Verify => "verify command",
        }
    }

    /// The process group in the metadata of its Machines (docs/platform/fly-toml.md 11.1 and 11.2).
    pub fn group(self) -> GroupName {
        let name = match self {
            Self::ReleaseCommand => "fly_app_release_command",
            Self::Verify => "fly_app_test_machine_command",
        };
        GroupName::new(name).expect("the name is valid")
    }

    /// What the names of its Machines begin with.
    pub fn name_prefix(self) -> GroupName {
        let name = match self {
            Self::ReleaseCommand => "release-command",
            Self::Verify => "verify",
        };
        GroupName::new(name).expect("the name is valid")
    }

    /// The variable in its environment whose value is `1`.
    pub fn variable(self) -> &'static str {
        match self {
            Self::ReleaseCommand => "RELEASE_COMMAND",
            Self::Verify => "AEROFORM_VERIFY",
        }
    }
}

impl Rollout {
    /// The command of this kind, if one is written.
    pub fn once_command(&self, kind: OnceKind) -> Option<&OnceCommand> {
        match kind {
            OnceKind::ReleaseCommand => self.release_command.as_deref(),
            OnceKind::Verify => self.verify.as_deref(),
        }
    }
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
