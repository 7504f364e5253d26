//! What manifests mean: the worked facts, and two files together.

use aeroform::core::fleet::{
    Count, Desired, GroupName, Limit, OrderedRegions, Region, Regions, Strategy, Trial,
};
use aeroform::core::manifest::{Overrides, SourceFile, StateLocation, settings};
use serde_json::{Value, json};

use crate::{on, project, rendered};

fn desired(fly: &str, aeroform: &str) -> Desired {
    let loaded = project(fly.as_bytes(), Some(aeroform.as_bytes()), &on("fly"));
    let text = rendered(&loaded);
    loaded.desired.unwrap_or_else(|| panic!("{text}"))
}

fn template(desired: &Desired, group: &str) -> Value {
    desired.groups[group].template.to_value()
}

#[test]
fn an_http_service_is_one_service_on_two_ports() {
    let fly = "app = \"shop\"\nprimary_region = \"ams\"\n[http_service]\ninternal_port = 8080\n\
        force_https = true\nauto_stop_machines = \"stop\"\n[[http_service.checks]]\n\
        path = \"/up\"\ninterval = \"10s\"\n";
    assert_eq!(
        template(&desired(fly, ""), "app"),
        json!({
            "env": {"FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "ams"},
            "init": {},
            "services": [{
                "autostop": true,
                "checks": [{"interval": "10s", "path": "/up", "type": "http"}],
                "internal_port": 8080,
                "ports": [
                    {"port": 80, "handlers": ["http"], "force_https": true},
                    {"port": 443, "handlers": ["http", "tls"]}
                ],
                "protocol": "tcp"
            }]
        })
    );
}

#[test]
fn sections_without_groups_are_for_the_default_group_and_vm_is_for_all() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"npm start\"\nworker = \"node w.js\"\n\
        [[restart]]\npolicy = \"never\"\nretries = 3\n[[vm]]\nmemory = \"2gb\"\n\
        [metrics]\nport = 9091\npath = \"/m\"\n[mounts]\nsource = \"data\"\ndestination = \"/data\"\n";
    let desired = desired(fly, "");
    let guest = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 2048});
    let (web, worker) = (template(&desired, "web"), template(&desired, "worker"));
    assert_eq!(web["restart"], json!({"policy": "no", "max_retries": 3}));
    assert_eq!(web["metrics"], json!({"port": 9091, "path": "/m"}));
    assert_eq!(web["mounts"], json!([{"name": "data", "path": "/data"}]));
    assert_eq!(web["init"], json!({"cmd": ["npm", "start"]}));
    assert_eq!((&web["guest"], &worker["guest"]), (&guest, &guest));
    for absent in ["restart", "metrics", "mounts"] {
        assert_eq!(worker.get(absent), None, "{absent}");
    }
}

#[test]
fn the_default_group_is_app_where_there_is_one() {
    let fly =
        "app = \"x\"\n[processes]\na = \"1\"\napp = \"2\"\n[[restart]]\npolicy = \"always\"\n";
    let desired = desired(fly, "");
    assert_eq!(template(&desired, "a").get("restart"), None);
    assert_eq!(
        template(&desired, "app")["restart"],
        json!({"policy": "always"})
    );
}

#[test]
fn a_vm_that_names_a_group_beats_one_that_names_none_and_the_last_named_wins() {
    let fly = "app = \"x\"\n[processes]\na = \"1\"\nb = \"2\"\n[[vm]]\nmemory = 512\n\
        [[vm]]\nmemory = 1024\nprocesses = [\"a\"]\n[[vm]]\nsize = \"performance-1x\"\n\
        processes = [\"a\"]\n[[vm]]\nmemory = 1024\n";
    let desired = desired(fly, "");
    assert_eq!(template(&desired, "a")["guest"]["memory_mb"], 2048);
    assert_eq!(template(&desired, "b")["guest"]["memory_mb"], 512);
}

