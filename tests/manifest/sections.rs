//! The sections beside services and sizes: files, containers, what a deploy runs, what a volume gets,
//! and what only several sections together can tell.

use std::collections::BTreeMap;

use aeroform::core::fleet::{Desired, GroupName};
use aeroform::core::manifest::{LocalFile, Overrides};
use serde_json::json;

use crate::{on, project, rendered};

fn load(fly: &str, overrides: &Overrides) -> (Desired, Vec<&'static str>) {
    let loaded = project(fly.as_bytes(), None, overrides);
    let text = rendered(&loaded);
    let codes = loaded.diagnostics.iter().map(|found| found.code).collect();
    (loaded.desired.unwrap_or_else(|| panic!("{text}")), codes)
}

fn codes(fly: &str) -> Vec<&'static str> {
    load(fly, &on("fly")).1
}

fn group<'d>(desired: &'d Desired, name: &str) -> &'d aeroform::core::fleet::DesiredGroup {
    &desired.groups[&GroupName::new(name).expect("a valid name")]
}

const TWO: &str = "app = \"x\"\n[processes]\nweb = \"w\"\njobs = \"j\"\n";

#[test]
fn a_deploy_command_is_part_of_the_desired_state() {
    let fly = format!(
        "{TWO}[build]\nimage = \"i\"\n[deploy]\nrelease_command = \"bin/rails db:migrate\"\n\
         release_command_timeout = \"90s\"\nseed_command = \"bin/seed it\"\n\
         [deploy.release_command_vm]\nmemory = \"2gb\"\n[[machine_checks]]\ncommand = [\"curl\", \"x\"]\n\
         [[services]]\ninternal_port = 80\nprocesses = [\"web\"]\n[[services.ports]]\nport = 80\n\
         [[services.machine_checks]]\ncommand = [\"y\"]\nkill_signal = \"SIGTERM\"\n"
    );
    let (desired, codes) = load(&fly, &on("fly"));
    assert_eq!(codes, Vec::<&str>::new());
    let release = desired.rollout.release_command.clone().unwrap();
    assert_eq!(release.argv, ["bin/rails", "db:migrate"]);
    assert_eq!(
        (release.timeout_s, release.location.as_str()),
        (Some(90), "fly.toml:8")
    );
    assert_eq!(release.guest.unwrap().memory_mb, Some(2048));
    assert_eq!(
        desired.rollout.seed_command.clone().unwrap(),
        ["bin/seed", "it"]
    );
    let commands = |name| -> Vec<String> {
        let checks = group(&desired, name).machine_checks.iter();
        checks.map(|check| check.command.join(" ")).collect()
    };
    assert_eq!(commands("jobs"), ["curl x"]);
    assert_eq!(commands("web"), ["curl x", "y"]);
}

#[test]
fn a_release_command_may_take_five_minutes_or_as_long_as_it_wants() {
    let timeout = |text: &str| {
        let fly = format!("{TWO}[deploy]\nrelease_command = \"r\"\n{text}");
        let (desired, codes) = load(&fly, &on("local"));
        (desired.rollout.release_command.unwrap().timeout_s, codes)
    };
    assert_eq!(timeout(""), (Some(300), vec![]));
    assert_eq!(timeout("release_command_timeout = \"0s\""), (None, vec![]));
    assert_eq!(
        timeout("release_command_timeout = 600"),
        (Some(1), vec!["nanoseconds"])
    );
}

#[test]
fn a_new_volume_has_what_the_mount_says_and_the_config_has_not() {
    let fly = "app = \"x\"\n[mounts]\nsource = \"d\"\ndestination = \"/d\"\ninitial_size = \"20gb\"\n\
        snapshot_retention = 14\nscheduled_snapshots = false\n";
    let (desired, _) = load(fly, &on("fly"));
    let app = group(&desired, "app");
    assert_eq!(
        serde_json::to_value(app.new_volume).unwrap(),
        json!({"initial_size_gb": 20, "snapshot_retention": 14, "scheduled_snapshots": false})
    );
    assert_eq!(
        app.template.to_value()["mounts"],
        json!([{"name": "d", "path": "/d"}])
    );
}

#[test]
fn a_machine_config_is_what_every_group_starts_from() {
    let inline = r#"{"guest": {"cpus": 2}, "env": {"X": "1"}, "init": {"tty": true, "cmd": ["no"]},
        "services": [{"internal_port": 1}], "new": {"a": [1]},
        "containers": [{"name": "side", "image": "redis"}, {"name": "app", "image": "."}]}"#;
    let fly = format!("machine_config = '''{inline}'''\n{TWO}[build]\nimage = \"i\"\n");
    let (desired, codes) = load(&fly, &on("fly"));
    assert_eq!(codes, ["machine_config_replaced"]);
    let messages = rendered(&project(fly.as_bytes(), None, &on("fly")));
    assert!(
        messages.contains("Fly takes `env`, `init.cmd`, `services` from the sections"),
        "{messages}"
    );
    assert_eq!(
        group(&desired, "jobs").template.to_value(),
        json!({
            "containers": [{"name": "side", "image": "redis"}, {"name": "app", "image": "i"}],
            "env": {"FLY_PROCESS_GROUP": "jobs"},
            "guest": {"cpus": 2},
            "image": "i",
            "init": {"cmd": ["j"], "tty": true},
            "new": {"a": [1]},
        })
    );
}

