//! `drift.sh`: which issue it opens, updates, reopens and closes, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::comment::{GITLAB, OURS, ready, wrapped_curl};
use crate::forge::{Contents, Forge, TOKEN, issue};
use crate::top;

const SAID: &str = "error: cannot determine the drift: ben on there (pid 1, https://host/jobs/1) is changing `shop`";

fn report(app: &str, what: &str) -> String {
    format!(
        "<!-- aeroform {} -->\n### {app} · {what}\n\n| Group | Machines |\n\n<details>\n<summary>web</summary>\n\n\
         ```diff\n! {}\n```\n\n</details>\n\n{app} · fly · serial 12\n",
        json!({"command": "drift", "app": app, "format": 1}),
        "a".repeat(600)
    )
}

struct Ended {
    exit: Option<i32>,
    said: String,
    forge: Forge,
}

impl Ended {
    fn issues(&self) -> Vec<Value> {
        self.forge.contents.lock().unwrap().issues.clone()
    }

    fn states(&self) -> Vec<String> {
        let issues = self.issues();
        let states = issues.iter().map(|issue| issue["state"].as_str().unwrap());
        states.map(str::to_owned).collect()
    }

    fn requests(&self) -> Vec<String> {
        self.forge.contents.lock().unwrap().requests.clone()
    }

    fn words(&self) -> Vec<(u64, String)> {
        self.forge.contents.lock().unwrap().words.clone()
    }
}

/// Runs the script against a forge, with an `aeroform` that ends with this code and this report.
fn run(contents: Contents, code: i32, report: &str, extra: &[(&str, &str)]) -> Ended {
    let forge = Forge::start(contents);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("arguments");
    let path = wrapped_curl(folder.path(), &log);
    fs::write(folder.path().join("report.md"), report).unwrap();
    let program = format!(
        "#!/bin/sh\n[ -z \"${{GITHUB_TOKEN:-}}${{AEROFORM_NOTE_TOKEN:-}}\" ] || exit 99\n\
         [ \"$1 $2 $3 $4 $5\" = '-C apps/shop drift --detailed-exitcode --also' ] || exit 98\n\
         cp '{}' \"${{6#markdown=}}\"\n[ {code} != 5 ] || printf '%s\\n' '{SAID}' 'hint: 100% sure' >&2\nexit {code}\n",
        folder.path().join("report.md").display()
    );
    let aeroform = folder.path().join("aeroform");
    fs::write(&aeroform, program).unwrap();
    fs::set_permissions(&aeroform, fs::Permissions::from_mode(0o755)).unwrap();
    let url = format!("http://{}", forge.address);
    let output = Command::new("sh")
        .arg(top().join("examples/ci/drift.sh"))
        .args(["-C", "apps/shop"])
        .env_clear()
        .envs([("PATH", path.as_str()), ("FORGE_TIMEOUT", "5")])
        .env("GITHUB_API_URL", &url)
        .env("GITHUB_SERVER_URL", "https://forge")
        .env("GITHUB_REPOSITORY", "ana/shop")
        .env("GITHUB_RUN_ID", "42")
        .env("GITHUB_TOKEN", TOKEN)
        .env("CI_API_V4_URL", &url)
        .env("CI_PROJECT_ID", "7")
        .envs(extra.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(TOKEN), "{said}");
    let arguments = fs::read_to_string(&log).unwrap_or_default();
    for hidden in [TOKEN, "1 changed"] {
        assert!(!arguments.contains(hidden), "{arguments}");
    }
    Ended {
        exit: output.status.code(),
        said,
        forge,
    }
}

fn with_issues(issues: Vec<Value>) -> Contents {
    Contents {
        issues,
        ..Contents::default()
    }
}

/// Variables, and two texts.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

