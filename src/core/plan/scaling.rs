//! `scale count`: how many Machines a group has in each region afterwards (docs/platform/scale-rules.md 1.3 to
//! 1.5).
//!
//! Numbers only. It follows Fly's command with two exceptions: named regions are balanced, and a relative
//! number counts only the regions that it changes (rule 13).

use std::collections::BTreeMap;

use crate::core::fleet::Region;

/// The requested number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleAmount {
    /// Exactly this many.
    To(u32),
    /// This many more, or fewer; at least 0.
    By(i64),
}

/// A request for one group.
#[derive(Debug, Clone, Copy)]
pub struct ScaleRequest<'a> {
    /// The number.
    pub amount: ScaleAmount,
    /// The named regions; without them, those of the app.
    pub regions: Option<&'a [Region]>,
    /// The regions of all groups, in alphabetical order.
    pub app_regions: &'a [Region],
    /// The maximum per region.
    pub max_per_region: Option<u32>,
    /// Whether its Machines have volumes: none of these is removed just to balance regions.
    pub has_volumes: bool,
}

/// Why a request is impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScaleError {
    /// The regions have too little room.
    TooFew {
        /// The requested number.
        count: u32,
        /// How many fit.
        room: u64,
    },
    /// There is no region to use.
    NoRegion,
}

impl ScaleRequest<'_> {
    /// The group's primaries per region, including regions that are left alone.
    pub fn counts_per_region(
        &self,
        current: &BTreeMap<Region, u32>,
    ) -> Result<BTreeMap<Region, u32>, ScaleError> {
        let mut regions: Vec<&Region> = Vec::new();
        for region in self.regions.unwrap_or(self.app_regions) {
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        let there = |region: &Region| current.get(region).copied().unwrap_or(0);
        let mut counts: Vec<u32> = regions.iter().map(|region| there(region)).collect();
        let count = self.amount.apply_to(counts.iter().sum());
        if regions.is_empty() && count > 0 {
            return Err(ScaleError::NoRegion);
        }
        if let Some(most) = self.max_per_region {
            let room = regions.len() as u64 * u64::from(most);
            if room < u64::from(count) {
                return Err(ScaleError::TooFew { count, room });
            }
            for count in &mut counts {
                *count = (*count).min(most);
            }
        }
        let counts = match self.regions {
            None => self.round_robin(counts, count),
            Some(_) if self.has_volumes => self.with_fewest_changes(counts, count),
            Some(_) => spread_evenly(&counts, count),
        };
        let mut after = current.clone();
        for (region, n) in regions.into_iter().zip(counts) {
            after.insert(region.clone(), n);
        }
        after.retain(|_, n| *n > 0);
        Ok(after)
    }

    fn fits(&self, count: u32) -> bool {
        self.max_per_region.is_none_or(|most| count < most)
    }

    /// Fly's method: add round-robin from the first region, remove from the second.
    fn round_robin(&self, mut counts: Vec<u32>, count: u32) -> Vec<u32> {
        let mut sum: u32 = counts.iter().sum();
        let regions = counts.len();
        for at in (0..regions).cycle() {
            if sum >= count {
                break;
            }
            if self.fits(counts[at]) {
                counts[at] += 1;
                sum += 1;
            }
        }
        for at in (0..regions).cycle().skip(1) {
            if sum <= count {
                break;
            }
            if counts[at] > 0 {
                counts[at] -= 1;
                sum -= 1;
            }
        }
        counts
    }

    /// Add where there are fewest, remove where there are most, and change nothing else.
    fn with_fewest_changes(&self, mut counts: Vec<u32>, count: u32) -> Vec<u32> {
        let mut sum: u32 = counts.iter().sum();
        while sum < count {
            let open = counts.iter_mut().filter(|count| self.fits(**count));
            let Some(fewest) = open.min_by_key(|count| **count) else {
                break;
            };
            *fewest += 1;
            sum += 1;
        }
        while sum > count {
            // The last named region goes first.
            let Some(most) = counts.iter_mut().max_by_key(|count| **count) else {
                break;
            };
            *most -= 1;
            sum -= 1;
        }
        counts
    }
}

/// As even as possible. The remainder goes to the fullest regions, then in the order of names.
fn spread_evenly(counts: &[u32], count: u32) -> Vec<u32> {
    let regions = u32::try_from(counts.len()).unwrap_or(u32::MAX).max(1);
    let mut even = vec![count / regions; counts.len()];
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
    for at in order.into_iter().take((count % regions) as usize) {
        even[at] += 1;
    }
    even
}

