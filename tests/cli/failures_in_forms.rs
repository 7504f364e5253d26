//! Runs that failed or were refused, as a workflow and a merged pull request show them.

use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::expect::without_ids;
use crate::fly::{EmulatorProcess, V1, on, project};
use crate::sandbox::Sandbox;

/// The standard output of an `apply` in a step of a workflow, and its exit code.
fn in_step(sandbox: &Sandbox, platform: &EmulatorProcess, args: &[&str]) -> (String, Option<i32>) {
    let mut command = on(sandbox, platform, args);
    for (variable, file) in [
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("GITHUB_OUTPUT", "output.txt"),
    ] {
        command.env(variable, sandbox.project().join(file));
    }
    let output = command.output().unwrap();
    let code = output.status.code();
    (String::from_utf8(output.stdout).unwrap(), code)
}

/// The annotations of a kind.
fn annotations<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let command = format!("::{kind} ");
    let lines = text.lines().filter(|line| line.starts_with(&command));
    lines.collect()
}

/// GitHub keeps ten annotations of a kind per step.
#[test]
fn a_failed_run_has_an_error_for_each_cause_with_its_machines_the_worst_first() {
    let groups: Vec<String> = (10..24).map(|at| format!("g{at}")).collect();
    let sandbox = project("");
    let (mut fly, mut settings) = (String::new(), "provider = \"fly\"\n".to_owned());
    let mut faults = String::new();
    for group in &groups {
        // The last one fails most often.
        let count = if group == "g23" { 3 } else { 1 };
        writeln!(fly, "  {group} = \"serve {group}\"").unwrap();
        writeln!(settings, "\n[groups.{group}]\ncount = {count}").unwrap();
        writeln!(
            faults,
            "[[fault]]\non = \"create\"\ngroup = \"{group}\"\neffect = \"refuse\"\ntimes = 100\n\
             message = \"no room for {group}\""
        )
        .unwrap();
    }
    sandbox.write(
        "fly.toml",
        &format!("app = \"shop\"\nprimary_region = \"ams\"\n\n[processes]\n{fly}"),
    );
    sandbox.write("aeroform.toml", &settings);
    let platform = EmulatorProcess::with_faults(&sandbox, &faults);
    let args = [
        "apply",
        "-y",
        "--image",
        V1,
        "--on-failure",
        "group",
        "--parallelism",
        "16",
        "--format",
        "github",
        "--also",
        "markdown=done.md",
    ];
    let (text, code) = in_step(&sandbox, &platform, &args);
    assert_eq!(code, Some(3), "{text}");
    let errors = annotations(&text, "error");
    let ids = regex::Regex::new("(g[0-9]{2}-)[a-z0-9]{10}|emulated-[0-9]+").unwrap();
    let shown: Vec<_> = errors
        .iter()
        .map(|line| ids.replace_all(line, "$1…"))
        .collect();
    assert_eq!(
        shown[..2],
        [
            "::error file=aeroform.toml,line=42,title=refused::g23-… (g23, ams), g23-… (g23, ams), g23-… (g23, ams): \
             POST /v1/apps/shop/machines answered 400: no room for g23 (request …)",
            "::error file=aeroform.toml,line=3,title=refused::g10-… (g10, ams): \
             POST /v1/apps/shop/machines answered 400: no room for g10 (request …)",
        ]
    );
    assert_eq!(
        shown[9],
        "::error title=more::and 5 more errors; the log has them all"
    );
    assert_eq!(errors.len(), 10);
    // The report has them all.
    let report = sandbox.read("done.md");
    for group in &groups {
        assert!(report.contains(&format!("no room for {group}")), "{report}");
    }
}

/// What a reader of the merged pull request needs: why nothing was done, and what was to be done.
#[test]
fn a_refused_run_leaves_the_refusal_and_the_plan_that_it_is_about() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let offline = sandbox.run(&["plan", "--refresh=false", "--out", "reviewed.plan"]);
    assert!(offline.starts_with("exit 0\n"), "{offline}");
    let online = sandbox.run(&["plan", "--out", "saved.plan"]);
    assert!(online.starts_with("exit 0\n"), "{online}");
    let fly = Sandbox::FLY
        .replace("  jobs = \"sleep 1001\"\n", "")
        .replace("sleep 1000", "sleep 1002");
    sandbox.write("fly.toml", &fly);
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    let left_by = |args: &[&str], code: &str| {
        let args = [args, &["--also", "markdown=done.md"]].concat();
        let shown = sandbox.run(&args);
        assert!(shown.starts_with(&format!("exit {code}\n")), "{shown}");
        let document = sandbox.read("done.md");
        let title = "\n### shop · apply failed · 1 to create, 1 to update, 1 to destroy";
        assert!(document.contains(title), "{document}");
        assert!(!document.contains("applies it"), "{document}");
        let port = regex::Regex::new("port [0-9]+").unwrap();
        port.replace_all(&without_ids(&document), "port …")
            .into_owned()
    };
    assert_snapshot!("refused_for_approval", left_by(&["apply"], "6"));
    assert_snapshot!(
        "refused_beyond_the_expected_plan",
        left_by(&["apply", "--expect", "reviewed.plan"], "4")
    );
    assert_snapshot!("refused_stale_plan", left_by(&["apply", "saved.plan"], "4"));
    sandbox.write(
        "aeroform.toml",
        "[policy]\nmax_destroy = 0\n\n[groups.web]\ncount = 2\n",
    );
    assert_snapshot!(
        "refused_by_policy",
        left_by(&["apply", "-y", "--allow-destroy=all"], "6")
    );
}
