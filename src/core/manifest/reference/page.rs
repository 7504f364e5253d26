//! `docs/fly-toml.md`, printed from the table.

use std::fmt::Write;

use super::sections;

const INTRO: &str = "# fly.toml, key by key

<!-- Printed from src/core/manifest/reference: `AEROFORM_UPDATE_DOCS=1 cargo test --test manifest page` -->

Aeroform turns a fly.toml into the same Machine configs as `fly deploy`. This page lists every section and
key, and what each becomes in the Machine config. Fly ignores a key that is not listed; Aeroform warns
about it, or refuses it with `--strict`.

- **supported**: read, checked, and translated as the last column says.
- **passed through**: copied into the Machine config unchanged.
- **ignored**: valid, but without effect on Machines.
- **refused**: valid for flyctl; Aeroform does not support it and reports the line.

";

const RULES: &str = "## What holds everywhere

- **The file.** `fly.toml`, or the file that `--config` or `config` in aeroform.toml names. A name that
  ends in `.json` is read as JSON, in `.yaml` or `.yml` as YAML, any other as TOML; sections, keys and
  messages are the same. flyctl itself does not read `.yml`.
- **Its settings.** One folder may hold the files of several apps. `fly.toml` belongs to `aeroform.toml`,
  `fly.NAME.toml` to `aeroform.NAME.toml`, and `NAME.toml` to `NAME.aeroform.toml`, also as JSON or YAML;
  `config` in a settings file overrides this. An `aeroform.toml` without `config` also belongs to the only
  `fly.*.toml` of a folder without `fly.toml`. Two settings files for one file are an error. If there are
  settings files but none for this file, `validate`, `show config` and `plan` continue with a warning, and
  commands that apply or edit stop; `aeroform -c FILE init` writes the settings of a file.
- **Keys** match in any case, except names of groups, variables and checks. In JSON and YAML, `null` is
  the same as no key, except as the value of a variable.
- **Groups.** `processes = [\"web\"]` names the groups of a section. An empty list is the same as none, and
  `\"\"` is the default group: `app` if it exists, else the first by name. A service or a restart policy
  that names an unknown group is an error, as in flyctl; Fly ignores any other such section, and Aeroform
  warns.
- **Durations** are strings with units (`\"10s\"`, `\"1m30s\"`, `\"500ms\"`). The unit of a plain number
  depends on the key.
- **Sizes.** Memory uses powers of 1024, a volume powers of 1000.
- **What fly.toml does not set.** `fly deploy` always replaces `services`, `checks`, `env`, `files`,
  `mounts`, `metrics`, `statics`, `restart`, `stop_config` and, of `init`, the command, entrypoint, exec
  and swap, with every key that flyctl knows. A value that fly.toml does not set is removed, even if
  someone set it on the Machine or an older fly.toml had it (`auto_stop_machines`, `force_https`,
  `hard_limit`, the times of a check, `retries`, …). A `[[vm]]` replaces all of the size. Of an existing
  mount, path and automatic extension are replaced; name, size and encryption are kept. Everything else is
  kept as on the Machine: a size without a `[[vm]]`, fields that Aeroform does not know at any depth, and
  a mount without a name.
- **What the platform adds.** A platform default on a Machine equals no value in fly.toml: a restart
  policy `on-failure` with 10 retries, the signal `SIGINT` and 5 seconds for a stop, `tcp` for a service,
  20 connections as its soft limit, `GET` and `http` for a check and the port of its service. The reverse
  is a change: a default that fly.toml sets and a Machine lacks is sent. An apply reports once, at its
  end, what else the platform added to a config, with the line of fly.toml that sets it; the value is kept
  until it changes.
- **What is not a change.** A missing key, `null`, `[]` and `{}`; values that the platform treats as
  missing (`force_https = false`, `auto_stop_machines = \"off\"`, `min_machines_running = 0`); other
  spellings of a duration or of an image with a digest; values that the platform clamps (times of a
  service's check to a minute); the order of services, ports, handlers, checks, headers and files. The
  order of statics and containers matters, because the first of several may win.
- **Where Fly's own pages disagree**, Aeroform does what loses nothing. A missing `auto_start_machines`
  stays missing (one page says that it is then on, another off), and with autostop Aeroform warns.
  `raw_value` is encoded as flyctl does it, with a warning if it is already base64. A size that breaks a
  rule on which the pages agree is an error with provider `fly` and a warning elsewhere; a size that breaks
  a rule on which they disagree (memory steps of performance CPUs) is a warning. A closed region is a
  warning, because existing Machines may keep running there.
- **Files of the project.** `[[files]] local_path` and `machine_config` are relative to the folder of
  fly.toml and never read from outside the project. `validate` only warns about a missing file, because a
  build may create it; with a provider that sends files, `plan` and `apply` refuse.

";

/// The page as Markdown.
pub fn page() -> String {
    let mut out = format!("{INTRO}{RULES}");
    for section in sections() {
        writeln!(out, "## {}\n", section.syntax).expect("a string takes any text");
        if !section.about.is_empty() {
            writeln!(out, "{}\n", section.about).expect("a string takes any text");
        }
        if section.keys.is_empty() {
            continue;
        }
        out.push_str("| key | takes | | becomes |\n| --- | --- | --- | --- |\n");
        for key in section.keys {
            writeln!(
                out,
                "| `{}` | {} | {} | {} |",
                key.name,
                key.value_text,
                key.support.label(),
                key.becomes
            )
            .expect("a string takes any text");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
