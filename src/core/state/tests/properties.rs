//! Any state survives the round trip, and no text makes the reader panic.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn some_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn some_config() -> impl Strategy<Value = StoredConfig> {
    let env = btree_map("[A-Z_]{1,8}", any::<String>(), 0..3);
    (env, btree_map("x_[a-z]{1,8}", some_json(), 0..3)).prop_map(|(env, other)| {
        let config = MachineConfig {
            env: Some(env),
            other,
            ..MachineConfig::default()
        };
        StoredConfig::from_config(&config, &Lineage::new("l").expect("it is valid"))
    })
}

fn name<T, E: std::fmt::Debug>(
    pattern: &'static str,
    new: fn(String) -> Result<T, E>,
) -> impl Strategy<Value = T>
where
    T: std::fmt::Debug,
{
    pattern.prop_map(move |text| new(text).expect("it is valid"))
}

fn some_group() -> impl Strategy<Value = GroupName> {
    name("[^\\p{Cc}]{1,20}", GroupName::new)
}

fn some_region() -> impl Strategy<Value = Region> {
    name("[a-z0-9-]{1,8}", Region::new)
}

fn some_id() -> impl Strategy<Value = MachineId> {
    name("[a-z0-9-]{1,14}", MachineId::new)
}

fn some_launch() -> impl Strategy<Value = LaunchId> {
    name("[a-z2-7]{10}", LaunchId::new)
}

fn some_run() -> impl Strategy<Value = RunId> {
    name("[a-z0-9-]{1,12}", RunId::new)
}

fn some_machine(configs: Vec<ConfigDigest>) -> impl Strategy<Value = KnownMachine> {
    (
        name("[^\\p{Cc}]{1,20}", MachineName::new),
        some_group(),
        some_region(),
        proptest::sample::select(configs),
        option::of(some_launch()),
        vec(name("[^\\p{Cc}]{1,12}", VolumeId::new), 0..3),
        vec(some_id(), 0..3),
        (
            option::of(some_id()),
            any::<bool>(),
            option::of(some_region()),
        ),
    )
        .prop_map(
            |(name, group, region, config, launch, volumes, standby_for, rest)| {
                let (replaces, unproven, requested_region) = rest;
                KnownMachine {
                    name,
                    group,
                    region,
                    requested_region,
                    config,
                    launch,
                    volumes,
                    standby_for,
                    replaces,
                    swap: None,
                    unproven,
                }
            },
        )
}

fn some_release(configs: Vec<ConfigDigest>) -> impl Strategy<Value = ReleaseRecord> {
    let placement = btree_map(some_region(), any::<u32>(), 0..3);
    let command = option::of(proptest::sample::select(configs.clone()));
    let released = (proptest::sample::select(configs), placement)
        .prop_map(|(config, placement)| ReleasedGroup { config, placement });
    let groups = btree_map(some_group(), released, 0..3);
    let text = || option::of(any::<String>());
    let ended = (option::of(some_run()), text(), text(), command);
    (
        any::<u64>(),
        any::<String>(),
        any::<String>(),
        ended,
        groups,
    )
        .prop_map(
            |(release, at, by, (run, outcome, image, release_command), groups)| ReleaseRecord {
                release,
                at,
                by,
                run,
                outcome,
                image,
                release_command,
                groups,
            },
        )
}

fn some_run_record() -> impl Strategy<Value = RunRecord> {
    let texts = (
        any::<String>(),
        any::<String>(),
        any::<String>(),
        any::<String>(),
    );
    let text = || option::of(any::<String>());
    let options = (text(), text(), text(), text());
    (some_run(), any::<u64>(), texts, options).prop_map(
        |(run, serial, (at, by, command, outcome), (commit, url, desired, plan))| RunRecord {
            run,
            serial,
            at,
            by,
            command,
            outcome,
            commit,
            url,
            desired,
            plan,
        },
    )
}

fn some_pending() -> impl Strategy<Value = Vec<PendingCreate>> {
    let pending = (
        some_launch(),
        some_group(),
        some_region(),
        any::<bool>(),
        option::of(some_id()),
    )
        .prop_map(|(launch, group, region, standby, replaces)| PendingCreate {
            launch,
            group,
            region,
            standby,
            replaces,
        });
    btree_set(pending, 0..4).prop_map(|set| set.into_iter().collect())
}

prop_compose! {
    fn some_header()(
        app in name("[a-z0-9-]{1,20}", AppName::new),
        provider in any::<String>(),
        lineage in option::of(name("[^\\p{Cc}]{1,20}", Lineage::new)),
        serial in 0..i64::MAX.unsigned_abs(),
        run in option::of(some_run()),
        parent in option::of(any::<String>()),
        release in option::of(any::<u64>()),
    ) -> Known {
        Known { lineage, serial, run, parent, release, ..Known::empty(app, provider) }
    }
}

/// Any state whose configs are exactly those that something names.
fn some_known() -> impl Strategy<Value = Known> {
    let configs = vec(some_config(), 1..4);
    configs.prop_flat_map(|configs| {
        let digests: Vec<_> = configs.iter().map(StoredConfig::digest).collect();
        let lists = (
            btree_set(some_group(), 0..3),
            btree_set(some_id(), 0..3),
            some_pending(),
            vec(some_run_record(), 0..3),
            vec(some_release(digests.clone()), 0..3),
            btree_map(some_id(), some_machine(digests), 0..8),
        );
        (some_header(), lists).prop_map(move |(header, lists)| {
            let (protect, ignored, pending, runs, releases, machines) = lists;
            let groups = releases
                .iter()
                .flat_map(|r: &ReleaseRecord| r.groups.values());
            let named: BTreeSet<_> = machines
                .values()
                .map(|machine| &machine.config)
                .chain(groups.map(|group| &group.config))
                .cloned()
                .collect();
            Known {
                protected_groups: protect,
                ignored_machines: ignored,
                pending_creates: pending,
                runs,
                configs: configs
                    .iter()
                    .map(|config| (config.digest(), config.clone()))
                    .filter(|(digest, _)| named.contains(digest))
                    .collect(),
                releases,
                machines,
                ..header
            }
        })
    })
}

proptest! {
    #[test]
    fn every_state_survives_the_round_trip_and_is_written_the_same_again(known in some_known()) {
        let text = write(&known);
        let again = read(&text, &known.app);
        prop_assert_eq!(again.as_ref(), Ok(&known));
        prop_assert_eq!(write(&known), text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(text in any::<String>(), at in any::<prop::sample::Index>()) {
        let _ = read(&text, &app());
        let mut edited: Vec<char> = GOLDEN.chars().collect();
        let at = at.index(edited.len());
        edited.splice(at..at, text.chars());
        let _ = read(&edited.into_iter().collect::<String>(), &app());
    }
}

proptest! {
    // The values matter little to the format, and generating a state is slow.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_machine_and_every_record_is_one_line(known in some_known()) {
        let records = known.protected_groups.len() + known.ignored_machines.len() + known.pending_creates.len()
            + known.machines.len() + known.configs.len() + known.releases.len() + known.runs.len();
        let header = 2 + usize::from(known.release.is_some());
        let text = write(&known);
        prop_assert_eq!(text.split_terminator('\n').count(), header + records + 1);
    }
}
