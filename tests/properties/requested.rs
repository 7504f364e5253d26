//! Whatever a verb asks for beyond the manifests, and whatever else is to be done.

use std::collections::BTreeSet;

use aeroform::core::fleet::MachineId;
use aeroform::core::plan::{
    Action, Options, Outcome, Requested, RestartScope, StepId, check, plan,
};
use proptest::prelude::*;

use crate::random::{apply_outside_change, manifest, outside_change};
use crate::support::PlanFixture;

proptest! {
    #![proptest_config(crate::config())]

    /// `PlanFixture::plan_with` reads every plan a second time and makes it twice. Who was named is gone, and nothing
    /// is left to do for the manifests alone; nor is after a run that destroyed nothing and the next one.
    #[test]
    fn a_named_machine_is_gone_and_the_next_plan_is_empty(
        before in manifest(),
        after in manifest(),
        outside in proptest::collection::vec(outside_change(), 0..4),
        named in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        restarts in any::<bool>(),
        dies in any::<bool>(),
        volumes in any::<bool>(),
    ) {
        let mut stage = PlanFixture::empty();
        stage.volumes = volumes;
        let planned = stage.plan(&before);
        if !planned.refusals.is_empty() {
            return Ok(());
        }
        stage.apply(&before);
        let ids: Vec<MachineId> = stage.known.machines.keys().cloned().collect();
        for (at, outside_change) in outside.iter().enumerate() {
            apply_outside_change(&mut stage, outside_change, at);
        }
        let replace: BTreeSet<MachineId> = if ids.is_empty() {
            BTreeSet::new()
        } else {
            named.iter().map(|index| index.get(&ids).clone()).collect()
        };
        let options = Options {
            requested: Requested {
                steady_ms: None,
                replace,
                restart: if restarts { RestartScope::All } else { RestartScope::None },
                ..Requested::default()
            },
            ..Options::default()
        };
        let offline = plan(&after, &stage.known, None, &options);
        prop_assert_eq!(check(&offline, &after, &stage.known, None), []);
        let planned = stage.plan_with(&after, &options);
        if !planned.refusals.is_empty() {
            return Ok(());
        }
        let destroys = |step: StepId| {
            let mut changes = planned.changes();
            changes.any(|(id, c)| id == step && matches!(c.action, Action::Destroy { .. }))
        };
        if dies {
            stage.carry_out_except(&after, &planned, |step| {
                destroys(step).then_some(Outcome::NotStarted)
            });
            if stage.plan(&after).refusals.is_empty() {
                stage.apply(&after);
            }
            return Ok(());
        }
        stage.carry_out(&after, &planned);
        let gone = |id: &MachineId| !stage.observed.machines.contains_key(id);
        prop_assert!(options.requested.replace.iter().all(gone));
        let again = stage.plan(&after);
        prop_assert!(again.is_empty(), "planned again: {:#?}", again.summary_lines());
    }
}
