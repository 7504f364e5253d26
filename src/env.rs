//! All input from the environment except arguments and files: clock, new ids, variables, host and user, in
//! one struct that tests can fix.

#![allow(
    clippy::disallowed_methods,
    reason = "the one module that reads clock and variables"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::core::fleet::RunId;

/// The process environment. Variables besides the usual ones (`HOME`, `XDG_STATE_HOME`, `NO_COLOR`,
/// `CLICOLOR_FORCE`, `CI`, `USER`):
///
/// - `FLY_APP`: the app if `--app` is not given; overrides fly.toml, as in flyctl.
/// - `AEROFORM_STATE_DIR`: the folder of the journal and of provider `local`, instead of
///   `$XDG_STATE_HOME/aeroform` or `~/.local/state/aeroform`.
/// - `AEROFORM_LOCAL_PORTS`: the first port of provider `local` for new apps, instead of 8100.
/// - `AEROFORM_STEADY`: how long a Machine must stay up before its change counts as done, if `--steady` is
///   not given.
/// - `AEROFORM_COMPLETE`: the shell whose completion script runs this program.
/// - `AEROFORM_STATE_REMOTE`: a URL that `[state] url` may name although no remote of the repository is on its
///   host.
/// - `AEROFORM_TEST_TIME`: a fixed RFC 3339 time, for tests.
/// - `AEROFORM_TEST_SEED`: derives ids from this text and a counter, for tests.
/// - `AEROFORM_TEST_TAKEOVER`: how many milliseconds the lock of a state in git must stay unchanged until it is
///   taken over, for tests; it is renewed at a third of that.
#[derive(Clone)]
pub struct Env {
    vars: Arc<BTreeMap<String, String>>,
    ids_drawn: Arc<AtomicU64>,
}

impl Env {
    /// The environment of this process; variables that are not UTF-8 are skipped.
    pub fn from_process() -> Self {
        let vars = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_vars(vars)
    }

    /// An environment for tests.
    pub fn from_vars(vars: BTreeMap<String, String>) -> Self {
        Self {
            vars: Arc::new(vars),
            ids_drawn: Arc::default(),
        }
    }

    /// A variable that is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The current time, RFC 3339 in UTC with whole seconds.
    pub fn now(&self) -> String {
        if let Some(fixed) = self.var("AEROFORM_TEST_TIME") {
            return fixed.to_owned();
        }
        let now = jiff::Timestamp::now();
        jiff::Timestamp::from_second(now.as_second())
            .unwrap_or(now)
            .to_string()
    }

    /// How long the lock of a state in git must stay unchanged until it is taken over, if a test fixes it.
    pub fn test_takeover(&self) -> Option<Duration> {
        let millis = self.var("AEROFORM_TEST_TAKEOVER")?.parse().ok()?;
        Some(Duration::from_millis(millis))
    }

    /// The current time, in seconds since 1970.
    pub fn unix_now(&self) -> i64 {
        let now: Option<jiff::Timestamp> = self.now().parse().ok();
        now.unwrap_or_else(jiff::Timestamp::now).as_second()
    }

    /// The real time, RFC 3339 in UTC with microseconds and fixed width, to order logs and check results of
    /// real processes. Tests do not fix it.
    pub fn precise_now() -> String {
        format!("{:.6}", jiff::Timestamp::now())
    }

    /// Every variable, sorted by name.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.vars.iter();
        pairs.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A new run id: 10 base32 letters.
    pub fn new_run_id(&self) -> RunId {
        let count = self.ids_drawn.fetch_add(1, Ordering::Relaxed);
        let bytes = match self.var("AEROFORM_TEST_SEED") {
            Some(seed) => Sha256::digest(format!("{seed}/{count}")).to_vec(),
            None => random_bytes(),
        };
        let text = BASE32_NOPAD.encode(&bytes[..10])[..10].to_ascii_lowercase();
        RunId::new(text).expect("lower-case base32 is a valid run id")
    }

    /// The folder for the user's data that belongs to no project.
    pub fn state_dir(&self) -> Option<PathBuf> {
        if let Some(dir) = self.var("AEROFORM_STATE_DIR") {
            return Some(dir.into());
        }
        if let Some(dir) = self.var("XDG_STATE_HOME") {
            return Some(PathBuf::from(dir).join("aeroform"));
        }
        Some(PathBuf::from(self.var("HOME")?).join(".local/state/aeroform"))
    }

    /// The path of this program, to start it again.
    pub fn program(&self) -> std::io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// The user, for locks and run records.
    pub fn user(&self) -> String {
        ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"]
            .iter()
            .find_map(|name| self.var(name))
            .map_or_else(
                || format!("uid {}", rustix::process::getuid().as_raw()),
                str::to_owned,
            )
    }

    /// The name of this host.
    pub fn host(&self) -> String {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    }

    /// The page of the pipeline's job that this process is part of.
    pub fn job_url(&self) -> Option<String> {
        if let Some(url) = self.var("CI_JOB_URL") {
            return Some(url.to_owned());
        }
        let [server, repository, run] =
            ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(|name| self.var(name));
        Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
    }
}

fn random_bytes() -> Vec<u8> {
    let mut bytes = vec![0; 16];
    let result = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert_eq!(
        result,
        Ok(bytes.len()),
        "the kernel returns 16 random bytes at once"
    );
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_has_a_number() {
        let named = Env::from_vars([("USER".to_owned(), "ana".to_owned())].into());
        assert_eq!(named.user(), "ana");
        let nameless = Env::from_vars(BTreeMap::new()).user();
        let number = nameless.strip_prefix("uid ").unwrap();
        assert!(number.parse::<u32>().is_ok(), "{nameless}");
    }
}
