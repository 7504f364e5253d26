//! Paths of files, and how they are written: atomically by rename, readable only for their owner.
//!
//! It does not interpret the files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::core::fleet::{AppName, MachineId};

/// The folder of one app.
#[derive(Debug, Clone)]
pub(super) struct AppDir(PathBuf);

/// The folder of one Machine.
#[derive(Debug, Clone)]
pub(super) struct MachineDir(PathBuf);

impl AppDir {
    pub(super) fn new(root: &Path, app: &AppName) -> Self {
        Self(root.join(app.as_str()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn scope(&self) -> PathBuf {
        self.0.join("scope")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn machine(&self, id: &MachineId) -> MachineDir {
        MachineDir(self.0.join("machines").join(id.as_str()))
    }

    /// The ids of all Machines with a record, readable or not, sorted. Folders whose names begin with a dot
    /// are being created or removed.
    pub(super) fn machine_ids(&self) -> io::Result<Vec<MachineId>> {
        let entries = match fs::read_dir(self.0.join("machines")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| MachineId::new(name).ok()) else {
                continue;
            };
            if self.machine(&id).record().exists() {
                ids.push(id);
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Creates a Machine's folder with this record atomically.
    pub(super) fn make_machine<T: Serialize>(&self, id: &MachineId, record: &T) -> io::Result<()> {
        let parent = self.0.join("machines");
        // Creating a Machine requires the app's lock, so an existing draft belongs to a dead process; a
        // folder being removed may too.
        for entry in fs::read_dir(&parent)?.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let draft = MachineDir(parent.join(format!(".new-{id}")));
        make_dir(&draft.0)?;
        write_json(&draft.record(), record, Durability::Yes)?;
        fs::rename(&draft.0, parent.join(id.as_str()))?;
        File::open(&parent)?.sync_all()
    }
}

impl MachineDir {
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }

    pub(super) fn status(&self) -> PathBuf {
        self.0.join("status.json")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub(super) fn older_log(&self) -> PathBuf {
        self.0.join("log.1")
    }

    /// Removes the folder: first renames it, so that a crash leaves no partial folder.
    pub(super) fn discard(&self) -> io::Result<()> {
        let name = self.0.file_name().unwrap_or_default().to_string_lossy();
        let gone = self.0.with_file_name(format!(".gone-{name}"));
        match fs::rename(&self.0, &gone) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        fs::remove_dir_all(&gone)
    }
}

/// Creates a folder and its parents, only for the owner.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file for locking or writing, only for the owner.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Whether a file must survive a power failure.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Durability {
    Yes,
    /// After a power failure its content is obsolete anyway.
    No,
}

/// Writes a file atomically. Each file has one writer, so the temporary name is fixed.
pub(super) fn write_json<T: Serialize>(
    path: &Path,
    value: &T,
    durable: Durability,
) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    if durable == Durability::Yes {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)?;
    if durable == Durability::Yes
        && let Some(parent) = path.parent()
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Reads a file written by [`write_json`]; `None` if it does not exist.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Random lower-case hex, two characters per byte.
pub(super) fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
