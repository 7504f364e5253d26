//! Mutating endpoints, with the platform's rules for each state (docs/platform/machines-api.md 1.7, 4, 5,
//! 17.2).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::FaultSubject;
use super::lease::Lease;
use super::lifecycle::{StartOverrides, State, Timeline};
use super::machine::{EmulatedMachine, NewEmulatedMachine, group_of, volumes_of};
use super::platform_defaults::fill_missing;
use super::simulation::{Answer, Refusal, World};

fn precondition_failed(message: impl std::fmt::Display) -> Refusal {
    Refusal::new(412, format!("failed_precondition: {message}"))
}

impl World {
    /// `POST /apps/{app}/machines`.
    pub fn create(&mut self, app: &str, body: &Value) -> Answer {
        let name = body.get("name").and_then(Value::as_str);
        let call = FaultSubject {
            action: "create",
            app,
            id: None,
            name,
            group: body.get("config").and_then(group_of),
        };
        self.serve(&call, |world, script| {
            world.create_machine(app, body, &script)
        })
    }

    /// `POST /apps/{app}/machines/{id}`.
    pub fn update(&mut self, app: &str, id: &str, body: &Value) -> Answer {
        self.serve_machine_call("update", app, id, |world, script| {
            world.replace_version(app, id, body, &script)
        })
    }

    /// `POST …/start`.
    pub fn start(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("start", app, id, |world, script| {
            let state = world.require_active_state(app, id)?;
            match state {
                State::Started | State::Starting => {
                    return Ok(json!({"previous_state": state.as_str()}));
                }
                State::Replacing => {
                    let message = "machine getting replaced, refusing to start";
                    return Err(precondition_failed(message));
                }
                State::Stopped if world.is_still_active(app, id) => {
                    let message = "machine still active, refusing to start";
                    return Err(precondition_failed(message));
                }
                State::Stopped | State::Suspended | State::Failed => {}
                State::Created
                | State::Stopping
                | State::Suspending
                | State::Destroying
                | State::Destroyed => {
                    let message = "unable to start machine from current state";
                    return Err(precondition_failed(format!(
                        "{message}: '{}'",
                        state.as_str()
                    )));
                }
            }
            let times = world.times();
            let record = world.record(app, id)?;
            record.checks_never_pass = script.checks_never_pass;
            let timeline = Timeline::starting(
                times.now,
                State::Starting,
                Duration::ZERO,
                &times.timings,
                &script,
                &record.config,
            );
            record.set_timeline(&times, timeline);
            Ok(json!({"previous_state": state.as_str()}))
        })
    }

    /// `POST …/stop`.
    pub fn stop(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("stop", app, id, |world, _| {
            let state = world.require_active_state(app, id)?;
            let times = world.times();
            let (now, stop) = (times.now, times.timings.stop);
            let record = world.record(app, id)?;
            match state {
                State::Started | State::Starting | State::Suspending => {
                    let last = State::Stopped;
                    record.set_timeline(
                        &times,
                        Timeline::transition(now, State::Stopping, stop, last),
                    );
                }
                State::Suspended | State::Failed => {
                    record.set_timeline(&times, Timeline::constant(now, State::Stopped));
                }
                State::Stopped | State::Stopping => {}
                State::Created | State::Replacing | State::Destroying | State::Destroyed => {
                    let message = "unable to stop machine from current state";
                    return Err(precondition_failed(format!(
                        "{message}: '{}'",
                        state.as_str()
                    )));
                }
            }
            Ok(json!({"ok": true}))
        })
    }

    /// `POST …/suspend`.
    pub fn suspend(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("suspend", app, id, |world, _| {
            let state = world.require_active_state(app, id)?;
            let times = world.times();
            match state {
                State::Suspending | State::Suspended => return Ok(json!({"ok": true})),
                State::Started => {}
                _ => {
                    let message = "unable to suspend machine from current state";
                    return Err(precondition_failed(format!(
                        "{message}: '{}'",
                        state.as_str()
                    )));
                }
            }
            let last = State::Suspended;
            let timeline =
                Timeline::transition(times.now, State::Suspending, times.timings.stop, last);
            world.record(app, id)?.set_timeline(&times, timeline);
            Ok(json!({"ok": true}))
        })
    }

