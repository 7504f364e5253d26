//! `comment.sh`: which comment it writes, and what it says where it cannot.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::forge::{Contents, Forge, TOKEN, comment};
use crate::{installed, top};

pub(crate) const OURS: &str = "github-actions[bot]";

fn report(app: &str, digest: &str) -> String {
    format!(
        "<!-- aeroform {} -->\n### {app} · 1 to create\n\n> [!CAUTION]\n> **web** goes\n\n<details>\n\
         <summary>web</summary>\n\n```diff\n+ {}\n```\n\n</details>\n\n<details>\n<summary>api</summary>\n\n\
         <details>\n<summary>env</summary>\n\n```diff\n- b\n```\n\n</details>\n\n</details>\n\nserial 12\n",
        json!({"command": "plan", "app": app, "format": 1, "digest": digest}),
        "a".repeat(600)
    )
}

/// What the script said, and the forge after it.
struct Ended {
    said: String,
    forge: Forge,
}

impl Ended {
    fn bodies(&self) -> Vec<String> {
        let contents = self.forge.contents.lock().unwrap();
        let bodies = contents.comments.iter();
        bodies
            .map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect()
    }

    fn requests(&self) -> Vec<String> {
        self.forge.contents.lock().unwrap().requests.clone()
    }
}

pub(crate) fn ready() -> bool {
    installed("curl") && installed("jq")
}

/// Runs the script for the report `body` against a forge; it always ends with 0.
fn run(contents: Contents, body: &str, extra: &[(&str, &str)]) -> Ended {
    let forge = Forge::start(contents);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.md");
    fs::write(&file, body).unwrap();
    let event = folder.path().join("event.json");
    fs::write(&event, json!({"pull_request": {"number": 5}}).to_string()).unwrap();
    let log = folder.path().join("arguments");
    let path = wrapped_curl(folder.path(), &log);
    let url = format!("http://{}", forge.address);
    let mut command = Command::new("sh");
    command
        .arg(top().join("examples/ci/comment.sh"))
        .arg(&file)
        .env_clear()
        .envs([("PATH", path.as_str()), ("FORGE_TIMEOUT", "5")])
        .env("GITHUB_API_URL", &url)
        .env("GITHUB_REPOSITORY", "ana/shop")
        .env("GITHUB_TOKEN", TOKEN)
        .env("GITHUB_EVENT_PATH", &event)
        .env("CI_API_V4_URL", &url)
        .env("CI_PROJECT_ID", "7")
        .env("CI_MERGE_REQUEST_IID", "5")
        .envs(extra.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    let arguments = fs::read_to_string(&log).unwrap_or_default();
    for hidden in [TOKEN, "1 to create"] {
        assert!(!arguments.contains(hidden), "{arguments}");
    }
    Ended { said, forge }
}

/// A PATH whose `curl` writes down its arguments first.
pub(crate) fn wrapped_curl(folder: &Path, log: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::var("PATH").unwrap();
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{}'\nPATH='{path}' exec curl \"$@\"\n",
        log.display()
    );
    let program = folder.join("curl");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", folder.display())
}

pub(crate) const GITLAB: [(&str, &str); 2] =
    [("GITLAB_CI", "true"), ("AEROFORM_NOTE_TOKEN", TOKEN)];

#[test]
fn the_first_report_is_a_new_comment_and_the_second_one_takes_its_place() {
    if !ready() {
        return;
    }
    for (extra, login, update) in [
        (&[][..], OURS, "PATCH 200"),
        (&GITLAB[..], "project_1_bot", "PUT 200"),
    ] {
        let first = run(Contents::default(), &report("shop", "a"), extra);
        assert_eq!(first.bodies(), [report("shop", "a")], "{}", first.said);
        assert!(first.said.contains("https://forge/new"), "{}", first.said);
        let there = Contents {
            comments: vec![
                comment(1, "ana", "looks good"),
                comment(2, login, &report("shop", "a")),
            ],
            ..Contents::default()
        };
        let second = run(there, &report("shop", "b"), extra);
        assert_eq!(second.bodies(), ["looks good", &report("shop", "b")]);
        assert_eq!(second.requests().last().unwrap(), update);
    }
}

#[test]
fn the_newest_of_our_own_is_found_over_all_pages() {
    if !ready() {
        return;
    }
    let mut comments: Vec<_> = (1..=250)
        .map(|id| comment(id, "ana", &format!("word {id}")))
        .collect();
    comments[3] = comment(4, OURS, &report("shop", "old"));
    comments[228] = comment(229, OURS, &report("shop", "of the same page"));
    comments[229] = comment(230, OURS, &report("shop", "newer"));
    comments[240] = comment(241, OURS, &report("market", "other app"));
    let there = Contents {
        comments,
        ..Contents::default()
    };
    let ended = run(there, &report("shop", "now"), &[]);
    let bodies = ended.bodies();
    assert_eq!(bodies.len(), 250);
    assert_eq!(bodies[229], report("shop", "now"));
    assert_eq!(bodies[228], report("shop", "of the same page"));
    assert_eq!(bodies[3], report("shop", "old"));
    assert_eq!(bodies[240], report("market", "other app"));
}

