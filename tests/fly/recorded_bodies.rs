//! Machines as the platform's API has shown them, read where they lie beside the checkout: each is listed and
//! planned, those of Fly Launch are adopted and updated, and all others stay as they are.

use std::collections::BTreeMap;
use std::path::Path;

use aeroform::core::fleet::schema::CONFIG;
use aeroform::core::fleet::{Desired, Known, normalise};
use aeroform::core::plan::{Action, Options, Plan, plan};
use aeroform::emulator::http::Server;
use aeroform::observe::observe;
use serde_json::{Value, json};

use crate::fixture::{platform, provider};
use crate::hostile;
use crate::runs::{FlyFixture, target};

/// What a body is, and the fly.toml from which `fly deploy` would have made it.
struct RecordedBody {
    file: &'static str,
    toml: &'static str,
    /// How many Machines of it belong to the groups of that file.
    ours: usize,
    /// How many of these `fly deploy` would change with that file: it writes group and primary region into each env.
    differ: usize,
}

const LHR: &str = "\
primary_region = \"lhr\"
[env]
  PORT = \"8000\"
[http_service]
  internal_port = 8000
  force_https = true
  auto_stop_machines = \"stop\"
  auto_start_machines = true
  min_machines_running = 0
[[vm]]
  memory = \"1gb\"
  cpus = 1
  cpu_kind = \"shared\"
";

const fn lhr(file: &'static str, ours: usize) -> RecordedBody {
    RecordedBody {
        file,
        toml: LHR,
        ours,
        differ: 0,
    }
}

/// A body whose Machines belong to no group.
const fn others(file: &'static str) -> RecordedBody {
    RecordedBody {
        file,
        toml: "primary_region = \"ams\"\n",
        ours: 0,
        differ: 0,
    }
}

const BODIES: &[RecordedBody] = &[
    RecordedBody {
        file: "gameserver.json",
        toml: "\
primary_region = \"mad\"
[http_service]
  internal_port = 2567
  force_https = true
  auto_stop_machines = true
  auto_start_machines = true
  min_machines_running = 0
[[vm]]
  size = \"shared-cpu-1x\"
  memory = \"1gb\"
",
        ours: 1,
        differ: 0,
    },
    others("get-resp.json"),
    RecordedBody {
        file: "jg.json",
        toml: "\
primary_region = \"iad\"
[http_service]
  internal_port = 7515
  force_https = true
  auto_stop_machines = \"stop\"
  auto_start_machines = true
  min_machines_running = 2
  [[http_service.checks]]
    method = \"GET\"
    path = \"/health/ready\"
    grace_period = \"15s\"
    interval = \"30s\"
    timeout = \"5s\"
[[vm]]
  size = \"shared-cpu-1x\"
  memory = \"1gb\"
",
        ours: 2,
        differ: 0,
    },
    others("launch-syd-resp.json"),
    lhr("lhrfull.json", 1),
    others("list.json"),
    others("machines-create-resp.json"),
    others("machines-list-resp.json"),
    lhr("odd-checksarr.json", 2),
    lhr("odd-chkname.json", 2),
    lhr("odd-concnull.json", 2),
    RecordedBody {
        differ: 1,
        ..lhr("odd-envnull.json", 2)
    },
    lhr("odd-envnum.json", 2),
    lhr("odd-unreach2.json", 2),
    RecordedBody {
        file: "recipes.json",
        toml: "\
primary_region = \"gru\"
[env]
  CODE = \"x\"
[http_service]
  internal_port = 4000
  force_https = true
  auto_stop_machines = \"stop\"
  auto_start_machines = true
  min_machines_running = 0
[[vm]]
  size = \"shared-cpu-1x\"
  memory = \"1gb\"
",
        ours: 1,
        differ: 0,
    },
    RecordedBody {
        file: "relcmd.json",
        toml: "\
primary_region = \"ams\"
kill_signal = \"SIGTERM\"
kill_timeout = \"5m\"
[processes]
  worker = \"worker\"
[[vm]]
  size = \"shared-cpu-1x\"
",
        ours: 2,
        differ: 0,
    },
    RecordedBody {
        file: "testrun.json",
        toml: "\
primary_region = \"iad\"
[[services]]
  protocol = \"tcp\"
  internal_port = 4999
  [services.concurrency]
    type = \"connections\"
    hard_limit = 25
    soft_limit = 20
  [[services.ports]]
    port = 80
    handlers = [\"http\"]
    force_https = true
  [[services.ports]]
    port = 443
    handlers = [\"tls\", \"http\"]
  [[services.tcp_checks]]
    interval = \"15s\"
    timeout = \"2s\"
",
        ours: 1,
        differ: 1,
    },
    others("update.json"),
];

impl RecordedBody {
    /// What it shows; none where it does not lie here.
    fn read(&self) -> Option<Value> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/api-bodies");
        let Ok(text) = std::fs::read_to_string(folder.join(self.file)) else {
            println!("skipped: there is no {} in ../shared/api-bodies", self.file);
            return None;
        };
        Some(serde_json::from_str(&text).unwrap())
    }

    fn desired(&self) -> Desired {
        let ours = if self.ours == 0 {
            "image = \"r.example/x:1\"\n"
        } else {
            ""
        };
        target(&format!("app = \"shop\"\n{}", self.toml), ours)
    }

    /// With a variable more than its Machines have.
    fn changed(&self) -> Desired {
        let env = "[env]\n";
        let with = "[env]\n  ADDED = \"1\"\n";
        let toml = if self.toml.contains(env) {
            self.toml.replace(env, with)
        } else {
            format!("{}{with}", self.toml)
        };
        target(&format!("app = \"shop\"\n{toml}"), "")
    }
}

/// The ids of a plan's Machines by what is done to them.
fn done(plan: &Plan) -> BTreeMap<&'static str, Vec<String>> {
    let mut done: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (_, change) in plan.changes() {
        let what = match change.action {
            Action::Adopt => "adopt",
            Action::Create { .. } => "create",
            Action::Update { .. } => "update",
            _ => "another",
        };
        let id = change.machine.id.as_ref().map(ToString::to_string);
        done.entry(what).or_default().push(id.unwrap_or_default());
    }
    done
}

