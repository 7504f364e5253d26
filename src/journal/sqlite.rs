//! The journal on disk: one SQLite file in the user's state folder, shared by all projects and processes of
//! this user.
//!
//! It uses a write-ahead log with a full sync per commit, so that committed data survives a power failure.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, params};

use super::{
    Journal, JournalError, MAX_KEPT_RUNS, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus,
};
use crate::core::fleet::secret::patterns;
use crate::core::fleet::{ConfigDigest, Lineage, MachineId, RunId};
use crate::core::plan::StepId;
use crate::core::scrub;

/// The schema's version, kept in `user_version`.
const SCHEMA_VERSION: i64 = 2;

/// The hint if the folder is not writable.
const FOLDER_HINT: &str = "free disk space, give this user access to the folder, or set `AEROFORM_STATE_DIR` to another one";

/// How long a commit waits for another process; commits are much shorter.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        lineage TEXT NOT NULL,
        serial INTEGER NOT NULL,
        at TEXT NOT NULL,
        by TEXT NOT NULL,
        command TEXT NOT NULL,
        plan TEXT NOT NULL,
        status TEXT NOT NULL
    ) STRICT;
    CREATE INDEX run_of_lineage ON run (lineage, id);
    CREATE TABLE result (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        machine TEXT,
        config TEXT
    ) STRICT;
    CREATE INDEX result_of_run ON result (run, id);
";

/// The tables that version 2 added.
const SCHEMA_V2: &str = "
    CREATE TABLE started (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step INTEGER NOT NULL,
        call TEXT NOT NULL
    ) STRICT;
    CREATE INDEX started_of_run ON started (run, id);
    PRAGMA user_version = 2;
";

/// The journal of one user on this host.
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Mutex<Connection>,
    location: String,
}

impl SqliteJournal {
    /// Opens `journal.db` in the user's state folder; creates missing ones with modes 0600 and 0700.
    ///
    /// # Errors
    /// The file cannot be created or read, is not a journal, or was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join("journal.db");
        let place = path.display().to_string();
        let io_error = |error: std::io::Error| JournalError {
            place: place.clone(),
            message: format!("it cannot be created or opened: {error}"),
            hint: Some(FOLDER_HINT),
        };
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(dir).map_err(io_error)?;
        // SQLite copies this file's mode to its side files, and would itself create it readable for others.
        let mut file = OpenOptions::new();
        file.read(true).write(true).create(true).mode(0o600);
        file.open(&path).map_err(io_error)?;

        let explain = |error: rusqlite::Error| to_journal_error(&place, &error);
        let mut connection = Connection::open(&path).map_err(explain)?;
        prepare(&connection).map_err(explain)?;
        let version = migrate(&mut connection).map_err(explain)?;
        if version > SCHEMA_VERSION {
            let message = format!(
                "it has version {version}; this aeroform reads versions up to {SCHEMA_VERSION}"
            );
            return Err(JournalError {
                place,
                message,
                hint: Some("use a newer aeroform, or delete the file: no other file depends on it"),
            });
        }
        Ok(Self {
            connection: Mutex::new(connection),
            location: place,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .expect("no user of the connection panics while it has it")
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        work(&self.connection()).map_err(|error| to_journal_error(&self.location, &error))
    }

    /// One transaction, rolled back if `work` fails.
    fn in_transaction(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        let mut connection = self.connection();
        // Immediate, because a transaction that upgrades from reading to writing would not wait for others.
        connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                work(&transaction)?;
                transaction.commit()
            })
            .map_err(|error| to_journal_error(&self.location, &error))
    }
}

impl Journal for SqliteJournal {
    fn can_write(&self) -> Result<(), JournalError> {
        // Writes one page with unchanged content.
        self.in_transaction(|transaction| {
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
        })
    }

