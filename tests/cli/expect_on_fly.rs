//! Reviewed plans with provider `fly`: what changed on the platform between review and apply, and whether the plan
//! still counts, as a saved plan that is applied, as the expected one, and as an expected one that was made offline.

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, FLY, V1, V2, project, run, update};
use crate::fly_releases::fly_deploy;
use crate::sandbox::Sandbox;

const SETTINGS: &str = "provider = \"fly\"\n";
const MOUNT: &str = "\n[[mounts]]\n  source = \"data\"\n  destination = \"/data\"\n";
const ENV: &str = "\n[env]\n  LOG = \"debug\"\n";

/// An app of two Machines that runs as its files say.
fn running(fly: &str) -> (Sandbox, EmulatorProcess) {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    sandbox.write("fly.toml", fly);
    let platform = EmulatorProcess::with_app(&sandbox);
    applied(&run(&sandbox, &platform, &["apply", "-y"]));
    (sandbox, platform)
}

#[track_caller]
fn applied(shown: &str) {
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}

#[track_caller]
fn refused(shown: &str, code: &str, causes: &[&str]) {
    assert!(shown.starts_with(&format!("exit {code}\n")), "{shown}");
    for cause in causes {
        assert!(shown.contains(cause), "{cause}:\n{shown}");
    }
}

/// Saves the plan of the files, with the platform and without it.
fn review(sandbox: &Sandbox, platform: &EmulatorProcess) {
    let online = ["plan", "--out", "online.plan"];
    applied(&run(sandbox, platform, &online));
    let offline = ["plan", "--refresh=false", "--out", "offline.plan"];
    applied(&run(sandbox, platform, &offline));
}

/// Neither the saved plan nor the expected one lists this; nothing is changed.
fn exceeds_both(sandbox: &Sandbox, platform: &EmulatorProcess, causes: &[&str]) {
    let before = platform.machines();
    let stale = run(sandbox, platform, &["apply", "online.plan"]);
    refused(&stale, "4", &["it is out of date"]);
    for file in ["online.plan", "offline.plan"] {
        for verb in ["plan", "apply"] {
            let shown = run(sandbox, platform, &[verb, "--expect", file]);
            refused(&shown, "4", &["exceeds the expected plan"]);
            refused(&shown, "4", causes);
        }
    }
    assert_eq!(platform.machines(), before);
}

/// Only the plan that was made without the platform allows this, and it is applied.
fn exceeds_online_alone(sandbox: &Sandbox, platform: &EmulatorProcess, causes: &[&str]) {
    let before = platform.machines();
    let stale = run(sandbox, platform, &["apply", "online.plan"]);
    refused(&stale, "4", &["it is out of date"]);
    let shown = run(sandbox, platform, &["apply", "--expect", "online.plan"]);
    refused(&shown, "4", causes);
    assert_eq!(platform.machines(), before);
    applied(&run(
        sandbox,
        platform,
        &["plan", "--expect", "offline.plan"],
    ));
    applied(&run(
        sandbox,
        platform,
        &["apply", "--expect", "offline.plan"],
    ));
    let settled = run(sandbox, platform, &["plan", "--detailed-exitcode"]);
    applied(&settled);
}

fn ids(platform: &EmulatorProcess) -> Vec<String> {
    let machines = platform.machines();
    let ids = machines
        .iter()
        .map(|machine| machine["id"].as_str().unwrap().to_owned());
    ids.collect()
}

fn destroy(platform: &EmulatorProcess, id: &str) {
    let path = format!("/v1/apps/shop/machines/{id}?force=true");
    assert_eq!(platform.ask("DELETE", &path, &Value::Null).0, 200);
}

/// Holds rule 11.
#[test]
fn a_release_of_somebody_else_is_reverted_only_if_the_reviewed_plan_says_so() {
    let (sandbox, platform) = running(FLY);
    sandbox.write("fly.toml", &format!("{FLY}{ENV}"));
    review(&sandbox, &platform);
    fly_deploy(&platform, V2);
    exceeds_both(
        &sandbox,
        &platform,
        &["reverts release v2 on 2 Machines of group `app` in ams"],
    );
    // The next review has seen the release, and needs no flag.
    review(&sandbox, &platform);
    let offline = run(&sandbox, &platform, &["apply", "--expect", "offline.plan"]);
    refused(&offline, "4", &["reverts release v2"]);
    applied(&run(
        &sandbox,
        &platform,
        &["apply", "--expect", "online.plan"],
    ));
    for machine in platform.machines() {
        assert_eq!(machine["config"]["image"], V1);
        assert_eq!(machine["config"]["env"]["LOG"], "debug");
    }
}

#[test]
fn a_reviewed_revert_is_applied_from_its_file() {
    let (sandbox, platform) = running(FLY);
    fly_deploy(&platform, V2);
    review(&sandbox, &platform);
    applied(&run(&sandbox, &platform, &["apply", "online.plan"]));
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
}

#[test]
fn data_is_left_on_a_volume_only_if_the_reviewed_plan_destroys_its_machine() {
    let (sandbox, platform) = running(&format!("{FLY}{MOUNT}"));
    review(&sandbox, &platform);
    sandbox.write(
        "aeroform.toml",
        &format!("{SETTINGS}image = \"{V1}\"\n[groups.app]\ncount = 1\n"),
    );
    exceeds_both(
        &sandbox,
        &platform,
        &["destroys 1 Machine of group `app` in ams"],
    );
    review(&sandbox, &platform);
    let before = platform.ask("GET", "/v1/apps/shop/volumes", &Value::Null).1;
    let shown = run(&sandbox, &platform, &["apply", "--expect", "offline.plan"]);
    applied(&shown);
    assert!(shown.contains("1 destroyed"), "{shown}");
    let after = platform.ask("GET", "/v1/apps/shop/volumes", &Value::Null).1;
    assert_eq!(
        after.as_array().unwrap().len(),
        before.as_array().unwrap().len()
    );
    assert_eq!(platform.machines().len(), 1);
}

