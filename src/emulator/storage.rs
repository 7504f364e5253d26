//! Persists the emulated platform in a file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::world::{PersistedRow, World};

/// Identifies our files: the ASCII letters of `aero`.
const APPLICATION_ID: i64 = 0x6165_726f;

const PUT: &str = "INSERT OR REPLACE INTO number VALUES (?1, ?2)";

/// A file that persists a world.
pub struct WorldStore {
    file: Connection,
}

impl WorldStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// It is another program's file or cannot be written.
    pub fn open(path: &Path) -> Result<Self, String> {
        let open = || -> rusqlite::Result<Option<Connection>> {
            let file = Connection::open(path)?;
            let tables: i64 =
                file.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
            let of: i64 = file.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            if tables > 0 && of != APPLICATION_ID {
                return Ok(None);
            }
            file.pragma_update(None, "journal_mode", "WAL")?;
            file.pragma_update(None, "synchronous", "NORMAL")?;
            file.pragma_update(None, "application_id", APPLICATION_ID)?;
            file.execute_batch(
                "CREATE TABLE IF NOT EXISTS row (
                     app TEXT NOT NULL, machine TEXT NOT NULL, place INTEGER NOT NULL,
                     text TEXT NOT NULL, PRIMARY KEY (app, machine)
                 ) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, value INTEGER NOT NULL);",
            )?;
            Ok(Some(file))
        };
        match open() {
            Ok(Some(file)) => Ok(Self { file }),
            Ok(None) => Err("it is another program's database".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// When the persisted world began, in seconds since 1970, and how long it has run; a new world begins
    /// now. Time continues while the program is not running.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn times(&self, now: i64) -> Result<(i64, Duration), String> {
        let find = || -> rusqlite::Result<(i64, Duration)> {
            let Some(beginning) = self.number("beginning")? else {
                self.put("beginning", now)?;
                return Ok((now, Duration::ZERO));
            };
            let stored = self.number("elapsed_ms")?.unwrap_or(0).unsigned_abs();
            let since = u64::try_from(now - beginning).unwrap_or(0);
            // A clock that was set back must not undo events.
            let elapsed = Duration::from_secs(since).max(Duration::from_millis(stored + 1));
            Ok((beginning, elapsed))
        };
        find().map_err(|error| error.to_string())
    }

    /// Restores the persisted world.
    ///
    /// # Errors
    /// The file cannot be read, or has an invalid row.
    pub fn restore(&self, world: &mut World) -> Result<(), String> {
        let read = || -> rusqlite::Result<(Vec<PersistedRow>, Option<i64>)> {
            let mut rows = self.file.prepare(
                "SELECT app, machine, place, text FROM row ORDER BY machine != '', place",
            )?;
            let rows = rows.query_map([], |row| {
                let machine: String = row.get(1)?;
                Ok(PersistedRow {
                    app: row.get(0)?,
                    machine: (!machine.is_empty()).then_some(machine),
                    position: row.get::<_, i64>(2)?.unsigned_abs(),
                    text: Some(row.get(3)?),
                })
            })?;
            Ok((
                rows.collect::<rusqlite::Result<_>>()?,
                self.number("drawn")?,
            ))
        };
        let (rows, drawn) = read().map_err(|error| error.to_string())?;
        world.restore(&rows, drawn.unwrap_or(0).unsigned_abs())
    }

    /// Persists the changes of a world.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&mut self, world: &mut World) -> Result<(), String> {
        let (rows, drawn) = world.take_changes();
        let elapsed = u64::try_from(world.now().as_millis()).unwrap_or(u64::MAX);
        let mut write = || -> rusqlite::Result<()> {
            let change = self.file.transaction()?;
            for row in &rows {
                let machine = row.machine.as_deref().unwrap_or_default();
                match &row.text {
                    Some(text) => change.execute(
                        "INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3, ?4)",
                        params![row.app, machine, row.position.cast_signed(), text],
                    )?,
                    None => change.execute("DELETE FROM row WHERE app = ?1", params![row.app])?,
                };
            }
            for (name, number) in [("drawn", drawn), ("elapsed_ms", elapsed)] {
                change.execute(PUT, params![name, number.cast_signed()])?;
            }
            change.commit()
        };
        let written = write().map_err(|error| error.to_string());
        if written.is_err() {
            world.requeue_changes(rows);
        }
        written
    }

    fn number(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let find = "SELECT value FROM number WHERE name = ?1";
        self.file
            .query_row(find, params![name], |row| row.get(0))
            .optional()
    }

    fn put(&self, name: &str, value: i64) -> rusqlite::Result<()> {
        self.file.execute(PUT, params![name, value]).map(drop)
    }
}
