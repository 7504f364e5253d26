//! What the completion scripts are answered: words of this project, from files alone.

use crate::sandbox::Sandbox;

/// The words that are offered for the last of these.
fn offered(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let mut args = vec!["--", "aeroform"];
    args.extend(words);
    let mut command = sandbox.command(&args);
    command
        .env("AEROFORM_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn groups_regions_and_machines_are_offered_where_they_are_meant() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let groups = offered(&sandbox, &["restart", "-g", ""]);
    assert_eq!(groups, ["jobs", "web"]);
    let listed = sandbox
        .command(&["machine", "list", "-q"])
        .output()
        .unwrap();
    let mut ids: Vec<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    ids.sort();
    let stop = offered(&sandbox, &["machine", "stop", ""]);
    assert!(ids.iter().all(|id| stop.contains(id)), "{stop:?}");
    assert_eq!(
        offered(&sandbox, &["machine", "stop", &ids[0][..6]]),
        [ids[0].clone()]
    );
    let regions = offered(&sandbox, &["machine", "list", "--region", "g"]);
    assert!(regions.contains(&"gru".to_owned()), "{regions:?}");
    assert_eq!(offered(&sandbox, &["group", "rename", "j"]), ["jobs"]);
    assert_eq!(offered(&sandbox, &["group", "remove", "w"]), ["web"]);
    assert_eq!(offered(&sandbox, &["scale", "count", "w"]), ["web"]);
    assert_eq!(
        offered(&sandbox, &["machine", "update", &ids[0], "-m", ""]),
        ["fly_process_group=jobs", "fly_process_group=web"]
    );
    let sizes = offered(&sandbox, &["scale", "vm", ""]);
    assert!(sizes.contains(&"performance-2x".to_owned()), "{sizes:?}");
    // Those that the verb does not take are not offered.
    assert!(sizes.iter().all(|size| !size.contains("gb")), "{sizes:?}");
    let verbs = offered(&sandbox, &["machine", "st"]);
    assert_eq!(verbs, ["status", "start", "stop"]);
    assert_eq!(
        offered(&sandbox, &["plan", "--provider", ""]),
        ["fly", "local"]
    );
    assert_eq!(offered(&sandbox, &["status", "w"]), ["web"]);
    let logs = offered(&sandbox, &["logs", ""]);
    assert!(
        logs.contains(&"web".to_owned()) && logs.contains(&ids[0]),
        "{logs:?}"
    );
}

#[test]
fn a_format_is_offered_where_the_verb_has_it() {
    let sandbox = Sandbox::with_app();
    let all = ["text", "json", "markdown", "github", "gitlab"];
    assert_eq!(offered(&sandbox, &["plan", "--format", ""]), all);
    for verb in ["apply", "drift"] {
        assert_eq!(offered(&sandbox, &[verb, "--format", ""]), all[..4]);
    }
    assert_eq!(
        offered(&sandbox, &["validate", "--format", ""]),
        ["text", "json", "github"]
    );
    for verb in ["status", "destroy", "refresh"] {
        assert_eq!(offered(&sandbox, &[verb, "--format", ""]), all[..2]);
    }
}

#[test]
fn another_folder_is_followed_and_what_cannot_be_read_completes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("shop/fly.toml", Sandbox::FLY);
    assert_eq!(
        offered(&sandbox, &["-C", "shop", "restart", "-g", "w"]),
        ["web"]
    );
    assert_eq!(
        offered(&sandbox, &["restart", "-g", "w", "-c", "shop/fly.toml"]).len(),
        0,
        "the last word is the one that is completed"
    );
    assert_eq!(
        offered(&sandbox, &["-c", "shop/fly.toml", "restart", "-g", "w"]),
        ["web"]
    );
    assert_eq!(offered(&sandbox, &["restart", "-g", ""]), [""; 0]);
    sandbox.write("fly.toml", "app = 1\n[[[");
    assert_eq!(offered(&sandbox, &["restart", "-g", ""]), [""; 0]);
    assert!(sandbox.untouched(), "asking writes nothing");
}
