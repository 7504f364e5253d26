//! Every field of a Machine, beside its config, with a value of another type: none hides the Machine or creates another
//! one.

use std::path::Path;

use aeroform::core::fleet::{Known, MachineState, Observed};
use aeroform::core::plan::{Action, Options, plan};
use aeroform::core::view::{StatusView, Style, terminal};
use serde_json::{Value, json};

use crate::hostile::{app, beside, machine, merge, provider, seen};
use crate::runs::target;

/// Every field beside the config, and what stands in its place: `"-"` is nothing.
fn odd_fields() -> impl Iterator<Item = (&'static str, Value)> {
    let fields = [
        "name",
        "state",
        "region",
        "instance_id",
        "version",
        "created_at",
        "updated_at",
        "host_status",
        "cordoned",
        "incomplete_config",
        "image_ref",
        "checks",
        "events",
        "private_ip",
        "nonce",
    ];
    let odd = [
        json!("-"),
        json!(null),
        json!(7),
        json!(-7.5),
        json!(true),
        json!(""),
        json!("\u{1b}[31m"),
        json!([]),
        json!([null, 7, {"name": 7, "type": null, "timestamp": "x"}]),
        json!({}),
        json!({"digest": 7, "name": [1]}),
    ];
    fields
        .into_iter()
        .flat_map(move |field| odd.clone().map(|value| (field, value)))
}

/// What `status` shows of them, and how many Machines more a plan makes.
fn looked_at(observed: &Observed) -> (String, usize) {
    let desired = target("app = \"shop\"\n[processes]\n  web = \"\"\n", "");
    let known = Known::empty(app(), "fly");
    let view = StatusView::of("fly", Some(&desired), Some(&known), observed);
    let mut text = String::new();
    let style = Style {
        color: false,
        width: 120,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    };
    terminal::status(&view, &style, &mut text).unwrap();
    let planned = plan(&desired, &known, Some(observed), &Options::default());
    let is_one_more = |action: &Action| matches!(action, Action::Create { replaces: None, .. });
    let creates = planned
        .changes()
        .filter(|(_, change)| is_one_more(&change.action));
    (text, creates.count())
}

#[tokio::test(start_paused = true)]
async fn no_odd_field_hides_a_machine_or_makes_another() {
    for (field, value) in odd_fields() {
        let odd = format!("{field}: {value}");
        let (observed, read) = beside(machine("d2", &json!({field: value}))).await;
        let read = read.unwrap_or_else(|| panic!("{odd} hides it"));
        assert_eq!(observed.unreadable, Vec::<String>::new(), "{odd}");
        assert!(read.config.is_some(), "{odd}");
        assert_eq!(read.group.unwrap().as_str(), "web", "{odd}");
        assert_eq!(
            read.state == MachineState::Unknown,
            field == "state",
            "{odd}"
        );
        let (shown, creates) = looked_at(&observed);
        let line = shown.lines().find(|line| line.contains("d2"));
        let line = line.unwrap_or_else(|| panic!("{odd}: {shown}"));
        let state = if field == "state" {
            "unknown"
        } else {
            "started"
        };
        assert!(line.contains(state), "{odd}: {shown}");
        assert!(!shown.contains('\u{1b}'), "{odd}: {shown:?}");
        assert_eq!(creates, 0, "{odd}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_odd_field_hides_a_recorded_machine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/api-bodies");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no ../shared/api-bodies beside this checkout");
        return;
    };
    let paths = files.map(|file| file.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let body: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let machines = body["machines"].as_array().unwrap();
        let app = json!({"id": "x1", "machine_count": machines.len()});
        let observe = async |machines: &[Value]| {
            let list = json!(machines).to_string();
            seen(&provider(&app, &list, &body["volumes"]))
                .await
                .unwrap()
        };
        let plain = observe(machines).await;
        for (field, value) in odd_fields() {
            let mut odd = machines.clone();
            for machine in &mut odd {
                merge(machine, &json!({field: value}));
            }
            let read = observe(&odd).await;
            let reported = || format!("{}: {field}: {value}", path.display());
            assert_eq!(read.unreadable, Vec::<String>::new(), "{}", reported());
            for (id, machine) in &plain.machines {
                let read = read
                    .machines
                    .get(id)
                    .unwrap_or_else(|| panic!("{}", reported()));
                assert_eq!(read.config, machine.config, "{}", reported());
                assert!(
                    read.group == machine.group || field == "incomplete_config",
                    "{}",
                    reported()
                );
            }
        }
    }
}
