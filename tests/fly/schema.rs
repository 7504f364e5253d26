//! What the emulator answers and what the client sends, against the platform's own OpenAPI document, with
//! every object closed: a field that nobody documented is a finding.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aeroform::emulator::http::Server;
use aeroform::provider::fly::{FlyProvider, Request, Response, Transport, TransportError};
use aeroform::provider::{LogQuery, LogScope, Provider};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::fixture::{access, ask, platform};
use crate::in_process::InProcess;
use crate::runs::{FlyFixture, target};

/// What the document lacks or has otherwise, by schema and field, with the reason
/// (docs/platform/machines-api.md 6, 7, 16, 20).
const DEVIATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "Machine",
        "version",
        "string",
        "newer than the document; the same as instance_id",
    ),
    ("Machine", "cordoned", "boolean", "newer than the document"),
    (
        "App",
        "created_at",
        "integer",
        "the answer of a create has it",
    ),
    (
        "Volume",
        "attached_machine_id",
        "null",
        "what no Machine has is null, not absent",
    ),
    ("Volume", "attached_alloc_id", "null", "always null"),
    (
        "fly.MachineService",
        "force_instance_key",
        "null",
        "recorded answers have it as null",
    ),
];

/// Answers whose form the document gives otherwise than the platform does (docs/platform/machines-api.md 7, 19).
fn is_otherwise(template: &str) -> bool {
    // An envelope, where the document has the bare lease.
    template.ends_with("/lease")
}

struct OpenApiDocument {
    root: Value,
}

impl OpenApiDocument {
    fn read() -> Option<Self> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/facts/machines-openapi.json");
        let text = std::fs::read_to_string(path).ok()?;
        let mut root: Value = serde_json::from_str(&text).unwrap();
        let schemas = &mut root["components"]["schemas"];
        for (schema, field, kind, _) in DEVIATIONS {
            let property = &mut schemas[*schema]["properties"][*field];
            let known = property.get("type").cloned();
            let kinds: Vec<Value> = known.into_iter().chain([json!(kind)]).collect();
            property["type"] = kinds.into();
        }
        close(&mut root["components"]);
        Some(Self { root })
    }

    /// The operation that this request is, with its template.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let path = path.strip_prefix("/v1")?;
        let fits = |template: &str| {
            let (a, b) = (template.split('/'), path.split('/'));
            a.clone().count() == b.clone().count()
                && a.zip(b).all(|(t, p)| t.starts_with('{') || t == p)
        };
        let paths = self.root["paths"].as_object().unwrap();
        let mut found: Vec<_> = paths.iter().filter(|(t, _)| fits(t)).collect();
        // A written word goes before a parameter.
        found.sort_by_key(|(t, _)| t.matches('{').count());
        let (template, operations) = found.first()?;
        let operation = operations.get(method.to_ascii_lowercase())?;
        Some((template, operation))
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        close(&mut schema);
        let whole = json!({"allOf": [schema], "components": self.root["components"]});
        jsonschema::draft4::new(&whole).unwrap()
    }
}

/// Closes every object and lets null stand where the document says so.
fn close(value: &mut Value) {
    if let Value::Object(fields) = value {
        let nullable = fields.remove("nullable") == Some(Value::Bool(true));
        if let Some(kind) = fields.get("type").filter(|_| nullable).cloned() {
            fields.insert("type".to_owned(), json!([kind, "null"]));
        }
        let named = fields.get("properties").is_some_and(Value::is_object);
        let open = !fields.contains_key("additionalProperties");
        if named && open && fields.get("type") == Some(&json!("object")) {
            fields.insert("additionalProperties".to_owned(), false.into());
        }
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(close),
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// One request and its answer.
#[derive(Clone)]
struct RecordedExchange {
    method: String,
    path: String,
    query: String,
    sent: Value,
    status: u16,
    answered: Value,
}

#[derive(Clone, Default)]
struct ExchangeLog(Arc<Mutex<Vec<RecordedExchange>>>);

struct RecordingTransport(InProcess, ExchangeLog);

#[async_trait::async_trait]
impl Transport for RecordingTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let read = |body: &[u8]| serde_json::from_slice(body).unwrap_or(Value::Null);
        let (_, address) = request.url.split_once(":4280").unwrap();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut exchange = RecordedExchange {
            method: request.method.as_str().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            sent: request.body.as_deref().map_or(Value::Null, read),
            status: 0,
            answered: Value::Null,
        };
        let answer = self.0.send(request).await?;
        exchange.status = answer.status;
        exchange.answered = read(&answer.body);
        self.1.0.lock().unwrap().push(exchange);
        Ok(answer)
    }
}

