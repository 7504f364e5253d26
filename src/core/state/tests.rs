//! The round trip, the format, and every reason to refuse a text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::core::fleet::known::ReleasedGroup;
use crate::core::fleet::{
    AppName, ComputedFields, ConfigDigest, GroupName, Known, KnownMachine, LaunchId, Lineage,
    MachineConfig, MachineId, MachineName, PendingCreate, Region, ReleaseRecord, RunId, RunRecord,
    StoredConfig, SwapRole, VolumeId,
};

mod properties;

const FORMAT_1: &str = include_str!("../../../tests/golden/state-format-1.json");
const FORMAT_2: &str = include_str!("../../../tests/golden/state-format-2.json");
const FORMAT_3: &str = include_str!("../../../tests/golden/state-format-3.json");
const FORMAT_4: &str = include_str!("../../../tests/golden/state-format-4.json");
const FORMAT_6: &str = include_str!("../../../tests/golden/state-format-6.json");
const GOLDEN: &str = include_str!("../../../tests/golden/state-format-7.json");

fn app() -> AppName {
    AppName::new("shop").expect("it is valid")
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("it is valid")
}

fn region(name: &str) -> Region {
    Region::new(name).expect("it is valid")
}

fn id(text: &str) -> MachineId {
    MachineId::new(text).expect("it is valid")
}

fn config(command: &str) -> StoredConfig {
    let tree = serde_json::json!({
        "image": "registry.example/shop@sha256:0d1c",
        "init": {"cmd": [command]},
        "env": {"PORT": "8080", "API_TOKEN": "hunter2"},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "not_known_to_us": {"ratio": 0.1, "list": [1, "two", null, true]},
    });
    let lineage = Lineage::new("k2v9").expect("it is valid");
    StoredConfig::from_config(
        &MachineConfig::from_value(tree).expect("it is valid"),
        &lineage,
    )
}

fn machine(name: &str, of: &str, place: &str, config: &StoredConfig) -> KnownMachine {
    KnownMachine {
        name: MachineName::new(name).expect("it is valid"),
        group: group(of),
        region: region(place),
        requested_region: None,
        config: config.digest(),
        launch: None,
        volumes: Vec::new(),
        standby_for: Vec::new(),
        replaces: None,
        swap: None,
        unproven: false,
    }
}

/// Fields that the platform added: with a value, and with any.
fn computed() -> ComputedFields {
    let computed = r#"{"services/8080 tcp/autostart": true, "stop_config/timeout": null}"#;
    serde_json::from_str(computed).expect("it is valid")
}

/// A state that uses every record and field.
fn full() -> Known {
    let (web, jobs, old) = (config("web"), config("jobs"), config("old"));
    let launched = KnownMachine {
        launch: LaunchId::new("abcdefghi2").ok(),
        swap: Some(SwapRole::Green),
        ..machine("web-abcdefghi2", "web", "gru", &web)
    };
    let with_volume = KnownMachine {
        volumes: vec![VolumeId::new("vol_1").expect("it is valid")],
        ..machine("fond-butterfly-7", "jobs_low", "bog", &jobs)
    };
    let standby = KnownMachine {
        standby_for: vec![id("148ed599c14189")],
        replaces: None,
        ..machine("web-standby", "web", "bog", &web)
    };
    let placement = [(region("gru"), 1), (region("bog"), 1)].into();
    let released = ReleasedGroup {
        config: old.digest(),
        placement,
    };
    Known {
        lineage: Lineage::new("k2v9").ok(),
        serial: 12,
        run: RunId::new("7f3kabcdef").ok(),
        parent: Some(digest("the one before")),
        release: Some(43),
        protected_groups: [group("web")].into(),
        ignored_machines: [id("3d8d9014b32789")].into(),
        pending_creates: vec![PendingCreate {
            launch: LaunchId::new("zzzzzzzzz2").expect("it is valid"),
            group: group("web"),
            region: region("gru"),
            standby: false,
            replaces: None,
        }],
        runs: vec![RunRecord {
            run: RunId::new("7f3kabcdef").expect("it is valid"),
            serial: 12,
            at: "2024-05-01T12:00:00Z".to_owned(),
            by: "ana".to_owned(),
            command: "apply".to_owned(),
            outcome: "complete".to_owned(),
            commit: Some("0a1b2c3".to_owned()),
            url: Some("https://ci.example/jobs/7".to_owned()),
            desired: Some("6d8e8c2a90f14b7733a1c5d4e2f60718".to_owned()),
            plan: None,
        }],
        releases: vec![ReleaseRecord {
            release: 43,
            at: "2024-05-01T12:00:00Z".to_owned(),
            by: "ana".to_owned(),
            run: Some(RunId::new("7f3kabcdef").expect("it is valid")),
            outcome: Some("failed".to_owned()),
            image: Some("registry.example/shop@sha256:0d1c".to_owned()),
            release_command: Some(web.digest()),
            groups: [(group("web"), released)].into(),
        }],
        computed_fields: [(web.digest(), computed())].into(),
        configs: [web, jobs, old].map(|c| (c.digest(), c)).into(),
        machines: [
            (id("148ed599c14189"), launched),
            (id("6e82d933b7d587"), with_volume),
            (id("9080eddc29387e"), standby),
        ]
        .into(),
        ..Known::empty(app(), "fly")
    }
}

