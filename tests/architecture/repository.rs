//! What the repository holds, and the files that everybody looks for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::assert_none;

/// The largest file that may be committed, bytes.
const LARGEST: u64 = 512 * 1024;

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is committed or about to be: tracked, or new and not ignored.
pub(crate) fn files() -> BTreeSet<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git is there");
    assert!(output.status.success(), "the tests run in a git work tree");
    let files: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .split_terminator('\0')
        .filter(|file| root().join(file).exists())
        .map(str::to_owned)
        .collect();
    assert!(files.contains("Cargo.toml"), "the files were found");
    files
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn is_output(file: &str) -> bool {
    let folders = ["target", "node_modules", "__pycache__", ".aeroform"];
    let endings = [
        ".db",
        ".db-shm",
        ".db-wal",
        ".log",
        ".profraw",
        ".pyc",
        ".snap.new",
        ".tmp",
    ];
    file.split('/').any(|part| folders.contains(&part))
        || endings.iter().any(|ending| file.ends_with(ending))
}

#[test]
fn no_build_output_and_no_large_file_is_committed() {
    let mut found = Vec::new();
    for file in files() {
        if is_output(&file) {
            found.push(format!("{file}: made by a build or a run"));
        }
        let size = fs::symlink_metadata(root().join(&file)).unwrap().len();
        if size > LARGEST {
            found.push(format!("{file}: {} KiB", size / 1024));
        }
    }
    assert_none("the repository holds sources only", &found);
    assert!(is_output("target/debug/aeroform") && is_output("a/b.log"));
}

#[test]
fn state_of_local_runs_and_build_output_are_ignored() {
    for file in [
        "target/debug/aeroform",
        "examples/storefront/state/storefront.json",
        "examples/storefront/app/__pycache__/web.pyc",
        "journal.db",
    ] {
        let status = Command::new("git")
            .args(["check-ignore", "--quiet", "--no-index", file])
            .current_dir(root())
            .status()
            .expect("git is there");
        assert!(status.success(), "{file} is not ignored");
    }
}

#[test]
fn the_licences_are_there_in_full_and_the_manifest_names_them() {
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    let apache = read("LICENSE-APACHE");
    assert!(apache.contains("Version 2.0, January 2004"));
    assert!(apache.contains("END OF TERMS AND CONDITIONS"));
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
}

#[test]
fn the_changelog_begins_with_what_is_unreleased() {
    let text = read("CHANGELOG.md");
    let first = text.lines().find(|line| line.starts_with("## "));
    assert_eq!(first, Some("## [Unreleased]"));
}

#[test]
fn ci_runs_the_command_that_the_readme_names() {
    let readme = read("README.md");
    assert!(readme.contains("\ncargo run -- -C examples/storefront apply -y\n"));
    assert!(readme.contains("\ncargo test\n"));
    let ci = read(".ci/run");
    assert!(
        ci.lines().any(|line| line == "section 'tests' cargo test"),
        ".ci/run calls exactly the README's test command"
    );
}

#[test]
fn just_ci_calls_the_one_truth() {
    let justfile = read("justfile");
    assert!(justfile.contains("\nci:\n    .ci/run\n"));
}
