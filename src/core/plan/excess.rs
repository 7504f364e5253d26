//! Excesses: actions of a plan that the expected one does not list, by kind, group and region.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::command_modes::ReleaseCommandMode;
use super::notes::{format_ids, format_machine_count};
use crate::core::fleet::{GroupName, MachineId, OnFailure, OnceKind, Region};

/// One excess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// The kind.
    pub kind: ExcessKind,
    /// The group and region, if it is about Machines of one.
    pub place: Option<(GroupName, Region)>,
    /// How many Machines.
    pub machines: usize,
    /// The existing ones among them.
    pub ids: BTreeSet<MachineId>,
    /// The fields, for kinds that are about fields.
    pub fields: BTreeSet<String>,
}

/// Kinds of excess, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExcessKind {
    /// Machines are destroyed.
    Destroys,
    /// Machines that neither the expected plan nor the state knows are destroyed.
    DestroysOutsiders,
    /// Volumes are left behind.
    LeavesVolumes,
    /// Machines are replaced.
    Replaces,
    /// Machines whose hosts are full are replaced.
    ReplacesIfFull,
    /// A release by somebody else is reverted.
    Reverts(u64),
    /// Machines get less CPU or memory.
    Shrinks,
    /// Machines are created.
    Creates,
    /// New Machines have another image, size, source or volume.
    CreatesOthers,
    /// Machines come from another group.
    Moves(GroupName),
    /// Machines are updated.
    Updates,
    /// Other fields of Machines change.
    Fields,
    /// Machines are started.
    Starts,
    /// Machines are adopted into the state.
    Adopts,
    /// The manifests set another image for this group.
    Image(GroupName),
    /// The manifests set other values for this group.
    Values(GroupName),
    /// More Machines of this group may be down at once, or all.
    Strategy(GroupName),
    /// A change in this group counts as done earlier.
    Gate(GroupName),
    /// A Machine of this group may take longer.
    Wait(GroupName),
    /// The regions of this group are updated in another order, or together.
    RegionOrder(GroupName),
    /// This group is no longer updated after another one.
    GroupsOrder(GroupName, GroupName),
    /// A failure stops only its group, or undoes the release.
    OnFailure(OnFailure),
    /// The release command runs in another mode, or not at all.
    ReleaseCommand(ReleaseCommandMode),
    /// `verify` is skipped.
    Verify,
    /// The machine checks are skipped.
    MachineChecks,
    /// A command runs once that the expected plan does not run.
    RunsOnce(OnceKind),
    /// A state change without a step.
    Record(String),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = format_machine_count(self.machines);
        let fields = self.fields.iter().map(String::as_str);
        let fields = fields.collect::<Vec<_>>().join(", ");
        match &self.kind {
            ExcessKind::Destroys => write!(f, "destroys {count}")?,
            ExcessKind::DestroysOutsiders => {
                write!(f, "destroys {count} that the state does not list")?;
            }
            ExcessKind::LeavesVolumes => write!(f, "leaves volumes of {count} behind")?,
            ExcessKind::Replaces => write!(f, "replaces {count}")?,
            ExcessKind::ReplacesIfFull => write!(f, "replaces {count} if a host is full")?,
            ExcessKind::Reverts(release) => write!(f, "reverts release v{release} on {count}")?,
            ExcessKind::Shrinks => write!(f, "reduces {fields} of {count}")?,
            ExcessKind::Creates => write!(f, "creates {count}")?,
            ExcessKind::CreatesOthers => {
                write!(
                    f,
                    "creates {count} from another image, size, source or volume"
                )?;
            }
            ExcessKind::Moves(from) => write!(f, "moves {count} from group `{from}`")?,
            ExcessKind::Updates => write!(f, "updates {count}")?,
            ExcessKind::Fields => write!(f, "changes {fields} of {count}")?,
            ExcessKind::Starts => write!(f, "starts {count}")?,
            ExcessKind::Adopts => write!(f, "adopts {count}")?,
            ExcessKind::Image(group) => {
                write!(f, "the manifests want another image in group `{group}`")?;
            }
            ExcessKind::Values(group) => {
                write!(
                    f,
                    "the manifests want another value of {fields} in group `{group}`"
                )?;
            }
            ExcessKind::Strategy(group) => {
                write!(f, "more Machines of group `{group}` may be down at once")?;
            }
            ExcessKind::Gate(group) => {
                write!(f, "a change in group `{group}` counts as done earlier")?;
            }
            ExcessKind::Wait(group) => {
                write!(f, "a Machine of group `{group}` may take longer to start")?;
            }
            ExcessKind::RegionOrder(group) => {
                write!(
                    f,
                    "the regions of group `{group}` are not updated in that order"
                )?;
            }
            ExcessKind::GroupsOrder(group, before) => {
                write!(f, "group `{group}` is not updated after group `{before}`")?;
            }
            ExcessKind::OnFailure(OnFailure::Group) => {
                f.write_str("a failure stops only its group")?;
            }
            ExcessKind::OnFailure(OnFailure::Rollback) => {
                f.write_str("a failure undoes the release")?;
            }
            ExcessKind::OnFailure(OnFailure::Stop) => f.write_str("a failure stops the release")?,
            ExcessKind::ReleaseCommand(ReleaseCommandMode::Never) => {
                f.write_str("the release command is skipped")?;
            }
            ExcessKind::ReleaseCommand(mode) => {
                write!(f, "`--release-command={}`", mode.as_str())?;
            }
            ExcessKind::Verify => f.write_str("`verify` is skipped")?,
            ExcessKind::MachineChecks => f.write_str("the machine checks are skipped")?,
            ExcessKind::RunsOnce(what) => write!(f, "the {} runs", what.as_str())?,
            ExcessKind::Record(what) => f.write_str(what)?,
        }
        let Some((group, region)) = &self.place else {
            return Ok(());
        };
        write!(f, " of group `{group}` in {region}")?;
        if self.ids.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", format_ids(&self.ids))
    }
}

