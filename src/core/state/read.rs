//! Reads a state file, or refuses it completely with the reason.
//!
//! The text is untrusted: it may be truncated, merged by hand or malicious. One pass builds the state; only a
//! text that failed is read again, for a readable error.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::record::{Header, Record};
use super::{FORMAT, MOVED_FORMAT, StateError};
use crate::core::fleet::{AppName, ConfigDigest, Known};
use crate::core::scrub;

/// The highest serial, so that other readers of the file and of Machine stamps can store it.
const LAST_SERIAL: u64 = i64::MAX.unsigned_abs();

/// Reads the state of this app, in any format up to [`FORMAT`]. Time and memory are linear in the size of the
/// text.
///
/// # Errors
/// Any text that is not completely this app's state is refused; see [`StateError`]. Unknown fields of our own
/// records are refused with their line (unknown fields of configs are kept), so that a typo never counts as an
/// absent field.
pub fn read(text: &str, app: &AppName) -> Result<Known, StateError> {
    let other_app = |found: AppName| StateError::OtherApp {
        found,
        expected: app.clone(),
    };
    let mut known = match parse(text) {
        Err(StateError::Moved { app: found, .. }) if found != *app => return Err(other_app(found)),
        parsed => parsed?,
    };
    if known.app != *app {
        return Err(other_app(known.app));
    }
    let named = named_configs(&known).map_err(damaged_without_line)?;
    known.configs.retain(|digest, _| named.contains(digest));
    known
        .computed_fields
        .retain(|digest, _| named.contains(digest));
    known.hide_secrets();
    Ok(known)
}

/// The header of a state, whatever is wrong with the rest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StateOwner {
    /// Its app.
    pub app: AppName,
    /// The provider's name.
    pub provider: String,
}

/// The owner of this state; none if its header cannot be read.
pub fn read_owner(text: &str) -> Option<StateOwner> {
    let records = text.trim_start().strip_prefix('[')?;
    let mut values = serde_json::Deserializer::from_str(records).into_iter::<StateOwner>();
    values.next()?.ok()
}

fn parse(text: &str) -> Result<Known, StateError> {
    let mut refused = None;
    let visitor = StateVisitor {
        refused: &mut refused,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = json.deserialize_seq(visitor);
    parsed
        .and_then(|known| json.end().map(|()| known))
        .map_err(|error| refused.unwrap_or_else(|| explain_parse_error(text, &error)))
}

/// Builds the state record by record. Its own errors bypass the parser, which would add the line of the next
/// record.
struct StateVisitor<'r> {
    refused: &'r mut Option<StateError>,
}

impl<'de> Visitor<'de> for StateVisitor<'_> {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array that starts with the state's header")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Known, A::Error> {
        let mut refuse = |error: StateError| {
            let stop = A::Error::custom(&error);
            *self.refused = Some(error);
            stop
        };
        let header: Header = seq
            .next_element()?
            .ok_or_else(|| A::Error::custom("the header is missing"))?;
        let format = header.format;
        if format > FORMAT {
            return Err(refuse(StateError::TooNew { format }));
        }
        if format == 0 {
            return Err(refuse(damaged_without_line(
                "there is no format 0".to_owned(),
            )));
        }
        if header.serial >= LAST_SERIAL {
            let what = format!("no run in the state wrote serial {}", header.serial);
            return Err(refuse(damaged_without_line(what)));
        }
        let mut known = Known {
            lineage: header.lineage,
            serial: header.serial,
            run: header.run,
            parent: header.parent,
            release: header.release,
            ..Known::empty(header.app, header.provider)
        };
        while let Some(record) = seq.next_element()? {
            if let Record::Moved(moved) = record {
                let (app, moved) = (known.app, Box::new(moved));
                return Err(refuse(StateError::Moved { app, moved }));
            }
            if let Err(what) = add_record(&mut known, record) {
                return Err(refuse(damaged_without_line(what)));
            }
        }
        if format == MOVED_FORMAT {
            let what = "format 5 is of a moved state, and the record `moved` is missing";
            return Err(refuse(damaged_without_line(what.to_owned())));
        }
        // Pending creates are a set; a manual merge may have changed their order or duplicated a line.
        known.pending_creates.sort();
        known.pending_creates.dedup();
        Ok(known)
    }
}