#[test]
fn a_copied_marker_is_not_ours() {
    if !ready() {
        return;
    }
    let copies = [
        comment(1, "mallory", &report("shop", "a")),
        comment(2, OURS, &format!("quoted\n{}", report("shop", "a"))),
        comment(3, OURS, "<!-- aeroform {\"command\": -->"),
        comment(4, OURS, ""),
    ];
    let before = copies.clone().map(|one| one["body"].clone());
    let there = Contents {
        comments: copies.to_vec(),
        ..Contents::default()
    };
    let ended = run(there, &report("shop", "b"), &[]);
    let bodies = ended.bodies();
    assert_eq!(bodies[..4], before, "{}", ended.said);
    assert_eq!(bodies[4], report("shop", "b"));
}

#[test]
fn history_is_kept_on_request() {
    if !ready() {
        return;
    }
    let there = Contents {
        comments: vec![comment(1, OURS, &report("shop", "a"))],
        ..Contents::default()
    };
    let ended = run(there, &report("shop", "b"), &[("COMMENT", "new")]);
    assert_eq!(ended.bodies(), [report("shop", "a"), report("shop", "b")]);
}

#[test]
fn a_refused_text_is_sent_once_more_without_its_details() {
    if !ready() {
        return;
    }
    let whole = report("shop", "a");
    let there = Contents {
        longest: Some(whole.len() - 1),
        ..Contents::default()
    };
    let ended = run(there, &whole, &[]);
    assert_eq!(ended.requests(), ["GET 200", "POST 422", "POST 201"]);
    let body = ended.bodies().concat();
    assert!(
        body.starts_with("<!-- aeroform {") && body.contains("serial 12"),
        "{body}"
    );
    assert!(
        body.contains("> **web** goes") && body.contains("left out"),
        "{body}"
    );
    assert!(
        !body.contains("details>") && !body.contains("```"),
        "{body}"
    );
    let never = Contents {
        longest: Some(10),
        ..Contents::default()
    };
    let ended = run(never, &whole, &[]);
    assert_eq!(ended.requests(), ["GET 200", "POST 422", "POST 422"]);
    assert!(ended.said.contains("answered 422"), "{}", ended.said);
}

#[test]
fn what_the_forge_refuses_is_a_warning_with_the_way_out() {
    if !ready() {
        return;
    }
    let refusals = [
        (
            Method::POST,
            StatusCode::FORBIDDEN,
            "pull-requests: write",
            2,
        ),
        (
            Method::GET,
            StatusCode::FORBIDDEN,
            "pull-requests: write",
            1,
        ),
        (Method::GET, StatusCode::NOT_FOUND, "answered 404", 1),
        // Reading is tried three times, writing a new comment once: a lost answer would make a second one.
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
            2,
        ),
    ];
    for (method, status, hint, requests) in refusals {
        let refusing = Contents {
            refuse: vec![(method.clone(), status)],
            ..Contents::default()
        };
        let ended = run(
            refusing,
            &report("shop", "a"),
            &[("GITHUB_ACTIONS", "true")],
        );
        assert!(
            ended
                .said
                .starts_with("::warning title=aeroform::no comment was written: "),
            "{method} {status}: {}",
            ended.said
        );
        assert!(
            ended.said.contains(hint),
            "{method} {status}: {}",
            ended.said
        );
        assert_eq!(ended.requests().len(), requests, "{:?}", ended.requests());
        assert!(ended.bodies().is_empty());
    }
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
    let ended = run(slow, &report("shop", "a"), &limits);
    assert!(ended.said.contains("did not answer"), "{}", ended.said);
}

/// Variables, the app of the report, and what is said.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn what_is_missing_is_named() {
    if !ready() {
        return;
    }
    let cases: [Case<'_>; 5] = [
        (
            &[("GITLAB_CI", "true")],
            "shop",
            "AEROFORM_NOTE_TOKEN is not set",
        ),
        (
            &[
                ("GITLAB_CI", "true"),
                ("AEROFORM_NOTE_TOKEN", TOKEN),
                ("CI_MERGE_REQUEST_IID", ""),
            ],
            "shop",
            "not a merge request pipeline",
        ),
        (&[("GITHUB_TOKEN", "")], "shop", "GITHUB_TOKEN is not set"),
        (
            &[("GITHUB_EVENT_PATH", "/nowhere")],
            "shop",
            "PULL_REQUEST gives its number",
        ),
        (&[], "", "does not begin with the marker"),
    ];
    for (extra, app, hint) in cases {
        let body = if app.is_empty() {
            "### no marker\n".to_owned()
        } else {
            report(app, "a")
        };
        let ended = run(Contents::default(), &body, extra);
        assert!(ended.said.contains(hint), "{}", ended.said);
        assert!(ended.requests().is_empty());
    }
}
