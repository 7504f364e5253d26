//! Our bookkeeping as metadata on a Machine, for platforms that have nothing else to write it in
//! (RULES 1). The only place that knows the keys.

use std::collections::BTreeMap;

use crate::core::fleet::{GroupName, Lineage, Management, RunId, Stamps};

const GROUP: &str = "fly_process_group";
const PLATFORM: &str = "fly_platform_version";
const LINEAGE: &str = "aeroform_lineage";
const SERIAL: &str = "aeroform_serial";
const RUN: &str = "aeroform_run";
const DESIRED: &str = "aeroform_desired";
const LAUNCH: &str = "aeroform_launch";
const COMMIT: &str = "aeroform_commit";
const BY: &str = "aeroform_by";
const PROTECT: &str = "aeroform_protect";

/// The entries that say these stamps and this group.
pub fn written(stamps: &Stamps, group: Option<&GroupName>) -> BTreeMap<String, String> {
    let Stamps {
        lineage,
        serial,
        run,
        desired,
        launch,
        commit,
        by,
        protect,
    } = stamps;
    let entries = [
        (PLATFORM, Some("v2".to_owned())),
        (GROUP, group.map(ToString::to_string)),
        (LINEAGE, lineage.as_ref().map(ToString::to_string)),
        (SERIAL, serial.map(|serial| serial.to_string())),
        (RUN, run.as_ref().map(ToString::to_string)),
        (DESIRED, desired.clone()),
        (LAUNCH, launch.clone()),
        (COMMIT, commit.clone()),
        (BY, by.clone()),
        (PROTECT, protect.then(|| "true".to_owned())),
    ];
    entries
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

/// Whether this key is one that [`written`] writes; it goes when it is not written any more.
pub fn is_ours(key: &str) -> bool {
    key.starts_with("aeroform_") || key == GROUP || key == PLATFORM
}

/// The stamps in this metadata. A value that cannot be read counts as missing: it is foreign text.
pub fn stamps(metadata: &BTreeMap<String, String>) -> Stamps {
    let text = |key: &str| metadata.get(key).cloned();
    Stamps {
        lineage: text(LINEAGE).and_then(|text| Lineage::new(text).ok()),
        serial: text(SERIAL).and_then(|text| text.parse().ok()),
        run: text(RUN).and_then(|text| RunId::new(text).ok()),
        desired: text(DESIRED),
        launch: text(LAUNCH),
        commit: text(COMMIT),
        by: text(BY),
        protect: metadata.get(PROTECT).is_some_and(|text| text == "true"),
    }
}

/// The group in this metadata; an empty one counts as missing.
pub fn group(metadata: &BTreeMap<String, String>) -> Option<GroupName> {
    GroupName::new(metadata.get(GROUP)?.as_str()).ok()
}

/// Who manages a Machine of this metadata (facts/fly-machines-api.md 16).
pub fn management(metadata: &BTreeMap<String, String>) -> Management {
    let group = metadata.get(GROUP).map_or("", String::as_str);
    if matches!(
        group,
        "fly_app_release_command" | "fly_app_console" | "fly_app_test_machine_command"
    ) {
        Management::Special
    } else if metadata.contains_key(LINEAGE) {
        Management::Ours
    } else if metadata
        .get(PLATFORM)
        .is_some_and(|version| version == "v2")
    {
        Management::Launch
    } else {
        Management::Stranger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive_the_round_trip() {
        let stamps_in = Stamps {
            lineage: Some(Lineage::new("l1").unwrap()),
            serial: Some(7),
            run: Some(RunId::new("r1").unwrap()),
            desired: Some("d".to_owned()),
            launch: Some("abcdefghij".to_owned()),
            commit: Some("c".to_owned()),
            by: Some("ana".to_owned()),
            protect: true,
        };
        let web = GroupName::new("web").unwrap();
        let metadata = written(&stamps_in, Some(&web));
        assert_eq!(stamps(&metadata), stamps_in);
        assert_eq!(group(&metadata), Some(web));
        assert!(metadata.keys().all(|key| is_ours(key)));
        assert_eq!(management(&metadata), Management::Ours);
    }
}
