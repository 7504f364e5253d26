//! What each verb about counts, regions, groups and sizes writes, and what follows from it.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::edits::{OURS, app, done, shown};
use crate::fly::{EmulatorProcess, V1, project, run};
use crate::sandbox::Sandbox;

/// Holds rule 13.
#[test]
fn a_count_is_written_as_an_exact_map_and_applied() {
    let sandbox = app();
    sandbox.apply();
    let scale = [
        "scale", "count", "web=4", "--region", "ams,fra", "--yes", "-q",
    ];
    assert_snapshot!(sandbox.run(&scale), @"
    exit 0
    --- stdout
    aeroform.toml
        [groups.web]
      - count = 1 # for now
      + regions = { ams = 2, fra = 2 } # for now

    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

      ~   web   1 → 4   ams 1 → 2, fra 0 → 2
          jobs  1       no changes

    ~ web  sleep 1000
        + 3 to create: 1 in ams, 2 in fra
            ams port 8102 · fra ports 8103, 8104

    Plan: 3 to create, 0 to update, 0 to destroy.
    state: state/shop.json is at serial 2
    Apply complete: 3 created.
    ");
    assert_snapshot!(sandbox.read("aeroform.toml"), @"
    # how many

    [groups.web]
    regions = { ams = 2, fra = 2 } # for now

    [groups.jobs]
    count = 1
    ");
    assert_snapshot!(sandbox.run(&["plan"]), @"
    exit 0
    --- stdout
    shop · local · serial 2 · applied 2026-01-02 by ana · 5 Machines read

          jobs  1   no changes
          web   4   no changes

    No changes. 5 Machines match the manifests.
    ");
    assert_snapshot!(sandbox.run(&["scale", "count", "web=4", "-r", "ams,fra"]), @"
    exit 0
    --- stdout
    The files already have this setting; nothing was changed.
    ");
}

#[test]
fn a_group_scaled_to_nothing_needs_its_name() {
    let sandbox = app();
    sandbox.apply();
    let before = sandbox.read("aeroform.toml");
    for emptied in [
        &["scale", "count", "web=0", "-y"][..],
        &["regions", "remove", "ams", "-g", "web", "-y"],
        &["regions", "drain", "ams", "-g", "web", "-y"],
    ] {
        let refused = sandbox.run(emptied);
        // The only region of a group cannot be drained at all.
        let drain = emptied[1] == "drain";
        assert_eq!(refused.starts_with("exit 6\n"), !drain, "{refused}");
        let named = refused.contains(
            "the plan destroys all Machines of group `web` (1 Machine)\n\
             hint: review the plan, then add `--allow-destroy=web:1`\n",
        );
        assert_eq!(named, !drain, "{refused}");
        assert_eq!(sandbox.read("aeroform.toml"), before);
    }
    assert_eq!(sandbox.machines(), 2);
    sandbox.write(
        "aeroform.toml",
        &before.replace("count = 1 # for now", "regions = { ams = 0 }"),
    );
    let refused = sandbox.run(&["apply", "-y"]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    assert!(
        refused.contains("Destroys all Machines of group web.\n"),
        "{refused}"
    );
    let gone = sandbox.run(&["apply", "-y", "--allow-destroy=web"]);
    assert!(gone.contains("Apply complete: 1 destroyed."), "{gone}");
}

#[test]
fn a_new_aeroform_toml_is_made_like_init_makes_it() {
    let sandbox = app();
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    done(&sandbox, &["scale", "count", "web=1", "jobs=1"]);
    assert_snapshot!(sandbox.read("aeroform.toml"), @r#"
    # What fly.toml cannot say: how many Machines of each process group run, and where.

    provider = "local"

    [groups.jobs]
    regions = { ams = 1 }

    [groups.web]
    regions = { ams = 1 }
    "#);
    let mode = std::fs::metadata(sandbox.project().join("aeroform.toml"));
    assert_ne!(mode.unwrap().permissions().mode() & 0o044, 0);
}

#[test]
fn a_group_is_added_renamed_and_removed_in_both_files() {
    let sandbox = app();
    sandbox.apply();
    let quietly = |args: &[&str]| done(&sandbox, args);
    quietly(&["group", "add", "mail", "sleep 1002", "--count", "1"]);
    assert_eq!(sandbox.machines(), 3);
    assert_snapshot!(shown(&sandbox, &["group", "rename", "mail", "post", "--plan-only"]), @r#"
    exit 0
    --- stdout
    fly.toml
          jobs = "sleep 1001"
      -   mail = "sleep 1002"
      +   post = "sleep 1002"

    aeroform.toml
      - [groups.mail]
      + [groups.post]
        count = 1
      +
      + [[moved]]
      + from = "mail"
      + to = "post"

    shop · local · serial 2 · applied 2026-01-02 by ana · 3 Machines read

      >   post  1   moved from mail
          jobs  1   no changes
          web   1   no changes

    > post  sleep 1002
        > 1 to move from mail, rolling
            ams [MACHINE]
            at least 0 of 1 serve
              [env]
            -   FLY_PROCESS_GROUP = "mail"
            +   FLY_PROCESS_GROUP = "post"

    Plan: 0 to create, 0 to update, 1 to move, 0 to destroy.
    "#);
    quietly(&["group", "rename", "mail", "post"]);
    assert_eq!(sandbox.machines(), 3);
    assert_snapshot!(shown(&sandbox, &["group", "remove", "post"]), @r#"
    exit 6
    --- stdout
    fly.toml
          jobs = "sleep 1001"
      -   post = "sleep 1002"

    aeroform.toml
        count = 1
      -
      - [groups.post]
      - count = 1
      -
      - [[moved]]
      - from = "mail"
      - to = "post"

    shop · local · serial 3 · applied 2026-01-02 by ana · 3 Machines read

      -   post  1 → 0   removed from fly.toml
          jobs  1       no changes
          web   1       no changes

    - post
        - 1 to destroy  its group is not in `[processes]`
            [MACHINE] ams   started

    Plan: 0 to create, 0 to update, 1 to destroy.
    Destroys group post.
    --- stderr
    error: this plan needs approval and stdin is not a terminal; nothing was changed
      caused by: the plan removes group `post` (1 Machine)
    hint: review the plan, then add `--auto-approve --allow-destroy=post:1`
    "#);
    quietly(&["group", "remove", "post", "--allow-destroy=post"]);
    assert_eq!(sandbox.machines(), 2);
    assert_eq!(sandbox.read("fly.toml"), Sandbox::FLY);
    assert_eq!(sandbox.read("aeroform.toml"), OURS);
}

#[test]
fn a_name_that_machines_have_still_is_given_to_no_other_group() {
    let sandbox = app();
    sandbox.apply();
    let only = |from, to| sandbox.run(&["group", "rename", from, to, "--edit-only", "-q"]);
    assert!(only("jobs", "work").starts_with("exit 0\n"));
    let before = sandbox.read("aeroform.toml");
    assert_snapshot!(only("web", "jobs"), @"
    exit 1
    --- stderr
    error: Machines of group `jobs` have not moved to `work`
    hint: run `aeroform apply` first; then the name `jobs` is free
    ");
    let added = sandbox.run(&["group", "add", "jobs", "sleep 1", "--edit-only"]);
    assert!(added.contains("have not moved to `work`"), "{added}");
    assert_eq!(sandbox.read("aeroform.toml"), before);
    // The way back is free, and once they have moved the name is, too.
    assert!(only("work", "jobs").starts_with("exit 0\n"));
    done(&sandbox, &["group", "rename", "jobs", "work"]);
    done(&sandbox, &["group", "rename", "web", "jobs"]);
    done(
        &sandbox,
        &["group", "add", "web", "sleep 1002", "--count", "1"],
    );
    assert_eq!(sandbox.machines(), 3);
    assert!(!sandbox.read("aeroform.toml").contains("from = \"web\""));
}

#[test]
fn regions_come_and_go_by_list_and_by_number() {
    let sandbox = app();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\ncount = 2\nregions = [\"ams\"]\n\n[groups.jobs]\ncount = 1\n",
    );
    sandbox.apply();
    assert_snapshot!(shown(&sandbox, &["regions", "add", "fra", "-g", "web", "-y", "-q"]), @r#"
    exit 0
    --- stdout
    aeroform.toml
        count = 2
      - regions = ["ams"]
      + regions = ["ams", "fra"]

    shop · local · serial 1 · applied 2026-01-02 by ana · 3 Machines read

      ~   web   2   ams 2 → 1, fra 0 → 1
          jobs  1   no changes

    ~ web  sleep 1000
        + 1 to create in fra · port 8103
        - 1 to destroy: another region gets one instead  newest
            [MACHINE] ams   started

    Plan: 1 to create, 0 to update, 1 to destroy.
    state: state/shop.json is at serial 2
    Apply complete: 1 created, 1 destroyed.
    "#);
    assert_snapshot!(shown(&sandbox, &["regions", "add", "fra", "-g", "jobs", "-y", "-q"]), @"
    exit 0
    --- stdout
    aeroform.toml
        [groups.jobs]
      - count = 1
      + regions = { ams = 1, fra = 1 }

    shop · local · serial 2 · applied 2026-01-02 by ana · 3 Machines read

      ~   jobs  1 → 2   fra 0 → 1
          web   2       no changes

    ~ jobs  sleep 1001
        + 1 to create in fra · port 8102

    Plan: 1 to create, 0 to update, 0 to destroy.
    state: state/shop.json is at serial 3
    Apply complete: 1 created.
    ");
    assert_snapshot!(shown(&sandbox, &["regions", "drain", "ams", "--edit-only"]), @r#"
    exit 0
    --- stdout
    aeroform.toml
        count = 2
      - regions = ["ams", "fra"]
      + regions = ["fra"]

        [groups.jobs]
      - regions = { ams = 1, fra = 1 }
      + regions = { fra = 2 }

    --- stderr
    wrote `aeroform.toml`; apply it with `aeroform apply`
    "#);
    assert_snapshot!(shown(&sandbox, &["regions", "list"]), @"
    exit 0
    --- stdout
    shop

    NAME  COUNT  KIND  CPUS  MEMORY  REGIONS
    jobs  2      -     -     -       ams,fra → fra(2)
    web   2      -     -     -       ams,fra → fra(2)
    ");
}

#[test]
fn a_region_that_is_misspelt_is_an_error_and_one_where_nothing_runs_is_said_to_be_that() {
    let sandbox = app();
    sandbox.write(
        "aeroform.toml",
        "[groups.web]\nregions = { home = 1, ams = 1 }\n\n[groups.jobs]\ncount = 1\n",
    );
    sandbox.apply();
    assert_snapshot!(sandbox.run(&["regions", "drain", "hmoe"]), @"
    exit 1
    --- stderr
    error: there is no region `hmoe`
    hint: did you mean `home`?
    ");
    let nowhere = sandbox.run(&["regions", "remove", "qqqqqq"]);
    assert!(nowhere.starts_with("exit 1\n"), "{nowhere}");
    assert!(nowhere.contains("`aeroform regions list`"), "{nowhere}");
    assert_snapshot!(sandbox.run(&["regions", "drain", "fra"]), @"
    exit 0
    --- stdout
    The files already have this setting; nothing was changed.
    --- stderr
    nothing runs in `fra`
    ");
    assert_snapshot!(sandbox.run(&["regions", "remove", "home", "-g", "jobs"]), @"
    exit 0
    --- stdout
    The files already have this setting; nothing was changed.
    --- stderr
    nothing of group `jobs` runs in `home`
    ");
}

#[test]
fn a_count_that_is_none_is_a_wrong_command_line() {
    let sandbox = app();
    for counts in [
        &["web=abc"][..],
        &["web="],
        &["three"],
        &["+0"],
        &["web=2", "jobs=-0"],
    ] {
        let shown = sandbox.run(&[&["scale", "count"], counts].concat());
        assert!(shown.starts_with("exit 64\n"), "{shown}");
        assert!(shown.contains("expected N, +N or -N"), "{shown}");
    }
    let twice = sandbox.run(&["scale", "count", "web=2", "web=3"]);
    assert!(twice.contains("group `web` has two counts"), "{twice}");
}

/// Holds rule 13.
#[test]
fn the_examples_of_fly_s_pages_end_where_they_say() {
    let sandbox = app();
    let three = "{ ewr = 1, yul = 2, yyz = 8 }";
    for (web, args, after) in [
        // fly scale count 3, in the one region that there is.
        ("{ ams = 1 }", "web=3", "{ ams = 3 }"),
        // fly scale count 20 --region ams,ewr,gig, evened out.
        (
            "{ ams = 1 }",
            "web=20 --region ams,ewr,gig",
            "{ ams = 7, ewr = 7, gig = 6 }",
        ),
        (
            "{ gru = 2 }",
            "web=8 --region gru,bog",
            "{ gru = 4, bog = 4 }",
        ),
        // One region is set; others stay.
        (
            "{ ams = 2, fra = 3 }",
            "web=1 --region fra",
            "{ ams = 2, fra = 1 }",
        ),
        ("{ ams = 2, fra = 3 }", "web=0 --region fra", "{ ams = 2 }"),
        (
            "{ ams = 2, fra = 3 }",
            "web=+1 --region fra",
            "{ ams = 2, fra = 4 }",
        ),
        ("{ ams = 2, fra = 2 }", "web=-1", "{ ams = 2, fra = 1 }"),
        // The redistribution of the page on scaling.
        (
            three,
            "web=11 --max-per-region 5",
            "{ ewr = 3, yul = 3, yyz = 5 }",
        ),
        (
            three,
            "web=4 --region ewr,yul --max-per-region 2",
            "{ ewr = 2, yul = 2, yyz = 8 }",
        ),
    ] {
        let ours =
            |web: &str| format!("[groups.web]\nregions = {web}\n\n[groups.jobs]\ncount = 0\n");
        sandbox.write("aeroform.toml", &ours(web));
        let mut words = vec!["scale", "count", "--edit-only", "--refresh=false", "-q"];
        words.extend(args.split(' '));
        let shown = sandbox.run(&words);
        assert!(shown.starts_with("exit 0\n"), "{args}: {shown}");
        assert_eq!(
            sandbox.read("aeroform.toml"),
            ours(after),
            "{args} from {web}"
        );
    }
}

#[test]
fn a_region_that_only_the_platform_knows_is_written() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    let scale = |region| {
        let scale = ["scale", "count", "2", "--region", region, "-y", "-q"];
        run(&sandbox, &platform, &scale)
    };
    let ours = sandbox.read("aeroform.toml");
    let nowhere = scale("xyz");
    assert!(nowhere.contains("`xyz` is not a Fly region"), "{nowhere}");
    assert!(nowhere.contains("or use other values"), "{nowhere}");
    assert_eq!(sandbox.read("aeroform.toml"), ours);
    let scaled = scale("emu");
    assert!(scaled.starts_with("exit 0\n"), "{scaled}");
    assert!(sandbox.read("aeroform.toml").contains("emu = 2"));
}