fn refusal(text: &str) -> StateError {
    read(text, &app()).expect_err("a text that is not wholly this state is refused")
}

/// The lines that a change adds and removes.
fn changed_lines(before: &Known, after: &Known) -> (Vec<String>, Vec<String>) {
    let lines = |known| -> BTreeSet<String> { write(known).lines().map(str::to_owned).collect() };
    let (before, after) = (lines(before), lines(after));
    let added = after.difference(&before).cloned().collect();
    (added, before.difference(&after).cloned().collect())
}

#[test]
fn the_golden_file_of_format_1_always_reads() {
    let known = Known {
        computed_fields: BTreeMap::new(),
        ..without_desired()
    };
    assert_eq!(read(FORMAT_1, &app()), Ok(known));
}

/// The state of formats that did not record what a run wanted.
fn without_desired() -> Known {
    let mut known = without_ends_of_releases();
    known.runs[0].desired = None;
    known
}

#[test]
fn the_golden_file_of_format_2_always_reads() {
    assert_eq!(read(FORMAT_2, &app()), Ok(without_desired()));
}

/// The state of formats that did not record how a release ended: it counts as complete.
fn without_ends_of_releases() -> Known {
    let mut known = without_release_command();
    known.runs[0].url = None;
    let release = &mut known.releases[0];
    (release.run, release.outcome, release.image) = (None, None, None);
    assert!(release.is_complete());
    known
}

#[test]
fn the_golden_file_of_format_3_always_reads() {
    assert_eq!(read(FORMAT_3, &app()), Ok(without_ends_of_releases()));
}

/// Format 6 has no `swap` of a Machine.
fn without_swap() -> Known {
    let mut known = full();
    for machine in known.machines.values_mut() {
        machine.swap = None;
    }
    known
}

/// The state of formats that did not record which release command had ended.
fn without_release_command() -> Known {
    let mut known = without_swap();
    known.releases[0].release_command = None;
    known
}

#[test]
fn the_golden_file_of_format_4_always_reads() {
    assert_eq!(read(FORMAT_4, &app()), Ok(without_release_command()));
}

#[test]
fn the_golden_file_of_format_6_always_reads() {
    assert_eq!(read(FORMAT_6, &app()), Ok(without_swap()));
}

#[test]
fn the_golden_file_of_format_7_always_reads() {
    assert_eq!(read(GOLDEN, &app()), Ok(full()));
}

#[test]
fn this_version_still_writes_the_golden_file_byte_by_byte() {
    assert_eq!(write(&full()), GOLDEN);
}

