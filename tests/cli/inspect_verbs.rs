//! Verbs that look, and `destroy`, need a name, a provider and a state: with manifests that are missing or
//! broken they work, and say in one warning what is wrong.

use insta::assert_snapshot;

use crate::fly::{EmulatorProcess, V1, on, project, run};
use crate::sandbox::Sandbox;

/// The verbs that only look, each of which ends with 0 where one Machine of group `web` or `app` runs.
fn looks(id: &str, group: &str) -> Vec<Vec<String>> {
    let verbs = [
        "status",
        "status --json",
        "machine list",
        &format!("machine status {id}"),
        &format!("machine stop {id}"),
        &format!("machine start {id}"),
        &format!("status {group}"),
        &format!("logs {group} --tail 1"),
        "drift",
        "scale show",
        "scale show --json",
        "scale show --refresh=false",
        "regions list",
        "state list",
        "state show",
        &format!("state show {id}"),
        "unlock",
    ]
    .map(|verb| verb.split(' ').map(str::to_owned).collect());
    verbs.into()
}

/// One run of every verb, of which each says this once on standard error, as a warning.
fn all_work(sandbox: &Sandbox, flags: &[&str], warning: Option<&str>) {
    let listed = sandbox.command(&[flags, &["machine", "list", "-q"]].concat());
    let listed = { listed }.output().unwrap();
    let id = String::from_utf8(listed.stdout).unwrap();
    let id = id.lines().next().expect("a Machine is listed").to_owned();
    for verb in looks(&id, "web") {
        let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
        let shown = sandbox.run(&[flags, &verb].concat());
        assert!(shown.starts_with("exit 0\n"), "{verb:?}: {shown}");
        let expected = shown.matches("warning").count();
        match warning {
            Some(warning) => {
                assert_eq!(expected, 1, "{verb:?}: {shown}");
                assert!(shown.contains(warning), "{verb:?}: {shown}");
            }
            None => assert_eq!(expected, 0, "{verb:?}: {shown}"),
        }
    }
}

fn with_one() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n\n[processes]\n  web = \"echo hi; sleep 1000\"\n",
    );
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n\n[groups.web]\ncount = 1\n",
    );
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n\n[processes]\n  web = \"sh -c 'echo hi; exec sleep 1000'\"\n",
    );
    sandbox.apply();
    sandbox
}

fn destroyed(sandbox: &Sandbox, flags: &[&str]) {
    let destroy = ["destroy", "-y", "--allow-destroy=all"];
    let gone = sandbox.run(&[flags, &destroy].concat());
    assert!(gone.starts_with("exit 0\n"), "{gone}");
    assert!(gone.contains("1 destroyed"), "{gone}");
    assert!(sandbox.read("state/shop.json").contains("destroy"));
}

#[test]
fn a_broken_fly_toml_hides_nothing_that_is_there() {
    for (text, warning) in [
        ("app = \"shop\"\n[processes\nweb = 1\n", "fly.toml:2:11: "),
        (
            "app = \"shop\"\n[processes]\n  web = \"sleep 1\"\n[deploy]\nstrategy = 7\n",
            "fly.toml:5:12: ",
        ),
        (
            "<<<<<<< HEAD\napp = \"shop\"\n=======\napp = \"shop2\"\n>>>>>>> x\n",
            "fly.toml:1:1: ",
        ),
        ("[processes]\n  web = \"sleep 1\"\n", "has no `app`"),
        ("app = \"Not A Name\"\n", "fly.toml:1:7: "),
    ] {
        let sandbox = with_one();
        sandbox.write("fly.toml", text);
        all_work(&sandbox, &[], Some(warning));
        assert!(sandbox.run(&["plan"]).starts_with("exit 1\n"));
        assert!(sandbox.run(&["apply", "-y"]).starts_with("exit 1\n"));
        destroyed(&sandbox, &[]);
    }
}

