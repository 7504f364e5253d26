//! A part of an app, applied at the binary over the emulated platform: what is left, what is shown of it, and what
//! does not run a second time.

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, V1, V2, project, run};
use crate::sandbox::Sandbox;

const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[processes]
  web = \"bin/web\"
  worker = \"bin/worker\"

[deploy]
  wait_timeout = \"10s\"
  release_command = \"bin/migrate\"

[[services]]
  internal_port = 8080
  protocol = \"tcp\"
  processes = [\"web\"]
  [[services.ports]]
    port = 80
";

/// The second worker of the new version does not stay up.
const SECOND_WORKER_ENDS: &str = "\
[[fault]]
on = \"update\"
group = \"worker\"
effect = \"ends\"
code = 1
nth = 2
";

fn write(sandbox: &Sandbox, image: &str, [web, worker]: [u32; 2]) {
    let steady = "[groups.web.deploy]\nsteady = \"1s\"\n[groups.worker.deploy]\nsteady = \"1s\"\n";
    sandbox.write(
        "aeroform.toml",
        &format!(
            "provider = \"fly\"\nimage = \"{image}\"\n[groups.web]\ncount = {web}\n[groups.worker]\ncount = {worker}\n{steady}"
        ),
    );
}

/// Two groups that run V1, and files that want V2.
fn new_version(faults: &str) -> (Sandbox, EmulatorProcess) {
    let sandbox = project("");
    sandbox.write("fly.toml", FLY);
    write(&sandbox, V1, [2, 3]);
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    done(&run(&sandbox, &platform, &["apply", "-y"]));
    write(&sandbox, V2, [2, 3]);
    (sandbox, platform)
}

fn done(ran: &str) {
    assert!(ran.starts_with("exit 0\n"), "{ran}");
}

/// The image and the instance of each Machine of a group.
fn machines(platform: &EmulatorProcess, group: &str) -> Vec<(String, String)> {
    let machines = platform.machines().into_iter();
    let own = machines.filter(|m| m["config"]["metadata"]["fly_process_group"] == group);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let shown = own.map(|m| (text(&m["config"]["image"]), text(&m["instance_id"])));
    let mut all: Vec<_> = shown.collect();
    all.sort();
    all
}

fn all_run(platform: &EmulatorProcess, group: &str, image: &str) -> bool {
    let digest = image.split_once('@').unwrap().1;
    let all = machines(platform, group);
    all.iter().all(|(of, _)| of.ends_with(digest))
}

/// How often the release command has run: its Machines, destroyed ones too.
fn release_commands(platform: &EmulatorProcess) -> usize {
    let all = "/v1/apps/shop/machines?include_deleted=true";
    let (_, list) = platform.ask("GET", all, &Value::Null);
    let of_command = |machine: &&Value| {
        let metadata = &machine["config"]["metadata"];
        metadata["fly_process_group"] == "fly_app_release_command"
    };
    list.as_array().unwrap().iter().filter(of_command).count()
}

fn document(ran: &str) -> Value {
    let line = ran.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_part_is_applied_and_the_rest_is_still_to_do() {
    let (sandbox, platform) = new_version("");
    assert_eq!(release_commands(&platform), 1);
    let before = machines(&platform, "worker");
    let ran = run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "web"],
    );
    done(&ran);
    assert!(
        ran.contains("left out: 3 to update in worker (--process-groups web)"),
        "{ran}"
    );
    assert!(all_run(&platform, "web", V2), "{ran}");
    assert_eq!(machines(&platform, "worker"), before);
    assert_eq!(release_commands(&platform), 2);
    let status = run(&sandbox, &platform, &["status"]);
    done(&status);
    assert!(
        status.contains("plan: 3 to update; `aeroform plan` shows it"),
        "{status}"
    );
    let status = document(&run(&sandbox, &platform, &["status", "--json"]));
    assert_eq!(status["plan"]["summary"]["update"], 3, "{status}");
    assert_eq!(status["groups"][1]["releases"], json!({"1": 3}), "{status}");
    // The platform says `complete`, and the state knows of the rest.
    let releases = document(&run(&sandbox, &platform, &["releases", "--json"]));
    assert_eq!(releases["releases"][0]["status"], "partial", "{releases}");
    assert_eq!(
        releases["releases"][0]["groups"],
        json!(["web"]),
        "{releases}"
    );
    let plan = ["plan", "--detailed-exitcode"];
    let part = [&plan[..], &["--process-groups", "web"]].concat();
    done(&run(&sandbox, &platform, &part));
    let rest = run(&sandbox, &platform, &plan);
    assert!(rest.starts_with("exit 2\n"), "{rest}");
    // The same part again changes nothing, and the rest needs no release command any more.
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "web"],
    ));
    assert_eq!(machines(&platform, "worker"), before);
    done(&run(&sandbox, &platform, &["apply", "-y"]));
    assert!(all_run(&platform, "worker", V2));
    assert_eq!(release_commands(&platform), 2);
    let releases = document(&run(&sandbox, &platform, &["releases", "--json"]));
    assert_eq!(releases["releases"][0]["status"], "complete", "{releases}");
    done(&run(&sandbox, &platform, &plan));
}

