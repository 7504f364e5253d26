//! The world as rows of text, for whoever keeps it, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::app::App;
use super::machine::Record;
use super::place::World;

/// An app, or one of its Machines.
pub(super) type Changed = (String, Option<String>);

/// One row to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The app.
    pub app: String,
    /// One of its Machines; none for the app itself.
    pub machine: Option<String>,
    /// The Machine's place in the order of lists.
    pub place: u64,
    /// What it is; none for an app that is there no more, with its Machines.
    pub text: Option<String>,
}

impl World {
    /// Notes that this app, or this Machine of it, may be another now.
    pub(super) fn touch(&mut self, app: &str, machine: Option<&str>) {
        self.changed
            .insert((app.to_owned(), machine.map(str::to_owned)));
    }

    /// What may have changed since this was asked last, and how many ids were drawn in all.
    pub fn changes(&mut self) -> (Vec<Kept>, u64) {
        let changed = std::mem::take(&mut self.changed);
        let rows = changed.into_iter().filter_map(|(name, machine)| {
            let app = self.apps.get(&name);
            let (place, text) = match (&machine, app) {
                (None, app) => (0, app.map(written)),
                (Some(id), Some(app)) => (app.place(id)?, app.record(id).map(written)),
                (Some(_), None) => return None,
            };
            Some(Kept {
                app: name,
                machine,
                place,
                text,
            })
        });
        (rows.collect(), self.drawn)
    }

    /// Takes back changes that could not be kept: they are to be kept with the next ones.
    pub fn unkept(&mut self, rows: Vec<Kept>) {
        let rows = rows.into_iter();
        self.changed.extend(rows.map(|row| (row.app, row.machine)));
    }

    /// Takes up what was kept: apps first, then their Machines in order.
    ///
    /// # Errors
    /// The reason why a row is none of ours.
    pub fn restore(&mut self, rows: &[Kept], drawn: u64) -> Result<(), String> {
        for row in rows {
            let text = row.text.as_deref().unwrap_or_default();
            if row.machine.is_none() {
                let app: App = read(text)?;
                self.apps.insert(row.app.clone(), app);
            } else {
                let record: Record = read(text)?;
                let app = self.apps.get_mut(&row.app);
                let missing = || format!("a Machine of `{}`, which is no app", row.app);
                app.ok_or_else(missing)?.add(record);
            }
        }
        self.drawn = drawn;
        Ok(())
    }
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data always serialises")
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
