//! Endpoints that only read (docs/platform/machines-api.md 3, 4, 10).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::FaultSubject;
use super::machine::EmulatedMachine;
use super::simulation::{Answer, Refusal, World};

impl World {
    /// `GET /apps/{app}`.
    pub fn app(&mut self, app: &str) -> Answer {
        self.serve(&app_call("app", app), |world, _| {
            Ok(world.require_app(app)?.render(app, world.now()))
        })
    }

    /// `GET /apps/{app}/machines`: in the order of creation, without destroyed ones.
    pub fn list(&mut self, app: &str) -> Answer {
        self.list_filtered(app, &ListFilter::default())
    }

    /// The same with the platform's filters.
    pub fn list_filtered(&mut self, app: &str, filter: &ListFilter) -> Answer {
        self.serve(&app_call("list", app), |world, _| {
            let found = world.require_app(app)?;
            let context = world.render_context(found);
            let now = context.times.now;
            let records = found.records().iter();
            Ok(records
                .filter(|record| record.listed_from <= now && filter.matches(record, now))
                .map(|record| filter.apply_summary(record.render(&context)))
                .collect())
        })
    }

    /// `GET /apps/{app}/machines/{id}`.
    pub fn get(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("get", app, id, |world, _| world.inspect(app, id))
    }

    /// `GET …/wait`, returns the Machine's current JSON; the caller polls [`World::inspect`] until the state
    /// is reached.
    pub fn wait(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("wait", app, id, |world, _| world.inspect(app, id))
    }

    /// The result of `GET …/machines/{id}` without a call: no fault, no latency, no log.
    ///
    /// # Errors
    /// 404 for an app or Machine that does not exist.
    pub fn inspect(&self, app: &str, id: &str) -> Result<Value, Refusal> {
        let now = self.now();
        let found = self.require_app(app)?;
        found
            .record(id)
            .filter(|record| !record.is_forgotten(now, &self.timings))
            .map(|record| self.render(found, record))
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }

    /// `GET …/events`: newest first.
    pub fn events(&mut self, app: &str, id: &str, limit: usize) -> Answer {
        self.serve_machine_call("events", app, id, |world, _| {
            world.inspect(app, id)?;
            let (now, calendar) = (world.now(), world.calendar);
            Ok(world.record(app, id)?.events(now, calendar, limit).into())
        })
    }

    /// `GET …/versions`: newest first.
    pub fn versions(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("versions", app, id, |world, _| {
            world.inspect(app, id)?;
            Ok(world.record(app, id)?.versions().into())
        })
    }

    /// `GET …/ps`: empty, since Machines run nothing here.
    pub fn processes(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("ps", app, id, |world, _| {
            world.inspect(app, id)?;
            Ok(json!([]))
        })
    }

    /// `GET …/metadata`.
    pub fn read_metadata(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("read-metadata", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let metadata = world.record(app, id)?.config.get("metadata").cloned();
            Ok(metadata.unwrap_or_else(|| json!({})))
        })
    }

    /// `GET /apps/{app}/volumes`.
    pub fn volumes(&mut self, app: &str) -> Answer {
        self.serve(&app_call("volumes", app), |world, _| {
            Ok(world
                .require_app(app)?
                .render_volumes(world.now(), world.calendar))
        })
    }
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Include destroyed Machines.
    pub deleted: bool,
    /// Only this region.
    pub region: Option<String>,
    /// Only these states; empty means any.
    pub states: Vec<String>,
    /// Only Machines with these metadata values.
    pub metadata: BTreeMap<String, String>,
    /// Omit config, checks and events.
    pub summary: bool,
}

impl ListFilter {
    fn matches(&self, record: &EmulatedMachine, now: Duration) -> bool {
        let state = record.state(now).as_str();
        let entry = |key: &str| record.config.get("metadata")?.get(key)?.as_str();
        (self.deleted || !record.is_destroyed(now))
            && self
                .region
                .as_ref()
                .is_none_or(|region| *region == record.region)
            && (self.states.is_empty() || self.states.iter().any(|filter| filter == state))
            && self
                .metadata
                .iter()
                .all(|(key, value)| entry(key) == Some(value))
    }

    fn apply_summary(&self, mut shown: Value) -> Value {
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

pub(super) fn app_call<'a>(action: &'static str, app: &'a str) -> FaultSubject<'a> {
    FaultSubject {
        action,
        app,
        id: None,
        name: None,
        group: None,
    }
}
