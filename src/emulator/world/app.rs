//! One app: its Machines and volumes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::machine::EmulatedMachine;
use super::releases::Release;

/// An app. Machines are indexed by id and by name; lists are in the order of creation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) id: String,
    pub(super) organization: String,
    pub(super) network: String,
    pub(super) releases: Vec<Release>,
    #[serde(skip)]
    records: Vec<EmulatedMachine>,
    #[serde(skip)]
    by_id: BTreeMap<String, usize>,
    /// The newest Machine with each name.
    #[serde(skip)]
    by_name: BTreeMap<String, usize>,
    pub(super) volumes: Vec<EmulatedVolume>,
}

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EmulatedVolume {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) size_gb: u32,
    pub(super) encrypted: bool,
    pub(super) snapshot_retention: u32,
    pub(super) auto_backup_enabled: bool,
    pub(super) created_at: Duration,
    /// Its zone in the region.
    #[serde(default)]
    pub(super) zone: u32,
    /// Lists omit it before this time.
    #[serde(default)]
    pub(super) listed_from: Duration,
    /// Its host does not respond.
    #[serde(default)]
    pub(super) unreachable: bool,
}

impl EmulatedVolume {
    pub(super) fn new(id: String, name: &str, region: &str, now: Duration) -> Self {
        Self {
            id,
            name: name.to_owned(),
            region: region.to_owned(),
            size_gb: 3,
            encrypted: true,
            snapshot_retention: 5,
            auto_backup_enabled: true,
            created_at: now,
            zone: 1,
            listed_from: now,
            unreachable: false,
        }
    }

    /// The volume's JSON.
    pub(super) fn render(&self, holder: Option<&str>, calendar: Calendar) -> Value {
        let host_status = if self.unreachable {
            "unreachable"
        } else {
            "ok"
        };
        json!({
            "id": self.id, "name": self.name, "region": self.region, "size_gb": self.size_gb,
            "state": "created", "zone": format!("{:04x}", self.zone), "encrypted": self.encrypted,
            "attached_machine_id": holder, "attached_alloc_id": null,
            "created_at": calendar.precise(self.created_at),
            "blocks": 0, "block_size": 0, "blocks_free": 0, "blocks_avail": 0,
            "bytes_used": 0, "bytes_total": 0, "fstype": "", "host_status": host_status, "type": "local",
            "snapshot_retention": self.snapshot_retention,
            "auto_backup_enabled": self.auto_backup_enabled,
        })
    }
}

impl App {
    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            organization: "personal".to_owned(),
            network: "default".to_owned(),
            ..Self::default()
        }
    }

    /// The app's JSON.
    pub(super) fn render(&self, name: &str, now: Duration) -> Value {
        let alive = |record: &&EmulatedMachine| !record.is_destroyed(now);
        let count = self.records.iter().filter(alive).count();
        let status = if self.records.is_empty() {
            "pending"
        } else {
            "deployed"
        };
        json!({
            "id": self.id, "name": name, "status": status, "network": self.network,
            "machine_count": count, "volume_count": self.volumes.len(),
            "organization": {"name": self.organization, "slug": self.organization},
        })
    }

    pub(super) fn records(&self) -> &[EmulatedMachine] {
        &self.records
    }

    pub(super) fn record(&self, id: &str) -> Option<&EmulatedMachine> {
        self.by_id.get(id).map(|at| &self.records[*at])
    }

    pub(super) fn record_mut(&mut self, id: &str) -> Option<&mut EmulatedMachine> {
        self.by_id.get(id).map(|at| &mut self.records[*at])
    }

    /// A Machine's position in lists.
    pub(super) fn list_position(&self, id: &str) -> Option<u64> {
        let place = self.by_id.get(id).copied()?;
        u64::try_from(place).ok()
    }

    /// The Machine with this name; a destroyed one no longer has it.
    pub(super) fn find_by_name(&self, name: &str, now: Duration) -> Option<&EmulatedMachine> {
        let record = &self.records[*self.by_name.get(name)?];
        (!record.is_destroyed(now)).then_some(record)
    }

    pub(super) fn add(&mut self, record: EmulatedMachine) {
        let at = self.records.len();
        self.by_id.insert(record.id.clone(), at);
        self.by_name.insert(record.name.clone(), at);
        self.records.push(record);
    }

    /// Volumes and the Machines that hold them.
    pub(super) fn holders(&self, now: Duration) -> BTreeMap<&str, &str> {
        self.records
            .iter()
            .filter(|record| !record.is_destroyed(now))
            .flat_map(|record| record.volumes().map(|volume| (volume, record.id.as_str())))
            .collect()
    }

    /// The lowest zone without a volume of this name. If all `zones` have one: the first with the fewest, or
    /// none if the zone must be unique.
    pub(super) fn zone(
        &self,
        name: &str,
        region: &str,
        zones: Option<u32>,
        unique: bool,
    ) -> Option<u32> {
        let here = self
            .volumes
            .iter()
            .filter(|disk| disk.name == name && disk.region == region);
        let mut many: BTreeMap<u32, usize> = BTreeMap::new();
        for disk in here {
            *many.entry(disk.zone).or_default() += 1;
        }
        let of = |zone: &u32| many.get(zone).copied().unwrap_or(0);
        let max_zones = zones.unwrap_or(u32::try_from(many.len()).unwrap_or(u32::MAX - 1) + 1);
        let fewest = (1..=max_zones).min_by_key(of)?;
        (!unique || of(&fewest) == 0).then_some(fewest)
    }

    /// Sets whether the host of a Machine and its volumes responds.
    pub(super) fn set_host_unreachable(&mut self, id: &str, unreachable: bool, in_part: bool) {
        let Some(record) = self.record_mut(id) else {
            return;
        };
        record.unreachable = unreachable;
        record.in_part = in_part;
        let held: Vec<String> = record.volumes().map(str::to_owned).collect();
        for disk in self
            .volumes
            .iter_mut()
            .filter(|disk| held.contains(&disk.id))
        {
            disk.unreachable = unreachable;
        }
    }

    pub(super) fn render_volumes(&self, now: Duration, calendar: Calendar) -> Value {
        let holders = self.holders(now);
        let holder = |disk: &EmulatedVolume| holders.get(disk.id.as_str()).copied();
        let disks = self.volumes.iter().filter(|disk| disk.listed_from <= now);
        disks
            .map(|disk| disk.render(holder(disk), calendar))
            .collect()
    }
}
