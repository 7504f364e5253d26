//! The program against people who mean harm: manifests of a pull request and servers that others control.

mod offline_plan;
mod pull_request;
mod runner_commands;
mod secrets;
mod token;

use std::process::Output;

/// Fails when a stream of this run holds what a CI runner or a terminal would obey.
#[track_caller]
fn assert_harmless(what: &str, output: &Output, colored: bool) {
    let color = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes).unwrap();
        let plain = if colored {
            color.replace_all(text, "").into_owned()
        } else {
            text.to_owned()
        };
        let lower = plain.to_ascii_lowercase();
        for order in ["##[", "##vso[", "##teamcity["] {
            assert!(
                !lower.contains(order),
                "{what}: {order} in {stream}:\n{text}"
            );
        }
        let begins = |line: &str| line.trim_start().starts_with("::");
        assert!(
            !plain.split(['\n', '\r']).any(begins),
            "{what}: `::` in {stream}:\n{text}"
        );
        let moves = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!plain.contains(moves), "{what}: {stream}:\n{text:?}");
    }
}

/// All that stands below a folder, names included.
fn everything_in(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(everything_in(&path)),
            kind if kind.is_file() => found.push((name, std::fs::read(&path).unwrap_or_default())),
            _ => {}
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
