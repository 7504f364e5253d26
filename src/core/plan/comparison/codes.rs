//! The codes of the lines above a plan with a base. docs/errors.md is generated from them.

use crate::core::code::codes;

codes! {
    STATE_EDITED "state_edited" Warning:
        "this change edits `…`, serial … → …",
        "The state file of the checkout differs from that of the base. The plan is made from the base's; with `--detailed-exitcode` the exit code is 6.",
        "Use the file of the base: only an apply writes it.";
    BEHIND_BASE "behind_base" Warning:
        "this checkout is behind its base, or reverts its state file",
        "The checkout has an older version of the base's state file. If the checkout is behind, this change seems to undo the newer changes of the base.",
        "Plan the merge result (`refs/pull/N/merge`, or after `git merge`); do not revert the state file.";
    STATE_LOCATION_CHANGED "state_location_changed" Warning:
        "`[state]` names `…`, and `…` in the base",
        "The change edits `[state]`. The plan is made from the base's state; after the merge an apply uses the new place.",
        "Move the file in the same change, or undo the edit.";
    OLD_APP_LEFT "old_app_left" Warning:
        "in the base this is app `…` on `…`: that app and its Machines are left as they are",
        "The change names another `app` or `provider`, so there is nothing to compare.",
        "Destroy the old app with the manifests of the base, if it is not needed.";
    BASE_NOT_COMPARED "base_not_compared" Warning:
        "the base `…` is not compared: …",
        "The folder of `--base` cannot be read or parsed, or is not the top folder of a checkout.",
        "Check the folder; the plan is complete and includes the pending changes.";
}
