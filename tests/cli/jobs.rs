//! The jobs of `examples/ci/`, played over a bare repository and the emulated platform: their own shell lines, in the
//! shell of their forge, each job in a clone of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::ci_scripts::scripts;
use crate::commit_order::{JobRunner, Pipeline, assert_exit};
use crate::git_command::git;

const GITHUB: &[&str] = &["bash", "-e", "-c"];
const GITLAB: &[&str] = &["sh", "-e", "-c"];

/// A repository with the files that the jobs call, and its state in git if the settings say so.
fn pipeline(count: u32, state: &str) -> Pipeline {
    let pipeline = Pipeline::new(count);
    let people = pipeline.folder("people");
    for folder in [".github/actions/aeroform", "ci"] {
        fs::create_dir_all(people.join(folder)).unwrap();
        for script in ["comment.sh", "drift.sh", "forge.sh", "push-state.sh"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci");
            fs::copy(from.join(script), people.join(folder).join(script)).unwrap();
        }
    }
    let settings = fs::read_to_string(people.join("aeroform.toml")).unwrap();
    fs::write(people.join("aeroform.toml"), format!("{settings}\n{state}")).unwrap();
    git(&people, &["add", "-A"]);
    git(&people, &["commit", "-q", "-m", "jobs"]);
    git(&people, &["push", "-q", "origin", "main"]);
    pipeline
}

/// Somebody commits another count on top of main.
fn commit(pipeline: &Pipeline, from: u32, to: u32) -> String {
    let people = pipeline.folder("people");
    git(&people, &["pull", "-q", "--rebase", "origin", "main"]);
    let settings = fs::read_to_string(people.join("aeroform.toml")).unwrap();
    let settings = settings.replace(&format!("count = {from}"), &format!("count = {to}"));
    fs::write(people.join("aeroform.toml"), settings).unwrap();
    git(&people, &["commit", "-q", "-a", "-m", "count"]);
    git(&people, &["push", "-q", "origin", "main"]);
    pipeline.head()
}

/// A checkout of the branch main, as `actions/checkout` with `ref: main` leaves it.
fn on_branch(pipeline: &Pipeline) -> JobRunner<'_> {
    let tip = git(&pipeline.folder("origin.git"), &["rev-parse", "main"]);
    let job = pipeline.job(&tip, Some("1"));
    let clone = &job.clone;
    git(
        clone,
        &[
            "fetch",
            "-q",
            "--depth=1",
            "origin",
            "+refs/heads/main:refs/remotes/origin/main",
        ],
    );
    git(clone, &["checkout", "-q", "-B", "main", "origin/main"]);
    job
}

/// A script of a job, as the forge starts it.
fn shell(job: &JobRunner<'_>, shell: &[&str], script: &str) -> Command {
    let like = job.command(&[]);
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).env_clear();
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let out = job
        .clone
        .join("../out")
        .join(job.clone.file_name().unwrap());
    fs::create_dir_all(&out).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_aeroform")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    command
        .current_dir(&job.clone)
        .env(
            "PATH",
            format!("{}:{}:{path}", out.display(), program.display()),
        )
        .env("HOME", &out)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("RUNNER_TEMP", &out)
        .env("GITHUB_REF_NAME", "main")
        .env("FLAGS", "")
        .env("STATE", "state/shop.json")
        .env("GITHUB_STEP_SUMMARY", out.join("summary"))
        .env("GITHUB_OUTPUT", out.join("output"))
        .env("CI_COMMIT_BRANCH", "main")
        .env("APP_DIRECTORY", ".")
        .env("OUT", &out)
        .stdin(Stdio::null());
    command
}

fn play(job: &JobRunner<'_>, with: &[&str], script: &str) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = shell(job, with, script).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), said)
}

/// All steps of a job; each has to end with 0.
fn succeeds(job: &JobRunner<'_>, with: &[&str], steps: &[String]) -> String {
    let mut all = String::new();
    for step in steps {
        let (code, said) = play(job, with, step);
        assert_eq!(code, Some(0), "{step}\n{said}");
        all += &said;
    }
    all
}

fn at_origin(pipeline: &Pipeline, args: &[&str]) -> String {
    git(&pipeline.folder("origin.git"), args)
}

