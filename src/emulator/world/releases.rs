//! Releases, which the platform serves from another host (docs/platform/machines-api.md 14).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Calendar;
use super::reads::app_call;
use super::simulation::{Answer, Refusal, World};

/// A registered release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Release {
    id: String,
    version: u64,
    status: String,
    strategy: String,
    image: String,
    user: String,
    created_at: Duration,
}

impl Release {
    fn render(&self, calendar: Calendar) -> Value {
        let open = matches!(self.status.as_str(), "pending" | "running");
        json!({
            "id": self.id, "version": self.version, "stable": !open, "in_progress": open,
            "status": self.status, "strategy": self.strategy, "image_ref": self.image,
            "user": {"email": self.user}, "created_at": calendar.seconds(self.created_at),
        })
    }
}

impl World {
    /// `POST /api/v1/releases`.
    pub fn create_release(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        let app = text("app_name");
        self.serve(&app_call("release", app), |world, _| {
            let user = world.caller().owner.clone();
            let (id, created_at) = (world.draw()[..25].to_owned(), world.now());
            let calendar = world.calendar;
            let found = world.require_app_mut(app)?;
            let newest = found.releases.last().map_or(0, |release| release.version);
            let release = Release {
                id,
                version: newest + 1,
                status: "pending".to_owned(),
                strategy: text("strategy").to_owned(),
                image: text("image").to_owned(),
                user: user.unwrap_or_else(|| "somebody".to_owned()),
                created_at,
            };
            let shown = json!({"release": release.render(calendar)});
            found.releases.push(release);
            Ok(shown)
        })
    }

    /// `PATCH /api/v1/releases/{id}`.
    pub fn update_release(&mut self, id: &str, body: &Value) -> Answer {
        self.serve(&app_call("release", id), |world, _| {
            let calendar = world.calendar;
            let mut releases = world.apps.iter_mut().flat_map(|(app, found)| {
                let releases = found.releases.iter_mut();
                releases.map(move |release| (app, release))
            });
            let release = releases.find(|(_, release)| release.id == id);
            let (app, release) = release.ok_or_else(|| Refusal::new(404, "release not found"))?;
            // The call names no app, so it is marked as changed here.
            world.changed.insert((app.clone(), None));
            if let Some(status) = body.get("status").and_then(Value::as_str) {
                status.clone_into(&mut release.status);
            }
            Ok(json!({"release": release.render(calendar)}))
        })
    }

    /// `GET /api/v1/apps/{app}/releases`: newest first.
    pub fn releases(&mut self, app: &str, limit: usize) -> Answer {
        self.serve(&app_call("releases", app), |world, _| {
            let calendar = world.calendar;
            let releases = world.require_app(app)?.releases.iter().rev().take(limit);
            let shown: Vec<Value> = releases.map(|release| release.render(calendar)).collect();
            Ok(json!({"releases": shown}))
        })
    }

    /// `GET /api/v1/apps/{app}/releases/current`.
    pub fn current_release(&mut self, app: &str) -> Answer {
        self.serve(&app_call("releases", app), |world, _| {
            let newest = world.require_app(app)?.releases.last();
            let newest = newest.ok_or_else(|| Refusal::new(404, "release not found"))?;
            Ok(json!({"release": newest.render(world.calendar)}))
        })
    }
}
