//! The rules of the house that no compiler checks: who may use whom, what the core may touch, what the
//! repository holds, where its pages point, and what it may depend on.
//!
//! Each test reads the files as they are and names file and line of what breaks a rule.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the house has failed"
)]

mod arrows;
mod citations;
mod dependencies;
mod errors;
mod examples;
mod pages;
mod repository;
mod rust;
#[path = "../support/mod.rs"]
mod support;
mod windows;
mod words;

/// Fails with all findings at once, so that one run shows everything that is to be done.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