    /// `POST …/restart`: keeps the instance.
    pub fn restart(&mut self, app: &str, id: &str) -> Answer {
        self.serve_machine_call("restart", app, id, |world, script| {
            let state = world.require_active_state(app, id)?;
            if state != State::Started {
                let message = "unable to restart machine from current state";
                return Err(precondition_failed(format!(
                    "{message}: '{}'",
                    state.as_str()
                )));
            }
            let times = world.times();
            let record = world.record(app, id)?;
            let timeline = Timeline::starting(
                times.now,
                State::Stopping,
                times.timings.stop,
                &times.timings,
                &script,
                &record.config,
            );
            record.set_timeline(&times, timeline);
            Ok(json!({"ok": true}))
        })
    }

    /// `POST …/signal`: a fatal signal ends the Machine, any other only succeeds.
    pub fn signal(&mut self, app: &str, id: &str, kills: bool) -> Answer {
        self.serve_machine_call("signal", app, id, |world, _| {
            let state = world.require_active_state(app, id)?;
            if state != State::Started {
                let message = "unable to signal machine from current state";
                return Err(precondition_failed(format!(
                    "{message}: '{}'",
                    state.as_str()
                )));
            }
            if kills {
                let times = world.times();
                let timeline = Timeline::constant(times.now, State::Failed);
                world.record(app, id)?.set_timeline(&times, timeline);
            }
            Ok(json!({"ok": true}))
        })
    }

    /// `DELETE …?force=…`.
    pub fn destroy(&mut self, app: &str, id: &str, force: bool) -> Answer {
        self.serve_machine_call("destroy", app, id, |world, _| {
            let state = world.require_active_state(app, id)?;
            let times = world.times();
            match state {
                State::Destroying => return Ok(json!({"ok": true})),
                State::Stopped | State::Suspended => {}
                State::Created
                | State::Starting
                | State::Started
                | State::Stopping
                | State::Suspending
                | State::Replacing
                | State::Failed
                | State::Destroyed => {
                    if !force {
                        let message = "unable to destroy machine, not currently stopped";
                        return Err(precondition_failed(message));
                    }
                }
            }
            let last = State::Destroyed;
            let timeline =
                Timeline::transition(times.now, State::Destroying, times.timings.destroy, last);
            world.record(app, id)?.set_timeline(&times, timeline);
            Ok(json!({"ok": true}))
        })
    }

    /// `POST …/cordon` or `…/uncordon`.
    pub fn cordon(&mut self, app: &str, id: &str, cordoned: bool) -> Answer {
        let action = if cordoned { "cordon" } else { "uncordon" };
        self.serve_machine_call(action, app, id, |world, _| {
            world.require_active_state(app, id)?;
            world.record(app, id)?.cordoned = cordoned;
            Ok(json!({"ok": true}))
        })
    }

