//! A pipeline for the kills of [`crate::git_commands`]: a bare repository, a clone per commit, the emulated
//! platform, and a `git` in front of the real one that kills the program which started it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aeroform::emulator::http::{Server, router};
use aeroform::emulator::storage::WorldStore;
use aeroform::emulator::world::{Clock, World};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::fixture::ProcessOutput;
use crate::git_command::{git, git_command};

/// How long a job watches the lock of a dead one, instead of its usual lifetime.
const TAKEOVER: Duration = Duration::from_secs(1);
/// How often the killed job of a long apply renews its lock, and how long its Machines take to start. Any other
/// killed job renews after 20 s, which is never, so that the order of its git commands is always the same.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);
const SLOW_BOOT: Duration = Duration::from_secs(2);
/// How far the platform's time goes on while the lock of a dead job expires: the usual lifetime of that lock.
const REAL_LOCK_TTL: Duration = Duration::from_secs(60);
/// The branch and the file of the state.
const STATE: &str = "aeroform-state:shop.json";

const IMAGE: &str = "registry.fly.io/shop:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// The commits of the pipeline, the first of which is the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    Older,
    This,
    Next,
}

impl Commit {
    pub(crate) const ALL: [Self; 3] = [Self::Older, Self::This, Self::Next];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Older => "older",
            Self::This => "this",
            Self::Next => "next",
        }
    }

    /// How many Machines it wants. `This` updates and creates, `Next` the same.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Older => 1,
            Self::This => 2,
            Self::Next => 3,
        }
    }
}

/// What the killed job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The first of its app: it makes the branch of the state.
    First,
    /// An older commit was applied before.
    Later,
    /// The same, on a platform that takes so long that the lock is renewed meanwhile.
    Long,
}

/// Where the program is killed: before its git command of this number begins, or after it ended. The first is 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GitKillPoint {
    pub(crate) command: usize,
    pub(crate) after: bool,
}

/// Folders and a platform in which everything up to the kill is done. Each case gets a copy.
pub(crate) struct PipelineTemplate {
    folder: tempfile::TempDir,
    stage: Stage,
    beginning: i64,
    elapsed: Duration,
}

/// One case.
pub(crate) struct Pipeline {
    folder: tempfile::TempDir,
    platform: Platform,
    renews: bool,
}

impl PipelineTemplate {
    pub(crate) fn new(stage: Stage) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for made in ["people", "bin", "user"] {
            fs::create_dir(root.join(made)).unwrap();
        }
        write_git_in_front(&root.join("bin/git"));
        git(root, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        let people = root.join("people");
        git(&people, &["init", "-q", "-b", "main"]);
        git(&people, &["remote", "add", "origin", "../origin.git"]);
        for commit in Commit::ALL {
            write_manifests(&people, commit);
            git(&people, &["add", "."]);
            git(&people, &["commit", "-q", "-m", commit.name()]);
        }
        git(&people, &["push", "-q", "-u", "origin", "main"]);
        for (commit, of) in [("older", "main~2"), ("this", "main~1"), ("next", "main")] {
            git(root, &["clone", "-q", "--no-local", "origin.git", commit]);
            let clone = root.join(commit);
            git(&clone, &["remote", "set-url", "origin", "../origin.git"]);
            git(
                &clone,
                &["checkout", "-q", "--detach", &format!("origin/{of}")],
            );
        }
        let mut store = WorldStore::open(&root.join("world")).unwrap();
        let beginning = jiff::Timestamp::now().as_second();
        let (beginning, elapsed) = store.times(beginning).unwrap();
        let clock = PlatformClock::starting_at(elapsed);
        let mut world = new_world(&clock, beginning);
        let app = json!({"name": "shop", "org_slug": "personal"});
        world.create_app(&app).result.unwrap();
        store.save(&mut world).unwrap();
        let platform = Platform::serve(Server::new(world).with_store(store), clock);
        let renews = false;
        let pipeline = Pipeline {
            folder,
            platform,
            renews,
        };
        if stage != Stage::First {
            let ended = pipeline.apply(Commit::Older, Home::Own);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        let Pipeline {
            folder, platform, ..
        } = pipeline;
        let elapsed = platform.clock.now();
        drop(platform);
        Self {
            folder,
            stage,
            beginning,
            elapsed,
        }
    }

    /// A pipeline of its own that goes on from here.
    pub(crate) fn copy(&self) -> Pipeline {
        let folder = tempfile::tempdir().unwrap();
        let from = format!("{}/.", self.folder.path().display());
        let copied = Command::new("cp")
            .args(["-a", &from])
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
        let store = WorldStore::open(&folder.path().join("world")).unwrap();
        let clock = PlatformClock::starting_at(self.elapsed);
        let mut world = new_world(&clock, self.beginning);
        store.restore(&mut world).unwrap();
        let renews = self.stage == Stage::Long;
        if renews {
            world.timings.boot = SLOW_BOOT;
        }
        let platform = Platform::serve(Server::new(world), clock);
        Pipeline {
            folder,
            platform,
            renews,
        }
    }
}

/// Where a job keeps its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Where the killed job had it.
    Kept,
    /// On a runner of its own.
    Own,
}

