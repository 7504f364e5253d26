//! `machine_config` and `container`: a Machine config to start from, and which of its containers
//! runs the image (docs/platform/fly-toml.md 3.10).

use serde_json::Value;

use crate::core::fleet::MachineConfig;
use crate::core::fleet::schema::{CONFIG, FieldType, Owner};
use crate::core::scrub;

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::settings::Overrides;
use super::super::tree::Located;
use super::config_tree::{in_lower_case, misfit};
use super::local_files::{self, MissingFile};

/// Placeholder for the app's image.
const APP_IMAGE_PLACEHOLDER: &str = ".";

/// The default container for the app's image.
const DEFAULT_CONTAINER: &str = "app";

/// The base of every group's config.
#[derive(Debug, Clone, Default)]
pub(in crate::core::manifest) struct BaseConfig {
    pub(super) config: MachineConfig,
    container: Option<String>,
}

/// Whether a `machine_config` is inline JSON, not a path.
pub(in crate::core::manifest) fn is_inline(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Reads both keys; `experimental` is the old form of the first, which overrides it.
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    experimental: Option<Located<String>>,
    overrides: &Overrides,
) -> BaseConfig {
    let container = fields.text("container");
    let own = fields.string("machine_config");
    let written = experimental.or(own).filter(|text| !text.value.is_empty());
    let Some(written) = written else {
        return BaseConfig {
            container,
            ..BaseConfig::default()
        };
    };
    let config = if is_inline(&written.value) {
        config(fields, &written, written.value.as_bytes())
    } else {
        local_files::content(fields.file, &written, overrides, MissingFile::Refused)
            .and_then(|bytes| config(fields, &written, bytes))
    };
    let read = config.is_some();
    let start = BaseConfig {
        config: config.unwrap_or_default(),
        container,
    };
    if read {
        check_containers(fields, &written, &start);
    }
    start
}

fn config(
    fields: &Fields<'_, '_>,
    written: &Located<String>,
    bytes: &[u8],
) -> Option<MachineConfig> {
    let file = fields.file;
    let tree = serde_json::from_slice(bytes).map(|tree| in_lower_case(CONFIG, tree));
    let misfit = tree.as_ref().ok().and_then(|tree| misfit(CONFIG, tree, ""));
    // Only parsing the text gives the location of an error.
    let placed = |error| {
        let of_text = serde_json::from_slice::<MachineConfig>(bytes).err();
        scrub::describe_parse_error(&of_text.unwrap_or(error).to_string())
    };
    let read = tree.and_then(MachineConfig::from_value).map_err(placed);
    let config = match read.and_then(|config| misfit.map_or(Ok(config), Err)) {
        Ok(config) => config,
        Err(why) => {
            let what = if is_inline(&written.value) {
                "`machine_config`".to_owned()
            } else {
                quote_text(&written.value)
            };
            let message = format!("{what} is not a Machine config: {why}");
            let found = Diagnostic::error(codes::BAD_MACHINE_CONFIG, message)
                .with_location(file.location(written.span.clone(), ""));
            let is_yaml = [".yaml", ".yml"]
                .iter()
                .any(|end| written.value.ends_with(end));
            let help = "`machine_config` must be JSON, also in a file";
            file.report(if is_yaml && !is_inline(&written.value) {
                found.help(help)
            } else {
                found
            });
            return None;
        }
    };
    let replaced: Vec<String> = overridden_fields(&config)
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if !replaced.is_empty() {
        let message = format!(
            "Fly takes {} from the sections of fly.toml, not from `machine_config`",
            replaced.join(", ")
        );
        file.report(
            Diagnostic::warning(codes::MACHINE_CONFIG_REPLACED, message)
                .with_location(file.location(written.span.clone(), ""))
                .help("write them as sections of fly.toml"),
        );
    }
    Some(config)
}

/// Fields that flyctl always takes from sections of fly.toml, even if these are missing.
fn overridden_fields(config: &MachineConfig) -> Vec<String> {
    let tree = config.to_value();
    let mut found = Vec::new();
    for row in CONFIG.rows {
        let Some(written) = tree.get(row.name) else {
            continue;
        };
        match (row.spec.owner, row.kind()) {
            (Owner::Platform, FieldType::Section(table)) => {
                let ours = table
                    .rows
                    .iter()
                    .filter(|row| row.spec.owner == Owner::Deploy);
                let ours = ours.filter(|inner| written.get(inner.name).is_some());
                found.extend(ours.map(|inner| format!("{}.{}", row.name, inner.name)));
            }
            // Without a `[[vm]]` the size applies.
            (Owner::Platform, _) | (Owner::Running, FieldType::Section(_)) => {}
            (Owner::Deploy | Owner::Running, _) => found.push(row.name.to_owned()),
        }
    }
    found
}