/// Both forges: variables, our login, and the word for an issue that is open.
const FORGES: [Case<'_>; 2] = [(&[], OURS, "open"), (&GITLAB, "project_1_bot", "opened")];

#[test]
fn drift_opens_one_issue_and_updates_it_in_place() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        let now = report("shop", "drift: 1 changed");
        let first = run(Contents::default(), 2, &now, extra);
        assert_eq!(first.exit, Some(0), "{}", first.said);
        assert!(
            first.said.contains("opened: https://forge/issues/1"),
            "{}",
            first.said
        );
        let issues = first.issues();
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0]["title"], "drift of shop");
        assert_eq!(issues[0]["body"], now);

        let later = report("shop", "drift: 1 changed, 1 gone");
        let there = vec![
            issue(1, "ana", open, "a question"),
            issue(2, login, open, &now),
            issue(3, login, open, &report("market", "drift: 1 gone")),
        ];
        let second = run(with_issues(there), 2, &later, extra);
        assert_eq!(second.exit, Some(0), "{}", second.said);
        let issues = second.issues();
        assert_eq!(issues.len(), 3);
        assert_eq!(issues[1]["body"], later);
        assert_eq!(issues[2]["body"], report("market", "drift: 1 gone"));
        assert!(second.words().is_empty(), "an update is no comment");
    }
}

#[test]
fn an_issue_is_closed_with_a_word_and_reopened_by_the_next_drift() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        let extra = [extra, &[("CI_JOB_URL", "https://forge/jobs/42")]].concat();
        let there = vec![issue(1, login, open, &report("shop", "drift: 1 gone"))];
        let clean = run(with_issues(there), 0, &report("shop", "no drift"), &extra);
        assert_eq!(clean.exit, Some(0), "{}", clean.said);
        assert_eq!(clean.states(), ["closed"]);
        assert_eq!(clean.issues()[0]["body"], report("shop", "no drift"));
        let words = clean.words();
        assert_eq!(words.len(), 1);
        assert!(words[0].1.contains("No drift any more"), "{words:?}");
        assert!(words[0].1.contains("/jobs/42"), "{words:?}");

        let again = run(
            with_issues(clean.issues()),
            2,
            &report("shop", "drift: 1 gone"),
            &extra,
        );
        assert_eq!(again.states(), [open], "{}", again.said);
        assert_eq!(again.issues()[0]["body"], report("shop", "drift: 1 gone"));
        let new = [&extra[..], &[("ISSUE", "new")]].concat();
        let new = run(
            with_issues(clean.issues()),
            2,
            &report("shop", "drift: 1 gone"),
            &new,
        );
        assert_eq!(new.states(), ["closed", open], "{}", new.said);
    }
}

#[test]
fn without_drift_and_without_an_open_issue_nothing_is_written() {
    if !ready() {
        return;
    }
    let there = vec![issue(1, OURS, "closed", &report("shop", "drift: 1 gone"))];
    let ended = run(with_issues(there), 0, &report("shop", "no drift"), &[]);
    assert_eq!(ended.exit, Some(0), "{}", ended.said);
    assert_eq!(ended.requests(), ["GET 200"]);
}

#[test]
fn an_issue_closed_as_not_planned_stays_closed_until_the_drift_differs() {
    if !ready() {
        return;
    }
    let mut closed = issue(1, OURS, "closed", &report("shop", "drift: 1 gone"));
    closed["state_reason"] = json!("not_planned");
    // Another serial is no other drift.
    let same = report("shop", "drift: 1 gone").replace("serial 12", "serial 13");
    let ended = run(with_issues(vec![closed.clone()]), 2, &same, &[]);
    assert_eq!(ended.exit, Some(0), "{}", ended.said);
    assert_eq!(ended.states(), ["closed"], "{}", ended.said);
    assert!(ended.said.contains("not planned"), "{}", ended.said);
    let other = report("shop", "drift: 2 gone");
    let ended = run(with_issues(vec![closed.clone()]), 2, &other, &[]);
    assert_eq!(ended.states(), ["open"], "{}", ended.said);
    closed["state_reason"] = json!("completed");
    let ended = run(with_issues(vec![closed]), 2, &same, &[]);
    assert_eq!(ended.states(), ["open"], "{}", ended.said);
}

