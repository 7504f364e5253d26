//! Why a state file was refused, with a stable code and a hint for each case.

use super::{FORMAT, codes};
use crate::core::code::Code;
use crate::core::fleet::AppName;

/// Why a state file was refused. Nothing of a refused file is used, and it was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is truncated, edited by mistake, or not a state.
    #[error("the state is damaged{}: {what}", .line.map(|n| format!(" at line {n}")).unwrap_or_default())]
    Damaged {
        /// The line, from 1, if known.
        line: Option<usize>,
        /// What is wrong there; foreign text, not yet escaped for a terminal.
        what: String,
    },
    /// A newer version wrote it.
    #[error("the state has format {format}, but this version reads formats up to {FORMAT}")]
    TooNew {
        /// Its format.
        format: u64,
    },
    /// It belongs to another app.
    #[error("the state belongs to app `{found}`, not to `{expected}`")]
    OtherApp {
        /// That app.
        found: AppName,
        /// The requested app.
        expected: AppName,
    },
    /// It contains both sides of a merge.
    #[error("the state has git conflict markers at line {line}")]
    ConflictMarkers {
        /// Line of the first marker, from 1.
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

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "restore the file from version control or a backup; it was not changed. If there is none, \
                 move it away: `aeroform plan` then adopts the existing Machines"
            }
            Self::TooNew { .. } => "update aeroform to the version that the others use",
            Self::OtherApp { .. } => {
                "check `app` in fly.toml and `[state] path` in aeroform.toml: each app has its own state"
            }
            Self::ConflictMarkers { .. } => {
                "two branches were both applied: keep one complete side (`git checkout --ours` or \
                 `--theirs` on the file), never a mix, then run `aeroform plan` to see what the other side \
                 created"
            }
        }
    }
}
