//! Provider `fly` at the binary: creates, adoption, comparison, questions and waits.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, FLY, V1, V2, hold, on, project, run, update};
use crate::sandbox::Sandbox;

#[test]
fn an_app_is_made_changed_and_taken_away_and_every_step_is_so() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.contains("Apply complete: 2 created."), "{applied}");
    let again = ["plan", "--image", V1, "--detailed-exitcode"];
    let quiet = run(&sandbox, &platform, &again);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(applied.contains("Apply complete: 2 updated."), "{applied}");
    for machine in platform.machines() {
        assert_eq!(machine["config"]["image"], V2);
        assert_eq!(machine["state"], "started");
        let id = machine["id"].as_str().unwrap();
        let lease = format!("/v1/apps/shop/machines/{id}/lease");
        assert_eq!(platform.ask("GET", &lease, &Value::Null).0, 404);
    }
    let away = ["destroy", "-y", "--allow-destroy=all"];
    let gone = run(&sandbox, &platform, &away);
    assert!(gone.contains("2 destroyed"), "{gone}");
    assert_eq!(platform.machines().len(), 0);
    assert!(!sandbox.read("state/shop.json").contains("s3cret"));
}

/// Holds rule 1.
#[test]
fn what_fly_deploy_made_is_adopted_and_nothing_of_it_is_touched() {
    let sandbox = project("");
    let platform = EmulatorProcess::with_app(&sandbox);
    let ids = [
        platform.deployed("app", "ams", V1),
        platform.deployed("app", "gru", V1),
    ];
    let console = platform.deployed("fly_app_console", "ams", V1);
    let before: Vec<Value> = platform.machines();
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("2 to adopt"), "{plan}");
    assert!(plan.contains(&console), "{plan}");
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines(), before);
    let state = sandbox.read("state/shop.json");
    assert!(ids.iter().all(|id| state.contains(id.as_str())), "{state}");
    assert!(!state.contains(&console));
    let again = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(again.starts_with("exit 0\n"), "{again}");
}

#[test]
fn an_image_that_no_file_writes_is_no_lag_of_the_state() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let state = sandbox.read("state/shop.json");
    for more in [&[][..], &["--image", V1]] {
        let plan = [&["plan", "--detailed-exitcode"][..], more].concat();
        let plan = run(&sandbox, &platform, &plan);
        assert!(
            plan.starts_with("exit 0\n") && plan.contains("No changes."),
            "{plan}"
        );
        run(&sandbox, &platform, &[&["apply", "-y"][..], more].concat());
        assert_eq!(sandbox.read("state/shop.json"), state);
    }
    // The same where the state has never heard of the image.
    std::fs::remove_file(sandbox.project().join("state/shop.json")).unwrap();
    run(&sandbox, &platform, &["apply", "-y"]);
    let plan = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(plan.contains("No changes."), "{plan}");
    // A file that writes it is another matter: the state follows the file.
    sandbox.write(
        "aeroform.toml",
        &format!("provider = \"fly\"\nimage = \"{V1}\"\n[groups.app]\ncount = 2\n"),
    );
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("2 to adopt"), "{plan}");
}

#[test]
fn a_plan_saved_with_an_image_applies_without_the_flag() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    run(
        &sandbox,
        &platform,
        &["plan", "--image", V2, "--out", "next.plan"],
    );
    let applied = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(applied.contains("2 updated"), "{applied}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
    run(
        &sandbox,
        &platform,
        &["plan", "--image", V1, "--out", "back.plan"],
    );
    let other = run(&sandbox, &platform, &["apply", "back.plan", "--image", V2]);
    assert!(
        other.starts_with("exit 4\n") && other.contains("the set of flags differs"),
        "{other}"
    );
}