    /// `POST …/metadata/{key}`, or `DELETE` without a value: no new instance, no restart.
    pub fn metadata(&mut self, app: &str, id: &str, key: &str, value: Option<&str>) -> Answer {
        self.serve_machine_call("metadata", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let entry = [(key.to_owned(), value.map(str::to_owned))];
            world.write_metadata(app, id, entry)?;
            Ok(Value::Null)
        })
    }

    /// `PATCH …/metadata`, or `PUT`, which removes all other keys. An empty value removes a key.
    pub fn metadata_entries(
        &mut self,
        app: &str,
        id: &str,
        entries: &BTreeMap<String, Option<String>>,
        version: Option<&str>,
        replace: bool,
    ) -> Answer {
        self.serve_machine_call("metadata", app, id, |world, _| {
            world.require_active_state(app, id)?;
            let record = world.record(app, id)?;
            if version.is_some_and(|version| version != record.instance) {
                return Err(precondition_failed("machine version mismatch"));
            }
            if replace {
                record.config["metadata"] = json!({});
            }
            world.write_metadata(app, id, entries.clone())?;
            Ok(Value::Null)
        })
    }

    fn write_metadata(
        &mut self,
        app: &str,
        id: &str,
        entries: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<(), Refusal> {
        let metadata = &mut self.record(app, id)?.config["metadata"];
        for (key, value) in entries {
            match value.filter(|value| !value.is_empty()) {
                Some(value) => metadata[key] = value.into(),
                None => {
                    metadata.as_object_mut().map(|entries| entries.remove(&key));
                }
            }
        }
        Ok(())
    }

    /// Whether a Machine stopped so recently that it cannot start yet.
    fn is_still_active(&self, app: &str, id: &str) -> bool {
        let now = self.now();
        let record = self.apps.get(app).and_then(|app| app.record(id));
        record.is_some_and(|record| {
            record.state(now) == State::Stopped
                && !record.only_prepared(now)
                && now > Duration::ZERO
                && now < record.since(now) + self.timings.lingers
        })
    }

    /// Serves a call about one Machine.
    pub(super) fn serve_machine_call(
        &mut self,
        action: &'static str,
        app: &str,
        id: &str,
        work: impl FnOnce(&mut Self, StartOverrides) -> Result<Value, Refusal>,
    ) -> Answer {
        let record = self.apps.get(app).and_then(|found| found.record(id));
        let group = record.and_then(EmulatedMachine::group).map(str::to_owned);
        let name = record.map(|record| record.name.clone());
        let call = FaultSubject {
            action,
            app,
            id: Some(id),
            name: name.as_deref(),
            group: group.as_deref(),
        };
        self.serve(&call, |world, script| {
            let (unreachable, in_part, migrates) =
                (script.unreachable, script.in_part, script.migrates);
            let done = work(world, script);
            if unreachable && let Ok(found) = world.require_app_mut(app) {
                found.set_host_unreachable(id, true, in_part);
                world.mark_changed(app, None);
            }
            if migrates {
                world.migrate(app, id);
            }
            done
        })
    }

    /// Moves a Machine to another host and forks its volumes.
    pub(super) fn migrate(&mut self, app: &str, id: &str) {
        let Some(record) = self.apps.get(app).and_then(|found| found.record(id)) else {
            return;
        };
        let (mut config, held): (Value, Vec<String>) = (
            record.config.clone(),
            record.volumes().map(str::to_owned).collect(),
        );
        for old in held {
            let id = format!("vol_{}", &self.draw()[..16]);
            let now = self.now();
            let Ok(found) = self.require_app_mut(app) else {
                return;
            };
            let Some(mut disk) = found.volumes.iter().find(|disk| disk.id == old).cloned() else {
                continue;
            };
            disk.id.clone_from(&id);
            disk.created_at = now;
            disk.listed_from = now;
            found.volumes.push(disk);
            let mounts = config.get_mut("mounts").and_then(Value::as_array_mut);
            for mount in mounts.into_iter().flatten() {
                if mount["volume"] == old.as_str() {
                    mount["volume"] = id.as_str().into();
                }
            }
        }
        let (instance, now) = (self.draw_instance(), self.now());
        if let Ok(record) = self.record(app, id) {
            record.set_config(config, instance, now);
        }
        self.mark_changed(app, None);
    }

    pub(super) fn record(&mut self, app: &str, id: &str) -> Result<&mut EmulatedMachine, Refusal> {
        let missing = || Refusal::new(404, "not_found: machine not found");
        self.require_app_mut(app)?
            .record_mut(id)
            .ok_or_else(missing)
    }

    fn create_machine(
        &mut self,
        app: &str,
        body: &Value,
        script: &StartOverrides,
    ) -> Result<Value, Refusal> {
        let now = self.now();
        let mut config = body.get("config").cloned().unwrap_or(Value::Null);
        fill_missing(&mut config, &self.extra_defaults);
        if config.get("image").and_then(Value::as_str).is_none() {
            return Err(Refusal::new(400, "invalid config: image is required"));
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let given = text("name").filter(|name| !name.is_empty());
        let unique = given.filter(|_| self.unique_names);
        if let Some(holder) = unique.and_then(|name| self.apps.get(app)?.find_by_name(name, now)) {
            let message = format!(
                "already_exists: unique machine name violation, machine ID {} already exists with name {:?}",
                holder.id, holder.name
            );
            return Err(Refusal::new(409, message));
        }
        self.check_volumes_free(app, &config)?;
        let id = self.draw()[..14].to_owned();
        let instance = self.draw_instance();
        let prepare = self.timings.prepare;
        let rests = body.get("skip_launch") == Some(&Value::Bool(true));
        let timeline = if rests && script.stays_created {
            Timeline::constant(now, State::Created)
        } else if rests {
            Timeline::transition(now, State::Created, prepare, State::Stopped)
        } else {
            Timeline::starting(now, State::Created, prepare, &self.timings, script, &config)
        };
        let name = given.map_or_else(|| format!("calm-river-{}", &id[..4]), str::to_owned);
        let moved = self.moved_image(&config);
        let mut record = EmulatedMachine::new(NewEmulatedMachine {
            name,
            region: self.resolve_region(
                app,
                &config,
                script.region_override.as_deref().or(text("region")),
            )?,
            id,
            config,
            instance,
            timeline,
            now,
        });
        record.pull(moved);
        record.listed_from = now + self.timings.list_lag + script.unlisted;
        record.cordoned = body.get("skip_service_registration") == Some(&Value::Bool(true));
        record.checks_never_pass = script.checks_never_pass;
        let ttl = body.get("lease_ttl").and_then(Value::as_u64);
        let nonce = ttl.map(|ttl| self.lease_new_machine(&mut record, Duration::from_secs(ttl)));
        let id = record.id.clone();
        self.mark_changed(app, Some(&id));
        let found = self.require_app_mut(app)?;
        found.add(record);
        found.set_host_unreachable(&id, script.unreachable, script.in_part);
        let mut shown = self.inspect(app, &id)?;
        if let Some(nonce) = nonce {
            shown["nonce"] = nonce.into();
        }
        Ok(shown)
    }

    /// The region of a new Machine: its volume's, whatever the call requested.
    fn resolve_region(
        &self,
        app: &str,
        config: &Value,
        region: Option<&str>,
    ) -> Result<String, Refusal> {
        let volume = volumes_of(config).next();
        let mut disks = self.require_app(app)?.volumes.iter();
        let disk = volume.and_then(|volume| disks.find(|disk| disk.id == volume));
        let actual = disk.map(|disk| disk.region.as_str()).or(region);
        Ok(actual.unwrap_or("iad").to_owned())
    }

    fn lease_new_machine(&mut self, record: &mut EmulatedMachine, ttl: Duration) -> String {
        let nonce = self.draw()[..12].to_owned();
        let owner = self.caller().owner.clone();
        record.set_lease(Some(Lease {
            nonce: nonce.clone(),
            owner: owner.unwrap_or_else(|| "somebody".to_owned()),
            description: String::new(),
            expires: self.now() + ttl,
        }));
        nonce
    }

    /// Refuses a config with a missing volume or one that another Machine has.
    fn check_volumes_free(&self, app: &str, config: &Value) -> Result<(), Refusal> {
        let found = self.require_app(app)?;
        if volumes_of(config).next().is_none() {
            return Ok(());
        }
        let holders = found.holders(self.now());
        for volume in volumes_of(config) {
            let Some(disk) = found.volumes.iter().find(|disk| disk.id == volume) else {
                let message = format!("volume '{volume}' not found");
                return Err(Refusal::new(404, message));
            };
            if disk.unreachable {
                let message = format!(
                    "insufficient resources to create new machine with existing volume '{volume}'"
                );
                return Err(Refusal::new(412, message));
            }
            if let Some(holder) = holders.get(volume) {
                return Err(precondition_failed(format!(
                    "volume already claimed by machine {holder}"
                )));
            }
        }
        Ok(())
    }

    fn replace_version(
        &mut self,
        app: &str,
        id: &str,
        body: &Value,
        script: &StartOverrides,
    ) -> Result<Value, Refusal> {
        let state = self.require_active_state(app, id)?;
        let times = self.times();
        let (now, timings) = (times.now, &times.timings);
        let mut config = body.get("config").cloned().unwrap_or(Value::Null);
        fill_missing(&mut config, &self.extra_defaults);
        if config.get("image").and_then(Value::as_str).is_none() {
            return Err(Refusal::new(400, "invalid config: image is required"));
        }
        let moved = self.moved_image(&config);
        let instance = self.draw_instance();
        let skip = body.get("skip_launch") == Some(&Value::Bool(true));
        let record = self.record(app, id)?;
        if let Some(expected) = body.get("current_version").and_then(Value::as_str)
            && expected != record.instance
        {
            let message = format!(
                "aborted: machine version mismatch, current is {}",
                record.instance
            );
            return Err(Refusal::new(409, message));
        }
        if !volumes_of(&config).eq(record.volumes()) {
            let message =
                "invalid config: a volume can be neither attached nor detached by an update";
            return Err(Refusal::new(400, message));
        }
        let launches = match state {
            State::Started | State::Starting | State::Created | State::Failed => !skip,
            // An update does not start a stopped Machine, whatever the call says (17.2).
            State::Stopped | State::Suspended => script.starts_stopped,
            State::Replacing
            | State::Stopping
            | State::Suspending
            | State::Destroying
            | State::Destroyed => {
                return Err(precondition_failed(
                    "machine getting replaced, refusing to update",
                ));
            }
        };
        let replace = timings.replace;
        let timeline = if launches || script.reverts {
            Timeline::starting(now, State::Replacing, replace, timings, script, &config)
        } else {
            Timeline::transition(now, State::Replacing, replace, State::Stopped)
        };
        record.set_timeline(&times, timeline);
        let before = (record.config.clone(), record.instance.clone());
        record.set_config(config, instance, now);
        record.pull(moved);
        record.checks_never_pass = script.checks_never_pass;
        let shown = self.inspect(app, id)?;
        if script.reverts {
            let record = self.record(app, id)?;
            let (config, instance) = before;
            record.set_config(config, instance, now);
        }
        Ok(shown)
    }
}
