//! How many Machines of a group go in which region.
//!
//! Numbers only; [`super::removal_order`] chooses the Machines.

use std::collections::BTreeMap;

use crate::core::fleet::{Region, Regions};

/// The inputs of a layout.
#[derive(Debug, Clone)]
pub(super) struct Spread<'a> {
    /// The desired number.
    pub(super) target: u32,
    /// The regions in the manifest.
    pub(super) regions: &'a Regions,
    /// The maximum per region.
    pub(super) max_per_region: Option<u32>,
    /// The current number; a missing Machine that is recreated counts in its old region.
    pub(super) current: &'a BTreeMap<Region, u32>,
    /// How many of those have a volume; they are never moved to balance a list (rule 14).
    pub(super) with_volume: &'a BTreeMap<Region, u32>,
    /// The region of an empty group.
    pub(super) default: Option<&'a Region>,
}

/// A layout, and what kept it from being even.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RegionLayout {
    /// The number per region; no region with 0.
    pub(super) counts: BTreeMap<Region, u32>,
    /// Regions above an even share because of volumes.
    pub(super) held_by_volumes: Vec<Region>,
}

/// Why there is no layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LayoutError {
    /// The regions have too little room.
    TooFew {
        /// How many fit.
        room: u64,
    },
    /// No region is set and there is no default.
    NoRegion,
}

impl Spread<'_> {
    /// The layout. Exact maps are used as written. A list is balanced with the fewest creates and destroys,
    /// ties in the order written. Without regions everything stays, additions go where there are fewest, and
    /// removals come from where there are most.
    pub(super) fn layout(&self) -> Result<RegionLayout, LayoutError> {
        match self.regions {
            Regions::Exact(map) => {
                let counts = map
                    .iter()
                    .filter(|(_, n)| **n > 0)
                    .map(|(r, n)| (r.clone(), *n));
                Ok(RegionLayout {
                    counts: counts.collect(),
                    held_by_volumes: Vec::new(),
                })
            }
            Regions::List(list) => self.spread_evenly(list),
            Regions::Unwritten => self.with_fewest_changes(),
        }
    }

    fn fits(&self, count: u32) -> bool {
        self.max_per_region.is_none_or(|max| count < max)
    }

    fn spread_evenly(&self, list: &[Region]) -> Result<RegionLayout, LayoutError> {
        if let Some(max) = self.max_per_region {
            let room = list.len() as u64 * u64::from(max);
            if room < u64::from(self.target) {
                return Err(LayoutError::TooFew { room });
            }
        }
        // Machines with a volume stay; only a lower count removes some.
        let mut counts = self.with_volume.clone();
        let mut total: u64 = counts.values().map(|n| u64::from(*n)).sum();
        while total > u64::from(self.target) {
            let most = |outside: bool| {
                counts
                    .iter()
                    .filter(|(region, n)| **n > 0 && list.contains(region) != outside)
                    .max_by_key(|(region, n)| (**n, position(list, region)))
                    .map(|(region, _)| region.clone())
            };
            let region = most(true)
                .or_else(|| most(false))
                .expect("the total is above zero");
            *counts.get_mut(&region).expect("it was just found") -= 1;
            total -= 1;
        }
        for _ in total..u64::from(self.target) {
            let next = list
                .iter()
                .enumerate()
                .filter(|(_, region)| self.fits(counts.get(*region).copied().unwrap_or(0)))
                .min_by_key(|(at, region)| {
                    let count = counts.get(*region).copied().unwrap_or(0);
                    let there = self.current.get(*region).copied().unwrap_or(0);
                    (count, there <= count, *at)
                });
            // A volume outside the list uses no room inside it, so there is room.
            let (_, region) = next.ok_or(LayoutError::TooFew { room: total })?;
            *counts.entry(region.clone()).or_default() += 1;
        }
        let least = list
            .iter()
            .map(|r| counts.get(r).copied().unwrap_or(0))
            .min()
            .unwrap_or(0);
        let held_by_volumes = counts
            .iter()
            .filter(|(region, n)| **n > if list.contains(region) { least + 1 } else { 0 })
            .map(|(region, _)| region.clone())
            .collect();
        counts.retain(|_, n| *n > 0);
        Ok(RegionLayout {
            counts,
            held_by_volumes,
        })
    }

    fn with_fewest_changes(&self) -> Result<RegionLayout, LayoutError> {
        let mut counts = self.current.clone();
        counts.retain(|_, n| *n > 0);
        let mut total: u64 = counts.values().map(|n| u64::from(*n)).sum();
        if counts.is_empty() && self.target > 0 {
            counts.insert(self.default.ok_or(LayoutError::NoRegion)?.clone(), 0);
        }
        while total > u64::from(self.target) {
            let (region, n) = counts
                .iter()
                .max_by_key(|(_, n)| **n)
                .expect("the total is above zero");
            let (region, n) = (region.clone(), *n);
            counts.insert(region, n - 1);
            total -= 1;
        }
        while total < u64::from(self.target) {
            let fewest = counts
                .iter()
                .filter(|(_, n)| self.fits(**n))
                .min_by_key(|(_, n)| **n);
            let Some((region, n)) = fewest.map(|(region, n)| (region.clone(), *n)) else {
                return Err(LayoutError::TooFew { room: total });
            };
            counts.insert(region, n + 1);
            total += 1;
        }
        counts.retain(|_, n| *n > 0);
        Ok(RegionLayout {
            counts,
            held_by_volumes: Vec::new(),
        })
    }
}

