//! Matches list entries by the keys that the schema table names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Finds each desired entry in `items`: the entry with the same name, else the first remaining entry that
/// only fills in keys that the desired one leaves out. The platform may have computed such a key.
pub(super) fn match_entries(
    keys: &[&str],
    desired: &[Value],
    items: &[Value],
) -> Vec<Option<usize>> {
    let names = entry_names(keys, items);
    let positions: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let mut found: Vec<Option<usize>> = entry_names(keys, desired)
        .iter()
        .map(|name| positions.get(name.as_str()).copied())
        .collect();
    let matched: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let mut left: Vec<usize> = (0..items.len())
        .filter(|at| !matched.contains(at))
        .collect();
    for (desired, found) in desired.iter().zip(&mut found).filter(|(_, f)| f.is_none()) {
        let fits = |at: &usize| {
            let value_of = |key: &&str| desired.get(*key).filter(|value| !value.is_null());
            let mut all = keys
                .iter()
                .filter_map(|key| Some((key, value_of(key)?)))
                .peekable();
            all.peek().is_some() && all.all(|(key, value)| items[*at].get(*key) == Some(value))
        };
        if let Some(place) = left.iter().position(fits) {
            *found = Some(left.remove(place));
        }
    }
    found
}

/// Pairs the entries of `after` with those of `before`; either side may leave out keys.
pub(super) fn pair_entries(keys: &[&str], before: &[Value], after: &[Value]) -> Vec<Option<usize>> {
    let mut found = match_entries(keys, after, before);
    let matched: BTreeSet<usize> = found.iter().flatten().copied().collect();
    let left: Vec<usize> = (0..before.len())
        .filter(|at| !matched.contains(at))
        .collect();
    let open: Vec<usize> = (0..after.len()).filter(|at| found[*at].is_none()).collect();
    if left.is_empty() || open.is_empty() {
        return found;
    }
    let of =
        |list: &[Value], at: &[usize]| at.iter().map(|at| list[*at].clone()).collect::<Vec<_>>();
    let back = match_entries(keys, &of(before, &left), &of(after, &open));
    for (at, other) in left.iter().zip(back) {
        if let Some(other) = other {
            found[open[other]] = Some(*at);
        }
    }
    found
}

/// The names of list entries: the values of their keys, with a number if several entries share them.
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
        let items = [
            json!({"port": 80, "protocol": "tcp"}),
            json!({"port": 80, "protocol": "udp"}),
        ];
        let found = |desired: &[Value]| match_entries(&keys, desired, &items);
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
