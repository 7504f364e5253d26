//! Groups that are added, removed and renamed.

use super::*;

fn rename(from: &str, to: &str) -> Edit {
    Edit::RenameGroup {
        from: group(from),
        to: group(to),
    }
}

#[test]
fn a_group_is_renamed_wherever_it_is_named() {
    let ours = "[groups.cron]\ncount = 1 # one\n\n[groups.cron.local]\ncommand = \"x\"\n\n[[moved]]\nfrom = \"old\"\nto = \"cron\"\n\n[[moved]]\nmachine = \"abc\"\nto = \"cron\"\n";
    insta::assert_snapshot!(shown(WHOLE, Some(ours), rename("cron", "night")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -6,3 +6,3 @@
       web  = "bin/web"
    -  'cron' = "bin/cron" # at night
    +  'night' = "bin/cron" # at night
       worker = "bin/work"
    @@ -18,3 +18,3 @@
       internal_port = 81
    -  processes = [ "worker", 'cron' ]
    +  processes = [ "worker", 'night' ]
     
    @@ -23,3 +23,3 @@
       port = 80
    -  processes = ["cron"]
    +  processes = ["night"]
     
    @@ -29,3 +29,3 @@
       kernel_args = ["a"]
    -  processes = ["web", "cron"]
    +  processes = ["web", "night"]
     
    @@ -33,3 +33,3 @@
       policy = "never"
    -  processes = ["cron"]
    +  processes = ["night"]
     
    @@ -38,2 +38,2 @@
       destination = "/data"
    -  processes = ["cron"]
    +  processes = ["night"]
    --- aeroform.toml
    +++ aeroform.toml
    @@ -1,5 +1,5 @@
    -[groups.cron]
    +[groups.night]
     count = 1 # one
     
    -[groups.cron.local]
    +[groups.night.local]
     command = "x"
    @@ -8,3 +8,3 @@
     from = "old"
    -to = "cron"
    +to = "night"
     
    @@ -12,2 +12,6 @@
     machine = "abc"
    -to = "cron"
    +to = "night"
    +
    +[[moved]]
    +from = "cron"
    +to = "night"
    "#);
}

/// Both have moved to other lines, and the default group has another name.
#[test]
fn commands_that_run_once_do_not_stop_an_edit_above_them() {
    let fly = "app = \"shop\"\n[processes]\njobs = \"a\"\nweb = \"b\"\n[build.compose]\n\
               [deploy]\nrelease_command = \"migrate\"\n";
    let ours = "[groups.jobs]\ncount = 1\n[deploy]\nverify = \"smoke\"\n";
    for edit in [
        Edit::AddGroup {
            group: group("api"),
            command: "c".to_owned(),
            count: Some(1),
        },
        Edit::RemoveGroup {
            group: group("jobs"),
        },
        rename("jobs", "work"),
        layout("web", "ams=2"),
    ] {
        both(fly, Some(ours), std::slice::from_ref(&edit))
            .unwrap_or_else(|error| panic!("{edit:?}: {error:?}"));
    }
}

#[test]
fn a_rename_back_takes_the_first_one_back() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\n";
    let ours = "[[moved]]\nfrom = \"worker\"\nto = \"jobs\"\n";
    insta::assert_snapshot!(shown(fly, Some(ours), rename("jobs", "worker")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -3,2 +3,2 @@
     web = "a"
    -jobs = "b"
    +worker = "b"
    --- aeroform.toml
    +++ aeroform.toml
    @@ -1,3 +1,3 @@
     [[moved]]
    -from = "worker"
    -to = "jobs"
    +from = "jobs"
    +to = "worker"
    "#);
}

#[test]
fn sections_without_groups_keep_their_groups() {
    let fly = "app = \"shop\"\n[processes]\nb = \"b\"\nc = \"c\"\n\n[mounts]\nsource = \"data\"\ndestination = \"/data\"\n\n[[restart]]\npolicy = \"always\"\n";
    // The default group was b; it would be a.
    insta::assert_snapshot!(shown(fly, None, rename("c", "a")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -3,3 +3,3 @@
     b = "b"
    -c = "c"
    +a = "c"
     
    @@ -8,2 +8,3 @@
     destination = "/data"
    +processes = ["b"]
     
    @@ -11 +12,2 @@
     policy = "always"
    +processes = ["b"]
    --- aeroform.toml
    +++ aeroform.toml
    @@ -0,0 +1,5 @@
    +provider = "local"
    +
    +[[moved]]
    +from = "c"
    +to = "a"
    "#);
    let alone = "app = \"shop\"\n\n[http_service]\ninternal_port = 80\n";
    insta::assert_snapshot!(shown(alone, None, rename("app", "web")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -4 +4,5 @@
     internal_port = 80
    +processes = ["web"]
    +
    +[processes]
    +web = ""
    --- aeroform.toml
    +++ aeroform.toml
    @@ -0,0 +1,5 @@
    +provider = "local"
    +
    +[[moved]]
    +from = "app"
    +to = "web"
    "#);
    let add = Edit::AddGroup {
        group: group("worker"),
        command: "bin/work --loud".to_owned(),
        count: Some(2),
    };
    insta::assert_snapshot!(shown(alone, None, add), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -4 +4,6 @@
     internal_port = 80
    +processes = ["app"]
    +
    +[processes]
    +app = ""
    +worker = "bin/work --loud"
    --- aeroform.toml
    +++ aeroform.toml
    @@ -0,0 +1,4 @@
    +provider = "local"
    +
    +[groups.worker]
    +count = 2
    "#);
}

#[test]
fn a_group_goes_with_what_is_its_alone() {
    let ours = "[groups.web]\ncount = 1\n\n# nightly\n[groups.cron]\ncount = 1\nprotect = false\n\n[policy]\nmax_destroy = 3\n";
    let gone = |name| Edit::RemoveGroup { group: group(name) };
    insta::assert_snapshot!(shown(WHOLE, Some(ours), gone("cron")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -6,3 +6,2 @@
       web  = "bin/web"
    -  'cron' = "bin/cron" # at night
       worker = "bin/work"
    @@ -18,8 +17,3 @@
       internal_port = 81
    -  processes = [ "worker", 'cron' ]
    -
    -[checks.alive]
    -  type = "tcp"
    -  port = 80
    -  processes = ["cron"]
    +  processes = [ "worker" ]
     
    @@ -29,11 +23,2 @@
       kernel_args = ["a"]
    -  processes = ["web", "cron"]
    -
    -[[restart]]
    -  policy = "never"
    -  processes = ["cron"]
    -
    -[mounts]
    -  source = "data"
    -  destination = "/data"
    -  processes = ["cron"]
    +  processes = ["web"]
    --- aeroform.toml
    +++ aeroform.toml
    @@ -4,5 +4,2 @@
     # nightly
    -[groups.cron]
    -count = 1
    -protect = false
    "#);
    let old = "app = \"shop\"\nprocesses = [{ name = \"a\", command = \"x\" }, { name = \"b\", command = \"y\" }]\n";
    insta::assert_snapshot!(shown(old, None, gone("b")), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -1,2 +1,2 @@
     app = "shop"
    -processes = [{ name = "a", command = "x" }, { name = "b", command = "y" }]
    +processes = [{ name = "a", command = "x" }]
    "#);
    let only = both(
        "app = \"shop\"\n[processes]\na = \"x\"\n",
        None,
        &[gone("a")],
    );
    assert!(only.is_err());
}

#[test]
fn the_order_of_groups_follows_their_names() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\ncron = \"c\"\n";
    let ours = "[deploy]\ngroups_order = [\n  [\"jobs\"], # first\n  [\"cron\", 'web'],\n]\n";
    let lines = |edit: Edit| {
        let shown = shown(fly, Some(ours), edit);
        let (_, ours) = shown.split_once("+++ aeroform.toml").unwrap();
        let changed = ours.lines().filter(|line| line.starts_with(['+', '-']));
        changed.collect::<Vec<_>>().join("\n")
    };
    let remove = |name: &str| Edit::RemoveGroup { group: group(name) };
    assert_eq!(
        lines(rename("web", "site")),
        "-  [\"cron\", 'web'],\n+  [\"cron\", 'site'],\n+\n+[[moved]]\n+from = \"web\"\n+to = \"site\""
    );
    assert_eq!(
        lines(remove("web")),
        "-  [\"cron\", 'web'],\n+  [\"cron\"],"
    );
    // A list that becomes empty goes.
    assert_eq!(lines(remove("jobs")), "-  [\"jobs\"], # first");
    let ours = "[deploy]\ngroups_order = [[\"jobs\"]]\non_failure = \"group\"\n";
    let shown = shown(fly, Some(ours), remove("jobs"));
    assert!(
        shown.ends_with("-groups_order = [[\"jobs\"]]\n on_failure = \"group\"\n"),
        "{shown}"
    );
}

#[test]
fn an_edit_may_move_the_line_of_the_order_of_groups() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\n";
    let ours = "[[moved]]\nfrom = \"old\"\nto = \"web\"\n[deploy]\ngroups_order = [[\"jobs\"], [\"web\"]]\n";
    let shown = shown(fly, Some(ours), rename("jobs", "old"));
    let (_, ours) = shown.split_once("+++ aeroform.toml").unwrap();
    assert!(
        ours.contains(
            "-groups_order = [[\"jobs\"], [\"web\"]]\n+groups_order = [[\"old\"], [\"web\"]]\n"
        ),
        "{shown}"
    );
}
