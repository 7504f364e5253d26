//! Aeroform's bookkeeping as Machine metadata, for platforms without another place for it (rule 1). Only this
//! module knows the keys.

use std::collections::BTreeMap;

use crate::core::fleet::{
    GroupName, Lineage, MachineName, Management, ReleaseStamp, RunId, Stamps,
};

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
/// The swap that created a Machine, or that it may be destroyed.
const SWAP: &str = "fly_bluegreen_deployment_tag";
/// The mark on the extra Machine of the strategy canary.
const CANARY: &str = "fly_canary";
const RELEASE: &str = "fly_release_version";
const RELEASE_ID: &str = "fly_release_id";
/// The id of the release that an apply registered; another tool's release has another id.
const RELEASED: &str = "aeroform_release";
/// The Machine's release version at the last change by an apply.
const CHANGED_AT: &str = "aeroform_release_version";

/// The metadata entries for these stamps and this group.
pub fn to_metadata(stamps: &Stamps, group: Option<&GroupName>) -> BTreeMap<String, String> {
    let Stamps {
        lineage,
        serial,
        run,
        desired,
        launch,
        commit,
        by,
        protect,
        swap,
        canary,
        release,
    } = stamps;
    let id = release.as_ref().and_then(|release| release.id.clone());
    let ours = release
        .as_ref()
        .is_some_and(|release| release.registered_by_us);
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
        (SWAP, swap.clone()),
        (CANARY, canary.then(|| "true".to_owned())),
        (RELEASE, release.as_ref().map(|r| r.version.to_string())),
        (RELEASED, id.clone().filter(|_| ours)),
        (RELEASE_ID, id),
    ];
    entries
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

/// Whether only [`to_metadata`] writes this key; such a key is removed when it is no longer written.
pub fn is_stamp_key(key: &str) -> bool {
    key.starts_with("aeroform_") || [GROUP, PLATFORM, SWAP, CANARY].contains(&key)
}

/// Whether this key names the Machine's release.
pub fn is_release_key(key: &str) -> bool {
    key.starts_with("fly_release_")
}

/// Parses the stamps; unreadable values count as missing, since metadata is untrusted.
pub fn parse_stamps(metadata: &BTreeMap<String, String>) -> Stamps {
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
        swap: text(SWAP),
        canary: is_canary(metadata),
        release: parse_release(metadata),
    }
}

fn parse_release(metadata: &BTreeMap<String, String>) -> Option<Box<ReleaseStamp>> {
    let id = metadata.get(RELEASE_ID);
    let version: u64 = metadata.get(RELEASE)?.parse().ok()?;
    let ours = metadata.get(RELEASED);
    let before = metadata.get(CHANGED_AT);
    let since = match before.and_then(|text| text.parse::<u64>().ok()) {
        Some(before) => version > before,
        None => ours.is_some() && ours != id,
    };
    Some(Box::new(ReleaseStamp {
        version,
        registered_by_us: id.is_some() && ours == id && !since,
        newer_than_ours: since,
        id: id.cloned(),
    }))
}

/// Records in the metadata of a call which release the Machine has after it.
pub fn add_release_stamp(metadata: &mut BTreeMap<String, String>) {
    if let Some(version) = metadata.get(RELEASE).cloned() {
        metadata.insert(CHANGED_AT.to_owned(), version);
    }
}

/// The group; an empty one counts as missing.
pub fn parse_group(metadata: &BTreeMap<String, String>) -> Option<GroupName> {
    GroupName::new(metadata.get(GROUP)?.as_str()).ok()
}

/// Whether Machines of this group are no part of the fleet: they run a release command, a test or a console.
pub fn is_auxiliary_group(group: &GroupName) -> bool {
    is_auxiliary(group.as_str())
}

fn is_canary(metadata: &BTreeMap<String, String>) -> bool {
    metadata.get(CANARY).is_some_and(|mark| mark == "true")
}

fn is_auxiliary(group: &str) -> bool {
    matches!(
        group,
        "fly_app_release_command" | "fly_app_console" | "fly_app_test_machine_command"
    )
}

