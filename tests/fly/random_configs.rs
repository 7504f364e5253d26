//! Random fly.toml over random live configs, on a platform that fills in defaults, reorders lists and respells
//! values: after an apply nothing is left to do, and of what is changed outside the owned fields are drift and the
//! others are not.

use aeroform::core::fleet::Desired;
use aeroform::core::fleet::schema::{CONFIG, FieldRow, FieldType, Owner, Table};
use aeroform::core::plan::Plan;
use serde_json::{Value, json};

use crate::fixture::{as_fly, ask, platform};
use crate::random_fleet::{Random, Written, live, manifest, values};
use crate::runs::{FlyFixture, target};

/// Cases that are tried; more with `AEROFORM_CASES`.
const CASES: u64 = 5;

/// One thing that is done from outside.
struct ConfigEdit {
    path: String,
    /// What is there afterwards; none takes it away.
    value: Option<Value>,
    owned: bool,
}

impl ConfigEdit {
    fn new(path: String, value: Option<Value>, owned: bool) -> Self {
        Self { path, value, owned }
    }
}

/// One more entry of a list, like the last one under another name.
fn another(row: &FieldRow, entries: &[Value]) -> Option<Value> {
    let mut more = entries.last()?.as_object()?.clone();
    let key = row
        .spec
        .entry_keys
        .iter()
        .find(|key| more.contains_key(**key))?;
    let name = match more[*key] {
        Value::Number(_) => json!(4321),
        _ => json!("more"),
    };
    more.insert((*key).to_owned(), name);
    Some(more.into())
}

/// Whose a table is and what of it was sent.
#[derive(Clone, Copy)]
struct FieldContext<'a> {
    /// Where it lies inside of a size.
    guest: bool,
    /// Whether sizes are written.
    sized: bool,
    /// What of it the files write.
    sent: Option<&'a Value>,
}

impl<'a> FieldContext<'a> {
    fn at(self, key: &str) -> Self {
        let sent = self.sent.and_then(|sent| sent.get(key));
        Self { sent, ..self }
    }

    /// The written entry that this one of a list is.
    fn entry(self, keys: &[&str], entry: &Value) -> Self {
        let written = self.sent.and_then(Value::as_array);
        let same = |other: &&'a Value| keys.iter().all(|key| other.get(*key) == entry.get(*key));
        let sent = written.and_then(|all| all.iter().find(same));
        Self { sent, ..self }
    }
}

/// Every leaf of the rows, those that are there and those that could be, with another value and with none; and
/// every list with an entry less and one more.
fn touches(
    table: &Table,
    tree: &Value,
    path: &str,
    context: FieldContext<'_>,
    found: &mut Vec<ConfigEdit>,
) {
    let Some(fields) = tree.as_object() else {
        return;
    };
    for key in fields.keys().filter(|key| table.row(key).is_none()) {
        let owned = context.at(key).sent.is_some();
        for value in [Some(json!("changed")), None] {
            found.push(ConfigEdit::new(format!("{path}/{key}"), value, owned));
        }
    }
    for row in table.rows {
        // A Machine's own line has its volumes and for whom it stands by. The legacy size is another way to say
        // what `guest` says.
        let apart = match table.name {
            "Mount" => ["name", "volume"],
            _ => ["standbys", "size"],
        };
        if apart.contains(&row.name) {
            continue;
        }
        let place = format!("{path}/{}", row.name);
        let there = fields.get(row.name);
        let inner = FieldContext {
            guest: context.guest || row.name == "guest",
            ..context.at(row.name)
        };
        let own = match row.spec.owner {
            Owner::Deploy => context.sized || !inner.guest,
            Owner::Running | Owner::Platform => inner.sent.is_some(),
        };
        match (row.kind(), there) {
            (FieldType::Section(within), there) => {
                let there = there.cloned().unwrap_or_else(|| json!({}));
                touches(within, &there, &place, inner, found);
            }
            (FieldType::List(within), Some(Value::Array(entries))) => {
                for (at, entry) in entries.iter().enumerate() {
                    let of = inner.entry(row.spec.entry_keys, entry);
                    let place = format!("{place}/{at}");
                    touches(within, entry, &place, of, found);
                    found.push(ConfigEdit::new(place, None, of.sent.is_some()));
                }
                let more = another(row, entries).filter(|_| row.name != "mounts");
                let place = format!("{place}/{}", entries.len());
                found.extend(more.map(|more| ConfigEdit::new(place, Some(more), own)));
            }
            (FieldType::Entries(within), Some(Value::Object(entries))) => {
                for (name, entry) in entries {
                    let place = format!("{place}/{name}");
                    touches(within, entry, &place, inner.at(name), found);
                    found.push(ConfigEdit::new(place, None, inner.at(name).sent.is_some()));
                }
            }
            (FieldType::TextMap, Some(Value::Object(entries))) => {
                let stamped = |name: &String| row.spec.stamps.is_some_and(|is| is(name));
                for name in entries.keys().filter(|name| !stamped(name)) {
                    let sent = inner.at(name).sent.is_some();
                    let own = sent || row.spec.owner == Owner::Deploy;
                    for (value, owned) in [(Some(json!("changed")), own), (None, sent)] {
                        found.push(ConfigEdit::new(format!("{place}/{name}"), value, owned));
                    }
                }
                let own = row.spec.owner == Owner::Deploy;
                found.push(ConfigEdit::new(
                    format!("{place}/MORE"),
                    Some(json!("1")),
                    own,
                ));
            }
            (_, there) => {
                let Some([one, two]) = values(table, row) else {
                    continue;
                };
                let value = if there == Some(&one) { two } else { one };
                found.push(ConfigEdit::new(place.clone(), Some(value), own));
                if there.is_some() {
                    found.push(ConfigEdit::new(place, None, own && inner.sent.is_some()));
                }
            }
        }
    }
}

