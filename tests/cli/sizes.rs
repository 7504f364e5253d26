//! `scale vm` and `scale memory`: sizes that are none, and whose CPUs memory is for.

use insta::assert_snapshot;
use serde_json::json;

use crate::edits::app;
use crate::fly::{EmulatorProcess, FLY, V1, project, run, update};
use crate::sandbox::Sandbox;

/// Holds rule 19.
#[test]
fn a_size_is_checked_before_anything_else() {
    let sandbox = app();
    let no = |args: &[&str]| sandbox.run(&[&["scale"], args].concat());
    assert_snapshot!(no(&["vm", "shared-cpu-3x", "-g", "web"]), @"
    exit 1
    --- stderr
    error: there is no VM size `shared-cpu-3x`
    hint: the sizes are shared-cpu-1x, shared-cpu-2x, shared-cpu-4x, shared-cpu-6x, shared-cpu-8x
    ");
    assert_snapshot!(no(&["vm", "performance-1x", "--vm-memory", "512", "-g", "web"]), @r#"
    exit 1
    --- stderr
    error: 1 performance CPU takes 2 GB to 8 GB of memory, not 512 MB
    hint: the minimum is "2gb"
    "#);
    assert_snapshot!(no(&["memory", "1gb"]), @"
    exit 1
    --- stderr
    error: the app has several process groups, and none is named
    hint: use `-g` with one of `jobs`, `web`
    ");
    assert_eq!(sandbox.read("fly.toml"), Sandbox::FLY);
}

#[test]
fn memory_is_not_changed_of_what_has_gpus() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let fly = format!("{FLY}\n[[vm]]\nsize = \"a100-40gb\"\n");
    sandbox.write("fly.toml", &fly);
    let platform = EmulatorProcess::with_app(&sandbox);
    let shown = run(&sandbox, &platform, &["scale", "memory", "64gb", "-y"]);
    assert!(shown.contains("have GPUs"), "{shown}");
    assert_eq!(sandbox.read("fly.toml"), fly);
}

/// Holds rule 19.
#[test]
fn memory_keeps_the_cpus_of_machines_whose_size_no_file_says() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    update(&platform, &id, |config| {
        config["guest"] = json!({"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096});
    });
    run(&sandbox, &platform, &["apply", "-y"]);
    let memory = |more: &[&str]| {
        let memory = ["scale", "memory", "8gb", "--edit-only"];
        run(&sandbox, &platform, &[&memory, more].concat())
    };
    // The state does not have an unwritten value, and a guess would make the CPUs shared.
    let offline = memory(&["--refresh=false"]);
    assert!(offline.contains("are not known"), "{offline}");
    assert_eq!(sandbox.read("fly.toml"), FLY);
    // Nor are they another group's because theirs has another name by now.
    let rename = ["group", "rename", "app", "web", "--edit-only"];
    run(&sandbox, &platform, &rename);
    let scaled = memory(&[]);
    assert!(scaled.starts_with("exit 0\n"), "{scaled}");
    let fly = sandbox.read("fly.toml");
    assert!(
        fly.contains("size = \"performance-2x\"\nmemory = \"8gb\""),
        "{fly}"
    );
}
