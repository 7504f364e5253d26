//! What flyctl itself makes of files and of existing Machines, read where it lies beside the checkout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aeroform::core::fleet::schema::CONFIG;
use aeroform::core::fleet::{AppName, ConfigBase, GroupName, MachineConfig, diff, normalise};
use aeroform::core::manifest::{
    Loaded, LocalFile, Overrides, Severity, SourceFile, referenced_files,
};
use serde_json::Value;

use crate::{named, on, rendered};

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(name);
    if !path.exists() {
        println!("skipped: there is no ../shared/{name} beside this checkout");
        return None;
    }
    Some(path)
}

fn rows(name: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(shared(name)?).expect("the file can be read");
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"));
    Some(rows.collect())
}

fn text<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {row}"))
}

/// As `validate --app` reads them: a file that a build would make is only warned about, and flyctl was told an
/// app, too, and had no other file. flyctl knows no rules of sizes, so that a file which we refuse for nothing else is read as for a
/// provider that has none, too.
fn read(name: &str, bytes: &[u8]) -> Loaded {
    let with = |provider: &str| {
        let overrides = Overrides {
            app: Some(AppName::new("shop").expect("it is a name")),
            files: referenced_files(SourceFile { path: name, bytes })
                .into_iter()
                .map(|path| (path, LocalFile::Missing))
                .collect(),
            validate_only: true,
            ..on(provider)
        };
        named(name, bytes, &overrides)
    };
    let loaded = with("fly");
    if refusals(&loaded)
        .iter()
        .all(|code| *code == "impossible_size")
    {
        return with("another");
    }
    loaded
}

fn refusals(loaded: &Loaded) -> Vec<&'static str> {
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error);
    errors.map(|found| found.code).collect()
}

/// The configs of all groups as they would be sent for new Machines, image and bookkeeping aside.
fn configs(loaded: &Loaded) -> BTreeMap<String, Value> {
    let groups = loaded.desired.iter().flat_map(|desired| &desired.groups);
    groups
        .map(|(name, group)| {
            let config = group.config_for(ConfigBase::default(), &[], &[]);
            (name.to_string(), without_image(config.to_value()))
        })
        .collect()
}

fn without_image(tree: Value) -> Value {
    let mut tree = normalise::normalise_tree(CONFIG, tree);
    if let Some(map) = tree.as_object_mut() {
        map.remove("image");
    }
    // The image that a build makes, which neither has yet.
    let containers = tree.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if let Some(map) = container.as_object_mut()
            && map.get("image").is_some_and(|image| image == ".")
        {
            map.remove("image");
        }
    }
    tree
}

/// How what we make of a file differs from what flyctl made of it; none where it does not.
fn compared(row: &Value, name: &str, bytes: &[u8]) -> Option<String> {
    let loaded = read(name, bytes);
    let accepted = row["accepted"].as_bool().expect("whether it is accepted");
    match (accepted, loaded.desired.is_some()) {
        (true, true) => {}
        (false, false) => return None,
        (false, true) => return Some("flyctl refuses it".to_owned()),
        (true, false) => return Some(format!("flyctl takes it:\n{}", rendered(&loaded))),
    }
    let ours = configs(&loaded);
    let theirs = row["groups"].as_object().expect("the groups");
    let mut messages = Vec::new();
    for (group, config) in theirs.iter().filter(|(_, config)| !config.is_null()) {
        let Some(own) = ours.get(group) else {
            messages.push(format!("no group {group}"));
            continue;
        };
        for change in diff::diff_by_table(CONFIG, &without_image(config.clone()), own) {
            let path = change.path.join(".");
            let (before, after) = (
                change.before.unwrap_or_default(),
                change.after.unwrap_or_default(),
            );
            messages.push(format!("{group}: {path} {before} -> {after}"));
        }
    }
    (!messages.is_empty()).then(|| messages.join("\n"))
}