impl ScaleAmount {
    fn apply_to(self, there: u32) -> u32 {
        match self {
            Self::To(n) => n,
            Self::By(n) => {
                let sum = (i64::from(there) + n).clamp(0, i64::from(u32::MAX));
                u32::try_from(sum).unwrap_or(u32::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name).unwrap()
    }

    fn regions(text: &str) -> Vec<Region> {
        text.split_whitespace().map(region).collect()
    }

    fn counts(text: &str) -> BTreeMap<Region, u32> {
        text.split_whitespace()
            .map(|part| part.split_once('=').unwrap())
            .map(|(name, n)| (region(name), n.parse().unwrap()))
            .collect()
    }

    struct Case<'a> {
        now: &'a str,
        app: &'a str,
        named: Option<&'a str>,
        most: Option<u32>,
        volumes: bool,
    }

    const PLAIN: Case<'static> = Case {
        now: "",
        app: "",
        named: None,
        most: None,
        volumes: false,
    };

    fn scaled(case: &Case<'_>, amount: ScaleAmount) -> String {
        let now = counts(case.now);
        let app: Vec<Region> = match case.app {
            "" => now.keys().cloned().collect(),
            app => regions(app),
        };
        let named = case.named.map(regions);
        let scale = ScaleRequest {
            amount,
            regions: named.as_deref(),
            app_regions: &app,
            max_per_region: case.most,
            has_volumes: case.volumes,
        };
        match scale.counts_per_region(&now) {
            Ok(after) => after
                .iter()
                .map(|(region, n)| format!("{region}={n}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn without_regions_it_goes_round_as_fly_does() {
        let two = Case {
            now: "ams=2 iad=2",
            ..PLAIN
        };
        for (amount, after) in [
            (ScaleAmount::To(5), "ams=3 iad=2"),
            (ScaleAmount::To(7), "ams=4 iad=3"),
            (ScaleAmount::To(3), "ams=2 iad=1"),
            (ScaleAmount::To(1), "ams=1"),
            (ScaleAmount::To(4), "ams=2 iad=2"),
            (ScaleAmount::To(0), ""),
            (ScaleAmount::By(1), "ams=3 iad=2"),
            (ScaleAmount::By(-1), "ams=2 iad=1"),
            (ScaleAmount::By(-9), ""),
        ] {
            assert_eq!(scaled(&two, amount), after, "{amount:?}");
        }
        // An existing imbalance stays, and the regions of other groups count.
        let other = Case {
            now: "ams=4",
            app: "ams iad",
            ..PLAIN
        };
        assert_eq!(scaled(&other, ScaleAmount::To(6)), "ams=5 iad=1");
        assert_eq!(scaled(&PLAIN, ScaleAmount::To(2)), "NoRegion");
        assert_eq!(scaled(&PLAIN, ScaleAmount::To(0)), "");
    }

    #[test]
    fn most_per_region_redistributes_as_the_documentation_shows() {
        let case = Case {
            now: "ewr=1 yul=2 yyz=8",
            most: Some(5),
            ..PLAIN
        };
        assert_eq!(scaled(&case, ScaleAmount::To(11)), "ewr=3 yul=3 yyz=5");
        assert_eq!(
            scaled(&case, ScaleAmount::To(16)),
            "TooFew { count: 16, room: 15 }"
        );
        let named = Case {
            named: Some("yyz yul ewr"),
            ..case
        };
        assert_eq!(scaled(&named, ScaleAmount::To(11)), "ewr=3 yul=4 yyz=4");
    }

    #[test]
    fn named_regions_are_evened_out_and_others_left_alone() {
        let web = Case {
            now: "gru=2 scl=3",
            named: Some("gru bog"),
            ..PLAIN
        };
        assert_eq!(scaled(&web, ScaleAmount::To(8)), "bog=4 gru=4 scl=3");
        assert_eq!(scaled(&web, ScaleAmount::To(3)), "bog=1 gru=2 scl=3");
        assert_eq!(scaled(&web, ScaleAmount::To(0)), "scl=3");
        assert_eq!(scaled(&web, ScaleAmount::By(2)), "bog=2 gru=2 scl=3");
        let one = Case {
            named: Some("scl"),
            ..web
        };
        assert_eq!(scaled(&one, ScaleAmount::To(1)), "gru=2 scl=1");
        assert_eq!(scaled(&one, ScaleAmount::By(1)), "gru=2 scl=4");
        assert_eq!(scaled(&one, ScaleAmount::By(-7)), "gru=2");
    }

    #[test]
    fn machines_with_volumes_are_not_moved_to_even_things_out() {
        let data = Case {
            now: "gru=6",
            named: Some("gru bog"),
            volumes: true,
            ..PLAIN
        };
        assert_eq!(scaled(&data, ScaleAmount::To(8)), "bog=2 gru=6");
        assert_eq!(scaled(&data, ScaleAmount::To(4)), "gru=4");
        let full = Case {
            most: Some(4),
            ..data
        };
        assert_eq!(scaled(&full, ScaleAmount::To(8)), "bog=4 gru=4");
    }
}