#[test]
fn a_missing_fly_toml_hides_nothing_that_is_there() {
    let sandbox = with_one();
    std::fs::remove_file(sandbox.project().join("fly.toml")).unwrap();
    all_work(&sandbox, &[], Some("there is no `fly.toml`"));
    // Without aeroform.toml as well: the state says the app and the provider.
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    all_work(&sandbox, &[], Some("there is no `fly.toml`"));
    all_work(&sandbox, &["-a", "shop"], None);
    let status = sandbox.run(&["status"]);
    assert!(
        status.contains("\nshop (state/shop.json) · local · serial 1 · 1 Machine\n"),
        "{status}"
    );
    destroyed(&sandbox, &[]);
}

#[test]
fn a_broken_aeroform_toml_hides_nothing_that_is_there() {
    for (text, warning) in [
        (
            "provider = \"local\n",
            "; using the state `state/shop.json`",
        ),
        ("provider = \"flyy\"\n", "unknown provider `flyy`"),
        ("[groups.wbe]\ncount = 1\n", "aeroform.toml:1:9: "),
        ("config = \"nowhere.toml\"\n", "there is no `nowhere.toml`"),
        ("config = \"../home\"\n", "`../home` is outside the project"),
        ("[state]\npath = 7\n", "; using the state `state/shop.json`"),
    ] {
        let sandbox = with_one();
        sandbox.write("aeroform.toml", text);
        all_work(&sandbox, &[], Some(warning));
        destroyed(&sandbox, &[]);
    }
    // Where it can still say where the state is, that holds.
    let sandbox = with_one();
    let state = sandbox.read("state/shop.json");
    sandbox.write("kept.json", &state);
    std::fs::remove_dir_all(sandbox.project().join("state")).unwrap();
    sandbox.write("aeroform.toml", "odd = 1\n[state]\npath = \"kept.json\"\n");
    all_work(&sandbox, &[], Some("unknown key `odd`"));
    std::fs::remove_file(sandbox.project().join("fly.toml")).unwrap();
    all_work(&sandbox, &[], Some("there is no `fly.toml`"));
    sandbox.write("state/shop.json", &state);
}

#[test]
fn settings_of_two_or_of_another_file_hide_nothing_that_is_there() {
    let sandbox = with_one();
    sandbox.write("aeroform.a.toml", "config = \"fly.toml\"\n");
    all_work(&sandbox, &[], Some("are both for `fly.toml`"));
    std::fs::rename(
        sandbox.project().join("aeroform.toml"),
        sandbox.project().join("aeroform.b.toml"),
    )
    .unwrap();
    sandbox.write("aeroform.a.toml", "config = \"fly.a.toml\"\n");
    all_work(&sandbox, &[], Some("`fly.toml` has no settings"));
    destroyed(&sandbox, &[]);
}

#[test]
fn a_damaged_state_does_not_hide_the_world() {
    for text in [
        "",
        "[{\"format\": 1, \"app\": \"shop\"",
        "[{\"format\": 99}]",
        "<<<<<<< HEAD\n",
    ] {
        let sandbox = with_one();
        let state = sandbox.read("state/shop.json");
        sandbox.write("state/shop.json", text);
        for broken in [false, true] {
            if broken {
                sandbox.write("fly.toml", "app = \"shop\"\n[");
            }
            for verb in [
                &["status"][..],
                &["machine", "list"],
                &["logs", "web", "--tail", "1"],
            ] {
                let shown = sandbox.run(verb);
                assert!(shown.starts_with("exit 0\n"), "{text}: {shown}");
                assert!(shown.contains("continuing without the state"), "{shown}");
            }
            let status = sandbox.run(&["status"]);
            assert!(status.contains("no state yet · 1 Machine"), "{status}");
            assert!(sandbox.run(&["unlock"]).starts_with("exit 0\n"));
            // What is about the state itself says what is wrong with it.
            for verb in [
                &["state", "list"][..],
                &["drift"],
                &["destroy", "-y", "--allow-destroy=all"],
            ] {
                let shown = sandbox.run(verb);
                assert!(shown.starts_with("exit 1\n"), "{verb:?}: {shown}");
            }
        }
        sandbox.write("state/shop.json", &state);
    }
}

