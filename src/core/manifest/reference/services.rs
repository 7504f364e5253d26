//! Services and checks.

use super::{FlyKey, FlySection, ignored, key, passed_through};

const PROCESSES: FlyKey = key("processes", "groups", "groups that it applies to");
const MACHINE_CHECKS: FlyKey = key(
    "machine_checks",
    "list of tables",
    "see `[[machine_checks]]`",
);
const AUTOSTOP: FlyKey = key(
    "auto_stop_machines",
    "`\"off\"`, `\"stop\"`, `\"suspend\"`, true or false",
    "`services[].autostop`; no default is added",
);
const AUTOSTART: FlyKey = key(
    "auto_start_machines",
    "true or false",
    "`services[].autostart`; no default is added",
);
const MIN_RUNNING: FlyKey = key(
    "min_machines_running",
    "number",
    "`services[].min_machines_running`; a warning above the group's count",
);
const RESTART_LIMIT: FlyKey = ignored("restart_limit", "number", "Fly no longer reads it");

const HTTP_SERVICE: &[FlyKey] = &[
    key(
        "internal_port",
        "port",
        "`services[].internal_port`; no default is added",
    ),
    key("force_https", "true or false", "`force_https` of port 80"),
    AUTOSTOP,
    AUTOSTART,
    MIN_RUNNING,
    PROCESSES,
    key("concurrency", "table", "see `[http_service.concurrency]`"),
    passed_through("http_options", "table", "`http_options` of both ports"),
    passed_through("tls_options", "table", "`tls_options` of port 443"),
    key("checks", "list of tables", "see `[[http_service.checks]]`"),
    MACHINE_CHECKS,
];

const SERVICES: &[FlyKey] = &[
    key(
        "protocol",
        "`\"tcp\"` or `\"udp\"`",
        "`services[].protocol`; no default is added",
    ),
    key(
        "internal_port",
        "port, also as a string",
        "`services[].internal_port`",
    ),
    AUTOSTOP,
    AUTOSTART,
    MIN_RUNNING,
    PROCESSES,
    key(
        "ports",
        "list of tables, or one table",
        "see `[[services.ports]]`",
    ),
    key(
        "concurrency",
        "table; formerly `\"soft,hard\"` of requests",
        "see `[services.concurrency]`",
    ),
    key(
        "tcp_checks",
        "list of tables",
        "`services[].checks`, before `http_checks`",
    ),
    key("http_checks", "list of tables", "`services[].checks`"),
    MACHINE_CHECKS,
    ignored(
        "script_checks",
        "list of tables",
        "old flyctl versions wrote it; no effect",
    ),
];

const PORTS: &[FlyKey] = &[
    key("port", "port, also as a string", "`ports[].port`"),
    key("start_port", "port", "`ports[].start_port`"),
    key("end_port", "port", "`ports[].end_port`"),
    key("handlers", "list of words", "`ports[].handlers`"),
    key("force_https", "true or false", "`ports[].force_https`"),
    passed_through("http_options", "table", "`ports[].http_options`"),
    passed_through("tls_options", "table", "`ports[].tls_options`"),
    passed_through(
        "proxy_proto_options",
        "table",
        "`ports[].proxy_proto_options`",
    ),
];

const CONCURRENCY: &[FlyKey] = &[
    key(
        "type",
        "`\"connections\"` or `\"requests\"`",
        "`concurrency.type`",
    ),
    key("soft_limit", "number", "`concurrency.soft_limit`"),
    key("hard_limit", "number", "`concurrency.hard_limit`"),
];

const METHOD: FlyKey = key("method", "string", "`method`; upper case in `[checks]`");
const PATH: FlyKey = key("path", "path", "`path`");
const PROTOCOL: FlyKey = key("protocol", "`\"http\"` or `\"https\"`", "`protocol`");
const SKIP_VERIFY: FlyKey = key("tls_skip_verify", "true or false", "`tls_skip_verify`");
const SERVER_NAME: FlyKey = key("tls_server_name", "string", "`tls_server_name`");
const HEADERS: FlyKey = key(
    "headers",
    "table; formerly a list of `{name, value}`",
    "`headers`, sorted by name",
);
const HEADERS_TABLE: FlyKey = key("headers", "table", "`headers`, sorted by name");
const NANOSECONDS: &str = "duration; a plain number is nanoseconds, with a warning";
const MILLISECONDS: &str = "duration; a plain number is milliseconds";

const HTTP_SERVICE_CHECKS: &[FlyKey] = &[
    key("interval", NANOSECONDS, "`interval`"),
    key("timeout", NANOSECONDS, "`timeout`"),
    key("grace_period", NANOSECONDS, "`grace_period`"),
    METHOD,
    PATH,
    PROTOCOL,
    SKIP_VERIFY,
    SERVER_NAME,
    HEADERS_TABLE,
    RESTART_LIMIT,
    ignored("port", "port", "a service's check uses the service's port"),
];

const SERVICE_HTTP_CHECKS: &[FlyKey] = &[
    key("interval", MILLISECONDS, "`interval`"),
    key("timeout", MILLISECONDS, "`timeout`"),
    key("grace_period", MILLISECONDS, "`grace_period`"),
    METHOD,
    PATH,
    PROTOCOL,
    SKIP_VERIFY,
    SERVER_NAME,
    HEADERS,
    RESTART_LIMIT,
    ignored("port", "port", "a service's check uses the service's port"),
];

