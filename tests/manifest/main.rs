//! The manifests from the outside: how mistakes read, what two files mean together, that real files
//! load, and that no bytes make it panic.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aeroform_keys;
mod arbitrary_bytes;
mod broken;
mod codes;
mod config_fields;
mod corpus;
mod diagnostics;
mod flyctl;
mod formats;
mod mistakes;
mod no_churn;
mod once;
#[path = "../support/provoked.rs"]
mod provoked;
mod reference;
mod sections;
mod semantics;

use aeroform::core::manifest::{Loaded, Overrides, SourceFile, load};
use aeroform::core::view::diagnostics::render;

/// Loads a fly manifest of any name, alone.
fn named(path: &str, text: &[u8], overrides: &Overrides) -> Loaded {
    load(SourceFile { path, bytes: text }, None, overrides)
}

/// Loads a project of one or two files.
fn project(fly: &[u8], aeroform: Option<&[u8]>, overrides: &Overrides) -> Loaded {
    let file = |path, bytes| SourceFile { path, bytes };
    load(
        file("fly.toml", fly),
        aeroform.map(|bytes| file("aeroform.toml", bytes)),
        overrides,
    )
}

/// What a person sees of it, without colour.
fn rendered(loaded: &Loaded) -> String {
    let mut text = String::new();
    render(&loaded.diagnostics, false, 100, &mut text).expect("a string takes any text");
    text
}

fn on(provider: &str) -> Overrides {
    Overrides {
        provider: Some(provider.to_owned()),
        ..Overrides::default()
    }
}

/// Many texts that differ by a number, as one.
fn numbered(count: usize, unit: impl Fn(usize) -> String) -> String {
    (0..count).map(unit).collect::<Vec<_>>().concat()
}

/// A file of this project that the code prints: it says what the code says.
fn assert_printed(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "{file} is not what the code says: \
         `AEROFORM_UPDATE_DOCS=1 cargo test --test manifest page` writes it again"
    );
}
