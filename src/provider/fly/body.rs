//! JSON bodies of requests that change Machines or create volumes (docs/platform/machines-api.md 4, 8, 10).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::core::fleet::call::{CreateCall, UpdateCall, VolumeCall};
use crate::core::fleet::normalise::is_bookkeeping;
use crate::core::fleet::{GroupName, MachineConfig, Stamps};
use crate::provider::bookkeeping;

/// A Machine's metadata.
pub type Metadata = BTreeMap<String, String>;

/// The body of a create. `inherited` is the release metadata that new Machines copy (rule 30).
pub fn create(call: &CreateCall, inherited: Metadata, lease_ttl: Option<u64>) -> Value {
    let inherited = match call.stamps.release {
        Some(_) => Metadata::new(),
        None => inherited,
    };
    let config = config_with_metadata(&call.config, &call.stamps, &call.group, inherited);
    let mut body = json!({
        "name": call.name, "region": call.region, "config": config, "skip_launch": call.skip_launch,
    });
    if call.cordoned {
        body["skip_service_registration"] = true.into();
    }
    if let Some(ttl) = lease_ttl {
        body["lease_ttl"] = ttl.into();
    }
    body
}

/// The body of an update. `live` is the Machine's current metadata; other tools' bookkeeping is kept.
pub fn update(call: &UpdateCall, mut live: Metadata) -> Value {
    let released = call.stamps.release.is_some();
    live.retain(|key, _| {
        let replaced = released && bookkeeping::is_release_key(key);
        is_bookkeeping(key) && !bookkeeping::is_stamp_key(key) && !replaced
    });
    json!({
        "config": config_with_metadata(&call.config, &call.stamps, &call.group, live),
        "skip_launch": call.skip_launch, "current_version": call.instance,
    })
}

/// The body of a volume create. It describes the future Machine, so that the platform picks a host with
/// capacity for both.
pub fn create_volume(call: &VolumeCall) -> Value {
    let mut body = json!({
        "name": call.name, "region": call.region, "size_gb": call.size_gb,
        "encrypted": call.encrypted, "require_unique_zone": call.unique_zone,
    });
    if let Some(days) = call.snapshot_retention {
        body["snapshot_retention"] = days.into();
    }
    if let Some(scheduled) = call.scheduled_snapshots {
        body["auto_backup_enabled"] = scheduled.into();
    }
    if let Some(guest) = &call.guest {
        body["compute"] = json!(guest);
    }
    if let Some(image) = &call.image {
        body["compute_image"] = image.as_str().into();
    }
    body
}

/// The metadata changes that turn a live Machine's stamps into these: values, and keys to remove.
pub fn stamp_changes(stamps: &Stamps, live: &Metadata) -> BTreeMap<String, Option<String>> {
    let group = bookkeeping::parse_group(live);
    let old = live.keys().filter(|key| bookkeeping::is_stamp_key(key));
    let mut entries: BTreeMap<_, _> = old.map(|key| (key.clone(), None)).collect();
    let new = bookkeeping::to_metadata(stamps, group.as_ref());
    entries.extend(new.into_iter().map(|(key, value)| (key, Some(value))));
    entries
}

/// The entries of this metadata that describe a release.
pub(super) fn release_metadata(metadata: &Metadata) -> Metadata {
    let entries = metadata.iter();
    entries
        .filter(|(key, _)| bookkeeping::is_release_key(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn config_with_metadata(
    config: &MachineConfig,
    stamps: &Stamps,
    group: &GroupName,
    current: Metadata,
) -> Value {
    let mut config = config.clone();
    let metadata = config.metadata.get_or_insert_default();
    metadata.extend(current);
    metadata.extend(bookkeeping::to_metadata(stamps, Some(group)));
    bookkeeping::add_release_stamp(metadata);
    if let Some(watched) = config.standbys.as_ref().filter(|ids| !ids.is_empty()) {
        let watched = watched.join(",");
        let env = config.env.get_or_insert_default();
        env.insert("FLY_STANDBY_FOR".to_owned(), watched);
    }
    // Every client of the platform sends it, even if empty.
    config.init.get_or_insert_default();
    config.to_value()
}