#[test]
fn the_issue_is_found_over_all_pages() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        for state in [open, "closed"] {
            let mut issues: Vec<_> = (1..=250)
                .map(|number| issue(number, login, state, &format!("word {number}")))
                .collect();
            issues[3] = issue(4, login, state, &report("shop", "drift: 1 gone"));
            let ended = run(
                with_issues(issues),
                2,
                &report("shop", "drift: 1 changed"),
                extra,
            );
            assert_eq!(ended.exit, Some(0), "{}", ended.said);
            let issues = ended.issues();
            assert_eq!(issues.len(), 250, "{}", ended.said);
            assert_eq!(issues[3]["body"], report("shop", "drift: 1 changed"));
            assert_eq!(issues[3]["state"], open);
        }
    }
}

#[test]
fn an_open_issue_comes_before_a_newer_closed_one() {
    if !ready() {
        return;
    }
    let there = vec![
        issue(1, OURS, "open", &report("shop", "drift: 1 gone")),
        issue(2, OURS, "closed", &report("shop", "drift: 1 gone")),
    ];
    let ended = run(with_issues(there), 2, &report("shop", "drift: 2 gone"), &[]);
    assert_eq!(ended.states(), ["open", "closed"], "{}", ended.said);
    assert_eq!(ended.issues()[0]["body"], report("shop", "drift: 2 gone"));
}

#[test]
fn a_copied_marker_and_a_pull_request_are_not_our_issue() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        let mut request = issue(4, login, open, &report("shop", "drift: 1 gone"));
        request["pull_request"] = json!({});
        let plan = report("shop", "1 to create").replace("\"drift\"", "\"plan\"");
        let there = vec![
            issue(1, "mallory", open, &report("shop", "drift: 1 gone")),
            issue(
                2,
                login,
                open,
                &format!("quoted\n{}", report("shop", "drift: 1 gone")),
            ),
            issue(3, login, open, &plan),
            request,
        ];
        let ended = run(
            with_issues(there.clone()),
            2,
            &report("shop", "drift: 1 changed"),
            extra,
        );
        let issues = ended.issues();
        assert_eq!(issues.len(), 5, "{}", ended.said);
        assert_eq!(issues[..4], there);
        let clean = run(
            with_issues(there.clone()),
            0,
            &report("shop", "no drift"),
            extra,
        );
        assert_eq!(clean.issues(), there, "{}", clean.said);
    }
}

#[test]
fn a_run_under_way_leaves_the_issue_alone_and_is_named() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        let there = vec![issue(1, login, open, &report("shop", "drift: 1 gone"))];
        let extra = [extra, &[("GITHUB_ACTIONS", "true")]].concat();
        let ended = run(with_issues(there.clone()), 5, "", &extra);
        assert_eq!(ended.exit, Some(0), "{}", ended.said);
        assert_eq!(ended.issues(), there);
        assert!(ended.requests().is_empty());
        assert!(ended.said.contains("https://host/jobs/1"), "{}", ended.said);
        let notice = format!(
            "::notice title=aeroform::the issue stays as it is: {SAID}%0Ahint: 100%25 sure\n"
        );
        assert!(ended.said.contains(&notice), "{}", ended.said);
    }
}

#[test]
fn no_answer_leaves_the_issue_alone_and_fails_the_job_with_the_same_code() {
    if !ready() {
        return;
    }
    for (extra, login, open) in FORGES {
        for code in [1, 4, 64, 70, 130] {
            let there = vec![issue(1, login, open, &report("shop", "drift: 1 gone"))];
            let ended = run(with_issues(there.clone()), code, "### error\n", extra);
            assert_eq!(ended.exit, Some(code), "{}", ended.said);
            assert_eq!(ended.issues(), there);
            assert!(ended.requests().is_empty());
        }
    }
}

#[test]
fn a_refused_text_is_sent_once_more_without_its_details() {
    if !ready() {
        return;
    }
    let whole = report("shop", "drift: 1 changed");
    let there = Contents {
        longest: Some(whole.len() - 1),
        ..Contents::default()
    };
    let ended = run(there, 2, &whole, &[]);
    assert_eq!(
        ended.requests(),
        ["GET 200", "GET 200", "POST 422", "POST 201"]
    );
    let body = ended.issues()[0]["body"].as_str().unwrap().to_owned();
    assert!(body.starts_with("<!-- aeroform {"), "{body}");
    assert!(
        body.contains("left out") && !body.contains("details>"),
        "{body}"
    );
}

