//! Writes the state for readable diffs: every line but the first starts with the comma, so that an added
//! Machine is one added line.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::ser::Formatter;
use sha2::{Digest, Sha256};

use super::record::{ConfigRecord, MachineRecord, MovedRecord, Record};
use super::{FORMAT, MOST_RELEASES, MOVED_FORMAT, RUNS_KEPT};
use crate::core::fleet::{ConfigDigest, Known, KnownMachine, MachineId, ReleaseRecord};

/// The state as text; equal states are equal bytes. Keeps the newest [`RUNS_KEPT`] runs, the newest
/// [`MOST_RELEASES`] releases, and only the configs that Machines and kept releases name.
///
/// It never fails, not even for a state that names a missing config (which [`read`](super::read()) refuses):
/// the results of a run must reach the disk.
pub fn write(known: &Known) -> String {
    let Known {
        configs_with_cleartext: _,
        app,
        provider,
        lineage,
        serial,
        run,
        parent,
        release,
        protected_groups: protect,
        ignored_machines: ignored,
        pending_creates: pending,
        runs,
        releases,
        configs,
        computed_fields: computed,
        machines,
    } = known;
    let identity = fields(&[
        ("format", Some(json(&FORMAT))),
        ("app", Some(json(app))),
        ("provider", Some(json(provider))),
        ("lineage", lineage.as_ref().map(json)),
    ]);
    // Two branches that both applied always conflict on this line, on purpose.
    let ancestry = fields(&[
        ("serial", Some(json(serial))),
        ("run", run.as_ref().map(json)),
        ("parent", parent.as_ref().map(json)),
    ]);
    let mut out = format!("[{{{identity}\n ,{ancestry}");
    if release.is_some() {
        out.push_str("\n ,");
        out.push_str(&fields(&[("release", release.as_ref().map(json))]));
    }
    out.push_str("}\n");

    let releases = newest(releases, MOST_RELEASES);
    let named = named_configs(machines, releases);
    let pending: BTreeSet<_> = pending.iter().collect();
    let records =
        (protect.iter().cloned().map(Record::Protect))
            .chain(ignored.iter().cloned().map(Record::Ignored))
            .chain(pending.into_iter().cloned().map(Record::Pending))
            .chain(machines.iter().map(|(id, machine)| {
                Record::Machine(MachineRecord::new(id.clone(), machine.clone()))
            }))
            .chain(
                configs
                    .iter()
                    .filter(|(digest, _)| named.contains(digest))
                    .map(|(digest, body)| {
                        Record::Config(ConfigRecord {
                            digest: digest.clone(),
                            body: body.clone(),
                            computed: computed.get(digest).cloned().unwrap_or_default(),
                        })
                    }),
            )
            .chain(releases.iter().cloned().map(Record::Release))
            .chain(newest(runs, RUNS_KEPT).iter().cloned().map(Record::Run));
    for record in records {
        out.push(',');
        out.push_str(&json(&record));
        out.push('\n');
    }
    out.push_str("]\n");
    out
}

/// The text that stays where a state was: its header and where it went. Its `parent` is the digest of the state.
pub fn write_moved(known: &Known, parent: &str, moved: &MovedRecord) -> String {
    let identity = fields(&[
        ("format", Some(json(&MOVED_FORMAT))),
        ("app", Some(json(&known.app))),
        ("provider", Some(json(&known.provider))),
        ("lineage", known.lineage.as_ref().map(json)),
    ]);
    // A branch that applied in the meantime conflicts on this line.
    let ancestry = fields(&[
        ("serial", Some(json(&known.serial))),
        ("run", known.run.as_ref().map(json)),
        ("parent", Some(json(&parent))),
    ]);
    let record = json(&Record::Moved(moved.clone()));
    format!("[{{{identity}\n ,{ancestry}}}\n,{record}\n]\n")
}

/// The digest of a state file's text; the next state names it as its `parent`.
pub fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text)[..16])
}

fn newest<T>(items: &[T], count: usize) -> &[T] {
    &items[items.len().saturating_sub(count)..]
}

fn named_configs<'a>(
    machines: &'a BTreeMap<MachineId, KnownMachine>,
    releases: &'a [ReleaseRecord],
) -> BTreeSet<&'a ConfigDigest> {
    let groups = releases.iter().flat_map(|release| release.groups.values());
    machines
        .values()
        .map(|machine| &machine.config)
        .chain(groups.map(|group| &group.config))
        .collect()
}

/// The inside of an object; absent fields are left out.
fn fields(fields: &[(&str, Option<String>)]) -> String {
    let written: Vec<_> = fields
        .iter()
        .filter_map(|(key, value)| Some(format!("\"{key}\": {}", value.as_ref()?)))
        .collect();
    written.join(", ")
}

/// JSON on one line; line ends inside strings are escaped.
fn json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, SpacedFormatter);
    value
        .serialize(&mut serializer)
        .expect("records of strings, numbers and maps always serialise");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// A formatter with a space after each comma and colon.
struct SpacedFormatter;

impl Formatter for SpacedFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}
