//! No bytes make the manifest panic. That none are slow out of proportion, the fuzz tests see.

use aeroform::core::view::diagnostics::render;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{numbered, on, project, rendered};

const FLY: &str = "app = \"shop\"\nprimary_region = \"gru\"\nkill_timeout = 5\n[processes]\n\
    web = \"bin/web -p 'x'\"\nworker = \"w\"\n[env]\nA = \"1\"\nB = 2.5\n[http_service]\n\
    internal_port = 80\nprocesses = [\"web\"]\n[[http_service.checks]]\ninterval = \"10s\"\n\
    [[services]]\ninternal_port = \"90\"\nprocesses = [\"web\", \"web\"]\nconcurrency = \"1,2\"\n\
    [[services.ports]]\nport = 90\nhandlers = [\"tls\"]\n[[vm]]\nmemory = \"1gb\"\n[mounts]\n\
    source = \"d\"\ndestination = \"/d\"\n[[restart]]\npolicy = \"always\"\n[deploy]\n\
    strategy = \"rolling\"\nmax_unavailable = 0.5\n";
const AEROFORM: &str = "provider = \"local\"\n[groups.web]\ncount = 8\nregions = [\"gru\", \"iad\"]\n\
    [groups.worker]\nregions = { gru = 2 }\nstandby = 1\n[groups.worker.local]\ncommand = \"sh\"\n\
    [[moved]]\nfrom = \"old\"\nto = \"web\"\n[policy]\nmax_destroy = \"25%\"\n";

/// Bytes with a meaning in TOML or in the manifests.
const SPICE: &[u8] = b"\"'[]{}=.,#\\\n\r\t\0 -_0e9\xff\xc3\xef";

/// A text with some of its bytes replaced, removed and inserted.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0..3_u8,
        prop::sample::select(SPICE),
    );
    vec(edit, 0..6).prop_map(|edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (index, kind, byte) in edits {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

/// Loads it on both providers and shows what was found; a mistake and no result go together.
fn survives(fly: &[u8], aeroform: &[u8]) {
    for provider in ["local", "fly"] {
        let loaded = project(fly, Some(aeroform), &on(provider));
        assert_eq!(loaded.desired.is_none(), loaded.diagnostics.has_errors());
        assert_eq!(rendered(&loaded).is_empty(), loaded.diagnostics.is_empty());
        let mut narrow = String::new();
        render(&loaded.diagnostics, true, 1, &mut narrow).expect("a string takes any text");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes_are_survived(fly in vec(any::<u8>(), 0..300), aeroform in vec(any::<u8>(), 0..100)) {
        survives(&fly, &aeroform);
    }

    #[test]
    fn arbitrary_text_of_toml_is_survived(fly in vec(prop::sample::select(SPICE), 0..200)) {
        survives(&fly, b"");
    }

    #[test]
    fn files_with_slips_are_survived(fly in mutated(FLY), aeroform in mutated(AEROFORM)) {
        survives(&fly, &aeroform);
    }
}

#[test]
fn the_files_before_the_slips_are_right() {
    let loaded = project(FLY.as_bytes(), Some(AEROFORM.as_bytes()), &on("local"));
    assert!(loaded.desired.is_some(), "{}", rendered(&loaded));
}

#[test]
fn hostile_files_are_survived() {
    let size = 1 << 18;
    let fill = |unit: &str| unit.repeat(size / unit.len());
    let numbered = |unit: fn(usize) -> String| numbered(10_000, unit);
    let cases: Vec<(&str, String)> = vec![
        ("open brackets", format!("a = {}", fill("["))),
        ("open braces", format!("a = {}", fill("{a="))),
        ("a dotted key", format!("a{} = 1", fill(".a"))),
        (
            "dotted keys in tables",
            format!("a = {}", fill("{a.a.a.a.a.a.a.a=").as_str()),
        ),
        ("a dotted header", format!("[a{}]", fill(".a"))),
        ("a long string", format!("app = \"{}\"", fill("x"))),
        ("a long number", format!("swap_size_mb = {}", fill("9"))),
        (
            "a long float",
            format!("kill_timeout = {}.{}", fill("9"), fill("1")),
        ),
        ("quotes", fill("\"")),
        ("apostrophes", fill("'")),
        ("equals signs", fill("=")),
        ("line ends", fill("\n")),
        ("carriage returns", fill("\r")),
        ("NULs", fill("\0")),
        ("headers", fill("[a]\n")),
        (
            "lists of tables",
            format!("app = \"a\"\n{}", fill("[[vm]]\n")),
        ),
        (
            "keys that are not known",
            numbered(|n| format!("key_{n} = 1\n")),
        ),
        (
            "keys on one line",
            format!("x = {{ {} z = 1 }}", numbered(|n| format!("k{n} = 1, "))),
        ),
        (
            "env on one line",
            format!(
                "app = \"a\"\nenv = {{ {} }}",
                numbered(|n| format!("k{n} = [], "))
            ),
        ),
        (
            "groups",
            format!(
                "app = \"a\"\n[processes]\n{}",
                numbered(|n| format!("g{n} = \"x\"\n"))
            ),
        ),
        (
            "groups that are not there",
            format!(
                "app = \"a\"\n[[vm]]\nprocesses = [{}]",
                numbered(|n| format!("\"g{n}\", "))
            ),
        ),
        ("the same key", format!("[env]\n{}", fill("a = 1\n"))),
        (
            "a command of quotes",
            format!("app = \"a\"\n[processes]\nweb = '''{}'''", fill("\"a\" ")),
        ),
    ];
    for (what, fly) in cases {
        println!("{what}");
        rendered(&project(fly.as_bytes(), None, &on("local")));
    }
}

#[test]
fn a_region_map_cannot_overflow_a_count() {
    let regions = numbered(40_000, |n| format!("r{n} = 100000, "));
    let aeroform = format!("[groups.app]\nregions = {{ {regions} }}\n");
    let fly = b"app = \"a\"\n[processes]\napp = \"run\"\n";
    let loaded = project(fly, Some(aeroform.as_bytes()), &on("local"));
    assert_eq!(loaded.diagnostics.errors(), 1, "{}", rendered(&loaded));
}
