//! What `fly deploy` sets is ours; what fly.toml does not say and it does not touch stays as the Machine
//! has it (docs/platform/fly-toml.md 3.1).

use aeroform::core::fleet::{Known, MachineConfig};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group};

/// Patches the config of a Machine, as another tool does.
fn patch(stage: &mut PlanFixture, machine: &str, patch: &Value) {
    stage.edit_outside(machine, |machine| {
        let mut tree = machine.config.take().unwrap().to_value();
        for (key, value) in patch.as_object().unwrap() {
            tree[key] = value.clone();
        }
        machine.config = Some(MachineConfig::from_value(tree).unwrap().into());
    });
}

fn config(stage: &PlanFixture, machine: &str) -> Value {
    stage.observed.machines[machine]
        .config
        .as_ref()
        .unwrap()
        .to_value()
}

/// Fields that other commands set, each as they set it.
fn theirs() -> Value {
    json!({
        "guest": {"cpu_kind": "performance", "cpus": 4, "memory_mb": 8192},
        "init": {"cmd": ["bin/web"], "tty": true, "kernel_args": ["quiet"]},
        "metadata": {"owner": "ana"},
        "schedule": "daily",
        "auto_destroy": true,
        "dns": {"skip_registration": true},
        "rootfs": {"persist": "always"},
        "cache_drive": {"size_mb": 100},
        "disable_machine_autostart": true,
        "spot": {"max_price_fraction": 0.5},
    })
}

/// Holds rule 10.
#[test]
fn what_other_commands_set_stays_through_changes_of_ours() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").serves().count(1))]));
    patch(&mut stage, "m00001", &theirs());
    assert!(
        stage
            .plan(&desired([("web", group("web").serves().count(1))]))
            .is_empty()
    );
    let changed = group("web")
        .serves()
        .count(1)
        .config(json!({"env": {"LOG": "debug"}}));
    assert_snapshot!(lines(&stage.apply(&desired([("web", changed)]))), @"
    group web: 1->1 changed (ams 1->1)
    update web ams m00001 [env.LOG]
    ");
    let after = config(&stage, "m00001");
    for (key, value) in theirs().as_object().unwrap() {
        assert_eq!(&after[key], value, "{key}");
    }
}

#[test]
fn a_written_size_beats_that_of_fly_scale_vm_and_one_that_is_not_written_any_more_stays() {
    let sized = json!({"guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}});
    let written = || desired([("web", group("web").count(1).config(sized.clone()))]);
    let mut stage = PlanFixture::with(&written());
    patch(&mut stage, "m00001", &theirs());
    let plan = stage.apply(&written());
    assert_eq!(plan.downsized_count(), 1);
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 changed (ams 1->1)
    update web ams m00001 [guest.cpu_kind guest.cpus guest.memory_mb]
    ");
    assert_eq!(config(&stage, "m00001")["guest"], sized["guest"]);
    let without = stage.plan(&desired([("web", group("web").count(1))]));
    assert!(!without.calls_provider(), "{:?}", lines(&without));
}

/// Holds rule 10.
#[test]
fn an_entry_of_ours_that_is_not_written_goes_although_we_never_sent_it() {
    let target = desired([("web", group("web").serves().count(1))]);
    let mut stage = PlanFixture::with(&target);
    stage.known = Known::empty(stage.known.app.clone(), "test");
    let before = config(&stage, "m00001");
    let mut services = before["services"].as_array().unwrap().clone();
    services.push(json!({"internal_port": 9999, "protocol": "tcp"}));
    let mut env = before["env"].clone();
    env["OLD"] = json!("1");
    let init =
        json!({"cmd": ["bin/web"], "entrypoint": ["/old"], "exec": ["/old"], "swap_size_mb": 64});
    patch(
        &mut stage,
        "m00001",
        &json!({
            "services": services, "env": env, "init": init,
            "checks": {"old": {"type": "tcp", "port": 1}},
            "files": [{"guest_path": "/old", "raw_value": "aGk="}],
            "metrics": {"port": 1, "path": "/old"},
            "restart": {"policy": "always"},
            "statics": [{"guest_path": "/old", "url_prefix": "/old"}],
            "stop_config": {"signal": "SIGKILL"},
        }),
    );
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 1->1 changed (ams 1->1)
    adopt web ams m00001: not in the state
    update web ams m00001 [checks.old env.OLD files init.entrypoint init.exec init.swap_size_mb metrics.path metrics.port restart.policy services.9999 tcp statics stop_config.signal]
    record unrecorded_run
    ");
    let after = MachineConfig::from_value(config(&stage, "m00001")).unwrap();
    let left = MachineConfig::from_value(before).unwrap();
    assert_eq!(after, left);
}

#[test]
fn without_regions_a_full_region_stays_full_and_the_plan_says_so() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(4))]));
    let target = group("web").count(4).with(|g| g.max_per_region = Some(3));
    let plan = stage.apply(&desired([("web", target)]));
    assert!(plan.is_empty());
    assert_snapshot!(plan.notes[0].message, @"group `web` has more than `max_per_region` = 3 in ams: without `regions`, Machines are not moved");
}

#[test]
fn a_new_machine_has_the_size_of_its_group_on_the_host_that_is_written() {
    let sized = json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}});
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1).config(sized))]));
    let on_host = json!({"guest": {"host_dedication_id": "h1"}});
    let plan = stage.apply(&desired([("web", group("web").count(2).config(on_host))]));
    assert_snapshot!(lines(&plan), @"
    group web: 1->2 changed (ams 1->2)
    create web ams
    create web ams replaces m00001 [guest.host_dedication_id]
    destroy web ams m00001 Replaced: its host changes: the Machine is replaced
    ");
    for id in ["m00002", "m00003"] {
        let guest = config(&stage, id)["guest"].clone();
        assert_eq!(guest["cpus"], 2, "{id}");
        assert_eq!(guest["host_dedication_id"], "h1", "{id}");
    }
}

#[test]
fn a_mount_without_a_name_stays_and_only_grows_as_written() {
    let grows =
        json!({"mounts": [{"name": "data", "path": "/data", "extend_threshold_percent": 80}]});
    let db = || group("db").count(1).mount();
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", db())]));
    stage.edit_outside("m00001", |machine| {
        let mounts = &mut config_of(machine).mounts;
        mounts.as_mut().unwrap()[0].name = None;
    });
    assert!(!stage.plan(&desired([("db", db())])).calls_provider());
    assert_snapshot!(lines(&stage.plan(&desired([("db", db().config(grows))]))), @"
    group db: 1->1 changed (ams 1->1)
    update db ams m00001 [mounts..extend_threshold_percent]
    ");
}