#[test]
fn old_forms_mean_what_flyctl_makes_of_them() {
    let fly = "app = \"x\"\nkill_timeout = 120\nprocesses = []\n[experimental]\ncmd = \"run it\"\n\
        metrics_port = 9000\nmetrics_path = \"/foo\"\n[[services]]\ninternal_port = \"8080\"\n\
        concurrency = \"12,23\"\nscript_checks = []\n[[services.ports]]\nport = \"80\"\n\
        handlers = [\"http\"]\n[[services.tcp_checks]]\ninterval = 10000\ntimeout = \"2s\"\n\
        [services.http_checks]\nmethod = \"get\"\nheaders = [{name = \"B\", value = \"2\"}, {name = \"A\", value = \"1\"}]\n";
    let desired = desired(fly, "");
    let app = template(&desired, "app");
    assert_eq!(app["init"], json!({"cmd": ["run it"]}));
    assert_eq!(app["stop_config"], json!({"timeout": "2m0s"}));
    assert_eq!(app["metrics"], json!({"port": 9000, "path": "/foo"}));
    assert_eq!(
        app["services"],
        json!([{
            "internal_port": 8080,
            "concurrency": {"type": "requests", "soft_limit": 12, "hard_limit": 23},
            "ports": [{"port": 80, "handlers": ["http"]}],
            "checks": [
                {"type": "tcp", "interval": "10s", "timeout": "2s"},
                {"type": "http", "method": "get", "headers": [
                    {"name": "A", "values": ["1"]}, {"name": "B", "values": ["2"]}]}
            ]
        }])
    );
    assert!(!desired.has_processes);
}

#[test]
fn typed_keys_match_in_any_case_and_names_do_not() {
    let fly = "App = \"x\"\nPrimary_Region = \"ams\"\n[ENV]\nMixed_Case = \"1\"\n";
    let env = template(&desired(fly, ""), "app")["env"].clone();
    let expected = json!({"FLY_PROCESS_GROUP": "app", "Mixed_Case": "1", "PRIMARY_REGION": "ams"});
    assert_eq!(env, expected);
}

#[test]
fn top_level_checks_take_their_port_from_the_http_service_and_shout_their_method() {
    let fly = "app = \"x\"\n[http_service]\ninternal_port = 3000\n[checks.alive]\ntype = \"http\"\n\
        method = \"get\"\npath = \"/\"\ninterval = 5000\n";
    assert_eq!(
        template(&desired(fly, ""), "app")["checks"],
        json!({"alive": {"type": "http", "method": "GET", "path": "/", "interval": "5s", "port": 3000}})
    );
}

#[test]
fn the_old_place_of_kill_timeout_counts_where_the_new_one_is_silent() {
    let stop = |text: &str| {
        template(&desired(&format!("app = \"x\"\n{text}"), ""), "app")["stop_config"].clone()
    };
    assert_eq!(
        stop("[experimental]\nkill_timeout = 30\n"),
        json!({"timeout": "30s"})
    );
    let both = "kill_timeout = 10\n[experimental]\nkill_timeout = 30\n";
    assert_eq!(stop(both), json!({"timeout": "10s"}));
}

#[test]
fn the_old_command_is_for_groups_without_one_of_their_own() {
    let fly = "app = \"x\"\n[processes]\na = \"own\"\nb = \"\"\nc = \"# nothing\"\n[experimental]\n\
        cmd = [\"old\"]\n";
    let desired = desired(fly, "");
    assert_eq!(template(&desired, "a")["init"]["cmd"], json!(["own"]));
    assert_eq!(template(&desired, "b")["init"]["cmd"], json!(["old"]));
    // Words of a comment are none, and yet a command (docs/platform/fly-toml.md 3.3).
    assert_ne!(template(&desired, "c")["init"]["cmd"], json!(["old"]));
}

#[test]
fn an_empty_name_is_the_default_group_also_where_a_check_looks_for_its_port() {
    let fly = "app = \"x\"\n[processes]\nb = \"1\"\na = \"2\"\n[http_service]\ninternal_port = 3000\n\
        processes = [\"a\"]\n[checks.alive]\ntype = \"tcp\"\nprocesses = [\"\"]\n";
    let desired = desired(fly, "");
    assert_eq!(
        template(&desired, "a")["services"][0]["internal_port"],
        3000
    );
    assert_eq!(template(&desired, "b").get("services"), None);
    assert_eq!(template(&desired, "a")["checks"]["alive"]["port"], 3000);
    assert_eq!(template(&desired, "b").get("checks"), None);
}

