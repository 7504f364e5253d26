//! Edits of random manifests: they say exactly what was meant, touch nothing else, and what follows from
//! them comes to an end.

use std::collections::BTreeMap;

use aeroform::core::fleet::{Desired, GroupName, Hold, Machine, MachineId, Region};
use aeroform::core::manifest::edit::{Edit, GroupLayout, MachineSize, ManifestFiles, edit};
use aeroform::core::manifest::{Overrides, SourceFile, StateLocation, load};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::config;
use crate::judge::{assert_edit_is_exact, assert_only_edit_changed, normalized};
use crate::random::REGIONS;
use crate::really::RealRunFixture;
use crate::support::{PlanFixture, group_name, region};
use crate::texts::{ManifestTexts, texts};

/// A verb before it is known which groups and Machines there are.
#[derive(Debug, Clone)]
enum EditVerb {
    Layout(usize, BTreeMap<usize, u32>),
    Regions(usize, Vec<usize>),
    Size(usize, u32, bool),
    Rename(usize, usize),
    Add(usize, Option<u32>),
    Remove(usize),
    MoveMachine(usize, usize),
    RemoveMachine(usize),
    State(bool),
    /// A release and its groups, if not all; then the end of it.
    Hold(u64, bool),
}

const NEW: [&str; 3] = ["app", "mail", "zoo-1"];

fn verb() -> impl Strategy<Value = EditVerb> {
    let map = proptest::collection::btree_map(0..4usize, 0..3u32, 1..4);
    prop_oneof![
        3 => (0..4usize, map).prop_map(|(group, map)| EditVerb::Layout(group, map)),
        2 => (0..4usize, proptest::sample::subsequence(vec![0, 1, 2, 3], 1..=3).prop_shuffle())
            .prop_map(|(group, regions)| EditVerb::Regions(group, regions)),
        3 => (0..4usize, 1..4u32, any::<bool>())
            .prop_map(|(group, gb, shared)| EditVerb::Size(group, gb, shared)),
        2 => (0..4usize, 0..3usize).prop_map(|(group, to)| EditVerb::Rename(group, to)),
        2 => (0..3usize, proptest::option::of(0..3u32)).prop_map(|(at, n)| EditVerb::Add(at, n)),
        1 => (0..4usize).prop_map(EditVerb::Remove),
        1 => (0..9usize, 0..4usize).prop_map(|(machine, to)| EditVerb::MoveMachine(machine, to)),
        1 => (0..9usize).prop_map(EditVerb::RemoveMachine),
        1 => any::<bool>().prop_map(EditVerb::State),
        1 => (1..50u64, any::<bool>()).prop_map(|(release, all)| EditVerb::Hold(release, all)),
    ]
}

fn overrides() -> Overrides {
    Overrides {
        provider: Some("local".to_owned()),
        image: Some("registry.example/shop@sha256:11".to_owned()),
        ..Overrides::default()
    }
}

fn read(texts: &ManifestTexts) -> Option<Desired> {
    let fly = SourceFile {
        path: "fly.toml",
        bytes: texts.fly.as_bytes(),
    };
    let ours = texts.aeroform.as_ref().map(|text| SourceFile {
        path: "aeroform.toml",
        bytes: text.as_bytes(),
    });
    load(fly, ours, &overrides()).desired
}

/// The Machines that there are.
pub(crate) type Machines = BTreeMap<MachineId, Machine>;

/// The edits that a verb means here; none where it makes no sense.
fn meant(verb: &EditVerb, desired: &Desired, there: &Machines) -> Option<Vec<Edit>> {
    let names: Vec<&GroupName> = desired.groups.keys().collect();
    let group = |at: &usize| names[at % names.len()].clone();
    let new = |at: &usize| Some(group_name(NEW[*at])).filter(|name| !names.contains(&name));
    let machines: Vec<&MachineId> = there.keys().collect();
    let machine = |at: &usize| Some((*machines.get(at % machines.len().max(1))?).clone());
    Some(vec![match verb {
        EditVerb::Layout(at, map) => Edit::Layout {
            group: group(at),
            layout: GroupLayout {
                regions: map.iter().map(|(r, n)| (region(REGIONS[*r]), *n)).collect(),
                standby: None,
            },
        },
        EditVerb::Regions(at, list) => Edit::Regions {
            group: group(at),
            regions: list.iter().map(|r| region(REGIONS[*r])).collect(),
            count: None,
        },
        EditVerb::Size(at, gb, shared) => Edit::Size {
            group: group(at),
            size: MachineSize {
                cpu_kind: if *shared { "shared" } else { "performance" }.to_owned(),
                cpus: 2,
                memory_mb: gb * 1024,
            },
        },
        EditVerb::Rename(at, to) => Edit::RenameGroup {
            from: group(at),
            to: new(to)?,
        },
        EditVerb::Add(at, count) => Edit::AddGroup {
            group: new(at)?,
            command: "bin/new --with 'a word'".to_owned(),
            count: *count,
        },
        EditVerb::Remove(at) => Edit::RemoveGroup {
            group: (names.len() > 1).then(|| group(at))?,
        },
        EditVerb::State(in_git) => Edit::State(if *in_git {
            StateLocation::Url("git+origin".to_owned())
        } else {
            StateLocation::Path("state/moved.json".to_owned())
        }),
        EditVerb::Hold(release, all) => {
            let hold = Hold {
                release: *release,
                groups: (!all).then(|| desired.groups.keys().cloned().collect()),
            };
            return Some(vec![Edit::Hold(Some(hold)), Edit::Hold(None)]);
        }
        // What becomes of one Machine is said with the numbers that follow from it (rule 13).
        EditVerb::MoveMachine(at, to) => {
            let (machine, to) = (machine(at)?, group(to));
            let (from, region) = place(there, &machine)?;
            let fewer = numbers(there, &from, &region, -1);
            let more = numbers(there, &to, &region, 1);
            let moved = Edit::MoveMachine {
                machine,
                to: to.clone(),
            };
            return (from != to).then_some(vec![fewer, more, moved]);
        }
        EditVerb::RemoveMachine(at) => {
            let machine = machine(at)?;
            let (from, region) = place(there, &machine)?;
            let fewer = numbers(there, &from, &region, -1);
            return Some(vec![fewer, Edit::RemoveMachine { machine }]);
        }
    }])
}

