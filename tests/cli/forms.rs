//! Several forms of one result: comments, annotations, reports and outputs, on standard output and in files.

use std::os::unix::fs::symlink;
use std::process::Output;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A run inside a step of a workflow, with its files.
fn in_step(sandbox: &Sandbox, args: &[&str]) -> Output {
    let mut command = sandbox.command(args);
    for (variable, file) in [
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("GITHUB_OUTPUT", "output.txt"),
    ] {
        command.env(variable, sandbox.project().join(file));
    }
    command.output().unwrap()
}

/// An app that runs, and an edit that takes a group away and changes the other.
fn edited() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let fly = Sandbox::FLY
        .replace("  jobs = \"sleep 1001\"\n", "")
        .replace("sleep 1000", "sleep 1002");
    sandbox.write("fly.toml", &fly);
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    sandbox
}

#[test]
fn one_look_gives_every_form() {
    let sandbox = edited();
    let also = [
        "plan",
        "--also",
        "markdown=plan.md",
        "--also",
        "json=plan.json",
        "--also",
        "text=plan.txt",
        "--also",
        "gitlab=gitlab.json",
        "--out",
        "next.plan",
    ];
    let output = sandbox.command(&also).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(sandbox.read("plan.txt"), stdout);
    let plan: Value = serde_json::from_str(&sandbox.read("plan.json")).unwrap();
    assert_eq!(plan["summary"]["destroy"], 1);
    let counts: Value = serde_json::from_str(&sandbox.read("gitlab.json")).unwrap();
    assert_eq!(counts, json!({"create": 1, "update": 1, "delete": 1}));
    let comment = sandbox.read("plan.md");
    assert!(comment.starts_with(
        "<!-- aeroform {\"command\":\"plan\",\"app\":\"shop\",\"format\":1,\"digest\":\""
    ));
    assert!(
        comment.contains("\n### shop · 1 to create, 1 to update, 1 to destroy\n"),
        "{comment}"
    );
    assert!(
        comment.contains("**Destroys group** `jobs`, 1 Machine"),
        "{comment}"
    );
    let printed = sandbox
        .command(&["plan", "--format", "markdown"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), comment);
    let again = sandbox.run(&["plan", "--format", "gitlab"]);
    assert_eq!(
        again,
        "exit 0\n--- stdout\n{\"create\":1,\"update\":1,\"delete\":1}\n"
    );
}

#[test]
fn a_run_reports_what_was_done_and_a_failure_what_was_not() {
    let sandbox = edited();
    let refused = sandbox.run(&[
        "apply",
        "--also",
        "markdown=done.md",
        "--also",
        "json=events.json",
    ]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    let last = sandbox.read("events.json");
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "consent_needed");
    let done = sandbox.run(&[
        "apply",
        "-y",
        "--allow-destroy=all",
        "--also",
        "markdown=done.md",
        "--also",
        "text=done.txt",
    ]);
    assert!(done.starts_with("exit 0\n"), "{done}");
    let report = sandbox.read("done.md");
    assert!(
        report.starts_with("<!-- aeroform {\"command\":\"apply\",\"app\":\"shop\""),
        "{report}"
    );
    assert!(
        report.contains("### shop · apply complete: 1 created, 1 updated, 1 destroyed\n"),
        "{report}"
    );
    assert!(
        sandbox.read("done.txt").contains("Apply complete"),
        "{done}"
    );
    sandbox.run(&["apply", "-y", "--also", "markdown=done.md"]);
    assert!(
        sandbox
            .read("done.md")
            .contains("apply complete: nothing was changed")
    );
    let drift = sandbox.run(&["drift", "--format", "markdown"]);
    assert!(drift.contains("### shop · no drift\n"), "{drift}");
}

#[test]
fn a_file_that_cannot_be_written_fails_before_the_work() {
    let sandbox = edited();
    sandbox.write("target", "untouched");
    sandbox.write("elsewhere/target", "untouched");
    symlink("target", sandbox.project().join("link")).unwrap();
    symlink("elsewhere", sandbox.project().join("folder")).unwrap();
    symlink("/dev/null", sandbox.project().join("device")).unwrap();
    for path in [
        "link",
        "folder/target",
        "folder/new",
        "device",
        "elsewhere",
        "/dev/null",
        "no/such/folder",
    ] {
        for args in [
            ["plan", "--out", path],
            ["plan", "--also", &format!("markdown={path}")],
            ["apply", "--also", &format!("markdown={path}")],
        ] {
            let shown = sandbox.run(&args);
            assert!(shown.starts_with("exit 1\n"), "{args:?}\n{shown}");
            assert!(
                shown.contains(&format!("cannot write `{path}`")),
                "{args:?}\n{shown}"
            );
            assert!(!shown.contains("Plan:"), "{args:?}\n{shown}");
        }
    }
    assert_eq!(sandbox.read("target"), "untouched");
    assert_eq!(sandbox.read("elsewhere/target"), "untouched");
    assert!(!sandbox.project().join("elsewhere/new").exists());
    // Nothing is left of a file that was opened before another one failed.
    sandbox.run(&[
        "plan",
        "--also",
        "json=first.json",
        "--also",
        "markdown=link",
    ]);
    assert!(!sandbox.project().join("first.json").exists());
}

