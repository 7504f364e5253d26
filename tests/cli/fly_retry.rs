//! A deploy that fails, at the binary: what is said of it, and what trying it again does.

use serde_json::Value;

use crate::fly::{EmulatorProcess, V1, V2, project, run};
use crate::sandbox::Sandbox;

/// Two groups that are waited for briefly.
pub(crate) const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[processes]
  web = \"bin/web\"
  worker = \"bin/worker\"

[deploy]
  wait_timeout = \"10s\"

[[services]]
  internal_port = 8080
  protocol = \"tcp\"
  processes = [\"web\"]
";

fn shop() -> Sandbox {
    let sandbox = project("[groups.web]\ncount = 2\n[groups.worker]\ncount = 3\n");
    sandbox.write("fly.toml", FLY);
    sandbox
}

/// Workers of this version crash, however they are started.
const CRASHES: &str = "\
[[fault]]
on = \"update\"
group = \"worker\"
effect = \"ends\"
code = 1
times = 100

[[fault]]
on = \"start\"
group = \"worker\"
effect = \"ends\"
code = 1
times = 100
";

fn down(platform: &EmulatorProcess) -> usize {
    let machines = platform.machines();
    machines.iter().filter(|m| m["state"] != "started").count()
}

fn on(platform: &EmulatorProcess, image: &str) -> usize {
    let machines = platform.machines();
    let of = |machine: &&Value| machine["config"]["image"] == image;
    machines.iter().filter(of).count()
}

/// Holds rule 29.
#[test]
fn a_failed_deploy_stays_failed_however_often_it_is_tried() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let deploy = ["apply", "-y", "--image", V2];
    let first = run(&sandbox, &platform, &deploy);
    assert!(first.starts_with("exit 3\n"), "{first}");
    assert_eq!(down(&platform), 1);
    // Three ways out, with the id of the Machine that does not pass.
    let machines = platform.machines();
    let unhealthy = machines.iter().find(|m| m["state"] != "started").unwrap();
    let id = unhealthy["id"].as_str().unwrap();
    let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
    for way in [
        "machine replace ",
        "machine destroy ",
        "--exclude-machines ",
    ] {
        assert!(words.contains(&format!("{way}{id}")), "{way}: {first}");
    }
    let changed = on(&platform, V2);
    for _ in 0..3 {
        let plan = ["plan", "--image", V2, "--detailed-exitcode"];
        let plan = run(&sandbox, &platform, &plan);
        assert!(plan.starts_with("exit 2\n"), "{plan}");
        assert!(
            plan.contains("~ 1 to start again: exited with code 1 after release v2"),
            "{plan}"
        );
        let again = run(&sandbox, &platform, &deploy);
        assert!(again.starts_with("exit 3\n"), "{again}");
        assert_eq!((down(&platform), on(&platform, V2)), (1, changed));
    }
    let status = run(&sandbox, &platform, &["status"]);
    assert!(status.contains("1 to start again"), "{status}");
    assert!(!status.contains("no changes"), "{status}");
    // A refresh is about the state, and says nothing of the files.
    let refreshed = run(&sandbox, &platform, &["refresh", "-y"]);
    assert!(!refreshed.contains("match the manifests"), "{refreshed}");
}

#[test]
fn a_group_of_which_nothing_runs_is_warned_of_also_where_an_apply_would_start_it() {
    let sandbox = shop();
    let settings = sandbox.read("aeroform.toml");
    sandbox.write("aeroform.toml", &settings.replace("count = 3", "count = 1"));
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    for check_command in [&["status"][..], &["plan", "--image", V2]] {
        let output = run(&sandbox, &platform, check_command);
        assert!(output.contains("to start again"), "{output}");
        assert!(
            output.contains("`worker`: its Machine is not running"),
            "{output}"
        );
        assert!(
            output.contains("applying the plan starts what is down"),
            "{output}"
        );
    }
}

