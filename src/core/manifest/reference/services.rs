//! What serves, and how it is checked.

use super::{Key, Section, carried, ignored, key};

const PROCESSES: Key = key("processes", "groups", "which groups have it");
const MACHINE_CHECKS: Key = key(
    "machine_checks",
    "list of tables",
    "see `[[machine_checks]]`",
);
const AUTOSTOP: Key = key(
    "auto_stop_machines",
    "`\"off\"`, `\"stop\"`, `\"suspend\"`, true or false",
    "`services[].autostop`; no default is filled in",
);
const AUTOSTART: Key = key(
    "auto_start_machines",
    "true or false",
    "`services[].autostart`; no default is filled in",
);
const MIN_RUNNING: Key = key(
    "min_machines_running",
    "number",
    "`services[].min_machines_running`; above the group's count a warning",
);
const RESTART_LIMIT: Key = ignored("restart_limit", "number", "Fly has long stopped reading it");

const HTTP_SERVICE: &[Key] = &[
    key(
        "internal_port",
        "port",
        "`services[].internal_port`; no default is filled in",
    ),
    key("force_https", "true or false", "`force_https` of port 80"),
    AUTOSTOP,
    AUTOSTART,
    MIN_RUNNING,
    PROCESSES,
    key("concurrency", "table", "see `[http_service.concurrency]`"),
    carried("http_options", "table", "`http_options` of both ports"),
    carried("tls_options", "table", "`tls_options` of port 443"),
    key("checks", "list of tables", "see `[[http_service.checks]]`"),
    MACHINE_CHECKS,
];

const SERVICES: &[Key] = &[
    key(
        "protocol",
        "`\"tcp\"` or `\"udp\"`",
        "`services[].protocol`; no default is filled in",
    ),
    key(
        "internal_port",
        "port, also as a text",
        "`services[].internal_port`",
    ),
    AUTOSTOP,
    AUTOSTART,
    MIN_RUNNING,
    PROCESSES,
    key(
        "ports",
        "list of tables, or one",
        "see `[[services.ports]]`",
    ),
    key(
        "concurrency",
        "table; of old `\"soft,hard\"`, which counts requests",
        "see `[services.concurrency]`",
    ),
    key(
        "tcp_checks",
        "list of tables",
        "`services[].checks`, before the http ones",
    ),
    key("http_checks", "list of tables", "`services[].checks`"),
    MACHINE_CHECKS,
    ignored(
        "script_checks",
        "list of tables",
        "flyctl once wrote it into every file; means nothing",
    ),
];

const PORTS: &[Key] = &[
    key("port", "port, also as a text", "`ports[].port`"),
    key("start_port", "port", "`ports[].start_port`"),
    key("end_port", "port", "`ports[].end_port`"),
    key("handlers", "list of words", "`ports[].handlers`"),
    key("force_https", "true or false", "`ports[].force_https`"),
    carried("http_options", "table", "`ports[].http_options`"),
    carried("tls_options", "table", "`ports[].tls_options`"),
    carried(
        "proxy_proto_options",
        "table",
        "`ports[].proxy_proto_options`",
    ),
];

const CONCURRENCY: &[Key] = &[
    key(
        "type",
        "`\"connections\"` or `\"requests\"`",
        "`concurrency.type`",
    ),
    key("soft_limit", "number", "`concurrency.soft_limit`"),
    key("hard_limit", "number", "`concurrency.hard_limit`"),
];

const METHOD: Key = key("method", "text", "`method`; in `[checks]` in capitals");
const PATH: Key = key("path", "path", "`path`");
const PROTOCOL: Key = key("protocol", "`\"http\"` or `\"https\"`", "`protocol`");
const SKIP_VERIFY: Key = key("tls_skip_verify", "true or false", "`tls_skip_verify`");
const SERVER_NAME: Key = key("tls_server_name", "text", "`tls_server_name`");
const HEADERS: Key = key(
    "headers",
    "table; of old a list of `{name, value}`",
    "`headers`, sorted by name",
);
const HEADERS_TABLE: Key = key("headers", "table", "`headers`, sorted by name");
const NANOSECONDS: &str = "duration; a number counts nanoseconds, and is warned about";
const MILLISECONDS: &str = "duration; a number counts milliseconds";

const HTTP_SERVICE_CHECKS: &[Key] = &[
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
    ignored(
        "port",
        "port",
        "a service's check asks the service's own port",
    ),
];