/// Holds rule 10.
#[test]
fn a_refresh_names_what_fly_toml_has_to_say_and_claims_nothing() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    update(&platform, &id, |config| {
        config["env"]["NEW"] = "it's \"1\"".into();
    });
    let state = sandbox.read("state/shop.json");
    let refreshed = run(&sandbox, &platform, &["refresh", "-y"]);
    assert!(refreshed.starts_with("exit 3\n"), "{refreshed}");
    assert!(
        !refreshed.contains("adopt") && !refreshed.contains("complete"),
        "{refreshed}"
    );
    assert!(
        refreshed.contains("[env]\n        NEW = \"it's \\\"1\\\"\"\n"),
        "{refreshed}"
    );
    assert!(refreshed.contains("Nothing was recorded."), "{refreshed}");
    assert_eq!(sandbox.read("state/shop.json"), state);
    let refreshed = run(&sandbox, &platform, &["refresh", "-y", "--json"]);
    let last = refreshed.lines().rfind(|line| line.starts_with('{'));
    let last: Value = serde_json::from_str(last.unwrap()).unwrap();
    assert!(refreshed.starts_with("exit 3\n"), "{refreshed}");
    assert_eq!(last["outcome"], "incomplete", "{refreshed}");
    assert_eq!(last["left_out"].as_array().unwrap().len(), 1, "{refreshed}");
    let fly = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &format!("{fly}\n[env]\n  NEW = \"it's \\\"1\\\"\"\n"),
    );
    let refreshed = run(&sandbox, &platform, &["refresh", "-y"]);
    assert!(refreshed.starts_with("exit 0\n"), "{refreshed}");
    for verb in ["drift", "plan"] {
        let quiet = run(&sandbox, &platform, &[verb, "--detailed-exitcode"]);
        assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    }
}

#[test]
fn after_the_import_of_a_fleet_as_its_files_say_nothing_has_drifted() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    for region in ["ams", "gru"] {
        let id = platform.deployed("app", region, V1);
        update(&platform, &id, |config| {
            let config = config.as_object_mut().unwrap();
            config.insert(
                "restart".to_owned(),
                json!({"policy": "on-failure", "max_retries": 10}),
            );
            config.insert("dns".to_owned(), json!({}));
        });
    }
    let imported = run(&sandbox, &platform, &["import"]);
    assert!(imported.starts_with("exit 0\n"), "{imported}");
    assert!(
        imported.contains("Import complete: 2 adopted."),
        "{imported}"
    );
    for verb in ["drift", "plan"] {
        let quiet = run(&sandbox, &platform, &[verb, "--detailed-exitcode"]);
        assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    }
}

#[test]
fn a_machine_that_is_excluded_is_left_alone_and_a_saved_plan_keeps_that() {
    let sandbox = project("[groups.app]\ncount = 3\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let exclude = format!("--exclude-machines={id}");
    let planned = ["plan", "--image", V2, &exclude, "--out", "next.plan"];
    let planned = run(&sandbox, &platform, &planned);
    let output = format!("left out: 1 to update in app (--exclude-machines {id})");
    let flat: Vec<&str> = planned.split_whitespace().collect();
    assert!(flat.join(" ").contains(&output), "{planned}");
    let applied = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(
        applied.starts_with("exit 0\n") && applied.contains("2 updated"),
        "{applied}"
    );
    let images = |expected: &str| {
        let machines = platform.machines().into_iter();
        machines
            .filter(|machine| machine["config"]["image"] == expected)
            .count()
    };
    assert_eq!((images(V1), images(V2)), (1, 2));
    let fewer = run(
        &sandbox,
        &platform,
        &["scale", "count", "2", "-y", "--image", V2, &exclude],
    );
    // It is the one that would go.
    let output = format!("left out: 1 to destroy in app (--exclude-machines {id})");
    assert!(fewer.contains(&output), "{fewer}");
    assert_eq!((images(V1), images(V2)), (1, 2));
    let named = run(
        &sandbox,
        &platform,
        &["machine", "replace", &id, "-y", &exclude],
    );
    assert!(
        named.starts_with("exit 64\n") && named.contains("leaves it out"),
        "{named}"
    );
    let typo = run(
        &sandbox,
        &platform,
        &["plan", "--exclude-machines", "d8d", "--detailed-exitcode"],
    );
    assert!(
        typo.starts_with("exit 6\n") && typo.contains("`--exclude-machines d8d` matches nothing"),
        "{typo}"
    );
}

#[test]
fn a_platform_in_a_file_is_there_again() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let data = ["--rate-limits", "off", "--data", "fly.db"];
    let first = EmulatorProcess::start(&sandbox, &data);
    let app = json!({"name": "shop", "org_slug": "personal"});
    assert_eq!(first.ask("POST", "/v1/apps", &app).0, 201);
    let id = first.deployed("app", "ams", V1);
    let shown = first.machines();
    drop(first);
    let second = EmulatorProcess::start(&sandbox, &data);
    assert_eq!(second.machines()[0]["config"], shown[0]["config"]);
    assert_eq!(second.machines()[0]["created_at"], shown[0]["created_at"]);
    assert_ne!(second.deployed("app", "ams", V1), id);
    let away = "/v1/apps/shop?force=true";
    assert_eq!(second.ask("DELETE", away, &Value::Null).0, 202);
    drop(second);
    let third = EmulatorProcess::start(&sandbox, &data);
    assert_eq!(third.ask("GET", "/v1/apps/shop", &Value::Null).0, 404);
}

