//! `docs/aeroform-toml.md`, printed from the list.

use std::fmt::Write;

use super::{AeroformKey, ValueType, tables};

const INTRO: &str = "# aeroform.toml, key by key

<!-- Printed from src/core/manifest/aeroform_keys: `AEROFORM_UPDATE_DOCS=1 cargo test --test manifest page` -->

aeroform.toml sets what fly.toml cannot: how many Machines each process group has, where they run, and limits
on every plan. `aeroform init` writes the first one.

```toml
#:schema ./aeroform.schema.json
provider = \"fly\"

[state]
path = \"state/shop.json\"

[groups.web]
count = 8
regions = [\"gru\", \"iad\"]
max_per_region = 5
protect = true

[groups.jobs]
count = 1
standby = true

[[moved]]
from = \"worker\"
to = \"jobs\"

[policy]
max_destroy = 2
```

- **Every key is optional**, and so is the file. Without `count` and `regions`, the Machines of a group
  stay as they are.
- **An unknown key is an error** with its line and the nearest known key. Case matters.
- **Paths** are relative to the folder of this file.
- **Editors.** `aeroform init` writes `aeroform.schema.json` beside the file and names it in the first line, in
  the form that Taplo and the editors built on it read (`#:schema`). They then complete keys and mark wrong
  values. The schema is also in [schemas/aeroform.schema.json](schemas/aeroform.schema.json). An editor checks
  the form only; `aeroform validate` checks both files together.

";

/// The page as Markdown.
pub fn page() -> String {
    let mut out = INTRO.to_owned();
    for table in tables() {
        write!(out, "## {}\n\n{}\n\n", table.heading, table.about).expect(ANY);
        out.push_str(
            "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n",
        );
        for key in table.keys {
            writeln!(out, "{}", row(key)).expect(ANY);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

const ANY: &str = "a string takes any text";

fn row(key: &AeroformKey) -> String {
    format!(
        "| `{}` | {} | {} | {} | `{}` |",
        key.name,
        type_text(key.value_type),
        if key.default.is_empty() {
            "none"
        } else {
            key.default
        },
        key.about,
        key.example
    )
}

/// The type of a key, in words.
fn type_text(takes: ValueType) -> String {
    match takes {
        ValueType::Text => "string".to_owned(),
        ValueType::Word(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(" or ")
        }
        ValueType::Flag => "`true` or `false`".to_owned(),
        ValueType::Count(least) => format!("number, at least {least}"),
        ValueType::FlagOrCount => "`true`, `false` or a number".to_owned(),
        ValueType::CountOrShare => "number, or a percentage in a string".to_owned(),
        ValueType::Regions => "list of regions, or table of numbers by region".to_owned(),
        ValueType::Duration | ValueType::Timeout => {
            "duration in a string (`\"10s\"`, `\"1m30s\"`), or a number of seconds".to_owned()
        }
        ValueType::Limit => "number above 0".to_owned(),
        ValueType::RegionOrder => "list of regions, with `\"*\"` for all others".to_owned(),
        ValueType::Group => "name of a process group".to_owned(),
        ValueType::Groups => "list of process groups".to_owned(),
        ValueType::GroupLists => "list of lists of process groups".to_owned(),
        ValueType::Release => "number of a release".to_owned(),
        ValueType::Machine => "id of a Machine".to_owned(),
        ValueType::Table(_) => "table".to_owned(),
        ValueType::Named(_) => "table with a table per name".to_owned(),
        ValueType::List(_) => "list of tables".to_owned(),
    }
}