    fn begin_run(&self, row: &RunRow) -> Result<(), JournalError> {
        self.in_transaction(|transaction| {
            transaction.execute(
                "INSERT INTO run (run, lineage, serial, at, by, command, plan, status)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    row.run.as_str(),
                    row.lineage.as_str(),
                    row.serial.cast_signed(),
                    row.at,
                    row.by,
                    row.command,
                    row.plan,
                    status_name(RunStatus::Running),
                ],
            )?;
            prune(transaction, &row.lineage)
        })
    }

    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        self.in_transaction(|transaction| {
            let id = row_id(transaction, run)?;
            let call = serde_json::to_string(&row.call)
                .expect("a call of strings and numbers always serialises");
            transaction.execute(
                "INSERT INTO started (run, step, call) VALUES (?1, ?2, ?3)",
                params![id, row.step.0, call],
            )?;
            Ok(())
        })
    }

    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        self.in_transaction(|transaction| {
            let id = row_id(transaction, run)?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO result (run, step, outcome, machine, config)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for row in rows {
                let outcome = serde_json::to_string(&row.outcome)
                    .expect("an outcome of strings and numbers always serialises");
                // The outcome may contain foreign text.
                let outcome = scrub::scrubbed(&outcome);
                let outcome = patterns::redact_certain(&outcome);
                let machine = row.machine.as_ref().map(MachineId::as_str);
                let config = row.config.as_ref().map(ConfigDigest::as_str);
                insert.execute(params![id, row.step.0, outcome, machine, config])?;
            }
            Ok(())
        })
    }

    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        self.in_transaction(|transaction| {
            let id = row_id(transaction, run)?;
            transaction.execute(
                "UPDATE run SET status = ?2 WHERE id = ?1",
                params![id, status_name(status)],
            )?;
            Ok(())
        })
    }

    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError> {
        self.read(|connection| {
            // One snapshot of both tables, since another process may write between the two queries.
            let transaction = connection.unchecked_transaction()?;
            let mut query = transaction.prepare_cached(
                "SELECT id, run, lineage, serial, at, by, command, plan, status FROM run
                 WHERE lineage = ?1 AND status <> ?2 ORDER BY id",
            )?;
            let closed = status_name(RunStatus::Closed);
            let runs = query.query_map(params![lineage.as_str(), closed], open_run)?;
            runs.map(|run| {
                let (id, mut run) = run?;
                run.started = pending_calls_of(&transaction, id)?;
                run.results = results_of(&transaction, id)?;
                Ok(run)
            })
            .collect()
        })
    }

    fn releases(&self, lineage: &Lineage) -> Result<BTreeMap<String, RunId>, JournalError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut query = transaction.prepare_cached(
                "SELECT id, run, lineage, serial, at, by, command, plan, status FROM run
                 WHERE lineage = ?1 ORDER BY id",
            )?;
            let mut registered = BTreeMap::new();
            for run in query.query_map(params![lineage.as_str()], open_run)? {
                let (id, mut run) = run?;
                run.started = pending_calls_of(&transaction, id)?;
                let releases = run
                    .releases()
                    .map(|id| (id.to_owned(), run.row.run.clone()));
                registered.extend(releases);
            }
            Ok(registered)
        })
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Migrates an older schema and returns the resulting version.
fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    // Under the write lock, so that only one of two processes creates the tables.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => transaction.execute_batch(SCHEMA)?,
        1 => {}
        _ => return Ok(version),
    }
    transaction.execute_batch(SCHEMA_V2)?;
    transaction.commit()?;
    Ok(SCHEMA_VERSION)
}

fn prune(transaction: &Transaction<'_>, lineage: &Lineage) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM run WHERE lineage = ?1 AND status = ?2 AND id NOT IN
         (SELECT id FROM run WHERE lineage = ?1 ORDER BY id DESC LIMIT ?3)",
        params![
            lineage.as_str(),
            status_name(RunStatus::Closed),
            MAX_KEPT_RUNS
        ],
    )?;
    Ok(())
}

