//! A server that answers oddly: nulls, wrong types, missing fields, things that nobody understands, huge
//! things. One odd Machine hides no other, what is missing is no agreement, and nothing is made of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use aeroform::core::fleet::{
    AppName, HostStatus, Known, Lineage, Machine, MachineState, Management, Observed,
};
use aeroform::observe::{ObserveError, observe};
use aeroform::provider::Provider;
use aeroform::provider::fly::{FlyProvider, Method, Request, Response, Transport, TransportError};
use serde_json::{Value, json};

use crate::fixture::access;

const MACHINES: &str = "/v1/apps/shop/machines";
const VOLUMES: &str = "/v1/apps/shop/volumes";
const APP: &str = "/v1/apps/shop";

/// Says what was written down for each path; 404 for every other.
pub(crate) struct HostileTransport {
    answers: BTreeMap<String, Vec<u8>>,
    requests: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Transport for HostileTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.url.trim_start_matches("http://127.0.0.1:4280");
        self.requests.lock().unwrap().push(path.to_owned());
        assert_eq!(request.method, Method::Get, "only looked at");
        Ok(match self.answers.get(path) {
            Some(body) => Response {
                status: 200,
                body: body.clone(),
                ..Response::default()
            },
            None => Response {
                status: 404,
                body: br#"{"error":"not_found: machine not found"}"#.to_vec(),
                ..Response::default()
            },
        })
    }
}

pub(crate) fn app() -> AppName {
    AppName::new("shop").unwrap()
}

pub(crate) fn provider(
    app: &Value,
    machines: &str,
    volumes: &Value,
) -> FlyProvider<HostileTransport> {
    let answers = [
        (APP, app.to_string()),
        (MACHINES, machines.to_owned()),
        (VOLUMES, volumes.to_string()),
    ];
    let answers = answers.map(|(path, body)| (path.to_owned(), body.into_bytes()));
    let says = HostileTransport {
        answers: answers.into(),
        requests: Mutex::default(),
    };
    FlyProvider::new(says, access("http://127.0.0.1:4280"))
}

/// A Machine of `fly deploy`, changed by a merge patch.
pub(crate) fn machine(id: &str, patch: &Value) -> Value {
    let mut shown = json!({
        "id": id, "name": format!("calm-river-{id}"), "state": "started", "region": "ams",
        "instance_id": "01J", "private_ip": "fdaa::1", "host_status": "ok", "cordoned": false,
        "created_at": "2026-01-01T00:00:00Z", "checks": [], "events": [],
        "config": {
            "image": "registry.fly.io/shop:v1",
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "metadata": {"fly_platform_version": "v2", "fly_process_group": "web"},
        },
    });
    merge(&mut shown, patch);
    shown
}

/// `"-"` takes a key away.
pub(crate) fn merge(tree: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        tree.clone_from(patch);
        return;
    };
    if !tree.is_object() {
        *tree = json!({});
    }
    for (key, value) in patch {
        if value == "-" {
            tree.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut tree[key], value);
        }
    }
}

pub(crate) async fn seen(provider: &dyn Provider) -> Result<Observed, ObserveError> {
    observe(provider, &app(), &Known::empty(app(), "fly")).await
}

/// What is seen of this Machine beside a plain one.
pub(crate) async fn beside(odd: Value) -> (Observed, Option<Machine>) {
    let list = json!([machine("d1", &json!({})), odd]).to_string();
    let app = json!({"id": "x1", "machine_count": 2});
    let observed = seen(&provider(&app, &list, &json!([]))).await.unwrap();
    assert!(
        observed.machines.contains_key("d1"),
        "the plain one is there"
    );
    assert!(observed.machines["d1"].config.is_some());
    let machine = observed.machines.get("d2").cloned();
    (observed, machine)
}

