//! How the value of each field of a config is put together, and whose the field is.
//!
//! The only place that knows what `fly deploy` always replaces (facts/fly-toml-to-machine.md 3.1) and
//! how the entries of a list are found again. Lays nothing over anything: that is [`super::overlay`];
//! says no difference: that is [`super::difference`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::MachineConfig;

/// How a field's value is put together from the parts of what exists and what is wanted.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Taken whole.
    Leaf,
    /// A table: wanted keys win, keys in `owned` go when unwanted, other keys stay unless we sent them.
    Table {
        owned: &'static [&'static str],
        fields: &'static [(&'static str, Shape)],
    },
    /// A map of named entries: unwanted entries go, entries of both are laid over each other.
    Entries(&'static Shape),
    /// A list whose entries are found again by these keys; unwanted entries go.
    List {
        keys: &'static [&'static str],
        entry: &'static Shape,
        /// The first of several entries may win, so that another order is a change.
        ordered: bool,
    },
}

pub(super) const TABLE: Shape = Shape::Table {
    owned: &[],
    fields: &[],
};
/// Content comes from one source: the one that is wanted takes the others' place.
const FILE: Shape = Shape::Table {
    owned: &["image_config", "raw_value", "secret_name"],
    fields: &[],
};
/// flyctl makes a new guest of a written size, in which no GPU is left over.
const GUEST: Shape = Shape::Table {
    owned: &["gpu_kind", "gpus"],
    fields: &[],
};
const CHECK_LIST: Shape = Shape::List {
    keys: &["type", "path", "method", "protocol", "port"],
    entry: &TABLE,
    ordered: false,
};
const PORT_LIST: Shape = Shape::List {
    keys: &["port", "start_port"],
    entry: &TABLE,
    ordered: false,
};
const SERVICE: Shape = Shape::Table {
    owned: &[],
    fields: &[
        ("checks", CHECK_LIST),
        ("ports", PORT_LIST),
        ("concurrency", TABLE),
    ],
};

/// Whose a top-level field is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Owner {
    /// Always replaced by `fly deploy`, cleared when absent.
    Ours,
    /// Kept unless wanted or sent by us.
    Platform,
}

/// The rule of every field. Destructures, so that a field added to [`MachineConfig`] cannot be
/// forgotten here.
pub(super) fn rules(config: &MachineConfig) -> Vec<(&'static str, Owner, Shape)> {
    use Owner::{Ours, Platform};
    let MachineConfig {
        auto_destroy: _,
        cache_drive: _,
        checks: _,
        containers: _,
        disable_machine_autostart: _,
        dns: _,
        env: _,
        files: _,
        guest: _,
        image: _,
        init: _,
        metadata: _,
        metrics: _,
        mounts: _,
        processes: _,
        restart: _,
        rootfs: _,
        schedule: _,
        services: _,
        size: _,
        standbys: _,
        statics: _,
        stop_config: _,
        other: _,
    } = config;
    let init = Shape::Table {
        owned: &["cmd", "entrypoint", "exec", "swap_size_mb"],
        fields: &[],
    };
    vec![
        ("auto_destroy", Platform, Shape::Leaf),
        ("cache_drive", Platform, TABLE),
        ("checks", Ours, Shape::Entries(&TABLE)),
        (
            "containers",
            Platform,
            Shape::List {
                keys: &["name"],
                entry: &TABLE,
                ordered: true,
            },
        ),
        ("disable_machine_autostart", Platform, Shape::Leaf),
        ("dns", Platform, TABLE),
        ("env", Ours, Shape::Entries(&Shape::Leaf)),
        (
            "files",
            Ours,
            Shape::List {
                keys: &["guest_path"],
                entry: &FILE,
                ordered: false,
            },
        ),
        ("guest", Platform, GUEST),
        ("image", Platform, Shape::Leaf),
        ("init", Platform, init),
        ("metadata", Platform, TABLE),
        ("metrics", Ours, TABLE),
        (
            "mounts",
            Ours,
            Shape::List {
                keys: &["name"],
                entry: &TABLE,
                ordered: false,
            },
        ),
        ("processes", Platform, Shape::Leaf),
        ("restart", Ours, TABLE),
        ("rootfs", Platform, TABLE),
        ("schedule", Platform, Shape::Leaf),
        (
            "services",
            Ours,
            Shape::List {
                keys: &["internal_port", "protocol"],
                entry: &SERVICE,
                ordered: false,
            },
        ),
        ("size", Platform, Shape::Leaf),
        ("standbys", Platform, Shape::Leaf),
        (
            "statics",
            Ours,
            Shape::List {
                keys: &["url_prefix", "guest_path"],
                entry: &TABLE,
                ordered: true,
            },
        ),
        ("stop_config", Ours, TABLE),
    ]
}

