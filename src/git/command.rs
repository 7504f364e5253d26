//! One call of `git`: its environment, its time limit, and what it printed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::secret::patterns;
use crate::env::Env;

/// How long a command without network may take.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one call over the network may take.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(60);

/// Variables that would direct git to another repository, or make it run something.
const DROPPED_VARS: [&str; 16] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_EDITOR",
    "GIT_QUARANTINE_PATH",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
];

/// Settings for every call: nothing of a repository's content or configuration is run besides its connection
/// settings.
const SAFE_CONFIG: [(&str, &str); 12] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    // Objects of the clone are used, but its refs are not offered to a server: a shallow clone lacks their
    // parents.
    ("core.alternateRefsCommand", ":"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("commit.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    ("submodule.recurse", "false"),
    ("advice.detachedHead", "false"),
];

/// Why a call of git did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no `git` program.
    #[error("there is no `git` program")]
    Missing,
    /// git does not trust a repository of another user; its top folder.
    #[error("git does not trust {}, because another user owns it", .0.display())]
    UnsafeFolder(PathBuf),
    /// It did not end in time.
    #[error("`git {command}` did not end within {} s", .limit.as_secs())]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// A blob is larger than what is read.
    #[error("it has {size} bytes, and the limit is {limit}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// It ended with an error.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it printed, without secrets.
        message: String,
    },
}

impl GitError {
    /// The command with which git trusts the folder that it refused.
    pub fn trust_command(&self) -> Option<String> {
        match self {
            Self::UnsafeFolder(folder) => Some(format!(
                "git config --global --add safe.directory {}",
                shell_word(&folder.display().to_string())
            )),
            Self::Missing | Self::TimedOut { .. } | Self::TooLarge { .. } | Self::Failed { .. } => {
                None
            }
        }
    }
}

/// What a call printed.
#[derive(Debug)]
pub(super) struct GitOutput {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    /// Without secrets.
    pub(super) stderr: String,
}

impl GitOutput {
    /// The first line of the output.
    pub(super) fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines().next().unwrap_or_default().trim().to_owned()
    }
}

/// Starts `git` with the variables of this process.
#[derive(Clone)]
pub struct Git {
    vars: Vec<(String, String)>,
}

/// One call.
pub(super) struct GitCall<'a> {
    /// The working directory.
    pub(super) folder: &'a Path,
    /// Variables for this call only.
    pub(super) vars: &'a [(String, String)],
    /// Written to its standard input.
    pub(super) input: &'a [u8],
    /// Whether it uses the network.
    pub(super) network: bool,
}

impl<'a> GitCall<'a> {
    pub(super) fn local(folder: &'a Path) -> Self {
        Self {
            folder,
            vars: &[],
            input: &[],
            network: false,
        }
    }
}

impl Git {
    /// The `git` of the path.
    pub fn new(env: &Env) -> Self {
        let kept = env
            .vars()
            .filter(|(name, _)| !DROPPED_VARS.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let fixed = [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GCM_INTERACTIVE", "never"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            vars: kept.chain(fixed).collect(),
        }
    }

    /// The variable, if it is set.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        let found = self.vars.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Runs it; an error exit is an answer here.
    pub(super) async fn run(
        &self,
        args: Vec<&OsStr>,
        call: &GitCall<'_>,
    ) -> Result<GitOutput, GitError> {
        let name = subcommand(&args);
        let limit = if call.network {
            NETWORK_TIMEOUT
        } else {
            LOCAL_TIMEOUT
        };
        let mut command = Command::new("git");
        command.env_clear();
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command.envs(call.vars.iter().map(|(name, value)| (name, value)));
        command.arg("--no-pager");
        for (key, value) in SAFE_CONFIG {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        command.args(args).current_dir(call.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C at the terminal is for this program, which ends its calls itself.
        command.process_group(0);
        let answered = async {
            let mut child = command.spawn()?;
            let mut stdin = child.stdin.take().expect("its standard input is piped");
            let feed = async move {
                // It may end without reading everything.
                let _ = stdin.write_all(call.input).await;
                drop(stdin);
            };
            let (output, ()) = tokio::join!(child.wait_with_output(), feed);
            output
        };
        let Ok(output) = timeout(limit, answered).await else {
            return Err(GitError::TimedOut {
                command: name,
                limit,
            });
        };
        match output {
            Ok(output) => Ok(GitOutput {
                success: output.status.success(),
                stdout: output.stdout,
                stderr: patterns::redact(&String::from_utf8_lossy(&output.stderr)).into_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(GitError::Missing),
            Err(error) => Err(GitError::Failed {
                command: name,
                message: error.to_string(),
            }),
        }
    }

    /// Runs it; an error exit is an error.
    pub(super) async fn run_ok(
        &self,
        args: Vec<&OsStr>,
        call: &GitCall<'_>,
    ) -> Result<GitOutput, GitError> {
        let name = subcommand(&args);
        check(&name, self.run(args, call).await?)
    }
}

/// Turns an error exit into an error.
pub(super) fn check(command: &str, output: GitOutput) -> Result<GitOutput, GitError> {
    if output.success {
        return Ok(output);
    }
    Err(GitError::Failed {
        command: command.to_owned(),
        message: last_words(&output.stderr),
    })
}

/// The first argument.
pub(super) fn subcommand(args: &[&OsStr]) -> String {
    let first = args.first().map(|arg| arg.to_string_lossy().into_owned());
    first.unwrap_or_default()
}

/// The lines of an error output that say something, joined.
pub(super) fn last_words(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("hint:"));
    let lines: Vec<&str> = lines.collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

/// Arguments of a call.
macro_rules! git_args {
    ($($arg:expr),* $(,)?) => { vec![$(std::ffi::OsStr::new($arg)),*] };
}
pub(super) use git_args;
