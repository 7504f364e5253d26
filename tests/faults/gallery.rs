//! The plans that are disturbed: what was applied before, what others did meanwhile, what is wanted
//! now.

mod capacity;
mod group_changes;
mod outside_changes;
mod swaps;
mod volumes;

use std::time::Duration;

use aeroform::core::fleet::{
    Count, Desired, DesiredGroup, Known, Limit, OrderedRegions, Strategy, Trial,
};
use aeroform::core::plan::Options;
use aeroform::emulator::world::{ExitsAfter, World};
use serde_json::{Value, json};

use crate::invariants::AvailabilityGuard;
use crate::support::{GroupBuilder, desired, group, moved, region};

/// One plan of the gallery.
pub(crate) struct PlanScenario {
    pub(crate) name: &'static str,
    pub(crate) before: Desired,
    pub(crate) after: Desired,
    pub(crate) options: Options,
    /// The world before anything is applied.
    pub(crate) world: fn(&mut World),
    /// What happens to the world and to the state between the two.
    pub(crate) meanwhile: fn(&mut World, &mut Known, &mut Desired),
    pub(crate) guards: Vec<AvailabilityGuard>,
}

type NamedGroups = Vec<(&'static str, DesiredGroup)>;

fn scenario(name: &'static str, before: NamedGroups, after: NamedGroups) -> PlanScenario {
    PlanScenario {
        name,
        before: desired(before),
        after: desired(after),
        options: Options::default(),
        world: |_| {},
        meanwhile: |_, _, _| {},
        guards: Vec::new(),
    }
}

impl PlanScenario {
    /// Whether nothing waits until a Machine has started.
    pub(crate) fn is_immediate(&self) -> bool {
        let mut groups = self.after.groups.values();
        groups.any(|group| group.strategy == Strategy::Immediate)
    }

    /// Whether a group is exchanged as a whole.
    pub(crate) fn is_swap(&self) -> bool {
        let mut groups = self.after.groups.values();
        groups.any(|group| group.trial == Some(Trial::Bluegreen))
    }

    /// Whether one of these groups is.
    pub(crate) fn swaps(&self, groups: &[&str]) -> bool {
        let mut named = self.after.groups.iter();
        named.any(|(name, group)| {
            groups.contains(&name.as_str()) && group.trial == Some(Trial::Bluegreen)
        })
    }

    /// Whether a Machine is made for a trial and destroyed.
    pub(crate) fn has_canary(&self) -> bool {
        let mut groups = self.after.groups.values();
        groups.any(|group| matches!(group.trial, Some(Trial::Canary { .. })))
    }

    /// How long a Machine has to stay up in every group.
    pub(crate) fn least_steady(&self) -> Duration {
        let steady = |group: &DesiredGroup| group.steady_ms.unwrap_or_default();
        let groups = self.after.groups.values();
        Duration::from_millis(groups.map(steady).min().unwrap_or_default())
    }

    fn moved(mut self, from: &str, to: &str) -> Self {
        self.after.moved = vec![moved(from, to)];
        self
    }

    fn meanwhile(mut self, hand: fn(&mut World, &mut Known, &mut Desired)) -> Self {
        self.meanwhile = hand;
        self
    }

    fn world(mut self, hand: fn(&mut World)) -> Self {
        self.world = hand;
        self
    }

    fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// At any moment so many of these groups exist, and so many of them run.
    fn never_below(mut self, groups: &'static [&'static str], exist: usize, run: usize) -> Self {
        self.guards.push(AvailabilityGuard {
            groups,
            min_existing: exist,
            min_running: run,
        });
        self
    }
}

fn web(count: u32) -> DesiredGroup {
    let checks = json!({"checks": {"alive": {"type": "http", "port": 8080, "path": "/"}}});
    let web = group("web").count(count).serves().config(checks);
    steady(image(web, "shop:1").max_unavailable(1))
}

fn worker(count: u32) -> DesiredGroup {
    steady(
        image(group("worker"), "shop:1")
            .count(count)
            .max_unavailable(1),
    )
}

/// It has to stay up for a while.
fn steady(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.steady_ms = Some(2_000))
}

fn image(group: DesiredGroup, image: &str) -> DesiredGroup {
    group.config(json!({"image": image}))
}

fn two(group: DesiredGroup) -> DesiredGroup {
    image(group, "shop:2")
}