#[test]
fn the_apply_job_of_github_starts_without_a_branch_and_follows_main() {
    let pipeline = pipeline(2, "[state]\nurl = \"git+origin\"\n");
    let steps = scripts("examples/ci/github/apply.yml");
    assert_eq!(steps.len(), 2);
    succeeds(&on_branch(&pipeline), GITHUB, &steps);
    assert_eq!(pipeline.machines(), 2);
    let subject = at_origin(&pipeline, &["log", "-1", "--format=%s", "aeroform-state"]);
    assert!(subject.contains("serial 1"), "{subject}");
    let again = succeeds(&on_branch(&pipeline), GITHUB, &steps);
    assert!(again.contains("No changes"), "{again}");
    assert_eq!(pipeline.machines(), 2);
}

#[test]
fn a_plain_state_file_is_the_only_file_that_the_jobs_commit() {
    for (with, file) in [
        (GITHUB, "examples/ci/github/apply-file.yml"),
        (GITLAB, "examples/ci/gitlab/apply-file.yml"),
    ] {
        let pipeline = pipeline(2, "");
        let steps = scripts(file);
        let steps: Vec<String> = steps.iter().map(|step| without_credentials(step)).collect();
        let job = on_branch(&pipeline);
        let before = at_origin(&pipeline, &["rev-parse", "main"]);
        succeeds(&job, with, &steps);
        assert_eq!(pipeline.machines(), 2);
        assert!(job.clone.join("state/.shop.json.lock").exists());
        let changed = at_origin(&pipeline, &["diff", "--name-only", &before, "main"]);
        assert_eq!(changed, "state/shop.json");
        let subject = at_origin(&pipeline, &["log", "-1", "--format=%s", "main"]);
        assert!(subject.ends_with(" [skip ci]"), "{subject}");
        // The job again: it has the newest state, and there is nothing to publish.
        let tip = at_origin(&pipeline, &["rev-parse", "main"]);
        let again = succeeds(&on_branch(&pipeline), with, &steps);
        assert!(again.contains("nothing to publish"), "{again}");
        assert_eq!(at_origin(&pipeline, &["rev-parse", "main"]), tip);
    }
}