#[test]
fn the_release_command_does_not_run_for_groups_that_are_left_out() {
    let (sandbox, platform) = new_version("");
    // Only `worker` needs the command.
    write(&sandbox, V1, [3, 3]);
    let fly = FLY.replace("bin/worker", "bin/worker --new");
    sandbox.write("fly.toml", &fly);
    let ran = run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "web"],
    );
    done(&ran);
    assert_eq!(machines(&platform, "web").len(), 3, "{ran}");
    assert_eq!(release_commands(&platform), 1, "{ran}");
    done(&run(&sandbox, &platform, &["apply", "-y"]));
    assert_eq!(release_commands(&platform), 2);
}

#[test]
fn a_failure_rolls_back_only_what_the_part_changed() {
    let (sandbox, platform) = new_version(SECOND_WORKER_ENDS);
    let web = machines(&platform, "web");
    let part = [
        "apply",
        "-y",
        "--process-groups",
        "worker",
        "--on-failure",
        "rollback",
    ];
    let ran = run(&sandbox, &platform, &part);
    assert!(ran.starts_with("exit 3\n"), "{ran}");
    assert!(
        ran.contains("Apply rolled back: 2 Machines have their previous config again."),
        "{ran}"
    );
    assert!(all_run(&platform, "worker", V1), "{ran}");
    assert_eq!(machines(&platform, "web"), web);
    assert_eq!(release_commands(&platform), 2);
    // The content is the same, so that the command counts.
    done(&run(&sandbox, &platform, &part));
    assert!(all_run(&platform, "worker", V2));
    assert_eq!(machines(&platform, "web"), web);
    done(&run(&sandbox, &platform, &["apply", "-y"]));
    assert!(all_run(&platform, "web", V2));
    assert_eq!(release_commands(&platform), 2);
}

#[test]
fn rollback_after_a_part_goes_back_to_the_release_before_it() {
    let (sandbox, platform) = new_version("");
    let worker = machines(&platform, "worker");
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "web"],
    ));
    let back = run(&sandbox, &platform, &["rollback", "-y"]);
    done(&back);
    assert!(back.contains("Held at v1: "), "{back}");
    assert!(all_run(&platform, "web", V1), "{back}");
    assert_eq!(machines(&platform, "worker"), worker);
    // A part follows the hold, and its end can be applied in parts.
    let held = run(&sandbox, &platform, &["plan", "--process-groups", "worker"]);
    assert!(held.contains("No changes within the filters."), "{held}");
    let end = ["rollback", "--end", "-y", "--process-groups", "worker"];
    done(&run(&sandbox, &platform, &end));
    assert!(all_run(&platform, "worker", V2));
    assert!(all_run(&platform, "web", V1));
    // The partial release itself: `worker` as it was then.
    let named = run(&sandbox, &platform, &["rollback", "v2", "-y"]);
    done(&named);
    assert!(all_run(&platform, "web", V2), "{named}");
    assert!(all_run(&platform, "worker", V1), "{named}");
}