const RICH_FLY_TOML: &str = "\
app = \"shop\"
primary_region = \"ams\"
kill_signal = \"SIGTERM\"
kill_timeout = 30
swap_size_mb = 512
[env]
  LOG = \"info\"
[processes]
  web = \"bin/web\"
  jobs = \"bin/jobs -q default\"
[[vm]]
  size = \"shared-cpu-2x\"
  memory = \"1gb\"
[http_service]
  internal_port = 8080
  force_https = true
  auto_stop_machines = \"suspend\"
  auto_start_machines = true
  min_machines_running = 1
  processes = [\"web\"]
  [http_service.concurrency]
    type = \"requests\"
    soft_limit = 20
    hard_limit = 25
  [http_service.http_options]
    compress = true
  [[http_service.checks]]
    path = \"/up\"
    interval = \"10s\"
    timeout = \"2s\"
    grace_period = \"5s\"
    [http_service.checks.headers]
      X-Probe = \"yes\"
[checks.alive]
  type = \"tcp\"
  port = 9000
  interval = \"15s\"
  timeout = \"2s\"
  processes = [\"jobs\"]
[[mounts]]
  source = \"data\"
  destination = \"/data\"
  initial_size = \"2gb\"
  snapshot_retention = 7
  scheduled_snapshots = false
  processes = [\"jobs\"]
[[restart]]
  policy = \"on-failure\"
  retries = 5
  processes = [\"web\"]
[[statics]]
  guest_path = \"/app/public\"
  url_prefix = \"/static\"
[[metrics]]
  port = 9091
  path = \"/metrics\"
  processes = [\"web\"]
";

fn rich(web: u32, image: u32) -> aeroform::core::fleet::Desired {
    let ours = format!(
        "image = \"r.example/shop@sha256:{image:064}\"\n[groups.web]\ncount = {web}\n[groups.jobs]\ncount = 1\n"
    );
    target(RICH_FLY_TOML, &ours)
}

/// Everything that the client asks for: a fleet of rich configs from its first create to its last destroy.
async fn life(server: &Server) -> Vec<RecordedExchange> {
    let tape = ExchangeLog::default();
    let transport = RecordingTransport(InProcess::to(server), tape.clone());
    let provider = FlyProvider::new(transport, access("http://127.0.0.1:4280"));
    let mut team = FlyFixture::of(&provider);
    team.settle(&rich(2, 1)).await;
    team.settle(&rich(3, 2)).await;
    team.settle(&rich(1, 2)).await;
    let id = team.known.machines.keys().next().unwrap().clone();
    let app = team.known.app.clone();
    let stamp = aeroform::core::fleet::Call::Stamp {
        id,
        stamps: aeroform::core::fleet::Stamps::default(),
    };
    provider.call(&app, &stamp).await.unwrap();
    let query = LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: LogScope::App,
        follow: false,
        tail: None,
    };
    provider.logs(&app, &query, &mut |_| true).await.unwrap();
    let exchanges = tape.0.lock().unwrap();
    exchanges.clone()
}

/// What the client does not ask for and the emulator serves all the same.
async fn others(server: &Server) -> Vec<RecordedExchange> {
    let machine = server.world().operator("shop").machines()[0]["id"].clone();
    let at = |rest: &str| format!("/v1/apps/shop/machines/{}{rest}", machine.as_str().unwrap());
    let body = json!({"name": "logs", "region": "ams"});
    let (_, volume) = ask(server, "POST", "/v1/apps/shop/volumes", body).await;
    let of_volume = |rest: &str| {
        format!(
            "/v1/apps/shop/volumes/{}{rest}",
            volume["id"].as_str().unwrap()
        )
    };
    let requests = [
        ("GET", "/v1/apps?org_slug=personal".to_owned(), Value::Null),
        (
            "POST",
            "/v1/apps".to_owned(),
            json!({"name": "b", "org_slug": "personal"}),
        ),
        ("GET", "/v1/apps/shop".to_owned(), Value::Null),
        ("POST", "/v1/apps".to_owned(), json!({"name": "B"})),
        ("GET", at("/events"), Value::Null),
        ("GET", at("/versions"), Value::Null),
        ("GET", at("/ps"), Value::Null),
        ("GET", at("/metadata"), Value::Null),
        ("GET", at("/wait?state=stopped&timeout=1"), Value::Null),
        ("GET", at("/metadata/nothing"), Value::Null),
        ("POST", at("/metadata/a"), json!({"value": "b"})),
        ("GET", at("/metadata/a"), Value::Null),
        ("GET", "/v1/apps/shop/volumes".to_owned(), Value::Null),
        ("GET", of_volume(""), Value::Null),
        ("PUT", of_volume(""), json!({"snapshot_retention": 7})),
        ("PUT", of_volume("/extend"), json!({"size_gb": 9})),
        ("DELETE", of_volume(""), Value::Null),
    ];
    let mut found = Vec::new();
    for (method, address, sent) in requests {
        let (status, answered) = ask(server, method, &address, sent.clone()).await;
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        found.push(RecordedExchange {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            sent,
            status,
            answered,
        });
    }
    found
}

fn problems(document: &OpenApiDocument, exchange: &RecordedExchange) -> Vec<String> {
    let RecordedExchange {
        method,
        path,
        status,
        ..
    } = exchange;
    if path.starts_with("/api/v1") {
        return Vec::new();
    }
    let Some((template, operation)) = document.operation(method, path) else {
        return vec![format!("{method} {path} is no operation of the document")];
    };
    let place = format!("{method} {template}");
    let mut found = Vec::new();
    let mut check = |schema: &Value, value: &Value, what: &str| {
        for error in document.validator(schema).iter_errors(value) {
            found.push(format!(
                "{place} {what}: {} at {}",
                error,
                error.instance_path()
            ));
        }
    };
    let sent = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !exchange.sent.is_null() {
        check(sent, &exchange.sent, "request");
    }
    let answer = &operation["responses"][status.to_string()];
    let schema = &answer["content"]["application/json"]["schema"];
    if *status >= 400 {
        let error = json!({"$ref": "#/components/schemas/ErrorResponse"});
        if !is_otherwise(template) && exchange.answered.is_object() {
            check(&error, &exchange.answered, "refusal");
        }
    } else if answer.is_null() {
        found.push(format!("{place}: {status} is not documented"));
    } else if !schema.is_null() && !is_otherwise(template) {
        check(schema, &exchange.answered, "answer");
    }
    let known: BTreeSet<&str> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    for pair in exchange.query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap();
        // fly-go sends it there, the document has it in the body (docs/platform/machines-api.md 7).
        let ttl = is_otherwise(template) && name == "ttl";
        if !known.contains(name) && !ttl {
            found.push(format!("{place}: nobody documented the query `{name}`"));
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_and_answered_is_as_the_platform_documents_it() {
    let Some(document) = OpenApiDocument::read() else {
        eprintln!("skipped: the platform's OpenAPI document is not here");
        return;
    };
    let server = platform();
    let mut exchanges = life(&server).await;
    exchanges.extend(others(&server).await);
    let actions: BTreeSet<String> = exchanges
        .iter()
        .filter_map(|e| {
            Some(format!(
                "{} {}",
                e.method,
                document.operation(&e.method, &e.path)?.0
            ))
        })
        .collect();
    assert!(actions.len() >= 20, "only {actions:#?}");
    let volume = exchanges.iter().find(|e| e.sent["size_gb"] == 2).unwrap();
    assert_eq!(
        volume.sent,
        json!({
            "name": "data", "region": "ams", "size_gb": 2, "encrypted": true,
            "require_unique_zone": false, "snapshot_retention": 7, "auto_backup_enabled": false,
            "compute": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024},
            "compute_image": format!("r.example/shop@sha256:{:064}", 1),
        })
    );
    assert_eq!(volume.answered["size_gb"], 2);
    let found: BTreeSet<String> = exchanges
        .iter()
        .flat_map(|e| problems(&document, e))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_closed_schema_finds_a_misspelling() {
    let mut schema =
        json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}});
    close(&mut schema);
    let validator = jsonschema::draft4::new(&schema).unwrap();
    assert!(validator.is_valid(&json!({"a": null})));
    assert!(!validator.is_valid(&json!({"aa": "x"})));
}