#[test]
fn what_serves_what_is_said_with_the_commands_that_go_on_and_back() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let deploy = ["apply", "-y", "--image", V2, "--parallelism", "1"];
    // One change at a time: the group that comes first is through before the other fails.
    let failed = run(&sandbox, &platform, &deploy);
    assert!(
        failed.contains("now: web: 2 on v2; worker: 1 on v2 (failing), 2 on v1"),
        "{failed}"
    );
    let on = format!("`aeroform apply --parallelism 1 --image {V2}` continues with the rest");
    let back = format!("`aeroform apply --image {V1}` rolls back");
    let joined = failed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(&on) && joined.contains(&back), "{failed}");
    // A retry says the same to a program.
    let again = run(
        &sandbox,
        &platform,
        &["apply", "-y", "--image", V2, "--json"],
    );
    let last = again.lines().rfind(|line| line.starts_with('{')).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["event"], "finished", "{again}");
    let worker = &last["serving"][0];
    assert_eq!(worker["group"], "worker", "{again}");
    assert_eq!(worker["versions"][0]["doing"], "failing", "{again}");
}

#[test]
fn a_failure_stops_the_release_unless_the_files_or_a_flag_say_otherwise() {
    let web_fails = "[[fault]]\non = \"update\"\ngroup = \"web\"\neffect = \"refuse\"\nstatus = 422\n\
                     message = \"no\"\ntimes = 100\n";
    for (flag, file, goes_on) in [
        (None, None, false),
        (Some("group"), None, true),
        (None, Some("group"), true),
        (Some("stop"), Some("group"), false),
    ] {
        let sandbox = shop();
        let platform = EmulatorProcess::with_faults(&sandbox, web_fails);
        run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
        if let Some(file) = file {
            let mut settings = sandbox.read("aeroform.toml");
            settings = format!("{settings}\n[deploy]\non_failure = \"{file}\"\n");
            sandbox.write("aeroform.toml", &settings);
        }
        let mut words = vec!["apply", "-y", "--image", V2, "--parallelism", "1"];
        words.extend(flag.iter().flat_map(|flag| ["--on-failure", flag]));
        let ran = run(&sandbox, &platform, &words);
        assert!(ran.starts_with("exit 3\n"), "{ran}");
        assert_eq!(on(&platform, V2), if goes_on { 3 } else { 0 }, "{ran}");
        let output = ran.contains("worker: 3 on v1, not started");
        assert_eq!(output, !goes_on, "{ran}");
    }
}

#[test]
fn a_saved_plan_keeps_what_a_failure_stops() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_app(&sandbox);
    let plan = [
        "plan",
        "--image",
        V1,
        "--on-failure",
        "group",
        "--out",
        "next.plan",
    ];
    run(&sandbox, &platform, &plan);
    assert!(
        sandbox
            .read("next.plan")
            .contains("\"on_failure\": \"group\"")
    );
    let twice = ["apply", "next.plan", "--on-failure", "stop"];
    assert!(run(&sandbox, &platform, &twice).starts_with("exit 64\n"));
    let odd = run(&sandbox, &platform, &["apply", "--on-failure", "groups"]);
    assert!(odd.starts_with("exit 64\n"), "{odd}");
    let applied = run(&sandbox, &platform, &["apply", "next.plan", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
}

#[test]
fn a_wrong_word_in_the_files_is_an_error_with_its_line() {
    let sandbox = project("[deploy]\non_failure = \"groop\"\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let said = run(&sandbox, &platform, &["validate"]);
    assert!(
        said.contains("`deploy.on_failure`: unknown value `groop`"),
        "{said}"
    );
    assert!(said.contains("did you mean \"group\"?"), "{said}");
}

/// The text on one line, as a person copies a command from it.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_command_that_goes_on_has_the_flags_in_use() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    let release = FLY.replace(
        "[deploy]\n",
        "[deploy]\n  release_command = \"bin/migrate\"\n  strategy = \"canary\"\n",
    );
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    sandbox.write("fly.toml", &release);
    let alone = platform.machines();
    let alone = alone
        .iter()
        .find(|machine| machine["config"]["metadata"]["fly_process_group"] == "web");
    let alone = alone.unwrap()["id"].as_str().unwrap().to_owned();
    let deploy = [
        "apply",
        "-y",
        "--image",
        V2,
        "--release-command=never",
        "--strategy",
        "rolling",
        "--exclude-machines",
        &alone,
    ];
    let failed = run(&sandbox, &platform, &deploy);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let flags = format!("--release-command never --exclude-machines {alone} --strategy rolling");
    let on = format!("`aeroform apply {flags} --image {V2}` continues with the rest");
    let back = format!(
        "--exclude-machines {alone} --release-command never --strategy rolling` rolls back"
    );
    let back = format!("`aeroform apply --image {V1} {back}");
    let said = joined(&failed);
    assert!(said.contains(&on), "{on}: {failed}");
    assert!(said.contains(&back), "{back}: {failed}");
    // What is printed does what it says.
    let on = format!("apply {flags} --image {V2} -y");
    let again = run(&sandbox, &platform, &on.split(' ').collect::<Vec<_>>());
    assert!(again.starts_with("exit 3\n"), "{again}");
    // The same for a saved plan, whose flags are not on the command line.
    let save = [
        "plan",
        "--image",
        V2,
        "--release-command=never",
        "--strategy=rolling",
        "-o",
        "a.plan",
    ];
    run(&sandbox, &platform, &save);
    let saved = run(&sandbox, &platform, &["apply", "a.plan"]);
    assert!(saved.starts_with("exit 3\n"), "{saved}");
    let on = format!(
        "`aeroform apply --image {V2} --release-command never --strategy rolling` continues"
    );
    assert!(joined(&saved).contains(&on), "{saved}");
}