#[test]
fn what_is_expected_holds_for_parts_and_for_the_whole() {
    let (sandbox, platform) = new_version("");
    for (file, part) in [
        ("web.plan", Some("web")),
        ("worker.plan", Some("worker")),
        ("all.plan", None),
    ] {
        let filter = part.map(|part| ["--process-groups", part]);
        let flags = [
            &["plan", "--out", file][..],
            filter.as_ref().map_or(&[], |f| &f[..]),
        ]
        .concat();
        done(&run(&sandbox, &platform, &flags));
    }
    let exceeds = |flags: &[&str]| {
        let flags = [&["apply", "-y", "--expect"], flags].concat();
        let ran = run(&sandbox, &platform, &flags);
        assert!(ran.starts_with("exit 4\n"), "{ran}");
        assert!(ran.contains("exceeds the expected plan"), "{ran}");
    };
    exceeds(&["web.plan"]);
    exceeds(&["web.plan", "--process-groups", "worker"]);
    let part = [
        "apply",
        "-y",
        "--expect",
        "all.plan",
        "--process-groups",
        "web",
    ];
    done(&run(&sandbox, &platform, &part));
    assert!(all_run(&platform, "web", V2));
    assert!(all_run(&platform, "worker", V1));
    exceeds(&["web.plan"]);
    // A part that is done already is a part of what is expected.
    done(&run(
        &sandbox,
        &platform,
        &[
            "apply",
            "-y",
            "--expect",
            "web.plan",
            "--process-groups",
            "web",
        ],
    ));
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--expect", "worker.plan"],
    ));
    assert!(all_run(&platform, "worker", V2));
}

/// Holds rule 12.
#[test]
fn a_state_from_before_a_part_does_not_count_the_rest_as_applied() {
    let (sandbox, platform) = new_version("");
    let older = sandbox.read("state/shop.json");
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "web"],
    ));
    sandbox.write("state/shop.json", &older);
    write(&sandbox, V1, [2, 3]);
    for flags in [
        &["apply", "-y"][..],
        &["apply", "-y", "--process-groups", "worker"],
    ] {
        let behind = run(&sandbox, &platform, flags);
        assert!(behind.starts_with("exit 4\n"), "{behind}");
        assert!(behind.contains("but is not in the state"), "{behind}");
    }
    // Who wants the same adopts that run, and applies the rest without another release command.
    write(&sandbox, V2, [2, 3]);
    let web = machines(&platform, "web");
    let ran = run(&sandbox, &platform, &["apply", "-y"]);
    done(&ran);
    assert!(
        ran.contains("Apply complete: 3 updated, 2 waited for."),
        "{ran}"
    );
    assert!(all_run(&platform, "worker", V2), "{ran}");
    assert_eq!(machines(&platform, "web"), web);
    assert_eq!(release_commands(&platform), 2);
    done(&run(&sandbox, &platform, &["plan", "--detailed-exitcode"]));
}

#[test]
fn a_verb_whose_group_a_filter_leaves_out_is_refused_before_it_writes() {
    let (sandbox, platform) = new_version("");
    let before = sandbox.read("aeroform.toml");
    for verb in [
        &["scale", "count", "web=4"][..],
        &["scale", "memory", "512", "-g", "web"],
        &["restart", "-g", "web"],
    ] {
        let flags = [verb, &["-y", "--process-groups", "worker"]].concat();
        let ran = run(&sandbox, &platform, &flags);
        assert!(ran.starts_with("exit 64\n"), "{ran}");
        assert!(
            ran.contains("but `--process-groups worker` leaves it out"),
            "{ran}"
        );
    }
    assert_eq!(sandbox.read("aeroform.toml"), before);
    // Of its own group it changes only that.
    let ran = run(
        &sandbox,
        &platform,
        &[
            "scale",
            "count",
            "worker=4",
            "-y",
            "--process-groups",
            "worker",
        ],
    );
    done(&ran);
    assert_eq!(machines(&platform, "worker").len(), 4);
    assert!(all_run(&platform, "web", V1), "{ran}");
    // What a filter of places leaves out of an edit is not called needless.
    let ran = run(
        &sandbox,
        &platform,
        &[
            "scale",
            "count",
            "web=3",
            "-y",
            "--only-machines",
            &id_of(&platform),
        ],
    );
    assert!(
        ran.contains("no Machine within the filters needed a change"),
        "{ran}"
    );
}

