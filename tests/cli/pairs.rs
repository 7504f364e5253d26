//! Several apps in one folder: whose settings are whose.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

fn app(name: &str) -> String {
    format!("app = \"{name}\"\n\n[processes]\n  web = \"sleep 1000\"\n")
}

fn count(n: u32) -> String {
    format!("provider = \"local\"\n\n[groups.web]\ncount = {n}\n")
}

/// A folder with these files.
fn with(files: &[(&str, String)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in files {
        sandbox.write(path, text);
    }
    sandbox
}

/// How many Machines a plan of these arguments comes to, and of which app; the message where there is none.
fn planned(sandbox: &Sandbox, args: &[&str]) -> String {
    let args = [args, &["plan", "--refresh=false", "--json"]].concat();
    let output = sandbox
        .command(&args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    if document["error"].is_object() {
        return document["error"]["message"].as_str().unwrap().to_owned();
    }
    let expected = String::from_utf8_lossy(&output.stderr).contains("has no settings");
    let lacks = if expected { ", no settings" } else { "" };
    format!(
        "{} {}{lacks}",
        document["app"].as_str().unwrap(),
        document["groups"][0]["after"]
    )
}

#[test]
fn settings_go_with_their_fly_toml_by_name() {
    let sandbox = with(&[
        ("fly.toml", app("shop")),
        ("aeroform.toml", count(2)),
        ("fly.worker.toml", app("worker")),
        ("aeroform.worker.toml", count(3)),
        ("tenant.toml", app("tenant")),
        ("tenant.aeroform.toml", count(4)),
        ("fly.a.b.toml", app("dots")),
        ("aeroform.a.b.toml", count(5)),
        (
            "fly.json.yaml",
            "app: jay\nprocesses:\n  web: sleep 1\n".to_owned(),
        ),
        ("aeroform.json.toml", count(6)),
        (
            "fly.job.json",
            r#"{"app": "job", "processes": {"web": "sleep 1"}}"#.to_owned(),
        ),
        ("aeroform.job.toml", count(7)),
        (
            "other.yml",
            "app: other\nprocesses:\n  web: sleep 1\n".to_owned(),
        ),
        ("other.aeroform.toml", count(8)),
    ]);
    for (file, found) in [
        ("fly.toml", "shop 2"),
        ("fly.worker.toml", "worker 3"),
        ("./fly.worker.toml", "worker 3"),
        ("tenant.toml", "tenant 4"),
        ("fly.a.b.toml", "dots 5"),
        ("fly.json.yaml", "jay 6"),
        ("fly.job.json", "job 7"),
        ("other.yml", "other 8"),
        (".", "shop 2"),
    ] {
        assert_eq!(planned(&sandbox, &["-c", file]), found, "{file}");
    }
    assert_eq!(planned(&sandbox, &[]), "shop 2");
}

#[test]
fn json_and_yaml_go_with_aeroform_toml_unless_there_is_a_fly_toml() {
    let json = r#"{"app": "shop", "processes": {"web": "sleep 1"}}"#.to_owned();
    let sandbox = with(&[("fly.json", json), ("aeroform.toml", count(2))]);
    assert_eq!(planned(&sandbox, &["-c", "fly.json"]), "shop 2");
    sandbox.write("fly.yaml", "app: other\n");
    let expected = planned(&sandbox, &["-c", "fly.json"]);
    assert_eq!(
        expected,
        "`aeroform.toml` may be for `fly.json` or for `fly.yaml`"
    );
    sandbox.write(
        "aeroform.toml",
        &format!("config = \"fly.yaml\"\n{}", count(2)),
    );
    assert!(planned(&sandbox, &["-c", "fly.json"]).ends_with("no settings"));
    sandbox.write("aeroform.toml", &count(2));
    sandbox.write("fly.toml", &app("main"));
    assert!(planned(&sandbox, &["-c", "fly.json"]).ends_with("no settings"));
    assert_eq!(planned(&sandbox, &[]), "main 2");
}

#[test]
fn config_names_the_fly_toml_whatever_the_names_are() {
    let sandbox = with(&[
        ("apps/fly.prod.toml", app("prod")),
        ("apps/fly.toml", app("dev")),
        (
            "aeroform.toml",
            format!("config = \"apps/fly.prod.toml\"\n{}", count(4)),
        ),
    ]);
    assert_eq!(planned(&sandbox, &[]), "prod 4");
    assert_eq!(planned(&sandbox, &["-c", "apps/fly.prod.toml"]), "prod 4");
    assert_eq!(planned(&sandbox, &["-c", "apps"]), "dev 2");
    // In one folder, and under a name of its own.
    let sandbox = with(&[
        ("fly.prod.toml", app("prod")),
        ("fly.toml", app("dev")),
        (
            "aeroform.live.toml",
            format!("config = \"fly.prod.toml\"\n{}", count(4)),
        ),
        ("aeroform.toml", count(1)),
    ]);
    assert_eq!(planned(&sandbox, &["-c", "fly.prod.toml"]), "prod 4");
    assert_eq!(planned(&sandbox, &[]), "dev 1");
}

#[test]
fn settings_of_another_file_are_not_taken_whatever_their_name() {
    let sandbox = with(&[
        ("fly.toml", app("dev")),
        ("fly.prod.toml", app("prod")),
        (
            "aeroform.toml",
            format!("config = \"fly.prod.toml\"\n{}", count(4)),
        ),
    ]);
    assert_eq!(planned(&sandbox, &[]), "prod 4");
    assert_eq!(planned(&sandbox, &["-c", "fly.toml"]), "dev 2, no settings");
    assert_snapshot!(sandbox.run(&["-c", "fly.toml", "apply", "-y"]), @r#"
    exit 1
    --- stderr
    error: `fly.toml` has no settings: provider, counts, `protect` and `max_destroy` would be ignored
      caused by: `aeroform.toml` is for `fly.prod.toml`
    hint: rename `aeroform.toml`, or write `config = "fly.toml"` there
    "#);
}

#[test]
fn two_settings_for_one_file_are_an_error_with_both_names() {
    let sandbox = with(&[
        ("fly.worker.toml", app("worker")),
        (
            "aeroform.toml",
            format!("config = \"fly.worker.toml\"\n{}", count(1)),
        ),
        ("aeroform.worker.toml", count(2)),
    ]);
    let expected = "`aeroform.toml` and `aeroform.worker.toml` are both for `fly.worker.toml`";
    for args in [
        &[][..],
        &["-c", "fly.worker.toml"],
        &["-c", "."],
        &["-C", "."],
    ] {
        assert_eq!(
            planned(&sandbox, args).replace("./", ""),
            expected,
            "{args:?}"
        );
    }
    for verb in [
        &["apply", "-y"][..],
        &["refresh", "-y"],
        &["scale", "count", "3"],
        &["validate"],
    ] {
        let shown = sandbox.run(verb);
        assert!(
            shown.starts_with("exit 1\n") && shown.contains(expected),
            "{shown}"
        );
    }
}

/// The folder that the whole thing is about: an app whose settings are beside another one.
fn of_another() -> Sandbox {
    with(&[
        ("fly.toml", app("shop")),
        ("aeroform.toml", count(5)),
        ("fly.worker.toml", app("worker")),
    ])
}

#[test]
fn without_settings_of_its_own_a_file_is_shown_and_never_applied() {
    let sandbox = of_another();
    assert_eq!(
        planned(&sandbox, &["-c", "fly.worker.toml"]),
        "worker 2, no settings"
    );
    assert_snapshot!(sandbox.run(&["-c", "fly.worker.toml", "validate"]), @r"
    exit 0
    --- stdout
    `fly.worker.toml` is valid: 1 process group
    --- stderr
    warning: `fly.worker.toml` has no settings: `aeroform.toml` is for `fly.toml`; `aeroform -c fly.worker.toml init` writes `aeroform.worker.toml`
    ");
    let shown = sandbox.run(&["-c", "fly.worker.toml", "show", "config"]);
    assert!(
        shown.starts_with("exit 0\n") && shown.contains("has no settings"),
        "{shown}"
    );
    for verb in [
        &["apply", "-y"][..],
        &["scale", "count", "2", "-y"],
        &["scale", "count", "2", "--edit-only"],
        &["group", "add", "x", "sleep 1", "-y"],
        &["restart", "-y"],
        &["refresh", "-y"],
        &["machine", "destroy", "x", "-y"],
    ] {
        let shown = sandbox.run(&[&["-c", "fly.worker.toml"], verb].concat());
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(
            shown.contains("`fly.worker.toml` has no settings"),
            "{shown}"
        );
        assert!(
            shown.contains("`aeroform -c fly.worker.toml init` writes"),
            "{shown}"
        );
    }
    assert!(sandbox.untouched());
    assert_eq!(sandbox.read("aeroform.toml"), count(5));
    let init = ["-c", "fly.worker.toml", "init"];
    assert!(sandbox.run(&init).contains("wrote `aeroform.worker.toml`"));
    assert_eq!(planned(&sandbox, &["-c", "fly.worker.toml"]), "worker 1");
    assert_eq!(planned(&sandbox, &[]), "shop 5");
    let again = sandbox.run(&init);
    assert!(
        again.contains("`aeroform.worker.toml` already exists"),
        "{again}"
    );
}

#[test]
fn one_app_in_a_folder_may_have_any_name() {
    let sandbox = with(&[("fly.prod.toml", app("shop")), ("aeroform.toml", count(5))]);
    assert_eq!(planned(&sandbox, &["-c", "fly.prod.toml"]), "shop 5");
    let init = sandbox.run(&["-c", "fly.prod.toml", "init"]);
    assert!(init.contains("`aeroform.toml` already exists"), "{init}");
    // With a second one it is ambiguous.
    sandbox.write("fly.dev.toml", &app("dev"));
    assert_eq!(
        planned(&sandbox, &["-c", "fly.prod.toml"]),
        "shop 2, no settings"
    );
    let refused = sandbox.run(&["-c", "fly.dev.toml", "apply", "-y"]);
    let why = "`aeroform.toml` does not say whether it is for this file or for `fly.prod.toml`";
    assert!(refused.contains(why), "{refused}");
    // With settings of its own it is no candidate.
    sandbox.write("aeroform.dev.toml", &count(1));
    assert_eq!(planned(&sandbox, &["-c", "fly.prod.toml"]), "shop 5");
    // A folder without any settings is as it always was.
    let bare = with(&[("fly.prod.toml", app("shop")), ("fly.dev.toml", app("dev"))]);
    assert_eq!(planned(&bare, &["-c", "fly.prod.toml"]), "shop 2");
}

#[test]
fn a_settings_file_is_no_fly_toml() {
    let sandbox = of_another();
    sandbox.write("aeroform.live.toml", "config = \"apps/fly.live.toml\"\n");
    sandbox.write("tenant.aeroform.toml", "");
    for (file, fly) in [
        ("aeroform.toml", "fly.toml"),
        ("aeroform.worker.toml", "fly.worker.toml"),
        ("aeroform.live.toml", "apps/fly.live.toml"),
        ("tenant.aeroform.toml", "tenant.toml"),
    ] {
        for verb in ["validate", "plan", "status", "init"] {
            let shown = sandbox.run(&["-c", file, verb]);
            assert!(shown.starts_with("exit 1\n"), "{shown}");
            let expected = format!("`{file}` is a settings file");
            let hint = format!("use its fly.toml: `aeroform -c {fly} …`");
            assert!(
                shown.contains(&expected) && shown.contains(&hint),
                "{shown}"
            );
        }
    }
}

#[test]
fn a_folder_means_the_same_by_either_flag() {
    for files in [
        &[("x/fly.toml", app("shop")), ("x/aeroform.toml", count(2))][..],
        &[("x/fly.toml", app("shop")), ("aeroform.toml", count(9))],
        &[
            ("x/deploy/fly.prod.toml", app("prod")),
            ("x/fly.toml", app("dev")),
            (
                "x/aeroform.toml",
                format!("config = \"deploy/fly.prod.toml\"\n{}", count(3)),
            ),
        ],
        &[
            ("x/fly.prod.toml", app("prod")),
            ("x/aeroform.toml", count(3)),
        ],
        &[("x/fly.json", "{}".to_owned())],
        &[
            ("x/fly.toml", app("dev")),
            ("x/aeroform.prod.toml", count(3)),
        ],
    ] {
        let sandbox = with(files);
        let short = planned(&sandbox, &["-C", "x"]);
        let long = planned(&sandbox, &["-c", "x"]);
        assert_eq!(short, long.replace("x/", ""), "{files:?}");
        assert_eq!(planned(&sandbox, &["-c", "x/"]), long);
    }
}

#[test]
fn a_folder_above_is_a_project_like_any_other() {
    let sandbox = with(&[
        ("up/fly.toml", app("shop")),
        ("up/aeroform.toml", count(2)),
        ("up/fly.worker.toml", app("worker")),
        ("up/aeroform.worker.toml", count(3)),
        ("up/down/x", String::new()),
    ]);
    // Without a work tree around it, each folder is a project of its own.
    std::fs::remove_dir(sandbox.project().join(".git")).unwrap();
    let at = |file: &str| planned(&sandbox, &["-C", "up/down", "-c", file]);
    assert_eq!(at(".."), "shop 2");
    assert_eq!(at("../fly.toml"), "shop 2");
    assert_eq!(at("../fly.worker.toml"), "worker 3");
    sandbox.write("up/aeroform.toml", "[state]\npath = \"../shop.json\"\n");
    assert!(at("..").contains("is outside the project"), "{}", at(".."));
}

#[test]
fn a_config_outside_of_the_project_is_named_by_the_flag() {
    let sandbox = with(&[
        ("up/fly.worker.toml", app("worker")),
        (
            "up/down/aeroform.toml",
            format!("config = \"../fly.worker.toml\"\n{}", count(6)),
        ),
    ]);
    std::fs::remove_dir(sandbox.project().join(".git")).unwrap();
    let at = |args: &[&str]| planned(&sandbox, &[&["-C", "up/down"], args].concat());
    assert_eq!(at(&[]), "`../fly.worker.toml` is outside the project");
    let shown = sandbox.run(&["-C", "up/down", "plan"]);
    assert!(
        shown.contains("`aeroform -C up/down -c ../fly.worker.toml …`"),
        "{shown}"
    );
    assert_eq!(at(&["-c", "../fly.worker.toml"]), "worker 6");
    std::fs::create_dir(sandbox.project().join(".git")).unwrap();
    assert_eq!(at(&[]), "worker 6");
}

#[test]
fn an_edit_writes_the_settings_of_its_own_app() {
    let sandbox = of_another();
    sandbox.write("aeroform.worker.toml", &count(1));
    let edit = ["scale", "count", "web=3", "--edit-only", "--refresh=false"];
    let shown = sandbox.run(&[&["-c", "fly.worker.toml"][..], &edit].concat());
    assert!(shown.contains("wrote `aeroform.worker.toml`"), "{shown}");
    assert_eq!(sandbox.read("aeroform.toml"), count(5));
    // The first settings of a file are written under its name.
    let bare = with(&[("fly.worker.toml", app("worker"))]);
    let shown = bare.run(&[&["-c", "fly.worker.toml"][..], &edit].concat());
    assert!(shown.contains("wrote `aeroform.worker.toml`"), "{shown}");
}

#[test]
fn without_a_fly_toml_those_that_are_there_are_named() {
    let sandbox = with(&[("fly.prod.toml", app("prod")), ("fly.dev.toml", app("dev"))]);
    assert_snapshot!(sandbox.run(&["plan"]), @r"
    exit 1
    --- stderr
    error: there is no `fly.toml`
    hint: name one of those that are there: `aeroform -c fly.dev.toml …`, `aeroform -c fly.prod.toml …`
    ");
}

#[test]
fn a_file_that_is_valid_for_fly_alone_is_begun_for_fly() {
    const TOKEN: [(&str, &str); 2] = [
        ("FLY_API_TOKEN", "FlyV1 fm2_nobody"),
        ("FLY_FLAPS_BASE_URL", "http://127.0.0.1:9"),
    ];
    let run = |sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]| {
        let mut command = sandbox.command(&[&["-c", "fly.worker.toml"], args].concat());
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        sandbox.show(&command.output().unwrap())
    };
    // Whether the settings of another app are there or none at all.
    for settings in [true, false] {
        for (text, variables) in [
            ("app = \"worker\"\n", &TOKEN[..]),
            ("app = \"worker\"\n[build]\nimage = \"nginx\"\n", &[]),
        ] {
            let sandbox = Sandbox::new();
            sandbox.write("fly.worker.toml", text);
            if settings {
                sandbox.write("fly.toml", &app("shop"));
                sandbox.write("aeroform.toml", &count(5));
            }
            for verb in [&["plan"][..], &["status"], &["machine", "list"], &["drift"]] {
                let shown = run(&sandbox, variables, verb);
                assert!(!shown.contains("provider `local`"), "{verb:?}: {shown}");
                assert!(
                    shown.contains("no provider is configured"),
                    "{verb:?}: {shown}"
                );
            }
            let applied = run(&sandbox, variables, &["apply", "-y"]);
            let expected = if settings {
                "has no settings"
            } else {
                "no provider is configured"
            };
            assert!(applied.contains(expected), "{applied}");
            assert!(!applied.contains("provider `local`"), "{applied}");
            let offline = run(&sandbox, variables, &["plan", "--refresh=false"]);
            assert!(offline.contains("worker · fly"), "{offline}");
            let begun = run(&sandbox, variables, &["init"]);
            assert!(begun.starts_with("exit 0\n"), "{begun}");
            let written = sandbox.read("aeroform.worker.toml");
            assert!(written.contains("provider = \"fly\"\n"), "{written}");
            assert!(!written.contains("[groups"), "{written}");
        }
    }
}

#[test]
fn without_a_token_the_way_to_settings_of_a_fly_app_names_fly() {
    let sandbox = of_another();
    sandbox.write("fly.worker.toml", "app = \"worker\"\n");
    for verb in [&["plan"][..], &["apply", "-y"], &["validate"], &["init"]] {
        let shown = sandbox.run(&[&["-c", "fly.worker.toml"], verb].concat());
        assert!(
            shown.contains("`aeroform -c fly.worker.toml init --provider fly`"),
            "{verb:?}: {shown}"
        );
    }
    let init = ["-c", "fly.worker.toml", "init", "--provider", "fly"];
    let begun = sandbox.run(&init);
    assert!(begun.contains("wrote `aeroform.worker.toml`"), "{begun}");
    // A file that is broken for every provider has to be corrected first, whoever begins.
    let sandbox = of_another();
    sandbox.write("fly.worker.toml", "app = \"worker\"\n[processes\n");
    let shown = sandbox.run(&["-c", "fly.worker.toml", "validate"]);
    assert!(
        shown.contains("`aeroform -c fly.worker.toml init` writes"),
        "{shown}"
    );
}