/// flyctl rejects an unknown `container`, and any other container without an image.
fn check_containers(fields: &Fields<'_, '_>, written: &Located<String>, start: &BaseConfig) {
    let containers: Vec<_> = start
        .config
        .containers
        .iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let name = |at: usize| containers[at].get("name").and_then(Value::as_str);
    let problem = match &start.container {
        Some(container) if (0..containers.len()).all(|at| name(at) != Some(container)) => {
            let message = format!(
                "`container` names {}, which does not exist",
                quote_text(container)
            );
            let names = containers
                .iter()
                .filter_map(|container| container.get("name")?.as_str());
            let help = fields.file.suggestion(container, names);
            Some((message, help))
        }
        _ => {
            let chosen = start.app_container(&containers);
            let lacks = |container: &serde_json::Map<String, Value>| {
                let image = container.get("image").and_then(Value::as_str);
                image.is_none_or(str::is_empty)
            };
            (0..containers.len())
                .find(|at| Some(*at) != chosen && lacks(containers[*at]))
                .map(|at| {
                    let which = name(at).map_or_else(|| format!("number {}", at + 1), quote_text);
                    let message = format!("container {which} has no `image`");
                    let help = "add an image, or \".\" for the app's image";
                    (message, Some(help.to_owned()))
                })
        }
    };
    if let Some((message, help)) = problem {
        fields.file.bad_value(written.span.clone(), message, help);
    }
}

impl BaseConfig {
    /// Which container runs the app's image: the one that is named, else `app`, else the first.
    fn app_container<C: std::borrow::Borrow<serde_json::Map<String, Value>>>(
        &self,
        containers: &[C],
    ) -> Option<usize> {
        let name = self.container.as_deref().unwrap_or(DEFAULT_CONTAINER);
        let named = containers.iter().position(|container| {
            container.borrow().get("name").and_then(Value::as_str) == Some(name)
        });
        named.or((!containers.is_empty()).then_some(0))
    }

    /// Sets the app's image in containers with the placeholder. Without an image they have none, and keep the running one.
    pub(in crate::core::manifest) fn with_image(
        &self,
        config: &mut MachineConfig,
        image: Option<&str>,
    ) {
        let containers = config.containers.iter_mut().flatten();
        let mut containers: Vec<_> = containers.filter_map(Value::as_object_mut).collect();
        let borrowed: Vec<_> = containers.iter().map(|container| &**container).collect();
        let chosen = self.app_container(&borrowed);
        for (at, container) in containers.iter_mut().enumerate() {
            let asks =
                container.get("image").and_then(Value::as_str) == Some(APP_IMAGE_PLACEHOLDER);
            if Some(at) == chosen || asks {
                match image {
                    Some(image) => container.insert("image".to_owned(), Value::from(image)),
                    None => container.remove("image"),
                };
            }
            let files = container.get_mut("files").and_then(Value::as_array_mut);
            for file in files.into_iter().flatten() {
                if let (Some(APP_IMAGE_PLACEHOLDER), Some(image)) =
                    (file.get("image_config").and_then(Value::as_str), image)
                {
                    file["image_config"] = Value::from(image);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::testing::fly_fields;
    use super::*;

    fn images(text: &str, image: Option<&str>) -> Value {
        let (start, found) = fly_fields(text, |f| read(f, None, &Overrides::default()));
        assert!(found.is_empty(), "{found:?}");
        let mut config = start.config.clone();
        start.with_image(&mut config, image);
        config.to_value()["containers"].clone()
    }

    #[test]
    fn one_container_runs_the_image_and_so_does_each_that_says_a_dot() {
        let machine_config = "machine_config = '{\"containers\": [{\"name\": \"a\", \"image\": \"x\"}, \
            {\"name\": \"b\", \"image\": \"y\"}, {\"name\": \"c\", \"image\": \".\"}]}'\n";
        let first = json!([{"name": "a", "image": "i"}, {"name": "b", "image": "y"}, {"name": "c", "image": "i"}]);
        assert_eq!(images(machine_config, Some("i")), first);
        let named = format!("{machine_config}container = \"b\"\n");
        let second = json!([{"name": "a", "image": "x"}, {"name": "b"}, {"name": "c"}]);
        assert_eq!(images(&named, None), second);
    }

    #[test]
    fn keys_are_known_in_any_case_and_an_unknown_one_stays_as_it_is() {
        let text = "machine_config = '{\"Containers\": [{\"name\": \"a\", \"New\": 1}], \"INIT\": {\"Tty\": true}, \
            \"New\": {\"Init\": 1}, \"schedule\": \"daily\", \"Schedule\": \"hourly\"}'\n";
        let (start, found) = fly_fields(text, |f| read(f, None, &Overrides::default()));
        assert!(found.is_empty(), "{found:?}");
        let mut config = start.config.to_value();
        let schedule = config.as_object_mut().unwrap().remove("schedule");
        assert_eq!(schedule, Some(json!("daily")));
        let expected = json!({"containers": [{"name": "a", "New": 1}], "init": {"tty": true},
            "New": {"Init": 1}, "Schedule": "hourly"});
        assert_eq!(config, expected);
    }

    #[test]
    fn an_invalid_machine_config_is_reported() {
        for text in [
            "'{\"env\": 1}'",
            "'{'",
            "'{\"dns\": 1}'",
            "'{\"containers\": [1]}'",
        ] {
            let text = format!("machine_config = {text}");
            let (_, found) = fly_fields(&text, |f| read(f, None, &Overrides::default()));
            assert_eq!(found.errors(), 1, "{text}");
        }
    }
}
