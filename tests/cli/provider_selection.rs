//! Where Machines run, where nothing or something wrong says it.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

const BUILT: &str = "app = \"shop\"\n\n[build]\n  dockerfile = \"Dockerfile\"\n\n[processes]\n  web = \"sleep 1000\"\n";

fn with_token(sandbox: &Sandbox, args: &[&str]) -> String {
    let mut command = sandbox.command(args);
    command
        .env("FLY_API_TOKEN", "FlyV1 fm2_nobody")
        .env("FLY_FLAPS_BASE_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    sandbox.show(&command.output().unwrap())
}

/// Verbs that need a provider.
const VERBS: [&[&str]; 12] = [
    &["plan"],
    &["apply", "-y"],
    &["destroy", "-y", "--allow-destroy=all"],
    &["status"],
    &["drift"],
    &["refresh", "-y"],
    &["restart", "-y"],
    &["logs"],
    &["machine", "list"],
    &["machine", "stop", "x"],
    &["scale", "count", "web=2", "-y"],
    &["scale", "count", "web=2", "--edit-only", "--refresh=false"],
];

#[test]
fn an_app_that_may_be_on_fly_never_runs_here_unsaid() {
    for built in [
        BUILT,
        "app = \"shop\"\n[build]\n[processes]\nweb = \"sleep 1000\"\n",
        "app = \"shop\"\nbuild = { image = \"nginx\" }\n[processes]\nweb = \"sleep 1000\"\n",
        "app = \"shop\"\n[Build]\nimage = \"nginx\"\n[processes]\nweb = \"sleep 1000\"\n",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("fly.toml", built);
        for verb in VERBS {
            let shown = sandbox.run(verb);
            assert!(shown.starts_with("exit 1\n"), "{verb:?}: {shown}");
            assert!(shown.contains("no provider is configured"), "{shown}");
        }
        assert!(sandbox.untouched());
        assert!(!sandbox.project().join("aeroform.toml").exists());
    }
    let sandbox = Sandbox::with_app();
    for verb in VERBS {
        let shown = with_token(&sandbox, verb);
        assert!(
            shown.contains("no provider is configured"),
            "{verb:?}: {shown}"
        );
    }
    assert!(sandbox.untouched());
    assert_snapshot!(with_token(&sandbox, &["apply", "-y"]), @r#"
    exit 1
    --- stderr
    error: no provider is configured
      caused by: no flag, aeroform.toml or state names a provider, and `FLY_API_TOKEN` is set
    hint: use `--provider fly` for Fly or `--provider local` for processes on this computer, or write `provider = "…"` in `aeroform.toml`
    "#);
    // Without one, `init` writes it.
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    let shown = with_token(&sandbox, &["apply", "-y"]);
    assert!(
        shown.contains("computer, or run `aeroform init`"),
        "{shown}"
    );
}

#[test]
fn init_does_not_guess_a_provider() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", Sandbox::FLY);
    for args in [&["init"][..], &["init", "--json"]] {
        let shown = with_token(&sandbox, args);
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(
            shown.contains("no provider is configured")
                && shown.contains("`--provider fly` for Fly or `--provider local`"),
            "{shown}"
        );
    }
    let path = sandbox.project().join("aeroform.toml");
    assert!(!path.exists());
    for provider in ["local", "fly"] {
        let shown = with_token(&sandbox, &["init", "--provider", provider]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let written = sandbox.read("aeroform.toml");
        assert!(written.contains(&format!("provider = \"{provider}\"")));
        std::fs::remove_file(&path).unwrap();
    }
    // A fly.toml that is valid only for Fly needs no guess.
    sandbox.write("fly.toml", BUILT);
    let shown = sandbox.run(&["init"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let written = sandbox.read("aeroform.toml");
    assert!(written.contains("provider = \"fly\""), "{written}");
}

#[test]
fn an_image_that_a_flag_or_aeroform_toml_names_may_be_flys_too() {
    let sandbox = Sandbox::with_app();
    let by_flag = sandbox.run(&["apply", "-y", "--image", "nginx"]);
    assert!(
        by_flag.contains("an image or `[build]` is set"),
        "{by_flag}"
    );
    sandbox.write("aeroform.toml", "image = \"nginx\"\n");
    let by_file = sandbox.run(&["apply", "-y"]);
    assert!(
        by_file.contains("an image or `[build]` is set"),
        "{by_file}"
    );
    assert!(sandbox.untouched());
}

#[test]
fn a_named_provider_is_used_and_so_is_the_one_of_the_state() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", BUILT);
    let local = sandbox.run(&["apply", "-y", "--provider", "local"]);
    assert!(local.starts_with("exit 0\n"), "{local}");
    // From now on the state says it.
    for shown in [sandbox.run(&["plan"]), with_token(&sandbox, &["plan"])] {
        assert!(shown.contains("shop · local · serial 1"), "{shown}");
    }
    let gone = sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
    assert!(gone.starts_with("exit 0\n"), "{gone}");
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", BUILT);
    sandbox.write("aeroform.toml", "provider = \"local\"\n");
    assert!(sandbox.run(&["plan"]).starts_with("exit 0\n"));
    sandbox.write(
        "state/shop.json",
        "[{\"format\": 1, \"app\": \"shop\", \"provider\": \"fly\", \"lineage\": \"l\",\"serial\": 1}]\n",
    );
    sandbox.write("aeroform.toml", "");
    let offline = sandbox.run(&["plan", "--refresh=false"]);
    assert!(offline.contains("shop · fly · serial 1"), "{offline}");
}

#[test]
fn without_a_call_an_app_with_an_image_counts_as_one_of_fly() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", "app = \"shop\"\n[build]\n");
    sandbox.write("aeroform.toml", "[groups.app]\ncount = 2\n");
    assert!(sandbox.run(&["validate"]).starts_with("exit 0\n"));
    assert!(sandbox.run(&["show", "config"]).starts_with("exit 0\n"));
    let offline = sandbox.run(&["plan", "--refresh=false"]);
    assert!(offline.contains("shop · fly · no state yet"), "{offline}");
}

#[test]
fn a_misspelt_provider_is_reported_with_its_line() {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", "# ours\nprovider = \"flyy\"\n");
    let shown = sandbox.run(&["validate"]);
    assert_snapshot!(shown, @r#"
    exit 1
    --- stderr
    error[bad_value]: unknown provider `flyy`
     --> aeroform.toml:2:12
      |
    2 | provider = "flyy"
      |            ^^^^^^
      |
      = help: did you mean `fly`?

    error: cannot parse `aeroform.toml`: 1 error
    "#);
    for verb in [
        &["plan", "--refresh=false"][..],
        &["plan"],
        &["apply", "-y"],
        &["show", "config"],
        &["scale", "count", "web=2", "--edit-only", "--refresh=false"],
    ] {
        let shown = sandbox.run(verb);
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(shown.contains("aeroform.toml:2:12"), "{shown}");
        assert!(shown.contains("did you mean `fly`?"), "{shown}");
    }
    sandbox.write("aeroform.toml", "provider = \"kubernetes\"\n");
    let shown = sandbox.run(&["validate"]);
    assert!(
        shown.contains("the providers are `local` and `fly`"),
        "{shown}"
    );
    sandbox.write("aeroform.toml", "");
    for verb in [
        &["validate"][..],
        &["plan", "--refresh=false"],
        &["show", "config"],
    ] {
        let shown = sandbox.run(&[verb, &["--provider", "Fly"]].concat());
        assert!(shown.contains("there is no provider `Fly`"), "{shown}");
        assert!(shown.contains("did you mean `fly`?"), "{shown}");
    }
}

/// Verbs that go on where the manifests are broken.
const LOOKS: [&[&str]; 6] = [
    &["status"],
    &["machine", "list"],
    &["drift"],
    &["logs"],
    &["machine", "stop", "x"],
    &["destroy", "-y", "--allow-destroy=all"],
];

#[test]
fn a_provider_that_cannot_be_read_never_becomes_another_one() {
    for (text, expected) in [
        ("provider = \"flyy\"\n", "did you mean `fly`?"),
        ("provider = \"flyy\"\n", "--> aeroform.toml:1:12"),
        ("provider = 7\n", "--> aeroform.toml:1:12"),
        ("provider = \"fly\n", "--> aeroform.toml:1:"),
    ] {
        let sandbox = Sandbox::with_app();
        sandbox.write("aeroform.toml", "provider = \"local\"\n");
        sandbox.apply();
        let state = sandbox.read("state/shop.json");
        std::fs::remove_dir_all(sandbox.project().join("state")).unwrap();
        sandbox.write("aeroform.toml", text);
        for verb in LOOKS {
            let shown = sandbox.run(verb);
            assert!(shown.starts_with("exit 1\n"), "{verb:?}: {shown}");
            assert!(shown.contains(expected), "{verb:?}: {shown}");
            assert!(shown.contains("--provider local"), "{verb:?}: {shown}");
        }
        // A flag or the state says it.
        let named = sandbox.run(&["--provider", "local", "status"]);
        assert!(named.starts_with("exit 0\n"), "{named}");
        std::fs::create_dir(sandbox.project().join("state")).unwrap();
        sandbox.write("state/shop.json", &state);
        let remembered = sandbox.run(&["status"]);
        assert!(remembered.starts_with("exit 0\n"), "{remembered}");
        assert!(remembered.contains("shop · local"), "{remembered}");
        let gone = sandbox.run(&["destroy", "-y", "--allow-destroy=all"]);
        assert!(gone.starts_with("exit 0\n"), "{gone}");
    }
    // Where only fly.toml is missing, the provider that is written holds.
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\nconfig = \"nowhere.toml\"\n",
    );
    let shown = sandbox.run(&["-a", "shop", "status"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    assert!(shown.contains("there is no `nowhere.toml`"), "{shown}");
    assert!(shown.contains("no token for Fly"), "{shown}");
}
