//! The page and the schema of aeroform.toml, and that the reader reads exactly the keys of the list.

use std::fs;
use std::path::{Path, PathBuf};

use aeroform::core::manifest::aeroform_keys::{
    AeroformKey, AeroformTable, KeyRule, ValueType, page, schema, tables,
};
use aeroform::core::manifest::{Loaded, Overrides};
use jsonschema::Validator;

use crate::{assert_printed, project, rendered};

/// A project with every group that the examples name.
const FLY: &[u8] =
    b"app = \"shop\"\nprimary_region = \"gru\"\n[processes]\nweb = \"serve\"\njobs = \"work\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(aeroform: &str) -> Loaded {
    let overrides = Overrides {
        provider: None,
        ..Overrides::default()
    };
    project(FLY, Some(aeroform.as_bytes()), &overrides)
}

fn validator() -> Validator {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    jsonschema::draft7::meta::validate(&schema).unwrap();
    jsonschema::draft7::new(&schema).unwrap()
}

fn fits(validator: &Validator, text: &str) -> Result<(), String> {
    let value: toml::Value = toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let value = serde_json::to_value(value).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

/// The header of a table, with the keys that it requires beside `key`.
fn header(table: &AeroformTable, key: &str) -> String {
    let path = table.path.replace('*', "web");
    let mut text = match table.path {
        "" => String::new(),
        "moved" | "removed" => format!("[[{path}]]\n"),
        _ => format!("[{path}]\n"),
    };
    let more: &[&str] = match table.key_rule {
        KeyRule::OneWith(_, with) if key == with => &["from"],
        KeyRule::OneWith(_, with) => &[with],
        KeyRule::Required(name) if key != name => &[name],
        _ => &[],
    };
    for name in more {
        text.push_str(table.key(name).unwrap().example);
        text.push('\n');
    }
    text
}

/// A file with one key, written as its example.
fn example(table: &AeroformTable, key: &AeroformKey) -> String {
    let above = if table.path.is_empty() {
        String::new()
    } else {
        header(table, key.name)
    };
    match key.value_type {
        ValueType::List(path) => header(
            tables().iter().find(|table| table.path == path).unwrap(),
            "to",
        )
        .replace("[[moved]]\n", "[[moved]]\nto = \"jobs\"\n"),
        ValueType::Table(path) => {
            let mut tables = tables().iter();
            header(tables.find(|table| table.path == path).unwrap(), "")
        }
        ValueType::Named(_) => format!("{}\n", key.example),
        _ => format!("{above}{}\n", key.example),
    }
}

#[test]
fn the_page_and_the_schema_are_what_the_code_knows() {
    for (file, text) in [
        ("docs/aeroform-toml.md", page()),
        ("docs/schemas/aeroform.schema.json", schema()),
    ] {
        assert_printed(file, &text);
    }
}

#[test]
fn every_key_of_the_list_is_read() {
    for table in tables() {
        for key in table.keys {
            let text = format!("{}{} = 1979-05-27\n", header(table, key.name), key.name);
            let found = load(&text);
            let is_read = found.diagnostics.iter().any(|diagnostic| {
                let location = diagnostic.location.as_ref();
                let here = location.is_some_and(|location| location.excerpt.starts_with(key.name));
                here && diagnostic.code == "wrong_type"
            });
            assert!(is_read, "{text}\n{}", rendered(&found));
        }
    }
}

#[test]
fn a_key_that_the_list_lacks_is_unknown_in_every_table() {
    let validator = validator();
    for table in tables() {
        let text = format!("{}zzz = 1\n", header(table, ""));
        let found = load(&text);
        let is_unknown = found
            .diagnostics
            .iter()
            .any(|diagnostic| diagnostic.code == "unknown_key");
        assert!(is_unknown, "{text}\n{}", rendered(&found));
        let refused = fits(&validator, &text).unwrap_err();
        assert!(refused.contains("zzz"), "{text}\n{refused}");
    }
}

#[test]
fn every_example_of_the_list_is_right() {
    let validator = validator();
    for table in tables() {
        for key in table.keys {
            let text = example(table, key);
            let found = load(&text);
            assert_eq!(
                found.diagnostics.errors(),
                0,
                "{text}\n{}",
                rendered(&found)
            );
            assert_eq!(fits(&validator, &text), Ok(()), "{text}");
        }
    }
}

#[test]
fn the_example_at_the_top_of_the_page_is_right() {
    let page = page();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let found = load(text);
    assert_eq!(found.diagnostics.errors(), 0, "{}", rendered(&found));
    assert_eq!(fits(&validator(), text), Ok(()));
}

/// The files under a folder whose name ends like this.
fn below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, ending, found);
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
}

#[test]
fn every_aeroform_toml_of_the_examples_fits_the_schema() {
    let validator = validator();
    let mut files = Vec::new();
    below(&root().join("examples"), "aeroform.toml", &mut files);
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(fits(&validator, &text), Ok(()), "{}", file.display());
    }
}