#[tokio::test(start_paused = true)]
async fn what_says_the_same_in_another_type_is_read() {
    for patch in [
        json!({"checks": [{"name": "x", "status": 1}]}),
        json!({"checks": {"name": "x"}}),
        json!({"checks": null, "events": null, "image_ref": null, "cordoned": null}),
        json!({"events": [{"type": 7}, 3, null]}),
        json!({"events": "none"}),
        json!({"cordoned": "false"}),
        json!({"instance_id": 7, "private_ip": 7, "created_at": 1_700_000_000}),
        json!({"private_ip": null, "name": null}),
        json!({"image_ref": ["x"]}),
        json!({"host_status": null}),
        json!({"host_status": "-"}),
        json!({"config": {"checks": []}}),
        json!({"config": {"env": []}}),
        json!({"config": {"env": null}}),
        json!({"config": {"env": {"PORT": 8000, "DEBUG": true, "GONE": null}}}),
        json!({"config": {"services": {}, "mounts": null, "files": {}}}),
        json!({"config": {"services": [{"internal_port": "8080", "concurrency": null}]}}),
        json!({"config": {"services": [{"internal_port": 8080.0, "autostart": "true"}]}}),
        json!({"config": {"services": [null, {"ports": [null]}]}}),
        json!({"config": {"stop_config": {"timeout": 5_000_000_000_u64}}}),
        json!({"config": {"guest": [], "init": [], "restart": []}}),
        json!({"config": {"metadata": {"fly_process_group": "web", "n": 7}}}),
        json!({"config": {"new_field_of_next_year": [[[1]]]}}),
        json!({"incomplete_config": "nonsense"}),
        json!({"new_field_of_next_year": {"deep": [1]}}),
    ] {
        let (_, machine) = beside(machine("d2", &patch)).await;
        let machine = machine.unwrap_or_else(|| panic!("{patch} hides it"));
        assert!(
            machine.config.is_some(),
            "{patch}: {:?}",
            machine.unreadable
        );
        assert_eq!(machine.host, HostStatus::Ok, "{patch}");
        assert_eq!(machine.group.unwrap().as_str(), "web", "{patch}");
        assert_eq!(machine.management, Management::FlyLaunch, "{patch}");
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_are_durations_and_digits_are_numbers() {
    let patch = json!({"config": {
        "stop_config": {"timeout": 5_000_000_000_u64},
        "services": [{"internal_port": "8080", "checks": [{"interval": 15e9, "timeout": "2s"}]}],
        "env": {"PORT": 8000},
    }});
    let (_, read) = beside(machine("d2", &patch)).await;
    let config = read.unwrap().config.unwrap().to_value();
    assert_eq!(config["stop_config"]["timeout"], "5s");
    assert_eq!(config["services"][0]["internal_port"], 8080);
    assert_eq!(config["services"][0]["checks"][0]["interval"], "15s");
    assert_eq!(config["env"]["PORT"], "8000");
}

#[tokio::test(start_paused = true)]
async fn a_config_that_is_not_understood_is_said_and_the_machine_stays_visible() {
    for (config, said) in [
        (json!({"services": "all"}), "`services` is text, not a list"),
        (
            json!({"services": [{"internal_port": [8080]}]}),
            "`services[0].internal_port` is a list, not a number",
        ),
        (
            json!({"services": [{"internal_port": 99_999_999}]}),
            "`services[0].internal_port` is not a number from 0 to 65535",
        ),
        (
            json!({"guest": {"memory_mb": 1e300}}),
            "`guest.memory_mb` is not a number from 0 to 4294967295",
        ),
        (
            json!({"env": {"A": {"B": 1}}}),
            "`env.A` is a map, not text",
        ),
        (
            json!({"stop_config": {"timeout": -1}}),
            "`stop_config.timeout` is a number, not a duration",
        ),
    ] {
        let (_, read) = beside(machine("d2", &json!({ "config": config }))).await;
        let read = read.unwrap();
        assert_eq!(read.unreadable.as_deref(), Some(said));
        assert_eq!(read.host, HostStatus::Ok, "its host is not to blame");
        assert!(read.detail.unwrap().contains(said));
        // What can be read of it still tells whose it is.
        assert_eq!(read.group.unwrap().as_str(), "web");
        assert_eq!(read.partial_image.unwrap(), "registry.fly.io/shop:v1");
    }
    for config in [json!("text"), json!(7), json!(["x"]), json!(true)] {
        let mut odd = machine("d2", &json!({}));
        odd["config"] = config;
        let (_, read) = beside(odd).await;
        let read = read.unwrap();
        assert!(read.unreadable.is_some());
        assert_eq!(read.management, Management::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn no_value_of_an_answer_is_repeated_where_it_cannot_be_read() {
    let secret = "sk_live_4eC39HqLyjWDarjtT1";
    let odd = machine(
        "d2",
        &json!({"config": {"services": secret, "guest": secret}}),
    );
    let (_, read) = beside(odd).await;
    assert!(!format!("{:?}", read.unwrap()).contains(secret));
    for list in [format!("\"{secret}\""), format!("{{\"a\":\"{secret}\"}}")] {
        let app = json!({"id": "x1"});
        let error = seen(&provider(&app, &list, &json!([]))).await.unwrap_err();
        assert!(!error.to_string().contains(secret), "{error}");
        assert_eq!(error.code(), "unreadable_answer");
    }
}

/// Holds rule 9.
#[tokio::test(start_paused = true)]
async fn a_dead_hosts_machine_is_read_from_its_incomplete_config() {
    let mut odd = machine("d2", &json!({"host_status": "unreachable"}));
    odd["incomplete_config"] = odd["config"].take();
    let (_, read) = beside(odd.clone()).await;
    let read = read.unwrap();
    assert_eq!(read.group.as_ref().unwrap().as_str(), "web");
    assert_eq!(read.management, Management::FlyLaunch);
    assert_eq!(read.image().as_deref(), Some("registry.fly.io/shop:v1"));
    assert!(read.config.is_none() && read.unreadable.is_none());
    // Without one nothing tells whose it is.
    for nothing in [json!(null), json!({}), json!({"metadata": []}), json!("x")] {
        odd["incomplete_config"] = nothing;
        let (_, read) = beside(odd.clone()).await;
        assert_eq!(read.unwrap().management, Management::Unknown);
    }
    // One that names a group counts for it, whatever else is missing.
    odd["incomplete_config"] = json!({"metadata": {"fly_process_group": "web"}});
    let (_, read) = beside(odd.clone()).await;
    assert_eq!(read.unwrap().management, Management::FlyLaunch);
    odd["incomplete_config"] =
        json!({"metadata": {"fly_process_group": "fly_app_release_command"}});
    let (_, read) = beside(odd).await;
    assert_eq!(read.unwrap().management, Management::Auxiliary);
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_a_state_or_a_region_is_still_there() {
    let (_, read) = beside(machine("d2", &json!({"state": "-"}))).await;
    let read = read.unwrap();
    assert_eq!(read.state, MachineState::Unknown);
    assert!(read.detail.unwrap().contains("state"));
    let (_, read) = beside(machine("d2", &json!({"state": "hibernating"}))).await;
    let read = read.unwrap();
    assert_eq!(read.state, MachineState::Unknown);
    assert_eq!(read.detail.as_deref(), Some("state `hibernating`"));
    for region in [json!("-"), json!(null), json!([]), json!("")] {
        let (_, read) = beside(machine("d2", &json!({ "region": region }))).await;
        assert!(!read.unwrap().region.is_known());
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_no_machine_hides_no_other_and_is_said() {
    for odd in [
        json!(null),
        json!(7),
        json!("text"),
        json!([]),
        json!({}),
        json!({"id": null}),
        json!({"id": ""}),
        json!({"id": "../../etc"}),
    ] {
        let (observed, _) = beside(odd.clone()).await;
        assert_eq!(observed.unreadable.len(), 1, "{odd}");
        assert!(observed.unreadable[0].starts_with("entry 2 of the list"));
    }
    let deep = format!(
        "[{}, {{\"id\":\"d2\",\"region\":\"ams\",\"config\":{}{}}}]",
        machine("d1", &json!({})),
        "{\"a\":".repeat(100_000) + "1",
        "}".repeat(100_000)
    );
    let app = json!({"id": "x1", "machine_count": 2});
    let observed = seen(&provider(&app, &deep, &json!([]))).await.unwrap();
    assert!(observed.machines["d2"].unreadable.is_some());
}

#[tokio::test(start_paused = true)]
async fn huge_things_are_read_or_said_and_no_problem_is_longer_than_a_line() {
    let key = "k".repeat(1 << 20);
    let odd = machine("d2", &json!({"config": {"env": {key: []}}}));
    let (_, read) = beside(odd).await;
    assert!(read.unwrap().unreadable.unwrap().len() < 1000);
    let long = "v".repeat(8 << 20);
    let (_, read) = beside(machine("d2", &json!({"config": {"env": {"LONG": long}}}))).await;
    assert!(read.unwrap().config.is_some());
    let list: Vec<Value> = (0..2000)
        .map(|n| machine(&format!("e{n:013}"), &json!({})))
        .collect();
    let app = json!({"id": "x1", "machine_count": u64::MAX});
    let observed = seen(&provider(&app, &json!(list).to_string(), &json!([]))).await;
    assert_eq!(observed.unwrap().machines.len(), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_none_is_no_empty_list() {
    let app = json!({"id": "x1", "machine_count": 0});
    for body in [
        "{}",
        "\"\"",
        "7",
        "true",
        "",
        "<html>",
        "[1,",
        "{\"error\":\"x\"}",
    ] {
        let error = seen(&provider(&app, body, &json!([]))).await.unwrap_err();
        assert_eq!(error.code(), "unreadable_answer", "{body}");
    }
    for volumes in [json!({}), json!("x"), json!({"error": "x"})] {
        let error = seen(&provider(&app, "[]", &volumes)).await.unwrap_err();
        assert_eq!(error.code(), "unreadable_answer", "{volumes}");
    }
    // A Go server writes an empty list as null.
    let observed = seen(&provider(&app, "null", &json!(null))).await.unwrap();
    assert!(observed.machines.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_missing_count_is_none_and_a_missing_id_is_derived() {
    let describe = async |app: Value| {
        let provider = provider(&app, "[]", &json!([]));
        provider.describe(&self::app()).await
    };
    for (count, read) in [
        (json!(null), None),
        (json!("-"), None),
        (json!([]), None),
        (json!(-1), None),
        (json!("many"), None),
        (json!("4"), Some(4)),
        (json!(4.0), Some(4)),
        (json!(0), Some(0)),
    ] {
        let described = describe(json!({"id": "x1", "machine_count": count})).await;
        assert_eq!(described.unwrap().machine_count, read, "{count}");
    }
    let organization = json!({"slug": "acme", "name": "Acme"});
    for id in [json!(null), json!(""), json!({}), json!([])] {
        let described = describe(json!({"id": id, "organization": organization}))
            .await
            .unwrap();
        assert!(described.scope_is_derived, "{id}");
        assert_eq!(described.scope, Lineage::derive_from_names("acme", &app()));
    }
    assert!(describe(json!({})).await.unwrap().scope_is_derived);
    assert_eq!(
        describe(json!({"id": 77})).await.unwrap().scope.as_str(),
        "77"
    );
    for none in [json!([]), json!("x"), json!(null), json!(7)] {
        let error = describe(none.clone()).await.unwrap_err();
        assert_eq!(error.code, "unreadable_answer", "{none}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_id_the_lineage_of_the_state_stays() {
    let app = json!({"machine_count": 1});
    let list = json!([machine("d1", &json!({}))]).to_string();
    let provider = provider(&app, &list, &json!([]));
    let mut known = Known::empty(self::app(), "fly");
    known.lineage = Some(Lineage::new("real-id").unwrap());
    let observed = observe(&provider, &self::app(), &known).await.unwrap();
    assert_eq!(observed.description.scope.as_str(), "real-id");
    assert!(observed.description.scope_is_derived);
}

#[tokio::test(start_paused = true)]
async fn volumes_are_read_leniently_and_none_is_lost_for_a_size() {
    let volumes = json!([
        {"id": "vol_1", "name": "data", "region": "ams", "size_gb": "3", "attached_machine_id": null},
        {"id": "vol_2", "name": "data", "region": "ams", "encrypted": null, "host_status": null},
        {"id": "vol_3", "name": "data", "region": "ams", "size_gb": 1, "state": "destroying"},
        null, 7, {},
    ]);
    let app = json!({"id": "x1", "machine_count": 0});
    let observed = seen(&provider(&app, "[]", &volumes)).await.unwrap();
    let read: Vec<_> = observed
        .volumes
        .iter()
        .map(|v| (v.id.as_str(), v.size_gb))
        .collect();
    assert_eq!(read, [("vol_1", 3), ("vol_2", 0)]);
}

/// Bodies that people pasted publicly: every Machine of each is read, and all but what says otherwise are
/// read whole.
/// Holds rule 3.
#[tokio::test(start_paused = true)]
async fn recorded_answers_are_read_completely() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/api-bodies");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no ../shared/api-bodies beside this checkout");
        return;
    };
    let mut read = 0;
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let machines = body["machines"].as_array().unwrap();
        let app = json!({"id": "x1", "machine_count": machines.len()});
        let list = body["machines"].to_string();
        let observed = seen(&provider(&app, &list, &body["volumes"]))
            .await
            .unwrap();
        assert_eq!(observed.unreadable, Vec::<String>::new(), "{name}");
        assert_eq!(observed.machines.len(), machines.len(), "{name}");
        let volumes = body["volumes"].as_array().map_or(0, Vec::len);
        assert_eq!(observed.volumes.len(), volumes, "{name}");
        for machine in observed.machines.values() {
            read += 1;
            assert_eq!(machine.unreadable, None, "{name}");
            let shown = machines.iter().find(|m| m["id"] == machine.id.as_str());
            let shown = shown.unwrap();
            assert_eq!(
                machine.config.is_some(),
                shown["config"].is_object(),
                "{name}"
            );
            let reported = shown["config"].is_object() || shown["incomplete_config"].is_object();
            assert_eq!(
                machine.management != Management::Unknown,
                reported,
                "{name}"
            );
        }
    }
    assert!(read >= 20, "{read}");
}