#[test]
fn wrong_forms_are_usage_errors() {
    let sandbox = Sandbox::with_app();
    std::fs::write(sandbox.project().join("one"), "").unwrap();
    std::fs::hard_link(sandbox.project().join("one"), sandbox.project().join("two")).unwrap();
    for args in [
        &["plan", "--also", "markdown=-"][..],
        &["plan", "--also", "github=x"],
        &["plan", "--also", "markdown"],
        &["plan", "--also", "markdown="],
        &["plan", "--also", "markdown=x", "--also", "json=./x"],
        &["plan", "--also", "markdown=x", "--out", "x"],
        &["plan", "--also", "markdown=one", "--also", "json=two"],
        &["plan", "--budget", "1999"],
        &["plan", "--format", "markdwon"],
        &["apply", "--format", "gitlab"],
        &["apply", "--also", "gitlab=x"],
        &["drift", "--format", "gitlab"],
        &["drift", "--also", "gitlab=x"],
        &["validate", "--format", "markdown"],
        &["status", "--format", "markdown"],
    ] {
        let shown = sandbox.run(args);
        assert!(shown.starts_with("exit 64\n"), "{args:?}\n{shown}");
        assert!(!sandbox.project().join("x").exists(), "{args:?}");
    }
    let shown = sandbox.run(&["plan", "--also", "markdown=x", "--budget", "2000"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}

/// GitHub keeps ten annotations of a kind per step.
#[test]
fn ten_warnings_are_kept_and_the_one_about_a_secret_is_among_them() {
    let sandbox = Sandbox::new();
    let unknown: Vec<_> = (0..15).map(|at| format!("unknown_{at} = 1\n")).collect();
    let unknown = unknown.concat();
    sandbox.write(
        "fly.toml",
        &format!("app = \"shop\"\n{unknown}[env]\nAPI_TOKEN = \"sk_live_0123456789abcdef\"\n"),
    );
    let output = sandbox
        .command(&["validate", "--format", "github"])
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let annotations: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert_eq!(annotations.len(), 10, "{stdout}");
    assert!(annotations[0].contains("title=secret_in_env::"), "{stdout}");
    assert!(
        annotations[9].ends_with("::and 7 more warnings; the log has them all"),
        "{stdout}"
    );
    assert!(
        annotations
            .iter()
            .all(|line| line.starts_with("::warning ")),
        "{stdout}"
    );
}

#[test]
fn a_step_of_a_workflow_gets_annotations_a_summary_and_outputs() {
    let sandbox = edited();
    let output = in_step(
        &sandbox,
        &["plan", "--format", "github", "--detailed-exitcode"],
    );
    assert_eq!(output.status.code(), Some(2));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("Plan: 1 to create, 1 to update, 1 to destroy."),
        "{stdout}"
    );
    let annotations: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert_eq!(
        annotations,
        ["::warning file=aeroform.toml,line=1,title=destroys::destroys group `jobs`: 1 Machine"]
    );
    let outputs = sandbox.read("output.txt");
    let value = |name: &str| {
        let rest = outputs
            .split(&format!("{name}<<aeroform_end_of_value\n"))
            .nth(1)
            .unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    assert_eq!(value("exit_code"), "2");
    assert_eq!(value("changes"), "3");
    assert_eq!(value("destroys"), "1");
    assert_eq!(value("refused"), "false");
    assert_eq!(value("summary"), "1 to create, 1 to update, 1 to destroy");
    assert_eq!(
        value("labels"),
        "aeroform:creates,aeroform:updates,aeroform:destroys"
    );
    let summary = sandbox.read("summary.md");
    assert!(
        summary.contains(&format!("\"digest\":\"{}\"", value("plan_digest"))),
        "{summary}"
    );
    assert!(summary.starts_with("<!-- aeroform {"), "{summary}");
    // The same files take the next command of the step.
    let applied = in_step(&sandbox, &["apply", "--format", "github"]);
    assert_eq!(applied.status.code(), Some(6));
    let stdout = String::from_utf8(applied.stdout).unwrap();
    assert!(
        stdout.contains("::error file=aeroform.toml,line=1,title=consent_needed::"),
        "{stdout}"
    );
    assert!(sandbox.read("summary.md").starts_with(&summary));
    assert!(
        sandbox
            .read("output.txt")
            .contains("exit_code<<aeroform_end_of_value\n6\n")
    );
}

#[test]
fn a_missing_file_of_the_runner_is_a_warning() {
    let sandbox = edited();
    let shown = sandbox.run(&["plan", "--format", "github"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(
        shown.contains("warning: `GITHUB_STEP_SUMMARY` is not set"),
        "{shown}"
    );
    assert!(
        shown.contains("warning: `GITHUB_OUTPUT` is not set"),
        "{shown}"
    );
    symlink("fly.toml", sandbox.project().join("output.txt")).unwrap();
    let output = in_step(&sandbox, &["plan", "--format", "github"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("(`GITHUB_OUTPUT`): it is a symbolic link"),
        "{stderr}"
    );
    assert!(!sandbox.read("fly.toml").contains("exit_code"));
}

/// GitHub drops a summary of more than 1 MiB without failing the step.
#[test]
fn a_summary_takes_what_is_left_of_its_limit() {
    let limit = 1024 * 1024;
    let sandbox = edited();
    sandbox.write("summary.md", &"x".repeat(limit - 2_500));
    let output = in_step(&sandbox, &["plan", "--format", "github"]);
    assert_eq!(output.status.code(), Some(0));
    let summary = sandbox.read("summary.md");
    assert!(summary.len() <= limit, "{}", summary.len());
    assert!(summary.contains("\n<!-- aeroform {"));
    let output = in_step(&sandbox, &["plan", "--format", "github"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(sandbox.read("summary.md").len(), summary.len());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the step's summary is full"), "{stderr}");
}