#[test]
fn what_the_forge_refuses_fails_the_job_and_names_the_way_out() {
    if !ready() {
        return;
    }
    let refusals = [
        (Method::POST, StatusCode::FORBIDDEN, "issues: write", 3),
        (Method::GET, StatusCode::FORBIDDEN, "issues: write", 1),
        (Method::GET, StatusCode::NOT_FOUND, "answered 404", 1),
        (Method::POST, StatusCode::GONE, "switched off", 3),
        (
            Method::POST,
            StatusCode::UNPROCESSABLE_ENTITY,
            "answered 422",
            4,
        ),
        // Reading is tried three times, making an issue once: a lost answer would make a second one.
        (
            Method::GET,
            StatusCode::INTERNAL_SERVER_ERROR,
            "answered 500",
            3,
        ),
        (
            Method::POST,
            StatusCode::INTERNAL_SERVER_ERROR,
            "answered 500",
            3,
        ),
    ];
    for (method, status, hint, requests) in refusals {
        let refusing = Contents {
            refuse: vec![(method.clone(), status)],
            ..Contents::default()
        };
        let ended = run(
            refusing,
            2,
            &report("shop", "drift: 1 gone"),
            &[("GITHUB_ACTIONS", "true")],
        );
        assert_eq!(ended.exit, Some(1), "{method} {status}: {}", ended.said);
        let start = "::error title=aeroform::the issue was not updated: ";
        assert!(
            ended.said.contains(start),
            "{method} {status}: {}",
            ended.said
        );
        assert!(
            ended.said.contains(hint),
            "{method} {status}: {}",
            ended.said
        );
        assert_eq!(ended.requests().len(), requests, "{:?}", ended.requests());
        assert!(ended.issues().is_empty());
    }
}

#[test]
fn an_update_that_fails_is_tried_again_and_fails_the_job() {
    if !ready() {
        return;
    }
    let there = Contents {
        issues: vec![issue(1, OURS, "open", &report("shop", "drift: 1 gone"))],
        refuse: vec![(Method::PATCH, StatusCode::BAD_GATEWAY)],
        ..Contents::default()
    };
    let ended = run(there, 0, &report("shop", "no drift"), &[]);
    assert_eq!(ended.exit, Some(1), "{}", ended.said);
    assert_eq!(
        ended.requests(),
        ["GET 200", "PATCH 502", "PATCH 502", "PATCH 502"]
    );
    assert!(ended.words().is_empty(), "it is not closed");
}

#[test]
fn a_forge_that_does_not_answer_holds_the_job_for_a_bounded_time() {
    if !ready() {
        return;
    }
    let slow = Contents {
        delay: Duration::from_secs(60),
        ..Contents::default()
    };
    let limits = [("FORGE_TIMEOUT", "1")];
    let ended = run(slow, 2, &report("shop", "drift: 1 gone"), &limits);
    assert_eq!(ended.exit, Some(1));
    assert!(ended.said.contains("did not answer"), "{}", ended.said);
}

#[test]
fn a_missing_token_or_marker_is_named() {
    if !ready() {
        return;
    }
    let cases: [Case<'_>; 3] = [
        (
            &[("GITLAB_CI", "true")],
            "",
            "AEROFORM_NOTE_TOKEN is not set",
        ),
        (&[("GITHUB_TOKEN", "")], "", "GITHUB_TOKEN is not set"),
        (&[], "### no marker\n", "does not begin with the marker"),
    ];
    for (extra, text, hint) in cases {
        let ended = run(Contents::default(), 2, text, extra);
        assert_eq!(ended.exit, Some(1), "{}", ended.said);
        assert!(ended.said.contains(hint), "{}", ended.said);
        assert!(ended.requests().is_empty());
    }
}
