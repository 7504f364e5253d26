//! The codes of a text that is not taken as the state.

use crate::core::code::codes;

codes! {
    STATE_DAMAGED "state_damaged" Error:
        "the state is damaged…: …",
        "The file is cut off, was edited into something else, or is no state at all.",
        "Restore it from version control or a backup; it was left as it is.";
    STATE_TOO_NEW "state_too_new" Error:
        "the state has format …, and this version reads formats up to …",
        "A newer Aeroform wrote it.",
        "Update to the version that the others use.";
    STATE_OTHER_APP "state_other_app" Error:
        "the state belongs to app `…`, not to `…`",
        "`app` in fly.toml or `[state] path` names another app.",
        "Give each app a state of its own.";
    STATE_CONFLICT_MARKERS "state_conflict_markers" Error:
        "the state has git conflict markers at line …",
        "Two branches were both applied and then merged.",
        "Take one side whole, never a mix, then run `aeroform plan`: it shows what the other side made.";
}