fn fields(plan: &Plan) -> Vec<String> {
    let changed = plan.changes().flat_map(|(_, change)| &change.changes);
    changed.map(|field| field.path.join(".")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_body_is_listed_and_with_its_file_nothing_is_planned() {
    let mut read = 0;
    for body in BODIES {
        let Some(shown) = body.read() else {
            return;
        };
        let machines = shown["machines"].as_array().unwrap();
        let app = json!({"id": "x1", "machine_count": machines.len()});
        let list = shown["machines"].to_string();
        let provider = hostile::provider(&app, &list, &shown["volumes"]);
        let desired = body.desired();
        let known = Known::empty(desired.app.clone(), "fly");
        let observed = observe(&provider, &desired.app, &known).await.unwrap();
        assert_eq!(observed.machines.len(), machines.len(), "{}", body.file);
        read += machines.len();
        let planned = plan(&desired, &known, Some(&observed), &Options::default());
        let done = done(&planned);
        let reported = || format!("{}: {done:?} {:#?}", body.file, planned.refusals);
        if body.ours == 0 {
            // They are left alone.
            assert!(done.keys().all(|what| *what == "create"), "{}", reported());
            let unknown = machines.iter().any(|m| !m["config"].is_object());
            assert_eq!(!planned.refusals.is_empty(), unknown, "{}", reported());
            continue;
        }
        assert!(planned.refusals.is_empty(), "{}", reported());
        let readable = machines.iter().any(|m| m["config"].is_object());
        let many = |what| done.get(what).map_or(0, Vec::len);
        let adopted = if readable { body.ours } else { 0 };
        assert_eq!(
            (many("adopt"), many("update")),
            (adopted, body.differ),
            "{}",
            reported()
        );
        assert_eq!(
            planned.changes().count(),
            adopted + body.differ,
            "{}",
            reported()
        );
        let changed = fields(&planned);
        assert!(
            changed.iter().all(|path| path.starts_with("env.")),
            "{changed:?}"
        );
    }
    println!("{read} Machines of {} bodies", BODIES.len());
}

/// An unknown key in every table of a config.
fn with_unknown(tree: &mut Value, top: bool) {
    match tree {
        Value::Object(fields) => {
            let free = ["env", "metadata"];
            for (_, child) in fields
                .iter_mut()
                .filter(|(key, _)| !free.contains(&key.as_str()))
            {
                with_unknown(child, false);
            }
            let known = fields.contains_key("fly_process_group");
            if !known && (top || !fields.is_empty()) {
                fields.insert("nobody_knows".to_owned(), json!({"kept": [1, "x"]}));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| with_unknown(item, false)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The Machines of this body, in an app of the emulated platform.
fn with_machines(server: &Server, machines: &[Value]) {
    let mut ids = BTreeMap::new();
    let mut world = server.world();
    let mut operator = world.operator("shop");
    for machine in machines {
        let config = ["config", "incomplete_config"].map(|key| &machine[key]);
        let config = config.into_iter().find(|config| config.is_object());
        let mut config = config.cloned().unwrap_or_else(|| json!({"image": "x"}));
        with_unknown(&mut config, true);
        let (name, region) = (&machine["name"], &machine["region"]);
        let id = operator.add(name.as_str().unwrap(), region.as_str().unwrap(), config);
        ids.insert(machine["id"].as_str().unwrap().to_owned(), id.unwrap());
    }
    for machine in machines {
        let id = &ids[machine["id"].as_str().unwrap()];
        operator.update(id, |config| {
            let standbys = config.get_mut("standbys").and_then(Value::as_array_mut);
            for watched in standbys.into_iter().flatten() {
                *watched = ids[watched.as_str().unwrap()].as_str().into();
            }
        });
        if machine["state"] == "stopped" {
            operator.stop(id);
        }
        match (&machine["config"], &machine["incomplete_config"]) {
            (Value::Null, Value::Object(_)) => operator.host_in_part(id),
            (Value::Null, _) => operator.set_host_unreachable(id, true),
            (_, _) => {}
        }
    }
}

/// The configs by id in their normal form, without variables and bookkeeping.
fn configs(server: &Server) -> BTreeMap<String, Value> {
    let machines = server.world().operator("shop").machines();
    let config = |machine: &Value| {
        let mut config = machine["config"].clone();
        if config.is_null() {
            return config;
        }
        // A tag is pinned to what runs when its Machine is changed for another reason.
        if let Some(Value::String(image)) = config.get_mut("image") {
            image.truncate(image.find('@').unwrap_or(image.len()));
        }
        if let Some(metadata) = config["metadata"].as_object_mut() {
            metadata.retain(|key, _| !key.starts_with("aeroform_") && !key.starts_with("fly_"));
        }
        let mut config = normalise::normalise_tree(CONFIG, config);
        // The variables are the file's.
        config.as_object_mut().unwrap().remove("env");
        // Nobody writes the port of a service's check: it is that of its service.
        let services = config.get_mut("services").and_then(Value::as_array_mut);
        for service in services.into_iter().flatten() {
            let checks = service.get_mut("checks").and_then(Value::as_array_mut);
            for check in checks
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                check.remove("port");
            }
        }
        config
    };
    machines
        .iter()
        .map(|machine| (machine["id"].as_str().unwrap().to_owned(), config(machine)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_update_of_every_body_keeps_unknown_fields_and_leaves_others_alone() {
    for body in BODIES {
        let Some(shown) = body.read() else {
            return;
        };
        let server = platform();
        with_machines(&server, shown["machines"].as_array().unwrap());
        // What was stopped comes to rest.
        tokio::time::sleep(std::time::Duration::from_secs(120)).await;
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        if body.differ == 0 && body.ours > 0 {
            team.settle(&body.desired()).await;
        }
        let before = configs(&server);
        if body.ours == 0 && before.values().any(Value::is_null) {
            // Refused, as the other test sees.
            continue;
        }
        if body.ours == 0 {
            let added = team.apply(&body.desired()).await;
            assert!(!added.report.results.is_empty(), "{}", body.file);
            for (id, config) in &before {
                assert_eq!(configs(&server).get(id), Some(config), "{}", body.file);
            }
            continue;
        }
        let (planned, _) = team.planned(&body.changed()).await;
        let updated = done(&planned).remove("update").unwrap_or_default();
        let readable = before.values().any(|config| !config.is_null());
        assert_eq!(
            updated.len(),
            if readable { body.ours } else { 0 },
            "{}",
            body.file
        );
        team.settle(&body.changed()).await;
        let after = configs(&server);
        for (id, config) in &before {
            assert_eq!(after.get(id), Some(config), "{}", body.file);
        }
    }
}
