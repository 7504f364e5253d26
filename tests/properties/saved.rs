//! What is written can be read again: saved plans, states that random runs leave, and every format that
//! a state ever had.

use aeroform::core::fleet::AppName;
use aeroform::core::plan::{Outcome, SavedPlan};
use aeroform::core::state::{self, FORMAT, MOVED_FORMAT};
use proptest::prelude::*;

use crate::config;
use crate::random::{apply_outside_change, manifest, outside_change};
use crate::support::PlanFixture;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn plan_and_state_survive_the_round_trip_and_nothing_differs(
        manifests in proptest::collection::vec((manifest(), proptest::collection::vec(outside_change(), 0..4)), 1..4),
        volumes in any::<bool>(),
        failing in any::<u32>(),
    ) {
        let mut stage = PlanFixture::empty();
        stage.volumes = volumes;
        let mut serial = 0;
        for (target, outside) in &manifests {
            let planned = stage.plan(target);
            let saved = SavedPlan::of(&planned);
            let again = SavedPlan::parse(&saved.to_json()).unwrap();
            prop_assert_eq!(&again, &saved);
            prop_assert_eq!(again.to_json(), saved.to_json());
            prop_assert_eq!(again.differences(&planned), Vec::<String>::new());
            if planned.refusals.is_empty() {
                // What fails or stays unknown is in the state as well.
                let outcome_of = |step: aeroform::core::plan::StepId| match failing >> (step.0 % 16 * 2) & 3 {
                    0 if failing % 3 == 0 => Some(Outcome::Unknown { message: "no answer".to_owned() }),
                    1 if failing % 3 == 0 => Some(Outcome::NotStarted),
                    _ => None,
                };
                let creates = planned.steps.iter().any(|step| outcome_of(step.id).is_some());
                // A standby can watch none that was not made.
                if creates && target.groups.values().any(|group| group.standby != Some(0)) {
                    stage.carry_out(target, &planned);
                } else {
                    stage.carry_out_except(target, &planned, outcome_of);
                }
            }
            let text = state::write(&stage.known);
            let read = state::read(&text, &stage.known.app);
            prop_assert_eq!(read.as_ref(), Ok(&stage.known));
            prop_assert_eq!(state::write(&read.unwrap()), text);
            for outside_change in outside {
                serial += 1;
                apply_outside_change(&mut stage, outside_change, serial);
            }
        }
    }
}

/// A format that comes later brings its golden file along, and the older ones stay.
#[test]
fn every_format_of_the_state_that_ever_was_reads() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for format in (1..=FORMAT).filter(|format| *format != MOVED_FORMAT) {
        let path = format!("{golden}/state-format-{format}.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(&format!("\"format\": {format}")), "{path}");
        let app = AppName::new("shop").unwrap();
        let known = state::read(&text, &app).unwrap();
        assert_eq!(state::read(&state::write(&known), &app).unwrap(), known);
    }
}

#[test]
fn a_saved_plan_of_a_newer_format_is_refused_by_name_whatever_else_it_holds() {
    let error =
        SavedPlan::parse(r#"{"format_version": 99, "choices": {"later": true}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan has format 99, but this program reads formats up to 3"
    );
}
