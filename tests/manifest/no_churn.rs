//! Every section against its config as the Machines API returns it: with nulls, defaults filled in and
//! other spellings it is what we would send, and one line more or less in fly.toml is a change.

use aeroform::core::fleet::diff::required_changes;
use aeroform::core::fleet::{
    ComputedFields, ConfigBase, Desired, DesiredGroup, Lineage, MachineConfig, StoredConfig,
};
use serde_json::{Value, json};

use crate::{on, project, rendered};

/// A section as it is written, what the platform makes of it, another text of its own and what differs
/// then.
struct Section {
    what: &'static str,
    fly: &'static str,
    returned: Value,
    other: (&'static str, &'static str),
    changed: &'static str,
}

fn sections() -> Vec<Section> {
    let mut all = around();
    all.extend(services());
    all.extend(machine());
    all
}

/// What surrounds the process.
fn around() -> Vec<Section> {
    vec![
        Section {
            what: "[env]",
            fly: "[env]\nPORT = 8080\nDEBUG = false\n",
            returned: json!({"env": {"DEBUG": "false", "PORT": "8080", "FLY_PROCESS_GROUP": "app",
                "FLY_STANDBY_FOR": ""}}),
            other: ("8080", "8081"),
            changed: "env.PORT",
        },
        Section {
            what: "primary_region",
            fly: "primary_region = \"ams\"\n",
            returned: json!({"env": {"FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "ams"}}),
            other: ("ams", "fra"),
            changed: "env.PRIMARY_REGION",
        },
        Section {
            what: "kill_signal and kill_timeout",
            fly: "kill_signal = \"SIGTERM\"\nkill_timeout = 120\n",
            returned: json!({"stop_config": {"signal": "SIGTERM", "timeout": "120s"}}),
            other: ("120", "60"),
            changed: "stop_config.timeout",
        },
        Section {
            what: "swap_size_mb and [experimental]",
            fly: "swap_size_mb = 512\n[experimental]\nentrypoint = [\"/entry\"]\ncmd = [\"run\"]\n",
            returned: json!({"init": {"entrypoint": ["/entry"], "cmd": ["run"], "exec": null,
                "swap_size_mb": 512, "tty": false}}),
            other: ("512", "256"),
            changed: "init.swap_size_mb",
        },
        Section {
            what: "[processes]",
            fly: "[processes]\napp = \"bin/web -p 'a b'\"\n",
            returned: json!({"init": {"exec": null, "entrypoint": null, "cmd": ["bin/web", "-p", "a b"],
                "tty": false}}),
            other: ("'a b'", "c"),
            changed: "init.cmd",
        },
        Section {
            what: "[build] image",
            fly: "[build]\nimage = \"registry.fly.io/shop:v7@sha256:abc\"\n",
            returned: json!({"image": "registry.fly.io/shop@sha256:abc"}),
            other: ("sha256:abc", "sha256:def"),
            changed: "image",
        },
        Section {
            what: "[[files]]",
            fly: "[[files]]\nguest_path = \"/b\"\nraw_value = \"hi\"\n\
                [[files]]\nguest_path = \"/a\"\nsecret_name = \"CONF\"\n",
            returned: json!({"files": [{"guest_path": "/a", "secret_name": "CONF"},
                {"guest_path": "/b", "raw_value": "aGk=", "image_config": null}]}),
            other: ("CONF", "OTHER"),
            changed: "files./a.secret_name",
        },
        Section {
            what: "machine_config",
            fly: "container = \"app\"\nmachine_config = '''{\"containers\": [{\"name\": \"app\", \
                \"image\": \"a:1\"}, {\"name\": \"side\", \"image\": \"b:1\"}]}'''\n\
                [build]\nimage = \"shop@sha256:abc\"\n",
            returned: json!({"image": "shop@sha256:abc", "containers": [
                {"name": "app", "image": "shop@sha256:abc", "depends_on": [], "restart": null},
                {"name": "side", "image": "b:1", "stop": {}}]}),
            other: ("b:1", "b:2"),
            changed: "containers.side.image",
        },
    ]
}

/// What is reached from outside, and how it is looked after.
fn services() -> Vec<Section> {
    vec![
        Section {
            what: "[http_service]",
            fly: "[http_service]\ninternal_port = 8080\nforce_https = true\nauto_stop_machines = true\n\
                auto_start_machines = true\nmin_machines_running = 0\n[http_service.concurrency]\n\
                type = \"requests\"\nsoft_limit = 20\n[[http_service.checks]]\ninterval = \"60s\"\n\
                timeout = \"2m\"\nmethod = \"GET\"\npath = \"/up\"\n\
                headers = { B = \"2\", A = \"1\" }\n",
            returned: json!({"services": [{"protocol": "tcp", "internal_port": 8080, "autostop": true,
                "autostart": true, "force_instance_key": null, "force_instance_description": null,
                "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": null},
                "checks": [{"type": "http", "interval": "1m0s", "timeout": "1m0s", "method": "GET",
                    "path": "/up", "port": 8080, "protocol": "http", "tls_skip_verify": false,
                    "headers": [{"name": "B", "values": ["2"]}, {"name": "A", "values": ["1"]}]}],
                "ports": [
                    {"port": 443, "handlers": ["tls", "http"], "force_https": false, "tls_options": {}},
                    {"port": 80, "handlers": ["http"], "force_https": true, "http_options": null}]}]}),
            other: ("/up", "/live"),
            changed: "services.8080 tcp.checks",
        },
        Section {
            what: "[[services]]",
            fly: "[[services]]\ninternal_port = 5353\nprotocol = \"udp\"\nauto_stop_machines = \"off\"\n\
                [[services.ports]]\nstart_port = 7000\nend_port = 7100\n\
                [[services]]\ninternal_port = 25\nprotocol = \"tcp\"\n\
                auto_stop_machines = \"suspend\"\n[[services.ports]]\nport = 25\n\
                [[services.tcp_checks]]\ninterval = 15000\ngrace_period = \"0s\"\n",
            returned: json!({"services": [
                {"internal_port": 25, "protocol": "tcp", "autostop": "suspend", "autostart": null,
                    "ports": [{"port": 25, "handlers": null, "force_https": false}],
                    "checks": [{"type": "tcp", "interval": "15s", "grace_period": "0s", "port": 25}]},
                {"internal_port": 5353, "protocol": "udp", "autostop": false, "checks": [],
                    "ports": [{"start_port": 7000, "end_port": 7100, "handlers": []}]}]}),
            other: ("end_port = 7100", "end_port = 7200"),
            changed: "services.5353 udp.ports.7000.end_port",
        },
        Section {
            what: "options of a port",
            fly: "[http_service]\ninternal_port = 80\nforce_https = false\n\
                auto_stop_machines = \"off\"\nmin_machines_running = 0\n[http_service.http_options]\nh2_backend = true\n\
                [http_service.http_options.response]\nheaders = { X-Gone = false, X-A = \"1\" }\n\
                [http_service.tls_options]\nalpn = [\"h2\", \"http/1.1\"]\n",
            returned: json!({"services": [{"internal_port": 80, "protocol": "tcp", "ports": [
                {"port": 80, "handlers": ["http"], "http_options": {"h2_backend": true,
                    "response": {"headers": {"X-A": "1", "X-Gone": false}}, "replay_cache": []}},
                {"port": 443, "handlers": ["http", "tls"], "http_options": {"h2_backend": true,
                    "response": {"headers": {"X-A": "1", "X-Gone": false}}},
                    "tls_options": {"alpn": ["h2", "http/1.1"], "versions": null}}]}]}),
            other: ("X-A = \"1\"", "X-A = \"2\""),
            changed: "services.80 tcp.ports",
        },
        Section {
            what: "[checks]",
            fly: "[checks.alive]\ntype = \"http\"\nport = 80\nmethod = \"get\"\npath = \"/\"\n\
                interval = 90000\ntls_skip_verify = false\n",
            returned: json!({"checks": {"alive": {"type": "http", "kind": "informational", "port": 80,
                "method": "GET", "path": "/", "interval": "1m30s", "kind": "informational", "headers": []}}}),
            other: ("90000", "60000"),
            changed: "checks.alive.interval",
        },
        Section {
            what: "[[statics]]",
            fly: "[[statics]]\nguest_path = \"/public\"\nurl_prefix = \"/\"\n",
            returned: json!({"statics": [{"guest_path": "/public", "url_prefix": "/",
                "tigris_bucket": "", "index_document": ""}]}),
            other: ("url_prefix = \"/\"", "url_prefix = \"/s\""),
            changed: "statics",
        },
        Section {
            what: "[metrics]",
            fly: "[metrics]\nport = 9091\npath = \"/metrics\"\nhttps = false\n",
            returned: json!({"metrics": {"port": 9091, "path": "/metrics"}}),
            other: ("9091", "9092"),
            changed: "metrics.port",
        },
    ]
}

/// The Machine itself.
fn machine() -> Vec<Section> {
    vec![
        Section {
            what: "[[vm]]",
            fly: "[[vm]]\nsize = \"shared-cpu-2x\"\nmemory = \"1gb\"\npersist_rootfs = \"never\"\n",
            returned: json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024,
                "persist_rootfs": 1, "gpus": null, "kernel_args": []}, "size": null}),
            other: ("1gb", "2gb"),
            changed: "guest.memory_mb",
        },
        Section {
            what: "no [[vm]]",
            fly: "swap_size_mb = 1\n",
            returned: json!({"guest": {"cpu_kind": "performance", "cpus": 8, "memory_mb": 16384},
                "init": {"swap_size_mb": 1}}),
            other: ("swap_size_mb = 1\n", "[[vm]]\nmemory = 512\n"),
            changed: "guest.cpu_kind",
        },
        Section {
            what: "[[mounts]]",
            fly: "[[mounts]]\nsource = \"data\"\ndestination = \"/data\"\ninitial_size = \"3gb\"\n\
                auto_extend_size_threshold = 80\nauto_extend_size_increment = \"1gb\"\n",
            returned: json!({"mounts": [{"name": "data", "path": "/data", "volume": "vol_1", "size_gb": 7,
                "encrypted": true, "extend_threshold_percent": 80, "add_size_gb": 1}]}),
            other: ("80", "90"),
            changed: "mounts.data.extend_threshold_percent",
        },
        Section {
            what: "[[mounts]] over a mount without a name",
            fly: "[[mounts]]\nsource = \"data\"\ndestination = \"/data\"\n",
            returned: json!({"mounts": [{"name": "", "path": "/old", "volume": "vol_1", "size_gb": 7}]}),
            other: (
                "destination = \"/data\"\n",
                "destination = \"/data\"\nauto_extend_size_threshold = 80\n\
                    auto_extend_size_increment = \"1gb\"\n",
            ),
            changed: "mounts.",
        },
        Section {
            what: "[[restart]]",
            fly: "[[restart]]\npolicy = \"never\"\n",
            returned: json!({"restart": {"policy": "no", "max_retries": null, "gpu_bid_price": null}}),
            other: ("never", "always"),
            changed: "restart.policy",
        },
    ]
}

