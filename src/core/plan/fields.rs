//! Which fields of a Machine a plan changes, and the digest of its config.
//!
//! Machines of a group mostly have the same config, so equal inputs are compared once.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::FieldChange;
use super::members::Member;
use super::types::Precondition;
use crate::core::fleet::{
    ComputedFields, ConfigBase, ConfigDigest, DesiredGroup, Effect, Known, Lineage, Machine,
    MachineConfig, StoredConfig, computed, diff, normalise, overlay,
};

/// The size of the cache of results. If all Machines of a group differ (each has its own volume), a larger
/// cache would cost the square of their number and find nothing.
pub(super) const CACHE_SIZE: usize = 8;

/// The data of a comparison besides the Machines.
#[derive(Clone, Copy)]
pub(super) struct CompareContext<'a> {
    pub(super) lineage: &'a Lineage,
    /// The fields that the platform added.
    pub(super) computed: &'a BTreeMap<ConfigDigest, ComputedFields>,
}

impl<'a> CompareContext<'a> {
    pub(super) fn of(known: &'a Known, lineage: &'a Lineage) -> Self {
        Self {
            lineage,
            computed: &known.computed_fields,
        }
    }
}

/// Compares the Machines of one group with its desired config.
pub(super) struct ConfigComparer<'a> {
    group: Option<&'a DesiredGroup>,
    lineage: &'a Lineage,
    computed: &'a BTreeMap<ConfigDigest, ComputedFields>,
    template: Option<StoredConfig>,
    compared: Vec<CachedComparison<'a>>,
    digests: Vec<(&'a MachineConfig, ConfigDigest)>,
}

struct CachedComparison<'a> {
    existing: Option<&'a MachineConfig>,
    image: Option<&'a String>,
    sent: Option<&'a ConfigDigest>,
    diff: Rc<ConfigDiff>,
}

/// The result for one Machine.
#[derive(Debug, Default)]
pub(super) struct ConfigDiff {
    /// The fields that change.
    pub(super) changes: Vec<FieldChange>,
    /// Nothing changes, but the state's record differs from the desired and observed config.
    pub(super) is_record_outdated: bool,
}

impl ConfigDiff {
    /// Why the Machine must be replaced; none if it can be updated in place.
    pub(super) fn replacement_reason(&self) -> Option<&'static str> {
        let mut changes = self.changes.iter();
        let change = changes.find(|change| change.effect == Effect::Replace)?;
        let is_mount = change.path.first().is_some_and(|key| key == "mounts");
        Some(match (is_mount, &change.before, &change.after) {
            (true, Some(_), None) => "a mount was removed: the Machine is replaced",
            (true, None, _) => "a mount was added: the Machine is replaced",
            (true, Some(_), Some(_)) => "a mount changed: the Machine is replaced",
            (false, ..) => "its host changes: the Machine is replaced",
        })
    }
}