#[test]
fn a_verb_to_be_typed_again_keeps_its_arguments() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let restart = ["restart", "-g", "worker", "-y", "--on-failure", "group"];
    let failed = run(&sandbox, &platform, &restart);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let again = "run `aeroform restart --group worker --on-failure group` again to do the rest";
    assert!(joined(&failed).contains(again), "{failed}");
    let machines = platform.machines();
    let unhealthy = machines.iter().find(|m| m["state"] != "started").unwrap();
    let unhealthy = unhealthy["id"].as_str().unwrap();
    let mut others = machines.iter().filter(|machine| {
        machine["state"] == "started"
            && machine["config"]["metadata"]["fly_process_group"] == "worker"
    });
    let other = others.next_back().unwrap()["id"].as_str().unwrap();
    let failed = run(&sandbox, &platform, &["machine", "replace", other, "-y"]);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let again = format!("run `aeroform machine replace {other}` again to do the rest");
    assert!(joined(&failed).contains(&again), "{failed}");
    // A way out of a Machine that does not pass works as it stands.
    let way = format!("destroy it (`aeroform machine destroy {unhealthy} --force`)");
    assert!(joined(&failed).contains(&way), "{failed}");
    let gone = run(
        &sandbox,
        &platform,
        &["machine", "destroy", unhealthy, "--force", "-y"],
    );
    assert!(
        platform
            .machines()
            .iter()
            .all(|machine| machine["id"] != unhealthy),
        "{gone}"
    );
}

#[test]
fn a_restart_that_has_done_some_says_that_it_starts_over() {
    let sandbox = shop();
    let crashes = CRASHES.replace("group = \"worker\"\neffect", "group = \"web\"\neffect");
    let platform = EmulatorProcess::with_faults(&sandbox, &crashes);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let restart = ["restart", "-y", "--on-failure", "group"];
    let failed = run(&sandbox, &platform, &restart);
    assert!(failed.starts_with("exit 3\n"), "{failed}");
    let over =
        "`aeroform restart --on-failure group` starts over, including the Machines already done";
    assert!(joined(&failed).contains(over), "{failed}");
}

#[test]
fn a_refused_plan_that_is_saved_promises_nothing() {
    let sandbox = shop();
    let platform = EmulatorProcess::with_faults(&sandbox, CRASHES);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let save = ["plan", "--exclude-machines", "nobody", "-o", "a.plan"];
    let plan = run(&sandbox, &platform, &save);
    assert!(
        plan.contains("Refused: this plan cannot be applied"),
        "{plan}"
    );
    assert!(
        plan.contains("saved to a.plan; it cannot be applied while it is refused"),
        "{plan}"
    );
    assert!(!plan.contains("does exactly this"), "{plan}");
}