/// Collects excesses: one entry for each kind, group and region.
#[derive(Debug, Default)]
pub(super) struct Excesses {
    found: BTreeMap<(ExcessKind, Option<(GroupName, Region)>), Excess>,
}

impl Excesses {
    /// Adds an excess of a Machine.
    pub(super) fn add(
        &mut self,
        kind: ExcessKind,
        place: (&GroupName, &Region),
        machine: Option<&MachineId>,
    ) {
        let place = Some((place.0.clone(), place.1.clone()));
        let excess = self.entry(kind, place);
        excess.machines += 1;
        excess.ids.extend(machine.cloned());
    }

    /// Adds fields of a Machine.
    pub(super) fn add_fields<'f>(
        &mut self,
        kind: ExcessKind,
        place: (&GroupName, &Region),
        machine: Option<&MachineId>,
        fields: impl IntoIterator<Item = &'f str>,
    ) {
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        if fields.is_empty() {
            return;
        }
        self.add(kind.clone(), place, machine);
        let place = Some((place.0.clone(), place.1.clone()));
        self.entry(kind, place).fields.extend(fields);
    }

    /// Adds an excess that is not about single Machines.
    pub(super) fn add_general(&mut self, kind: ExcessKind, fields: BTreeSet<String>) {
        self.entry(kind, None).fields.extend(fields);
    }

    fn entry(&mut self, kind: ExcessKind, place: Option<(GroupName, Region)>) -> &mut Excess {
        let key = (kind, place);
        self.found
            .entry(key)
            .or_insert_with_key(|(kind, place)| Excess {
                kind: kind.clone(),
                place: place.clone(),
                machines: 0,
                ids: BTreeSet::new(),
                fields: BTreeSet::new(),
            })
    }

    /// All of them, the worst first.
    pub(super) fn into_vec(self) -> Vec<Excess> {
        self.found.into_values().collect()
    }
}
