//! Why a state file was refused, with a stable code and a hint for each case.

use super::{FORMAT, MovedRecord, codes};
use crate::core::code::Code;
use crate::core::fleet::AppName;
use crate::core::fleet::quoting::shell_word;

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
    /// `state migrate` moved the state to another place.
    #[error("the state was moved to `{}` at serial {}, by {} at {}", .moved.to, .moved.serial, .moved.by, .moved.at)]
    Moved {
        /// Its app.
        app: AppName,
        /// Where it is.
        moved: Box<MovedRecord>,
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
            Self::Moved { .. } => codes::STATE_MOVED,
        }
    }

    /// What to do about the state at this place.
    pub fn hint(&self, place: &str) -> String {
        match self {
            Self::Damaged { .. } => {
                "restore the file from version control or a backup; it was not changed. If there is none, \
                 move it away: `aeroform plan` then adopts the existing Machines"
                    .to_owned()
            }
            Self::TooNew { .. } => "update aeroform to the version that the others use".to_owned(),
            Self::OtherApp { .. } => {
                "check `app` in fly.toml and `[state] path` in aeroform.toml: each app has its own state"
                    .to_owned()
            }
            Self::ConflictMarkers { .. } => conflict_hint(place),
            Self::Moved { moved, .. } => format!(
                "get the commit whose aeroform.toml names that place (`git pull`), or write it there with \
                 `aeroform state migrate --to {}`",
                shell_word(&moved.to)
            ),
        }
    }
}

/// Each side of a merge is in git's index; the plan from it shows how far the provider is from it.
fn conflict_hint(place: &str) -> String {
    // A state in git was merged by hand on its branch.
    if place.starts_with("git+") {
        return "two branches of the state were merged. Keep one complete side, never a mix: `aeroform plan --state \
                FILE` from each side shows which one the provider confirms, the one whose plan has less to do"
            .to_owned();
    }
    let side = |stage: u8, name: &str| {
        let path = format!(":{stage}:./{place}");
        format!(
            "`git show {} > {name}.json` and `aeroform plan --state {name}.json`",
            shell_word(&path)
        )
    };
    format!(
        "two branches were both applied. The provider confirms the side whose plan has less to do: {}; {}. Keep \
         that side completely, never a mix (`git checkout --ours` or `--theirs` on the file); `aeroform plan` then \
         shows what the other side created. A state on a branch of its own has no such conflicts: `aeroform state \
         migrate --to git+origin`",
        side(2, "ours"),
        side(3, "theirs")
    )
}