#[test]
fn what_the_emulator_has_acknowledged_is_in_its_file() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let data = ["--rate-limits", "off", "--data", "fly.db"];
    let first = EmulatorProcess::start(&sandbox, &data);
    let app = json!({"name": "shop", "org_slug": "personal"});
    assert_eq!(first.ask("POST", "/v1/apps", &app).0, 201);
    // The last call of an apply ends its release.
    let applied = run(&sandbox, &first, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let newest = "/api/v1/apps/shop/releases/current";
    let shown = first.ask("GET", newest, &Value::Null);
    assert_eq!(shown.1["release"]["status"], "complete", "{shown:?}");
    drop(first);
    let second = EmulatorProcess::start(&sandbox, &data);
    assert_eq!(second.ask("GET", newest, &Value::Null), shown);
}

/// Holds rule 26.
#[test]
fn a_run_waits_for_the_holder_of_the_app_lease_and_names_it() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    hold(&platform, &id, 3);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(
        applied.contains("waiting up to 30s for a lease"),
        "{applied}"
    );
    let lines = applied.lines().filter(|line| line.contains("deploying v7"));
    for line in lines.collect::<Vec<&str>>() {
        let said = line.split_once("Machine ").unwrap().1;
        assert!(
            said.starts_with(&format!("{id} is leased by ")),
            "{applied}"
        );
        assert!(said.contains(" until 2"), "{applied}");
        assert!(!line.contains("POST") && line.len() < 170, "{applied}");
    }
    assert!(applied.contains(": deploying v7\n"), "{applied}");
    let lease = format!("/v1/apps/shop/machines/{id}/lease");
    assert_eq!(platform.ask("GET", &lease, &Value::Null).0, 404);
}

/// Holds rule 26.
#[test]
fn the_holder_of_a_machine_lease_is_named_before_the_plan_and_its_question() {
    for (held, image) in [(0, V1), (0, V2), (1, V2)] {
        let sandbox = project("[groups.app]\ncount = 3\n");
        let platform = EmulatorProcess::with_app(&sandbox);
        let mut ids = [1, 2].map(|_| platform.deployed("app", "ams", V1));
        ids.sort();
        hold(&platform, &ids[held], 4);
        let command = on(&sandbox, &platform, &["apply", "--image", image]);
        let mut terminal = crate::pty::Terminal::start(command);
        terminal.expect(format!("Machine {} is leased by ", ids[held]));
        terminal.expect("Apply this plan? [y/N]");
        terminal.type_line("n");
        let (code, screen) = terminal.end();
        assert_eq!(code, 6, "{screen}");
        let at = |text: &str| {
            screen
                .find(text)
                .unwrap_or_else(|| panic!("{text}: {screen}"))
        };
        assert!(
            at("waiting up to 30s for a lease") < at("Plan:"),
            "{screen}"
        );
        assert_eq!(screen.matches("for a lease").count(), 1, "{screen}");
        // Nothing of it is kept from others while a person thinks.
        for id in &ids {
            let lease = format!("/v1/apps/shop/machines/{id}/lease");
            assert_eq!(platform.ask("GET", &lease, &Value::Null).0, 404);
        }
    }
}