#[test]
fn no_app_is_guessed_where_there_are_several_or_another_is_named() {
    let sandbox = with_one();
    let state = sandbox.read("state/shop.json");
    sandbox.write("fly.toml", "[");
    sandbox.write(
        "state/other.json",
        &state.replace("\"app\": \"shop\"", "\"app\": \"other\""),
    );
    assert_snapshot!(sandbox.run(&["status"]), @r"
    exit 1
    --- stderr
    error: several apps have a state here, and fly.toml does not name the app
      caused by: `state/other.json` is of `other`
      caused by: `state/shop.json` is of `shop`
      caused by: cannot parse `fly.toml`: 1 error
    hint: name the app: `aeroform -a NAME …`
    ");
    assert!(
        sandbox
            .run(&["-a", "shop", "status"])
            .contains("serial 1 · 1 Machine")
    );
    std::fs::remove_file(sandbox.project().join("state/other.json")).unwrap();
    // A file that a flag names is not answered with another app.
    sandbox.write("fly.worker.toml", "[");
    for file in ["fly.worker.toml", "fly.nowhere.toml"] {
        for verb in [
            &["status"][..],
            &["destroy", "-y", "--allow-destroy=all"],
            &["state", "list"],
        ] {
            let shown = sandbox.run(&[&["-c", file], verb].concat());
            assert!(shown.starts_with("exit 1\n"), "{file}: {shown}");
            assert!(shown.contains("-a NAME"), "{shown}");
        }
    }
    let nothing = Sandbox::new();
    for verb in ["status", "drift", "unlock", "logs"] {
        let shown = nothing.run(&[verb]);
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(
            shown.contains("`aeroform -a NAME --provider fly …`"),
            "{shown}"
        );
    }
}

#[test]
fn on_fly_a_name_and_a_provider_are_enough_in_any_folder() {
    let sandbox = Sandbox::new();
    let platform = EmulatorProcess::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    for text in [None, Some("["), Some("app = \"another\"\n")] {
        if let Some(text) = text {
            sandbox.write("fly.toml", text);
        }
        let flags = ["-a", "shop", "--provider", "fly"];
        for verb in looks(&id, "app") {
            if verb[0] == "logs" || verb.len() == 3 && verb[0] == "state" {
                continue;
            }
            let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
            let shown = run(&sandbox, &platform, &[&flags[..], &verb].concat());
            assert!(shown.starts_with("exit 0\n"), "{verb:?}: {shown}");
            let expected = shown.matches("warning").count();
            assert!(expected <= 1, "{verb:?}: {shown}");
        }
        let status = run(&sandbox, &platform, &[&flags[..], &["status"]].concat());
        assert!(
            status.contains("shop (--app") && status.contains(&id),
            "{status}"
        );
    }
    let unnamed = run(&sandbox, &platform, &["-a", "shop", "status"]);
    assert!(unnamed.contains("no provider is configured"), "{unnamed}");
    std::fs::remove_file(sandbox.project().join("fly.toml")).unwrap();
    let destroy = [
        "-a",
        "shop",
        "--provider",
        "fly",
        "destroy",
        "-y",
        "--allow-destroy=all,app:1",
    ];
    let gone = run(&sandbox, &platform, &destroy);
    assert!(gone.starts_with("exit 0\n"), "{gone}");
    assert!(platform.machines().is_empty());
}

#[test]
fn a_machine_is_shown_also_where_its_events_cannot_be_read() {
    let sandbox = project("");
    let faults = "[[fault]]\non = \"events\"\neffect = \"refuse\"\nstatus = 404\ntimes = 9\n";
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    let id = platform.deployed("app", "ams", V1);
    let shown = run(&sandbox, &platform, &["machine", "status", &id]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(
        shown.contains(&format!("cannot read the events of {id}")),
        "{shown}"
    );
    assert!(
        shown.contains("started") && shown.contains("registry.fly.io/shop:v1"),
        "{shown}"
    );
    let document = on(&sandbox, &platform, &["machine", "status", &id, "--json"]);
    let document = { document }.output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(
        document["machine"]["id"].as_str(),
        Some(id.as_str()),
        "{document}"
    );
}