#[test]
fn the_schema_and_the_reader_agree_on_what_is_wrong() {
    let validator = validator();
    for text in [
        "provider = \"flly\"",
        "config = \"\"",
        "image = 7",
        "state = \"state/shop.json\"",
        "[state]\npath = \"a.json\"\nurl = \"https://state.example/a\"",
        "[groups.web]\ncount = -1",
        "[groups.web]\ncount = 1.5",
        "[groups.web]\ncount = 100001",
        "[groups.web]\ncount = \"2\"",
        "[groups.web]\ncuont = 2",
        "[groups.web]\nregions = []",
        "[groups.web]\nregions = {}",
        "[groups.web]\nregions = [\"gru\", \"gru\"]",
        "[groups.web]\nregions = [\"GRU\"]",
        "[groups.web]\nregions = \"gru\"",
        "[groups.web]\nregions = { gru = \"2\" }",
        "[groups.web]\nregions = { gru = -1 }",
        "[groups.web]\nmax_per_region = 0",
        "[groups.web]\nstandby = \"yes\"",
        "[groups.web]\nha = 1",
        "[groups.web]\nprotect = \"true\"",
        "[groups.web.deploy]\nsteady = \"10\"",
        "[groups.web.deploy]\nsteady = \"1 minute\"",
        "[groups.web.deploy]\nsteady = -1",
        "[groups.web.deploy]\nstrategy = \"roling\"",
        "[groups.web.deploy]\nmax_unavailable = 0",
        "[groups.web.deploy]\nmax_unavailable = -1",
        "[groups.web.deploy]\nmax_unavailable = \"2\"",
        "[groups.web.deploy]\nmax_unavailable = 5000000000",
        "[groups.web.deploy]\nwait_timeout = 0",
        "[groups.web.deploy]\nwait_timeout = \"soon\"",
        "[groups.web.deploy]\norder = []",
        "[groups.web.deploy]\norder = [\"GRU\"]",
        "[groups.web.deploy]\norder = [\"gru\", \"gru\"]",
        "[groups.web.deploy]\norder = [\"*\", \"*\"]",
        "[groups.web.local]\ncommand = [\"a\"]",
        "[groups]\nweb = 2",
        "[[moved]]\nfrom = \"worker\"",
        "[[moved]]\nto = \"web\"",
        "[[moved]]\nfrom = \"worker\"\nmachine = \"a1\"\nto = \"web\"",
        "[[moved]]\nmachine = \"A1\"\nto = \"web\"",
        "[moved]\nfrom = \"worker\"\nto = \"web\"",
        "[[removed]]",
        "[deploy]\non_failure = \"roll\"",
        "[deploy]\ngroups_order = []",
        "[deploy]\ngroups_order = [\"web\"]",
        "[deploy]\ngroups_order = [[\"web\"], []]",
        "[deploy]\nverify = \"\"",
        "[deploy]\nverify = [\"bin/smoke\"]",
        "[deploy]\nverify_timeout = \"soon\"",
        "[policy]\nmax_destroy = \"lots\"",
        "[policy]\nmax_destroy = \"101%\"",
        "[policy]\nmax_destroy = -1",
        "[environments.production]\nimage = \"a:b\"",
    ] {
        let found = load(text);
        assert!(found.diagnostics.errors() > 0, "the reader takes\n{text}");
        assert!(fits(&validator, text).is_err(), "the schema takes\n{text}");
    }
    for text in [
        "",
        "[groups.web]\ncount = 0\nregions = [\"gru\"]",
        "[groups.web]\nregions = { gru = 2, iad = 0 }\nstandby = 2",
        "[groups.web.deploy]\nsteady = 1.5",
        "[groups.web.deploy]\nsteady = \"1m0.5s\"",
        "[groups.web.deploy]\nsteady = \"0\"",
        "[groups.web.deploy]\nstrategy = \"immediate\"\nmax_unavailable = 0.5\nwait_timeout = 90",
        "[groups.web.deploy]\nmax_unavailable = 1000\nwait_timeout = \"1m30s\"",
        "[groups.web.deploy]\norder = [\"*\", \"gru\"]",
        "[deploy]\ngroups_order = [[\"jobs\", \"web\"]]",
        "[deploy]\nverify = \"bin/smoke --all\"\nverify_timeout = 90",
        "[deploy]\nverify = \"bin/smoke\"\nverify_timeout = \"1h30m\"",
        "[policy]\nmax_destroy = 0",
        "[policy]\nmax_destroy = \"12.5 %\"",
        "[policy]\nmax_destroy = \"100%\"",
    ] {
        let found = load(text);
        assert_eq!(
            found.diagnostics.errors(),
            0,
            "{text}\n{}",
            rendered(&found)
        );
        assert_eq!(fits(&validator, text), Ok(()), "{text}");
    }
}