/// Holds rule 10.
#[test]
fn outside_changes_are_drift_and_starts_by_the_proxy_are_not() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let drift = ["drift", "--detailed-exitcode"];
    let quiet = run(&sandbox, &platform, &drift);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    assert!(quiet.contains("No drift."), "{quiet}");
    let machines = platform.machines();
    let id = |at: usize| machines[at]["id"].as_str().unwrap();
    let stop = format!("/v1/apps/shop/machines/{}/stop", id(0));
    assert_eq!(platform.ask("POST", &stop, &json!({})).0, 200);
    let metadata = format!("/v1/apps/shop/machines/{}/metadata/fly_release_id", id(0));
    assert_eq!(
        platform.ask("POST", &metadata, &json!({"value": "r9"})).0,
        204
    );
    let quiet = run(&sandbox, &platform, &drift);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    update(&platform, id(1), |config| {
        config["env"]["DEBUG"] = "1".into();
    });
    let seen = run(&sandbox, &platform, &drift);
    assert!(seen.starts_with("exit 2\n"), "{seen}");
    assert!(seen.contains(id(1)) && seen.contains("DEBUG"), "{seen}");
    assert!(!seen.contains(id(0)), "{seen}");
    let app = "/v1/apps/shop?force=true";
    assert_eq!(platform.ask("DELETE", app, &Value::Null).0, 202);
    let untold = run(&sandbox, &platform, &drift);
    assert!(untold.starts_with("exit 4\n"), "{untold}");
    assert!(untold.contains("cannot determine the drift"), "{untold}");
}

#[test]
fn a_refresh_takes_what_is_there_and_says_what_the_files_want_otherwise() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let machines = platform.machines();
    let id = |at: usize| machines[at]["id"].as_str().unwrap();
    update(&platform, id(0), |config| config["image"] = V2.into());
    let gone = format!("/v1/apps/shop/machines/{}?force=true", id(1));
    assert_eq!(platform.ask("DELETE", &gone, &Value::Null).0, 200);
    let added = platform.deployed("app", "gru", V1);
    let before = platform.machines();
    let shown = run(&sandbox, &platform, &["refresh", "-y"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("reverts image"), "{shown}");
    let instances =
        |list: &[Value]| -> Vec<Value> { list.iter().map(|m| m["instance_id"].clone()).collect() };
    assert_eq!(instances(&platform.machines()), instances(&before));
    let state = sandbox.read("state/shop.json");
    assert!(state.contains(&added) && !state.contains(id(1)), "{state}");
    let quiet = run(&sandbox, &platform, &["drift", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("1 to update"), "{plan}");
    assert!(!plan.contains("to create in"), "{plan}");
}

#[test]
fn an_import_writes_down_what_is_there_and_shows_what_fly_toml_would_change() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    let empty = run(&sandbox, &platform, &["import"]);
    assert!(empty.starts_with("exit 1\n"), "{empty}");
    for region in ["ams", "ams", "gru"] {
        platform.deployed("app", region, V1);
    }
    let before = platform.machines();
    let shown = run(&sandbox, &platform, &["import"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(
        shown.contains("What the files would still change:"),
        "{shown}"
    );
    assert_eq!(platform.machines(), before);
    let ours = sandbox.read("aeroform.toml");
    assert!(ours.contains("regions = { ams = 2, gru = 1 }"), "{ours}");
    assert!(!ours.contains("image"), "{ours}");
    let again = run(&sandbox, &platform, &["import"]);
    assert!(again.contains("already exists"), "{again}");
    sandbox.write("fly.toml", &format!("{FLY}\n[env]\nLOG = \"debug\"\n"));
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("3 to update"), "{plan}");
    assert!(plan.contains("LOG"), "{plan}");
}

/// Holds rule 7.
#[test]
fn an_import_pins_no_image_and_says_which_lines_it_wrote() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write(".gitignore", "/tmp/\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    for region in ["ams", "gru"] {
        platform.deployed("app", region, V1);
    }
    let shown = run(&sandbox, &platform, &["import", "--image", V2]);
    let wrote = "wrote aeroform.toml and .gitignore:\n\naeroform.toml  (new)\n";
    assert!(shown.contains(wrote), "{shown}");
    for line in [
        "+ provider = \"fly\"",
        "+ [groups.app]",
        "+ regions = { ams = 1, gru = 1 }",
        "+ /state/.*.lock",
        "no image was written",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!sandbox.read("aeroform.toml").contains("image"));
    // Whoever deploys another image is not reverted.
    let quiet = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    platform.deployed("app", "bog", V2);
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(!plan.to_lowercase().contains("revert"), "{plan}");
    // If requested, the running one or the named one.
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    let several = run(&sandbox, &platform, &["import", "--pin-image"]);
    assert!(several.starts_with("exit 1\n"), "{several}");
    assert!(several.contains(V1) && several.contains(V2), "{several}");
    assert!(!sandbox.project().join("aeroform.toml").exists());
    let args = ["import", "--pin-image", "--image", V2, "--json"];
    let named = run(&sandbox, &platform, &args);
    assert!(
        named.contains(r#""files":[{"path":"aeroform.toml","new":true,"#),
        "{named}"
    );
    let pinned = format!("image = \"{V2}\"");
    assert!(sandbox.read("aeroform.toml").contains(&pinned));
}

/// What an import ends with that is to pin the one image of several.
pub(crate) fn several_images(error_of: impl FnOnce(std::process::Command) -> String) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    platform.deployed("app", "ams", V1);
    platform.deployed("app", "gru", V2);
    error_of(on(
        &sandbox,
        &platform,
        &["import", "--pin-image", "--json"],
    ))
}