const TCP_CHECKS: &[FlyKey] = &[
    key("interval", MILLISECONDS, "`interval`"),
    key("timeout", MILLISECONDS, "`timeout`"),
    key("grace_period", MILLISECONDS, "`grace_period`"),
    RESTART_LIMIT,
    ignored("port", "port", "a service's check uses the service's port"),
];

const CHECKS: &[FlyKey] = &[
    key(
        "type",
        "`\"http\"` or `\"tcp\"`",
        "`checks.*.type`; required",
    ),
    key(
        "port",
        "port",
        "`checks.*.port`; default: the port of the group's `[http_service]`, else an error",
    ),
    key(
        "interval",
        MILLISECONDS,
        "`checks.*.interval`; at least 2 seconds",
    ),
    key(
        "timeout",
        MILLISECONDS,
        "`checks.*.timeout`; at most a minute",
    ),
    key("grace_period", MILLISECONDS, "`checks.*.grace_period`"),
    METHOD,
    PATH,
    PROTOCOL,
    SKIP_VERIFY,
    SERVER_NAME,
    HEADERS,
    PROCESSES,
    ignored("name", "string", "its name, in the old form `[[checks]]`"),
    RESTART_LIMIT,
];

const HEADER: &[FlyKey] = &[
    key("name", "string", "`headers[].name`"),
    key("value", "string", "`headers[].values`"),
];

const MACHINE_CHECK: &[FlyKey] = &[
    key(
        "command",
        "list of words",
        "the command of the test Machine",
    ),
    key(
        "image",
        "image",
        "its image; default: the image of the tested Machine",
    ),
    key("entrypoint", "list of words", "its entrypoint"),
    key("kill_signal", "signal", "signal that stops it"),
    key("kill_timeout", NANOSECONDS, "time limit of a stop"),
];

const GROUPS: &str = "The groups of `processes`; without it the default group. With \
                      `[processes]` a service must name its groups, as in flyctl.";
const OWN_MACHINE: &str = "Run by a deploy, each in its own test Machine. Not part of a Machine config, \
                           and not run yet.";

pub(super) const SECTIONS: &[FlySection] = &[
    FlySection {
        path: "http_service",
        syntax: "`[http_service]`",
        about: "The groups of `processes`; without it the default group. One tcp service on ports \
                80 (`http`) and 443 (`http`, `tls`), before `[[services]]`.",
        keys: HTTP_SERVICE,
    },
    FlySection {
        path: "http_service.concurrency",
        syntax: "`[http_service.concurrency]`",
        about: "",
        keys: CONCURRENCY,
    },
    FlySection {
        path: "http_service.checks",
        syntax: "`[[http_service.checks]]`",
        about: "Checks of type http. A warning for times below a second or above a minute: Fly clamps \
                them.",
        keys: HTTP_SERVICE_CHECKS,
    },
    FlySection {
        path: "http_service.machine_checks",
        syntax: "`[[http_service.machine_checks]]`",
        about: OWN_MACHINE,
        keys: MACHINE_CHECK,
    },
    FlySection {
        path: "services",
        syntax: "`[[services]]` or one `[services]`",
        about: GROUPS,
        keys: SERVICES,
    },
    FlySection {
        path: "services.ports",
        syntax: "`[[services.ports]]` or one `[services.ports]`",
        about: "A warning if two groups serve one port from two sections: Fly Proxy balances \
                between them.",
        keys: PORTS,
    },
    FlySection {
        path: "services.concurrency",
        syntax: "`[services.concurrency]`",
        about: "",
        keys: CONCURRENCY,
    },
    FlySection {
        path: "services.tcp_checks",
        syntax: "`[[services.tcp_checks]]`",
        about: "",
        keys: TCP_CHECKS,
    },
    FlySection {
        path: "services.http_checks",
        syntax: "`[[services.http_checks]]`",
        about: "",
        keys: SERVICE_HTTP_CHECKS,
    },
    FlySection {
        path: "services.http_checks.headers",
        syntax: "`[[services.http_checks.headers]]`",
        about: "The old form of a table of names and values.",
        keys: HEADER,
    },
    FlySection {
        path: "services.machine_checks",
        syntax: "`[[services.machine_checks]]`",
        about: OWN_MACHINE,
        keys: MACHINE_CHECK,
    },
    FlySection {
        path: "checks.*",
        syntax: "`[checks.NAME]`, formerly `[[checks]]` with `name`",
        about: "The groups of `processes`; without it the default group.",
        keys: CHECKS,
    },
    FlySection {
        path: "checks.*.headers",
        syntax: "`[[checks.NAME.headers]]`",
        about: "The old form of a table of names and values.",
        keys: HEADER,
    },
    FlySection {
        path: "machine_checks",
        syntax: "`[[machine_checks]]`",
        about: "Every group. Run by a deploy, each in its own test Machine. Not part of a Machine \
                config, and not run yet.",
        keys: MACHINE_CHECK,
    },
];
