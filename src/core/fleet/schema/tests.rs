//! One independent case per row: what it means for the files, the platform and the plan. The last test
//! removes and changes every row and expects the case of its field to fail.

mod cases;
mod columns;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::*;
use crate::core::fleet::computed::without_computed;
use crate::core::fleet::{ComputedFields, Lineage, diff, normalise, overlay};
use cases::Silence::{Goes, Stays};
use cases::{Case, cases};

/// A config in which this field has this value or none, with every enclosing entry present.
fn with(path: &str, value: Option<&Value>) -> Value {
    let mut config = json!({});
    let mut here = &mut config;
    let mut before = "";
    let steps: Vec<&str> = path.split('.').collect();
    for (at, step) in steps.iter().enumerate() {
        let last = at + 1 == steps.len();
        let next = steps.get(at + 1).copied();
        match (*step, last) {
            ("*", _) if before == "checks" && at == 1 => {
                here = &mut here["c"];
                fill(here, "keep");
            }
            ("*", _) => {
                here = &mut here[0];
                fill(here, "keep");
                if before == "checks" {
                    // Without any key it would be nobody's.
                    here["type"] = json!("tcp");
                }
                if before == "services" && next != Some("internal_port") {
                    here["internal_port"] = json!(80);
                }
            }
            (step, true) => {
                if let Some(value) = value {
                    here[step] = value.clone();
                }
            }
            (step, false) => {
                let has_entries = next == Some("*") && !(step == "checks" && at == 0);
                here[step] = if has_entries { json!([{}]) } else { json!({}) };
                here = &mut here[step];
                if step == "guest" {
                    // A size is written, so all of it is deploy-owned.
                    let field = steps[at + 1];
                    for (key, value) in [("cpus", json!(2)), ("memory_mb", json!(2048))] {
                        if key != field {
                            here[key] = value;
                        }
                    }
                }
            }
        }
        before = step;
    }
    config
}

/// An unknown field, so that the entry exists without its only field.
fn fill(entry: &mut Value, key: &str) {
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    entry[key] = json!("1");
}

/// What the table gets wrong about the case.
fn broken(table: &Table, case: &Case) -> Option<String> {
    broken_value(table, case).or_else(|| columns::broken(table, case))
}

fn broken_value(table: &Table, case: &Case) -> Option<String> {
    let Some((row, is_key)) = row_of(table, case.path) else {
        return Some("the table does not know it".to_owned());
    };
    let owner = match case.silence {
        Goes => Owner::Deploy,
        Stays if ["image", "guest"].contains(&case.path) => Owner::Running,
        Stays => Owner::Platform,
    };
    if row.spec.effect != case.forces.unwrap_or(Effect::Bookkeeping) {
        return Some(format!("the effect of its row is {:?}", row.spec.effect));
    }
    if case.forces.is_some() && row.spec.owner != owner {
        return Some(format!("the owner of its row is {:?}", row.spec.owner));
    }
    let lineage = Lineage::new("l").expect("it is valid");
    let normalised =
        |value: Option<&Value>| normalise::normalise_tree(table, with(case.path, value));
    let diff_of = |before: &Value, after: &Value| diff::diff_by_table(table, before, after);
    let (there, none) = (with(case.path, Some(&case.one)), with(case.path, None));
    // On a Machine, and not written.
    let laid =
        normalise::normalise_tree(table, overlay::overlay_by_table(table, &there, None, &none));
    let expected = match case.silence {
        Goes => normalised(None),
        Stays => normalised(Some(&case.one)),
    };
    // An entry without its key is another entry.
    if laid != expected && !is_key {
        return Some(format!("nobody writes it, and it becomes {laid}"));
    }
    // Sent once, and no longer written: running fields are kept, bookkeeping is separate.
    let running = ["image", "guest"].contains(&case.path);
    let again = overlay::overlay_by_table(table, &there, Some(&there), &none);
    let goes = normalise::normalise_tree(table, again) == normalised(None);
    if case.forces.is_some() && !is_key && goes == running {
        return Some("what we sent and nobody writes".to_owned());
    }
    // Changed values.
    let found = diff_of(&normalised(Some(&case.one)), &normalised(Some(&case.other)));
    let effect = found.iter().map(|change| change.effect).max();
    if effect != case.forces {
        return Some(format!("a change of it forces {effect:?}"));
    }
    for nothing in &case.nothing {
        if normalised(Some(nothing)) != normalised(None) {
            return Some(format!("{nothing} is not as nothing"));
        }
    }
    if case.nothing.is_empty()
        && case.forces.is_some()
        && normalised(Some(&zero(&case.one))) == normalised(None)
        && zero(&case.one) != Value::Null
    {
        return Some("its empty value is as nothing".to_owned());
    }
    for (one, other) in &case.same {
        if normalised(Some(one)) != normalised(Some(other)) {
            return Some(format!("{one} is not {other}"));
        }
    }
    for (one, other) in &case.apart {
        if normalised(Some(one)) == normalised(Some(other)) {
            return Some(format!("{one} is {other}"));
        }
    }
    if case.same.is_empty() && case.forces.is_some() {
        for (one, other) in [(json!("60s"), json!("1m")), (json!("a"), json!("A"))] {
            if case.one.is_string() && normalised(Some(&one)) == normalised(Some(&other)) {
                return Some(format!("{one} is {other}"));
            }
        }
        if let (Value::Array(one), Value::Array(other)) = (&case.one, &case.other) {
            let list = |parts: [&Vec<Value>; 2]| Value::from(parts.map(Vec::clone).concat());
            let (there, turned) = (list([one, other]), list([other, one]));
            if normalised(Some(&there)) == normalised(Some(&turned)) {
                return Some("its order means nothing".to_owned());
            }
        }
    }
    // The platform's default.
    let quiet = |value: &Value| {
        let (there, silent) = (normalised(Some(value)), normalised(None));
        let left = without_computed(table, &there, &silent, &ComputedFields::default(), &lineage);
        diff_of(&left, &silent).is_empty()
    };
    let written = |value: &Value| diff_of(&normalised(None), &normalised(Some(value))).is_empty();
    match &case.default {
        Some(default) if !quiet(default) => Some(format!("{default} is no default")),
        Some(default) if written(default) => Some("a written default is no change".to_owned()),
        _ if case.forces.is_some()
            && case.default != Some(case.one.clone())
            && quiet(&case.one) =>
        {
            Some("what is no default is passed over".to_owned())
        }
        _ => None,
    }
}