/// Sets a value, with the tables around it where they are missing, or takes it away.
fn set(tree: &mut Value, path: &str, value: Option<Value>) {
    let steps: Vec<&str> = path[1..].split('/').collect();
    let (last, way) = steps.split_last().unwrap();
    let mut at = tree;
    for step in way {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => {
                if other.get(*step).is_none_or(Value::is_null) {
                    other[*step] = json!({});
                }
                &mut other[*step]
            }
        };
    }
    match (at, value) {
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (Value::Object(fields), None) => drop(fields.remove(*last)),
        (Value::Array(items), Some(value)) => {
            let at = last.parse().unwrap();
            items.truncate(at);
            items.push(value);
        }
        (at, Some(value)) => at[*last] = value,
        (at, None) => unreachable!("{path} in {at}"),
    }
}

/// Every change that can be made to a config.
fn all_edits(desired: &Desired, config: &Value, sized: bool, mounted: bool) -> Vec<ConfigEdit> {
    let mut sent = desired.groups.values().next().unwrap().template.to_value();
    sent["image"] = json!("r.example/shop:2");
    let context = FieldContext {
        guest: false,
        sized,
        sent: Some(&sent),
    };
    let mut all = Vec::new();
    touches(CONFIG, config, "", context, &mut all);
    // `false` is no `force_https`, and what the platform has added may disappear.
    let is_false = |edit: &ConfigEdit| edit.value == Some(json!(false));
    let is_host = |edit: &ConfigEdit| edit.path.ends_with("/host_dedication_id");
    all.retain(|edit| !(mounted && is_host(edit)));
    all.retain(|edit| !edit.path.ends_with("/force_https") || !is_false(edit));
    all
}

fn said(plan: &Plan) -> Vec<String> {
    let changes = plan.changes().flat_map(|(_, change)| &change.changes);
    changes.map(|change| change.path.join(".")).collect()
}

#[tokio::test(start_paused = true)]
async fn after_an_apply_nothing_is_left_and_of_changes_from_outside_only_owned_leaves_are_drift() {
    let cases = std::env::var("AEROFORM_CASES").map_or(CASES, |text| text.parse().unwrap());
    let (mut owned, mut others) = (0, 0);
    for seed in 0..cases {
        let mut dice = Random(seed);
        let Written {
            text: fly,
            sized,
            mounted,
        } = manifest(&mut dice);
        let desired = target(
            &fly,
            "image = \"r.example/shop:2\"\n[groups.app]\ncount = 1\n",
        );
        let server = platform();
        server.world().respells = true;
        if dice.chance(2) {
            server.world().extra_defaults = json!({"services": [{"autostart": true, "ports": [{"force_https": true}]}],
                "env": {"PLATFORM": "1"}, "stop_config": {"timeout": "70s"}});
        }
        let mut volume = None;
        if mounted {
            let body = json!({"name": "data", "region": "ams", "size_gb": 1});
            let (_, created) = ask(&server, "POST", "/v1/apps/shop/volumes", body).await;
            volume = created["id"].as_str().map(str::to_owned);
        }
        let before = live(&mut dice, volume.as_deref());
        server
            .world()
            .operator("shop")
            .add("calm-river-1", "ams", before.clone());
        let provider = as_fly(&server);
        let mut team = FlyFixture::of(&provider);
        let ran = team.settle(&desired).await;
        let warned = |note: &aeroform::core::plan::Note| note.code == "config_unreadable";
        assert!(
            !ran.plan.warnings.iter().any(warned),
            "seed {seed}: {before:#}"
        );
        let id = server.world().operator("shop").machines()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let raw = |world: &mut aeroform::emulator::world::World| {
            let mut config = Value::Null;
            world
                .operator("shop")
                .update(&id, |there| config = there.clone());
            config
        };
        let settled = raw(&mut server.world());
        assert_eq!(
            settled["not_known_to_us"], before["not_known_to_us"],
            "seed {seed}"
        );
        // Of a mount all stays but where it is and when it grows by itself.
        for key in [
            "name",
            "volume",
            "size_gb",
            "encrypted",
            "add_size_percent",
            "min_add_size_gb",
            "not_known_to_us",
        ] {
            let of = |config: &Value| config["mounts"][0][key].clone();
            assert_eq!(of(&settled), of(&before), "seed {seed}: {key}");
        }
        let all = all_edits(&desired, &settled, sized, mounted);
        for touch in all {
            server
                .world()
                .operator("shop")
                .update(&id, |config| set(config, &touch.path, touch.value.clone()));
            let (plan, _) = team.planned(&desired).await;
            let at = format!(
                "seed {seed}: {} = {:?}: {:?}\n{fly}\n{settled:#}",
                touch.path,
                touch.value,
                said(&plan)
            );
            assert_eq!(!plan.is_empty(), touch.owned, "{at}");
            assert_eq!(!plan.drift.is_empty(), touch.owned, "drift, {at}");
            if touch.owned {
                owned += 1;
            } else {
                others += 1;
            }
            server
                .world()
                .operator("shop")
                .update(&id, |config| *config = settled.clone());
        }
        let (plan, _) = team.planned(&desired).await;
        assert!(plan.is_empty(), "seed {seed}: {:?}", said(&plan));
    }
    println!("{cases} cases: {owned} owned leaves are drift, {others} others are not");
    assert!(owned > 20 * cases && others > 5 * cases);
}
