//! The Fly example apps can be planned by anybody, offline, from the state files that are committed for
//! them, and there is nothing to do. `SNAPSHOTS=overwrite` makes those files again, through the planner
//! and the writer of states, as a first apply would.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aeroform::core::fleet::{Desired, Known, Lineage, MachineId, RunId, VolumeId};
use aeroform::core::manifest::{self, Diagnostics, Loaded, Overrides, SourceFile, StateLocation};
use aeroform::core::plan::{Options, check, plan};
use aeroform::core::state;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use crate::assert_none;
use crate::repository::root;
use crate::support::PlanFixture;

const EXAMPLES: [&str; 2] = ["fly-minimal", "fly-rails"];

/// What an example's manifests say.
fn load(example: &str, overrides: &Overrides) -> Loaded {
    let folder = root().join("examples").join(example);
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let (fly, aeroform) = (read("fly.toml"), read("aeroform.toml"));
    let file = |path, bytes| SourceFile { path, bytes };
    manifest::load(
        file("fly.toml", &fly),
        Some(file("aeroform.toml", &aeroform)),
        overrides,
    )
}

/// What an example wants, and where its state is.
fn expected(example: &str) -> (Desired, PathBuf) {
    let loaded = load(example, &Overrides::default());
    let desired = loaded.desired.expect("another test reads the manifests");
    let Some(StateLocation::Path(path)) = loaded.settings.state else {
        panic!("{example} names the file of its state");
    };
    (desired, root().join("examples").join(example).join(path))
}

/// The state after a first apply.
fn applied(desired: &Desired) -> Known {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.known = Known::empty(desired.app.clone(), desired.provider.clone());
    stage.observed.app = desired.app.clone();
    stage.observed.description.scope =
        Lineage::new(token(desired.app.as_ref(), 12)).expect("lower-case letters");
    stage.apply(desired);
    renamed(stage.known)
}

/// Gives what the stage numbers the looks of the platform.
fn renamed(mut known: Known) -> Known {
    let app = known.app.to_string();
    let machine = |id: &MachineId| {
        let digest = Sha256::digest(format!("{app} {id}"));
        MachineId::new(HEXLOWER.encode(&digest[..7])).expect("hex digits")
    };
    let volume = |id: &VolumeId| {
        VolumeId::new(format!("vol_{}", token(&format!("{app} {id}"), 16))).expect("letters")
    };
    let run = RunId::new(token(&format!("{app} run"), 10)).expect("letters");
    known.run = Some(run.clone());
    for record in &mut known.runs {
        record.run = run.clone();
        "2026-11-20T09:12:44Z".clone_into(&mut record.at);
        "pipeline".clone_into(&mut record.by);
    }
    let machines: BTreeMap<_, _> = known
        .machines
        .into_iter()
        .map(|(id, mut known)| {
            known.volumes = known.volumes.iter().map(volume).collect();
            known.standby_for = known.standby_for.iter().map(machine).collect();
            (machine(&id), known)
        })
        .collect();
    known.machines = machines;
    known
}

fn token(text: &str, letters: usize) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(text))[..letters].to_ascii_lowercase()
}

/// What is wrong with an example's committed state.
fn findings(example: &str, desired: &Desired, text: &str) -> Vec<String> {
    let known = match state::read(text, &desired.app) {
        Ok(known) => known,
        Err(error) => return vec![format!("{example}: {error}")],
    };
    let mut found = Vec::new();
    if state::write(&known) != text {
        found.push(format!(
            "{example}: its state is not laid out as the writer lays it out"
        ));
    }
    let planned = plan(desired, &known, None, &Options::default());
    if !planned.is_empty() || !planned.refusals.is_empty() {
        let lines = planned.summary_lines().join("\n    ");
        found.push(format!(
            "{example}: an offline plan finds something to do:\n    {lines}"
        ));
    }
    assert_eq!(check(&planned, desired, &known, None), []);
    found
}

#[test]
fn the_fly_examples_plan_offline_and_have_nothing_to_do() {
    let overwrite = std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite");
    let mut found = Vec::new();
    for example in EXAMPLES {
        let (desired, path) = expected(example);
        assert!(path.starts_with(root()));
        let mut new = findings(
            example,
            &desired,
            &fs::read_to_string(&path).unwrap_or_default(),
        );
        if overwrite && !new.is_empty() {
            let text = state::write(&applied(&desired));
            new = findings(example, &desired, &text);
            fs::write(&path, text).unwrap();
        }
        found.extend(new);
    }
    assert_none("`SNAPSHOTS=overwrite` makes the states again", &found);
}

#[test]
fn the_manifests_of_every_example_are_read_without_a_word() {
    let strict = Overrides {
        strict: true,
        ..Overrides::default()
    };
    let mut seen = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let entry = entry.unwrap();
        if !entry.path().join("fly.toml").is_file() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        let loaded = load(&name, &strict);
        assert!(
            loaded.desired.is_some(),
            "{name}: {:#?}",
            loaded.diagnostics
        );
        let nothing = Diagnostics::default();
        assert_eq!(
            format!("{:?}", loaded.diagnostics),
            format!("{nothing:?}"),
            "{name}"
        );
        seen += 1;
    }
    assert!(seen >= EXAMPLES.len(), "the examples were found");
}