pub(super) fn shape_of(fields: &[(&str, Shape)], key: &str) -> Shape {
    fields
        .iter()
        .find(|(name, _)| *name == key)
        .map_or(Shape::Leaf, |(_, shape)| *shape)
}

/// Which of `items` each wanted entry is: the one of the same name; else, of those left over, the first
/// that says nothing else where the wanted one says something. The platform may have filled in a key
/// that nobody wrote, and its entry is the same one all the same.
pub(super) fn matches(keys: &[&str], wanted: &[Value], items: &[Value]) -> Vec<Option<usize>> {
    let names = entry_names(keys, items);
    let places: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let mut found: Vec<Option<usize>> = entry_names(keys, wanted)
        .iter()
        .map(|name| places.get(name.as_str()).copied())
        .collect();
    let taken: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let mut left: Vec<usize> = (0..items.len()).filter(|at| !taken.contains(at)).collect();
    for (wanted, found) in wanted.iter().zip(&mut found).filter(|(_, f)| f.is_none()) {
        let fits = |at: &usize| {
            let said = |key: &&str| wanted.get(*key).filter(|value| !value.is_null());
            let mut all = keys
                .iter()
                .filter_map(|key| Some((key, said(key)?)))
                .peekable();
            all.peek().is_some() && all.all(|(key, value)| items[*at].get(*key) == Some(value))
        };
        if let Some(place) = left.iter().position(fits) {
            *found = Some(left.remove(place));
        }
    }
    found
}

/// The names by which the entries of a list are found again: the values of their keys, and a number
/// where several entries share them.
pub(super) fn entry_names(keys: &[&str], items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let parts: Vec<String> = keys
            .iter()
            .filter_map(|key| match item.get(*key) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        let mut name = parts.join(" ");
        let same = names
            .iter()
            .filter(|n| **n == name || n.starts_with(&format!("{name} #")))
            .count();
        if same > 0 {
            name = format!("{name} #{}", same + 1);
        }
        names.push(name);
    }
    names
}

pub(super) fn named_entries(keys: &[&str], list: Option<&Value>) -> Vec<(String, Value)> {
    let items = list
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    entry_names(keys, items)
        .into_iter()
        .zip(items.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_one_name_are_numbered() {
        let entry = json!({"port": 80, "protocol": null});
        let names = entry_names(
            &["port", "protocol"],
            &[entry.clone(), entry.clone(), entry],
        );
        assert_eq!(names, ["80", "80 #2", "80 #3"]);
    }

    #[test]
    fn an_entry_is_the_one_of_its_name_else_one_that_says_nothing_else() {
        let keys = ["port", "protocol"];
        let there = [
            json!({"port": 80, "protocol": "tcp"}),
            json!({"port": 80, "protocol": "udp"}),
        ];
        let found = |wanted: &[Value]| matches(&keys, wanted, &there);
        assert_eq!(found(&[json!({"port": 80, "protocol": "udp"})]), [Some(1)]);
        assert_eq!(
            found(&[json!({"port": 80}), json!({"port": 80})]),
            [Some(0), Some(1)]
        );
        assert_eq!(found(&[json!({"port": 81})]), [None]);
        assert_eq!(
            found(&[json!({"checks": []})]),
            [None],
            "one that says nothing is nobody's"
        );
    }
}