impl Pipeline {
    pub(crate) fn clone_of(&self, commit: Commit) -> PathBuf {
        self.folder.path().join(commit.name())
    }

    /// The git commands of an apply that nothing disturbs, in order.
    pub(crate) fn commands_of_apply(&self) -> Vec<String> {
        let mut command = self.killable(
            Commit::This,
            GitKillPoint {
                command: 0,
                after: false,
            },
        );
        let ended = ProcessOutput::of(&command.output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        self.commands()
    }

    /// The git commands of the killable job so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("commands")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// Applies `This` and kills it there; false if it ended before.
    pub(crate) fn kill(&self, at: GitKillPoint) -> bool {
        let ended = self.killable(Commit::This, at).output().unwrap();
        let is_killed = ended.status.code().is_none();
        // A lock of a dead job takes longer to expire than its leases on the platform.
        self.platform.clock.advance(REAL_LOCK_TTL);
        is_killed
    }

    fn killable(&self, commit: Commit, at: GitKillPoint) -> Command {
        let mut command = self.command(commit, Home::Kept);
        let bin = self.folder.path().join("bin");
        let path = std::env::var("PATH").unwrap();
        command.env_remove("AEROFORM_TEST_TAKEOVER");
        if self.renews {
            let takeover = RENEWAL_INTERVAL * 3;
            command.env("AEROFORM_TEST_TAKEOVER", takeover.as_millis().to_string());
        }
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("GIT_IN_FRONT_LOG", self.folder.path().join("commands"))
            .env("GIT_IN_FRONT_PATH", path)
            .env("GIT_IN_FRONT_AT", at.command.to_string())
            .env("GIT_IN_FRONT_AFTER", if at.after { "1" } else { "" });
        command
    }

    /// Applies a commit without any flag.
    pub(crate) fn apply(&self, commit: Commit, home: Home) -> ProcessOutput {
        ProcessOutput::of(&self.command(commit, home).output().unwrap())
    }

    fn command(&self, commit: Commit, home: Home) -> Command {
        let root = self.folder.path();
        let home = match home {
            Home::Kept => "home",
            Home::Own => commit.name(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_aeroform"));
        command
            .args(["apply", "-y"])
            .current_dir(self.clone_of(commit))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", root.join("user"))
            .env("USER", commit.name())
            .env("CI", "true")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("AEROFORM_STEADY", "0")
            .env("AEROFORM_STATE_DIR", root.join("homes").join(home))
            .env("AEROFORM_TEST_TAKEOVER", TAKEOVER.as_millis().to_string())
            .env("FLY_API_TOKEN", "FlyV1 fm2_s3cret")
            .env("FLY_FLAPS_BASE_URL", &self.platform.url)
            .stdin(Stdio::null());
        command
    }

    /// The Machines, as the commits that made them so and how many there are of each.
    pub(crate) fn machines(&self) -> Vec<Value> {
        self.platform.server.world().operator("shop").machines()
    }

    /// How many Machines run what each commit wants.
    pub(crate) fn fleet(&self) -> BTreeMap<String, usize> {
        let mut fleet = BTreeMap::new();
        for machine in self.machines() {
            let commit = machine["config"]["env"]["COMMIT"].as_str().unwrap();
            *fleet.entry(commit.to_owned()).or_default() += 1;
        }
        fleet
    }

    /// The state on its branch, if there is one.
    pub(crate) fn state(&self) -> Option<String> {
        let mut show = git_command(&self.folder.path().join("origin.git"), &["show", STATE]);
        let shown = show.output().unwrap();
        shown
            .status
            .success()
            .then(|| String::from_utf8(shown.stdout).unwrap())
    }

    /// The refs of the remote.
    pub(crate) fn refs(&self) -> String {
        git(
            &self.folder.path().join("origin.git"),
            &["for-each-ref", "--format=%(refname)"],
        )
    }

    /// The repositories that processes left in the folder of the killed job.
    pub(crate) fn own_repositories(&self) -> Vec<String> {
        let folder = self.folder.path().join("homes/home/git");
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "aeroform.lock").collect()
    }
}

fn write_manifests(folder: &Path, commit: Commit) {
    let (name, count) = (commit.name(), commit.count());
    let fly = format!(
        "app = \"shop\"\nprimary_region = \"ams\"\n\n[env]\n  COMMIT = \"{name}\"\n\n\
         [http_service]\n  internal_port = 8080\n"
    );
    fs::write(folder.join("fly.toml"), fly).unwrap();
    let settings = format!(
        "provider = \"fly\"\nimage = \"{IMAGE}\"\n\n[state]\nurl = \"git+origin\"\n\n\
         [groups.app]\ncount = {count}\n"
    );
    fs::write(folder.join("aeroform.toml"), settings).unwrap();
}

/// A `git` that writes its arguments to a log and kills the program that started it at the command of a number.
fn write_git_in_front(path: &Path) {
    let script = r#"#!/bin/sh
said=
skip=
for word do
  case $skip$word in
    --no-pager) ;;
    -c) skip=1 ;;
    1*) skip= ;;
    *) said="$said $word" ;;
  esac
