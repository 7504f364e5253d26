//! Texts before and after edits.

mod groups;
mod hold;
mod machines;
mod numbers;
mod sizes;
mod state;

use std::collections::BTreeMap;

use super::*;
use crate::core::fleet::Region;

const FLY: &str = "app = \"shop\"\nprimary_region = \"ams\"\n\n[processes]\nweb = \"a\"\ncron = \"b\"\n\n[[services]]\ninternal_port = 80\nprocesses = [\"web\"]\n";

/// aeroform.toml after an edit.
fn ours(text: Option<&str>, edits: &[Edit]) -> Result<String, EditError> {
    both(FLY, text, edits).map(|edited| {
        assert_eq!(edited.fly, None);
        edited
            .aeroform
            .unwrap_or_else(|| text.unwrap_or("").to_owned())
    })
}

fn both(fly: &str, text: Option<&str>, edits: &[Edit]) -> Result<Edited, EditError> {
    let overrides = Overrides {
        // A group without a command runs its image's, and only there is one.
        provider: (!fly.contains("processes")).then(|| "fly".to_owned()),
        ..Overrides::default()
    };
    let files = ManifestFiles {
        fly: SourceFile {
            path: "fly.toml",
            bytes: fly.as_bytes(),
        },
        aeroform_path: "aeroform.toml",
        aeroform: text.map(str::as_bytes),
        new_file_header: "provider = \"local\"\n",
    };
    let ours = text.map(|text| SourceFile {
        path: "aeroform.toml",
        bytes: text.as_bytes(),
    });
    let loaded = load(files.fly, ours, &overrides);
    let before = loaded.desired.unwrap_or_else(|| {
        let found: Vec<_> = loaded.diagnostics.iter().map(|d| &d.message).collect();
        panic!("{text:?}: {found:?}")
    });
    edit(files, &overrides, &before, edits)
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn layout(name: &str, regions: &str) -> Edit {
    let regions: BTreeMap<Region, u32> = regions
        .split_whitespace()
        .map(|part| part.split_once('=').unwrap())
        .map(|(region, n)| (Region::new(region).unwrap(), n.parse().unwrap()))
        .collect();
    Edit::Layout {
        group: group(name),
        layout: GroupLayout {
            regions,
            standby: None,
        },
    }
}

#[track_caller]
fn becomes(before: &str, edit: Edit, after: &str) {
    let got = ours(Some(before), std::slice::from_ref(&edit)).unwrap();
    assert_eq!(got, after, "from {before:?}");
    // The same once more changes nothing.
    assert_eq!(ours(Some(after), &[edit]).unwrap(), after);
}

/// What an edit changes in both files.
fn shown(fly: &str, text: Option<&str>, edit: Edit) -> String {
    let edited = match both(fly, text, &[edit]) {
        Ok(edited) => edited,
        Err(EditError::Invalid { diagnostics, .. }) => {
            let found: Vec<_> = diagnostics.iter().map(|d| &d.message).collect();
            panic!("{found:?}")
        }
        Err(error) => panic!("{error}"),
    };
    let files = [
        ("fly.toml", Some(fly), edited.fly),
        ("aeroform.toml", text, edited.aeroform),
    ];
    let mut shown = String::new();
    for (name, before, after) in files {
        let Some(after) = after else { continue };
        let diff = similar::TextDiff::from_lines(before.unwrap_or_default(), &after);
        let mut diff = diff.unified_diff();
        shown += &diff.context_radius(1).header(name, name).to_string();
    }
    shown
}

const WHOLE: &str = r#"# The shop.
app = "shop"

[processes]
  # serves
  web  = "bin/web"
  'cron' = "bin/cron" # at night
  worker = "bin/work"

[[services]]
  internal_port = 80
  processes = ["web"]

  [[services.ports]]
    port = 80

[[services]]
  internal_port = 81
  processes = [ "worker", 'cron' ]

[checks.alive]
  type = "tcp"
  port = 80
  processes = ["cron"]

[[vm]]
  size = "shared-cpu-1x" # small
  memory = "512mb"
  kernel_args = ["a"]
  processes = ["web", "cron"]

[[restart]]
  policy = "never"
  processes = ["cron"]

[mounts]
  source = "data"
  destination = "/data"
  processes = ["cron"]
"#;