fn unwritten(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.count = Count::Unwritten)
}

fn standby(group: DesiredGroup, n: u32) -> DesiredGroup {
    group.with(|group| group.standby = Some(n))
}

fn ids(world: &mut World, of: &str) -> Vec<String> {
    let machines = world.operator("shop").machines();
    let of = |machine: &&Value| machine["config"]["metadata"]["fly_process_group"] == of;
    let id = |machine: &Value| machine["id"].as_str().unwrap().to_owned();
    machines.iter().filter(of).map(id).collect()
}

pub(crate) fn all() -> Vec<PlanScenario> {
    let mut all = counts();
    all.extend(configs());
    all.extend(group_changes::all());
    all.extend(standbys());
    all.extend(regions());
    all.extend(outside_changes::all());
    all.extend(volumes::all());
    all.extend(unwritten_counts());
    all.extend(capacity::all());
    all.extend(swaps::all());
    all
}

fn counts() -> Vec<PlanScenario> {
    vec![
        scenario(
            "first-apply",
            vec![],
            vec![("web", web(3)), ("worker", worker(2))],
        ),
        scenario("grows", vec![("web", web(2))], vec![("web", web(5))]).never_below(&["web"], 2, 2),
        scenario("shrinks", vec![("web", web(4))], vec![("web", web(2))]).never_below(
            &["web"],
            2,
            2,
        ),
        scenario(
            "shrinks-to-nothing",
            vec![("web", web(1)), ("worker", worker(2))],
            vec![("web", web(1)), ("worker", worker(0))],
        )
        .never_below(&["web"], 1, 1),
        scenario(
            "protected-grows-and-changes",
            vec![("web", web(3).protected())],
            vec![("web", two(web(4).protected()))],
        )
        .never_below(&["web"], 3, 2),
        scenario(
            "becomes-protected",
            vec![("web", web(2))],
            vec![("web", web(3).protected())],
        )
        .never_below(&["web"], 2, 2),
        scenario(
            "is-unprotected",
            vec![("web", web(2).protected()), ("worker", worker(1))],
            vec![("web", web(2)), ("worker", two(worker(1)))],
        )
        .never_below(&["web"], 2, 2),
    ]
}

fn configs() -> Vec<PlanScenario> {
    let wide = |group: DesiredGroup| group.max_unavailable(2);
    let at_once = |group: DesiredGroup| group.with(|group| group.strategy = Strategy::Immediate);
    let share = |group: DesiredGroup| {
        let max_unavailable = Limit::Share(0.33);
        group.with(|group| group.strategy = Strategy::Rolling { max_unavailable })
    };
    vec![
        scenario(
            "changes-rolling",
            vec![("web", web(4))],
            vec![("web", two(web(4)))],
        )
        .never_below(&["web"], 4, 3),
        scenario(
            "changes-two-at-a-time",
            vec![("web", wide(web(5)))],
            vec![("web", two(wide(web(5))))],
        )
        .never_below(&["web"], 5, 3),
        scenario(
            "changes-a-third-at-a-time",
            vec![("worker", share(worker(6)))],
            vec![("worker", two(share(worker(6))))],
        )
        .never_below(&["worker"], 6, 4),
        scenario(
            "changes-at-once",
            vec![("web", at_once(web(3)))],
            vec![("web", at_once(two(web(3))))],
        )
        .never_below(&["web"], 3, 0),
        scenario(
            "changes-and-grows",
            vec![("web", web(3))],
            vec![("web", two(web(5)))],
        )
        .never_below(&["web"], 3, 2),
        scenario(
            "changes-and-shrinks",
            vec![("web", web(5))],
            vec![("web", two(web(3)))],
        )
        .never_below(&["web"], 3, 2),
        scenario(
            "changes-stopped-ones",
            vec![("web", web(4))],
            vec![("web", two(web(4)))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            world.operator("shop").stop(&all[0]);
            world.operator("shop").suspend(&all[1]);
        })
        .never_below(&["web"], 4, 1),
        // Of four that serve, two may be down at once.
        scenario(
            "changes-by-waves",
            vec![("web", by_waves(web(6)))],
            vec![("web", two(by_waves(web(6))))],
        )
        .meanwhile(one_stopped_and_one_crashed)
        .never_below(&["web"], 6, 2),
        scenario(
            "changes-by-waves-at-once",
            vec![("web", at_once(by_waves(web(6))))],
            vec![("web", two(at_once(by_waves(web(6)))))],
        )
        .meanwhile(one_stopped_and_one_crashed)
        .never_below(&["web"], 6, 0),
    ]
}

