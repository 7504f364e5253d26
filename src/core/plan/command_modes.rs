//! When the commands around a release run: the modes of `--release-command`, `--verify` and `--machine-checks`.

use serde::{Deserialize, Serialize};

/// When the release command of fly.toml runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseCommandMode {
    /// When the plan needs it (rule 28).
    #[default]
    Auto,
    /// In every apply, one without changes included.
    Always,
    /// Not in this run.
    Never,
    /// When the plan needs it, also if an earlier run of it has ended well or its outcome is unknown (rule 40).
    Rerun,
    /// When the plan needs it, but an earlier run of unknown outcome counts as done (rule 40).
    Skip,
}

impl ReleaseCommandMode {
    /// All, in the order of the help.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Always,
        Self::Never,
        Self::Rerun,
        Self::Skip,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
            Self::Rerun => "rerun",
            Self::Skip => "skip",
        }
    }

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Whether the plan decides.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Whether a check of a release runs: `verify`, or the machine checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckMode {
    /// When the plan needs it.
    #[default]
    Auto,
    /// Not in this run.
    Never,
}

impl CheckMode {
    /// Both, in the order of the help.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Never];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Never => "never",
        }
    }

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Whether the plan decides.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}
