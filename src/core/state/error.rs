//! Why a text was not taken as the state, with a stable code and a way out for each case.

use super::{FORMAT, codes};
use crate::core::code::Code;
use crate::core::fleet::AppName;

/// Why a text was refused. Nothing of a refused text is used, and nobody has written to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is cut off, edited into something else, or no state at all.
    #[error("the state is damaged{}: {what}", .line.map(|n| format!(" at line {n}")).unwrap_or_default())]
    Damaged {
        /// Line, from 1, where there is one.
        line: Option<usize>,
        /// What is wrong there; foreign text inside is not yet made safe for a terminal.
        what: String,
    },
    /// A newer version wrote it.
    #[error("the state has format {format}, and this version reads formats up to {FORMAT}")]
    TooNew {
        /// The format that it names.
        format: u64,
    },
    /// It is another app's.
    #[error("the state belongs to app `{found}`, not to `{wanted}`")]
    OtherApp {
        /// Whose it is.
        found: AppName,
        /// Whose was asked for.
        wanted: AppName,
    },
    /// A merge left it with both sides in it.
    #[error("the state has git conflict markers at line {line}")]
    ConflictMarkers {
        /// Line of the first one, from 1.
        line: usize,
    },
}

impl StateError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Damaged { .. } => codes::STATE_DAMAGED,
            Self::TooNew { .. } => codes::STATE_TOO_NEW,
            Self::OtherApp { .. } => codes::STATE_OTHER_APP,
            Self::ConflictMarkers { .. } => codes::STATE_CONFLICT_MARKERS,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "restore the file from version control or a backup; it was left as it is. Where there is \
                 none, move it away: `aeroform plan` then takes over the Machines that are there"
            }
            Self::TooNew { .. } => "update aeroform to the version that the others use",
            Self::OtherApp { .. } => {
                "check `app` in fly.toml and `[state] path` in aeroform.toml: each app has its own state"
            }
            Self::ConflictMarkers { .. } => {
                "two branches were both applied: take one side whole (`git checkout --ours` or \
                 `--theirs` on the file), never a mix, then run `aeroform plan` to see what the other \
                 side made"
            }
        }
    }
}
