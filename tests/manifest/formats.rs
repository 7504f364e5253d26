//! fly.json and fly.yaml: the same meaning, the same messages.

use aeroform::core::manifest::Overrides;
use proptest::prelude::*;
use serde_json::Value;

use crate::{named, on, rendered};

const TOML: &str = r#"
app = "shop"
primary_region = "ams"
kill_timeout = 30

[processes]
web = "bin/web -p 8080"
worker = "bin/work"

[env]
PORT = 8080
DEBUG = true

[http_service]
internal_port = 8080
processes = ["web"]
auto_stop_machines = "suspend"
auto_start_machines = true

[[http_service.checks]]
path = "/up"
interval = "10s"

[[vm]]
memory = "1gb"

[mounts]
source = "data"
destination = "/data"
processes = ["worker"]
"#;

const YAML: &str = r"
app: shop
primary_region: ams
kill_timeout: 30s
host_dedication_id: ~
processes:
  web: bin/web -p 8080
  worker: bin/work
env: {PORT: 8080, DEBUG: true}
http_service:
  internal_port: 8080
  processes: [web]
  auto_stop_machines: suspend
  auto_start_machines: true
  checks:
    - path: /up
      interval: 10s
vm:
  - memory: 1gb
mounts:
  source: data
  destination: /data
  processes:
    - worker
";

const JSON: &str = r#"{
  "app": "shop", "primary_region": "ams", "kill_timeout": 30, "console_command": null,
  "processes": {"web": "bin/web -p 8080", "worker": "bin/work"},
  "env": {"PORT": 8080, "DEBUG": true},
  "http_service": {"internal_port": 8080, "processes": ["web"], "auto_stop_machines": "suspend",
    "auto_start_machines": true, "checks": [{"path": "/up", "interval": "10s"}]},
  "vm": [{"memory": "1gb"}],
  "mounts": [{"source": "data", "destination": "/data", "processes": ["worker"]}]
}"#;

fn templates(path: &str, text: &str) -> Vec<(String, Value)> {
    let loaded = named(path, text.as_bytes(), &on("fly"));
    assert!(
        loaded.diagnostics.is_empty(),
        "{path}: {}",
        rendered(&loaded)
    );
    let groups = loaded.desired.expect("the file loads").groups.into_iter();
    groups
        .map(|(name, group)| (name.to_string(), group.template.to_value()))
        .collect()
}

#[test]
fn the_three_formats_mean_the_same() {
    let toml = templates("fly.toml", TOML);
    assert_eq!(toml, templates("fly.yaml", YAML));
    assert_eq!(toml, templates("fly.yml", YAML));
    assert_eq!(toml, templates("conf/fly.json", JSON));
}

#[test]
fn anchors_aliases_and_merge_keys_mean_what_they_say() {
    let yaml = "app: shop\nx-defaults: &d {memory: 1gb, cpus: 2}\nprocesses: {a: x, b: y}\n\
        vm:\n  - <<: *d\n    processes: [a]\n    cpus: 1\n  - *d\n";
    let loaded = named("fly.yaml", yaml.as_bytes(), &on("fly"));
    let desired = loaded
        .desired
        .clone()
        .unwrap_or_else(|| panic!("{}", rendered(&loaded)));
    let guests: Vec<_> = desired
        .groups
        .values()
        .map(|group| group.template.guest.clone().unwrap())
        .map(|guest| (guest.cpus.unwrap(), guest.memory_mb.unwrap()))
        .collect();
    assert_eq!(guests, [(1, 1024), (2, 1024)]);
}