/// Which tool manages a Machine, by its name and metadata (docs/platform/machines-api.md 16). A canary is a
/// leftover of `fly deploy`, unless name and lineage show that Aeroform created it.
pub fn classify_management(name: &MachineName, metadata: &BTreeMap<String, String>) -> Management {
    let group = metadata.get(GROUP).map_or("", String::as_str);
    let canary = is_canary(metadata);
    let launch = metadata.get(LAUNCH).map(String::as_str);
    let made_by_us =
        metadata.contains_key(LINEAGE) && launch.is_some() && name.launch_suffix() == launch;
    if is_auxiliary(group) || canary && !made_by_us {
        Management::Auxiliary
    } else if metadata.contains_key(LINEAGE) {
        Management::Ours
    } else if metadata
        .get(PLATFORM)
        .is_some_and(|version| version == "v2")
    {
        Management::FlyLaunch
    } else {
        Management::Unmanaged
    }
}

/// The same for metadata that may be incomplete: a group name still counts; without one the result is
/// unknown.
pub fn classify_partial_metadata(
    name: &MachineName,
    metadata: &BTreeMap<String, String>,
) -> Management {
    match classify_management(name, metadata) {
        Management::Unmanaged if parse_group(metadata).is_some() => Management::FlyLaunch,
        Management::Unmanaged => Management::Unknown,
        management => management,
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
            swap: Some("t".to_owned()),
            canary: true,
            release: Some(Box::new(ReleaseStamp {
                version: 44,
                id: Some("r44".to_owned()),
                registered_by_us: true,
                newer_than_ours: false,
            })),
        };
        let web = GroupName::new("web").unwrap();
        let mut metadata = to_metadata(&stamps_in, Some(&web));
        assert_eq!(parse_stamps(&metadata), stamps_in);
        assert_eq!(parse_group(&metadata), Some(web));
        assert!(
            metadata
                .keys()
                .all(|key| is_stamp_key(key) || is_release_key(key))
        );
        // Another tool's release after ours.
        metadata.insert(RELEASE_ID.to_owned(), "r45".to_owned());
        metadata.insert(RELEASE.to_owned(), "45".to_owned());
        let theirs = parse_stamps(&metadata).release.unwrap();
        assert_eq!((theirs.version, theirs.registered_by_us), (45, false));
        assert!(theirs.newer_than_ours);
        // A release with an unchanged id is recognised by its version.
        metadata.insert(RELEASE_ID.to_owned(), "r44".to_owned());
        metadata.insert(CHANGED_AT.to_owned(), "44".to_owned());
        let theirs = parse_stamps(&metadata).release.unwrap();
        assert!(theirs.newer_than_ours && !theirs.registered_by_us);
        add_release_stamp(&mut metadata);
        assert!(!parse_stamps(&metadata).release.unwrap().newer_than_ours);
        let name = MachineName::new("web-abcdefghij").unwrap();
        assert_eq!(classify_management(&name, &metadata), Management::Ours);
    }

    #[test]
    fn a_canary_of_another_tool_is_special_and_one_of_our_own_is_not() {
        let mut metadata = BTreeMap::from([
            (PLATFORM.to_owned(), "v2".to_owned()),
            (GROUP.to_owned(), "web".to_owned()),
            (CANARY.to_owned(), "true".to_owned()),
        ]);
        let (ours, theirs) = ("web-abcdefghij", "calm-river-4821");
        let who = |name: &str, metadata: &_| {
            classify_management(&MachineName::new(name).unwrap(), metadata)
        };
        assert_eq!(who(theirs, &metadata), Management::Auxiliary);
        assert_eq!(who(ours, &metadata), Management::Auxiliary);
        metadata.insert(LINEAGE.to_owned(), "l1".to_owned());
        metadata.insert(LAUNCH.to_owned(), "abcdefghij".to_owned());
        assert_eq!(
            who(theirs, &metadata),
            Management::Auxiliary,
            "stamps were copied"
        );
        assert_eq!(who(ours, &metadata), Management::Ours);
        metadata.insert(CANARY.to_owned(), "false".to_owned());
        assert_eq!(who(theirs, &metadata), Management::Ours);
    }
}
