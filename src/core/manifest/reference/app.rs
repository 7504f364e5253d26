//! The file itself, and the sections that speak of all groups.

use super::{FlyKey, FlySection, ignored, key, passed_through};

const ROOT: &[FlyKey] = &[
    key("app", "name", "the app; `--app` overrides it"),
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
        "duration; a plain number is seconds",
        "`stop_config.timeout`; a warning above 5 minutes",
    ),
    key("swap_size_mb", "MiB", "`init.swap_size_mb`"),
    ignored(
        "console_command",
        "command",
        "for `fly console`; must be splittable into words",
    ),
    key(
        "host_dedication_id",
        "string",
        "`guest.host_dedication_id` of every `[[vm]]` without its own; not sent for a group without `[[vm]]`",
    ),
    key(
        "machine_config",
        "JSON, or the path of a JSON file in the project",
        "the base of every Machine config; sections of fly.toml override it",
    ),
    key(
        "container",
        "name",
        "which of `containers` runs the app's image; else `app`, else the first",
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
        "old spelling of `vm`; read before it",
    ),
    key(
        "computes",
        "list of tables",
        "old spelling of `vm`; read before it",
    ),
    key("mounts", "list of tables", "see `[[mounts]]`"),
    key(
        "mount",
        "list of tables",
        "old spelling of `mounts`; read before it",
    ),
    key("restart", "list of tables", "see `[[restart]]`"),
    key("files", "list of tables", "see `[[files]]`"),
    key("statics", "list of tables", "see `[[statics]]`"),
    key("metrics", "list of tables", "see `[[metrics]]`"),
    key(
        "metric",
        "list of tables",
        "old spelling of `metrics`; read before it",
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
        "`init.cmd` of groups without a command",
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
        "overrides the top-level key",
    ),
    key(
        "kill_timeout",
        "duration; a plain number is seconds",
        "old form of the top-level key, which overrides it",
    ),
    key(
        "metrics_port",
        "port",
        "old form of `[[metrics]]`, which overrides it",
    ),
    key(
        "metrics_path",
        "path",
        "old form of `[[metrics]]`, which overrides it",
    ),
    ignored("auto_rollback", "true or false", "no longer has an effect"),
    ignored(
        "enable_consul",
        "true or false",
        "not part of a Machine config",
    ),
    ignored(
        "enable_etcd",
        "true or false",
        "not part of a Machine config",
    ),
    ignored(
        "lazy_load_images",
        "true or false",
        "not part of a Machine config",
    ),
    ignored("attached", "table", "not part of a Machine config"),
    ignored(
        "allowed_public_ports",
        "list",
        "for Nomad apps; no longer has an effect",
    ),
    ignored(
        "private_network",
        "true or false",
        "for Nomad apps; no longer has an effect",
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
        "its content as base64, `files[].raw_value`; overrides the other two",
    ),
    key(
        "secret_name",
        "name",
        "`files[].secret_name`; overrides `raw_value`",
    ),
    key(
        "raw_value",
        "string",
        "`files[].raw_value`, encoded as base64 as flyctl does. The docs ask for base64 here, but \
         flyctl encodes it again; a warning if the value is already base64",
    ),
    key(
        "processes",
        "groups",
        "nothing: flyctl writes the file into every group; a warning",
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
        syntax: "`[env]`, formerly `[[env]]`",
        about: "Every group. The keys are names of variables and become `env`; a number or boolean is \
                printed as flyctl prints it. `FLY_PROCESS_GROUP` and `PRIMARY_REGION` are added. A \
                warning for a variable that looks like a secret or starts with `FLY_`.",
        keys: &[],
    },
    FlySection {
        path: "processes",
        syntax: "`[processes]`, formerly `[[processes]]` with `name` and `command`",
        about: "The keys are the names of the groups, the values their commands: `init.cmd`, split \
                as flyctl does. With an empty command the image's own runs. Without the section \
                the only group is `app`.",
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
                applies.",
        keys: FILES,
    },
    FlySection {
        path: "experimental",
        syntax: "`[experimental]`",
        about: "Every group.",
        keys: EXPERIMENTAL,
    },
];
