//! Verbs that change how many Machines there are by naming one: the edit, the plan that follows, and that
//! nothing is left to do, here and for a pipeline.

use insta::assert_snapshot;
use serde_json::Value;

use crate::fly::{EmulatorProcess, V1, project, run};
use crate::sandbox::Sandbox;

pub(crate) const OURS: &str = "\
[groups.web]
count = 2

[groups.jobs]
count = 1
";

/// Local Machines: two of `web`, one of `jobs`.
pub(crate) fn app() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", OURS);
    sandbox.apply();
    sandbox
}

/// The ids of a group's Machines.
pub(crate) fn ids(sandbox: &Sandbox, group: &str) -> Vec<String> {
    let args = ["machine", "list", "-q", "-g", group];
    let listed = sandbox.command(&args).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn settled(sandbox: &Sandbox) {
    let shown = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}

/// Holds rule 13.
#[test]
fn a_clone_is_one_more_in_an_exact_map() {
    let sandbox = app();
    let id = &ids(&sandbox, "web")[0];
    let cloned = sandbox.run(&["machine", "clone", id, "--region", "gru", "-y"]);
    assert!(cloned.contains("Apply complete: 1 created."), "{cloned}");
    assert!(
        cloned.contains("then has 3 Machines: ams 2, gru 1"),
        "{cloned}"
    );
    assert_snapshot!(sandbox.read("aeroform.toml"), @"
    [groups.web]
    regions = { ams = 2, gru = 1 }

    [groups.jobs]
    count = 1
    ");
    settled(&sandbox);
    let jobs = sandbox.run(&["machine", "clone", id, "-g", "jobs", "-y"]);
    assert!(jobs.starts_with("exit 0\n"), "{jobs}");
    assert_eq!(
        (ids(&sandbox, "jobs").len(), ids(&sandbox, "web").len()),
        (2, 3)
    );
    settled(&sandbox);
    let unknown = sandbox.run(&["machine", "clone", "0000000000", "-y"]);
    assert!(unknown.contains("no Machine `0000000000`"), "{unknown}");
}

#[test]
fn the_machine_that_is_named_is_destroyed_and_no_other() {
    let sandbox = app();
    let web = ids(&sandbox, "web");
    let refused = sandbox.run(&["machine", "destroy", &web[0], "-y"]);
    assert!(
        refused.starts_with("exit 1\n") && refused.contains("or add `--force`"),
        "{refused}"
    );
    assert_eq!(sandbox.read("aeroform.toml"), OURS);
    let destroyed = sandbox.run(&["machine", "destroy", &web[0], "--force", "-y"]);
    assert!(
        destroyed.contains("Apply complete: 1 destroyed."),
        "{destroyed}"
    );
    assert!(
        destroyed.contains("then has 1 Machine: ams 1"),
        "{destroyed}"
    );
    assert_eq!(ids(&sandbox, "web"), [web[1].clone()]);
    let written = sandbox.read("aeroform.toml").replace(&web[0], "ID");
    assert_snapshot!(written, @r#"
    [groups.web]
    regions = { ams = 1 }

    [groups.jobs]
    count = 1

    [[removed]]
    machine = "ID"
    "#);
    settled(&sandbox);
    sandbox.run(&["machine", "stop", &web[1]]);
    let last = sandbox.run(&["machine", "rm", &web[1], "-y"]);
    assert!(last.starts_with("exit 6\n"), "{last}");
    assert!(last.contains("--allow-destroy=web:1"), "{last}");
    assert_eq!(ids(&sandbox, "web").len(), 1);
    let last = sandbox.run(&["machine", "rm", &web[1], "-y", "--allow-destroy=web"]);
    assert!(last.contains("would create Machines again"), "{last}");
    assert_eq!(ids(&sandbox, "web").len(), 0);
    settled(&sandbox);
}

#[test]
fn a_machine_moves_with_both_groups_numbers_in_either_spelling() {
    let sandbox = app();
    let web = ids(&sandbox, "web");
    let moved = sandbox.run(&["machine", "move", &web[0], "--to", "jobs", "-y"]);
    assert!(moved.contains("Apply complete: 1 moved."), "{moved}");
    assert!(ids(&sandbox, "jobs").contains(&web[0]));
    let written = sandbox.read("aeroform.toml").replace(&web[0], "ID");
    assert_snapshot!(written, @r#"
    [groups.web]
    regions = { ams = 1 }

    [groups.jobs]
    regions = { ams = 2 }

    [[moved]]
    machine = "ID"
    to = "jobs"
    "#);
    settled(&sandbox);
    let back = [
        "machine",
        "update",
        "--metadata",
        "fly_process_group=web",
        &web[0],
        "-y",
    ];
    let back = sandbox.run(&back);
    assert!(back.contains("Apply complete: 1 moved."), "{back}");
    assert_eq!(ids(&sandbox, "web").len(), 2);
    settled(&sandbox);
    let other = ["machine", "update", "--metadata", "role=leader", &web[0]];
    assert!(sandbox.run(&other).starts_with("exit 64\n"));
    let nowhere = sandbox.run(&["machine", "move", &web[0], "--to", "jbos"]);
    assert!(
        nowhere.contains("there is no process group `jbos`"),
        "{nowhere}"
    );
}

#[test]
fn a_standby_is_not_moved_or_cloned_and_goes_when_it_is_named() {
    let sandbox = Sandbox::with_app();
    let ours = "[groups.web]\ncount = 1\n\n[groups.jobs]\ncount = 1\nstandby = true\n";
    sandbox.write("aeroform.toml", ours);
    sandbox.apply();
    let output = sandbox.command(&["status", "--json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let machines = status["machines"].as_array().unwrap();
    let standby = machines.iter().find(|m| m["standby"] == true).unwrap();
    let id = standby["id"].as_str().unwrap();
    for args in [
        &["machine", "move", id, "--to", "web"][..],
        &["machine", "clone", id],
    ] {
        let refused = sandbox.run(args);
        assert!(refused.contains("is a standby"), "{refused}");
    }
    let gone = sandbox.run(&["machine", "destroy", id, "-y"]);
    assert!(gone.contains("Apply complete: 1 destroyed."), "{gone}");
    assert_eq!(ids(&sandbox, "jobs").len(), 1);
    settled(&sandbox);
}

#[test]
fn an_edit_alone_leads_a_pipeline_to_the_same() {
    let sandbox = app();
    let web = ids(&sandbox, "web");
    let jobs = ids(&sandbox, "jobs");
    let edited = ["machine", "destroy", &web[0], "--force", "--edit-only"];
    assert!(sandbox.run(&edited).starts_with("exit 0\n"));
    let edited = ["machine", "move", &web[1], "--to", "jobs", "--edit-only"];
    assert!(sandbox.run(&edited).starts_with("exit 0\n"));
    let planned = sandbox.run(&[
        "machine",
        "clone",
        &jobs[0],
        "--plan-only",
        "--refresh=false",
    ]);
    assert!(
        planned.starts_with("exit 0\n") && planned.contains("1 to create"),
        "{planned}"
    );
    let applied = sandbox.run(&["apply", "-y", "--allow-destroy=web:1"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(ids(&sandbox, "web").len(), 0);
    let mut now = ids(&sandbox, "jobs");
    now.sort();
    let mut expected = vec![jobs[0].clone(), web[1].clone()];
    expected.sort();
    assert_eq!(now, expected);
    settled(&sandbox);
}

#[test]
fn verbs_go_by_the_groups_that_machines_are_about_to_have() {
    let sandbox = app();
    let web = ids(&sandbox, "web");
    let only = |args: &[&str]| {
        let shown = sandbox.run(&[args, &["--edit-only", "-q"]].concat());
        assert!(shown.starts_with("exit 0\n"), "{shown}");
    };
    let numbers = || {
        let text = sandbox.read("aeroform.toml");
        let (numbers, _) = text.split_once("\n[[").unwrap();
        numbers.to_owned()
    };
    // There and back again.
    only(&["machine", "move", &web[0], "--to", "jobs"]);
    only(&["machine", "move", &web[0], "--to", "web"]);
    assert_snapshot!(numbers(), @"
    [groups.web]
    regions = { ams = 2 }

    [groups.jobs]
    regions = { ams = 1 }
    ");
    settled(&sandbox);
    // It goes from the group that it was to have.
    only(&["machine", "move", &web[0], "--to", "jobs"]);
    only(&["machine", "destroy", &web[0], "--force"]);
    assert_snapshot!(numbers(), @"
    [groups.web]
    regions = { ams = 1 }

    [groups.jobs]
    regions = { ams = 1 }
    ");
    // The group has another name by now.
    only(&["group", "rename", "web", "front"]);
    only(&["machine", "clone", &web[1]]);
    only(&["machine", "clone", &web[1], "--region", "fra"]);
    only(&["machine", "destroy", &web[1], "--force"]);
    assert_snapshot!(numbers(), @"
    [groups.front]
    regions = { ams = 1, fra = 1 }

    [groups.jobs]
    regions = { ams = 1 }
    ");
    sandbox.apply();
    assert_eq!(ids(&sandbox, "front").len(), 2);
    assert_eq!(ids(&sandbox, "jobs").len(), 1);
    settled(&sandbox);
}

#[test]
fn on_fly_a_clone_copies_settings_that_no_manifest_sets() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    crate::fly::update(&platform, &id, |config| {
        config["dns"] = serde_json::json!({"skip_registration": true});
    });
    let ours = sandbox.read("aeroform.toml");
    let left = |args: &[&str]| {
        let edits = run(
            &sandbox,
            &platform,
            &[&["machine", "clone", &id, "--edit-only"], args].concat(),
        );
        sandbox.write("aeroform.toml", &ours);
        edits
    };
    let of_files = "the new Machine is created from the files only";
    let edits = left(&[]);
    assert!(
        edits.contains(of_files) && edits.contains(": `dns`; without"),
        "{edits}"
    );
    let offline = left(&["--refresh=false"]);
    assert!(offline.contains(of_files), "{offline}");
    let cloned = run(
        &sandbox,
        &platform,
        &["machine", "clone", &id, "--region", "gru", "-y"],
    );
    assert!(!cloned.contains(of_files), "{cloned}");
    assert!(cloned.contains("Apply complete: 1 created."), "{cloned}");
    let machines = platform.machines();
    let new = machines.iter().find(|m| m["id"] != id.as_str()).unwrap();
    assert_eq!(new["region"], "gru");
    assert_eq!(new["config"]["dns"]["skip_registration"], true);
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    let body = serde_json::json!({"region": "gru", "config": {"image": "busybox"}});
    let (_, created) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    let stranger = created["id"].as_str().unwrap();
    let refused = run(&sandbox, &platform, &["machine", "destroy", stranger, "-f"]);
    assert!(
        refused.contains("not in a group that Aeroform manages"),
        "{refused}"
    );
}

#[test]
fn where_there_is_one_too_many_naming_another_lowers_nothing() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let named = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    platform.deployed("app", "ams", V1);
    let args = ["machine", "destroy", &named, "--force", "-y"];
    let destroyed = run(&sandbox, &platform, &args);
    assert!(destroyed.starts_with("exit 0\n"), "{destroyed}");
    let machines = platform.machines();
    assert_eq!(machines.len(), 2);
    assert!(machines.iter().all(|m| m["id"] != named.as_str()));
    assert!(sandbox.read("aeroform.toml").contains("count = 2"));
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
}

#[test]
fn a_volume_is_new_for_a_clone_goes_along_with_a_replacement_and_stays_behind_a_destroy() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let fly = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &format!("{fly}\n[mounts]\n  source = \"data\"\n  destination = \"/data\"\n"),
    );
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let volumes = || -> Vec<(String, Value)> {
        let (_, list) = platform.ask("GET", "/v1/apps/shop/volumes", &Value::Null);
        let rows = list.as_array().unwrap().iter();
        rows.map(|v| {
            let id = v["id"].as_str().unwrap().to_owned();
            (id, v["attached_machine_id"].clone())
        })
        .collect()
    };
    let id = || platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let (first, before) = (id(), volumes());
    let replaced = run(&sandbox, &platform, &["machine", "replace", &first, "-y"]);
    assert!(replaced.starts_with("exit 0\n"), "{replaced}");
    assert!(replaced.contains("the old one first"), "{replaced}");
    assert!(
        replaced.contains("the new Machine takes its volume"),
        "{replaced}"
    );
    let second = id();
    assert_ne!(first, second);
    assert_eq!(volumes(), [(before[0].0.clone(), second.clone().into())]);

    // What others make of the edit has a volume of its own, too, and lacks nothing.
    let ours = sandbox.read("aeroform.toml");
    let only = ["machine", "clone", &second, "--edit-only"];
    let edited = run(&sandbox, &platform, &only);
    assert!(!edited.contains("from the files only"), "{edited}");
    sandbox.write("aeroform.toml", &ours);
    let cloned = run(&sandbox, &platform, &["machine", "clone", &second, "-y"]);
    assert!(cloned.starts_with("exit 0\n"), "{cloned}");
    assert!(cloned.contains("no data is copied"), "{cloned}");
    assert_eq!(volumes().len(), 2);
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");

    let destroy = ["machine", "destroy", &second, "--force", "-y"];
    let refused = run(&sandbox, &platform, &destroy);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    assert!(refused.contains("--allow-destroy=app:1"), "{refused}");
    let allowed = [&destroy[..], &["--allow-destroy=app:1"]].concat();
    let destroyed = run(&sandbox, &platform, &allowed);
    assert!(destroyed.starts_with("exit 0\n"), "{destroyed}");
    assert!(volumes().contains(&(before[0].0.clone(), Value::Null)));
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
}
