//! What happens around the Machines: the build and the deploy.

use super::{FlyKey, FlySection, ignored, key, machine, refused};

const BUILD_ONLY: &str = "for the build, which Aeroform does not do";

const BUILD: &[FlyKey] = &[
    key(
        "image",
        "image",
        "`image`; `--image` and aeroform.toml beat it",
    ),
    ignored("builder", "image", BUILD_ONLY),
    ignored("buildpacks", "list of texts", BUILD_ONLY),
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
        "containers of a compose file: they are not read. Machines keep those that they have, and a plan that makes new ones on Fly is refused",
    ),
];

const DEPLOY: &[FlyKey] = &[
    key(
        "strategy",
        "`\"rolling\"`, `\"immediate\"`, `\"canary\"`, `\"bluegreen\"`",
        "how Machines are updated; with `canary` and `bluegreen` a plan that updates running Machines is \
         refused until `--strategy rolling` is given; `canary` beside mounts is an error",
    ),
    key(
        "max_unavailable",
        "number of Machines, or a share below 1",
        "how many of a group are updated at once; else 0.33",
    ),
    key(
        "wait_timeout",
        "duration; a number counts nanoseconds, and is warned about",
        "how long a Machine may take to start and pass its checks; else 5 minutes",
    ),
    key(
        "release_command",
        "command",
        "part of what is wanted; not run yet: a plan that would need it is refused until \
         `--release-command=never` is given. Without an image to run it from a warning",
    ),
    key(
        "release_command_timeout",
        "duration; a number counts nanoseconds, and is warned about",
        "how long it may take; else 5 minutes, and 0 means for ever",
    ),
    key(
        "release_command_vm",
        "table",
        "see `[deploy.release_command_vm]`",
    ),
    key(
        "seed_command",
        "command",
        "part of what is wanted; not run yet",
    ),
];

pub(super) const SECTIONS: &[FlySection] = &[
    FlySection {
        path: "build",
        syntax: "`[build]`",
        about: "Every group. Two ways to build beside each other are warned about.",
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