/// Four Machines in one region and two in another one, which goes first.
fn by_waves(group: DesiredGroup) -> DesiredGroup {
    let max_unavailable = Limit::Share(0.34);
    let group = group.exact(&[("ams", 4), ("gru", 2)]);
    group.with(|group| {
        group.strategy = Strategy::Rolling { max_unavailable };
        group.region_order = vec![OrderedRegions::Region(region("gru"))];
        group.steady_ms = Some(5_000);
    })
}

fn one_stopped_and_one_crashed(world: &mut World, _: &mut Known, _: &mut Desired) {
    let all = ids(world, "web");
    let mut shop = world.operator("shop");
    shop.stop(&all[0]);
    let crash = ExitsAfter {
        after: Duration::ZERO,
        code: 1,
        signal: None,
        oom_killed: false,
        restarts: Some(0),
    };
    shop.exit(&all[1], crash);
}

fn standbys() -> Vec<PlanScenario> {
    vec![
        scenario(
            "standby-added",
            vec![("jobs", worker(1))],
            vec![("jobs", standby(worker(1), 1))],
        )
        .never_below(&["jobs"], 1, 1),
        scenario(
            "standby-removed",
            vec![("jobs", standby(worker(1), 1))],
            vec![("jobs", worker(1))],
        )
        .never_below(&["jobs"], 1, 1),
        scenario(
            "standby-follows",
            vec![("jobs", standby(worker(1), 1))],
            vec![("jobs", standby(two(worker(1)), 1))],
        )
        .never_below(&["jobs"], 2, 0),
        scenario(
            "standby-watches-more",
            vec![("jobs", standby(worker(1), 1))],
            vec![("jobs", standby(worker(3), 2))],
        )
        .never_below(&["jobs"], 2, 1),
        scenario(
            "standby-watches-fewer",
            vec![("jobs", standby(worker(3), 1))],
            vec![("jobs", standby(worker(1), 1))],
        )
        .never_below(&["jobs"], 2, 1),
    ]
}

fn regions() -> Vec<PlanScenario> {
    vec![
        scenario(
            "rebalanced-by-a-map",
            vec![("web", web(4).exact(&[("gru", 3), ("ams", 1)]))],
            vec![("web", web(4).exact(&[("gru", 1), ("bog", 3)]))],
        )
        .never_below(&["web"], 4, 4),
        scenario(
            "evened-out-over-a-list",
            vec![("web", web(4).list("gru"))],
            vec![("web", web(4).list("gru bog").protected())],
        )
        .never_below(&["web"], 4, 4),
        scenario(
            "evened-out-and-changed",
            vec![("web", web(4).list("gru"))],
            vec![("web", two(web(5).list("gru bog ams")))],
        )
        .never_below(&["web"], 4, 3),
    ]
}

fn unwritten_counts() -> Vec<PlanScenario> {
    vec![
        scenario(
            "unwritten-new-service",
            vec![("worker", worker(1))],
            vec![("worker", worker(1)), ("web", unwritten(web(0)))],
        ),
        scenario(
            "unwritten-new-worker",
            vec![("web", web(1))],
            vec![("web", web(1)), ("worker", unwritten(worker(0)))],
        ),
        scenario(
            "unwritten-spread",
            vec![("web", web(1))],
            vec![
                ("web", web(1)),
                ("api", unwritten(web(0)).list("ams gru bog")),
            ],
        ),
        scenario(
            "unwritten-vanished",
            vec![("web", web(3))],
            vec![("web", unwritten(two(web(0))))],
        )
        .meanwhile(|world, _, _| {
            let all = ids(world, "web");
            world.operator("shop").destroy(&all[1]);
        }),
        scenario(
            "unwritten-adopted",
            vec![],
            vec![("worker", unwritten(two(worker(0))))],
        )
        .world(outside_changes::launched),
        scenario(
            "unwritten-region-added",
            vec![("web", web(2).list("ams"))],
            vec![("web", unwritten(web(0)).list("ams gru"))],
        ),
    ]
}
