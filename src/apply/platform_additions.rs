//! Fields that the platform adds to a config that this run sent (rule 10).
//!
//! Every config change creates a new instance of the Machine. So an unsent field, read at the instance that
//! this run's call created, was added by the platform. Every read of a Machine passes through
//! [`PlatformAdditions::record_read`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::fleet::computed::{self, MachineComputedFields};
use crate::core::fleet::diff::required_changes;
use crate::core::fleet::{
    ComputedFields, ConfigDigest, Lineage, Machine, MachineConfig, MachineId, RunId, StoredConfig,
};

/// Platform additions seen by this run.
#[derive(Debug, Default)]
pub(super) struct PlatformAdditions {
    machines: RefCell<BTreeMap<MachineId, SentMachine>>,
    configs: RefCell<BTreeMap<ConfigDigest, ComputedFields>>,
}

/// A Machine after a call of this run.
#[derive(Debug)]
struct SentMachine {
    instance: String,
    /// The config that was sent.
    sent: StoredConfig,
    /// Digest of the sent config in the state.
    digest: ConfigDigest,
    /// Fields that the call removes.
    removed: ComputedFields,
    /// The last read config.
    read: Option<Arc<MachineConfig>>,
    found: ComputedFields,
}

/// A sent config.
#[derive(Debug)]
pub(super) struct SentConfig {
    /// The config.
    pub(super) config: MachineConfig,
    /// Its digest in the state.
    pub(super) digest: ConfigDigest,
    /// The previous config, with its known platform additions.
    pub(super) before: Option<(Arc<MachineConfig>, ComputedFields)>,
    /// The previous instance.
    pub(super) instance: String,
}

impl PlatformAdditions {
    /// Records the response of a call of this run.
    pub(super) fn record_answer(&self, written: &SentConfig, answer: &Machine, lineage: &Lineage) {
        // Without an instance the writer of a config is unknown.
        if answer.instance.is_empty() {
            return;
        }
        let sent = StoredConfig::from_config(&written.config, lineage);
        let removed = written.before.as_ref().map(|(before, known)| {
            let had = computed::detect_computed(&StoredConfig::from_config(before, lineage), &sent);
            had.without(known)
        });
        let own = SentMachine {
            instance: answer.instance.clone(),
            sent,
            digest: written.digest.clone(),
            removed: removed.unwrap_or_default(),
            read: None,
            found: ComputedFields::default(),
        };
        self.machines.borrow_mut().insert(answer.id.clone(), own);
        self.record_read(answer, lineage);
    }

    /// Records a Machine read after a call without a response, if that call succeeded: it has this run's stamp,
    /// a new instance, and all sent fields.
    pub(super) fn record_lost_answer(
        &self,
        written: &SentConfig,
        live: &Machine,
        run: &RunId,
        lineage: &Lineage,
    ) {
        let is_new = !live.instance.is_empty() && live.instance != written.instance;
        let (true, Some(config)) = (is_new, &live.config) else {
            return;
        };
        if live.stamps.run.as_ref() != Some(run) {
            return;
        }
        let sent = StoredConfig::from_config(&written.config, lineage);
        let added = computed::detect_computed(&StoredConfig::from_config(config, lineage), &sent);
        if required_changes(config, &written.config, &added, lineage).is_empty() {
            self.record_answer(written, live, lineage);
        }
    }

    /// Compares a read Machine with the sent config.
    pub(super) fn record_read(&self, machine: &Machine, lineage: &Lineage) {
        let mut machines = self.machines.borrow_mut();
        let Some(own) = machines.get_mut(&machine.id) else {
            return;
        };
        let Some(config) = &machine.config else {
            return;
        };
        if own.instance != machine.instance || own.read.as_ref() == Some(config) {
            return;
        }
        let found =
            computed::detect_computed(&StoredConfig::from_config(config, lineage), &own.sent);
        own.read = Some(Arc::clone(config));
        own.found.merge(&found);
        let mut configs = self.configs.borrow_mut();
        configs.entry(own.digest.clone()).or_default().merge(&found);
    }

    /// Whether this Machine still has the instance of this run's call; `None` if this run did not write it.
    pub(super) fn is_at_sent_instance(&self, machine: &Machine) -> Option<bool> {
        let machines = self.machines.borrow();
        let own = machines.get(&machine.id)?;
        Some(own.instance == machine.instance)
    }

    /// The instance that this run's last call made of each Machine.
    pub(super) fn sent_instances(&self) -> BTreeMap<MachineId, String> {
        let machines = self.machines.borrow();
        let instances = machines.iter();
        instances
            .map(|(id, own)| (id.clone(), own.instance.clone()))
            .collect()
    }

    /// Additions seen on Machines with this config.
    pub(super) fn for_config(&self, digest: &ConfigDigest) -> ComputedFields {
        let configs = self.configs.borrow();
        configs.get(digest).cloned().unwrap_or_default()
    }

    /// Additions seen on this Machine; `None` if this run did not write it.
    pub(super) fn for_machine(&self, id: &MachineId) -> Option<MachineComputedFields> {
        let machines = self.machines.borrow();
        let own = machines.get(id)?;
        let not_removed: BTreeSet<String> = own
            .found
            .iter()
            .filter(|(path, value)| own.removed.has(path, *value))
            .map(|(path, _)| path.to_owned())
            .collect();
        Some(MachineComputedFields {
            fields: own.found.clone(),
            not_removed,
        })
    }
}