#[test]
fn an_import_writes_the_digest_that_runs_under_a_tag_and_leaves_nothing_to_do() {
    const TAG: &str = "registry.fly.io/shop:v1";
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    for region in ["ams", "gru"] {
        platform.deployed("app", region, TAG);
    }
    let shown = run(&sandbox, &platform, &["import", "--pin-image"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let machines = platform.machines();
    assert_eq!(machines[0]["config"]["image"], TAG);
    let digest = machines[0]["image_ref"]["digest"].as_str().unwrap();
    let pinned = format!("image = \"{TAG}@{digest}\"\n");
    let ours = sandbox.read("aeroform.toml");
    assert!(ours.contains(&pinned), "{ours}");
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    assert!(plan.contains("No changes"), "{plan}");
}

#[test]
fn a_region_that_only_the_platform_lists_is_valid_online() {
    let sandbox = project("[groups.app]\nregions = { ams = 1, emu = 1 }\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    for offline in [&["validate"][..], &["plan", "--refresh=false"]] {
        let shown = run(&sandbox, &platform, offline);
        assert!(shown.contains("warning[unknown_region]"), "{shown}");
    }
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.contains("Apply complete: 2 created."), "{applied}");
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\n[groups.app]\nregions = { ams = 1, zzz = 1 }\n",
    );
    let refused = run(&sandbox, &platform, &["plan"]);
    assert!(
        refused.contains("error[unknown_region]: `zzz`"),
        "{refused}"
    );
}

#[test]
fn without_an_aeroform_toml_the_first_line_says_where_the_provider_comes_from() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    platform.deployed("app", "ams", V1);
    let first = "shop · fly (from --provider; no aeroform.toml names one) · no state yet";
    let plan = run(&sandbox, &platform, &["--provider", "fly", "plan"]);
    assert!(plan.contains(first), "{plan}");
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(
        plan.contains("shop · fly · no state yet · 1 Machine read"),
        "{plan}"
    );
}

#[test]
fn what_goes_without_encryption_goes_through_no_proxy() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = sandbox.command(&["plan"]);
    command
        .env("FLY_API_TOKEN", "fm2_s3cret")
        .env("FLY_FLAPS_BASE_URL", "http://_api.internal:4280");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &address);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = sandbox.show(&output);
    assert!(shown.contains("cannot connect to"), "{shown}");
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn a_connection_that_is_refused_names_the_host_and_the_cause() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let mut command = sandbox.command(&["plan"]);
    command
        .env("FLY_API_TOKEN", "fm2_s3cret")
        .env("FLY_FLAPS_BASE_URL", format!("http://{address}"));
    let shown = sandbox.show(&command.stdin(Stdio::null()).output().unwrap());
    let output = format!("GET /v1/apps/shop: cannot connect to http://{address}: ");
    assert!(shown.contains(&output), "{shown}");
    assert!(shown.contains("Connection refused"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
