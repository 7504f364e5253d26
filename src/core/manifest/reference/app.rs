//! The file itself, and the sections that speak of all groups.

use super::{FlyKey, FlySection, ignored, key, passed_through};

const ROOT: &[FlyKey] = &[
    key("app", "name", "the app; `--app` beats it"),
    key(
        "primary_region",
        "region",
        "region of new Machines and volumes; `env.PRIMARY_REGION`",
    ),
    key(
        "kill_signal",
        "`SIGINT`, `SIGTERM`, `SIGQUIT`, `SIGUSR1`, `SIGUSR2`, `SIGKILL`, `SIGHUP`",
        "`stop_config.signal`",
    ),
    key(
        "kill_timeout",
        "duration; a number counts seconds",
        "`stop_config.timeout`; above 5 minutes a warning",
    ),
    key("swap_size_mb", "MiB", "`init.swap_size_mb`"),
    ignored(
        "console_command",
        "command",
        "for `fly console`; has to be splittable",
    ),
    key(
        "host_dedication_id",
        "text",
        "`guest.host_dedication_id` of every `[[vm]]` without its own; not sent where a group has no `[[vm]]`",
    ),
    key(
        "machine_config",
        "JSON, or the path of a JSON file of the project",
        "what every Machine config starts from; the sections of fly.toml replace theirs",
    ),
    key(
        "container",
        "name",
        "which of `containers` runs the image: this one, else `app`, else the first",
    ),
    key("env", "table", "see `[env]`"),
    key("processes", "table", "see `[processes]`"),
    key("build", "table", "see `[build]`"),
    key("deploy", "table", "see `[deploy]`"),
    key("http_service", "table", "see `[http_service]`"),
    key("services", "list of tables", "see `[[services]]`"),
    key("checks", "table", "see `[checks.*]`"),
    key("vm", "list of tables", "see `[[vm]]`"),
    key(
        "compute",
        "list of tables",
        "old spelling of `vm`; comes before it",
    ),
    key(
        "computes",
        "list of tables",
        "old spelling of `vm`; comes before it",
    ),
    key("mounts", "list of tables", "see `[[mounts]]`"),
    key(
        "mount",
        "list of tables",
        "old spelling of `mounts`; comes before it",
    ),
    key("restart", "list of tables", "see `[[restart]]`"),
    key("files", "list of tables", "see `[[files]]`"),
    key("statics", "list of tables", "see `[[statics]]`"),
    key("metrics", "list of tables", "see `[[metrics]]`"),
    key(
        "metric",
        "list of tables",
        "old spelling of `metrics`; comes before it",
    ),
    key(
        "machine_checks",
        "list of tables",
        "see `[[machine_checks]]`",
    ),
    key("experimental", "table", "see `[experimental]`"),
];

const EXPERIMENTAL: &[FlyKey] = &[
    key(
        "cmd",
        "list of words; a string is one word",
        "`init.cmd` of groups without a command of their own",
    ),
    key(
        "entrypoint",
        "list of words; a string is one word",
        "`init.entrypoint`",
    ),
    key("exec", "list of words; a string is one word", "`init.exec`"),
    key(
        "machine_config",
        "as the top-level key",
        "beats the top-level key",
    ),
    key(
        "kill_timeout",
        "duration; a number counts seconds",
        "old place of the top-level key, which beats it",
    ),
    key(
        "metrics_port",
        "port",
        "old form of `[[metrics]]`, which beats it",
    ),
    key(
        "metrics_path",
        "path",
        "old form of `[[metrics]]`, which beats it",
    ),
    ignored("auto_rollback", "true or false", "means nothing any more"),
    ignored(
        "enable_consul",
        "true or false",
        "no part of a Machine config",
    ),
    ignored(
        "enable_etcd",
        "true or false",
        "no part of a Machine config",
    ),
    ignored(
        "lazy_load_images",
        "true or false",
        "no part of a Machine config",
    ),
    ignored("attached", "table", "no part of a Machine config"),
    ignored(
        "allowed_public_ports",
        "list",
        "from the days of Nomad; means nothing any more",
    ),
    ignored(
        "private_network",
        "true or false",
        "from the days of Nomad; means nothing any more",
    ),
];

const STATICS: &[FlyKey] = &[
    passed_through("guest_path", "path", "`statics[].guest_path`"),
    passed_through("url_prefix", "path", "`statics[].url_prefix`"),
    passed_through("tigris_bucket", "name", "`statics[].tigris_bucket`"),
    passed_through("index_document", "file name", "`statics[].index_document`"),
];

const FILES: &[FlyKey] = &[
    key("guest_path", "path", "`files[].guest_path`"),
    key(
        "local_path",
        "path of a file of the project",
        "its content, as base64: `files[].raw_value`; beats the other two",
    ),
    key(
        "secret_name",
        "name",
        "`files[].secret_name`; beats `raw_value`",
    ),
    key(
        "raw_value",
        "text",
        "`files[].raw_value`, encoded as base64 as flyctl does. The docs ask for base64 here, and \
         flyctl encodes that once more; which of the two is meant is not known, so that a text \
         which is base64 already is warned about",
    ),
    key(
        "processes",
        "groups",
        "nothing: flyctl writes the file into every group, and a warning says so",
    ),
];

pub(super) const SECTIONS: &[FlySection] = &[
    FlySection {
        path: "",
        syntax: "top level",
        about: "",
        keys: ROOT,
    },
    FlySection {
        path: "env",
        syntax: "`[env]`, of old `[[env]]`",
        about: "Every group. The keys are the names of variables, and become `env`; a number or a \
                true is printed as flyctl prints it. `FLY_PROCESS_GROUP` and `PRIMARY_REGION` are \
                set on top. A variable that looks like a secret, or that begins with `FLY_`, is \
                warned about.",
        keys: &[],
    },
    FlySection {
        path: "processes",
        syntax: "`[processes]`, of old `[[processes]]` with `name` and `command`",
        about: "The keys are the names of the groups, the values their commands: `init.cmd`, split \
                as flyctl does. An empty command runs the image's own. Without the section there \
                is the one group `app`.",
        keys: &[],
    },
    FlySection {
        path: "statics",
        syntax: "`[[statics]]`",
        about: "Every group.",
        keys: STATICS,
    },
    FlySection {
        path: "files",
        syntax: "`[[files]]`",
        about: "Every group, whatever `processes` says. Of two entries for one path the later one \
                counts.",
        keys: FILES,
    },
    FlySection {
        path: "experimental",
        syntax: "`[experimental]`",
        about: "Every group.",
        keys: EXPERIMENTAL,
    },
];
