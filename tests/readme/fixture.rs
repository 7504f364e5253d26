//! A copy of the examples in a folder of its own, and the program in surroundings of its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

use crate::words::replace_word;

/// Where a page's commands run. Takes down what they started when it goes.
pub(crate) struct PageFixture {
    dir: TempDir,
    /// The first port of the app here, where a page says [`PAGE_PORT`].
    first_port: u16,
    /// A command that failed and whose exit code the page has not shown yet.
    failed: RefCell<Option<Failed>>,
    platform: RefCell<Option<EmulatorProcess>>,
}

/// An emulated platform that ends with the page.
struct EmulatorProcess {
    process: Child,
    address: String,
}

impl Drop for EmulatorProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Failed {
    code: i32,
    /// The command and its output.
    shown: String,
}

/// Where the ports of the first app begin on a computer on which nothing else runs.
const PAGE_PORT: u16 = 8100;
/// How many of them a page may use.
const PAGE_PORTS: u16 = 20;

impl PageFixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The state of some examples lies beside them, in the same repository.
        fs::create_dir_all(dir.path().join("project/.git")).unwrap();
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .args(["examples", "state"])
            .current_dir(top)
            .output()
            .unwrap();
        assert!(listed.status.success(), "the tests run in a git work tree");
        for file in String::from_utf8(listed.stdout)
            .unwrap()
            .split_terminator('\0')
        {
            let to = dir.path().join("project").join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(top.join(file), to).unwrap();
        }
        Self {
            dir,
            first_port: free_ports(),
            failed: RefCell::default(),
            platform: RefCell::default(),
        }
    }

    /// Runs a command of a page and returns all that it prints, as a terminal without colour would show. A page
    /// shows the exit code of a command that fails, with `echo $?`.
    pub(crate) fn run(&self, command: &str) -> String {
        if command == "echo $?" {
            let failed = self.failed.take();
            return format!("{}\n", failed.map_or(0, |failed| failed.code));
        }
        self.has_no_failure();
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = match words.as_slice() {
            ["aeroform", "emulator", flags @ .., "&"] => self.start_emulator(flags),
            // Where the emulator is, here.
            ["export", ..] => String::new(),
            ["curl", "-s", .., "-d", _, _, _, _] => self.create_app(command),
            ["aeroform", arguments @ ..] | ["cargo", "run", "--", arguments @ ..] => {
                self.aeroform(arguments)
            }
            ["curl", url] => self.curl(url),
            _ => panic!("a page may only show aeroform and curl: {command}"),
        };
        (0..PAGE_PORTS).fold(output, |output, nth| {
            let port = |first: u16| (first + nth).to_string();
            replace_word(&output, &port(self.first_port), &port(PAGE_PORT))
        })
    }

    fn aeroform(&self, arguments: &[&str]) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.program();
        command
            .args(arguments)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut child = command.spawn().unwrap();
        // The pipe ends when its last writer is closed.
        drop(command);
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        let status = child.wait().unwrap();
        if !status.success() {
            self.failed.replace(Some(Failed {
                code: status.code().expect("no signal ended it"),
                shown: format!("aeroform {arguments:?}: {status}\n{output}"),
            }));
        }
        output
    }

    /// The page has shown each exit code but 0.
    pub(crate) fn has_no_failure(&self) {
        if let Some(failed) = self.failed.borrow().as_ref() {
            panic!("{}", failed.shown);
        }
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aeroform"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("AEROFORM_STATE_DIR", self.dir.path().join("state"))
            .env("USER", "you")
            .env("AEROFORM_LOCAL_PORTS", self.first_port.to_string())
            .current_dir(self.dir.path().join("project"))
            .stdin(Stdio::null());
        if let Some(platform) = self.platform.borrow().as_ref() {
            command
                .env("FLY_API_TOKEN", "none")
                .env("FLY_FLAPS_BASE_URL", format!("http://{}", platform.address));
        }
        command
    }

    /// Starts an emulator in the background and prints where it is.
    fn start_emulator(&self, flags: &[&str]) -> String {
        let mut process = self
            .program()
            .args(["emulator", "--listen", "127.0.0.1:0", "--json"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap());
        lines.read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let address = started["url"].as_str().unwrap().strip_prefix("http://");
        let address = address.unwrap().to_owned();
        let shown = format!("http://{address}\n");
        self.platform
            .replace(Some(EmulatorProcess { process, address }));
        shown
    }

    /// Sends the body of a command of curl to the emulator's apps.
    fn create_app(&self, command: &str) -> String {
        let (_, body) = command.split_once("-d '").expect("a body in quotes");
        let body = body.trim_end_matches('\'');
        let platform = self.platform.borrow();
        let address = &platform.as_ref().expect("an emulator").address;
        let answer = ask(
            address,
            &format!(
                "POST /v1/apps HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer none\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        assert!(answer.contains(" 201 "), "{answer}");
        String::new()
    }

    /// Asks the first Machine of `web` for the path of the URL: its port here is not the page's.
    fn curl(&self, url: &str) -> String {
        let output = self
            .program()
            .args(["-C", "examples/storefront", "status", "--json"])
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let address = status["machines"]
            .as_array()
            .unwrap()
            .iter()
            .find(|machine| machine["group"] == "web")
            .and_then(|machine| machine["address"].as_str())
            .expect("a Machine of web has an address")
            .trim_start_matches("http://")
            .to_owned();
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let request = format!("GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        let answer = ask(&address, &request);
        let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        body.to_owned()
    }

    /// Changes files as a diff block says.
    pub(crate) fn patch(&self, text: &str) {
        let mut child = Command::new("git")
            .args(["apply", "-"])
            .current_dir(self.dir.path().join("project"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success(), "the diff applies:\n{text}");
    }
}

/// The answer of a server that closes the connection after it.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The first of several consecutive unused ports, so that the test does not hang
/// on what else runs on this computer. Four digits, as on the page, so that columns are as wide.
fn free_ports() -> u16 {
    // A port of another page is free until that page has Machines.
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    (0..50)
        .find_map(|_| {
            let any = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
            let first = PAGE_PORT + PAGE_PORTS * (1 + any.port() % 80);
            let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
            let all_free = (first..first + PAGE_PORTS).all(is_free);
            (all_free && TAKEN.lock().unwrap().insert(first)).then_some(first)
        })
        .expect("twenty free ports in a row")
}

impl Drop for PageFixture {
    fn drop(&mut self) {
        // A page that ends without destroying, or a test that failed on the way, leaves nothing behind.
        for example in [
            "examples/storefront",
            "examples/bluegreen",
            "examples/canary",
        ] {
            let _ = self
                .program()
                .args(["-C", example, "destroy", "-y", "--allow-destroy=all"])
                .output();
        }
    }
}