#[test]
fn a_complete_aeroform_toml_is_parsed() {
    let fly = "app = \"shop\"\n[build]\nimage = \"built\"\n[processes]\nweb = \"w\"\njobs = \"j\"\n\
        [http_service]\ninternal_port = 80\nprocesses = [\"web\"]\n\
        [deploy]\nmax_unavailable = 2\nwait_timeout = \"90s\"\n";
    let aeroform = "provider = \"fly\"\nconfig = \"fly.toml\"\nimage = \"registry.example/shop@sha256:1\"\n\
        [state]\npath = \"s.json\"\n[groups.web]\ncount = 8\nregions = [\"gru\", \"iad\"]\n\
        max_per_region = 5\nprotect = true\n[groups.jobs]\nregions = { gru = 2, iad = 1 }\nstandby = true\n\
        ha = false\n[groups.worker]\ncount = 1\n[[moved]]\nfrom = \"worker\"\nto = \"jobs\"\n\
        [[moved]]\nmachine = \"148ed\"\nto = \"web\"\n[[removed]]\nmachine = \"e2865\"\n\
        [policy]\nmax_destroy = \"25%\"\n";
    let desired = desired(fly, aeroform);
    let web = &desired.groups[&GroupName::new("web").unwrap()];
    let jobs = &desired.groups[&GroupName::new("jobs").unwrap()];
    assert_eq!(
        desired.image.as_deref(),
        Some("registry.example/shop@sha256:1")
    );
    assert_eq!(web.template.image, desired.image);
    assert_eq!(
        (web.count, web.max_per_region, web.protect),
        (Count::Written(8), Some(5), true)
    );
    assert!(matches!(&web.regions, Regions::List(list) if list[0].as_str() == "gru"));
    assert_eq!(
        (jobs.count, jobs.standby, jobs.ha),
        (Count::Written(3), Some(1), false)
    );
    assert_eq!(
        web.strategy,
        Strategy::Rolling {
            max_unavailable: Limit::Count(2)
        }
    );
    assert_eq!(web.wait_timeout_s, 90);
    assert_eq!(web.locations.group.as_deref(), Some("fly.toml:5"));
    assert_eq!(web.locations.settings.as_deref(), Some("aeroform.toml:6"));
    assert_eq!(desired.moved[0].location, "aeroform.toml:17");
    assert_eq!(desired.policy.max_destroy, Some(Limit::Share(0.25)));
    assert_eq!(
        (desired.moved_machines.len(), desired.removed_machines.len()),
        (1, 1)
    );
}

#[test]
fn the_settings_of_a_group_override_those_of_fly_toml() {
    let fly = |deploy: &str| {
        format!("app = \"shop\"\n[deploy]\n{deploy}\n[processes]\nweb = \"w\"\njobs = \"j\"\n")
    };
    let web = |deploy: &str, group: &str| {
        let aeroform = format!("[groups.web.deploy]\n{group}\n");
        let mut desired = desired(&fly(deploy), &aeroform);
        let web = desired.groups.remove(&GroupName::new("web").unwrap());
        web.unwrap()
    };
    let count = |n| Strategy::Rolling {
        max_unavailable: Limit::Count(n),
    };
    let none = web("", "");
    assert_eq!(
        none.strategy,
        Strategy::Rolling {
            max_unavailable: Limit::Share(0.33)
        }
    );
    assert_eq!((none.wait_timeout_s, none.region_order.len()), (300, 0));
    let both = web(
        "max_unavailable = 3\nwait_timeout = \"2m\"",
        "max_unavailable = 1\nwait_timeout = 90",
    );
    assert_eq!((both.strategy, both.wait_timeout_s), (count(1), 90));
    let rest = web(
        "max_unavailable = 3\nwait_timeout = \"2m\"",
        "strategy = \"rolling\"",
    );
    assert_eq!((rest.strategy, rest.wait_timeout_s), (count(3), 120));
    // The group's limit leaves the strategy of fly.toml, and fly.toml's limit serves a group's rolling.
    let kept = web("strategy = \"immediate\"", "max_unavailable = 2");
    assert_eq!(
        (kept.strategy, kept.max_unavailable),
        (Strategy::Immediate, Limit::Count(2))
    );
    let kept = web("strategy = \"bluegreen\"", "max_unavailable = 2");
    assert_eq!(kept.trial, Some(Trial::Bluegreen));
    let own = web(
        "strategy = \"immediate\"\nmax_unavailable = 4",
        "strategy = \"rolling\"",
    );
    assert_eq!((own.strategy, own.trial), (count(4), None));
    let own = web("strategy = \"bluegreen\"", "strategy = \"rolling\"");
    assert_eq!(own.trial, None);
}