#[test]
fn files_of_the_project_reach_every_group() {
    let fly = format!(
        "{TWO}[[files]]\nguest_path = \"/etc/a\"\nlocal_path = \"conf/a\"\nprocesses = [\"web\"]\n\
         [experimental]\nmachine_config = \"m.json\"\n"
    );
    let files = BTreeMap::from([
        ("conf/a".to_owned(), LocalFile::Content(b"hi".to_vec())),
        (
            "m.json".to_owned(),
            LocalFile::Content(b"{\"schedule\": \"daily\"}".to_vec()),
        ),
    ]);
    let overrides = Overrides { files, ..on("fly") };
    let (desired, codes) = load(&fly, &overrides);
    assert_eq!(codes, ["file_in_every_group"]);
    for name in ["web", "jobs"] {
        let config = group(&desired, name).template.to_value();
        assert_eq!(
            config["files"],
            json!([{"guest_path": "/etc/a", "raw_value": "aGk="}])
        );
        assert_eq!(config["schedule"], "daily");
    }
}

#[test]
fn a_file_that_is_only_validated_may_lack_what_a_deploy_supplies() {
    let validates = Overrides {
        validate_only: true,
        ..on("fly")
    };
    let (_, codes) = load("primary_region = \"ams\"\n", &validates);
    assert_eq!(codes, ["no_app"]);
    let empty = project(b"# nothing\n", None, &validates);
    assert!(empty.diagnostics.has_errors());
}

#[test]
fn groups_on_one_port_are_reported_and_groups_of_one_section_are_not() {
    let service = |groups: &str, ports: &str| {
        format!(
            "[[services]]\ninternal_port = 1\nprocesses = [{groups}]\n[[services.ports]]\n{ports}\n"
        )
    };
    let with = |a: String, b: String| codes(&format!("{TWO}{a}{b}"));
    let web = |ports: &str| service("\"web\"", ports);
    let jobs = |ports: &str| service("\"jobs\"", ports);
    assert_eq!(
        with(web("port = 443"), jobs("port = 443")),
        ["port_of_two_groups"]
    );
    assert_eq!(
        with(web("start_port = 80\nend_port = 90"), jobs("port = 85")),
        ["port_of_two_groups"]
    );
    assert_eq!(
        with(web("port = 443"), jobs("port = 80")),
        Vec::<&str>::new()
    );
    assert_eq!(
        with(web("port = 443"), web("port = 443")),
        ["service_twice"]
    );
    let other = web("port = 443").replace("internal_port = 1", "internal_port = 2");
    assert_eq!(with(web("port = 443"), other), ["port_twice"]);
    let range = "[http_service]\ninternal_port = 2\nprocesses = [\"web\"]\n".to_owned();
    assert_eq!(
        with(web("start_port = 440\nend_port = 450"), range),
        ["port_twice"]
    );
    let udp = web("port = 443").replace("processes", "protocol = \"udp\"\nprocesses");
    assert_eq!(
        with(
            web("port = 443"),
            udp.replace("internal_port = 1", "internal_port = 2")
        ),
        Vec::<&str>::new()
    );
    assert_eq!(
        with(service("\"web\", \"jobs\"", "port = 443"), String::new()),
        Vec::<&str>::new()
    );
    let udp = jobs("port = 443").replace("internal_port", "protocol = \"udp\"\ninternal_port");
    assert_eq!(with(web("port = 443"), udp), Vec::<&str>::new());
    let http = "[http_service]\ninternal_port = 1\nprocesses = [\"web\"]\n".to_owned();
    assert_eq!(with(http, jobs("port = 443")), ["port_of_two_groups"]);
}

#[test]
fn a_restart_without_groups_is_reported_if_there_are_several() {
    let restart = "[[restart]]\npolicy = \"always\"\n";
    assert_eq!(
        codes(&format!("{TWO}{restart}")),
        ["restart_of_default_group"]
    );
    assert_eq!(
        codes(&format!("app = \"x\"\n{restart}")),
        Vec::<&str>::new()
    );
    let named = format!("{TWO}{restart}processes = [\"web\", \"jobs\"]\n");
    assert_eq!(codes(&named), Vec::<&str>::new());
}

#[test]
fn fewer_machines_than_shall_always_run_are_reported_with_both_positions() {
    let fly = "app = \"x\"\n[http_service]\ninternal_port = 1\nmin_machines_running = 3\n";
    let messages = |count: u32| {
        let aeroform = format!("[groups.app]\ncount = {count}\n");
        rendered(&project(
            fly.as_bytes(),
            Some(aeroform.as_bytes()),
            &on("fly"),
        ))
    };
    assert_eq!(messages(3), "");
    insta::assert_snapshot!(messages(2), @r"
    warning[min_above_count]: group `app` has 2 Machines, and `min_machines_running` is 3
     --> fly.toml:4:24
      |
    4 | min_machines_running = 3
      |                        ^
      |
     --> aeroform.toml:1:1
      |
    1 | [groups.app]
      | ------------ its count
      |
      = help: lower it, or raise `count`
    ");
}
