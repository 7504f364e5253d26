//! A branch `aeroform-state` of many commits, each of which is a state.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes it in a bare repository, in one packed import.
pub(crate) fn long_branch(bare: &Path, commits: usize) {
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(bare)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    for n in 1..=commits {
        let (message, text) = (format!("shop: serial {n}"), format!("state {n}"));
        write!(
            input,
            "commit refs/heads/aeroform-state\ncommitter Ana <ana@localhost> {n} +0000\n\
             data {}\n{message}\nM 100644 inline shop.json\ndata {}\n{text}\n",
            message.len(),
            text.len()
        )
        .unwrap();
    }
    drop(input);
    assert!(import.wait().unwrap().success());
}
