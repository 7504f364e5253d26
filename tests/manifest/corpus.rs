//! Real fly.toml files, read where they lie beside the checkout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aeroform::core::manifest::Overrides;

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

/// What each refused file is refused for: flyctl refuses it as well, or it is a form to fill in.
const REFUSED: &[(&str, &str)] = &[
    // A reference of all keys, some of them wrong on purpose.
    ("014", "bad_value service_without_group undefined_group"),
    // [deploy.strategy] is a table.
    ("036", "wrong_type"),
    // The app comes from a flag.
    ("041", "no_app"),
    // [[processes]] with `cmd`.
    ("049", "missing_key"),
    // A service without a group beside [processes].
    ("063", "service_without_group"),
    // A generator's sample without an app.
    ("069", "no_app"),
    // A check without a port.
    ("074", "check_without_port"),
    // "${API_PORT}" for a port.
    ("084", "wrong_type"),
    // The same, and [restart] as a table.
    ("085", "service_without_group wrong_type"),
    // The same.
    ("090", "service_without_group"),
    // Nothing but comments.
    ("092", "no_app"),
    // A command as a list, without a name.
    ("099", "missing_key wrong_type"),
    // "${FLY_WORKER_APP}" for an app.
    ("100", "bad_value"),
    // [[vm.processes]], and a service of a group that is not there.
    ("101", "undefined_group wrong_type"),
    // A form without an app.
    ("103", "no_app"),
    // [http_service.checks] as a table.
    ("115", "wrong_type"),
    // Checks without a type, and a service without a group.
    ("116", "bad_check service_without_group"),
    // Commands as lists.
    ("121", "wrong_type"),
    // `processes = "web"`.
    ("126", "wrong_type"),
    // The same.
    ("139", "wrong_type"),
    // REPLACE_ME for an app.
    ("141", "bad_value"),
    // A shell template, not TOML.
    ("149", "syntax"),
    // CHANGE_ME for an app.
    ("150", "bad_value"),
    // A form without an app.
    ("152", "no_app"),
    // "$FLY_APP_NAME" for an app, "$REGION" for a region.
    ("154", "bad_value"),
    // A form without an app.
    ("155", "no_app"),
];

#[test]
fn real_files_load_or_are_refused_for_a_reason_their_author_would_agree_with() {
    let Some(files) = files() else {
        println!("skipped: there is no ../shared/corpus beside this checkout");
        return;
    };
    let mut refused = BTreeMap::new();
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let loaded = project(&std::fs::read(path).unwrap(), None, &on("fly"));
        assert_eq!(
            loaded.desired.is_none(),
            loaded.diagnostics.has_errors(),
            "{name}"
        );
        if loaded.desired.is_none() {
            let codes = loaded.diagnostics.iter();
            let errors = loaded.diagnostics.errors();
            let mut codes: Vec<_> = codes.take(errors).map(|found| found.code).collect();
            codes.sort_unstable();
            codes.dedup();
            refused.insert(&name[..3], (codes.join(" "), rendered(&loaded)));
        }
    }
    println!(
        "{} of {} real files load",
        files.len() - refused.len(),
        files.len()
    );
    let expected: BTreeMap<_, _> = REFUSED.iter().copied().collect();
    for (number, (codes, text)) in &refused {
        assert_eq!(
            expected.get(number),
            Some(&codes.as_str()),
            "{number}:\n{text}"
        );
    }
    assert_eq!(
        refused.len(),
        expected.len(),
        "a file that was refused now loads"
    );
    assert!(files.len() >= 160, "only {} files were read", files.len());
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
        let without_command = local
            .diagnostics
            .iter()
            .filter(|found| found.code == "no_command");
        let others = local.diagnostics.errors() - without_command.count();
        assert_eq!(others, fly.diagnostics.errors(), "{}", path.display());
    }
}

#[test]
fn the_examples_load_with_no_word_but_of_release_commands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = std::fs::read_dir(folder).unwrap();
    let mut count = 0;
    for example in folders.map(|entry| entry.unwrap().path()) {
        let Ok(fly) = std::fs::read(example.join("fly.toml")) else {
            continue;
        };
        let aeroform = std::fs::read(example.join("aeroform.toml")).ok();
        let loaded = project(&fly, aeroform.as_deref(), &Overrides::default());
        // A release command is told of wherever it stands.
        let mut found = loaded.diagnostics.iter();
        let quiet = found.all(|found| found.code == "command_not_run");
        assert!(quiet, "{}", rendered(&loaded));
        count += 1;
    }
    assert!(count >= 3, "only {count} examples were read");
}