#[test]
fn a_machine_that_was_made_larger_outside_is_not_shrunk_without_review() {
    let (sandbox, platform) = running(FLY);
    review(&sandbox, &platform);
    let id = &ids(&platform)[0];
    update(&platform, id, |config| {
        config["guest"] = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024});
    });
    sandbox.write(
        "fly.toml",
        &format!("{FLY}\n[[vm]]\n  memory = \"512mb\"\n"),
    );
    exceeds_both(
        &sandbox,
        &platform,
        &["reduces guest.memory_mb of 1 Machine of group `app` in ams"],
    );
    review(&sandbox, &platform);
    let offline = run(&sandbox, &platform, &["apply", "--expect", "offline.plan"]);
    refused(&offline, "4", &["reduces guest.memory_mb of 1 Machine"]);
    applied(&run(&sandbox, &platform, &["apply", "online.plan"]));
    for machine in platform.machines() {
        assert_eq!(machine["config"]["guest"]["memory_mb"], 512);
    }
}

#[test]
fn a_machine_that_took_the_place_of_a_named_one_is_another_one() {
    let (sandbox, platform) = running(FLY);
    sandbox.write("fly.toml", &format!("{FLY}{ENV}"));
    review(&sandbox, &platform);
    destroy(&platform, &ids(&platform)[0]);
    let new = platform.deployed("app", "ams", V1);
    exceeds_online_alone(
        &sandbox,
        &platform,
        &["adopts 1 Machine of group `app`", &new],
    );
    assert!(ids(&platform).contains(&new));
    assert_eq!(platform.machines().len(), 2);
}

#[test]
fn another_image_outside_is_drift_that_only_an_offline_plan_allows_to_revert() {
    let (sandbox, platform) = running(FLY);
    sandbox.write("fly.toml", &format!("{FLY}{ENV}"));
    review(&sandbox, &platform);
    update(&platform, &ids(&platform)[0], |config| {
        config["image"] = V2.into();
    });
    exceeds_online_alone(
        &sandbox,
        &platform,
        &["changes image of 1 Machine of group `app` in ams"],
    );
    for machine in platform.machines() {
        assert_eq!(machine["config"]["image"], V1);
    }
}

#[test]
fn a_lost_machine_is_created_again_by_an_offline_plan() {
    let (sandbox, platform) = running(FLY);
    sandbox.write("fly.toml", &format!("{FLY}{ENV}"));
    review(&sandbox, &platform);
    destroy(&platform, &ids(&platform)[0]);
    exceeds_online_alone(
        &sandbox,
        &platform,
        &["creates 1 Machine of group `app` in ams"],
    );
    assert_eq!(platform.machines().len(), 2);
}

#[test]
fn a_machine_of_fly_deploy_is_adopted_by_an_offline_plan() {
    let (sandbox, platform) = running(FLY);
    sandbox.write(
        "aeroform.toml",
        &format!("{SETTINGS}image = \"{V1}\"\n[groups.app]\ncount = 3\n"),
    );
    sandbox.write("fly.toml", &format!("{FLY}{ENV}"));
    review(&sandbox, &platform);
    let new = platform.deployed("app", "ams", V1);
    exceeds_online_alone(
        &sandbox,
        &platform,
        &["adopts 1 Machine of group `app`", &new],
    );
    assert_eq!(
        platform.machines().len(),
        3,
        "in place of the one to be created"
    );
}

#[test]
fn an_offline_plan_is_not_applied_as_it_is_and_an_approved_removal_passes() {
    let two = format!("{FLY}\n[processes]\n  app = \"serve\"\n  jobs = \"work\"\n").replace(
        "internal_port = 8080",
        "internal_port = 8080\n  processes = [\"app\"]",
    );
    let sandbox = project(&format!(
        "image = \"{V1}\"\n[groups.app]\ncount = 1\n[groups.jobs]\ncount = 2\n"
    ));
    sandbox.write("fly.toml", &two);
    let platform = EmulatorProcess::with_app(&sandbox);
    applied(&run(&sandbox, &platform, &["apply", "-y"]));
    sandbox.write("fly.toml", &two.replace("  jobs = \"work\"\n", ""));
    sandbox.write(
        "aeroform.toml",
        &format!("{SETTINGS}image = \"{V1}\"\n[groups.app]\ncount = 1\n"),
    );
    refused(
        &run(&sandbox, &platform, &["apply", "-y"]),
        "6",
        &["removes group `jobs`"],
    );
    let offline = ["plan", "--refresh=false", "--out", "offline.plan"];
    let planned = run(&sandbox, &platform, &offline);
    assert!(
        planned.contains("use `aeroform apply --expect offline.plan`")
            && !planned.contains("does exactly this"),
        "{planned}"
    );
    let as_it_is = ["apply", "offline.plan", "--json"];
    refused(
        &run(&sandbox, &platform, &as_it_is),
        "4",
        &["\"code\":\"plan_offline\""],
    );
    assert_eq!(platform.machines().len(), 3);
    let shown = run(&sandbox, &platform, &["apply", "--expect", "offline.plan"]);
    applied(&shown);
    assert!(shown.contains("2 destroyed"), "{shown}");
    assert_eq!(platform.machines().len(), 1);
}
