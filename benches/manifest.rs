//! What reading the manifests costs per byte: the largest example, a synthetic project that grows, and
//! the command splitter.

mod measure;

use std::fmt::Write as _;

use aeroform::core::manifest::command::split;
use aeroform::core::manifest::{Overrides, SourceFile, load};
use measure::{growth, median, millis, per};

/// Makes a manifest of about so many bytes.
type Maker = fn(usize) -> String;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    println!("Reading manifests: median, time per byte, growth of that.\n");
    println!(
        "{:>24} {:>10} {:>12} {:>10} {:>8}",
        "", "bytes", "median", "per byte", "growth"
    );
    let fly = include_str!("../examples/storefront/fly.toml");
    let aeroform = include_str!("../examples/storefront/aeroform.toml");
    row(
        "examples/storefront",
        fly.len() + aeroform.len(),
        &mut None,
        || read(fly, Some(aeroform)),
    );
    let kinds: [(&str, Maker); 4] = [
        ("[env]", env),
        ("[processes]", processes),
        ("[[services]]", services),
        ("unknown keys", unknown),
    ];
    for (name, make) in kinds {
        let mut before = None;
        for size in SIZES {
            let text = make(size);
            row(name, text.len(), &mut before, || read(&text, None));
        }
    }
    let mut before = None;
    for size in SIZES {
        let text = "bin/web 'a b' \"c\\\"d\" --flag=value ".repeat(size / 34);
        row("command splitter", text.len(), &mut before, || {
            assert!(split(&text).is_ok());
        });
    }
}

fn row(name: &str, bytes: usize, before: &mut Option<f64>, work: impl FnMut()) {
    let time = median(work);
    let per_byte = per(time, bytes);
    let growth = growth(before, per_byte);
    println!(
        "{name:>24} {bytes:>10} {:>9.2} ms {per_byte:>7.0} ns {growth:>8}",
        millis(time)
    );
}

fn read(fly: &str, aeroform: Option<&str>) {
    let source = SourceFile {
        path: "fly.toml",
        bytes: fly.as_bytes(),
    };
    let beside = aeroform.map(|text| SourceFile {
        path: "aeroform.toml",
        bytes: text.as_bytes(),
    });
    let loaded = load(source, beside, &Overrides::default());
    drop(loaded);
}

fn repeated(size: usize, head: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = head.to_owned();
    let mut n = 0;
    while text.len() < size {
        text.push_str(&line(n));
        n += 1;
    }
    text
}

fn env(size: usize) -> String {
    repeated(size, "app = \"shop\"\n[env]\n", |n| {
        format!("VARIABLE_{n} = \"value of {n}\"\n")
    })
}

/// Each group has its own copy of what is said to all, so there are as many as a real project may have
/// and the rest is what they run.
fn processes(size: usize) -> String {
    let mut text = String::from("app = \"shop\"\n[processes]\n");
    for n in 0..20 {
        let command = "bin/work --queue=default --retry ".repeat(size / 20 / 33);
        writeln!(text, "group{n} = \"{command}\"").expect("a string takes any text");
    }
    text
}

fn services(size: usize) -> String {
    repeated(size, "app = \"shop\"\n", |n| {
        let port = 1024 + n % 60_000;
        format!(
            "[[services]]\ninternal_port = {port}\n[[services.ports]]\nport = {port}\nhandlers = [\"tls\"]\n"
        )
    })
}

fn unknown(size: usize) -> String {
    repeated(size, "app = \"shop\"\n", |n| {
        format!("unknown_key_{n} = {n}\n")
    })
}
