//! A view as text in which colours can be read: `{green}+{/}`.

use std::fmt;

use aeroform::core::view::Style;

pub(crate) fn style(width: usize) -> Style {
    Style {
        color: false,
        width,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    }
}

/// What a view writes.
pub(crate) fn written(view: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) -> String {
    let mut out = String::new();
    view(&mut out).unwrap();
    out
}

/// The text with its colours as tags.
pub(crate) fn tagged(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        let (codes, tail) = after.split_once('m').unwrap();
        shown.push_str(before);
        let names: Vec<&str> = codes.split(';').map(name).collect();
        shown.extend(["{", &names.join("+"), "}"]);
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

fn name(code: &str) -> &str {
    match code {
        "0" => "/",
        "1" => "bold",
        "2" => "dim",
        "4" => "underline",
        "31" => "red",
        "32" => "green",
        "33" => "yellow",
        "36" => "cyan",
        other => panic!("no name for colour {other}"),
    }
}
