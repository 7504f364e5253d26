//! Reading logs: the lines of one or many Machines, merged by their time, as they are or as they come.
//!
//! Only reads. A line that is being written is taken up when it is whole.

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

/// How often a followed log is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How much of one log is read at a time.
const READ_CHUNK: u64 = 1024 * 1024;

/// Sends what there is, and with `follow` what comes, until the sink has enough. Following one Machine
/// ends when that Machine is gone.
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

/// The last lines of one Machine's output, for an error that has to say what happened.
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

/// All lines that were not read yet, by time.
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
        // A log that cannot be read now is read later; the others go on.
        for (at, text) in reader.read(&dir).unwrap_or_default() {
            lines.push(LogLine {
                machine: id.clone(),
                group: Some(group.clone()),
                at,
                text,
            });
        }
    }
    // Times are written with one width, so that they compare as text; equal ones keep their order.
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

/// How far one Machine's log was read.
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
    /// Every whole line after the last one that was read. A log that was turned over in between is
    /// read to its end first; one that was turned over twice has lost lines.
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

/// Reads whole lines from there on and says where the next one begins. A file that is another one by
/// now is left for the next time.
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