done
echo "$said" >> "$GIT_IN_FRONT_LOG"
PATH=$GIT_IN_FRONT_PATH
export PATH
test "$(wc -l < "$GIT_IN_FRONT_LOG")" -eq "$GIT_IN_FRONT_AT" || exec git "$@"
if test -n "$GIT_IN_FRONT_AFTER"; then
  git "$@"
fi
kill -9 $PPID
"#;
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The real time, and what a test adds.
struct PlatformClock {
    start: Instant,
    ahead_ms: AtomicU64,
}

impl PlatformClock {
    fn starting_at(ahead: Duration) -> Arc<Self> {
        let clock = Self {
            start: Instant::now(),
            ahead_ms: AtomicU64::new(0),
        };
        clock.advance(ahead);
        Arc::new(clock)
    }

    fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.ahead_ms.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for PlatformClock {
    fn now(&self) -> Duration {
        self.start.elapsed() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }
}

/// A quick platform: what it waits for is not tested here.
fn new_world(clock: &Arc<PlatformClock>, beginning: i64) -> World {
    let clock: Arc<dyn Clock> = clock.clone();
    let mut world = World::new("pipeline", clock);
    world.begin_at(beginning);
    world.limit_rates(false);
    world.fills_in = true;
    let timings = &mut world.timings;
    let soon = Duration::from_millis(20);
    (timings.latency, timings.prepare, timings.boot) = (Duration::ZERO, soon, soon);
    (timings.replace, timings.stop, timings.destroy) = (soon, soon, soon);
    world
}

/// The platform behind a socket, on a thread of its own.
struct Platform {
    server: Server,
    clock: Arc<PlatformClock>,
    url: String,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Platform {
    fn serve(server: Server, clock: Arc<PlatformClock>) -> Self {
        let (listening, address) = std::sync::mpsc::channel::<SocketAddr>();
        let (end, ended) = oneshot::channel::<()>();
        let shared = server.clone();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                listening.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    _ = ended => {}
                    end = axum::serve(listener, router(shared)) => end.unwrap(),
                }
            });
        });
        let url = format!("http://{}", address.recv().unwrap());
        Self {
            server,
            clock,
            url,
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