/// Prints the figures, and fails where something differs that is not listed, or is listed and does not.
fn judge(what: &str, all: usize, found: &BTreeMap<String, String>, excepted: &[(&str, &str)]) {
    let reason = |name: &str| excepted.iter().find(|(listed, _)| *listed == name);
    println!("{what}: {} of {all} equal", all - found.len());
    let unlisted: Vec<String> = found
        .iter()
        .filter(|(name, _)| reason(name).is_none())
        .map(|(name, messages)| format!("{name}: {messages}"))
        .collect();
    let stale: Vec<_> = excepted
        .iter()
        .filter(|(name, _)| !found.contains_key(*name))
        .collect();
    assert!(
        unlisted.is_empty(),
        "{} differ:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
    assert!(stale.is_empty(), "these are equal by now: {stale:?}");
}

/// Real files that we do not take as flyctl does, and why.
const CORPUS: &[(&str, &str)] = &[
    (
        "074-leadflip-worker.toml",
        "a check without port beside an [http_service] without one",
    ),
    (
        "099-squidbox-worker.toml",
        "`[[processes]]` with a list for a command",
    ),
    (
        "154-flymysql-template.toml",
        "a region that is a placeholder: `$REGION`",
    ),
];

/// Generated files that we do not take as flyctl does, and why.
const GENERATED: &[(&str, &str)] = &[
    (
        "c0.toml",
        "a check without port beside an [http_service] without one",
    ),
    (
        "machine_config_unk.toml",
        "keys of `machine_config` that flyctl does not know are carried, on purpose",
    ),
    (
        "max0.toml",
        "`max_unavailable = 0`: nothing could ever be updated",
    ),
];

#[test]
fn real_files_become_what_flyctl_makes_of_them() {
    let Some(rows) = rows("flyctl/corpus.jsonl") else {
        return;
    };
    let Some(folder) = shared("corpus") else {
        return;
    };
    let mut found = BTreeMap::new();
    for row in &rows {
        let name = text(row, "file");
        let bytes = std::fs::read(folder.join(name)).expect("the file can be read");
        if let Some(messages) = compared(row, name, &bytes) {
            found.insert(name.to_owned(), messages);
        }
    }
    judge("flyctl/corpus.jsonl", rows.len(), &found, CORPUS);
}

#[test]
fn generated_files_become_what_flyctl_makes_of_them() {
    let Some(rows) = rows("flyctl/generated.jsonl") else {
        return;
    };
    let mut found = BTreeMap::new();
    for row in &rows {
        let name = text(row, "name");
        if let Some(messages) = compared(row, name, text(row, "text").as_bytes()) {
            found.insert(name.to_owned(), messages);
        }
    }
    judge("flyctl/generated.jsonl", rows.len(), &found, GENERATED);
}

#[test]
fn existing_machines_become_what_flyctl_makes_of_them() {
    let Some(rows) = rows("flyctl/updates.jsonl") else {
        return;
    };
    let mut found = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let loaded = read("fly.toml", text(row, "fly_toml").as_bytes());
        let group = GroupName::new(text(row, "group")).expect("it is a group");
        let Some(desired) = &loaded.desired else {
            found.insert(at.to_string(), rendered(&loaded));
            continue;
        };
        let config = |key: &str| {
            MachineConfig::from_value(row[key].clone()).expect("a config of the platform's")
        };
        let (live, after) = (config("live"), config("after"));
        let base = ConfigBase {
            existing: Some(&live),
            sent: None,
        };
        let ours = desired.groups[&group].config_for(base, &[], &[]);
        let messages: Vec<String> = diff::diff_by_table(
            CONFIG,
            &without_image(after.to_value()),
            &without_image(ours.to_value()),
        )
        .into_iter()
        .map(|change| {
            let (before, after) = (
                change.before.unwrap_or_default(),
                change.after.unwrap_or_default(),
            );
            format!("{} {before} -> {after}", change.path.join("."))
        })
        .collect();
        if !messages.is_empty() {
            found.insert(at.to_string(), messages.join("\n"));
        }
    }
    judge("flyctl/updates.jsonl", rows.len(), &found, &[]);
}
