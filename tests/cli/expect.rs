//! `--expect`: what was approved is what runs. Saved plans that were made from the state alone.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

/// Two groups, applied; fly.toml no longer has `jobs`.
fn group_removed() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    sandbox.write("fly.toml", &without_jobs());
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 1\n");
    sandbox
}

fn without_jobs() -> String {
    Sandbox::FLY.replace("  jobs = \"sleep 1001\"\n", "")
}

/// The plan of the merged files, as a pipeline makes it again on main.
fn reviewed(sandbox: &Sandbox) -> String {
    let offline = sandbox.run(&["plan", "--refresh=false", "--out", "reviewed.plan"]);
    assert!(offline.starts_with("exit 0\n"), "{offline}");
    offline
}

/// Digests and ids of Machines as `…`.
pub(crate) fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown = words.map(|word| {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(end) {
            word.replace(end, "…")
        } else {
            word.to_owned()
        }
    });
    shown.collect()
}

#[test]
fn a_plan_made_from_the_state_alone_says_so_and_is_not_applied_as_it_is() {
    let sandbox = group_removed();
    let offline = reviewed(&sandbox);
    assert!(
        offline.contains("made without calling the provider: review it, and use `aeroform apply --expect reviewed.plan`"),
        "{offline}"
    );
    assert_snapshot!(sandbox.run(&["apply", "reviewed.plan"]), @"
    exit 4
    --- stderr
    error: cannot apply the saved plan: it was made without calling the provider
    hint: review it, then use `aeroform apply --expect reviewed.plan`
    ");
}

#[test]
fn an_approved_removal_passes_without_a_flag() {
    let sandbox = group_removed();
    let offline = sandbox.run(&["apply", "-y"]);
    assert!(offline.starts_with("exit 6\n"), "{offline}");
    reviewed(&sandbox);
    let offline = sandbox.run(&["apply", "--expect", "reviewed.plan"]);
    assert!(offline.starts_with("exit 0\n"), "{offline}");
    assert_eq!(sandbox.machines(), 1);
    // The same plan again has nothing to do.
    let offline = sandbox.run(&["apply", "--expect", "reviewed.plan"]);
    assert!(offline.starts_with("exit 0\n"), "{offline}");
}

#[test]
fn what_was_not_approved_is_refused_with_its_causes_and_the_flags_that_it_needs() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 2\n\n[groups.jobs]\ncount = 1\n",
    );
    reviewed(&sandbox);
    sandbox.write(
        "fly.toml",
        &format!("{}\n[env]\nLOG = \"debug\"\n", without_jobs()),
    );
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    let flags = ["apply", "--expect", "reviewed.plan", "--lock-timeout", "5s"];
    assert_snapshot!(without_ids(&sandbox.run(&flags)), @r#"
    exit 4
    --- stdout
    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

      ~   web   1 → 2   ams · 1 to update
      -   jobs  1 → 0   removed from fly.toml

    ~ web  sleep 1000
        ~ 1 to update in place (a running Machine restarts), rolling
            ams …
            at least 1 of 1 serve
              [env]
            +   LOG = "debug"
        + 1 to create in ams · port 8102

    - jobs
        - 1 to destroy  its group is not in `[processes]`
            … ams   started

    Plan: 1 to create, 1 to update, 1 to destroy.
    Destroys group jobs.
    --- stderr
    error: plan … exceeds the expected plan …; nothing was changed
      caused by: destroys 1 Machine of group `jobs` in ams: …
      caused by: changes env.LOG of 1 Machine of group `web` in ams: …
      caused by: the manifests want another value of env in group `web`
    hint: review the new plan and merge it again, or run `aeroform apply --lock-timeout 5s --auto-approve --allow-destroy=jobs:1`
    "#);
    assert_eq!(sandbox.machines(), 2, "nothing was changed");
    let checked = sandbox.run(&["plan", "--expect", "reviewed.plan"]);
    assert!(checked.starts_with("exit 4\n"), "{checked}");
    let json = sandbox
        .command(&["plan", "--expect", "reviewed.plan", "--json"])
        .output()
        .unwrap();
    assert_eq!(json.status.code(), Some(4));
    // The plan on the first line, the error on the second.
    let text = String::from_utf8(json.stdout).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let plan: serde_json::Value = lines.next().unwrap();
    let error: serde_json::Value = lines.next().unwrap();
    assert_eq!(plan["summary"]["destroy"], 1);
    assert_eq!(error["error"]["code"], "exceeds_expected");
    assert!(
        error["error"]["causes"].as_array().unwrap().len() >= 3,
        "{error}"
    );
    // The plan that was not approved is approved by saving it again.
    reviewed(&sandbox);
    assert!(
        sandbox
            .run(&["plan", "--expect", "reviewed.plan"])
            .starts_with("exit 0\n")
    );
    assert!(
        sandbox
            .run(&["apply", "--expect", "reviewed.plan"])
            .starts_with("exit 0\n")
    );
}

