//! The codes of state files that cannot be read.

use crate::core::code::codes;

codes! {
    STATE_DAMAGED "state_damaged" Error:
        "the state is damaged…: …",
        "The file is truncated, was edited by mistake, or is not a state.",
        "Restore it from version control or a backup; it was not changed.";
    STATE_TOO_NEW "state_too_new" Error:
        "the state has format …, but this version reads formats up to …",
        "A newer Aeroform wrote it.",
        "Update to the version that the others use.";
    STATE_OTHER_APP "state_other_app" Error:
        "the state belongs to app `…`, not to `…`",
        "`app` in fly.toml or `[state] path` names another app.",
        "Give each app a state of its own.";
    STATE_CONFLICT_MARKERS "state_conflict_markers" Error:
        "the state has git conflict markers at line …",
        "Two branches were both applied and then merged.",
        "Keep one complete side, never a mix, then run `aeroform plan`, which shows what the other side created.";
}