/// The group and region of a Machine that is no standby.
fn place(there: &Machines, machine: &MachineId) -> Option<(GroupName, Region)> {
    let machine = &there[machine];
    let is_primary = machine.standby_for.is_empty();
    is_primary.then_some((machine.group.clone()?, machine.region.clone()))
}

/// A group's numbers as they are, but for one region.
fn numbers(there: &Machines, group: &GroupName, region: &Region, by: i32) -> Edit {
    let mut regions: BTreeMap<Region, u32> = BTreeMap::new();
    let its = there
        .values()
        .filter(|m| m.group.as_ref() == Some(group) && m.standby_for.is_empty());
    for machine in its {
        *regions.entry(machine.region.clone()).or_default() += 1;
    }
    let n = regions.entry(region.clone()).or_default();
    *n = n.checked_add_signed(by).unwrap();
    Edit::Layout {
        group: group.clone(),
        layout: GroupLayout {
            regions,
            standby: None,
        },
    }
}

/// Makes the edit, and gives the texts after it.
fn apply_edit(
    texts: &ManifestTexts,
    before: &Desired,
    requested: &Edit,
) -> (ManifestTexts, Desired) {
    let files = ManifestFiles {
        fly: SourceFile {
            path: "fly.toml",
            bytes: texts.fly.as_bytes(),
        },
        aeroform_path: "aeroform.toml",
        aeroform: texts.aeroform.as_deref().map(str::as_bytes),
        new_file_header: "provider = \"local\"\n",
    };
    let edited = edit(files, &overrides(), before, std::slice::from_ref(requested));
    let edited = edited.unwrap_or_else(|error| panic!("{requested:?}: {error:?}\n{texts:#?}"));
    let after = ManifestTexts {
        fly: edited.fly.unwrap_or_else(|| texts.fly.clone()),
        aeroform: edited.aeroform.or_else(|| texts.aeroform.clone()),
    };
    (after, edited.desired)
}

proptest! {
    #![proptest_config(config())]

    /// Holds rule 19.
    #[test]
    fn an_edit_says_what_was_meant_touches_nothing_else_and_leads_to_an_empty_plan(
        first in texts(),
        verbs in proptest::collection::vec(verb(), 1..4),
    ) {
        let mut texts = first;
        let mut desired = read(&texts).unwrap_or_else(|| panic!("{texts:#?}"));
        let mut stage = PlanFixture::with(&desired);
        for verb in &verbs {
            let before = texts.clone();
            for edit in meant(verb, &desired, &stage.observed.machines).unwrap_or_default() {
            let (after, target) = apply_edit(&texts, &desired, &edit);
            let again = read(&after).unwrap();
            prop_assert_eq!(&normalized(again), &normalized(target.clone()));
            assert_edit_is_exact(&desired, &target, &edit);
            assert_only_edit_changed(&texts.fly, &after.fly, &desired, &edit);
            if let (Some(before), Some(after)) = (&texts.aeroform, &after.aeroform) {
                assert_only_edit_changed(before, after, &desired, &edit);
            }
            // The same once more is nothing more.
            if !matches!(edit, Edit::AddGroup { .. } | Edit::RenameGroup { .. } | Edit::RemoveGroup { .. }) {
                let (same, _) = apply_edit(&after, &target, &edit);
                prop_assert_eq!((&same.fly, &same.aeroform), (&after.fly, &after.aeroform));
            }
            texts = after;
            desired = target;
            }
            // What began and ended leaves every byte as it was; a first aeroform.toml stays.
            if let EditVerb::Hold(..) = verb {
                let aeroform = before.aeroform.as_ref().or(texts.aeroform.as_ref());
                prop_assert_eq!((&texts.fly, texts.aeroform.as_ref()), (&before.fly, aeroform));
            }
            stage.apply(&desired);
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: config().cases / 8, ..config() })]

    /// The same over the emulated platform, by the real executor: every call is made and answered.
    #[test]
    fn what_an_edit_leads_to_is_carried_out_and_nothing_is_left_to_do(
        first in texts(),
        verbs in proptest::collection::vec(verb(), 1..4),
    ) {
        let mut texts = first;
        let mut desired = read(&texts).unwrap_or_else(|| panic!("{texts:#?}"));
        let mut world = RealRunFixture::with(&desired);
        for verb in &verbs {
            for edit in meant(verb, &desired, &world.machines()).unwrap_or_default() {
                (texts, desired) = apply_edit(&texts, &desired, &edit);
            }
            // What another checkout has is the files and the state, and nothing of the verb.
            let desired = read(&texts).unwrap();
            world.apply(&desired);
        }
    }
}
