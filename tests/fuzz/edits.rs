//! The engine of edits on damaged manifests: it refuses, or both files say afterwards exactly what was meant
//! and nothing else is another.

use std::collections::BTreeMap;

use aeroform::core::fleet::{Desired, GroupName, Hold, MachineId, Region};
use aeroform::core::manifest::edit::{
    Edit, EditError, GroupLayout, MachineSize, ManifestFiles, edit,
};
use aeroform::core::manifest::{Overrides, SourceFile, StateLocation, load};

use super::engine::FuzzTarget;
use super::judge::{assert_edit_is_exact, assert_only_edit_changed, normalized};
use super::support::{group_name, id, region};
use super::targets::{BETWEEN, TOML};

/// How many edits each input is given.
const EACH: usize = 4;

const FORMS: [(&str, &str); 4] = [
    (
        include_str!("../../examples/storefront/fly.toml"),
        include_str!("../../examples/storefront/aeroform.toml"),
    ),
    (
        "app = \"shop\"\nprocesses = { web = 'a', \"cron\" = \"b\" } # two\nvm = { memory = \"1gb\", processes = ['web'] }\n\
         http_service = { internal_port = 80, processes = [\"web\"] }\n",
        "groups = { web = { count = 2, protect = true }, cron.regions = ['gru', 'ams'] } # all\n\
         moved = [{ machine = \"148ed599c14189\", to = \"web\" }]",
    ),
    (
        "\u{feff}app = \"shop\"\r\n[[processes]]\r\n  name = \"web\" # one\r\n  command = \"a\"\r\n[[processes]]\r\n  \
         name = \"cron\"\r\n  command = \"b\"\r\n\r\n[[vm]]\r\n  memory = 512 # small\r\n[[vm]]\r\n  size = \"performance-1x\"\
         \r\n  processes = [\r\n    \"web\", # mine\r\n    \"cron\" # too\r\n  ]\r\n",
        "\u{feff}# how many\r\ngroups.web.regions.gru = 2 # south\r\ngroups.web.regions.ams = 1\r\ngroups.cron.count = 1",
    ),
    (
        "app = \"shop\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\n[[restart]]\npolicy = \"always\"\n",
        "[groups]\napp.regions = [\n\t\"gru\", # first\n\t\"ams\" # second\n]\n[groups.app.local]\ncommand = \"x\"\n\
         [[removed]]\nmachine = \"aaa\"\n",
    ),
];

pub(crate) fn target() -> FuzzTarget {
    let seeds = FORMS.map(|(fly, ours)| format!("{fly}{BETWEEN}{ours}").into_bytes());
    FuzzTarget {
        name: "edit",
        seeds: seeds.into(),
        words: TOML,
        read,
    }
}

fn overrides() -> Overrides {
    Overrides {
        provider: Some("local".to_owned()),
        ..Overrides::default()
    }
}

fn read(input: &[u8]) -> String {
    // Bytes that are no text are the reader's own business.
    let Ok(text) = std::str::from_utf8(input) else {
        return "no text".to_owned();
    };
    let (fly, ours) = match text.split_once(BETWEEN) {
        Some((fly, ours)) => (fly, Some(ours)),
        None => (text, None),
    };
    let Some(before) = expected(fly, ours) else {
        return "not valid".to_owned();
    };
    // Which ones is chance, but the same for the same input.
    let chance = input.iter().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let edits = all(&before, chance);
    let mut answers: Vec<String> = (0..EACH.min(edits.len()))
        .map(|at| &edits[(chance / 8 + at * 5) % edits.len()])
        .map(|requested| outcome_of(fly, ours, &before, requested))
        .collect();
    answers.sort();
    answers.dedup();
    answers.join(" ")
}

fn expected(fly: &str, ours: Option<&str>) -> Option<Desired> {
    let ours = ours.map(|text| file("aeroform.toml", text));
    load(file("fly.toml", fly), ours, &overrides()).desired
}

fn file<'a>(path: &'a str, text: &'a str) -> SourceFile<'a> {
    SourceFile {
        path,
        bytes: text.as_bytes(),
    }
}