/// The row of a path, and whether that field alone identifies the entry.
fn row_of(table: &Table, path: &str) -> Option<(&'static FieldRow, bool)> {
    let mut steps = path.split('.').filter(|step| *step != "*").peekable();
    let mut table = table.rows;
    let mut keys: &[&str] = &[];
    loop {
        let step = steps.next()?;
        let row: &'static FieldRow = table.iter().find(|row| row.name == step)?;
        if steps.peek().is_none() {
            return Some((row, keys == [step] || keys.len() == 2 && keys[0] == step));
        }
        let (FieldType::Section(inner) | FieldType::List(inner) | FieldType::Entries(inner)) =
            row.kind()
        else {
            return None;
        };
        (table, keys) = (inner.rows, row.spec.entry_keys);
    }
}

fn zero(value: &Value) -> Value {
    match value {
        Value::Bool(_) => json!(false),
        Value::Number(_) => json!(0),
        Value::String(_) => json!(""),
        Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

/// The paths of all rows; service checks count once, since they share a table.
fn paths(table: &'static Table, above: &str, found: &mut BTreeMap<String, &'static FieldRow>) {
    for row in table.rows {
        let path = match above {
            "" => row.name.to_owned(),
            above => format!("{above}.{}", row.name),
        };
        found.insert(path.clone(), row);
        match row.kind() {
            FieldType::Section(inner) => paths(inner, &path, found),
            FieldType::List(_) if path == "services.checks" || path == "services.*.checks" => {}
            FieldType::List(inner) | FieldType::Entries(inner) => {
                paths(inner, &format!("{path}.*"), found);
            }
            FieldType::Flag
            | FieldType::Number(_)
            | FieldType::Text
            | FieldType::Texts
            | FieldType::TextMap
            | FieldType::Any => {}
        }
    }
}

#[test]
fn each_row_has_a_case_that_holds() {
    let mut rows = BTreeMap::new();
    paths(CONFIG, "", &mut rows);
    let cases = cases();
    let missing: Vec<_> = rows
        .keys()
        .filter(|path| !cases.iter().any(|case| case.path == path.as_str()))
        .collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
    let broken: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.path, broken(CONFIG, case)?)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    println!("{} rows, {} cases", rows.len(), cases.len());
}

/// The table with one row changed, or removed if `new` is `None`; it leaks memory, which a test may.
fn mutated(table: &'static Table, row: &'static FieldRow, new: Option<FieldRow>) -> &'static Table {
    let rows: Vec<FieldRow> = table
        .rows
        .iter()
        .filter_map(|one| {
            if std::ptr::eq(one, row) {
                return new;
            }
            let inside = |inner: &'static Table| mutated(inner, row, new);
            let kind = match one.kind() {
                FieldType::Section(inner) => FieldType::Section(inside(inner)),
                FieldType::List(inner) => FieldType::List(inside(inner)),
                FieldType::Entries(inner) => FieldType::Entries(inside(inner)),
                other => other,
            };
            Some(FieldRow {
                spec: one.spec.field_type(kind),
                ..*one
            })
        })
        .collect();
    Box::leak(Box::new(Table {
        rows: Box::leak(rows.into_boxed_slice()),
        ..*table
    }))
}

