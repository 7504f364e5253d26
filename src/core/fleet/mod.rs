//! The nouns that everything else speaks about: apps, groups, Machines, their configuration, and the
//! calls that change them.
//!
//! This module decides nothing and prints nothing. Start at [`machine`] for what exists, [`desired`]
//! for what is wanted, [`known`] for what is remembered and [`call`] for what can be done.

pub mod call;
pub mod desired;
pub mod difference;
pub mod digest;
mod entries;
mod event;
mod exit;
mod exposed;
pub mod ids;
pub mod known;
pub mod lenient;
pub mod machine;
pub mod normal;
pub mod overlay;
pub mod profile;
pub mod quiet;
pub mod release;
pub mod rollout;
pub mod schema;
pub mod secret;
pub mod typed;

pub use call::{Call, Receipt, Until, VolumeCall};
pub use desired::{
    Base, Count, Desired, DesiredGroup, Limit, Moved, MovedMachine, NamedBy, Places, Policy,
    Regions, Strategy, UnsupportedStrategy,
};
pub use difference::FieldChange;
pub use digest::{ConfigDigest, StoredConfig};
pub use event::MachineEvent;
pub use exit::{Exit, Occurred, Occurrence};
pub use ids::{
    AppName, GroupName, LaunchId, Lineage, MachineId, MachineName, Region, RunId, VolumeId,
};
pub use known::{Known, KnownMachine, Pending, ReleaseRecord, ReleasedGroup, RunRecord};
pub use machine::{
    Capabilities, CheckState, CheckStatus, Description, HostStatus, Machine, MachineState,
    Management, Observed, Obstacle, Stamps, Volume,
};
pub use quiet::Filled;
pub use release::{NewRelease, Release, ReleaseStamp, ReleaseStatus, ReleaseStrategy};
pub use rollout::{MachineCheck, NewVolume, OnFailure, ReleaseCommand, Rollout};
pub use schema::{Effect, MachineConfig};