impl<'a> ConfigComparer<'a> {
    pub(super) fn of(group: Option<&'a DesiredGroup>, context: CompareContext<'a>) -> Self {
        let CompareContext { lineage, computed } = context;
        let template = group.map(|group| StoredConfig::from_config(&group.template, lineage));
        Self {
            group,
            lineage,
            computed,
            template,
            compared: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// The fields of this Machine that differ from its group's config; none in a removed group.
    pub(super) fn compare(&mut self, member: &Member<'a>) -> Rc<ConfigDiff> {
        let (Some(group), Some(template)) = (self.group, &self.template) else {
            return Rc::default();
        };
        let existing = member.observed.and_then(|seen| seen.config.as_deref());
        let image = member.observed.and_then(|seen| seen.image_digest.as_ref());
        let sent = member.known.map(|known| &known.config);
        let hit = self
            .compared
            .iter()
            .rev()
            .take(CACHE_SIZE)
            .find(|c| c.sent == sent && c.image == image && c.existing == existing);
        if let Some(hit) = hit {
            return Rc::clone(&hit.diff);
        }
        let written = group.template.image.as_deref();
        let resolved = member
            .observed
            .and_then(|seen| seen.resolved_config(written));
        let changes = match (resolved, member.sent) {
            (Some(existing), sent) => {
                let base = ConfigBase {
                    existing: Some(&existing),
                    sent,
                };
                let computed = known_computed(self.computed, [sent, Some(template)]);
                let after = group.config_for(base, &[], &[]);
                let mut changes =
                    diff::required_changes(&existing, &after, &computed, self.lineage);
                mark_unsent(&mut changes, &existing, sent, self.lineage);
                changes
            }
            (None, Some(sent)) => diff::diff_stored(
                sent.tree(),
                &overlay::stored_config_for(template, sent, sent),
            ),
            (None, None) => Vec::new(),
        };
        let record_lags = changes.is_empty()
            && existing.is_some()
            && member
                .sent
                .is_some_and(|sent| !is_recorded(group, template, sent, member));
        let found = Rc::new(ConfigDiff {
            changes,
            is_record_outdated: record_lags,
        });
        self.compared.push(CachedComparison {
            existing,
            image,
            sent,
            diff: Rc::clone(&found),
        });
        found
    }

    /// What must be true of this Machine when it is changed.
    pub(super) fn precondition(&mut self, member: &Member<'a>) -> Precondition {
        let existing = member.observed.and_then(|seen| seen.config.as_deref());
        // The observed order has no meaning.
        let mut standby_for = member.standby_for().to_vec();
        standby_for.sort();
        Precondition {
            id: member.id.clone(),
            region: member.region.clone(),
            config: existing.map(|config| self.digest(config)),
            volumes: member.volumes().to_vec(),
            standby_for,
        }
    }

    fn digest(&mut self, config: &'a MachineConfig) -> ConfigDigest {
        let mut last = self.digests.iter().rev().take(CACHE_SIZE);
        if let Some((_, digest)) = last.find(|(known, _)| *known == config) {
            return digest.clone();
        }
        let digest = StoredConfig::from_config(config, self.lineage).digest();
        self.digests.push((config, digest.clone()));
        digest
    }
}

/// Marks removed fields that no known config was sent with: somebody else set them, or the platform added them
/// unnoticed.
fn mark_unsent(
    changes: &mut [FieldChange],
    existing: &MachineConfig,
    sent: Option<&StoredConfig>,
    lineage: &Lineage,
) {
    let goes = |change: &FieldChange| change.before.is_some() && change.after.is_none();
    if !changes.iter().any(goes) {
        return;
    }
    let existing = StoredConfig::from_config(existing, lineage);
    let unsent = match sent {
        Some(sent) => computed::detect_computed(&existing, sent),
        None => computed::detect_computed(
            &existing,
            &StoredConfig::from_config(&MachineConfig::default(), lineage),
        ),
    };
    for change in changes.iter_mut().filter(|change| goes(change)) {
        let path = computed::join_path(change.path.iter().map(String::as_str));
        let inside = |other: &str| {
            let rest = other.strip_prefix(&path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let above = |other: &str| {
            let rest = path.strip_prefix(other);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        change.unsent = unsent
            .iter()
            .any(|(other, _)| inside(other) || above(other));
    }
}

/// Whether the state already has the config to record. An image that no manifest sets is recorded as sent, or
/// not at all, until another runs.
pub(super) fn is_recorded(
    group: &DesiredGroup,
    recorded: &StoredConfig,
    sent: &StoredConfig,
    member: &Member<'_>,
) -> bool {
    if sent.is_equivalent_to(recorded) {
        return true;
    }
    let by_file = group.template.image.is_some() && !group.image_from_flag;
    let context = sent.tree().get("image").and_then(Value::as_str);
    let runs = context.is_none_or(|context| {
        let live = member
            .observed
            .and_then(|seen| seen.resolved_config(Some(context)));
        let live = live.and_then(|config| config.image.as_deref().map(normalise::normalise_image));
        live == Some(normalise::normalise_image(context))
    });
    !by_file
        && runs
        && sent
            .without_field("image")
            .is_equivalent_to(&recorded.without_field("image"))
}

/// The fields that the platform added to Machines of these configs. An unchanged Machine keeps the values that
/// it has, and will have them with its next config.
pub fn known_computed(
    computed: &BTreeMap<ConfigDigest, ComputedFields>,
    configs: [Option<&StoredConfig>; 2],
) -> ComputedFields {
    let mut all = ComputedFields::default();
    if !computed.is_empty() {
        for config in configs.into_iter().flatten() {
            if let Some(known) = computed.get(&config.digest()) {
                all.merge(known);
            }
        }
    }
    all
}

/// The recorded config of a Machine that is adopted without a call: the group's config if it matches, else only
/// the observed values of keys that the group sets (rule 10).
pub fn adopted_config(
    group: Option<&DesiredGroup>,
    machine: &Machine,
    computed: &BTreeMap<ConfigDigest, ComputedFields>,
    lineage: &Lineage,
) -> StoredConfig {
    let template = match group {
        Some(group) => StoredConfig::from_config(&group.template, lineage),
        None => StoredConfig::from_config(&MachineConfig::default(), lineage),
    };
    let existing = group.and_then(|group| machine.resolved_config(group.template.image.as_deref()));
    let (Some(group), Some(existing)) = (group, existing) else {
        return template;
    };
    let base = ConfigBase {
        existing: Some(&existing),
        sent: None,
    };
    let computed = known_computed(computed, [Some(&template), None]);
    let after = group.config_for(base, &[], &[]);
    if diff::required_changes(&existing, &after, &computed, lineage).is_empty() {
        template
    } else {
        overlay::restrict_to_template(&template, &StoredConfig::from_config(&existing, lineage))
    }
}
