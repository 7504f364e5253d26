//! Hides secrets that an older version wrote into the state in cleartext. It runs on every read, so that no
//! comparison, output or write contains them (rule 37).

use std::collections::BTreeMap;

use super::{ConfigDigest, Known};

impl Known {
    /// Hides detected secrets in every config, counts the affected configs, and updates references to their
    /// digests.
    pub fn hide_secrets(&mut self) {
        let Some(lineage) = &self.lineage else {
            return;
        };
        let mut renamed: BTreeMap<ConfigDigest, ConfigDigest> = BTreeMap::new();
        let mut configs = BTreeMap::new();
        for (digest, config) in std::mem::take(&mut self.configs) {
            match config.redacted(lineage) {
                Some(hidden) => {
                    renamed.insert(digest, hidden.digest());
                    configs.insert(hidden.digest(), hidden);
                }
                None => {
                    configs.insert(digest, config);
                }
            }
        }
        self.configs = configs;
        for (old, new) in &renamed {
            if let Some(computed) = self.computed_fields.remove(old) {
                self.computed_fields.insert(new.clone(), computed);
            }
        }
        self.configs_with_cleartext = renamed.len();
        let machines = self
            .machines
            .values_mut()
            .map(|machine| &mut machine.config);
        let released = self.releases.iter_mut();
        let released = released.flat_map(|release| release.groups.values_mut());
        for digest in machines.chain(released.map(|group| &mut group.config)) {
            if let Some(new) = renamed.get(digest) {
                digest.clone_from(new);
            }
        }
    }
}
