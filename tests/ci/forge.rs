//! The part of GitHub's and GitLab's API that the script uses: comments of one pull request, a page of 100 each.

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
            return (StatusCode::OK, json!({"username": "project_1_bot"}));
        }
        let github = path.starts_with("/repos/ana/shop/issues/");
        let gitlab = path.starts_with("/projects/7/merge_requests/5/notes");
        if !github && !gitlab {
            return (StatusCode::NOT_FOUND, json!({}));
        }
        if method == Method::GET {
            return (StatusCode::OK, self.page(uri.query().unwrap_or_default()));
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

    fn page(&self, query: &str) -> Value {
        let number = |key: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(key));
            pair.map_or(1, |value| value.parse::<usize>().unwrap())
        };
        let (size, page) = (number("per_page="), number("page="));
        assert!(size <= 100, "both forges send at most 100 at once");
        let from = self.comments.iter().skip((page - 1) * size);
        Value::Array(from.take(size).cloned().collect())
    }
}
