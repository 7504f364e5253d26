//! Reads the logs of one or more Machines, merged by time, with or without following.
//!
//! It only reads, and it skips a line until it is complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::time::sleep;

use super::layout::MachineDir;
use super::provider::LocalProvider;
use super::record::LocalRecord;
use super::snapshot::snapshot;
use crate::core::fleet::{AppName, GroupName, MachineId};
use crate::provider::{LogLine, LogQuery, LogScope, LogSink, ProviderError};

/// How often a followed log is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How much of one log is read at a time.
const READ_CHUNK: u64 = 1024 * 1024;

/// Sends existing lines, and with `follow` new ones, until the sink stops. Following one Machine ends when
/// that Machine is removed.
pub(super) async fn stream_logs(
    provider: &LocalProvider,
    app: &AppName,
    query: &LogQuery,
    sink: &mut LogSink<'_>,
) -> Result<(), ProviderError> {
    if let LogScope::Machine(id) = &query.scope {
        provider.snapshot(app, id)?;
    }
    let mut readers = BTreeMap::new();
    let mut lines = collect(provider, app, query, &mut readers)?;
    if let Some(tail) = query.tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    loop {
        for line in lines {
            if !sink(line) {
                return Ok(());
            }
        }
        if !query.follow || matches!(&query.scope, LogScope::Machine(_)) && readers.is_empty() {
            return Ok(());
        }
        sleep(POLL_INTERVAL).await;
        lines = collect(provider, app, query, &mut readers)?;
    }
}

/// The last lines of one Machine's output, for error messages.
pub(super) fn last_lines(dir: &MachineDir, count: usize) -> Vec<String> {
    let mut texts: Vec<String> = LogReader::default()
        .read(dir)
        .unwrap_or_default()
        .into_iter()
        .map(|(_, text)| text)
        .filter(|text| !text.starts_with("aeroform: ") && !text.trim().is_empty())
        .collect();
    texts.split_off(texts.len().saturating_sub(count))
}

/// All unread lines, sorted by time.
fn collect(
    provider: &LocalProvider,
    app: &AppName,
    query: &LogQuery,
    readers: &mut BTreeMap<MachineId, LogReader>,
) -> Result<Vec<LogLine>, ProviderError> {
    let app_dir = provider.app_dir(app);
    let ids = match &query.scope {
        LogScope::Machine(id) => vec![id.clone()],
        LogScope::App | LogScope::Group(_) => app_dir
            .machine_ids()
            .map_err(|error| provider.app_error(app, &error))?,
    };
    readers.retain(|id, _| ids.contains(id));
    let mut lines = Vec::new();
    for id in ids {
        let dir = app_dir.machine(&id);
        let Ok(Some(now)) = snapshot(&dir) else {
            readers.remove(&id);
            continue;
        };
        if !matches_query(provider, query, &now.record) {
            continue;
        }
        let reader = readers.entry(id.clone()).or_default();
        let group: GroupName = now.record.group;
        // A log that cannot be read now is retried later; others continue.
        for (at, text) in reader.read(&dir).unwrap_or_default() {
            lines.push(LogLine {
                machine: id.clone(),
                group: Some(group.clone()),
                at,
                text,
            });
        }
    }
    // Times have a fixed width, so they compare as text; equal times keep their order.
    lines.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(lines)
}

fn matches_query(provider: &LocalProvider, query: &LogQuery, record: &LocalRecord) -> bool {
    let folder = record.folder.as_ref();
    let is_here = folder.is_none_or(|folder| *folder == provider.canonical_project)
        || query.known_machines.contains(&record.id);
    match &query.scope {
        LogScope::Machine(_) => true,
        LogScope::App => is_here,
        LogScope::Group(group) => is_here && record.group == *group,
    }
}

/// The position in one Machine's log.
#[derive(Debug, Default)]
struct LogReader {
    position: Option<LogPosition>,
}

#[derive(Debug, Clone, Copy)]
struct LogPosition {
    inode: u64,
    offset: u64,
}

impl LogReader {
    /// All complete lines after the last one read. After a rotation the rotated file is read to its end
    /// first; after two rotations lines are lost.
    fn read(&mut self, dir: &MachineDir) -> io::Result<Vec<(String, String)>> {
        let mut lines = Vec::new();
        let newest = inode(&dir.log())?;
        let is_on_newest = self
            .position
            .is_some_and(|place| Some(place.inode) == newest);
        if !is_on_newest {
            if let Some(older) = inode(&dir.older_log())? {
                let begun = self.position.filter(|place| place.inode == older);
                let offset = begun.map_or(0, |place| place.offset);
                read_from(&dir.older_log(), older, offset, &mut lines)?;
            }
            self.position = newest.map(|inode| LogPosition { inode, offset: 0 });
        }
        if let Some(place) = &mut self.position {
            place.offset = read_from(&dir.log(), place.inode, place.offset, &mut lines)?;
        }
        Ok(lines)
    }
}

fn inode(path: &std::path::Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads complete lines from a position; returns the next position. A file replaced meanwhile is left for the
/// next time.
fn read_from(
    path: &std::path::Path,
    inode: u64,
    mut offset: u64,
    lines: &mut Vec<(String, String)>,
) -> io::Result<u64> {
    let mut file = File::open(path)?;
    if file.metadata()?.ino() != inode {
        return Ok(offset);
    }
    file.seek(SeekFrom::Start(offset))?;
    loop {
        let mut bytes = Vec::new();
        file.by_ref().take(READ_CHUNK).read_to_end(&mut bytes)?;
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(offset);
        };
        for line in bytes[..end].split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            if let Some((at, text)) = line.split_once(' ') {
                lines.push((at.to_owned(), text.to_owned()));
            }
        }
        offset += end as u64 + 1;
        file.seek(SeekFrom::Start(offset))?;
    }
}
