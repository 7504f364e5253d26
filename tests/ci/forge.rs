//! The part of GitHub's and GitLab's API that the scripts use: comments of one pull request, and issues; a page of
//! 100 each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The token that the forge accepts.
pub(crate) const TOKEN: &str = "s3cret-token-of-the-job";

/// What the forge holds, and how it answers.
#[derive(Default)]
pub(crate) struct Contents {
    /// The comments, the oldest first.
    pub(crate) comments: Vec<Value>,
    /// The issues, the oldest first, as GitHub and GitLab show them at once.
    pub(crate) issues: Vec<Value>,
    /// Comments on issues: the number and the text.
    pub(crate) words: Vec<(u64, String)>,
    /// `METHOD status`, in the order of the requests.
    pub(crate) requests: Vec<String>,
    /// A status for every request of a method.
    pub(crate) refuse: Vec<(Method, StatusCode)>,
    /// The longest body that it takes, in bytes.
    pub(crate) longest: Option<usize>,
    /// How long it waits before it answers.
    pub(crate) delay: Duration,
}

/// A forge on loopback, for as long as this value lives.
pub(crate) struct Forge {
    pub(crate) contents: Arc<Mutex<Contents>>,
    pub(crate) address: SocketAddr,
    /// Ends its thread when dropped.
    _end: oneshot::Sender<()>,
}

impl Forge {
    pub(crate) fn start(contents: Contents) -> Self {
        let contents = Arc::new(Mutex::new(contents));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&contents));
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = ended => {}
                }
            });
        });
        Self {
            contents,
            address,
            _end: end,
        }
    }
}

/// A comment as both forges show one.
pub(crate) fn comment(id: usize, login: &str, body: &str) -> Value {
    json!({"id": id, "user": {"login": login}, "author": {"username": login}, "body": body})
}

/// An issue as both forges show one.
pub(crate) fn issue(number: usize, login: &str, state: &str, body: &str) -> Value {
    json!({"number": number, "iid": number, "id": 1000 + number, "state": state, "title": "drift of shop",
        "user": {"login": login}, "author": {"username": login, "id": author_id(login)},
        "body": body, "description": body, "state_reason": null})
}

fn author_id(login: &str) -> u64 {
    if login == "project_1_bot" { 77 } else { 78 }
}

async fn answer(
    State(contents): State<Arc<Mutex<Contents>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let delay = contents.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let mut contents = contents.lock().unwrap();
    let (status, answer) = contents.take(&method, &uri, &headers, &body);
    contents
        .requests
        .push(format!("{method} {}", status.as_u16()));
    (status, answer.to_string())
}

