//! The planner: it compares the desired, known and observed Machines and produces a complete plan. The executor
//! makes no decisions except for the branches that the plan shows.
//!
//! Pure. Start at [`planner`](planner::plan) and follow it: `members` (which Machines exist), `group_counts`
//! (how many are desired), `reconcile` (what happens to each group), `order` (steps, pools, barriers;
//! `order::first_to_update`: which Machine goes first), `guards` and `history` (what is refused), `group_notes`
//! (messages).
//! [`check`](check::check) verifies the plan independently, [`next_state()`] turns the results of a run into
//! the next state, and [`saved`] is the form in a file, which is refused when it is stale.

mod additions;
mod approval;
mod behind;
mod branch;
mod canary;
mod change;
mod check;
mod chosen_limit;
pub mod codes;
mod command_modes;
mod commits;
pub mod comparison;
mod cost;
mod decision;
mod desired_digest;
mod event;
mod excess;
mod expect;
mod fields;
mod filter;
mod filter_pairs;
mod filter_refusals;
mod gates;
mod group_change;
mod group_counts;
mod group_notes;
mod group_resolver;
mod guards;
mod history;
pub mod hold;
mod launch_allocator;
mod lowest_serving;
mod machine_checks;
pub mod manual;
mod members;
mod next_state;
mod notes;
mod once;
mod options;
mod order;
mod outcome;
mod pace;
pub mod partial_rollout;
mod pending_creates;
mod placement;
mod plan_digest;
mod planner;
mod ports;
mod provenance;
mod reconcile;
mod records;
mod refresh;
mod release_need;
mod release_record;
pub mod releases;
mod removal_order;
mod requested;
mod reviewed;
mod rollout;
mod rollout_notes;
mod run_drift;
mod run_outcome;
mod running;
mod saved;
mod scaling;
mod spread;
mod standbys;
mod state_source;
mod steady;
mod summary;
mod summary_lines;
mod swap;
mod swap_checks;
mod swap_cordons;
mod swap_overlap;
mod swap_record;
mod swap_types;
mod target;
pub mod types;
mod unhealthy;
mod unproven;
mod unreadable;
mod volumes;
mod waves;
pub mod way_back;

pub use additions::{Addition, additions};
pub use approval::{ApprovalFlags, RequiredApproval, TypedConfirmation, required_approval};
pub use branch::{Branch, ReplaceFallback, Successor};
pub use change::{ReplaceHalf, Verb};
pub use check::{Finding, check};
pub use chosen_limit::ChosenLimit;
pub use command_modes::{CheckMode, ReleaseCommandMode};
pub use commits::{
    CHANGES, CommitRelation, CommitRelations, base_commit, commits_to_compare, short_commit,
};
pub use comparison::{BaseComparison, Comparison, DroppedChange, PlanOf, Snapshot};
pub use event::{Event, InFlight, StepEvent, Unconfirmed};
pub use excess::{Excess, ExcessKind};
pub use fields::{adopted_config, known_computed};
pub use filter::LeftOut;
pub use gates::gate;
pub use history::unrecorded_run_hint;
pub use next_state::{RunInfo, next_state};
pub use notes::join_with_and;
pub use once::{OnceOutcome, is_running as is_once_running, outcome_of as once_outcome};
pub use options::{Options, PlanMode};
pub use planner::plan;
pub use ports::changed_ports;
pub use provenance::{Provenance, ProvenanceSource};
pub use requested::{ChosenStrategy, CloneSource, Requested, RestartScope};
pub use run_drift::{NextApply, RunDrift};
pub use run_outcome::{RunEnd, RunOutcome, StateOutcome};
pub use saved::{AlreadyApplied, SavedChange, SavedPlan, SavedPlanError, SavedStep};
pub use scaling::{ScaleAmount, ScaleError, ScaleRequest};
pub use state_source::StateSource;
pub use steady::steady_ms;
pub use summary::{Revert, Summary};
pub use swap_overlap::SwapOverlap;
pub use target::OtherTarget;
pub use types::{
    Action, AdoptedRun, Change, Cost, Drift, DriftKind, Frees, GateKind, Green, GroupChange,
    GroupVerdict, Inherited, LowestServing, MachineRef, Note, Outcome, Plan, PlannedRelease,
    PlannedSwap, PlannedVolume, Pool, PoolId, Precondition, Removal, StandbyTarget, Step, StepId,
    StepResult, SwitchedGreen, UnlistedRun, Wake, Wave, WaveName, Work,
};

pub use crate::core::fleet::FieldChange;
pub use desired_digest::{AtOnce, DesiredGroupDigest};
pub use unproven::{Unproven, unproven_machines};
pub use volumes::forked_text;
