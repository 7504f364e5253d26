//! Endpoints of volumes (docs/platform/machines-api.md 10).

use serde_json::{Value, json};

use super::app::EmulatedVolume;
use super::reads::app_call;
use super::simulation::{Answer, Refusal, World};

/// The largest volume, GB.
const MOST_GB: u64 = 500;

impl World {
    /// `POST …/volumes`.
    pub fn create_volume(&mut self, app: &str, body: &Value) -> Answer {
        self.serve(&app_call("create-volume", app), |world, script| {
            let text = |key: &str| body.get(key).and_then(Value::as_str);
            let Some(name) = text("name").filter(|name| !name.is_empty()) else {
                return Err(Refusal::new(400, "invalid_argument: name is required"));
            };
            let id = format!("vol_{}", &world.draw()[..16]);
            let mut disk =
                EmulatedVolume::new(id, name, text("region").unwrap_or("iad"), world.now());
            if let Some(size) = body.get("size_gb").and_then(Value::as_u64) {
                disk.size_gb = parse_size(size)?;
            }
            if let Some(encrypted) = body.get("encrypted").and_then(Value::as_bool) {
                disk.encrypted = encrypted;
            }
            disk.apply_settings(body);
            let unique = body.get("require_unique_zone") != Some(&Value::Bool(false));
            let found = world.require_app(app)?;
            let zone = found.zone(name, &disk.region, world.zones, unique);
            disk.zone = zone.ok_or_else(|| {
                let message = "every zone already has a volume with this name";
                Refusal::new(422, message).kind("volume_placement_capacity")
            })?;
            disk.listed_from = world.now() + script.unlisted;
            let shown = disk.render(None, world.calendar);
            world.require_app_mut(app)?.volumes.push(disk);
            Ok(shown)
        })
    }

    /// `GET …/volumes/{id}`.
    pub fn volume(&mut self, app: &str, id: &str) -> Answer {
        self.serve_volume_call("volume", app, id, |_| Ok(()))
    }

    /// `PUT …/volumes/{id}`.
    pub fn update_volume(&mut self, app: &str, id: &str, body: &Value) -> Answer {
        self.serve_volume_call("update-volume", app, id, |disk| {
            disk.apply_settings(body);
            Ok(())
        })
    }

    /// `PUT …/volumes/{id}/extend`: the size can only grow.
    pub fn extend_volume(&mut self, app: &str, id: &str, body: &Value) -> Answer {
        let size_gb = body.get("size_gb").and_then(Value::as_u64);
        let mut answer = self.serve_volume_call("extend-volume", app, id, |disk| {
            let size = parse_size(size_gb.unwrap_or_default())?;
            if size < disk.size_gb {
                let message = "invalid_argument: a volume can only be extended";
                return Err(Refusal::new(400, message));
            }
            disk.size_gb = size;
            Ok(())
        });
        answer.result = answer.result.map(|volume| {
            let needs_restart = !volume["attached_machine_id"].is_null();
            json!({"volume": volume, "needs_restart": needs_restart})
        });
        answer
    }

    /// `DELETE …/volumes/{id}`: only an unattached one.
    pub fn delete_volume(&mut self, app: &str, id: &str) -> Answer {
        self.serve(&app_call("delete-volume", app), |world, _| {
            let mut shown = world.render_volume(app, id)?;
            if let Some(holder) = shown["attached_machine_id"].as_str() {
                let message =
                    format!("failed_precondition: volume is currently bound to machine: {holder}");
                return Err(Refusal::new(412, message));
            }
            shown["state"] = "destroyed".into();
            world
                .require_app_mut(app)?
                .volumes
                .retain(|disk| disk.id != id);
            Ok(shown)
        })
    }

    fn serve_volume_call(
        &mut self,
        action: &'static str,
        app: &str,
        id: &str,
        change: impl FnOnce(&mut EmulatedVolume) -> Result<(), Refusal>,
    ) -> Answer {
        self.serve(&app_call(action, app), |world, _| {
            world.render_volume(app, id)?;
            let mut disks = world.require_app_mut(app)?.volumes.iter_mut();
            disks.find(|disk| disk.id == id).map_or(Ok(()), change)?;
            world.render_volume(app, id)
        })
    }

    fn render_volume(&self, app: &str, id: &str) -> Result<Value, Refusal> {
        let found = self.require_app(app)?;
        let holders = found.holders(self.now());
        let disk = found.volumes.iter().find(|disk| disk.id == id);
        disk.map(|disk| disk.render(holders.get(id).copied(), self.calendar))
            .ok_or_else(|| Refusal::new(404, "not_found: volume not found"))
    }
}

impl EmulatedVolume {
    fn apply_settings(&mut self, body: &Value) {
        let days = body.get("snapshot_retention").and_then(Value::as_u64);
        if let Some(days) = days.and_then(|days| u32::try_from(days).ok()) {
            self.snapshot_retention = days;
        }
        if let Some(backup) = body.get("auto_backup_enabled").and_then(Value::as_bool) {
            self.auto_backup_enabled = backup;
        }
    }
}

fn parse_size(size: u64) -> Result<u32, Refusal> {
    let fits = (1..=MOST_GB).contains(&size);
    fits.then_some(())
        .and_then(|()| u32::try_from(size).ok())
        .ok_or_else(|| Refusal::new(400, "invalid_argument: size_gb must be from 1 to 500"))
}