const SERVICE_HTTP_CHECKS: &[Key] = &[
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
    ignored(
        "port",
        "port",
        "a service's check asks the service's own port",
    ),
];

const TCP_CHECKS: &[Key] = &[
    key("interval", MILLISECONDS, "`interval`"),
    key("timeout", MILLISECONDS, "`timeout`"),
    key("grace_period", MILLISECONDS, "`grace_period`"),
    RESTART_LIMIT,
    ignored(
        "port",
        "port",
        "a service's check asks the service's own port",
    ),
];

const CHECKS: &[Key] = &[
    key(
        "type",
        "`\"http\"` or `\"tcp\"`",
        "`checks.*.type`; a check without it is an error",
    ),
    key(
        "port",
        "port",
        "`checks.*.port`; else that of the group's `[http_service]`, else an error",
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
    ignored("name", "text", "its name, in the old form `[[checks]]`"),
    RESTART_LIMIT,
];

const HEADER: &[Key] = &[
    key("name", "text", "`headers[].name`"),
    key("value", "text", "`headers[].values`"),
];

const MACHINE_CHECK: &[Key] = &[
    key("command", "list of words", "what the test Machine runs"),
    key(
        "image",
        "image",
        "what it runs from; else the image of the Machine that it tests",
    ),
    key("entrypoint", "list of words", "its entrypoint"),
    key("kill_signal", "signal", "how it is stopped"),
    key("kill_timeout", NANOSECONDS, "how long it may take to stop"),
];

const GROUPS: &str = "The groups of `processes`; without it the default group. Beside \
                      `[processes]` a service has to name its groups, as flyctl asks for.";
const OWN_MACHINE: &str = "Run by a deploy, each in a test Machine of its own; no part of a Machine \
                           config, and not run yet.";

pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: "http_service",
        written: "`[http_service]`",
        about: "The groups of `processes`; without it the default group. One tcp service on ports \
                80 (`http`) and 443 (`http`, `tls`), before those of `[[services]]`.",
        keys: HTTP_SERVICE,
    },
    Section {
        path: "http_service.concurrency",
        written: "`[http_service.concurrency]`",
        about: "",
        keys: CONCURRENCY,
    },
    Section {
        path: "http_service.checks",
        written: "`[[http_service.checks]]`",
        about: "Of type http. Times below a second or above a minute are warned about: Fly changes \
                them by itself.",
        keys: HTTP_SERVICE_CHECKS,
    },
    Section {
        path: "http_service.machine_checks",
        written: "`[[http_service.machine_checks]]`",
        about: OWN_MACHINE,
        keys: MACHINE_CHECK,
    },
    Section {
        path: "services",
        written: "`[[services]]` or one `[services]`",
        about: GROUPS,
        keys: SERVICES,
    },
    Section {
        path: "services.ports",
        written: "`[[services.ports]]` or one `[services.ports]`",
        about: "A port that two groups serve from two sections is warned about: Fly Proxy balances \
                between them.",
        keys: PORTS,
    },
    Section {
        path: "services.concurrency",
        written: "`[services.concurrency]`",
        about: "",
        keys: CONCURRENCY,
    },
    Section {
        path: "services.tcp_checks",
        written: "`[[services.tcp_checks]]`",
        about: "",
        keys: TCP_CHECKS,
    },
    Section {
        path: "services.http_checks",
        written: "`[[services.http_checks]]`",
        about: "",
        keys: SERVICE_HTTP_CHECKS,
    },
    Section {
        path: "services.http_checks.headers",
        written: "`[[services.http_checks.headers]]`",
        about: "The old form; else a table of names and values.",
        keys: HEADER,
    },
    Section {
        path: "services.machine_checks",
        written: "`[[services.machine_checks]]`",
        about: OWN_MACHINE,
        keys: MACHINE_CHECK,
    },
    Section {
        path: "checks.*",
        written: "`[checks.NAME]`, of old `[[checks]]` with `name`",
        about: "The groups of `processes`; without it the default group.",
        keys: CHECKS,
    },
    Section {
        path: "checks.*.headers",
        written: "`[[checks.NAME.headers]]`",
        about: "The old form; else a table of names and values.",
        keys: HEADER,
    },
    Section {
        path: "machine_checks",
        written: "`[[machine_checks]]`",
        about: "Every group. Run by a deploy, each in a test Machine of its own; no part of a \
                Machine config, and not run yet.",
        keys: MACHINE_CHECK,
    },
];
