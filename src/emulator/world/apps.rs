//! Endpoints of apps (docs/platform/machines-api.md 3).

use serde_json::{Value, json};

use super::app::App;
use super::lifecycle::State;
use super::reads::app_call;
use super::simulation::{Answer, Refusal, World};

impl World {
    /// `POST /apps`.
    pub fn create_app(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        // The documentation says `app_name`, every client sends `name` (docs/platform/machines-api.md 19).
        let name = text("name").or(text("app_name")).unwrap_or_default();
        let (organization, network) = (text("org_slug"), text("network"));
        self.serve(&app_call("create-app", name), |world, _| {
            let Some(organization) = organization.filter(|slug| !slug.is_empty()) else {
                let message = "authorization: request doesn't contain org_slug";
                return Err(Refusal::new(400, message));
            };
            let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if name.is_empty() || name.len() > 62 || !name.bytes().all(good) {
                let message = "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes";
                return Err(Refusal::new(422, message));
            }
            if world.apps.contains_key(name) {
                let message = "Validation failed: Name has already been taken";
                return Err(Refusal::new(422, message).kind("name_taken"));
            }
            let mut app = App::new(world.draw()[..16].to_owned());
            organization.clone_into(&mut app.organization);
            network.unwrap_or("default").clone_into(&mut app.network);
            let mut shown = app.render(name, world.now());
            shown["created_at"] = world.calendar.millis(world.now()).into();
            world.apps.insert(name.to_owned(), app);
            Ok(shown)
        })
    }

    /// `GET /apps?org_slug=…`.
    pub fn list_apps(&mut self, organization: &str) -> Answer {
        self.serve(&app_call("apps", organization), |world, _| {
            if organization.is_empty() {
                let message = "authorization: request doesn't contain org_slug";
                return Err(Refusal::new(400, message));
            }
            let now = world.now();
            let of_it = world.apps.iter();
            let of_it = of_it.filter(|(_, app)| app.organization == organization);
            let apps: Vec<Value> = of_it.map(|(name, app)| app.render(name, now)).collect();
            Ok(json!({"total_apps": apps.len(), "apps": apps}))
        })
    }

    /// `DELETE /apps/{app}`; with `force` its Machines need not be stopped.
    pub fn delete_app(&mut self, app: &str, force: bool) -> Answer {
        self.serve(&app_call("delete-app", app), |world, _| {
            let now = world.now();
            let found = world.require_app(app)?;
            let runs = |state| matches!(state, State::Started | State::Starting);
            let mut records = found.records().iter();
            if !force && records.any(|record| runs(record.state(now))) {
                let message = "failed_precondition: app has running machines";
                return Err(Refusal::new(412, message));
            }
            world.apps.remove(app);
            Ok(Value::Null)
        })
    }
}
