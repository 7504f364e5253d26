//! The files of `examples/ci/`, which people copy: the scripts that comment and keep an issue, run against a small copy of both
//! forges' APIs on loopback, and the workflows, read by the linters that others keep.
//!
//! `.ci/run` installs the tools. Where one is missing, the test says so and is skipped.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage has failed"
)]

#[path = "../support/ci_scripts.rs"]
mod ci_scripts;
mod comment;
mod drift;
mod forge;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top folder of the repository.
fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder in which `.ci/run` installs tools.
fn tools() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| top().join("target"))
}

/// Whether a program is on the PATH; says so if not.
fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no {program}; `.ci/run` installs it");
    }
    found
}
