//! Real fly.toml files, read where they lie beside the checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aeroform::core::fleet::{Lineage, StoredConfig};
use aeroform::core::manifest::{Loaded, Overrides};

use crate::{on, project, rendered};

/// The folder of real files; not part of the repository.
fn files() -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();
    Some(files)
}

/// As `validate` reads them, with the platform's own lists.
fn validates(provider: &str) -> Overrides {
    Overrides {
        validate_only: true,
        ..on(provider)
    }
}

/// What each refused file is refused for: flyctl refuses it as well, or it is a form to fill in.
const REFUSED: &[(&str, &str)] = &[
    (
        "014",
        "a reference of all keys, some of them wrong on purpose",
    ),
    ("036", "[deploy.strategy] is a table"),
    (
        "063",
        "a service without a group beside [processes], and less memory than there is",
    ),
    (
        "074",
        "a check without a port, and no [http_service] to take one from",
    ),
    ("084", "\"${API_PORT}\" for a port"),
    (
        "085",
        "the same, a service without a group, and [restart] as a table",
    ),
    ("090", "a service without a group beside [processes]"),
    ("092", "nothing but comments"),
    ("099", "a command as a list, without a name"),
    ("100", "\"${FLY_WORKER_APP}\" for an app"),
    (
        "101",
        "[[vm.processes]], and a service of a group that is not there",
    ),
    ("115", "[http_service.checks] as one table"),
    (
        "116",
        "checks without a type, and a service without a group",
    ),
    ("121", "commands as lists"),
    ("126", "`processes = \"web\"`, a text for a list"),
    ("139", "the same"),
    ("141", "REPLACE_ME for an app"),
    ("149", "a shell template, not TOML"),
    ("150", "CHANGE_ME for an app"),
    (
        "154",
        "\"$FLY_APP_NAME\" for an app, \"$REGION\" for a region",
    ),
];

/// The codes of some diagnostics, each once.
fn codes<'d>(found: impl Iterator<Item = &'d aeroform::core::manifest::Diagnostic>) -> String {
    let codes: BTreeSet<_> = found.map(|found| found.code).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

/// One line for a file: its number, whether it loads, what was said, and each group's config as a
/// digest. Nothing of the file itself.
fn verdict(number: &str, loaded: &Loaded) -> String {
    let errors = loaded.diagnostics.errors();
    let said = match codes(loaded.diagnostics.iter().skip(errors)) {
        none if none.is_empty() => none,
        some => format!("  ({some})"),
    };
    let Some(desired) = &loaded.desired else {
        return format!(
            "{number} refused: {}{said}\n",
            codes(loaded.diagnostics.iter().take(errors))
        );
    };
    let lineage = Lineage::new("corpus").expect("a word is a lineage");
    let groups = desired.groups.values();
    let digests: Vec<String> = groups
        .map(|group| {
            let digest = StoredConfig::from_config(&group.template, &lineage).digest();
            digest.as_str()[..8].to_owned()
        })
        .collect();
    format!("{number} loads: {}{said}\n", digests.join(" "))
}

#[test]
fn real_files_load_or_are_refused_for_a_reason_their_author_would_agree_with() {
    let Some(files) = files() else {
        println!("skipped: there is no ../shared/corpus beside this checkout");
        return;
    };
    let mut refused = BTreeMap::new();
    let mut verdicts = String::new();
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let loaded = project(&std::fs::read(path).unwrap(), None, &validates("fly"));
        assert_eq!(
            loaded.desired.is_none(),
            loaded.diagnostics.has_errors(),
            "{name}"
        );
        verdicts.push_str(&verdict(&name[..3], &loaded));
        if loaded.desired.is_none() {
            refused.insert(name[..3].to_owned(), rendered(&loaded));
        }
    }
    println!(
        "{} of {} real files load",
        files.len() - refused.len(),
        files.len()
    );
    let expected: BTreeMap<_, _> = REFUSED.iter().copied().collect();
    for (number, text) in &refused {
        assert!(
            expected.contains_key(&**number),
            "{number} is refused:\n{text}"
        );
    }
    for (number, why) in expected {
        assert!(refused.contains_key(number), "{number} loads: {why}");
    }
    assert!(files.len() >= 160, "only {} files were read", files.len());
    insta::assert_snapshot!("corpus", verdicts);
}

#[test]
fn no_real_file_is_refused_on_this_machine_for_more_than_its_commands() {
    let Some(files) = files() else {
        println!("skipped: there is no ../shared/corpus beside this checkout");
        return;
    };
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let fly = project(&bytes, None, &on("fly"));
        let local = project(&bytes, None, &on("local"));
        let others = |loaded: &Loaded, code: &[&str]| {
            let errors = loaded.diagnostics.iter().take(loaded.diagnostics.errors());
            errors.filter(|found| !code.contains(&found.code)).count()
        };
        // What Fly does not offer is no mistake where sizes and regions are only shown.
        let here = others(&local, &["no_command"]);
        let there = others(&fly, &["impossible_size", "unknown_region"]);
        assert_eq!(here, there, "{}", path.display());
    }
}

#[test]
fn the_examples_load_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = std::fs::read_dir(folder).unwrap();
    let mut count = 0;
    for example in folders.map(|entry| entry.unwrap().path()) {
        let Ok(fly) = std::fs::read(example.join("fly.toml")) else {
            continue;
        };
        let aeroform = std::fs::read(example.join("aeroform.toml")).ok();
        let loaded = project(&fly, aeroform.as_deref(), &Overrides::default());
        assert!(loaded.diagnostics.is_empty(), "{}", rendered(&loaded));
        count += 1;
    }
    assert!(count >= 3, "only {count} examples were read");
}
