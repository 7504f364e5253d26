//! How each group is updated: `[groups.NAME.deploy]` of aeroform.toml before `[deploy]` of fly.toml before flyctl's
//! defaults; and whether these settings agree.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::core::fleet::{
    DesiredGroup, GroupName, GroupsOrder, Limit, OrderedRegions, Strategy, Trial,
};

use super::aeroform::group_settings::GroupSettings;
use super::codes;
use super::consistency::report_undefined_group;
use super::diagnostics::{Diagnostic, SourceLocation, quote_text};
use super::fly::group_scope::AppGroups;
use super::join::ParsedManifests;
use super::rollout_settings::{RolloutSettings, WrittenStrategy, warn_ignored_limit};
use super::tree::{Located, ManifestFile};

/// flyctl's `wait_timeout`.
const WAIT_TIMEOUT_S: u64 = 300;

/// The settings of one group.
pub(super) struct GroupRollout {
    pub(super) strategy: Strategy,
    pub(super) trial: Option<Trial>,
    pub(super) max_unavailable: Limit,
    pub(super) wait_timeout_s: u64,
    pub(super) steady_ms: Option<u64>,
    pub(super) region_order: Vec<OrderedRegions>,
}

impl ParsedManifests<'_> {
    /// The settings of a group; `mount` is the span of its mount.
    pub(super) fn group_rollout(
        &self,
        settings: Option<&GroupSettings>,
        mount: Option<&Range<usize>>,
    ) -> GroupRollout {
        let fly = &self.document.deploy.rollout;
        let default = RolloutSettings::default();
        let group = settings.map_or(&default, |settings| &settings.deploy.rollout);
        if let (Some(aero), Some(settings)) = (self.aeroform_file, settings) {
            self.check_limit(aero, settings);
            self.check_ignored(aero, settings);
            self.check_canary(aero, settings, mount);
            self.check_steady(aero, settings);
            self.check_soak(aero, settings);
        }
        let max_unavailable = group
            .max_unavailable
            .as_ref()
            .or(fly.max_unavailable.as_ref());
        let max_unavailable = max_unavailable.map_or(Limit::MAX_UNAVAILABLE, |at| at.value);
        let written = group.strategy.as_ref().or(fly.strategy.as_ref());
        let rolling = Strategy::Rolling { max_unavailable };
        let deploy = settings.map(|settings| &settings.deploy);
        let soak = deploy.and_then(|deploy| deploy.soak.as_ref());
        let soak_ms = soak.map_or(0, |soak| soak.value);
        let (strategy, trial) = match written.map(|at| at.value) {
            None | Some(WrittenStrategy::Rolling) => (rolling, None),
            Some(WrittenStrategy::Immediate) => (Strategy::Immediate, None),
            Some(WrittenStrategy::Canary) => (rolling, Some(Trial::Canary { soak_ms })),
            Some(WrittenStrategy::Bluegreen) => (rolling, Some(Trial::Bluegreen)),
        };
        GroupRollout {
            strategy,
            trial,
            max_unavailable,
            wait_timeout_s: self.wait_timeout_s(group),
            steady_ms: deploy.and_then(|deploy| Some(deploy.steady.as_ref()?.value)),
            region_order: deploy
                .and_then(|deploy| Some(deploy.order.as_ref()?.value.clone()))
                .unwrap_or_default(),
        }
    }

    fn wait_timeout_s(&self, group: &RolloutSettings) -> u64 {
        let fly = &self.document.deploy.rollout;
        let written = group
            .wait_timeout_s
            .as_ref()
            .or(fly.wait_timeout_s.as_ref());
        written.map_or(WAIT_TIMEOUT_S, |at| at.value)
    }

    /// The strategy that counts for a group, with its file.
    fn strategy_of<'m>(
        &'m self,
        aero: &'m ManifestFile<'m>,
        settings: &'m GroupSettings,
    ) -> Option<(&'m ManifestFile<'m>, &'m Located<WrittenStrategy>)> {
        let ours = settings.deploy.rollout.strategy.as_ref();
        let theirs = self.document.deploy.rollout.strategy.as_ref();
        ours.map(|strategy| (aero, strategy))
            .or_else(|| Some((self.fly_file, theirs?)))
    }

    /// A limit beside the strategy of fly.toml; one beside a strategy of the same table is already reported.
    fn check_limit(&self, aero: &ManifestFile<'_>, settings: &GroupSettings) {
        let group = &settings.deploy.rollout;
        if let (Some(limit), None, Some(strategy)) = (
            &group.max_unavailable,
            &group.strategy,
            &self.document.deploy.rollout.strategy,
        ) && !strategy.value.has_limit()
        {
            let path = path_of(settings, "max_unavailable");
            warn_ignored_limit(aero, &path, limit, (self.fly_file, strategy));
        }
    }

    /// Settings that the strategy does not use: `immediate` waits for nothing, and the new Machines of `bluegreen`
    /// start and switch together.
    fn check_ignored(&self, aero: &ManifestFile<'_>, settings: &GroupSettings) {
        let Some((file, strategy)) = self.strategy_of(aero, settings) else {
            return;
        };
        let deploy = &settings.deploy;
        let order = deploy.order.as_ref().map(|at| ("order", &at.span));
        let steady = deploy.steady.as_ref().filter(|window| window.value > 0);
        let steady = steady.map(|at| ("steady", &at.span));
        let (ignored, help) = match strategy.value {
            WrittenStrategy::Rolling | WrittenStrategy::Canary => return,
            WrittenStrategy::Immediate => (
                [order, steady],
                "`immediate` waits for nothing; it applies to `strategy = \"rolling\"`",
            ),
            WrittenStrategy::Bluegreen => (
                [order, None],
                "all new Machines start and switch together; it applies to `strategy = \"rolling\"`, and to restarts",
            ),
        };
        for (key, span) in ignored.into_iter().flatten() {
            let path = path_of(settings, key);
            let name = quote_text(strategy.value.as_str());
            let message = format!("`{path}` has no effect with the strategy {name}");
            aero.report(
                Diagnostic::warning(codes::IGNORED_BY_STRATEGY, message)
                    .with_location(aero.location(span.clone(), ""))
                    .with_related(file.location(strategy.span.clone(), "the strategy"))
                    .help(help),
            );
        }
    }

    /// What flyctl refuses in fly.toml.
    fn check_canary(
        &self,
        aero: &ManifestFile<'_>,
        settings: &GroupSettings,
        mount: Option<&Range<usize>>,
    ) {
        let canary = WrittenStrategy::Canary;
        let strategy = settings.deploy.rollout.strategy.as_ref();
        if let (Some(strategy), Some(mount)) =
            (strategy.filter(|strategy| strategy.value == canary), mount)
        {
            aero.report(
                Diagnostic::error(
                    codes::CANARY_WITH_MOUNTS,
                    "the strategy `canary` does not support mounts",
                )
                .with_location(aero.location(strategy.span.clone(), ""))
                .with_related(self.fly_file.location(mount.clone(), "the mount"))
                .help("use `strategy = \"rolling\"`"),
            );
        }
    }

    /// A soak of a group without a canary.
    fn check_soak(&self, aero: &ManifestFile<'_>, settings: &GroupSettings) {
        let Some(soak) = &settings.deploy.soak else {
            return;
        };
        let written = self.strategy_of(aero, settings);
        let is_canary = written.is_some_and(|(_, at)| at.value == WrittenStrategy::Canary);
        if is_canary {
            return;
        }
        let path = path_of(settings, "canary.soak");
        let name = quote_text(written.map_or("rolling", |(_, at)| at.value.as_str()));
        let message = format!("`{path}` has no effect with the strategy {name}");
        let found = Diagnostic::warning(codes::IGNORED_BY_STRATEGY, message)
            .with_location(aero.location(soak.span.clone(), ""));
        let found = match written {
            Some((file, at)) => found.with_related(file.location(at.span.clone(), "the strategy")),
            None => found,
        };
        aero.report(found.help("it applies to `strategy = \"canary\"`"));
    }

    /// A Machine that must stay up for longer than it is waited for would never pass.
    fn check_steady(&self, aero: &ManifestFile<'_>, settings: &GroupSettings) {
        let Some(window) = &settings.deploy.steady else {
            return;
        };
        let most = self.wait_timeout_s(&settings.deploy.rollout);
        if window.value < most.saturating_mul(1000) {
            return;
        }
        let path = path_of(settings, "steady");
        let message = format!("`{path}` is not shorter than `wait_timeout`, which is {most}s");
        let help = format!(
            "shorten it, or raise `wait_timeout` in `[groups.{}.deploy]`",
            settings.name.value.toml_key()
        );
        aero.bad_value(window.span.clone(), message, Some(help));
    }

    /// `groups_order` of `[deploy]`.
    pub(super) fn groups_order(&self, groups: &AppGroups) -> Option<GroupsOrder> {
        let (aero, written) = (
            self.aeroform_file?,
            self.aeroform.deploy.groups_order.as_ref()?,
        );
        for name in written.value.iter().flatten() {
            if !groups.names.contains(&name.value) {
                let message = format!(
                    "`deploy.groups_order` names {}, which is not a process group of {}",
                    quote_text(name.value.as_str()),
                    self.fly_file.source.path
                );
                report_undefined_group(aero, groups, name, message);
            }
        }
        let lists = written.value.iter();
        let names =
            |list: &Vec<Located<GroupName>>| list.iter().map(|name| name.value.clone()).collect();
        Some(GroupsOrder {
            lists: lists.map(names).collect(),
            location: aero.source.line_ref(written.span.start),
        })
    }

    /// The groups of a bluegreen update switch together, so none can come before another.
    pub(super) fn check_bluegreen<'g>(
        &self,
        order: Option<&GroupsOrder>,
        groups: impl Iterator<Item = (&'g GroupName, &'g DesiredGroup)>,
    ) {
        let (Some(aero), Some(order)) = (self.aeroform_file, order) else {
            return;
        };
        let bluegreen: Vec<&GroupName> = groups
            .filter(|(_, group)| group.trial == Some(Trial::Bluegreen))
            .map(|(name, _)| name)
            .collect();
        let positions: BTreeSet<usize> =
            bluegreen.iter().map(|name| order.position(name)).collect();
        let Some(written) = &self.aeroform.deploy.groups_order else {
            return;
        };
        if positions.len() < 2 {
            return;
        }
        let names: Vec<String> = bluegreen
            .iter()
            .map(|name| quote_text(name.as_str()))
            .collect();
        let message = format!(
            "the groups {} are updated with \"bluegreen\" and have one switch, but `deploy.groups_order` has them in \
             different lists",
            names.join(", ")
        );
        let found = Diagnostic::error(codes::BLUEGREEN_SPLIT, message)
            .with_location(aero.location(written.span.clone(), ""));
        let found = self
            .bluegreen_locations(aero)
            .into_iter()
            .fold(found, Diagnostic::with_related);
        aero.report(
            found.help("put them in one list, or give one of them `strategy = \"rolling\"`"),
        );
    }

    /// Where `strategy = "bluegreen"` is written.
    fn bluegreen_locations(&self, aero: &ManifestFile<'_>) -> Vec<SourceLocation> {
        let bluegreen = |at: &&Located<WrittenStrategy>| at.value == WrittenStrategy::Bluegreen;
        let fly = self.document.deploy.rollout.strategy.as_ref();
        let fly = fly.filter(bluegreen).map(|at| (self.fly_file, at));
        let groups = self.aeroform.groups.iter();
        let ours = groups
            .filter_map(|group| group.deploy.rollout.strategy.as_ref())
            .filter(bluegreen)
            .map(|at| (aero, at));
        fly.into_iter()
            .chain(ours)
            .map(|(file, at)| file.location(at.span.clone(), "the strategy"))
            .collect()
    }
}

/// `groups.web.deploy.KEY`.
fn path_of(settings: &GroupSettings, key: &str) -> String {
    format!("groups.{}.deploy.{key}", settings.name.value.toml_key())
}