fn desired(what: &str, fly: &str) -> Desired {
    let loaded = project(format!("app = \"a\"\n{fly}").as_bytes(), None, &on("fly"));
    assert!(
        !loaded.diagnostics.has_errors(),
        "{what}: {}",
        rendered(&loaded)
    );
    loaded.desired.expect("there are no errors")
}

fn group(desired: &Desired) -> &DesiredGroup {
    desired.groups.values().next().expect("one group")
}

/// What every Machine has that Fly made, under the fixture.
fn returned(of: &Value) -> MachineConfig {
    let mut config = json!({"init": {}, "dns": {}, "env": {"FLY_PROCESS_GROUP": "app"}, "restart": null,
        "schedule": null, "services": null, "checks": {}, "new_default": {"of": "tomorrow"},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "app", "fly_release_version": "7"}});
    let own = of.as_object().expect("a fixture is a table").clone();
    config.as_object_mut().expect("a table").extend(own);
    MachineConfig::from_value(config).expect("a config as the platform writes it")
}

/// The paths of what an apply would change, whether or not we have sent a config before.
fn paths(
    group: &DesiredGroup,
    existing: &MachineConfig,
    sent: Option<&StoredConfig>,
) -> Vec<String> {
    let base = ConfigBase {
        existing: Some(existing),
        sent,
    };
    let after = group.config_for(base, &[], &[]);
    let lineage = Lineage::new("l").expect("it is valid");
    let found = required_changes(existing, &after, &ComputedFields::default(), &lineage);
    found.iter().map(|change| change.path.join(".")).collect()
}

/// Holds rule 3.
#[test]
fn a_config_as_the_platform_returns_it_is_what_we_would_send() {
    let lineage = Lineage::new("l").unwrap();
    for section in sections() {
        let (existing, target) = (
            returned(&section.returned),
            desired(section.what, section.fly),
        );
        let sent = StoredConfig::from_config(&group(&target).template, &lineage);
        for sent in [None, Some(&sent)] {
            assert_eq!(
                paths(group(&target), &existing, sent),
                [""; 0],
                "{}",
                section.what
            );
        }
    }
}

#[test]
fn one_word_more_is_a_change_of_its_own_field() {
    let lineage = Lineage::new("l").unwrap();
    for section in sections() {
        let (from, to) = section.other;
        assert_eq!(section.fly.matches(from).count(), 1, "{}", section.what);
        let existing = returned(&section.returned);
        let before = desired(section.what, section.fly);
        let sent = StoredConfig::from_config(&group(&before).template, &lineage);
        let target = desired(section.what, &section.fly.replace(from, to));
        for sent in [None, Some(&sent)] {
            let found = paths(group(&target), &existing, sent);
            assert!(
                found.iter().any(|path| path.starts_with(section.changed)),
                "{}: {found:?}",
                section.what
            );
        }
    }
}
