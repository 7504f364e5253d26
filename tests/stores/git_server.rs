//! A bare repository for the tests of the store in git, and the three ways to serve it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How the clones reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    File,
    Daemon,
    Http,
}

/// A bare repository, how it is served, and clones of it.
pub(crate) struct GitServer {
    folder: tempfile::TempDir,
    url: String,
    daemon: Option<Child>,
}

impl Drop for GitServer {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let group = daemon.id().to_string();
            let _ = Command::new("kill")
                .args(["--", &format!("-{group}")])
                .status();
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Runs git as a user without any configuration of this computer would.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(variables(folder))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn variables(home: &Path) -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap();
    let pairs = [
        ("PATH", path.as_str()),
        ("HOME", home.to_str().unwrap()),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Ana"),
        ("GIT_AUTHOR_EMAIL", "ana@localhost"),
        ("GIT_COMMITTER_NAME", "Ana"),
        ("GIT_COMMITTER_EMAIL", "ana@localhost"),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

impl GitServer {
    /// A bare repository with one commit on main.
    pub(crate) fn new() -> Self {
        Self::serving(Transport::File)
    }

    pub(crate) fn serving(transport: Transport) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bare = folder.path().join("srv/shop.git");
        fs::create_dir_all(bare.parent().unwrap()).unwrap();
        let at = folder.path();
        git(
            at,
            &["init", "--quiet", "--bare", "-b", "main", "srv/shop.git"],
        );
        git(&bare, &["config", "uploadpack.allowFilter", "true"]);
        git(&bare, &["config", "http.receivepack", "true"]);
        let (url, daemon) = match transport {
            Transport::File => (format!("file://{}", bare.display()), None),
            Transport::Daemon => serve_daemon(at),
            Transport::Http => serve_http(at),
        };
        let server = Self {
            folder,
            url,
            daemon,
        };
        let first = server.path().join("first");
        git(server.path(), &["init", "--quiet", "-b", "main", "first"]);
        fs::write(first.join("fly.toml"), "app = \"shop\"\n").unwrap();
        fs::create_dir(first.join("app")).unwrap();
        fs::write(first.join("app/main"), "code").unwrap();
        git(&first, &["add", "."]);
        git(&first, &["commit", "--quiet", "-m", "first"]);
        git(&first, &["remote", "add", "origin", &server.url]);
        git(&first, &["push", "--quiet", "origin", "main"]);
        server
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.path().join("srv/shop.git")
    }

    /// How clones reach it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A clone of this name, made with these flags the first time.
    pub(crate) fn clone(&self, name: &str, flags: &[&str]) -> PathBuf {
        let clone = self.path().join(name);
        if !clone.exists() {
            let mut args = vec!["clone", "--quiet"];
            args.extend(flags);
            args.extend([self.url.as_str(), name]);
            git(self.path(), &args);
        }
        clone
    }

    /// A hook of the server that refuses every push with these words.
    pub(crate) fn refuse(&self, text: &str) {
        let hook = self.bare().join("hooks/pre-receive");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\necho '{text}' >&2\nexit 1\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn show(&self, what: &str) -> String {
        git(&self.bare(), &["show", "--no-patch", "--format=%B", what])
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn serve_daemon(at: &Path) -> (String, Option<Child>) {
    use std::os::unix::process::CommandExt as _;
    let port = free_port();
    let daemon = Command::new("git")
        .args([
            "daemon",
            "--reuseaddr",
            "--export-all",
            "--enable=receive-pack",
        ])
        .args(["--listen=127.0.0.1", &format!("--port={port}")])
        .arg(format!("--base-path={}", at.join("srv").display()))
        .env_clear()
        .envs(variables(at))
        .process_group(0)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "git daemon does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (format!("git://127.0.0.1:{port}/shop.git"), Some(daemon))
}

/// A small server in front of `git http-backend`, on threads that end with the test.
fn serve_http(at: &Path) -> (String, Option<Child>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let root = at.join("srv");
    let home = at.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (root, home) = (root.clone(), home.clone());
            std::thread::spawn(move || answer(stream, &root, &home));
        }
    });
    (format!("http://127.0.0.1:{port}/shop.git"), None)
}

/// One request and its answer; the connection is closed after it.
fn answer(mut stream: TcpStream, root: &Path, home: &Path) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    if headers.contains_key("expect") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let body = if headers.contains_key("transfer-encoding") {
        read_chunks(&mut stream)?
    } else {
        let length = headers
            .get("content-length")
            .map_or(Some(0), |n| n.parse().ok())?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        body
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env_clear()
        .envs(variables(home))
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env(
            "CONTENT_TYPE",
            headers.get("content-type").cloned().unwrap_or_default(),
        )
        .env("CONTENT_LENGTH", body.len().to_string())
        .env(
            "GIT_PROTOCOL",
            headers.get("git-protocol").cloned().unwrap_or_default(),
        )
        .env(
            "HTTP_CONTENT_ENCODING",
            headers.get("content-encoding").cloned().unwrap_or_default(),
        )
        .env("REMOTE_USER", "ana")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = backend.stdin.take()?;
    let feed = std::thread::spawn(move || input.write_all(&body));
    let output = backend.wait_with_output().ok()?.stdout;
    let _ = feed.join();
    let end = output.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    let length = output.len() - end;
    let answer = format!(
        "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {length}\r\n{head}",
        status.unwrap_or("200 OK")
    );
    stream.write_all(answer.as_bytes()).ok()?;
    stream.write_all(&output[end..]).ok()
}

fn read_chunks(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8(line).ok()?.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).ok()?;
        body.extend(&chunk[..size]);
        if size == 0 {
            return Some(body);
        }
    }
}