/// Mistakes: the name of the file, what it is, the text.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "fly.json",
        "a comma at the end",
        "{\n  \"app\": \"a\",\n}\n",
    ),
    (
        "fly.json",
        "a comment",
        "{\n  // the app\n  \"app\": \"a\"\n}\n",
    ),
    ("fly.json", "no closing brace", "{\n  \"app\": \"a\"\n"),
    (
        "fly.json",
        "a string that is not closed",
        "{\"app\": \"a}\n",
    ),
    ("fly.json", "a key without quotes", "{app: \"a\"}\n"),
    ("fly.json", "a list", "[1]\n"),
    ("fly.json", "nothing", ""),
    (
        "fly.json",
        "a wrong type",
        "{\n  \"app\": \"a\",\n  \"http_service\": {\"internal_port\": \"80\"}\n}\n",
    ),
    (
        "fly.json",
        "an unknown key",
        "{\n  \"app\": \"a\",\n  \"primary_regoin\": \"ams\"\n}\n",
    ),
    (
        "fly.json",
        "a key twice",
        "{\n  \"app\": \"a\",\n  \"app\": \"b\"\n}\n",
    ),
    (
        "fly.json",
        "a mount without a path",
        "{\"app\": \"a\", \"mounts\": [{\"source\": \"d\"}]}\n",
    ),
    (
        "fly.json",
        "null in a list",
        "{\"app\": \"a\", \"http_service\": {\"internal_port\": 80, \"processes\": [null]}}\n",
    ),
    ("fly.yaml", "a tab for a space", "app: a\nenv:\n\tX: 1\n"),
    (
        "fly.yaml",
        "a list in a table",
        "app: a\nenv:\n  X: 1\n  - Y\n",
    ),
    ("fly.yaml", "a string that is not closed", "app: \"a\n"),
    (
        "fly.yaml",
        "a wrong type",
        "app: a\nhttp_service:\n  internal_port: web\n",
    ),
    (
        "fly.yaml",
        "an unknown key",
        "app: a\nprimary_regoin: ams\n",
    ),
    (
        "fly.yaml",
        "numbers for times, which flyctl ignores in YAML",
        "app: a\nkill_timeout: 30\nchecks:\n  alive: {type: tcp, port: 1, interval: 5000}\n",
    ),
    (
        "fly.yaml",
        "sections without a value",
        "app: a\nenv:\nprocesses: ~\n",
    ),
    (
        "fly.json",
        "a section that is null",
        "{\"app\": \"a\", \"mounts\": null}",
    ),
    ("fly.yaml", "a key twice", "app: a\nenv:\n  X: 1\n  X: 2\n"),
    (
        "fly.yaml",
        "an anchor that is not there",
        "app: a\nenv: *none\n",
    ),
    (
        "fly.yaml",
        "an alias of itself",
        "app: a\nenv: &e\n  X: *e\n",
    ),
    ("fly.yaml", "a merge of a text", "app: a\nenv:\n  <<: x\n"),
    ("fly.yaml", "a key that is a list", "app: a\n? [x]\n: 1\n"),
    (
        "fly.yaml",
        "a merge that was not finished",
        "<<<<<<< HEAD\napp: a\n=======\napp: b\n>>>>>>> other\n",
    ),
    (
        "fly.yaml",
        "letters before the mistake that take two bytes",
        "app: a\n# ééé\nenv: {X: \"é\", X: 2}\n",
    ),
];

#[test]
fn mistakes_read_as_they_do_in_toml() {
    use std::fmt::Write;
    let mut text = String::new();
    for (path, what, broken) in BROKEN {
        let loaded = named(path, broken.as_bytes(), &on("fly"));
        assert!(!loaded.diagnostics.is_empty(), "{path}: {what}");
        write!(text, "═══ {path}: {what}\n\n{}", rendered(&loaded)).unwrap();
    }
    insta::assert_snapshot!("formats", text);
}

#[test]
fn what_grows_beyond_any_manifest_is_refused() {
    use std::fmt::Write;
    let mut bomb = "app: a\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let list = format!("*a{}, ", n - 1).repeat(10);
        writeln!(bomb, "a{n}: &a{n} [{list}]").unwrap();
    }
    let many = |unit: &str| unit.repeat((1 << 18) / unit.len());
    let cases = [
        ("fly.yaml", "aliases of aliases", bomb),
        (
            "fly.yaml",
            "brackets",
            format!("app: a\nenv: {}", many("[")),
        ),
        (
            "fly.yaml",
            "braces",
            format!("app: a\nenv: {}", many("{a: ")),
        ),
        (
            "fly.yaml",
            "dashes",
            format!("app: a\nenv:\n  {}", many("- ")),
        ),
        (
            "fly.yaml",
            "question marks",
            format!("app: a\nenv:\n  {}", many("? ")),
        ),
        ("fly.yaml", "one long text", format!("app: {}", many("x"))),
        ("fly.yaml", "quotes", many("\"\" ")),
        (
            "fly.yaml",
            "the same key",
            format!("app: a\nenv: {{{}}}", many("a: 1, ")),
        ),
        ("fly.json", "brackets", format!("{{\"env\": {}", many("["))),
        ("fly.json", "braces", many("{\"a\": ")),
        (
            "fly.json",
            "the same key",
            format!("{{{} \"b\": 1}}", many("\"a\": 1, ")),
        ),
    ];
    for (path, what, text) in cases {
        let loaded = named(path, text.as_bytes(), &on("fly"));
        rendered(&loaded);
        assert!(!loaded.diagnostics.is_empty(), "{path} {what}");
    }
}

/// Characters that mean something to YAML or JSON.
const SPICE: &[&str] = &[
    "a", "app", ": ", "- ", "\n", "  ", "\"", "'", "{", "}", "[", "]", ",", "&a ", "*a", "<<: ",
    "|", ">", "#", "? ", "!!str ", "---", "...", "%", "~", "1", "é", "\t", "\\", "\u{feff}", "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_survived(
        parts in proptest::collection::vec(proptest::sample::select(SPICE), 0..60),
        json in any::<bool>(),
    ) {
        let path = if json { "fly.json" } else { "fly.yaml" };
        let loaded = named(path, parts.concat().as_bytes(), &Overrides::default());
        prop_assert_eq!(loaded.desired.is_none(), loaded.diagnostics.has_errors());
        rendered(&loaded);
    }

    #[test]
    fn slips_are_survived(at in any::<prop::sample::Index>(), with in proptest::sample::select(SPICE)) {
        for (path, text) in [("fly.yaml", YAML), ("fly.json", JSON)] {
            let mut text = text.to_owned();
            let at = at.index(text.len());
            text.replace_range(at..=at, with);
            let loaded = named(path, text.as_bytes(), &on("fly"));
            prop_assert_eq!(loaded.desired.is_none(), loaded.diagnostics.has_errors());
            rendered(&loaded);
        }
    }
}
