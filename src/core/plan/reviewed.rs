//! Both plans of a comparison by `--expect`, and the entries of the reviewed one.
//!
//! [`super::expect`] decides what an excess is.

use std::collections::{BTreeMap, BTreeSet};

use super::provenance::ProvenanceSource;
use super::saved::{SavedChange, SavedPlan};
use super::types::{Action, Change, Drift, DriftKind, Plan};
use crate::core::fleet::{GroupName, MachineId, Region};

type GroupRegion = (GroupName, Region);

/// Lost Machines by their current group, also after a rename. Each may be created again, in another region if no
/// file sets the regions.
pub(super) fn count_lost(fresh: &Plan) -> BTreeMap<&GroupName, usize> {
    let mut lost = BTreeMap::new();
    for (_, change) in fresh.changes() {
        if change.action == Action::Forget {
            *lost.entry(&change.group).or_default() += 1;
        }
    }
    lost
}

/// The changes of the reviewed plan. Each matches one Machine.
pub(super) struct Listed<'a> {
    changes: BTreeMap<GroupRegion, Vec<&'a SavedChange>>,
}

impl<'a> Listed<'a> {
    pub(super) fn of(reviewed: &'a SavedPlan) -> Self {
        let mut changes: BTreeMap<GroupRegion, Vec<&SavedChange>> = BTreeMap::new();
        for change in reviewed.changes() {
            let place = (change.group.clone(), change.region.clone());
            changes.entry(place).or_default().push(change);
        }
        Self { changes }
    }

    /// Takes the first change of this group and region that fits, in the order of `fits`: the best first.
    pub(super) fn take(
        &mut self,
        (group, region): (&GroupName, &Region),
        fits: &[&dyn Fn(&SavedChange) -> bool],
    ) -> Option<&'a SavedChange> {
        let place = self.changes.get_mut(&(group.clone(), region.clone()))?;
        let found = fits
            .iter()
            .find_map(|fits| place.iter().position(|one| fits(one)));
        found.map(|at| place.remove(at))
    }
}

/// Both plans, and the drift of each Machine.
pub(super) struct Facts<'a> {
    pub(super) reviewed: &'a SavedPlan,
    pub(super) fresh: &'a Plan,
    pub(super) drift: BTreeMap<&'a MachineId, &'a Drift>,
}

impl Facts<'_> {
    /// Whether a new Machine starts from the same image, size, source and volumes.
    pub(super) fn is_same_create(&self, listed: &SavedChange, change: &Change) -> bool {
        let (
            Action::Create {
                volumes: listed_volumes,
                new_volumes: listed_new,
                inherits: listed_inherits,
                ..
            },
            Action::Create {
                volumes,
                new_volumes,
                inherits,
                ..
            },
        ) = (&listed.action, &change.action)
        else {
            return false;
        };
        if self.reviewed.online {
            return (listed_volumes, listed_new, listed_inherits)
                == (volumes, new_volumes, inherits);
        }
        // The state may not know the image or size.
        let image = listed_inherits.image.is_none() || listed_inherits.image == inherits.image;
        let guest = listed_inherits.guest.is_none() || listed_inherits.guest == inherits.guest;
        image && guest && listed_inherits.clone_source == inherits.clone_source
    }

    /// Changed fields that the reviewed plan does not list, without those that only the provider could show.
    pub(super) fn unlisted_fields(
        &self,
        listed: &SavedChange,
        change: &Change,
    ) -> BTreeSet<String> {
        let drift = change.machine.id.as_ref().and_then(|id| self.drift.get(id));
        let drift = drift.filter(|_| !self.reviewed.online);
        // The state does not list the Machine, and so none of its fields.
        if drift.is_some_and(|drift| drift.kind == DriftKind::Added) {
            return BTreeSet::new();
        }
        let is_drift = |path: &[String]| {
            let mut fields = drift.into_iter().flat_map(|drift| &drift.changes);
            fields.any(|field| field.path.starts_with(path) || path.starts_with(&field.path))
        };
        let fields = change.changes.iter().filter(|field| !is_drift(&field.path));
        let fields = fields.map(|field| field.path.join("."));
        fields
            .filter(|field| !listed.fields.contains(field))
            .collect()
    }

    /// Whether only the provider could show this update: its fields have drifted, or the state does not list
    /// the Machine.
    pub(super) fn is_for_provider(&self, change: &Change) -> bool {
        if self.reviewed.online {
            return false;
        }
        let restarts = &self.fresh.requested.restart;
        if restarts.covers(&change.group) && !self.reviewed.requested.restart.covers(&change.group)
        {
            return false;
        }
        let drift = change.machine.id.as_ref().and_then(|id| self.drift.get(id));
        match drift.map(|drift| drift.kind) {
            Some(DriftKind::Added) => true,
            Some(DriftKind::Changed | DriftKind::Missing) | None => {
                change.changes.iter().all(|field| {
                    let mut drifted = drift.into_iter().flat_map(|drift| &drift.changes);
                    drifted.any(|other| {
                        field.path.starts_with(&other.path) || other.path.starts_with(&field.path)
                    })
                })
            }
        }
    }

    /// Whether a step creates the replacement of this Machine.
    pub(super) fn is_replaced(&self, id: Option<&MachineId>) -> bool {
        let mut changes = self.fresh.changes();
        id.is_some() && changes.any(|(_, change)| change.replaces() == id)
    }

    /// Whether neither the state nor a run of ours knows this Machine.
    pub(super) fn is_outsider(&self, id: Option<&MachineId>) -> bool {
        id.is_some_and(|id| {
            let added = self
                .drift
                .get(id)
                .is_some_and(|drift| drift.kind == DriftKind::Added);
            let source = self.fresh.provenance.get(id).map(|found| found.source);
            added && source != Some(ProvenanceSource::Recorded)
        })
    }
}