#[test]
fn regions_and_groups_have_an_order() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"w\"\njobs = \"j\"\ncron = \"c\"\n";
    let aeroform = "[deploy]\ngroups_order = [[\"jobs\"], [\"web\"]]\n\
        [groups.web.deploy]\norder = [\"gru\", \"*\", \"ams\"]\n";
    let desired = desired(fly, aeroform);
    let name = |text: &str| GroupName::new(text).unwrap();
    let region = |text: &str| OrderedRegions::Region(Region::new(text).unwrap());
    assert_eq!(
        desired.groups[&name("web")].region_order,
        [region("gru"), OrderedRegions::Others, region("ams")]
    );
    let order = desired.rollout.groups_order.unwrap();
    assert_eq!(order.location, "aeroform.toml:2");
    let positions = ["jobs", "web", "cron"].map(|group| order.position(&name(group)));
    assert_eq!(positions, [0, 1, 1]);
    // On this computer regions are names, so an order for Fly is right here, too.
    let here = project(fly.as_bytes(), Some(aeroform.as_bytes()), &on("local"));
    assert!(here.diagnostics.is_empty(), "{}", rendered(&here));
}

#[test]
fn an_order_with_a_region_that_the_platform_does_not_have_is_an_error() {
    let regions = ["ams", "gru"].map(|region| Region::new(region).unwrap());
    let overrides = Overrides {
        regions: regions.into(),
        ..on("fly")
    };
    let aeroform = "[groups.app.deploy]\norder = [\"gur\", \"*\"]\n";
    let loaded = project(b"app = \"a\"\n", Some(aeroform.as_bytes()), &overrides);
    assert_eq!(loaded.diagnostics.errors(), 1);
    let text = rendered(&loaded);
    assert!(text.contains("`gur` is not a Fly region"), "{text}");
    assert!(text.contains("did you mean `gru`?"), "{text}");
}

#[test]
fn a_local_command_counts_on_this_machine_only() {
    let fly = b"app = \"x\"\n[processes]\nweb = \"bin/web\"\n";
    let aeroform = b"[groups.web.local]\ncommand = \"python3 -m http.server\"\n";
    let words = |provider: &str| {
        let loaded = project(fly, Some(aeroform), &on(provider));
        let group = loaded.desired.unwrap().groups.into_values().next().unwrap();
        (
            group.command.unwrap(),
            group.template.init.unwrap().cmd.unwrap().len(),
        )
    };
    assert_eq!(words("local"), ("python3 -m http.server".to_owned(), 3));
    assert_eq!(words("fly"), ("bin/web".to_owned(), 1));
}

#[test]
fn settings_are_known_before_fly_toml_is_read() {
    let bytes = b"config = \"deploy/fly.toml\"\n[state]\nurl = \"git+https://x\"\n";
    let file = SourceFile {
        path: "aeroform.toml",
        bytes,
    };
    let (found, diagnostics) = settings(Some(file), &on("sim"));
    assert!(diagnostics.is_empty());
    assert_eq!(
        (found.config.as_deref(), found.provider.as_str()),
        (Some("deploy/fly.toml"), "sim")
    );
    assert_eq!(
        found.state,
        Some(StateLocation::Url("git+https://x".to_owned()))
    );
    let (found, _) = settings(None, &Overrides::default());
    assert_eq!(
        (found.config.as_deref(), found.provider.as_str()),
        (None, "local")
    );
}
