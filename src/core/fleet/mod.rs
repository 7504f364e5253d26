//! The data model: apps, groups, Machines, their configs, and the calls that change them.
//!
//! This module decides nothing and prints nothing. Start at [`machine`] for the observed state, [`desired`]
//! for the desired state, [`known`] for the stored state and [`call`] for the possible changes.

pub mod call;
mod cleartext_secrets;
pub mod computed;
pub mod desired;
pub mod diff;
pub mod digest;
mod event;
mod exit;
pub mod hold;
pub mod ids;
pub mod known;
pub mod lenient;
mod list_entries;
pub mod machine;
pub mod normalise;
pub mod overlay;
pub mod profile;
pub mod quoting;
pub mod release;
pub mod reveal;
pub mod rollout;
pub mod schema;
pub mod secret;

pub use call::{Call, Receipt, VolumeCall, WaitUntil};
pub use computed::ComputedFields;
pub use desired::{
    AppNameSource, ConfigBase, Count, Desired, DesiredGroup, GroupLocations, Limit, MovedGroup,
    MovedMachine, OrderedRegions, Policy, Regions, Strategy, Trial,
};
pub use diff::FieldChange;
pub use digest::{ConfigDigest, StoredConfig};
pub use event::MachineEvent;
pub use exit::{Exit, ProcessEvent, ProcessEventKind};
pub use hold::Hold;
pub use ids::{
    AppName, GroupName, LaunchId, Lineage, MachineId, MachineName, Region, RunId, VolumeId,
};
pub use known::{
    Known, KnownMachine, PendingCreate, ReleaseRecord, ReleasedGroup, RunRecord, SwapRole,
};
pub use machine::{
    Capabilities, CheckState, CheckStatus, Description, HostStatus, Machine, MachineState,
    Management, Observed, Stamps, UpdateBlocker, Volume,
};
pub use release::{NewRelease, Release, ReleaseStamp, ReleaseStatus, ReleaseStrategy};
pub use rollout::{
    GroupsOrder, MachineCheck, NewVolume, OnFailure, OnceCommand, OnceKind, Rollout,
};
pub use schema::{Effect, MachineConfig};