/// The row with one column changed, in every way that can matter. `case` is the case of its field.
fn changed(row: &FieldRow, case: &Case, is_key: bool) -> Vec<(String, Option<FieldRow>)> {
    let mut all = vec![("left out".to_owned(), None)];
    let mut add = |what: String, change: &dyn Fn(&mut FieldSpec)| {
        let mut row = *row;
        change(&mut row.spec);
        all.push((what, Some(row)));
    };
    let spec = &row.spec;
    let is_section = matches!(row.kind(), FieldType::Section(_));
    for owner in [Owner::Deploy, Owner::Platform, Owner::Running] {
        // The fields of a nested table have their own owners.
        let by_leaves = is_section && owner != Owner::Running && spec.owner != Owner::Running;
        if owner != spec.owner && !by_leaves && spec.effect != Effect::Bookkeeping {
            add(format!("owner {owner:?}"), &|spec| spec.owner = owner);
        }
    }
    for effect in [Effect::Bookkeeping, Effect::InPlace, Effect::Replace] {
        let by_leaves = is_section && effect != Effect::Bookkeeping;
        if effect != spec.effect && !by_leaves {
            add(format!("effect {effect:?}"), &|spec| spec.effect = effect);
        }
    }
    if spec.stamps.is_some() {
        add("stamps".to_owned(), &|spec| spec.stamps = None);
    }
    // The other columns say nothing about a field that is not compared.
    if spec.effect == Effect::Bookkeeping {
        return all;
    }
    let is_text = matches!(row.kind(), FieldType::Text);
    let is_number = matches!(row.kind(), FieldType::Number(_));
    let is_list = matches!(row.kind(), FieldType::List(_));
    if is_text || is_number || matches!(row.kind(), FieldType::Flag) {
        let is = spec.equals.empty_is_absent;
        add(format!("empty {}", !is), &|spec| {
            spec.equals.empty_is_absent = !is;
        });
    }
    if is_list || matches!(row.kind(), FieldType::Texts) {
        let is = spec.equals.any_order;
        add(format!("any order {}", !is), &|spec| {
            spec.equals.any_order = !is;
        });
    }
    for spelling in spellings(row, is_text) {
        add(format!("{spelling:?}"), &|spec| {
            spec.equals.spelling = spelling;
        });
    }
    // A value that stays where no file writes it needs no default.
    let has_default = (is_text || is_number) && !is_key && spec.owner != Owner::Running;
    for default in defaults(case, has_default) {
        if default != spec.equals.default {
            add(format!("default {default:?}"), &|spec| {
                spec.equals.default = default;
            });
        }
    }
    for left_out in spec.entry_keys {
        let keys = spec.entry_keys.iter().copied();
        let others: Vec<&'static str> = keys.filter(|key| key != left_out).collect();
        let others: &'static [&'static str] = Box::leak(others.into_boxed_slice());
        add(format!("keys {others:?}"), &|spec| {
            spec.entry_keys = others;
        });
    }
    // With another key it is another entry, so no change of a key is reported.
    if is_key {
        return all;
    }
    for secret in [SecretRule::No, SecretRule::ByName, SecretRule::Always] {
        // The values of a table have their own rules, and only maps and headers have names.
        let by_name = secret == SecretRule::ByName && spec.secret == SecretRule::No;
        let has_names = matches!(row.kind(), FieldType::TextMap);
        let is_table = is_section || matches!(row.kind(), FieldType::Entries(_));
        if secret != spec.secret && !is_table && (!by_name || has_names) {
            add(format!("secret {secret:?}"), &|spec| spec.secret = secret);
        }
    }
    for rule in shrink_rules(row, case) {
        add(format!("{rule:?}"), &|spec| spec.shrinks_by = rule);
    }
    all
}

