//! Whether the stamps on a Machine belong to the history that the state tells.

use aeroform::core::fleet::{Lineage, ReleaseStamp, RunId};
use aeroform::core::plan::{AlreadyApplied, Outcome, SavedPlan};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group};

#[test]
fn stamps_of_another_app_are_no_run_that_the_state_should_list() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    // A config with all its metadata, brought here from an app that is further on.
    stage.edit_outside("m00001", |machine| {
        machine.stamps.lineage = Some(Lineage::new("another").unwrap());
        machine.stamps.run = Some(RunId::new("elsewhere").unwrap());
        machine.stamps.serial = Some(99);
    });
    assert!(stage.plan(&target).is_empty());
    let changed = group("web").count(2).config(json!({"env": {"A": "1"}}));
    let changed = desired([("web", changed)]);
    let planned = stage.plan(&changed);
    assert_eq!((planned.refusals, planned.adopted_runs), (vec![], vec![]));
    stage.apply(&changed);
    let run = RunId::new("elsewhere").unwrap();
    assert!(stage.known.runs.iter().all(|listed| listed.run != run));
}

#[test]
fn a_run_without_a_call_leaves_the_state_as_it_was() {
    let before = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&before);
    let known = stage.known.clone();
    let changed = group("web").count(1).config(json!({"env": {"A": "1"}}));
    let changed = desired([("web", changed)]);
    let update = stage.plan(&changed);
    stage.carry_out_except(&changed, &update, |_| Some(Outcome::NotStarted));
    assert_eq!(stage.known, known);
    // An unknown result may have left its stamps, so the run is listed.
    let message = "the connection was lost".to_owned();
    let unknown = |_| {
        Some(Outcome::Unknown {
            message: message.clone(),
        })
    };
    stage.carry_out_except(&changed, &update, unknown);
    assert_eq!(stage.known.serial, known.serial + 1);
    assert_eq!(stage.known.runs.len(), known.runs.len() + 1);
}

#[test]
fn a_saved_plan_is_spent_by_its_run_and_perhaps_when_the_state_forgets_its_time() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let saved = SavedPlan::of(&stage.plan(&desired([("web", group("web").count(2))])));
    assert_eq!(saved.already_applied(&stage.known), None);
    stage.known.runs[0].plan = Some(saved.digest());
    let run = stage.known.runs[0].clone();
    assert_eq!(
        saved.already_applied(&stage.known),
        Some(AlreadyApplied::ByRun(Box::new(run)))
    );
    stage.known.runs[0].plan = None;
    let list = |stage: &mut PlanFixture, first: u64| {
        let run = stage.known.runs[0].clone();
        let run = |serial| aeroform::core::fleet::RunRecord {
            serial,
            ..run.clone()
        };
        stage.known.runs = (first..first + 50).map(run).collect();
    };
    list(&mut stage, saved.serial + 1);
    assert_eq!(saved.already_applied(&stage.known), None);
    list(&mut stage, saved.serial + 2);
    assert_eq!(
        saved.already_applied(&stage.known),
        Some(AlreadyApplied::Unknown)
    );
}

#[test]
fn no_number_that_others_have_written_is_too_large_to_plan_with() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    stage.observed.description.capabilities.releases = true;
    stage.edit_outside("m00001", |machine| {
        machine.stamps.release = Some(Box::new(ReleaseStamp {
            version: u64::MAX,
            id: None,
            registered_by_us: false,
            newer_than_ours: false,
        }));
        machine.stamps.serial = Some(u64::MAX);
    });
    let changed = group("web").count(1).config(json!({"env": {"A": "1"}}));
    let planned = stage.plan(&desired([("web", changed)]));
    assert_eq!(planned.release.as_ref().unwrap().number, u64::MAX);
    let mut saved = SavedPlan::of(&planned);
    saved.serial = u64::MAX;
    let run = stage.known.runs[0].clone();
    stage.known.runs = vec![run; 50];
    assert_eq!(saved.already_applied(&stage.known), None);
}

/// Another tool has changed the first of so many Machines, of that release each.
fn changed_outside(count: u32, releases: [u64; 2]) -> PlanFixture {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(count))]));
    let ids: Vec<String> = stage
        .observed
        .machines
        .keys()
        .map(ToString::to_string)
        .collect();
    for (at, id) in ids.iter().enumerate() {
        stage.edit_outside(id, |machine| {
            let version = releases[at.min(1)];
            machine.stamps.release = Some(Box::new(ReleaseStamp {
                version,
                id: None,
                registered_by_us: false,
                newer_than_ours: false,
            }));
        });
    }
    stage.edit_outside(&ids[0], |machine| {
        let env = crate::support::config_of(machine)
            .env
            .get_or_insert_default();
        env.insert("LOG".to_owned(), "debug".to_owned());
    });
    stage
}

#[test]
fn a_state_that_names_no_release_tells_reverts_by_the_machines_that_are_as_it_says() {
    let reverts = |stage: &PlanFixture, count| {
        let planned = stage.plan(&desired([("web", group("web").count(count))]));
        let of: Vec<Option<u64>> = planned
            .changes()
            .map(|(_, change)| change.reverts)
            .collect();
        of
    };
    // A deploy of some Machines, and one of all.
    assert_eq!(reverts(&changed_outside(2, [7, 6]), 2), [Some(7)]);
    assert_eq!(reverts(&changed_outside(1, [7, 7]), 1), [Some(7)]);
    // A change by hand makes no release.
    assert_eq!(reverts(&changed_outside(2, [6, 6]), 2), [None]);
    // Where the state names one, that counts.
    let mut stage = changed_outside(2, [7, 6]);
    stage.known.release = Some(7);
    assert_eq!(reverts(&stage, 2), [None]);
}
