//! `docs/fly-toml.md`, out of the table.

use std::fmt::Write;

use super::sections;

const INTRO: &str = "# fly.toml, key by key

<!-- Printed from src/core/manifest/reference: `AEROFORM_UPDATE_DOCS=1 cargo test --test manifest page` -->

Aeroform makes of a fly.toml what `fly deploy` makes of it. This page lists every section and key, and
what each becomes in the Machine config. A key that does not stand here is ignored by Fly; Aeroform
warns about it, and with `--strict` refuses it.

- **supported**: read, checked, and made what the last column says.
- **carried through**: put into the Machine config as it is written.
- **ignored**: right, and without a meaning for Machines.
- **refused**: right for flyctl; Aeroform does not follow, and says so with the line.

";

const RULES: &str = "## What holds everywhere

- **The file.** `fly.toml`, or what `--config` or `config` in aeroform.toml names. A name that ends in
  `.json` is read as JSON, in `.yaml` or `.yml` as YAML, any other as TOML; sections, keys and messages
  are the same. flyctl itself does not take `.yml`.
- **Its settings.** Several apps may have their files in one folder. By name `fly.toml` goes with
  `aeroform.toml`, `fly.NAME.toml` with `aeroform.NAME.toml`, and `NAME.toml` with `NAME.aeroform.toml`, also
  where it is JSON or YAML; `config` in a settings file names another. An `aeroform.toml` without `config` is
  also for the only `fly.*.toml` of a folder that has no `fly.toml`. Two settings files for one file are an
  error. Where settings are there and none is for the file, `validate`, `show config` and `plan` go on without
  and warn, and what applies or edits stops; `aeroform -c FILE init` writes the settings of a file.
- **Keys** match in any case, except names of groups, variables and checks. In JSON and YAML a `null` is
  as good as no key, but no value of a variable.
- **Groups.** `processes = [\"web\"]` says for which groups a section is; an empty list is as good as
  none, and `\"\"` means the default group: `app` if there is one, else the first by name. A service or a
  restart policy that names a group which is not there is an error, as it is for flyctl; any other
  section is ignored by Fly, with a warning here.
- **Durations** are texts with units (`\"10s\"`, `\"1m30s\"`, `\"500ms\"`). What a bare number counts
  depends on the key: see there.
- **Sizes.** Memory counts in powers of 1024, a volume in powers of 1000.
- **What fly.toml does not say.** `fly deploy` always replaces `services`, `checks`, `env`, `files`,
  `mounts`, `metrics`, `statics`, `restart`, `stop_config` and of `init` the command, entrypoint, exec
  and swap, down to the last key that flyctl knows: what is not written there goes, also where somebody
  set it on the Machine or an older fly.toml had it (`auto_stop_machines`, `force_https`, `hard_limit`,
  the times of a check, `retries`, …). A written `[[vm]]` replaces the whole size. Of a mount that
  exists, path and automatic extension are replaced; its name, size and encryption stay. Everything else
  stays as the Machine has it, a size without a `[[vm]]` for one, and so do fields that Aeroform does not
  know, at every depth. A mount that has no name stays where it is.
- **What the platform adds.** Its defaults on a Machine are as good as nothing in fly.toml: a restart
  policy `on-failure` with 10 retries, the signal `SIGINT` and 5 seconds for a stop, `tcp` for a service,
  20 connections as its soft limit, `GET` and `http` for a check and the port of its service. The other
  way round it is a change: a default that fly.toml writes and a Machine lacks is sent. What else the
  platform adds to a config that was sent is named once at the end of an apply, with the line of fly.toml
  that decides about it, and is left as it is until its value changes.
- **What is no change.** A key that is not there, `null`, `[]` and `{}`; what the platform takes for
  missing (`force_https = false`, `auto_stop_machines = \"off\"`, `min_machines_running = 0`); other
  spellings of a duration or of an image with a digest; what the platform clamps (times of a service's
  check to a minute); the order of services, ports, handlers, checks, headers and files. The order of
  statics and containers means something, since the first of several may win.
- **Where Fly's own pages disagree**, what loses nothing is done. `auto_start_machines` that is not written
  stays unwritten (one page says that it is on then, another that it is off), and beside autostop a warning
  says so. `raw_value` is encoded as flyctl does it, and a text that is base64 already is warned about. A
  size that breaks a rule on which the pages agree is an error with provider `fly`, a warning elsewhere; one
  that breaks a rule on which they do not (the steps of memory of performance CPUs) is a warning. A region
  that is closed is a warning, since Machines may still run there.
- **Files of the project.** `[[files]] local_path` and `machine_config` are read from the folder of
  fly.toml, and never from outside the project. `validate` only warns about one that is missing, since a
  build may yet make it; with a provider that takes files, `plan` and `apply` refuse.

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
