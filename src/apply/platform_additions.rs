//! What the platform adds by itself to a config that this run sent (rule 10).
//!
//! A config that anybody else writes makes another instance of the Machine. So what is read of a Machine at
//! the instance that a call of this run made, and was not sent, comes from the platform. Every read of a
//! Machine passes through [`PlatformAdditions::record_read`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::fleet::computed::{self, MachineComputedFields};
use crate::core::fleet::diff::required_changes;
use crate::core::fleet::{
    ComputedFields, ConfigDigest, Lineage, Machine, MachineConfig, MachineId, RunId, StoredConfig,
};

/// What this run has seen the platform add.
#[derive(Debug, Default)]
pub(super) struct PlatformAdditions {
    machines: RefCell<BTreeMap<MachineId, SentMachine>>,
    configs: RefCell<BTreeMap<ConfigDigest, ComputedFields>>,
}

/// One Machine as a call of this run left it.
#[derive(Debug)]
struct SentMachine {
    instance: String,
    /// The config that was sent.
    sent: StoredConfig,
    /// The digest under which the state remembers that config.
    digest: ConfigDigest,
    /// What the call was to remove.
    removed: ComputedFields,
    /// The config as last read.
    read: Option<Arc<MachineConfig>>,
    found: ComputedFields,
}

/// What a call sent.
#[derive(Debug)]
pub(super) struct SentConfig {
    /// The whole config.
    pub(super) config: MachineConfig,
    /// The digest under which the state remembers it.
    pub(super) digest: ConfigDigest,
    /// What the Machine had before, and what was known then of the platform's additions to it.
    pub(super) before: Option<(Arc<MachineConfig>, ComputedFields)>,
    /// The instance before.
    pub(super) instance: String,
}

impl PlatformAdditions {
    /// Takes the answer to a call of this run.
    pub(super) fn record_answer(&self, written: &SentConfig, answer: &Machine, lineage: &Lineage) {
        // Without an instance nobody can tell who wrote a config.
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

    /// Takes a Machine that was read after a call whose answer was lost, where that call made what is there: it
    /// has this run's stamp, a new instance, and everything that was sent.
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

    /// Looks at a Machine that was read.
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

    /// Whether this Machine is still at the instance that a call of this run made; none where no such is known.
    pub(super) fn is_at_sent_instance(&self, machine: &Machine) -> Option<bool> {
        let machines = self.machines.borrow();
        let own = machines.get(&machine.id)?;
        Some(own.instance == machine.instance)
    }

    /// What was seen at Machines of this config.
    pub(super) fn for_config(&self, digest: &ConfigDigest) -> ComputedFields {
        let configs = self.configs.borrow();
        configs.get(digest).cloned().unwrap_or_default()
    }

    /// What was seen at this Machine; none where this run wrote nothing to it.
    pub(super) fn for_machine(&self, id: &MachineId) -> Option<MachineComputedFields> {
        let machines = self.machines.borrow();
        let own = machines.get(id)?;
        let kept: BTreeSet<String> = own
            .found
            .iter()
            .filter(|(path, value)| own.removed.has(path, *value))
            .map(|(path, _)| path.to_owned())
            .collect();
        Some(MachineComputedFields {
            fields: own.found.clone(),
            not_removed: kept,
        })
    }
}
