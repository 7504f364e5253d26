//! The page and the JSON Schema of a Machine's config, and that the rows and the keys of fly.toml are the same.

use std::fs;
use std::path::{Path, PathBuf};

use aeroform::core::fleet::MachineConfig;
use aeroform::core::fleet::schema::{CONFIG, FieldType, Section as _, Table, Toml};
use aeroform::core::manifest::config_fields::{page, schema};
use aeroform::core::manifest::reference::{KeySupport, sections};
use serde_json::{Value, json};

use crate::assert_printed;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_page_and_the_schema_of_a_config_are_what_the_rows_say() {
    for (file, text) in [
        ("docs/machine-config.md", page()),
        ("docs/schemas/machine-config.schema.json", schema()),
    ] {
        assert_printed(file, &text);
    }
}

fn rows(table: &Table, found: &mut Vec<String>) {
    for row in table.rows {
        match row.spec.toml {
            Toml::Key(key, _) | Toml::InTable(_, key, _) => found.push(key.to_owned()),
            Toml::TableOfName(_) => found.push(row.name.to_owned()),
            Toml::Table(_) | Toml::Nowhere => {}
        }
        // The keys of tables inside a table are no sections of the page.
        if matches!(row.spec.toml, Toml::Key(..)) {
            continue;
        }
        match row.kind() {
            FieldType::Section(inner) | FieldType::List(inner) | FieldType::Entries(inner) => {
                rows(inner, found);
            }
            _ => {}
        }
    }
}

#[test]
fn every_key_of_fly_toml_that_a_row_names_is_one_that_is_read() {
    let mut named = Vec::new();
    rows(CONFIG, &mut named);
    let read: Vec<&str> = sections()
        .flat_map(|section| section.keys)
        .filter(|key| {
            matches!(
                key.support,
                KeySupport::Supported | KeySupport::PassedThrough
            )
        })
        .map(|key| key.name)
        .collect();
    let unknown: Vec<_> = named
        .iter()
        .filter(|key| !key.is_empty() && !read.contains(&key.as_str()))
        .collect();
    assert_eq!(unknown, [""; 0]);
    assert!(named.len() > 50, "{}", named.len());
}

#[test]
fn the_schema_takes_what_the_reader_takes_and_nothing_else_of_a_known_field() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    assert_eq!(MachineConfig::TABLE.name, CONFIG.name);
    for (config, is_valid) in [
        (json!({}), true),
        (
            json!({"services": [{"internal_port": 80, "autostop": false, "new": [1]}], "new": {}}),
            true,
        ),
        (json!({"services": null, "restart": {"policy": null}}), true),
        (json!({"services": [{"internal_port": 70_000}]}), false),
        (json!({"services": {"internal_port": 80}}), false),
        (json!({"guest": {"cpus": "2"}}), false),
        (json!({"guest": {"cpus": -1}}), false),
        (json!({"env": {"A": 1}}), false),
        (json!({"init": {"cmd": "sh"}}), false),
        (json!({"checks": {"up": {"tls_skip_verify": "no"}}}), false),
        (json!({"mounts": [{"path": ["/data"]}]}), false),
    ] {
        assert_eq!(schema.is_valid(&config), is_valid, "{config}");
        let read = MachineConfig::from_value(config.clone()).is_ok();
        assert_eq!(read, is_valid, "{config}");
    }
}

/// The recorded Machines lie beside the project, and are not part of it.
#[test]
fn recorded_configs_are_valid() {
    let bodies = root().join("../shared/api-bodies");
    let Ok(files) = fs::read_dir(&bodies) else {
        println!("skipped: there is no {}", bodies.display());
        return;
    };
    let schema = jsonschema::draft202012::new(&serde_json::from_str(&schema()).unwrap()).unwrap();
    let mut seen = 0;
    for file in files {
        let path = file.unwrap().path();
        let odd = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("odd-");
        if path.extension().is_none_or(|end| end != "json") || odd {
            continue;
        }
        let body: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for machine in body["machines"].as_array().into_iter().flatten() {
            let Some(config) = machine.get("config").filter(|config| config.is_object()) else {
                continue;
            };
            // Answers spell some values in other ways than a config that is sent.
            let config = MachineConfig::parse(&config.to_string())
                .unwrap()
                .to_value();
            let errors: Vec<String> = schema
                .iter_errors(&config)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
            seen += 1;
        }
    }
    println!("{seen} recorded configs are valid");
    assert!(seen > 10);
}
