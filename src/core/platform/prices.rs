//! The price of a running Machine for a month of 30 days.
//!
//! Only from Fly's published prices: the sizes of its tables, extra memory per GB, and regions with a certain
//! ratio. It covers Machines and volumes, without addresses, snapshots and traffic.

use super::data::{
    MEMORY_NANODOLLARS_PER_GB_SECOND, SECONDS_PER_MONTH, VOLUME_NANODOLLARS_PER_GB_MONTH,
};
use super::{regions, sizes};
use crate::core::fleet::Region;
use crate::core::fleet::schema::Guest;

/// The price of CPUs of one kind in `iad`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// One CPU with its included memory.
    pub(super) cpu_nanodollars_per_second: u64,
    /// The numbers of CPUs in Fly's tables.
    pub(super) priced_cpus: &'static [u32],
}

/// A monthly price in billionths of a dollar, so that sums round only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MonthlyPrice(pub i128);

impl MonthlyPrice {
    /// In whole cents, rounded half away from zero.
    pub fn cents(self) -> i64 {
        let half = if self.0 < 0 { -5_000_000 } else { 5_000_000 };
        i64::try_from((self.0 + half) / 10_000_000)
            .expect("no fleet costs ninety quadrillion dollars")
    }

    /// The cents of this time, rounded up.
    pub fn cents_of(self, ms: u64) -> i64 {
        let month_ms = i128::from(SECONDS_PER_MONTH) * 1000;
        let share = self.0 * i128::from(ms);
        let per_cent = month_ms * 10_000_000;
        let cents = (share + per_cent - 1).div_euclid(per_cent);
        i64::try_from(cents).expect("no fleet costs ninety quadrillion dollars")
    }
}

/// The monthly price of a Machine of this size that never stops; `None` if Fly has published no price.
pub fn machine_price(guest: &Guest, region: &Region) -> Option<MonthlyPrice> {
    let Guest {
        cpu_kind,
        cpus,
        memory_mb,
        gpu_kind,
        gpus,
        host_dedication_id,
        kernel_args: _,
        max_memory_mb: _,
        persist_rootfs: _,
        required_host_features: _,
        other: _,
    } = guest;
    // A dedicated host has its own contract.
    if gpu_kind.is_some() || gpus.is_some_and(|n| n > 0) || host_dedication_id.is_some() {
        return None;
    }
    let rules = sizes::find_rules(cpu_kind.as_deref()?)?;
    let (cpus, memory_mb) = ((*cpus)?, (*memory_mb)?);
    let extra_mb = memory_mb.checked_sub(cpus.checked_mul(rules.min_mb_per_cpu)?)?;
    if !rules.rates.priced_cpus.contains(&cpus) {
        return None;
    }
    let ratio = regions::find(region.as_str())?.ratio?;
    // Per second, in units of 1/1024 nanodollar, so that memory per MB stays an integer.
    let cpu = u128::from(cpus) * u128::from(rules.rates.cpu_nanodollars_per_second) * 1024;
    let memory = u128::from(extra_mb) * u128::from(MEMORY_NANODOLLARS_PER_GB_SECOND);
    let month = (cpu + memory) * u128::from(SECONDS_PER_MONTH) * u128::from(ratio);
    i128::try_from(month / (1024 * 10_000))
        .ok()
        .map(MonthlyPrice)
}

/// The monthly price of a volume of this size, attached or not; the same in every region.
pub fn volume_price(size_gb: u32) -> MonthlyPrice {
    MonthlyPrice(i128::from(size_gb) * i128::from(VOLUME_NANODOLLARS_PER_GB_MONTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(size: &str, memory_mb: Option<u32>, region: &str) -> Option<i64> {
        let mut guest = sizes::find(size).unwrap().guest();
        guest.memory_mb = memory_mb.or(guest.memory_mb);
        Some(machine_price(&guest, &Region::new(region).unwrap())?.cents())
    }

    /// Rows of the published tables, which round the rate per second to eight places first.
    #[test]
    fn prices_are_the_published_ones_to_the_cent_or_nearly() {
        for (size, memory, region, published) in [
            ("shared-cpu-1x", None, "iad", 194),
            ("shared-cpu-1x", Some(512), "iad", 319),
            ("shared-cpu-2x", Some(4096), "iad", 2140),
            ("shared-cpu-8x", Some(16384), "iad", 8559),
            ("performance-1x", Some(8192), "iad", 6102),
            ("performance-16x", Some(131_072), "iad", 97_625),
            ("shared-cpu-1x", None, "gru", 314),
            ("performance-1x", None, "gru", 5008),
            ("shared-cpu-1x", None, "jnb", 253),
            ("performance-1x", None, "eze", 5760),
        ] {
            let found = cents(size, memory, region).unwrap();
            assert!(
                (found - published).abs() <= 2,
                "{size} {region}: {found}, not {published}"
            );
        }
    }

    #[test]
    fn what_is_not_published_has_no_price() {
        for (size, region) in [
            ("shared-cpu-6x", "iad"),
            ("performance-10x", "iad"),
            ("a10", "iad"),
            ("shared-cpu-1x", "sin"),
            ("shared-cpu-1x", "xyz"),
        ] {
            assert_eq!(cents(size, None, region), None, "{size} {region}");
        }
        let dedicated = Guest {
            host_dedication_id: Some("host".to_owned()),
            ..sizes::find("shared-cpu-1x").unwrap().guest()
        };
        assert_eq!(
            machine_price(&dedicated, &Region::new("iad").unwrap()),
            None
        );
        assert_eq!(
            machine_price(&Guest::default(), &Region::new("iad").unwrap()),
            None
        );
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        assert_eq!(MonthlyPrice(1_944_000_000).cents(), 194);
        assert_eq!(MonthlyPrice(-1_945_000_000).cents(), -195);
        assert_eq!(MonthlyPrice(0).cents(), 0);
    }

    #[test]
    fn a_volume_costs_by_its_size() {
        assert_eq!(
            (volume_price(1).cents(), volume_price(10).cents()),
            (15, 150)
        );
    }
}
