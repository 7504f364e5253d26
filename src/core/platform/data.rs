//! The data. Each table has its source and date; a number without a certain source is left out.

use super::prices::Rates;
use super::regions::PlatformRegion;
use super::sizes::{CpuKind, CpuKindRules, VmSize};

/// The date of the sizes and their rules: fly-go 22d6e51 (`machine_types.go`) and flyctl ad0172f
/// (`internal/machine/update.go`).
pub const SIZES_AS_OF: &str = "2026-08-21";

/// The date of the regions: superfly/docs, `reference/regions`, commit 1d7355d.
pub const REGIONS_AS_OF: &str = "2025-10-28";

/// The date of the prices: the tables of <https://fly.io/docs/about/pricing/>, one per region. The page's
/// later version repeats the price of memory but has no tables.
pub const PRICES_AS_OF: &str = "2025-08-19";

/// CPUs, memory and price of each kind. Extra memory costs the same for both kinds.
///
/// The memory step is flyctl's; for `performance` Fly's own pages name three (256, 1024, 2048), so a size
/// that violates only that rule is not refused.
pub(super) const CPU_KINDS: [CpuKindRules; 2] = [
    CpuKindRules {
        kind: CpuKind::Shared,
        cpus: &[1, 2, 4, 6, 8],
        min_mb_per_cpu: 256,
        max_mb_per_cpu: 2048,
        step_mb: 256,
        rates: Rates {
            cpu_nanodollars_per_second: 750,
            priced_cpus: &[1, 2, 4, 8],
        },
    },
    CpuKindRules {
        kind: CpuKind::Performance,
        cpus: &[1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64, 128],
        min_mb_per_cpu: 2048,
        max_mb_per_cpu: 8192,
        step_mb: 1024,
        rates: Rates {
            cpu_nanodollars_per_second: 11_960,
            priced_cpus: &[1, 2, 4, 8, 16],
        },
    },
];

/// A GB of extra memory: about 5 dollars in 30 days.
pub(super) const MEMORY_NANODOLLARS_PER_GB_SECOND: u64 = 1930;

/// A GB of a provisioned volume: 15 cents a month in every region (same page, section on volumes).
pub(super) const VOLUME_NANODOLLARS_PER_GB_MONTH: u64 = 150_000_000;

/// Fly bills a month as 30 days.
pub(super) const SECONDS_PER_MONTH: u64 = 2_592_000;

/// The named sizes, in flyctl's order, discontinued ones last.
pub(super) const SIZES: [VmSize; 18] = [
    shared("shared-cpu-1x", 1),
    shared("shared-cpu-2x", 2),
    shared("shared-cpu-4x", 4),
    shared("shared-cpu-6x", 6),
    shared("shared-cpu-8x", 8),
    performance("performance-1x", 1),
    performance("performance-2x", 2),
    performance("performance-4x", 4),
    performance("performance-6x", 6),
    performance("performance-8x", 8),
    performance("performance-10x", 10),
    performance("performance-12x", 12),
    performance("performance-14x", 14),
    performance("performance-16x", 16),
    gpu("a100-40gb", "a100-pcie-40gb"),
    gpu("a100-80gb", "a100-sxm4-80gb"),
    gpu("l40s", "l40s"),
    gpu("a10", "a10"),
];

/// The regions, closed ones last. The number is the price relative to `iad` in ten-thousandths; for `bom` and
/// `sin` newer notes contradict the tables.
pub(super) const REGIONS: [PlatformRegion; 35] = [
    open_region("ams", "Amsterdam, Netherlands", Some(10_385)),
    open_region("arn", "Stockholm, Sweden", Some(10_385)),
    open_region("bom", "Mumbai, India", None),
    open_region("cdg", "Paris, France", Some(11_346)),
    open_region("dfw", "Dallas, Texas (US)", Some(12_500)),
    open_region("ewr", "Secaucus, NJ (US)", Some(10_000)),
    open_region("fra", "Frankfurt, Germany", Some(11_538)),
    open_region("gru", "Sao Paulo, Brazil", Some(16_154)),
    open_region("iad", "Ashburn, Virginia (US)", Some(10_000)),
    open_region("jnb", "Johannesburg, South Africa", Some(13_029)),
    open_region("lax", "Los Angeles, California (US)", Some(11_995)),
    open_region("lhr", "London, United Kingdom", Some(11_346)),
    open_region("nrt", "Tokyo, Japan", Some(13_077)),
    open_region("ord", "Chicago, Illinois (US)", Some(12_500)),
    open_region("sin", "Singapore, Singapore", None),
    open_region("sjc", "San Jose, California (US)", Some(11_923)),
    open_region("syd", "Sydney, Australia", Some(12_692)),
    open_region("yyz", "Toronto, Canada", Some(11_154)),
    retired_region("atl", "Atlanta, Georgia (US)", Some(12_500)),
    retired_region("bog", "Bogotá, Colombia", Some(16_154)),
    retired_region("bos", "Boston, Massachusetts (US)", Some(12_500)),
    retired_region("den", "Denver, Colorado (US)", Some(12_500)),
    retired_region("eze", "Ezeiza, Argentina", Some(18_582)),
    retired_region("gdl", "Guadalajara, Mexico", Some(13_510)),
    retired_region("gig", "Rio de Janeiro, Brazil", Some(16_154)),
    retired_region("hkg", "Hong Kong, Hong Kong", Some(14_038)),
    retired_region("mad", "Madrid, Spain", Some(10_962)),
    retired_region("mia", "Miami, Florida (US)", Some(12_500)),
    retired_region("otp", "Bucharest, Romania", Some(13_269)),
    retired_region("phx", "Phoenix, Arizona (US)", Some(12_500)),
    retired_region("qro", "Querétaro, Mexico", Some(13_510)),
    retired_region("scl", "Santiago, Chile", Some(16_971)),
    retired_region("sea", "Seattle, Washington (US)", Some(12_500)),
    retired_region("waw", "Warsaw, Poland", Some(13_269)),
    retired_region("yul", "Montreal, Canada", Some(11_154)),
];

const fn shared(name: &'static str, cpus: u32) -> VmSize {
    VmSize {
        name,
        kind: CpuKind::Shared,
        cpus,
        memory_mb: cpus * 256,
        gpu: None,
    }
}

const fn performance(name: &'static str, cpus: u32) -> VmSize {
    VmSize {
        name,
        kind: CpuKind::Performance,
        cpus,
        memory_mb: cpus * 2048,
        gpu: None,
    }
}

/// Fly no longer lists or creates GPU Machines; files may still name them.
const fn gpu(name: &'static str, gpu: &'static str) -> VmSize {
    VmSize {
        name,
        kind: CpuKind::Performance,
        cpus: 8,
        memory_mb: 32_768,
        gpu: Some(gpu),
    }
}

const fn open_region(code: &'static str, name: &'static str, ratio: Option<u32>) -> PlatformRegion {
    PlatformRegion {
        code,
        name,
        retired: false,
        ratio,
    }
}

const fn retired_region(
    code: &'static str,
    name: &'static str,
    ratio: Option<u32>,
) -> PlatformRegion {
    PlatformRegion {
        retired: true,
        ..open_region(code, name, ratio)
    }
}
