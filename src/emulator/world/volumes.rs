//! The endpoints of volumes (docs/platform/machines-api.md 10).

use serde_json::{Value, json};

use super::app::Disk;
use super::place::{Answer, Refusal, World};
use super::reads::about;

/// The largest volume, GB.
const MOST_GB: u64 = 500;

impl World {
    /// `POST …/volumes`.
    pub fn create_volume(&mut self, app: &str, body: &Value) -> Answer {
        self.serve(&about("create-volume", app), |world, script| {
            let text = |key: &str| body.get(key).and_then(Value::as_str);
            let Some(name) = text("name").filter(|name| !name.is_empty()) else {
                return Err(Refusal::new(400, "invalid_argument: name is required"));
            };
            let id = format!("vol_{}", &world.draw()[..16]);
            let mut disk = Disk::new(id, name, text("region").unwrap_or("iad"), world.now());
            if let Some(size) = body.get("size_gb").and_then(Value::as_u64) {
                disk.size_gb = sized(size)?;
            }
            if let Some(encrypted) = body.get("encrypted").and_then(Value::as_bool) {
                disk.encrypted = encrypted;
            }
            disk.settle(body);
            let unique = body.get("require_unique_zone") != Some(&Value::Bool(false));
            let found = world.found(app)?;
            let zone = found.zone(name, &disk.region, world.zones, unique);
            disk.zone = zone.ok_or_else(|| {
                let message = "no zone is left in which no volume of this name lies";
                Refusal::new(422, message).kind("volume_placement_capacity")
            })?;
            disk.listed_from = world.now() + script.unlisted;
            let shown = disk.shown(None, world.calendar);
            world.found_mut(app)?.volumes.push(disk);
            Ok(shown)
        })
    }

    /// `GET …/volumes/{id}`.
    pub fn volume(&mut self, app: &str, id: &str) -> Answer {
        self.about_volume("volume", app, id, |_| Ok(()))
    }

    /// `PUT …/volumes/{id}`.
    pub fn update_volume(&mut self, app: &str, id: &str, body: &Value) -> Answer {
        self.about_volume("update-volume", app, id, |disk| {
            disk.settle(body);
            Ok(())
        })
    }

    /// `PUT …/volumes/{id}/extend`: it only grows.
    pub fn extend_volume(&mut self, app: &str, id: &str, body: &Value) -> Answer {
        let wanted = body.get("size_gb").and_then(Value::as_u64);
        let mut answer = self.about_volume("extend-volume", app, id, |disk| {
            let size = sized(wanted.unwrap_or_default())?;
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

    /// `DELETE …/volumes/{id}`: only one that no Machine has.
    pub fn delete_volume(&mut self, app: &str, id: &str) -> Answer {
        self.serve(&about("delete-volume", app), |world, _| {
            let mut shown = world.shown_volume(app, id)?;
            if let Some(holder) = shown["attached_machine_id"].as_str() {
                let message =
                    format!("failed_precondition: volume is currently bound to machine: {holder}");
                return Err(Refusal::new(412, message));
            }
            shown["state"] = "destroyed".into();
            world.found_mut(app)?.volumes.retain(|disk| disk.id != id);
            Ok(shown)
        })
    }

    fn about_volume(
        &mut self,
        action: &'static str,
        app: &str,
        id: &str,
        change: impl FnOnce(&mut Disk) -> Result<(), Refusal>,
    ) -> Answer {
        self.serve(&about(action, app), |world, _| {
            world.shown_volume(app, id)?;
            let mut disks = world.found_mut(app)?.volumes.iter_mut();
            disks.find(|disk| disk.id == id).map_or(Ok(()), change)?;
            world.shown_volume(app, id)
        })
    }

    fn shown_volume(&self, app: &str, id: &str) -> Result<Value, Refusal> {
        let found = self.found(app)?;
        let holders = found.holders(self.now());
        let disk = found.volumes.iter().find(|disk| disk.id == id);
        disk.map(|disk| disk.shown(holders.get(id).copied(), self.calendar))
            .ok_or_else(|| Refusal::new(404, "not_found: volume not found"))
    }
}

impl Disk {
    fn settle(&mut self, body: &Value) {
        let days = body.get("snapshot_retention").and_then(Value::as_u64);
        if let Some(days) = days.and_then(|days| u32::try_from(days).ok()) {
            self.snapshot_retention = days;
        }
        if let Some(backup) = body.get("auto_backup_enabled").and_then(Value::as_bool) {
            self.auto_backup_enabled = backup;
        }
    }
}

fn sized(size: u64) -> Result<u32, Refusal> {
    let fits = (1..=MOST_GB).contains(&size);
    fits.then_some(())
        .and_then(|()| u32::try_from(size).ok())
        .ok_or_else(|| Refusal::new(400, "invalid_argument: size_gb must be from 1 to 500"))
}
