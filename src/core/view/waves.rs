//! The words for the waves of a group, in plans and while they run.

use crate::core::plan::WaveName;

/// What the Machines of a wave are, after their number: `2 running`.
pub(super) fn machines(name: WaveName) -> &'static str {
    match name {
        WaveName::ToStartAgain => "to start again",
        WaveName::Down => "down",
        WaveName::Unproven => "to confirm",
        WaveName::First | WaveName::Running => "running",
        WaveName::Stopped => "stopped",
        WaveName::All => "at once",
    }
}

/// The wave that runs now, before a colon.
pub(super) fn phase(name: WaveName) -> &'static str {
    match name {
        WaveName::First => "first, alone",
        WaveName::ToStartAgain
        | WaveName::Down
        | WaveName::Unproven
        | WaveName::Stopped
        | WaveName::Running
        | WaveName::All => machines(name),
    }
}