/// The id of a Machine of `worker`, which is up to date.
fn id_of(platform: &EmulatorProcess) -> String {
    let machines = platform.machines();
    let mut own = machines
        .iter()
        .filter(|m| m["config"]["metadata"]["fly_process_group"] == "worker");
    own.next().unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn names_that_the_app_does_not_have_are_told() {
    let (sandbox, platform) = new_version("");
    for (filter, said) in [
        (
            ["--process-groups", "wrb"],
            "did you mean `web`? its groups are web, worker",
        ),
        (
            ["--regions", "amss"],
            "did you mean `ams`? its regions are ams",
        ),
        (["--exclude-regions", "lhr"], "its regions are ams"),
        (
            ["--only-machines", "x"],
            "`--only-machines x` matches nothing: no group of the app has it",
        ),
    ] {
        let ran = run(
            &sandbox,
            &platform,
            &[&["apply", "-y"], &filter[..]].concat(),
        );
        assert!(ran.starts_with("exit 6\n"), "{ran}");
        assert!(ran.contains(said), "{ran}");
    }
    // A group that is being renamed has its new name.
    sandbox.write("fly.toml", &FLY.replace("worker =", "jobs ="));
    let settings = sandbox
        .read("aeroform.toml")
        .replace("groups.worker", "groups.jobs");
    let moved = "[[moved]]\nfrom = \"worker\"\nto = \"jobs\"\n";
    sandbox.write("aeroform.toml", &format!("{settings}{moved}"));
    let ran = run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "worker"],
    );
    assert!(
        ran.contains("[[moved]] renames group `worker`: use `--process-groups jobs`"),
        "{ran}"
    );
    let web = machines(&platform, "web");
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--process-groups", "jobs"],
    ));
    assert_eq!(machines(&platform, "jobs").len(), 3);
    assert_eq!(machines(&platform, "web"), web);
}

#[test]
fn regions_limit_creates_rebalances_and_the_machines_that_standbys_watch() {
    let (sandbox, platform) = new_version("");
    let layout = |web: &str, worker: &str| {
        let text = format!(
            "provider = \"fly\"\nimage = \"{V1}\"\n[groups.web]\n{web}\n[groups.worker]\n{worker}\n"
        );
        sandbox.write("aeroform.toml", &text);
    };
    let regions = |filter: &str| {
        let ran = run(
            &sandbox,
            &platform,
            &[
                "apply",
                "-y",
                "--allow-destroy=web",
                "--allow-destroy=worker",
                "--regions",
                filter,
            ],
        );
        done(&ran);
        let machines = platform.machines();
        let place = |m: &Value| {
            format!(
                "{} {}",
                m["config"]["metadata"]["fly_process_group"]
                    .as_str()
                    .unwrap(),
                m["region"].as_str().unwrap()
            )
        };
        let mut places: Vec<String> = machines.iter().map(place).collect();
        places.sort();
        (ran, places.join(", "))
    };
    let worker = "count = 1\nstandby = 1";
    layout("count = 2", worker);
    done(&run(
        &sandbox,
        &platform,
        &["apply", "-y", "--allow-destroy=worker"],
    ));
    // A create outside.
    layout("regions = { ams = 3, gru = 2 }", worker);
    let (_, places) = regions("ams");
    assert_eq!(places, "web ams, web ams, web ams, worker ams, worker ams");
    // One half of a rebalance and what follows it.
    layout(
        "regions = { ams = 3 }",
        "regions = { gru = 1 }\nstandby = 1",
    );
    for one in ["ams", "gru"] {
        let (ran, places) = regions(one);
        assert!(ran.contains("left out: "), "{ran}");
        assert_eq!(places, "web ams, web ams, web ams, worker ams, worker ams");
    }
    let (_, places) = regions("ams,gru");
    assert!(places.contains("worker gru"), "{places}");
    let machines = platform.machines();
    let standby = machines.iter().find(|m| m["config"]["standbys"].is_array());
    let primary = machines
        .iter()
        .find(|m| m["region"] == "gru" && m["config"]["standbys"].is_null());
    assert_eq!(
        standby.unwrap()["config"]["standbys"],
        json!([primary.unwrap()["id"]])
    );
    done(&run(&sandbox, &platform, &["plan", "--detailed-exitcode"]));
}
