//! Nothing goes beyond its guards, counted without the planner.

use aeroform::core::fleet::Limit;
use aeroform::core::plan::{Action, Removal};
use proptest::prelude::*;

use crate::config;
use crate::random::{apply_outside_change, manifest, outside_change};
use crate::support::PlanFixture;

proptest! {
    #![proptest_config(config())]

    /// Holds rule 33.
    #[test]
    fn no_more_is_destroyed_than_max_destroy_allows(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..4),
        limit in prop_oneof![(0..5u32).prop_map(Limit::Count), Just(Limit::Share(0.25))],
        volumes in any::<bool>(),
    ) {
        let mut stage = PlanFixture::empty();
        stage.volumes = volumes;
        let planned = stage.plan(&before);
        prop_assume!(planned.refusals.is_empty());
        stage.carry_out(&before, &planned);
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let mut after = after;
        after.policy.max_destroy = Some(limit);
        let planned = stage.plan(&after);
        prop_assume!(planned.refusals.is_empty());
        let counts = |action: &Action| match action {
            Action::Destroy { removal, left_volumes } => !left_volumes.is_empty()
                || matches!(removal, Removal::GroupRemoved | Removal::CountLowered),
            _ => false,
        };
        let goes = planned.changes().filter(|(_, change)| counts(&change.action)).count();
        let fleet = stage.observed.machines.len();
        let most = match limit {
            Limit::Count(n) => n as usize,
            Limit::Share(_) => fleet / 4,
        };
        prop_assert!(goes <= most, "{goes} > {most}: {:#?}", planned.summary_lines());
    }

    /// Holds rule 7.
    #[test]
    fn what_was_added_outside_goes_only_where_its_group_was_named(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 1..5),
    ) {
        let mut stage = PlanFixture::empty();
        let planned = stage.plan(&before);
        stage.carry_out(&before, &planned);
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let planned = stage.plan(&after);
        let added = planned.adopted_machines();
        let approval = aeroform::core::plan::required_approval(&planned);
        for (_, change) in planned.changes() {
            let goes = matches!(change.action, Action::Destroy { .. });
            if goes && change.machine.id.as_ref().is_some_and(|id| added.contains(id)) {
                let named = approval.typed.iter().any(|typed| typed.outside > 0 && typed.group.as_ref() == Some(&change.group));
                prop_assert!(named, "{:#?}", planned.summary_lines());
            }
        }
    }
}
