//! A table of files broken by hand, with the diagnostics of each.

use std::fmt::Write;

use aeroform::core::manifest::{Loaded, LocalFile, Overrides, SourceFile, referenced_files};

use crate::mistakes::{FLY, IN_AEROFORM, IN_FLY, ON_FLY};
use crate::{on, project, rendered};

/// The diagnostics of a project on Fly whose local files are all missing.
pub(crate) fn on_fly(fly: &str, aeroform: &str) -> Loaded {
    let files = referenced_files(SourceFile {
        path: "fly.toml",
        bytes: fly.as_bytes(),
    });
    let files = files.into_iter().map(|path| (path, LocalFile::Missing));
    let overrides = Overrides {
        files: files.collect(),
        ..on("fly")
    };
    project(fly.as_bytes(), Some(aeroform.as_bytes()), &overrides)
}

/// Holds rule 17.
#[test]
fn every_broken_file_is_reported_with_its_position_and_a_hint() {
    let mut text = String::new();
    for (what, fly) in IN_FLY {
        let loaded = project(fly.as_bytes(), None, &on("fly"));
        assert!(!loaded.diagnostics.is_empty(), "{what}");
        write!(text, "═══ {what}\n\n{}", rendered(&loaded)).unwrap();
    }
    for (what, aeroform) in IN_AEROFORM {
        let loaded = project(FLY.as_bytes(), Some(aeroform.as_bytes()), &on("fly"));
        assert!(loaded.diagnostics.has_errors(), "{what}");
        assert!(loaded.desired.is_none(), "{what}");
        write!(text, "═══ aeroform.toml: {what}\n\n{}", rendered(&loaded)).unwrap();
    }
    for (what, fly, aeroform) in ON_FLY {
        let loaded = on_fly(fly, aeroform);
        assert!(!loaded.diagnostics.is_empty(), "{what}");
        write!(text, "═══ on Fly: {what}\n\n{}", rendered(&loaded)).unwrap();
    }
    insta::assert_snapshot!("broken", text);
}

#[test]
fn a_group_without_a_command_cannot_run_on_this_machine() {
    let messages = |fly: &str, dockerfile: Option<&str>| {
        let dockerfile = dockerfile.map(str::to_owned);
        let overrides = Overrides {
            dockerfile,
            ..on("local")
        };
        rendered(&project(fly.as_bytes(), None, &overrides))
    };
    insta::assert_snapshot!(messages("app = \"a\"\n", Some("FROM x\nCMD [\"node\", \"main.js\"]\n")), @r#"
    error[no_command]: process group `app` has no command, and provider `local` has no image to take one from
     --> fly.toml:1:7
      |
    1 | app = "a"
      |       ^^^ no [processes]: the only group is `app`
      |
      = help: add to aeroform.toml (the Dockerfile's command):
              [groups.app.local]
              command = "node main.js"
              or, for an app on Fly, start with `aeroform init --provider fly`
    "#);
    insta::assert_snapshot!(messages("app = \"a\"\n[processes]\nweb = \"\"\n", None), @r#"
    error[no_command]: process group `web` has no command, and provider `local` has no image to take one from
     --> fly.toml:3:7
      |
    3 | web = ""
      |       ^^ empty
      |
      = help: add to aeroform.toml:
              [groups.web.local]
              command = "…"
              or, for an app on Fly, start with `aeroform init --provider fly`
    "#);
}
