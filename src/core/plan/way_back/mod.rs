//! Rolling back: what a run undoes after a failed gate, if `on_failure` is `rollback`.
//!
//! Pure. [`derive()`] makes a small plan of its own from the plan, its results and the Machines as they were
//! read before their changes; the executor runs that plan with the same dispatcher, pools and gates.
//! [`merge`] adds its results to those of the first plan, and [`next_state`](super::next_state()) needs no
//! other input. [`RollbackEstimate`] is what the plan says about it beforehand. Whether a run rolls back is
//! decided by the executor (`apply/rollback_cause.rs`), because only it knows the codes of providers.

mod derive;
mod estimate;
mod lines;
mod undone;

pub use derive::{RunSoFar, UndoScope, Undoing, WayBack, derive, has_switched};
pub use estimate::RollbackEstimate;
pub(super) use lines::{apply_undone, keep_protection};
pub use undone::{Rollback, RollbackStop, Undone, merge};
