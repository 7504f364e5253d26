//! The endpoints that only read (facts/fly-machines-api.md 3, 4, 10).

use serde_json::{Value, json};

use super::faults::Subject;
use super::machine::Record;
use super::place::{Answer, Refusal, World};

impl World {
    /// `GET /apps/{app}`.
    pub fn app(&mut self, app: &str) -> Answer {
        self.serve(&about("app"), |world, _| {
            let now = world.now();
            let found = world.found(app)?;
            let alive = |record: &&Record| !record.is_destroyed(now);
            let count = found.records().iter().filter(alive).count();
            Ok(json!({"id": found.id, "name": app, "status": "deployed", "machine_count": count}))
        })
    }

    /// `GET /apps/{app}/machines`: in order of creation, without destroyed ones.
    pub fn list(&mut self, app: &str) -> Answer {
        self.serve(&about("list"), |world, _| {
            let now = world.now();
            let found = world.found(app)?;
            Ok(found
                .records()
                .iter()
                .filter(|record| !record.is_destroyed(now) && record.listed_from <= now)
                .map(|record| record.shown(now, &world.timings))
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
        self.found(app)?
            .record(id)
            .filter(|record| !record.is_forgotten(now, &self.timings))
            .map(|record| record.shown(now, &self.timings))
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }

    /// `GET /apps/{app}/volumes`.
    pub fn volumes(&mut self, app: &str) -> Answer {
        self.serve(&about("volumes"), |world, _| {
            Ok(world.found(app)?.shown_volumes(world.now()))
        })
    }
}

fn about(action: &'static str) -> Subject<'static> {
    Subject {
        action,
        id: None,
        name: None,
        group: None,
    }
}