/// Damage located by a record's name.
fn damaged_without_line(what: String) -> StateError {
    StateError::Damaged { line: None, what }
}

fn add_record(known: &mut Known, record: Record) -> Result<(), String> {
    let twice = |what: &str, id: &dyn fmt::Display| Err(format!("{what} `{id}` appears twice"));
    match record {
        Record::Protect(group) if known.protected_groups.contains(&group) => {
            return twice("the protected group", &group);
        }
        Record::Protect(group) => {
            known.protected_groups.insert(group);
        }
        Record::Ignored(id) if known.ignored_machines.contains(&id) => {
            return twice("the ignored Machine", &id);
        }
        Record::Ignored(id) => {
            known.ignored_machines.insert(id);
        }
        Record::Pending(pending) => known.pending_creates.push(pending),
        Record::Machine(record) => {
            let (id, machine) = record.into_parts();
            if known.machines.contains_key(&id) {
                return twice("Machine", &id);
            }
            known.machines.insert(id, machine);
        }
        Record::Config(record) => {
            if record.body.digest() != record.digest {
                return Err(format!(
                    "config `{}` does not match its digest",
                    record.digest
                ));
            }
            if !record.computed.is_empty() {
                known
                    .computed_fields
                    .insert(record.digest.clone(), record.computed);
            }
            if known
                .configs
                .insert(record.digest.clone(), record.body)
                .is_some()
            {
                return twice("config", &record.digest);
            }
        }
        Record::Release(release) => known.releases.push(release),
        Record::Run(run) => known.runs.push(run),
        Record::Moved(_) => return Err("a moved state holds nothing else".to_owned()),
    }
    Ok(())
}

/// The digests that Machines and releases name; all must exist.
fn named_configs(known: &Known) -> Result<BTreeSet<ConfigDigest>, String> {
    let mut named = BTreeSet::new();
    let mut name = |digest: &ConfigDigest, by: &dyn fmt::Display| {
        if !known.configs.contains_key(digest) {
            return Err(format!("{by} names config `{digest}`, which is missing"));
        }
        if !named.contains(digest) {
            named.insert(digest.clone());
        }
        Ok(())
    };
    for (id, machine) in &known.machines {
        name(&machine.config, &format_args!("Machine `{id}`"))?;
    }
    for release in &known.releases {
        for (group, released) in &release.groups {
            let by = format_args!("group `{group}` of release {}", release.release);
            name(&released.config, &by)?;
        }
    }
    Ok(named)
}

/// A readable reason why a text did not parse.
fn explain_parse_error(text: &str, error: &serde_json::Error) -> StateError {
    if text.trim().is_empty() {
        return damaged_without_line("the file is empty".to_owned());
    }
    if let Some(line) = conflict_marker(text) {
        return StateError::ConflictMarkers { line };
    }
    if let Some(format) = newer_format(text) {
        return StateError::TooNew { format };
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&place).unwrap_or(&message);
    StateError::Damaged {
        line: (error.line() > 0).then_some(error.line()),
        what: if error.is_eof() {
            format!("it is truncated ({message})")
        } else if message.starts_with("invalid ") {
            // A path in aeroform.toml may lead to any file, so values are not quoted.
            scrub::describe_parse_error(message)
        } else {
            message.to_owned()
        },
    }
}

fn conflict_marker(text: &str) -> Option<usize> {
    let marks = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    let at = text
        .lines()
        .position(|line| marks.iter().any(|mark| line.starts_with(mark)))?;
    Some(at + 1)
}

/// The format of a text from a newer version, if recognisable: all formats have `format` in the first element
/// of an array, or in an object that is the complete file.
fn newer_format(text: &str) -> Option<u64> {
    let value: Value = serde_json::from_str(text).ok()?;
    let header = value.get(0).unwrap_or(&value);
    header
        .get("format")?
        .as_u64()
        .filter(|format| *format > FORMAT)
}
