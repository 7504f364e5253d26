//! Large inputs for each reader, friendly and hostile ones, of about a given size; every reader takes
//! each of them whole.

use aeroform::core::fleet::AppName;
use aeroform::core::manifest::command::split;
use aeroform::core::manifest::{Overrides, SourceFile, load};
use aeroform::core::plan::SavedPlan;
use aeroform::core::state;
use aeroform::core::view::diagnostics::render;

/// Inputs of one kind.
pub(crate) struct LargeInput {
    /// The reader.
    pub(crate) reader: &'static str,
    /// What they are.
    pub(crate) what: &'static str,
    /// Makes one of about so many bytes.
    pub(crate) make: fn(usize) -> String,
    /// Reads it.
    pub(crate) read: fn(&str),
}

macro_rules! large {
    ($($reader:ident $what:literal $make:expr;)+) => {
        &[$(LargeInput { reader: stringify!($reader), what: $what, make: $make, read: $reader }),+]
    };
}

/// All kinds.
pub(crate) const ALL: &[LargeInput] = large! {
    manifest "variables" |size| numbered("app = \"a\"\n[env]\n", size, |n| format!("KEY_{n} = \"value {n}\"\n"));
    manifest "services" |size| numbered("app = \"a\"\n", size, |n| format!("[[services]]\ninternal_port = {}\n[[services.ports]]\nport = 443\n", 1 + n % 65_535));
    manifest "long commands" |size| format!("app = \"a\"\n[processes]\nweb = '{}'\n", "word ".repeat(size / 5));
    manifest "keys that are not known" |size| numbered("app = \"a\"\n", size, |n| format!("key_{n} = 1\n"));
    manifest "keys on one line" |size| format!("app = \"a\"\nx = {{ {} z = 1 }}\n", numbered("", size, |n| format!("k{n} = 1, ")));
    manifest "the same key" |size| format!("app = \"a\"\n[env]\n{}", "a = 1\n".repeat(size / 6));
    manifest "wrong types" |size| numbered("app = \"a\"\n[env]\n", size, |n| format!("k{n} = []\n"));
    manifest "open brackets" |size| format!("a = {}", "[".repeat(size));
    manifest "open braces" |size| format!("a = {}", "{a=".repeat(size / 3));
    manifest "a dotted key" |size| format!("a{} = 1", ".a".repeat(size / 2));
    manifest "headers" |size| "[a]\n".repeat(size / 4);
    manifest "lists of tables" |size| format!("app = \"a\"\n{}", "[[vm]]\n".repeat(size / 7));
    manifest "quotes" |size| "\"".repeat(size);
    manifest "line ends" |size| "\n".repeat(size);
    manifest "NULs" |size| "\0".repeat(size);
    manifest "a long number" |size| format!("swap_size_mb = {}", "9".repeat(size));
    state "runs" |size| state_of(size, |n| format!(r#"{{"run": {{"run": "r{n}", "serial": {n}, "at": "", "by": "", "command": "", "outcome": ""}}}}"#));
    state "machines without a config" |size| state_of(size, |n| format!(r#"{{"machine": {{"id": "m{n}", "name": "web-{n}", "group": "web", "region": "gru", "config": "0e5fddd31cbebdcefff081bd27406ab8"}}}}"#));
    state "strings" |size| format!("[{}1]", "\"a\",".repeat(size / 4));
    state "open brackets" |size| "[".repeat(size);
    state "open braces" |size| r#"{"a":"#.repeat(size / 5);
    state "conflict marks" |size| "<<<<<<< HEAD\n".repeat(size / 13);
    state "line ends" |size| "\n".repeat(size);
    plan "steps" |size| plan_of(size, |n| format!(r#"{{"id": {n}, "needs": [{}], "pool": null}}"#, n.saturating_sub(1)));
    plan "needs" |size| plan_of(1, |_| format!(r#"{{"id": 0, "needs": [{}0], "pool": null}}"#, "0,".repeat(size / 2)));
    plan "open brackets" |size| "[".repeat(size);
    plan "unknown keys" |size| format!("{{{}\"z\":1}}", numbered("", size, |n| format!("\"k{n}\":1,")));
    command "words" |size| "word ".repeat(size / 5);
    command "quoted words" |size| "'a b' \"c\\\"d\" ".repeat(size / 13);
    command "backslashes" |size| "\\\\".repeat(size / 2);
    command "an open quote" |size| format!("'{}", "a ".repeat(size / 2));
    command "comments" |size| "#\n".repeat(size / 2);
};

fn numbered(head: &str, size: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = head.to_owned();
    for n in 0.. {
        if text.len() >= size {
            break;
        }
        text.push_str(&piece(n));
    }
    text
}

fn state_of(size: usize, record: impl Fn(usize) -> String) -> String {
    let head =
        r#"[{"format": 1, "app": "shop", "provider": "fly", "lineage": "k2v9", "serial": 12}"#;
    format!("{}]", numbered(head, size, |n| format!(",{}\n", record(n))))
}

fn plan_of(size: usize, step: impl Fn(usize) -> String) -> String {
    let steps = numbered("", size, |n| {
        format!("{}{}", if n == 0 { "" } else { "," }, step(n))
    });
    format!(
        r#"{{"format_version": 1, "app": "shop", "provider": "local", "lineage": null, "serial": 1,
        "desired": "", "destroys_app": false, "steps": [{steps}], "pools": [], "fences": {{}}}}"#
    )
}

fn manifest(text: &str) {
    let file = SourceFile {
        path: "fly.toml",
        bytes: text.as_bytes(),
    };
    let loaded = load(file, None, &Overrides::default());
    let mut shown = String::new();
    render(&loaded.diagnostics, false, 100, &mut shown).expect("a string takes any text");
}

fn state(text: &str) {
    let app = AppName::new("shop").expect("an app's name");
    if let Ok(known) = state::read(text, &app) {
        state::write(&known);
    }
}

fn plan(text: &str) {
    drop(SavedPlan::parse(text));
}

fn command(text: &str) {
    drop(split(text));
}
