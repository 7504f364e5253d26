//! Changes by other people and tools.

use serde_json::Value;

use super::lifecycle::{ExitsAfter, State, Timeline};
use super::machine::{EmulatedMachine, MachineSummary, NewEmulatedMachine};
use super::simulation::World;

/// Makes changes as another user. They take no time, meet no faults and are not logged; a Machine that does
/// not exist is ignored.
pub struct Operator<'a> {
    world: &'a mut World,
    app: &'a str,
}

impl<'a> Operator<'a> {
    pub(super) fn new(world: &'a mut World, app: &'a str) -> Self {
        Self { world, app }
    }

    /// Every Machine that is not destroyed, as JSON, without list lag.
    pub fn machines(&self) -> Vec<Value> {
        let Some(app) = self.world.apps.get(self.app) else {
            return Vec::new();
        };
        let context = self.world.render_context(app);
        let records = app.records().iter();
        records
            .filter(|record| !record.is_destroyed(context.times.now))
            .map(|record| record.render(&context))
            .collect()
    }

    /// The same Machines in brief, for checks after every request: their JSON costs much more.
    pub fn summaries(&self) -> Vec<MachineSummary> {
        let Some(app) = self.world.apps.get(self.app) else {
            return Vec::new();
        };
        let times = self.world.times();
        let records = app.records().iter();
        records
            .filter(|record| !record.is_destroyed(times.now))
            .map(|record| record.summary(&times))
            .collect()
    }

    /// Every volume, as JSON, without list lag.
    pub fn volumes(&self) -> Vec<Value> {
        let Some(app) = self.world.apps.get(self.app) else {
            return Vec::new();
        };
        let holders = app.holders(self.world.now());
        let disks = app.volumes.iter();
        disks
            .map(|disk| {
                let holder = holders.get(disk.id.as_str()).copied();
                disk.render(holder, self.world.calendar)
            })
            .collect()
    }

    /// How many Machines the app ever had, including destroyed ones.
    pub fn created_count(&self) -> usize {
        let app = self.world.apps.get(self.app);
        app.map_or(0, |app| app.records().len())
    }

    /// Creates a started Machine with this name and config, as another tool would; returns its id.
    pub fn add(&mut self, name: &str, region: &str, config: Value) -> Option<String> {
        let now = self.world.now();
        let id = self.world.draw()[..14].to_owned();
        let instance = self.world.draw_instance();
        let record = EmulatedMachine::new(NewEmulatedMachine {
            id: id.clone(),
            name: name.to_owned(),
            region: region.to_owned(),
            config,
            instance,
            timeline: Timeline::constant(now, State::Started),
            now,
        });
        self.world.apps.get_mut(self.app)?.add(record);
        self.pull(&id);
        Some(id)
    }

    /// Copies a Machine with its metadata under a new name: `fly machine clone`. The copy gets an empty
    /// volume for each volume.
    pub fn clone_machine(&mut self, id: &str) -> Option<String> {
        let mut record = self.world.apps.get(self.app)?.record(id)?.clone();
        let held: Vec<String> = record.volumes().map(str::to_owned).collect();
        for (at, volume) in held.iter().enumerate() {
            let mut all = self.world.apps.get(self.app)?.volumes.iter();
            let Some(disk) = all.find(|disk| disk.id == *volume).cloned() else {
                continue;
            };
            let copy = self
                .world
                .add_volume(self.app, &disk.name, &disk.region, disk.size_gb)?;
            record.config["mounts"][at]["volume"] = copy.into();
        }
        let name = format!("calm-river-{}", &self.world.draw()[..4]);
        self.add(&name, &record.region, record.config)
    }

    /// Destroys a Machine at once.
    pub fn destroy(&mut self, id: &str) {
        self.set_resting_state(id, State::Destroyed);
    }

    /// Makes a Machine's process exit for good.
    pub fn fail(&mut self, id: &str) {
        self.set_resting_state(id, State::Failed);
    }

    /// Makes a Machine's process exit with this code from now on, like the fault.
    pub fn exit(&mut self, id: &str, exits: ExitsAfter) {
        let times = self.world.times();
        if let Some(record) = self.record(id) {
            let mut timeline = Timeline::constant(times.now, State::Started);
            timeline.exit(times.now, exits, &times.timings, &record.config);
            record.set_timeline(&times, timeline);
        }
    }

    /// Stops a Machine.
    pub fn stop(&mut self, id: &str) {
        self.set_resting_state(id, State::Stopped);
    }

    /// Starts a Machine.
    pub fn start(&mut self, id: &str) {
        self.set_resting_state(id, State::Started);
    }

    /// Suspends a Machine.
    pub fn suspend(&mut self, id: &str) {
        self.set_resting_state(id, State::Suspended);
    }

    /// Cordons or uncordons a Machine.
    pub fn cordon(&mut self, id: &str, cordoned: bool) {
        if let Some(record) = self.record(id) {
            record.cordoned = cordoned;
        }
    }

    /// Sets whether a Machine's host responds.
    pub fn set_host_unreachable(&mut self, id: &str, unreachable: bool) {
        if let Some(app) = self.world.apps.get_mut(self.app) {
            app.set_host_unreachable(id, unreachable, false);
        }
    }

    /// Moves a Machine to another host: each volume is forked with a new id, and the old ones become
    /// unattached. Otherwise only its version changes.
    pub fn migrate(&mut self, id: &str) {
        self.world.migrate(self.app, id);
    }

    /// Makes a Machine's host unreachable; its config is still shown as an incomplete one.
    pub fn host_in_part(&mut self, id: &str) {
        if let Some(app) = self.world.apps.get_mut(self.app) {
            app.set_host_unreachable(id, true, true);
        }
    }

    /// Makes a Machine's checks pass from now on.
    pub fn fix_checks(&mut self, id: &str) {
        if let Some(record) = self.record(id) {
            record.checks_never_pass = false;
        }
    }

    /// Makes a Machine's checks fail from now on.
    pub fn break_checks(&mut self, id: &str) {
        if let Some(record) = self.record(id) {
            record.checks_never_pass = true;
        }
    }

    /// Changes a Machine's config with a new instance: `fly machine update`.
    pub fn update(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        let instance = self.world.draw_instance();
        let now = self.world.now();
        if let Some(record) = self.record(id) {
            let mut config = record.config.clone();
            change(&mut config);
            record.set_config(config, instance, now);
        }
        self.pull(id);
    }

    /// Pushes another image under this tag: running Machines keep theirs, later pulls get this digest.
    pub fn push(&mut self, image: &str, digest: &str) {
        let (image, digest) = (image.to_owned(), digest.to_owned());
        self.world.moved_tags.insert(image, digest);
    }

    fn pull(&mut self, id: &str) {
        let record = self.record(id);
        let config = record.map(|record| record.config.clone());
        let moved = config.and_then(|config| self.world.moved_image(&config));
        if let Some(record) = self.record(id) {
            record.pull(moved);
        }
    }

    fn set_resting_state(&mut self, id: &str, state: State) {
        let times = self.world.times();
        if let Some(record) = self.record(id) {
            record.set_timeline(&times, Timeline::constant(times.now, state));
        }
    }

    fn record(&mut self, id: &str) -> Option<&mut EmulatedMachine> {
        self.world.apps.get_mut(self.app)?.record_mut(id)
    }
}
