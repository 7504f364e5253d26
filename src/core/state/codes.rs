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
        "Plan from each side (`git show :2:./state/shop.json > ours.json`, `:3:` for the other one; `aeroform plan --state ours.json`): the provider confirms the side whose plan has less to do. Keep that side completely, never a mix, then run `aeroform plan`, which shows what the other side created. `aeroform state migrate --to git+origin` moves the state to a branch of its own, where this does not happen.";
    STATE_MOVED "state_moved" Error:
        "the state was moved to `…` at serial …, by … at …",
        "`aeroform state migrate` moved it, and this aeroform.toml still names the old place.",
        "Get the commit whose aeroform.toml names the new place, or run `aeroform state migrate --to` that place again, which writes it there.";
}
