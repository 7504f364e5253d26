//! A folder, a home and an environment that hold nothing but what a test puts there.

use std::cell::Cell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::ports::free_ports;
use crate::words::replace_word;

/// One test's world. Everything in it goes when it is dropped.
pub(crate) struct Sandbox {
    root: tempfile::TempDir,
    /// Every command draws its ids from a seed of its own, as every process does.
    commands: Cell<u32>,
    /// Where this world's ports begin; shown as 8100.
    ports: u16,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "project", "state"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        // The fence around a project ends at its git work tree; this one is a work tree of its own.
        std::fs::create_dir(root.path().join("project/.git")).unwrap();
        Self {
            root,
            commands: Cell::new(0),
            ports: free_ports(PORTS),
        }
    }

    /// An ordinary fly.toml with two groups that run for as long as they are let.
    pub(crate) const FLY: &'static str = "\
app = \"shop\"
primary_region = \"ams\"

[processes]
  web = \"sleep 1000\"
  jobs = \"sleep 1001\"

";

    /// A world with that app: one desired Machine per group, and none exists.
    pub(crate) fn with_app() -> Self {
        let sandbox = Self::new();
        sandbox.write("fly.toml", Self::FLY);
        sandbox.write(
            "aeroform.toml",
            "[groups.web]\ncount = 1\n\n[groups.jobs]\ncount = 1\n",
        );
        sandbox
    }

    /// Applies without a question.
    pub(crate) fn apply(&self) {
        let shown = self.run(&["apply", "-y"]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
    }

    /// Whether nothing was put where the user's own things are.
    pub(crate) fn untouched(&self) -> bool {
        std::fs::read_dir(self.state_dir())
            .unwrap()
            .next()
            .is_none()
    }

    /// How many Machines there are.
    pub(crate) fn machines(&self) -> usize {
        let output = self.command(&["status", "--json"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        status["machines"].as_array().unwrap().len()
    }

    /// Where provider `local` has the folders of the app's Machines.
    pub(crate) fn machines_folder(&self) -> PathBuf {
        self.state_dir().join("local/shop/machines")
    }

    /// The folder that commands run in.
    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The first port that this world's Machines get.
    pub(crate) fn first_port(&self) -> u16 {
        self.ports
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project().join(path)).unwrap()
    }

    /// The program in this world, with nothing of the surroundings of the test.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aeroform"));
        self.commands.set(self.commands.get() + 1);
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("USER", "ana")
            .env("AEROFORM_STATE_DIR", self.state_dir())
            .env("AEROFORM_LOCAL_PORTS", self.ports.to_string())
            .env("AEROFORM_STEADY", "0")
            .env("AEROFORM_TEST_TIME", "2026-01-02T03:04:05Z")
            .env(
                "AEROFORM_TEST_SEED",
                format!("command {}", self.commands.get()),
            );
        command
    }

    /// Runs it to its end and shows what a person would see.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        self.show(&self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    /// An ended run as one text: exit code, then both streams, without paths of this world.
    pub(crate) fn show(&self, output: &Output) -> String {
        let mut text = format!("exit {}\n", output.status.code().unwrap_or(-1));
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                let stream = String::from_utf8_lossy(bytes);
                write!(text, "--- {name}\n{}", self.without_paths(&stream)).unwrap();
            }
        }
        text
    }

    /// The folder of everything that belongs to the user.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    fn without_paths(&self, text: &str) -> String {
        let root = self.root.path();
        let resolved = std::fs::canonicalize(root).unwrap();
        let replace = |text: String, path: &Path| text.replace(path.to_str().unwrap(), "[ROOT]");
        let mut text = replace(replace(text.to_owned(), &resolved), root);
        for at in 0..PORTS {
            let (port, shown) = (self.ports + at, 8100 + at);
            text = replace_word(&text, &port.to_string(), &shown.to_string());
        }
        text
    }
}

/// How many ports a world has to itself.
const PORTS: u16 = 10;

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whatever a test began ends with it, also when it failed.
        if self.state_dir().join("local").exists() {
            self.write("fly.toml", Self::FLY);
            let _ = self
                .command(&["destroy", "-y", "--allow-destroy=all"])
                .output();
        }
    }
}
