//! The walk of docs/emulator.md, word for word: its files, its commands, and what it promises of them.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, on};
use crate::sandbox::Sandbox;

/// A fenced block: what stands behind its fence, and its text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let (_, rest) = page.split_once("<!-- walk -->").unwrap();
    let (walk, _) = rest.split_once("<!-- /walk -->").unwrap();
    let parts: Vec<&str> = walk.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    fenced
        .map(|block| {
            let (head, text) = block.split_once('\n').unwrap();
            (head.to_owned(), text.to_owned())
        })
        .collect()
}

struct DocWalk {
    sandbox: Sandbox,
    platform: Option<EmulatorProcess>,
    said: String,
}

impl DocWalk {
    fn step(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["export", ..] => {}
            ["curl", ..] => {
                let (_, body) = line.split_once("-d '").unwrap();
                let body: Value = serde_json::from_str(body.trim_end_matches('\'')).unwrap();
                let platform = self.platform.as_ref().unwrap();
                assert!(line.contains("/v1/apps -d"), "{line}");
                assert_eq!(platform.ask("POST", "/v1/apps", &body).0, 201, "{line}");
            }
            ["aeroform", "emulator", flags @ ..] => {
                self.platform = None;
                self.platform = Some(EmulatorProcess::start(&self.sandbox, flags));
            }
            ["aeroform", args @ ..] => {
                let platform = self.platform.as_ref().unwrap();
                let mut command = on(&self.sandbox, platform, args);
                let output = command.stdin(Stdio::null()).output().unwrap();
                self.said = self.sandbox.show(&output);
                assert!(self.said.starts_with("exit 0\n"), "{line}: {}", self.said);
            }
            _ => panic!("the walk says `{line}`, which nobody understands"),
        }
    }
}

#[test]
fn the_walk_of_the_emulator_s_page_goes_as_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/emulator.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut walker = DocWalk {
        sandbox: Sandbox::new(),
        platform: None,
        said: String::new(),
    };
    for (head, text) in blocks(&page) {
        match head.split_once(' ') {
            Some(("toml", name)) => walker.sandbox.write(name, &text),
            _ => text.lines().for_each(|line| walker.step(line)),
        }
    }
    assert!(walker.said.contains("No changes."), "{}", walker.said);
    let platform = walker.platform.unwrap();
    let machines = platform.machines();
    assert_eq!(machines.len(), 3);
    for machine in machines {
        let events = machine["events"].as_array().unwrap();
        let updates = events.iter().filter(|event| event["type"] == "update");
        assert_eq!(updates.count(), 1, "{machine}");
        assert_eq!(machine["state"], json!("started"));
    }
}
