//! The rules of the project that no compiler checks: who may use whom, what the core may touch, what the
//! repository holds, where its pages point, and what it may depend on.
//!
//! Each test reads the files as they are and names file and line of what breaks a rule.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the project has failed"
)]

mod citations;
mod crash_windows;
mod dependencies;
mod doc_pages;
mod errors;
mod examples;
mod layers;
mod repository;
mod rust_source;
mod source_rules;
#[path = "../support/mod.rs"]
mod support;

/// Fails with all findings at once, so that one run shows everything that is to be done.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