/// Every kind of edit of some group.
fn all(desired: &Desired, chance: usize) -> Vec<Edit> {
    let names: Vec<&GroupName> = desired.groups.keys().collect();
    let Some(group) = names.get(chance % names.len().max(1)) else {
        return Vec::new();
    };
    let group = || (*group).clone();
    let map = |pairs: &[(&str, u32)]| -> BTreeMap<Region, u32> {
        pairs.iter().map(|(name, n)| (region(name), *n)).collect()
    };
    let layout = |pairs: &[(&str, u32)], standby| Edit::Layout {
        group: group(),
        layout: GroupLayout {
            regions: map(pairs),
            standby,
        },
    };
    let size = |kind: &str, memory_mb| Edit::Size {
        group: group(),
        size: MachineSize {
            cpu_kind: kind.to_owned(),
            cpus: 2,
            memory_mb,
        },
    };
    let regions = |names: &[&str]| Edit::Regions {
        group: group(),
        regions: names.iter().map(|name| region(name)).collect(),
        count: None,
    };
    let machine = || -> MachineId { id("148ed599c14189") };
    let mut edits = vec![
        layout(&[("gru", 2), ("bog", 1)], None),
        layout(&[("ams", 5)], Some(1)),
        layout(&[], None),
        size("shared", 2048),
        size("performance", 4096),
        regions(&["gru"]),
        regions(&["bog", "gru", "ams"]),
        Edit::MoveMachine {
            machine: machine(),
            to: group(),
        },
        Edit::RemoveMachine { machine: machine() },
        Edit::State(StateLocation::Url(
            "git+origin?branch=a&path=b.json".to_owned(),
        )),
        Edit::State(StateLocation::Path("state/a \"b\".json".to_owned())),
        Edit::Hold(Some(Hold {
            release: 41,
            groups: Some([group()].into()),
        })),
        Edit::Hold(None),
    ];
    if names.len() > 1 {
        edits.push(Edit::RemoveGroup { group: group() });
    }
    for name in ["app", "zoo-1"].map(group_name) {
        let is_free = !desired.groups.contains_key(&name);
        if is_free {
            edits.push(Edit::AddGroup {
                group: name.clone(),
                command: "bin/new --with 'a word'".to_owned(),
                count: Some(1),
            });
            edits.push(Edit::RenameGroup {
                from: group(),
                to: name,
            });
        }
    }
    edits
}

/// Makes one edit, and judges what came of it.
fn outcome_of(fly: &str, ours: Option<&str>, before: &Desired, requested: &Edit) -> String {
    let files = ManifestFiles {
        fly: file("fly.toml", fly),
        aeroform_path: "aeroform.toml",
        aeroform: ours.map(str::as_bytes),
        new_file_header: "provider = \"local\"\n",
    };
    let kind = format!("{requested:?}");
    let kind = kind.split([' ', '{']).next().unwrap_or_default();
    let edited = match edit(files, &overrides(), before, std::slice::from_ref(requested)) {
        Ok(edited) => edited,
        Err(EditError::NotToml { .. }) => panic!("fly.toml is TOML"),
        Err(EditError::UnsupportedForm { .. }) => return format!("{kind}:exotic"),
        Err(EditError::Invalid { .. }) => return format!("{kind}:invalid"),
    };
    let fly_after = edited.fly.as_deref().unwrap_or(fly);
    let ours_after = edited.aeroform.as_deref().or(ours);
    let after = expected(fly_after, ours_after).expect("what was edited can be read");
    assert_eq!(normalized(after), normalized(edited.desired.clone()));
    assert_edit_is_exact(before, &edited.desired, requested);
    assert_only_edit_changed(fly, fly_after, before, requested);
    if let (Some(text), Some(after)) = (ours, ours_after) {
        assert_only_edit_changed(text, after, before, requested);
    }
    let changed = |new: &Option<String>| if new.is_some() { "~" } else { "=" };
    format!(
        "{kind}:{}{}",
        changed(&edited.fly),
        changed(&edited.aeroform)
    )
}
