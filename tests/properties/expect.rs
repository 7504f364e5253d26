//! `--expect`: what passes was listed, what only the provider could know passes, and an edited file never
//! lets anything pass that the original does not.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{Desired, GroupName, Region};
use aeroform::core::plan::{
    Action, Change, Excess, ExcessKind, Options, Plan, Removal, SavedPlan, plan,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::config;
use crate::random::{OutsideChange, apply_outside_change, manifest, outside_change};
use crate::support::PlanFixture;

type Outside = Vec<OutsideChange>;

/// A reviewed plan, and what it is compared with later.
struct Compared {
    reviewed: Plan,
    fresh: Plan,
    desired: Desired,
}

fn compared(
    before: &Desired,
    reviewed: &Desired,
    after: &Desired,
    outside: &Outside,
    online: bool,
) -> Compared {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    let first = stage.plan(before);
    stage.carry_out(before, &first);
    let file = if online {
        stage.plan(reviewed)
    } else {
        stage.offline(reviewed)
    };
    for (at, change) in outside.iter().enumerate() {
        apply_outside_change(&mut stage, change, at);
    }
    Compared {
        reviewed: file,
        fresh: plan(
            after,
            &stage.known,
            Some(&stage.observed),
            &Options::default(),
        ),
        desired: after.clone(),
    }
}

fn destroys(kind: &ExcessKind) -> bool {
    matches!(
        kind,
        ExcessKind::Destroys
            | ExcessKind::DestroysOutsiders
            | ExcessKind::LeavesVolumes
            | ExcessKind::Replaces
            | ExcessKind::Reverts(_)
            | ExcessKind::Shrinks
    )
}

type Counts = BTreeMap<(GroupName, Region), usize>;

fn count(plan: &Plan, of: impl Fn(&Change) -> bool) -> Counts {
    let mut counts = Counts::new();
    for (_, change) in plan.changes().filter(|(_, change)| of(change)) {
        let place = (change.group.clone(), change.region.clone());
        *counts.entry(place).or_default() += 1;
    }
    counts
}

fn is_lost(change: &Change) -> bool {
    matches!(&change.action, Action::Destroy { removal, .. } if *removal != Removal::Replaced)
}

fn is_create(change: &Change) -> bool {
    matches!(change.action, Action::Create { .. })
}

/// Nothing passes that a reader of both plans would not find in the reviewed one. Reads the plans and the
/// manifests themselves, and not their saved form.
fn assert_listed(compared: &Compared, reviewed_manifest: &Desired) {
    let Compared {
        reviewed,
        fresh,
        desired,
    } = compared;
    let more = |of: fn(&Change) -> bool, lost: &BTreeMap<GroupName, usize>| {
        let listed = count(reviewed, of);
        let mut beyond = BTreeMap::<GroupName, usize>::new();
        for ((group, region), n) in count(fresh, of) {
            let listed = listed.get(&(group.clone(), region)).copied();
            *beyond.entry(group).or_default() += n.saturating_sub(listed.unwrap_or(0));
        }
        beyond.retain(|group, n| *n > lost.get(group).copied().unwrap_or(0));
        beyond
    };
    let none = BTreeMap::new();
    assert_eq!(more(is_lost, &none), none, "{:#?}", fresh.summary_lines());
    // A lost Machine may be created again; after a rename that is in the new group.
    let mut lost = BTreeMap::new();
    if !reviewed.online {
        let forgotten = |change: &Change| change.action == Action::Forget;
        for ((group, _), n) in count(fresh, forgotten) {
            *lost.entry(group).or_default() += n;
        }
    }
    assert_eq!(more(is_create, &lost), none, "{:#?}", fresh.summary_lines());
    let ids = |plan: &Plan, of: fn(&Change) -> bool| -> BTreeSet<_> {
        let changes = plan.changes().filter(|(_, change)| of(change));
        changes
            .filter_map(|(_, change)| change.machine.id.clone())
            .collect()
    };
    let is_update = |change: &Change| matches!(change.action, Action::Update { .. });
    if reviewed.online {
        for of in [is_lost as fn(&Change) -> bool, is_update] {
            let (listed, now) = (ids(reviewed, of), ids(fresh, of));
            assert!(now.is_subset(&listed), "{now:?} {listed:?}");
        }
    }
    // The values that are sent are those of the reviewed manifests.
    for (_, change) in fresh
        .changes()
        .filter(|(_, change)| change.action.sends_config())
    {
        let (Some(now), Some(then)) = (
            desired.groups.get(&change.group),
            reviewed_manifest.groups.get(&change.group),
        ) else {
            continue;
        };
        let (now, then) = (now.template.to_value(), then.template.to_value());
        let tops = change.changes.iter().filter_map(|field| field.path.first());
        for top in tops {
            assert_eq!(now.get(top), then.get(top), "{top} of {}", change.group);
        }
        if is_create(change) {
            assert_eq!(now, then, "{}", change.group);
        }
    }
}

/// One edit of a JSON file, at a place that is chosen by a number.
#[derive(Debug, Clone)]
enum Edit {
    Remove(usize),
    Repeat(usize),
    Text(usize, usize),
    Number(usize, i64),
    Flip(usize),
    Copy(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..4000usize;
    prop_oneof![
        at().prop_map(Edit::Remove),
        at().prop_map(Edit::Repeat),
        (at(), at()).prop_map(|(at, from)| Edit::Text(at, from)),
        (at(), -2..3i64).prop_map(|(at, by)| Edit::Number(at, by)),
        at().prop_map(Edit::Flip),
        (at(), at()).prop_map(|(at, from)| Edit::Copy(at, from)),
    ]
}

/// The paths of all values.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Edits a file with its own values and those of the plan that it is to let pass.
fn apply_edit(file: &mut Value, edit: &Edit, source: &Value) {
    let (mut paths, mut sources) = (Vec::new(), Vec::new());
    pointers(file, "", &mut paths);
    pointers(source, "", &mut sources);
    let place = |at: usize| paths[at % paths.len()].clone();
    match edit {
        Edit::Remove(at) => {
            let place = place(*at);
            let Some((parent, key)) = place.rsplit_once('/') else {
                return;
            };
            match file.pointer_mut(parent).unwrap() {
                Value::Object(fields) => {
                    drop(fields.remove(&key.replace("~1", "/").replace("~0", "~")));
                }
                Value::Array(items) => drop(items.remove(key.parse().unwrap())),
                _ => {}
            }
        }
        Edit::Repeat(at) => {
            if let Value::Array(items) = file.pointer_mut(&place(*at)).unwrap() {
                items.extend(items.first().cloned());
            }
        }
        Edit::Text(at, from) => {
            let texts: Vec<_> = sources
                .iter()
                .filter_map(|at| source.pointer(at)?.as_str())
                .collect();
            if let Value::String(text) = file.pointer_mut(&place(*at)).unwrap() {
                texts[from % texts.len()].clone_into(text);
            }
        }
        Edit::Number(at, by) => {
            let value = file.pointer_mut(&place(*at)).unwrap();
            if let Some(n) = value.as_i64() {
                *value = (n + by).into();
            }
        }
        Edit::Flip(at) => {
            if let Value::Bool(flag) = file.pointer_mut(&place(*at)).unwrap() {
                *flag = !*flag;
            }
        }
        // What the other plan has at a place of the same kind, such as all its steps.
        Edit::Copy(at, from) => {
            let place = place(*at);
            let same = source
                .pointer(&place)
                .or_else(|| source.pointer(&sources[from % sources.len()]));
            if let Some(value) = same.cloned() {
                *file.pointer_mut(&place).unwrap() = value;
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_passes_is_what_was_listed(
        before in manifest(),
        reviewed in manifest(),
        after in proptest::option::of(manifest()),
        outside in proptest::collection::vec(outside_change(), 0..4),
        online in any::<bool>(),
    ) {
        let after = after.as_ref().unwrap_or(&reviewed);
        let compared = compared(&before, &reviewed, after, &outside, online);
        let file = SavedPlan::of(&compared.reviewed);
        if file.excesses(&compared.fresh, &compared.desired).is_empty() {
            assert_listed(&compared, &reviewed);
        }
    }

    /// With the same manifests and state the world alone is different.
    #[test]
    fn what_only_the_provider_could_know_is_an_excess_only_where_something_is_lost(
        before in manifest(),
        reviewed in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..4),
    ) {
        let compared = compared(&before, &reviewed, &reviewed, &outside, false);
        let file = SavedPlan::of(&compared.reviewed);
        let found = file.excesses(&compared.fresh, &compared.desired);
        let texts: Vec<String> = found.iter().map(Excess::to_string).collect();
        // Which Machines are destroyed is decided with the provider's answer: others of the group may move then.
        let is_lost_elsewhere = compared.fresh.changes().any(|(_, change)| is_lost(change));
        // So are the regions in which the Machines of a group end, unless the files set them all.
        let ends_elsewhere = |excess: &Excess| {
            let (group, _) = excess.place.as_ref()?;
            let final_counts = |plan: &Plan| -> Option<BTreeMap<Region, u32>> {
                let group = plan.groups.iter().find(|change| change.name == *group)?;
                let final_counts = group.regions.iter().map(|(region, (_, after))| (region.clone(), *after));
                Some(final_counts.filter(|(_, after)| *after > 0).collect())
            };
            Some(final_counts(&compared.reviewed) != final_counts(&compared.fresh))
        };
        let is_cause = |excess: &Excess| {
            let moves = matches!(excess.kind, ExcessKind::Moves(_)) && is_lost_elsewhere;
            moves || destroys(&excess.kind) || ends_elsewhere(excess) == Some(true)
        };
        prop_assert!(
            found.is_empty() || found.iter().any(is_cause),
            "{texts:#?} {:#?} {:#?}",
            compared.reviewed.summary_lines(),
            compared.fresh.summary_lines()
        );
    }

    #[test]
    fn without_a_change_a_plan_never_exceeds_itself(before in manifest(), reviewed in manifest()) {
        let compared = compared(&before, &reviewed, &reviewed, &Vec::new(), true);
        let file = SavedPlan::of(&compared.reviewed);
        prop_assert_eq!(file.excesses(&compared.fresh, &compared.desired), vec![]);
        prop_assert_eq!(file.plan_digest(), compared.fresh.plan_digest());
    }

    /// An edited file is refused or says the same as the original. One whose checksum is computed again is
    /// another file: what it lets pass is what it lists.
    #[test]
    fn a_hand_edited_file_never_widens_anything(
        before in manifest(),
        reviewed in manifest(),
        after in manifest(),
        edits in proptest::collection::vec(edit(), 1..4),
        online in any::<bool>(),
    ) {
        let compared = compared(&before, &reviewed, &after, &Vec::new(), online);
        let original = SavedPlan::of(&compared.reviewed);
        let mut file: Value = serde_json::from_str(&original.to_json()).unwrap();
        let target: Value = serde_json::from_str(&SavedPlan::of(&compared.fresh).to_json()).unwrap();
        for edit in &edits {
            apply_edit(&mut file, edit, &target);
        }
        if let Ok(read) = SavedPlan::parse(&file.to_string()) {
            let is_other_file = read == SavedPlan::of(&compared.fresh);
            prop_assert!(read == original || is_other_file, "an edit was not noticed");
        }
        let Value::Object(mut fields) = file else { return Ok(()) };
        fields.remove("checksum");
        let Ok(edited) = serde_json::from_value::<SavedPlan>(Value::Object(fields)) else { return Ok(()) };
        if edited.check_target(&compared.fresh).is_err() {
            return Ok(());
        }
        if edited.excesses(&compared.fresh, &compared.desired).is_empty() {
            let listed = edited.steps.iter().filter_map(|step| step.change.as_ref());
            let lost = listed.filter(|one| {
                matches!(&one.action, Action::Destroy { removal, .. } if *removal != Removal::Replaced)
            });
            let mut allowed = Counts::new();
            for one in lost {
                *allowed.entry((one.group.clone(), one.region.clone())).or_default() += 1;
            }
            for (place, n) in count(&compared.fresh, is_lost) {
                prop_assert!(n <= allowed.get(&place).copied().unwrap_or(0), "{place:?}");
            }
        }
    }
}
