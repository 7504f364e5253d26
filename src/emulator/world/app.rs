//! One app of the world: its Machines and volumes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::machine::Record;

/// An app. Machines are found by id and by name; lists follow the order of creation.
#[derive(Debug, Clone, Default)]
pub(super) struct App {
    pub(super) id: String,
    records: Vec<Record>,
    by_id: BTreeMap<String, usize>,
    /// The newest Machine of each name.
    by_name: BTreeMap<String, usize>,
    pub(super) volumes: Vec<Disk>,
}

/// A volume.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) size_gb: u32,
}

impl App {
    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn record(&self, id: &str) -> Option<&Record> {
        self.by_id.get(id).map(|at| &self.records[*at])
    }

    pub(super) fn record_mut(&mut self, id: &str) -> Option<&mut Record> {
        self.by_id.get(id).map(|at| &mut self.records[*at])
    }

    /// The Machine that has this name; a destroyed one has it no more.
    pub(super) fn named(&self, name: &str, now: Duration) -> Option<&Record> {
        let record = &self.records[*self.by_name.get(name)?];
        (!record.is_destroyed(now)).then_some(record)
    }

    pub(super) fn add(&mut self, record: Record) {
        let at = self.records.len();
        self.by_id.insert(record.id.clone(), at);
        self.by_name.insert(record.name.clone(), at);
        self.records.push(record);
    }

    /// Which Machine holds which volume.
    pub(super) fn holders(&self, now: Duration) -> BTreeMap<&str, &str> {
        self.records
            .iter()
            .filter(|record| !record.is_destroyed(now))
            .flat_map(|record| record.volumes().map(|volume| (volume, record.id.as_str())))
            .collect()
    }

    pub(super) fn shown_volumes(&self, now: Duration) -> Value {
        let holders = self.holders(now);
        self.volumes
            .iter()
            .map(|disk| {
                json!({
                    "id": disk.id, "name": disk.name, "region": disk.region,
                    "size_gb": disk.size_gb, "state": "created", "host_status": "ok",
                    "attached_machine_id": holders.get(disk.id.as_str()),
                })
            })
            .collect()
    }
}