impl Contents {
    fn take(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> (StatusCode, Value) {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = format!("Bearer {TOKEN}");
        if header("authorization") != Some(&bearer) && header("private-token") != Some(TOKEN) {
            return (StatusCode::UNAUTHORIZED, json!({}));
        }
        if let Some((_, status)) = self.refuse.iter().find(|(refused, _)| refused == method) {
            return (*status, json!({"message": "no"}));
        }
        let path = uri.path();
        if path == "/user" {
            return (
                StatusCode::OK,
                json!({"username": "project_1_bot", "id": author_id("project_1_bot")}),
            );
        }
        let issues = [
            ("/repos/ana/shop/issues", true),
            ("/projects/7/issues", false),
        ];
        for (prefix, github) in issues {
            if let Some(rest) = path.strip_prefix(prefix)
                && let Some(answer) = self.take_issue(github, method, rest, uri, body)
            {
                return answer;
            }
        }
        let github = path.starts_with("/repos/ana/shop/issues/");
        let gitlab = path.starts_with("/projects/7/merge_requests/5/notes");
        if !github && !gitlab {
            return (StatusCode::NOT_FOUND, json!({}));
        }
        if method == Method::GET {
            let page = page(&self.comments, uri.query().unwrap_or_default());
            return (StatusCode::OK, page);
        }
        let sent: Value = serde_json::from_slice(body).unwrap();
        let text = sent["body"].as_str().unwrap();
        if self.longest.is_some_and(|longest| text.len() > longest) {
            return (StatusCode::UNPROCESSABLE_ENTITY, json!({}));
        }
        let update = if github { Method::PATCH } else { Method::PUT };
        if method == Method::POST {
            let login = if github {
                "github-actions[bot]"
            } else {
                "project_1_bot"
            };
            self.comments
                .push(comment(self.comments.len() + 1, login, text));
            return (
                StatusCode::CREATED,
                json!({"html_url": "https://forge/new"}),
            );
        }
        assert_eq!(*method, update);
        let id: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        let found = self.comments.iter_mut().find(|comment| comment["id"] == id);
        match found {
            Some(comment) => {
                comment["body"] = json!(text);
                (StatusCode::OK, json!({"html_url": "https://forge/same"}))
            }
            None => (StatusCode::NOT_FOUND, json!({})),
        }
    }

    /// A request about issues; none if it is about comments of a pull request.
    fn take_issue(
        &mut self,
        github: bool,
        method: &Method,
        rest: &str,
        uri: &Uri,
        body: &Bytes,
    ) -> Option<(StatusCode, Value)> {
        let query = uri.query().unwrap_or_default();
        let parts: Vec<&str> = rest.split('/').skip(1).collect();
        if *method == Method::GET {
            return parts
                .is_empty()
                .then(|| (StatusCode::OK, self.list_issues(github, query)));
        }
        let sent: Value = serde_json::from_slice(body).unwrap();
        let text = sent[if github || parts.len() == 2 {
            "body"
        } else {
            "description"
        }]
        .as_str();
        let too_long = |text: &str| self.longest.is_some_and(|longest| text.len() > longest);
        if parts.first().is_none_or(|part| part.parse::<u64>().is_ok())
            && text.is_some_and(too_long)
        {
            return Some((StatusCode::UNPROCESSABLE_ENTITY, json!({})));
        }
        let login = if github {
            "github-actions[bot]"
        } else {
            "project_1_bot"
        };
        let shown = |number: usize| json!({"html_url": format!("https://forge/issues/{number}")});
        let state = if github { "open" } else { "opened" };
        match parts.as_slice() {
            [] => {
                assert_eq!(*method, Method::POST);
                let number = self.issues.len() + 1;
                let mut made = issue(number, login, state, text.unwrap());
                made["title"] = sent["title"].clone();
                self.issues.push(made);
                Some((StatusCode::CREATED, shown(number)))
            }
            [number] => {
                let number: usize = number.parse().ok()?;
                assert_eq!(*method, if github { Method::PATCH } else { Method::PUT });
                let found = self
                    .issues
                    .iter_mut()
                    .find(|issue| issue["number"] == number)?;
                for (key, value) in sent.as_object().unwrap() {
                    match (key.as_str(), value.as_str().unwrap()) {
                        ("body" | "description", text) => {
                            found["body"] = json!(text);
                            found["description"] = json!(text);
                        }
                        ("state_event", "close") => found["state"] = json!("closed"),
                        ("state_event", "reopen") => found["state"] = json!("opened"),
                        ("state" | "state_reason", value) => found[key] = json!(value),
                        other => panic!("unknown field: {other:?}"),
                    }
                }
                Some((StatusCode::OK, shown(number)))
            }
            [number, "comments" | "notes"] => {
                let number = number.parse().ok()?;
                self.issues.iter().find(|issue| issue["number"] == number)?;
                self.words.push((number, text.unwrap().to_owned()));
                Some((StatusCode::CREATED, json!({})))
            }
            _ => None,
        }
    }

    /// The issues of a state, the newest first.
    fn list_issues(&self, github: bool, query: &str) -> Value {
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key));
        let order = if github {
            "sort=created&direction=desc"
        } else {
            "order_by=created_at&sort=desc"
        };
        assert!(query.contains(order), "{query}");
        // The script may not depend on this filter: it compares the author itself.
        let (filter, ours) = if github {
            ("creator=", "github-actions%5Bbot%5D")
        } else {
            ("author_id=", "77")
        };
        assert_eq!(value(filter), Some(ours), "{query}");
        let of_state = |issue: &&Value| issue["state"].as_str() == value("state=");
        let found = self.issues.iter().rev().filter(of_state);
        page(&found.cloned().collect::<Vec<_>>(), query)
    }
}

fn page(all: &[Value], query: &str) -> Value {
    let number = |key: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(key));
        pair.map_or(1, |value| value.parse::<usize>().unwrap())
    };
    let (size, page) = (number("per_page="), number("page="));
    assert!(size <= 100, "both forges send at most 100 at once");
    Value::Array(
        all.iter()
            .skip((page - 1) * size)
            .take(size)
            .cloned()
            .collect(),
    )
}