/// Other changes that could reduce the row.
fn shrink_rules(row: &FieldRow, case: &Case) -> Vec<ShrinkRule> {
    let mut all = vec![ShrinkRule::Nothing];
    match (row.kind(), row.spec.shrinks_by, &case.one, &case.other) {
        (FieldType::Number(_), ..) => all.push(ShrinkRule::Number),
        (_, ShrinkRule::Words(more, less), ..) => all.push(ShrinkRule::Words(less, more)),
        (FieldType::Text, _, Value::String(one), Value::String(other)) => {
            all.push(ShrinkRule::Words(one.clone().leak(), other.clone().leak()));
        }
        _ => {}
    }
    all.retain(|rule| *rule != row.spec.shrinks_by);
    all
}

/// Other spellings that a value of the row could have.
fn spellings(row: &FieldRow, is_text: bool) -> Vec<Spelling> {
    let now = row.spec.equals.spelling;
    let mut all = vec![Spelling::AsIs];
    if is_text {
        all.extend([Spelling::Duration, Spelling::AnyCase]);
    }
    if let Spelling::Clamped(least, most) = now {
        let second = 1_000_000_000;
        let other = if least == 0 { second } else { 0 };
        all.extend([
            Spelling::Clamped(other, most),
            Spelling::Clamped(least, most * 2),
        ]);
    }
    all.retain(|spelling| *spelling != now);
    all
}

/// No default, and the case's value as the default.
fn defaults(case: &Case, has_default: bool) -> Vec<PlatformDefault> {
    let mut all = vec![PlatformDefault::Nothing];
    let fits = has_default && case.default != Some(case.one.clone());
    match &case.one {
        Value::Number(number) if fits => {
            all.extend(number.as_u64().map(PlatformDefault::Number));
        }
        Value::String(text) if fits => all.push(PlatformDefault::Text(text.clone().leak())),
        _ => {}
    }
    all
}

#[test]
fn each_row_that_is_lost_or_changed_fails_the_case_of_its_field() {
    let mut rows = BTreeMap::new();
    paths(CONFIG, "", &mut rows);
    let cases = cases();
    let (mut tried, mut survivors) = (0, Vec::new());
    for (path, row) in &rows {
        let case = cases.iter().find(|case| case.path == path.as_str());
        let is_key = path.rsplit_once(".*.").is_some_and(|(list, name)| {
            let list = row_of(CONFIG, list).expect("it has a row").0;
            list.spec.entry_keys.contains(&name)
        });
        for (what, new) in changed(row, case.expect("each row has a case"), is_key) {
            let table = mutated(CONFIG, row, new);
            tried += 1;
            // Checks of services share the table of the others.
            let of_service = format!("services.*.{path}");
            let near = |case: &&Case| {
                case.path.starts_with(path.as_str()) || case.path.starts_with(&of_service)
            };
            let mut near = cases.iter().filter(near);
            if !near.any(|case| broken(table, case).is_some()) {
                survivors.push(format!("{path}: {what}"));
            }
        }
    }
    println!("{tried} changed tables, survivors: {survivors:?}");
    assert!(
        survivors.is_empty(),
        "{} of {tried} survive:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}

#[test]
fn a_default_of_the_platform_counts_as_silence_and_not_the_other_way_round() {
    let lineage = Lineage::new("l").expect("it is valid");
    let config = |value: Value| MachineConfig::from_value(value).expect("it is a config");
    let changes = |there: &MachineConfig, after: &MachineConfig| {
        diff::required_changes(there, after, &ComputedFields::default(), &lineage)
    };
    let computed = config(json!({
        "restart": {"policy": "on-failure", "max_retries": 10},
        "services": [{"internal_port": 80, "protocol": "tcp", "checks": [
            {"type": "http", "path": "/", "method": "GET", "protocol": "http", "port": 80}]}]
    }));
    let silent = config(json!({"services": [{"internal_port": 80, "checks": [
        {"type": "http", "path": "/"}]}]}));
    assert_eq!(changes(&computed, &silent), []);
    let laid = overlay::config_for(&silent, Some(&computed), None);
    assert_eq!(
        changes(&computed, &laid),
        [],
        "and what is laid over it is no change"
    );
    assert!(
        !changes(&silent, &computed).is_empty(),
        "a written default is sent"
    );
    let seven = config(json!({"restart": {"max_retries": 7}}));
    assert_eq!(
        changes(&seven, &config(json!({})))[0].path,
        ["restart", "max_retries"]
    );
}
