//! An app of its own for one test: manifests in two shapes, a state folder, ports that no other test
//! uses, and the certainty that nothing of it outlives the test.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ports::free_ports;
use crate::process_table::{self, ProcessTable};

/// No test waits longer for anything.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What is wanted. From one shape to the other, Machines are created, updated and destroyed, and the
/// group `web` keeps its count and is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manifests {
    Day,
    Night,
}

impl Manifests {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Day => Self::Night,
            Self::Night => Self::Day,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Night => "night",
        }
    }

    /// How many Machines each group has.
    pub(crate) fn counts(self) -> BTreeMap<String, usize> {
        let jobs = match self {
            Self::Day => 2,
            Self::Night => 1,
        };
        [("web", PROTECTED), ("jobs", jobs), (self.name(), 2)]
            .map(|(group, count)| (group.to_owned(), count))
            .into()
    }
}

/// How many Machines the protected group has, in both shapes.
pub(crate) const PROTECTED: usize = 2;

/// A tree of two processes, of which one hears no `SIGINT`.
pub(crate) const COMMAND: &str = "sh -c 'sleep 1000 & wait'";

/// One app. Its folders go when it is dropped, and its processes before.
pub(crate) struct KillFixture {
    root: TempDir,
    pub(crate) first_port: u16,
}

impl KillFixture {
    pub(crate) fn new(shape: Manifests) -> Self {
        let root = tempfile::tempdir().unwrap();
        let app = Self {
            root,
            first_port: free_ports(100),
        };
        std::fs::create_dir_all(app.project().join(".git")).unwrap();
        std::fs::create_dir_all(app.project().join("state")).unwrap();
        std::fs::create_dir_all(app.machines()).unwrap();
        app.write_manifests(shape);
        app
    }

    /// A world in which that shape was applied.
    pub(crate) fn applied(shape: Manifests) -> Self {
        let app = Self::new(shape);
        app.apply_to_end();
        app
    }

    /// Writes the manifests of a shape.
    pub(crate) fn write_manifests(&self, shape: Manifests) {
        let mut fly = format!(
            "app = \"shop\"\nprimary_region = \"ams\"\nkill_signal = \"SIGTERM\"\nkill_timeout = 2\n\n\
             [env]\n  SHAPE = \"{}\"\n\n[processes]\n",
            shape.name()
        );
        let mut aeroform = String::new();
        for (group, count) in shape.counts() {
            writeln!(fly, "  {group} = \"{COMMAND}\"").unwrap();
            writeln!(aeroform, "[groups.{group}]\ncount = {count}").unwrap();
            if group == "web" {
                aeroform.push_str("protect = true\n");
            }
        }
        self.write("fly.toml", &fly);
        self.write("aeroform.toml", &aeroform);
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.project().join(path), text).unwrap();
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.project().join("state/shop.json")
    }

    /// The id of the app's present incarnation.
    pub(crate) fn scope(&self) -> String {
        let text = std::fs::read_to_string(self.state_dir().join("local/shop/scope")).unwrap();
        let scope: serde_json::Value = serde_json::from_str(&text).unwrap();
        scope["id"].as_str().unwrap().to_owned()
    }

    /// The folder of journal and provider.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// The folder that has one folder per Machine.
    pub(crate) fn machines(&self) -> PathBuf {
        self.state_dir().join("local/shop/machines")
    }

    /// The program with these words, in this world and with nothing of the surroundings of the test.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_in(env!("CARGO_BIN_EXE_aeroform"), args)
    }

    /// Another program in the same surroundings.
    pub(crate) fn command_in(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path())
            .env("USER", "ana")
            .env("AEROFORM_STATE_DIR", self.state_dir())
            .env("AEROFORM_LOCAL_PORTS", self.first_port.to_string())
            .env("AEROFORM_STEADY", "0")
            .stdin(Stdio::null());
        command
    }

    /// The words of an apply that answers every question.
    pub(crate) const APPLY: [&str; 3] = ["apply", "-y", "--allow-destroy=all"];

    pub(crate) fn run(&self, args: &[&str]) -> ProcessOutput {
        ProcessOutput::of(&self.command(args).output().unwrap())
    }

    /// Applies to the end.
    #[track_caller]
    pub(crate) fn apply_to_end(&self) -> ProcessOutput {
        let ended = self.run(&Self::APPLY);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// What is there, as the system says.
    pub(crate) fn process_table(&self) -> ProcessTable {
        process_table::read(&self.project(), &self.machines())
    }

    /// Fails unless exactly what the shape wants is there, seen from outside, and nobody says otherwise.
    #[track_caller]
    pub(crate) fn assert_matches(&self, shape: Manifests, when: &str) {
        let table = self.process_table();
        let findings = table.findings(self, shape);
        assert!(findings.is_empty(), "{when}: {findings:#?}\n{table:#?}");
        let plan = self.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, Some(0), "{when}: {plan:?}");
        assert!(!plan.err.contains("warning"), "{when}: {plan:?}");
    }
}

impl Drop for KillFixture {
    fn drop(&mut self) {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            // Supervisors first, or they start again what is killed.
            let left = self.process_table().everybody();
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in left {
                kill(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a person and a script see of an ended run.
#[derive(Debug)]
pub(crate) struct ProcessOutput {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl ProcessOutput {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Polls until there is something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Names of the files in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
