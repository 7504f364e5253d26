//! The flags of `fly deploy`, and where each of them lives here.
//!
//! Used for the message about a flag that this program does not have, and for the table in docs/from-flyctl.md. A
//! test compares the names with flyctl's list. It knows names only: the value of such a flag may be a secret and is
//! never read.

use self::Here::{Flag, Instead};

/// What flyctl's build is called with; the image is then given to `apply`.
const BUILD: &str = "a flag of the build: `fly deploy --build-only --push --image-label LABEL`, then \
                     `aeroform apply --image REF`";
const CONCURRENCY: &str = "`--parallelism N` is the limit of all groups together";
const VM: &str = "set the size in `[[vm]]` of fly.toml, or with `aeroform scale vm SIZE`";
const FILES: &str = "write it in `[[files]]` of fly.toml";
const ADDRESSES: &str = "it allocates no IP addresses; use `fly ips`";

/// One flag of `fly deploy`.
#[derive(Debug)]
pub struct FlyDeployFlag {
    /// Its name, without dashes.
    pub name: &'static str,
    /// Its short form.
    pub short: Option<char>,
    /// What it is here.
    pub here: Here,
}

/// What a flag of `fly deploy` is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Here {
    /// A flag of the same name.
    Flag,
    /// Another flag, a key, another command, or nothing, in one sentence.
    Instead(&'static str),
}

/// The flags, in the order of flyctl.
pub const FLAGS: &[FlyDeployFlag] = &[
    short(
        't',
        "access-token",
        Instead("set the token in `FLY_API_TOKEN` or `FLY_ACCESS_TOKEN`"),
    ),
    flag(
        "debug",
        Instead("`--verbose` prints every Machine with its id; no flag prints the calls"),
    ),
    flag("verbose", Flag),
    short('i', "image", Flag),
    flag("now", Instead("`-y` skips the question")),
    flag("remote-only", Instead(BUILD)),
    flag("local-only", Instead(BUILD)),
    flag("push", Instead(BUILD)),
    flag("wg", Instead(BUILD)),
    flag("https-failover", Instead(BUILD)),
    flag(
        "detach",
        Instead(
            "exit 0 here means that the release is up; `--strategy immediate` waits for nothing",
        ),
    ),
    flag("strategy", Flag),
    flag("dockerfile", Instead(BUILD)),
    flag("ignorefile", Instead(BUILD)),
    flag("image-label", Instead(BUILD)),
    flag("build-arg", Instead(BUILD)),
    flag("build-secret", Instead(BUILD)),
    flag("build-target", Instead(BUILD)),
    flag("build-context-warn-size", Instead(BUILD)),
    flag("no-cache", Instead(BUILD)),
    flag("depot", Instead(BUILD)),
    flag("depot-scope", Instead(BUILD)),
    flag("nixpacks", Instead(BUILD)),
    flag("buildkit-addr", Instead(BUILD)),
    flag("buildkit-image", Instead(BUILD)),
    flag("buildkit", Instead(BUILD)),
    flag("build-only", Instead(BUILD)),
    flag("buildpacks-docker-host", Instead(BUILD)),
    flag("buildpacks-volume", Instead(BUILD)),
    flag("recreate-builder", Instead(BUILD)),
    flag("builder-pool", Instead(BUILD)),
    flag("compression", Instead(BUILD)),
    flag("compression-level", Instead(BUILD)),
    short('y', "yes", Flag),
    flag("vm-size", Instead(VM)),
    flag("vm-cpus", Instead(VM)),
    flag("vm-cpu-kind", Instead(VM)),
    flag("vm-memory", Instead(VM)),
    flag(
        "vm-max-memory",
        Instead("set `max_memory_mb` in `[[vm]]` of fly.toml"),
    ),
    flag("vm-gpus", Instead("set `gpus` in `[[vm]]` of fly.toml")),
    flag(
        "vm-gpu-kind",
        Instead("set `gpu_kind` in `[[vm]]` of fly.toml"),
    ),
    flag(
        "host-dedication-id",
        Instead("set `host_dedication_id` in fly.toml or in its `[[vm]]`"),
    ),
    short(
        'e',
        "env",
        Instead("set the variable in `[env]` of fly.toml, a secret one with `fly secrets set`"),
    ),
    flag("wait-timeout", Flag),
    flag("release-command-timeout", Flag),
    flag(
        "lease-timeout",
        Instead("not needed: a lease is renewed as long as its change runs"),
    ),
    flag(
        "force-machines",
        Instead("not needed: every app runs on Machines"),
    ),
    flag(
        "ha",
        Instead("set `ha` or `count` in `[groups.NAME]` of aeroform.toml"),
    ),
    flag("smoke-checks", Flag),
    flag(
        "dns-checks",
        Instead("not needed: Aeroform looks up no DNS names after an apply"),
    ),
    flag("max-unavailable", Flag),
    flag("no-public-ips", Instead(ADDRESSES)),
    flag("flycast", Instead(ADDRESSES)),
    flag("file-local", Instead(FILES)),
    flag("file-literal", Instead(FILES)),
    flag("file-secret", Instead(FILES)),
    flag(
        "primary-region",
        Instead("set `primary_region` in fly.toml"),
    ),
    flag("regions", Flag),
    flag("exclude-regions", Flag),
    flag("only-machines", Flag),
    flag("exclude-machines", Flag),
    flag("process-groups", Flag),
    flag("label", Instead(BUILD)),
    flag("max-concurrent", Instead(CONCURRENCY)),
    flag("immediate-max-concurrent", Instead(CONCURRENCY)),
    flag(
        "volume-initial-size",
        Instead("set `initial_size` in `[[mounts]]` of fly.toml"),
    ),
    flag("signal", Instead("set `kill_signal` in fly.toml")),
    flag(
        "deploy-retries",
        Instead(
            "not needed: a call that fails for a moment is retried, and the next `aeroform apply` does what is left",
        ),
    ),
    flag(
        "update-only",
        Instead(
            "set `count = 0` in `[groups.NAME]` of aeroform.toml for a group that gets no Machines yet",
        ),
    ),
    flag("skip-release-command", Flag),
    flag(
        "export-manifest",
        Instead("`aeroform plan --out FILE` saves a plan"),
    ),
    flag(
        "from-manifest",
        Instead("`aeroform apply FILE` applies a saved plan"),
    ),
];

const fn flag(name: &'static str, here: Here) -> FlyDeployFlag {
    FlyDeployFlag {
        name,
        short: None,
        here,
    }
}

const fn short(short: char, name: &'static str, here: Here) -> FlyDeployFlag {
    FlyDeployFlag {
        name,
        short: Some(short),
        here,
    }
}

/// What a typed flag of `fly deploy` is here: `--name`, `--name=value`, `--no-name`, `-n`.
pub(super) fn find(typed: &str) -> Option<String> {
    let word = typed.split_once('=').map_or(typed, |(word, _)| word);
    let named = |name: &str| FLAGS.iter().find(|flag| flag.name == name);
    let found = if let Some(name) = word.strip_prefix("--") {
        named(name).or_else(|| named(name.strip_prefix("no-")?))?
    } else {
        let letter = word.strip_prefix('-')?.chars().next()?;
        FLAGS.iter().find(|flag| flag.short == Some(letter))?
    };
    Some(match found.here {
        Flag => format!("`--{}` is a flag of `aeroform apply`", found.name),
        Instead(sentence) => sentence.to_owned(),
    })
}