/// The origin of these tests is a folder, which takes no credentials.
fn without_credentials(script: &str) -> String {
    let lines = script.lines().filter(|line| {
        !line.starts_with("git remote set-url") && !line.starts_with("git config credential")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn code_that_was_pushed_meanwhile_does_not_stop_the_state() {
    let pipeline = pipeline(1, "");
    let steps = scripts("examples/ci/github/apply-file.yml");
    let (publish, apply) = steps.split_last().unwrap();
    let job = on_branch(&pipeline);
    succeeds(&job, GITHUB, apply);
    let code = commit(&pipeline, 1, 3);
    succeeds(&job, GITHUB, std::slice::from_ref(publish));
    assert_eq!(at_origin(&pipeline, &["rev-parse", "main^"]), code);
    // The next job applies that code, from the state of this one.
    succeeds(&on_branch(&pipeline), GITHUB, &steps);
    assert_eq!(pipeline.machines(), 3);
}

#[test]
fn a_state_of_another_run_is_never_overwritten() {
    let pipeline = pipeline(1, "");
    let steps = scripts("examples/ci/github/apply-file.yml");
    let (publish, apply) = steps.split_last().unwrap();
    let late = on_branch(&pipeline);
    succeeds(&late, GITHUB, apply);
    succeeds(&on_branch(&pipeline), GITHUB, &steps);
    let tip = at_origin(&pipeline, &["rev-parse", "main"]);
    let (code, said) = play(&late, GITHUB, publish);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("does not follow"), "{said}");
    assert_eq!(at_origin(&pipeline, &["rev-parse", "main"]), tip);
}

#[test]
fn a_protected_branch_is_named_and_not_pushed_to_again_and_again() {
    let pipeline = pipeline(1, "");
    let hook = pipeline.folder("origin.git").join("hooks/pre-receive");
    fs::write(
        &hook,
        "#!/bin/sh\necho GH006: protected branch >&2\necho x >>tried\nexit 1\n",
    )
    .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let steps = scripts("examples/ci/github/apply-file.yml");
    let (publish, apply) = steps.split_last().unwrap();
    let job = on_branch(&pipeline);
    succeeds(&job, GITHUB, apply);
    let (code, said) = play(&job, GITHUB, publish);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("GH006") && said.contains("origin refuses"),
        "{said}"
    );
    let tried = fs::read_to_string(pipeline.folder("origin.git").join("tried")).unwrap();
    assert_eq!(tried.lines().count(), 1);
}

/// After `exec` a signal to the step reaches the apply: it ends its calls and writes the state, which the next step
/// publishes.
#[test]
fn a_cancelled_apply_leaves_a_state_that_is_published() {
    let pipeline = pipeline(8, "");
    let steps = scripts("examples/ci/github/apply-file.yml");
    let (publish, apply) = steps.split_last().unwrap();
    let (last, before) = apply.split_last().unwrap();
    let job = on_branch(&pipeline);
    succeeds(&job, GITHUB, before);
    let mut child = shell(&job, GITHUB, last)
        .env("FLAGS", "--parallelism 1 --steady 0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        if line.unwrap().contains("created") {
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            let _ = kill_process(pid, Signal::INT);
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let made = pipeline.machines();
    assert!((1..8).contains(&made), "{made}");
    succeeds(&job, GITHUB, std::slice::from_ref(publish));
    let state = at_origin(&pipeline, &["show", "main:state/shop.json"]);
    assert_eq!(state.matches("{\"machine\"").count(), made, "{state}");
    succeeds(&on_branch(&pipeline), GITHUB, &steps);
    assert_eq!(pipeline.machines(), 8);
}

/// A job that plans, with what its forge says about the pull request.
fn plans(
    job: &JobRunner<'_>,
    base: &Path,
    with: &[&str],
    script: &str,
) -> (Option<i32>, String, String) {
    let out = job
        .clone
        .join("../out")
        .join(job.clone.file_name().unwrap());
    fs::create_dir_all(&out).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = shell(job, with, script)
        .env("CHECKOUT", &job.clone)
        .env("BASE", base)
        .env("STATE", "")
        .env("STATE_FILE", "shop.json")
        .env("STATE_BRANCH", "aeroform-state")
        .env("IMAGE", "")
        .env("REFRESH", "false")
        .env("TOKEN", "token")
        .env(
            "GITHUB_SERVER_URL",
            format!("file://{}", job.clone.join("..").display()),
        )
        .env("GITHUB_REPOSITORY", "origin.git")
        .env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")
        .env("CI_PROJECT_DIR", &job.clone)
        .env("CI_JOB_ID", job.clone.file_name().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    let reports = [
        out.join("aeroform/plan.md"),
        job.clone.join(".aeroform-out/plan.md"),
    ];
    let report = reports
        .iter()
        .find_map(|file| fs::read_to_string(file).ok());
    (status.code(), report.unwrap_or_default(), said)
}

#[test]
fn the_plan_jobs_read_the_state_of_its_own_branch() {
    for (with, plan) in [
        (GITHUB, scripts("examples/ci/github/action.yml").remove(1)),
        (GITLAB, scripts("examples/ci/gitlab/aeroform.yml").remove(0)),
    ] {
        let pipeline = pipeline(2, "[state]\nurl = \"git+origin\"\n");
        let base = on_branch(&pipeline);
        let first = on_branch(&pipeline);
        let (code, report, said) = plans(&first, &base.clone, with, &plan);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            report.contains("Pending before this change · 2 to create"),
            "{report}{said}"
        );
        succeeds(
            &on_branch(&pipeline),
            GITHUB,
            &scripts("examples/ci/github/apply.yml"),
        );
        let change = on_branch(&pipeline);
        let settings = fs::read_to_string(change.clone.join("aeroform.toml")).unwrap();
        let settings = settings.replace("count = 2", "count = 3");
        fs::write(change.clone.join("aeroform.toml"), settings).unwrap();
        git(&change.clone, &["commit", "-q", "-a", "-m", "change"]);
        let (code, report, said) = plans(&change, &base.clone, with, &plan);
        assert_eq!(code, Some(0), "{said}");
        assert!(report.contains("### shop · 1 to create"), "{report}{said}");
        assert!(!report.contains("Pending"), "{report}");
        assert!(report.contains("serial 1"), "{report}");
    }
}

/// A `curl` that answers with empty lists, and keeps what is sent.
fn forge_without_issues(job: &JobRunner<'_>) {
    let out = job
        .clone
        .join("../out")
        .join(job.clone.file_name().unwrap());
    fs::create_dir_all(&out).unwrap();
    let script = "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n case $1 in\n  --output) answer=$2 ;;\n  --request) method=$2 ;;\n\
                  --data-binary) cp \"${2#@}\" \"$HOME/sent\" ;;\n esac\n shift\ndone\necho '[]' >\"$answer\"\n\
                  if [ \"$method\" = GET ]; then printf 200; else printf 201; fi\n";
    fs::write(out.join("curl"), script).unwrap();
    fs::set_permissions(out.join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn sent(job: &JobRunner<'_>) -> Option<String> {
    let out = job
        .clone
        .join("../out")
        .join(job.clone.file_name().unwrap());
    fs::read_to_string(out.join("sent")).ok()
}

#[test]
fn the_drift_job_reads_the_state_of_either_place_and_reports_what_no_run_did() {
    if !Command::new("jq")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: there is no jq; `.ci/run` installs it");
        return;
    }
    for (apply, state) in [
        ("apply", "[state]\nurl = \"git+origin\"\n"),
        ("apply-file", ""),
    ] {
        let pipeline = pipeline(2, state);
        let apply = scripts(&format!("examples/ci/github/{apply}.yml"));
        let drift = scripts("examples/ci/github/drift.yml").remove(0);
        succeeds(&on_branch(&pipeline), GITHUB, &apply);
        let run = |expected: Option<i32>| {
            let job = on_branch(&pipeline);
            forge_without_issues(&job);
            let output = shell(&job, GITHUB, &drift)
                .env("GITHUB_TOKEN", "token")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), expected, "{said}");
            (said, sent(&job))
        };
        let (said, nothing) = run(Some(0));
        assert!(said.contains("No drift.") && nothing.is_none(), "{said}");
        // A runner of the next commit dies before its push.
        let dead = commit(&pipeline, 2, 3);
        let job = on_branch(&pipeline);
        let lost = ["apply", "-y", "--image", crate::fly::V2];
        if state.is_empty() {
            assert_exit(&job.run(&lost), 0);
        } else {
            let settings = fs::read_to_string(job.clone.join("aeroform.toml")).unwrap();
            fs::create_dir_all(job.clone.join("state")).unwrap();
            let pulled = job.run(&["state", "pull", "state/shop.json"]);
            assert_exit(&pulled, 0);
            let as_file = settings.replace("url = \"git+origin\"", "path = \"state/shop.json\"");
            fs::write(job.clone.join("aeroform.toml"), as_file).unwrap();
            assert_exit(&job.run(&lost), 0);
        }
        let (said, nothing) = run(Some(0));
        assert!(nothing.is_none(), "{said}");
        assert!(
            said.contains(&format!("of commit {}", &dead[..12])),
            "{said}"
        );
        let next = if state.is_empty() {
            "the next apply adopts"
        } else {
            "--adopt-run"
        };
        assert!(said.contains(next), "{said}");
        // Somebody changes a Machine that the run did not make.
        let machines = pipeline.platform.machines();
        let id = machines[0]["id"].as_str().unwrap();
        let (status, _) = pipeline.platform.ask(
            "DELETE",
            &format!("/v1/apps/shop/machines/{id}?force=true"),
            &serde_json::Value::Null,
        );
        assert_eq!(status, 200);
        let (said, issue) = run(Some(0));
        let issue = issue.unwrap_or_else(|| panic!("{said}"));
        let issue: serde_json::Value = serde_json::from_str(&issue).unwrap();
        assert_eq!(issue["title"], "drift of shop");
        let body = issue["body"].as_str().unwrap();
        assert!(
            body.contains("drift: 1 gone · 1 run not in the state"),
            "{body}"
        );
        // The provider has no such app any more: nobody can tell.
        let (status, _) = pipeline.platform.ask(
            "DELETE",
            "/v1/apps/shop?force=true",
            &serde_json::Value::Null,
        );
        assert!(status < 300, "{status}");
        let (said, nothing) = run(Some(4));
        assert!(nothing.is_none(), "{said}");
    }
}
