//! Sections about builds and deploys.

use super::{FlyKey, FlySection, ignored, key, machine, refused};

const BUILD_ONLY: &str = "for builds; Aeroform does not build";

const BUILD: &[FlyKey] = &[
    key(
        "image",
        "image",
        "`image`; `--image` and aeroform.toml override it",
    ),
    ignored("builder", "image", BUILD_ONLY),
    ignored("buildpacks", "list of strings", BUILD_ONLY),
    ignored("builtin", "name", BUILD_ONLY),
    ignored("settings", "table", BUILD_ONLY),
    ignored("args", "table", BUILD_ONLY),
    ignored("dockerfile", "path", BUILD_ONLY),
    ignored("ignorefile", "path", BUILD_ONLY),
    ignored("build-target", "name", BUILD_ONLY),
    ignored("build_target", "name", BUILD_ONLY),
    key("compression", "`\"gzip\"` or `\"zstd\"`", BUILD_ONLY),
    ignored("compression_level", "number", BUILD_ONLY),
    refused(
        "compose",
        "table",
        "containers of a compose file, which are not read: existing Machines keep theirs, and a plan that creates Machines on Fly is refused",
    ),
];

const DEPLOY: &[FlyKey] = &[
    key(
        "strategy",
        "`\"rolling\"`, `\"immediate\"`, `\"canary\"`, `\"bluegreen\"`",
        "how Machines are updated ([rollouts.md](rollouts.md)); `canary` with mounts is an error, and a plan that \
         needs `bluegreen` for a group with mounts is refused. `[groups.NAME.deploy]` of aeroform.toml overrides this and \
         the next two keys for one group, and flags override both",
    ),
    key(
        "max_unavailable",
        "number of Machines, or a fraction below 1",
        "how many Machines of a group are updated at once; default 0.33",
    ),
    key(
        "wait_timeout",
        "duration; a plain number is nanoseconds, with a warning",
        "how long a Machine may take to start and pass its checks; default 5 minutes",
    ),
    key(
        "release_command",
        "command",
        "runs once before an apply that changes image, env, files or command of a group or adds a group; \
         `--release-command` of `apply` overrides this",
    ),
    key(
        "release_command_timeout",
        "duration; a plain number is nanoseconds, with a warning",
        "its time limit; default 5 minutes, 0 is no limit",
    ),
    key(
        "release_command_vm",
        "table",
        "see `[deploy.release_command_vm]`",
    ),
    key("seed_command", "command", "not run yet"),
];

pub(super) const SECTIONS: &[FlySection] = &[
    FlySection {
        path: "build",
        syntax: "`[build]`",
        about: "Every group. A warning for two build methods.",
        keys: BUILD,
    },
    FlySection {
        path: "deploy",
        syntax: "`[deploy]`",
        about: "Every group.",
        keys: DEPLOY,
    },
    FlySection {
        path: "deploy.release_command_vm",
        syntax: "`[deploy.release_command_vm]`",
        about: "The Machine of the release command; the keys are those of `[[vm]]`.",
        keys: machine::RELEASE_VM,
    },
];