#[test]
fn a_small_state_is_laid_out_for_diff() {
    let web = StoredConfig::from_config(
        &MachineConfig {
            image: Some("nginx".to_owned()),
            ..MachineConfig::default()
        },
        &Lineage::new("k2v9").unwrap(),
    );
    let known = Known {
        lineage: Lineage::new("k2v9").ok(),
        serial: 1,
        run: RunId::new("r1").ok(),
        protected_groups: [group("web")].into(),
        configs: [(web.digest(), web.clone())].into(),
        machines: [
            (id("a"), machine("web-a", "web", "gru", &web)),
            (id("b"), machine("web-b", "web", "gru", &web)),
        ]
        .into(),
        ..Known::empty(app(), "local")
    };
    insta::assert_snapshot!(write(&known), @r#"
    [{"format": 7, "app": "shop", "provider": "local", "lineage": "k2v9"
     ,"serial": 1, "run": "r1"}
    ,{"protect": "web"}
    ,{"machine": {"id": "a", "name": "web-a", "group": "web", "region": "gru", "config": "87132e95dfbdfe0f3b4b5fc5d97e7756"}}
    ,{"machine": {"id": "b", "name": "web-b", "group": "web", "region": "gru", "config": "87132e95dfbdfe0f3b4b5fc5d97e7756"}}
    ,{"config": {"digest": "87132e95dfbdfe0f3b4b5fc5d97e7756", "body": {"image": "nginx"}}}
    ]
    "#);
}

#[test]
fn a_state_that_was_never_written_round_trips() {
    let empty = Known::empty(app(), "local");
    assert_eq!(read(&write(&empty), &app()), Ok(empty));
}

#[test]
fn one_machine_more_is_one_line_more_at_every_place() {
    let full = full();
    for new in ["0", "5", "zz"] {
        let mut more = full.clone();
        let twin = full.machines.values().next().unwrap().clone();
        more.machines.insert(id(new), twin);
        let (added, removed) = changed_lines(&full, &more);
        assert_eq!(
            (added.len(), removed.len()),
            (1, 0),
            "{added:?} {removed:?}"
        );
        assert!(added[0].contains(&format!("\"id\": \"{new}\"")));
    }
}

#[test]
fn two_branches_that_both_applied_conflict_on_one_line() {
    let mut next = full();
    next.serial += 1;
    next.run = RunId::new("another").ok();
    next.parent = Some(digest(&write(&full())));
    let (added, removed) = changed_lines(&full(), &next);
    assert_eq!(
        (added.len(), removed.len()),
        (1, 1),
        "{added:?} {removed:?}"
    );
    for part in ["serial", "run", "parent"] {
        assert!(added[0].contains(part), "{added:?}");
    }
}

#[test]
fn a_config_that_nothing_names_is_not_kept() {
    let mut known = full();
    let unused = config("unused");
    known.configs.insert(unused.digest(), unused.clone());
    let text = write(&known);
    assert!(!text.contains(unused.digest().as_str()));
    assert_eq!(read(&text, &app()), Ok(full()));
}

#[test]
fn only_the_newest_runs_and_releases_are_kept_and_configs_go_with_their_release() {
    let mut known = full();
    let old_config = known.releases[0].groups[&group("web")].config.clone();
    for n in 0..RUNS_KEPT as u64 {
        known.runs.push(RunRecord {
            serial: n,
            ..known.runs[0].clone()
        });
    }
    for n in 0..MOST_RELEASES as u64 {
        known.releases.push(ReleaseRecord {
            release: 100 + n,
            groups: BTreeMap::new(),
            ..known.releases[0].clone()
        });
    }
    let restored = read(&write(&known), &app()).unwrap();
    assert_eq!(restored.runs, known.runs[1..]);
    assert_eq!(restored.releases, known.releases[1..]);
    assert!(!restored.configs.contains_key(&old_config));
}

#[test]
fn the_order_and_the_spacing_of_a_hand_edited_text_do_not_matter() {
    let mut records: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    records[1..].reverse();
    let text = serde_json::to_string_pretty(&records).unwrap();
    assert_eq!(read(&text, &app()), Ok(full()));
    assert_eq!(write(&read(&text, &app()).unwrap()), GOLDEN);
}

#[test]
fn a_secret_value_is_not_in_the_file() {
    assert!(!GOLDEN.contains("hunter2"));
    assert!(GOLDEN.contains("API_TOKEN"));
}

#[test]
fn another_apps_state_is_refused_by_name() {
    let error = read(GOLDEN, &AppName::new("store").unwrap()).unwrap_err();
    assert_eq!(error.code().name(), "state_other_app");
    insta::assert_snapshot!(error, @"the state belongs to app `shop`, not to `store`");
}

#[test]
fn a_newer_format_is_refused_by_name_whatever_else_it_holds() {
    for text in [
        GOLDEN.replace("\"format\": 7", "\"format\": 8"),
        r#"[{"format": 8, "colour": "blue"}, 17]"#.to_owned(),
        r#"{"format": 8, "machines": {}}"#.to_owned(),
    ] {
        assert_eq!(refusal(&text), StateError::TooNew { format: 8 }, "{text}");
    }
    let error = StateError::TooNew { format: 8 };
    insta::assert_snapshot!(error, @"the state has format 8, but this version reads formats up to 7");
}

#[test]
fn a_format_that_never_was_is_damage() {
    let error = refusal(&GOLDEN.replace("\"format\": 7", "\"format\": 0"));
    insta::assert_snapshot!(error, @"the state is damaged: there is no format 0");
}

#[test]
fn conflict_markers_are_named_with_their_line() {
    let (first, rest) = GOLDEN.split_once('\n').unwrap();
    let (serial, rest) = rest.split_once('\n').unwrap();
    let text =
        format!("{first}\n<<<<<<< HEAD\n{serial}\n=======\n{serial}\n>>>>>>> theirs\n{rest}");
    assert_eq!(refusal(&text), StateError::ConflictMarkers { line: 2 });
    let text = text.replace('\n', "\r\n");
    assert_eq!(refusal(&text), StateError::ConflictMarkers { line: 2 });
}

#[test]
fn a_text_cut_off_anywhere_is_refused() {
    for (end, _) in GOLDEN.trim_end().char_indices() {
        let error = refusal(&GOLDEN[..end]);
        assert_eq!(
            error.code().name(),
            "state_damaged",
            "cut at {end}: {error}"
        );
    }
}

#[test]
fn an_empty_file_is_damage_and_no_empty_state() {
    insta::assert_snapshot!(refusal(""), @"the state is damaged: the file is empty");
    assert_eq!(refusal(" \n"), refusal(""));
}

#[test]
fn an_unknown_field_of_each_record_is_refused_with_its_name_and_line() {
    // The start of each kind of record; `protect` and `ignored` are plain names.
    let starts = [
        "[{\"format\"",
        ",{\"pending\": {\"launch\"",
        ",{\"machine\": {\"id\"",
        ",{\"config\": {\"digest\"",
        ",{\"release\": {\"release\"",
        ",{\"run\": {\"run\"",
    ];
    for start in starts {
        let line = GOLDEN.lines().position(|line| line.starts_with(start));
        let (before, key) = start.rsplit_once('{').unwrap();
        let edited = format!("{before}{{\"colour\": 1, {key}");
        let message = refusal(&GOLDEN.replacen(start, &edited, 1)).to_string();
        assert!(message.contains("unknown field `colour`"), "{message}");
        let place = format!("at line {}:", line.unwrap() + 1);
        assert!(message.contains(&place), "{message}");
    }
}

#[test]
fn a_record_of_an_unknown_kind_is_refused() {
    let error = refusal(&GOLDEN.replacen("{\"machine\"", "{\"machien\"", 1));
    assert!(
        error.to_string().contains("unknown variant `machien`"),
        "{error}"
    );
}

#[test]
fn a_create_that_is_pending_twice_is_pending_once() {
    let known = read(GOLDEN, &app()).unwrap();
    let line = GOLDEN
        .lines()
        .find(|line| line.starts_with(",{\"pending\""))
        .unwrap();
    let other = line.replace("gru", "bog");
    let text = GOLDEN.replacen(line, &format!("{line}\n{other}\n{line}"), 1);
    let merged = read(&text, &app()).unwrap();
    assert_eq!(
        merged.pending_creates.len(),
        known.pending_creates.len() + 1
    );
    assert_eq!(read(&write(&merged), &app()).unwrap(), merged);
}

#[test]
fn what_stands_twice_is_refused() {
    for kind in ["protect", "ignored", "machine", "config"] {
        let start = format!(",{{\"{kind}\"");
        let line = GOLDEN
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap();
        let error = refusal(&GOLDEN.replacen(line, &format!("{line}\n{line}"), 1));
        assert!(error.to_string().contains("twice"), "{kind}: {error}");
    }
    let error = refusal(&GOLDEN.replacen("\"serial\": 12", "\"serial\": 12, \"serial\": 13", 1));
    assert!(
        error.to_string().contains("duplicate field `serial`"),
        "{error}"
    );
}

#[test]
fn a_config_that_does_not_match_its_digest_is_refused_by_name() {
    let digest = config("jobs").digest();
    let error = refusal(&GOLDEN.replacen("[\"jobs\"]", "[\"rm -rf\"]", 1));
    let expected = format!("the state is damaged: config `{digest}` does not match its digest");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_missing_config_is_refused_with_the_machine_or_release_that_names_it() {
    let without = |digest: &ConfigDigest| -> String {
        let start = format!(",{{\"config\": {{\"digest\": \"{digest}\"");
        let lines = GOLDEN.split_inclusive('\n');
        lines.filter(|line| !line.starts_with(&start)).collect()
    };
    let error = refusal(&without(&config("jobs").digest())).to_string();
    assert!(
        error.contains("Machine `6e82d933b7d587` names config"),
        "{error}"
    );
    let error = refusal(&without(&config("old").digest())).to_string();
    assert!(
        error.contains("group `web` of release 43 names config"),
        "{error}"
    );
}

#[test]
fn an_id_that_would_leave_its_folder_is_refused_with_its_line() {
    let error = refusal(&GOLDEN.replacen("148ed599c14189", "../../etc", 1));
    assert!(
        error
            .to_string()
            .contains("`../../etc` is not a valid Machine id"),
        "{error}"
    );
    assert!(
        matches!(error, StateError::Damaged { line: Some(7), .. }),
        "{error:?}"
    );
}

#[test]
fn hostile_depth_is_refused_without_a_crash() {
    for deep in ["[".repeat(1_000_000), "[{\"config\":".repeat(300_000)] {
        assert_eq!(refusal(&deep).code().name(), "state_damaged");
    }
}

#[test]
fn other_json_is_refused() {
    for text in [
        "{}",
        "[]",
        "null",
        "[null]",
        "3",
        "{\"name\": \"left-pad\"}",
        "[{}]",
    ] {
        assert_eq!(refusal(text).code().name(), "state_damaged", "{text}");
    }
    let trailing = format!("{GOLDEN}{GOLDEN}");
    assert_eq!(refusal(&trailing).code().name(), "state_damaged");
}

#[test]
fn each_refusal_says_what_to_do() {
    let all = [
        refusal(""),
        StateError::TooNew { format: 6 },
        StateError::ConflictMarkers { line: 1 },
        StateError::OtherApp {
            found: app(),
            expected: app(),
        },
        refusal(&moved_text()),
    ];
    let codes: BTreeSet<_> = all.iter().map(|error| error.code().name()).collect();
    assert_eq!(codes.len(), all.len());
    let place = "state/shop.json";
    assert!(all.iter().all(|error| error.hint(place).len() > 20));
    // Each side of a merge by a command that can be copied.
    let conflict = all[2].hint(place);
    for part in [
        "`git show :2:./state/shop.json > ours.json`",
        "`aeroform plan --state theirs.json`",
        "state migrate --to git+origin",
    ] {
        assert!(conflict.contains(part), "{conflict}");
    }
    let in_git = all[2].hint("git+origin");
    assert!(!in_git.contains("git show"), "{in_git}");
}

fn moved_text() -> String {
    let known = read(GOLDEN, &app()).unwrap();
    let moved = MovedRecord {
        to: "git+origin".to_owned(),
        at: "2026-11-28T10:00:00Z".to_owned(),
        by: "ana".to_owned(),
        lineage: known.lineage.clone(),
        serial: known.serial,
    };
    write_moved(&known, &digest(GOLDEN), &moved)
}

#[test]
fn a_moved_state_names_its_place_and_is_no_state() {
    let text = moved_text();
    let error = refusal(&text);
    assert_eq!(error.code().name(), "state_moved");
    let said = error.to_string();
    assert!(
        said.contains("`git+origin`") && said.contains("by ana"),
        "{said}"
    );
    assert!(error.hint("state/shop.json").contains("git+origin"));
    let StateError::Moved { app: of, moved } = error else {
        panic!("{error}");
    };
    assert_eq!((of, moved.serial), (app(), 12));
    // Versions that know no moved states read the format first, and find it too new.
    assert!(
        text.starts_with("[{\"format\": 5, \"app\": \"shop\""),
        "{text}"
    );
    assert_eq!(read_owner(&text).unwrap().app, app());
    let other = AppName::new("other").unwrap();
    let error = read(&text, &other).unwrap_err();
    assert_eq!(error.code().name(), "state_other_app");
    // A format 5 without the record, and a file that holds both.
    let lines: Vec<&str> = text.lines().collect();
    let without = [&lines[..2], &["]"]].concat().join("\n");
    assert_eq!(refusal(&without).code().name(), "state_damaged");
    let both = GOLDEN.replacen("\n]", &format!("\n{}\n]", lines[2]), 1);
    assert_ne!(both, GOLDEN);
    assert_eq!(refusal(&both).code().name(), "state_moved");
}

#[test]
fn a_serial_that_cannot_rise_is_refused() {
    for serial in [u64::MAX, u64::MAX / 2] {
        let text = GOLDEN.replacen("\"serial\": 12", &format!("\"serial\": {serial}"), 1);
        assert_ne!(text, GOLDEN);
        let error = refusal(&text).to_string();
        assert!(
            error.contains(&format!("no run in the state wrote serial {serial}")),
            "{error}"
        );
    }
}

/// An earlier version kept commands and paths unchanged.
#[test]
fn a_secret_in_clear_is_hidden_as_it_is_read_and_not_written_again() {
    let lineage = Lineage::new("k2v9").unwrap();
    let body = serde_json::json!({
        "image": "shop:1", "init": {"cmd": ["bin/x", "--token=sk_live_0123456789"]},
    });
    let clear: StoredConfig = serde_json::from_value(body.clone()).unwrap();
    let expected = StoredConfig::from_config(&MachineConfig::from_value(body).unwrap(), &lineage);
    let known = Known {
        lineage: Some(lineage),
        serial: 1,
        run: RunId::new("r1").ok(),
        configs: [(clear.digest(), clear.clone())].into(),
        machines: [(id("a"), machine("web-a", "web", "gru", &clear))].into(),
        ..Known::empty(app(), "local")
    };
    let text = write(&known);
    assert!(text.contains("sk_live_"));
    let read = read(&text, &app()).unwrap();
    assert_eq!(read.configs_with_cleartext, 1);
    assert_eq!(read.machines[&id("a")].config, expected.digest());
    assert_eq!(read.configs[&expected.digest()], expected);
    let text = write(&read);
    assert!(!text.contains("sk_live_"), "{text}");
    assert_eq!(
        super::read(&text, &app()).unwrap().configs_with_cleartext,
        0
    );
}
