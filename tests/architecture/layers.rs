//! The table of docs/architecture.md against every path in `src/`.

use std::collections::BTreeMap;
use std::fs;

use crate::assert_none;
use crate::repository::root;
use crate::rust_source::{ItemKind, SourceFile, sources};

const PAGE: &str = "docs/architecture.md";

/// What each layer may use, by layer.
type ArrowTable = BTreeMap<String, Vec<String>>;

fn table() -> ArrowTable {
    let text = fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, rest) = text
        .split_once("<!-- arrows -->")
        .expect("the table begins");
    let (rows, _) = rest.split_once("<!-- /arrows -->").expect("the table ends");
    let rows: Vec<Vec<&str>> = rows
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let names = |cell: &str| -> Vec<String> {
        cell.split_whitespace()
            .map(|name| name.trim_matches('`').to_owned())
            .collect()
    };
    let table: ArrowTable = rows
        .iter()
        .map(|row| {
            assert_eq!(row.len(), 3, "{PAGE}: a row has three cells: {row:?}");
            (names(row[0]).concat(), names(row[2]))
        })
        .collect();
    assert_eq!(table.len(), rows.len(), "{PAGE}: a layer has one row");
    table
}

fn is_inside(layer: &str, outer: &str) -> bool {
    layer
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The layer that a module belongs to: the longest one that it is inside of.
fn layer_of<'a>(table: &'a ArrowTable, module: &[String]) -> Option<&'a str> {
    let module = module.join("::");
    table
        .keys()
        .filter(|layer| is_inside(&module, layer))
        .max_by_key(|layer| layer.len())
        .map(String::as_str)
}

/// Whether a layer may use another one. A named layer allows the layers inside it, except where it is the
/// using layer's own parent.
fn is_allowed(table: &ArrowTable, from: &str, to: &str) -> bool {
    from == to
        || table[from]
            .iter()
            .any(|entry| entry == to || (is_inside(to, entry) && !is_inside(from, entry)))
}

fn broken(table: &ArrowTable, source: &SourceFile) -> Vec<String> {
    let from = layer_of(table, &source.module);
    // The library's own file, and a module's face, declare what is inside them and pass it on.
    let is_face = source.file.ends_with("/mod.rs") || source.file == "src/lib.rs";
    let mut findings = Vec::new();
    for item in &source.items {
        let ItemKind::Path(path) = &item.kind else {
            continue;
        };
        if path[0] != "crate" {
            continue;
        }
        let inside = is_face && path[1..].starts_with(&source.module);
        if inside {
            continue;
        }
        let to = layer_of(table, &path[1..]);
        let allowed = match (from, to) {
            (Some(from), Some(to)) => is_allowed(table, from, to),
            _ => false,
        };
        if !allowed {
            findings.push(format!(
                "{}:{}: `{}` is an arrow from `{}` to `{}`, and {PAGE} has none",
                source.file,
                item.line,
                path.join("::"),
                from.unwrap_or("no layer"),
                to.unwrap_or("no layer"),
            ));
        }
    }
    findings
}

#[test]
fn every_arrow_in_the_code_stands_in_the_table() {
    let table = table();
    let sources = sources();
    let arrows = sources
        .iter()
        .flat_map(|s| &s.items)
        .filter(|item| matches!(&item.kind, ItemKind::Path(path) if path[0] == "crate"))
        .count();
    assert!(
        arrows > 10,
        "the reader of paths found only {arrows} arrows"
    );
    let findings: Vec<String> = sources.iter().flat_map(|s| broken(&table, s)).collect();
    assert_none("arrows that are not in the table", &findings);
}

#[test]
fn every_file_is_in_a_layer() {
    let table = table();
    let findings: Vec<String> = sources()
        .iter()
        .filter(|s| s.file != "src/lib.rs" && layer_of(&table, &s.module).is_none())
        .map(|s| format!("{}: no row of {PAGE} is about it", s.file))
        .collect();
    assert_none("files without a layer", &findings);
}

/// The table itself is checked too, so that no arrow can be allowed that turns the layers upside down.
#[test]
fn the_table_leads_downwards_only() {
    let table = table();
    let mut findings = Vec::new();
    for (layer, uses) in &table {
        for used in uses {
            if !table.contains_key(used) {
                findings.push(format!("`{layer}` may use `{used}`, which has no row"));
            }
        }
        if is_inside(layer, "core") && uses.iter().any(|used| !is_inside(used, "core")) {
            findings.push(format!("`{layer}` may use something outside the core"));
        }
        let knows_emulator = uses.iter().any(|used| is_inside(used, "emulator"));
        if knows_emulator && layer != "cli" {
            findings.push(format!("`{layer}` may use the emulator"));
        }
    }
    if !table["emulator"].is_empty() {
        findings.push("`emulator` may use another layer".to_owned());
    }
    // Layers that use no other are removed until none is left; those that remain form a cycle.
    let mut left = table.clone();
    loop {
        let done: Vec<String> = left
            .iter()
            .filter(|(from, _)| {
                !left
                    .keys()
                    .any(|to| to != *from && is_allowed(&table, from, to))
            })
            .map(|(layer, _)| layer.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        left.retain(|layer, _| !done.contains(layer));
    }
    findings.extend(left.keys().map(|layer| format!("`{layer}` is in a circle")));
    assert_none("the table of docs/architecture.md", &findings);
}

#[test]
fn an_arrow_that_is_not_in_the_table_is_found() {
    let table = table();
    let breaks = |file: &str, text: &str| {
        !broken(&table, &crate::rust_source::parse(file, text.to_owned())).is_empty()
    };
    assert!(breaks("src/core/plan/x.rs", "use crate::core::view::A;"));
    assert!(breaks("src/core/fleet/x.rs", "use super::super::plan::A;"));
    assert!(breaks("src/store/x.rs", "fn f(a: crate::provider::A) {}"));
    assert!(breaks(
        "src/provider/local/x.rs",
        "use crate::provider::fly::A;"
    ));
    assert!(breaks("src/apply/x.rs", "use crate::emulator::world::A;"));
    assert!(!breaks("src/cli/x.rs", "use crate::emulator::world::A;"));
    assert!(!breaks("src/cli/x.rs", "use crate::provider::local::A;"));
    assert!(!breaks("src/provider/mod.rs", "pub use self::local::A;"));
}