fn position(list: &[Region], region: &Region) -> usize {
    list.iter().position(|r| r == region).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name).unwrap()
    }

    fn counts(text: &str) -> BTreeMap<Region, u32> {
        text.split_whitespace()
            .map(|part| part.split_once('=').unwrap())
            .map(|(name, n)| (region(name), n.parse().unwrap()))
            .collect()
    }

    fn list(text: &str) -> Regions {
        Regions::List(text.split_whitespace().map(region).collect())
    }

    fn layout(
        target: u32,
        regions: &Regions,
        max: Option<u32>,
        now: &str,
        volumes: &str,
    ) -> String {
        let home = region("ams");
        let spread = Spread {
            target,
            regions,
            max_per_region: max,
            current: &counts(now),
            with_volume: &counts(volumes),
            default: Some(&home),
        };
        match spread.layout() {
            Ok(layout) => {
                let mut parts: Vec<_> = layout
                    .counts
                    .iter()
                    .map(|(region, n)| format!("{region}={n}"))
                    .collect();
                parts.extend(
                    layout
                        .held_by_volumes
                        .iter()
                        .map(|region| format!("held:{region}")),
                );
                parts.join(" ")
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_list_is_evened_out_with_the_fewest_changes() {
        assert_eq!(
            layout(8, &list("gru bog"), None, "gru=2 bog=2", ""),
            "bog=4 gru=4"
        );
        assert_eq!(layout(5, &list("gru bog"), None, "", ""), "bog=2 gru=3");
        assert_eq!(
            layout(5, &list("gru bog"), None, "bog=3 gru=2", ""),
            "bog=3 gru=2"
        );
        assert_eq!(layout(3, &list("ams"), None, "iad=3", ""), "ams=3");
        assert_eq!(
            layout(6, &list("yyz yul ewr"), Some(1), "", ""),
            "TooFew { room: 3 }"
        );
    }

    #[test]
    fn a_machine_with_a_volume_is_not_moved_to_even_out_a_list() {
        assert_eq!(
            layout(4, &list("gru bog"), None, "gru=4", "gru=4"),
            "gru=4 held:gru"
        );
        assert_eq!(
            layout(4, &list("gru bog"), None, "iad=1 gru=1", "iad=1"),
            "bog=1 gru=2 iad=1 held:iad"
        );
        // A lower count may take one.
        assert_eq!(
            layout(2, &list("gru bog"), None, "gru=3", "gru=3"),
            "gru=2 held:gru"
        );
    }

    #[test]
    fn without_regions_everything_stays_and_additions_go_where_there_are_fewest() {
        let none = Regions::Unwritten;
        assert_eq!(layout(2, &none, None, "", ""), "ams=2");
        assert_eq!(layout(5, &none, None, "iad=3 fra=1", ""), "fra=2 iad=3");
        assert_eq!(layout(2, &none, None, "iad=3 fra=1", ""), "fra=1 iad=1");
        assert_eq!(layout(0, &none, None, "iad=3", ""), "");
        assert_eq!(
            layout(5, &none, Some(2), "iad=2 fra=2", ""),
            "TooFew { room: 4 }"
        );
    }

    #[test]
    fn an_exact_map_is_taken_as_it_is() {
        assert_eq!(
            layout(
                8,
                &Regions::Exact(counts("gru=5 bog=3 iad=0")),
                None,
                "iad=9",
                ""
            ),
            "bog=3 gru=5"
        );
    }
}
