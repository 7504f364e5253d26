//! Converts the world to rows of text for storage, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::app::App;
use super::machine::EmulatedMachine;
use super::simulation::World;

/// An app, or one of its Machines.
pub(super) type ChangedItem = (String, Option<String>);

/// One row to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersistedRow {
    /// The app.
    pub app: String,
    /// One of its Machines; `None` for the app itself.
    pub machine: Option<String>,
    /// The Machine's position in lists.
    pub position: u64,
    /// Its JSON; `None` for a deleted app with its Machines.
    pub text: Option<String>,
}

impl World {
    /// Marks this app or Machine as changed.
    pub(super) fn mark_changed(&mut self, app: &str, machine: Option<&str>) {
        self.changed
            .insert((app.to_owned(), machine.map(str::to_owned)));
    }

    /// The changes since the last call, and the number of ids drawn in total.
    pub fn take_changes(&mut self) -> (Vec<PersistedRow>, u64) {
        let changed = std::mem::take(&mut self.changed);
        let rows = changed.into_iter().filter_map(|(name, machine)| {
            let app = self.apps.get(&name);
            let (place, text) = match (&machine, app) {
                (None, app) => (0, app.map(to_json_text)),
                (Some(id), Some(app)) => (app.list_position(id)?, app.record(id).map(to_json_text)),
                (Some(_), None) => return None,
            };
            Some(PersistedRow {
                app: name,
                machine,
                position: place,
                text,
            })
        });
        (rows.collect(), self.drawn)
    }

    /// Puts back changes that could not be stored.
    pub fn requeue_changes(&mut self, rows: Vec<PersistedRow>) {
        let rows = rows.into_iter();
        self.changed.extend(rows.map(|row| (row.app, row.machine)));
    }

    /// Restores stored rows: apps first, then their Machines in order.
    ///
    /// # Errors
    /// Why a row is invalid.
    pub fn restore(&mut self, rows: &[PersistedRow], drawn: u64) -> Result<(), String> {
        for row in rows {
            let text = row.text.as_deref().unwrap_or_default();
            if row.machine.is_none() {
                let app: App = from_json_text(text)?;
                self.apps.insert(row.app.clone(), app);
            } else {
                let record: EmulatedMachine = from_json_text(text)?;
                let app = self.apps.get_mut(&row.app);
                let missing = || format!("a Machine of the unknown app `{}`", row.app);
                app.ok_or_else(missing)?.add(record);
            }
        }
        self.drawn = drawn;
        Ok(())
    }
}

fn to_json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always serialises")
}

fn from_json_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