fn row_id(transaction: &Transaction<'_>, run: &RunId) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("SELECT id FROM run WHERE run = ?1")?
        .query_row([run.as_str()], |row| row.get(0))
}

fn open_run(row: &Row<'_>) -> rusqlite::Result<(i64, OpenRun)> {
    let serial: i64 = row.get("serial")?;
    let run = RunRow {
        run: parse_column(row, "run", |text| RunId::new(text).ok())?,
        lineage: parse_column(row, "lineage", |text| Lineage::new(text).ok())?,
        serial: serial.cast_unsigned(),
        at: row.get("at")?,
        by: row.get("by")?,
        command: row.get("command")?,
        plan: row.get("plan")?,
    };
    let status = parse_column(row, "status", parse_status)?;
    let open = OpenRun {
        row: run,
        status,
        started: Vec::new(),
        results: Vec::new(),
    };
    Ok((row.get("id")?, open))
}

fn pending_calls_of(connection: &Connection, run: i64) -> rusqlite::Result<Vec<PendingCallRow>> {
    let mut query =
        connection.prepare_cached("SELECT step, call FROM started WHERE run = ?1 ORDER BY id")?;
    let started = query.query_map([run], |row| {
        Ok(PendingCallRow {
            step: StepId(row.get("step")?),
            call: parse_column(row, "call", |text| serde_json::from_str(text).ok())?,
        })
    })?;
    started.collect()
}

fn results_of(connection: &Connection, run: i64) -> rusqlite::Result<Vec<ResultRow>> {
    let mut query = connection.prepare_cached(
        "SELECT step, outcome, machine, config FROM result WHERE run = ?1 ORDER BY id",
    )?;
    let results = query.query_map([run], |row| {
        let has =
            |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.is_some());
        Ok(ResultRow {
            step: StepId(row.get("step")?),
            outcome: parse_column(row, "outcome", |text| serde_json::from_str(text).ok())?,
            machine: has("machine")?
                .then(|| parse_column(row, "machine", |text| MachineId::new(text).ok()))
                .transpose()?,
            config: has("config")?
                .then(|| parse_column(row, "config", ConfigDigest::parse))
                .transpose()?,
        })
    })?;
    results.collect()
}

/// Parses a column that this program wrote; any other value means that the file is damaged.
fn parse_column<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        let index = row.as_ref().column_index(column).unwrap_or_default();
        let message = format!("`{column}` has an unexpected value").into();
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, message)
    })
}

fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Unpublished => "unpublished",
        RunStatus::Closed => "closed",
    }
}

fn parse_status(word: &str) -> Option<RunStatus> {
    [
        RunStatus::Running,
        RunStatus::Unpublished,
        RunStatus::Closed,
    ]
    .into_iter()
    .find(|status| status_name(*status) == word)
}

/// Converts an error and adds a hint.
fn to_journal_error(place: &str, error: &rusqlite::Error) -> JournalError {
    let (message, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another process has locked it for too long".to_owned(),
            Some("look for a hanging aeroform process"),
        ),
        Some(ErrorCode::DiskFull) => (
            "it cannot be written: the disk is full".to_owned(),
            Some(FOLDER_HINT),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            (format!("it cannot be written: {error}"), Some(FOLDER_HINT))
        }
        Some(ErrorCode::SystemIoFailure) => (
            format!("it cannot be read or written ({error})"),
            Some("check whether the disk is full or failing"),
        ),
        Some(ErrorCode::ConstraintViolation) => {
            (format!("this run already exists ({error})"), None)
        }
        Some(_) | None if matches!(error, rusqlite::Error::QueryReturnedNoRows) => {
            ("there is no such run".to_owned(), None)
        }
        Some(_) | None => (
            format!("it is damaged or not a journal ({error})"),
            Some("delete the file: no other file depends on it"),
        ),
    };
    JournalError {
        place: place.to_owned(),
        message,
        hint,
    }
}
