//! The endpoints that only read (docs/platform/machines-api.md 3, 4, 10).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::Subject;
use super::machine::Record;
use super::place::{Answer, Refusal, World};

impl World {
    /// `GET /apps/{app}`.
    pub fn app(&mut self, app: &str) -> Answer {
        self.serve(&about("app", app), |world, _| {
            Ok(world.found(app)?.shown(app, world.now()))
        })
    }

    /// `GET /apps/{app}/machines`: in order of creation, without destroyed ones.
    pub fn list(&mut self, app: &str) -> Answer {
        self.list_some(app, &Wanted::default())
    }

    /// The same with the platform's filters.
    pub fn list_some(&mut self, app: &str, wanted: &Wanted) -> Answer {
        self.serve(&about("list", app), |world, _| {
            let found = world.found(app)?;
            let light = world.light(found);
            let now = light.times.now;
            let records = found.records().iter();
            Ok(records
                .filter(|record| record.listed_from <= now && wanted.has(record, now))
                .map(|record| wanted.part_of(record.shown(&light)))
                .collect())
        })
    }

    /// `GET /apps/{app}/machines/{id}`.
    pub fn get(&mut self, app: &str, id: &str) -> Answer {
        self.about_machine("get", app, id, |world, _| world.look(app, id))
    }

    /// `GET …/wait`, answered with the Machine as it is now: whoever waits looks again with
    /// [`World::look`] until it is as wanted.
    pub fn wait(&mut self, app: &str, id: &str) -> Answer {
        self.about_machine("wait", app, id, |world, _| world.look(app, id))
    }

    /// What `GET …/machines/{id}` would answer, without a call: no fault, no latency, no log.
    ///
    /// # Errors
    /// 404 for an app or Machine that is not there, or not any more.
    pub fn look(&self, app: &str, id: &str) -> Result<Value, Refusal> {
        let now = self.now();
        let found = self.found(app)?;
        found
            .record(id)
            .filter(|record| !record.is_forgotten(now, &self.timings))
            .map(|record| self.shown(found, record))
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }

    /// `GET …/events`: newest first.
    pub fn events(&mut self, app: &str, id: &str, most: usize) -> Answer {
        self.about_machine("events", app, id, |world, _| {
            world.look(app, id)?;
            let (now, calendar) = (world.now(), world.calendar);
            Ok(world.record(app, id)?.events(now, calendar, most).into())
        })
    }

    /// `GET …/versions`: newest first.
    pub fn versions(&mut self, app: &str, id: &str) -> Answer {
        self.about_machine("versions", app, id, |world, _| {
            world.look(app, id)?;
            Ok(world.record(app, id)?.versions().into())
        })
    }

    /// `GET …/ps`: Machines run nothing here, so nothing runs in them.
    pub fn processes(&mut self, app: &str, id: &str) -> Answer {
        self.about_machine("ps", app, id, |world, _| {
            world.look(app, id)?;
            Ok(json!([]))
        })
    }

    /// `GET …/metadata`.
    pub fn read_metadata(&mut self, app: &str, id: &str) -> Answer {
        self.about_machine("read-metadata", app, id, |world, _| {
            world.acting(app, id)?;
            let metadata = world.record(app, id)?.config.get("metadata").cloned();
            Ok(metadata.unwrap_or_else(|| json!({})))
        })
    }

    /// `GET /apps/{app}/volumes`.
    pub fn volumes(&mut self, app: &str) -> Answer {
        self.serve(&about("volumes", app), |world, _| {
            Ok(world.found(app)?.shown_volumes(world.now(), world.calendar))
        })
    }
}

/// Which Machines a list is to have, and how much of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Destroyed ones too.
    pub deleted: bool,
    /// Only of this region.
    pub region: Option<String>,
    /// Only in one of these states; none means any.
    pub states: Vec<String>,
    /// Only with these values in their metadata.
    pub metadata: BTreeMap<String, String>,
    /// Without config, checks and events.
    pub summary: bool,
}

impl Wanted {
    fn has(&self, record: &Record, now: Duration) -> bool {
        let state = record.state(now).as_str();
        let entry = |key: &str| record.config.get("metadata")?.get(key)?.as_str();
        (self.deleted || !record.is_destroyed(now))
            && self
                .region
                .as_ref()
                .is_none_or(|region| *region == record.region)
            && (self.states.is_empty() || self.states.iter().any(|wanted| wanted == state))
            && self
                .metadata
                .iter()
                .all(|(key, value)| entry(key) == Some(value))
    }

    fn part_of(&self, mut shown: Value) -> Value {
        if self.summary
            && let Some(fields) = shown.as_object_mut()
        {
            for key in ["config", "checks", "events", "host_status", "image_ref"] {
                fields.remove(key);
            }
        }
        shown
    }
}

pub(super) fn about<'a>(action: &'static str, app: &'a str) -> Subject<'a> {
    Subject {
        action,
        app,
        id: None,
        name: None,
        group: None,
    }
}