#[test]
fn protection_policy_and_ceilings_are_judged_again() {
    let sandbox = group_removed();
    reviewed(&sandbox);
    let ceiling = [
        "apply",
        "--expect",
        "reviewed.plan",
        "--allow-destroy=jobs:0",
    ];
    assert_snapshot!(sandbox.run(&ceiling).split("--- stderr").nth(1).unwrap(), @"
    error: the plan exceeds a ceiling of `--allow-destroy`; nothing was changed
      caused by: the plan removes group `jobs` (1 Machine)
    hint: raise the ceiling (`--allow-destroy=jobs:1`), or remove the flag: the expected plan counts as approval
    ");
    sandbox.write(
        "aeroform.toml",
        "[policy]\nmax_destroy = 0\n\n[groups.web]\ncount = 1\n",
    );
    let offline = sandbox.run(&["apply", "--expect", "reviewed.plan"]);
    assert!(
        offline.starts_with("exit 6\n") && offline.contains("max_destroy"),
        "{offline}"
    );
    assert_eq!(sandbox.machines(), 2);
}

#[test]
fn a_bad_file_is_refused_by_its_name_or_target() {
    let sandbox = group_removed();
    reviewed(&sandbox);
    let expect = |file: &str| {
        let planned = sandbox.run(&["plan", "--refresh=false", "--expect", file]);
        let applied = sandbox.run(&["apply", "--expect", file]);
        assert_eq!(&applied[..7], &planned[..7], "{planned}{applied}");
        let error = |offline: &str| offline[offline.find("error:").unwrap()..].to_owned();
        assert_eq!(error(&planned), error(&applied));
        assert!(planned.starts_with("exit 1\n"), "{planned}");
        error(&applied)
    };
    assert_snapshot!(expect("missing.plan"), @"error: there is no saved plan `missing.plan`");
    assert_snapshot!(expect("fly.toml"), @"
    error: cannot read the plan in `fly.toml`
      caused by: this is not a saved plan: expected value at line 1 column 1
    hint: create one with `aeroform plan --out FILE`
    ");
    let text = sandbox.read("reviewed.plan");
    sandbox.write(
        "newer.plan",
        &text.replace("\"format_version\": 3", "\"format_version\": 4"),
    );
    assert_snapshot!(expect("newer.plan"), @"
    error: cannot read the plan in `newer.plan`
      caused by: the plan has format 4, but this program reads formats up to 3
    hint: create one with `aeroform plan --out FILE`
    ");
    sandbox.write("edited.plan", &text.replace("\"jobs\"", "\"web\""));
    assert_snapshot!(expect("edited.plan"), @"
    error: cannot read the plan in `edited.plan`
      caused by: the plan was edited or damaged: its checksum is that of another content
    hint: create one with `aeroform plan --out FILE`
    ");
    let other = [
        "-a",
        "blog",
        "plan",
        "--refresh=false",
        "--out",
        "blog.plan",
    ];
    assert!(sandbox.run(&other).starts_with("exit 0\n"));
    assert_snapshot!(expect("blog.plan"), @"
    error: cannot use the saved plan: it was made for app `blog`
    hint: create one for this app with `aeroform plan --out FILE`
    ");
    let destroy = [
        "plan",
        "--refresh=false",
        "--destroy",
        "--out",
        "destroy.plan",
    ];
    assert!(sandbox.run(&destroy).starts_with("exit 0\n"));
    assert_snapshot!(expect("destroy.plan"), @"
    error: cannot use the saved plan: it destroys the app
    hint: create one for this app with `aeroform plan --out FILE`
    ");
    let fly = [
        "--provider",
        "fly",
        "plan",
        "--refresh=false",
        "--out",
        "fly.plan",
    ];
    assert!(sandbox.run(&fly).starts_with("exit 0\n"));
    assert_snapshot!(expect("fly.plan"), @"
    error: cannot use the saved plan: it was made for provider `fly`
    hint: create one for this app with `aeroform plan --out FILE`
    ");
    let both = sandbox.run(&["apply", "--expect", "reviewed.plan", "reviewed.plan"]);
    assert!(both.starts_with("exit 64\n"), "{both}");
    // A saved plan that is applied as it is must be for this app as well.
    let online = ["-a", "blog", "plan", "--out", "online.plan"];
    assert!(sandbox.run(&online).starts_with("exit 0\n"));
    let applied = sandbox.run(&["apply", "online.plan"]);
    assert!(applied.starts_with("exit 1\n"), "{applied}");
}

#[test]
fn a_lineage_of_another_app_is_refused_and_a_plan_without_one_is_taken_for_any() {
    let sandbox = Sandbox::with_app();
    reviewed(&sandbox);
    assert!(
        sandbox
            .run(&["apply", "--expect", "reviewed.plan"])
            .starts_with("exit 0\n")
    );
    assert_eq!(sandbox.machines(), 2);
    reviewed(&sandbox);
    let lineage = sandbox.read("reviewed.plan");
    assert!(lineage.contains("\"lineage\": \"local-"), "{lineage}");
    let other = Sandbox::with_app();
    other.apply();
    other.write("reviewed.plan", &lineage);
    let offline = other.run(&["plan", "--expect", "reviewed.plan"]);
    assert!(
        offline.starts_with("exit 1\n") && offline.contains("another app of the same name"),
        "{offline}"
    );
}

/// Equal inputs give equal bytes on any machine.
#[test]
fn the_same_files_and_state_give_the_same_bytes_elsewhere() {
    let (here, there) = (group_removed(), Sandbox::new());
    for file in ["fly.toml", "aeroform.toml", "state/shop.json"] {
        there.write(file, &here.read(file));
    }
    reviewed(&here);
    // Another user with another home, clock and seed.
    let mut elsewhere = there.command(&["plan", "--refresh=false", "--out", "reviewed.plan"]);
    elsewhere
        .env("USER", "bert")
        .env("AEROFORM_TEST_TIME", "2027-01-02T03:04:05Z");
    assert!(elsewhere.output().unwrap().status.success());
    assert_eq!(here.read("reviewed.plan"), there.read("reviewed.plan"));
}

/// The digest that a comment shows, and that main shows until something has changed.
#[test]
fn the_digest_of_a_plan_stands_in_text_and_json_and_the_error() {
    let sandbox = group_removed();
    let json = sandbox.command(&["plan", "--json"]).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let digest = plan["plan_digest"].as_str().unwrap().to_owned();
    let text = sandbox.run(&["plan", "-v"]);
    assert!(text.contains(&format!("plan digest {digest}")), "{text}");
    reviewed(&sandbox);
    sandbox.write(
        "fly.toml",
        &format!("{}\n[env]\nLOG = \"debug\"\n", without_jobs()),
    );
    let offline = sandbox.run(&["plan", "--expect", "reviewed.plan"]);
    assert!(offline.contains(" exceeds the expected plan "), "{offline}");
}
