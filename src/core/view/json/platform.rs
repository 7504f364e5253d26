//! `platform vm-sizes --json`, `platform regions --json`.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::Region;
use crate::core::platform::sizes::VmSize;
use crate::core::platform::{PRICES_AS_OF, REGIONS_AS_OF, SIZES_AS_OF, prices, regions, sizes};

/// The sizes that are sold.
#[derive(Debug, Serialize)]
pub struct VmSizesDocument {
    format_version: u32,
    as_of: &'static str,
    prices_of: &'static str,
    prices_in: &'static str,
    sizes: Vec<VmSizeRow>,
}

#[derive(Debug, Serialize)]
struct VmSizeRow {
    name: &'static str,
    cpu_kind: &'static str,
    cpus: u32,
    memory_mb: u32,
    max_memory_mb: u32,
    memory_step_mb: u32,
    /// With its default memory, always running.
    #[serde(skip_serializing_if = "Option::is_none")]
    cents_per_month: Option<i64>,
}

/// The regions.
#[derive(Debug, Serialize)]
pub struct RegionsDocument {
    format_version: u32,
    as_of: &'static str,
    prices_of: &'static str,
    regions: Vec<RegionRow>,
}

#[derive(Debug, Serialize)]
struct RegionRow {
    code: &'static str,
    name: &'static str,
    retired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_ratio: Option<f64>,
}

/// The region of the listed prices of sizes.
pub const PRICE_REGION: &str = "iad";

/// Monthly price of a size in [`PRICE_REGION`] in cents; none if unknown.
pub fn monthly_cents(size: &VmSize) -> Option<i64> {
    let region = Region::new(PRICE_REGION).expect("`iad` is a region");
    Some(prices::machine_price(&size.guest(), &region)?.cents())
}

/// The document of the sizes.
pub fn vm_sizes() -> VmSizesDocument {
    let sold = sizes::all().filter(|size| size.gpu.is_none());
    VmSizesDocument {
        format_version: FORMAT_VERSION,
        as_of: SIZES_AS_OF,
        prices_of: PRICES_AS_OF,
        prices_in: PRICE_REGION,
        sizes: sold
            .map(|size| VmSizeRow {
                name: size.name,
                cpu_kind: size.kind.as_str(),
                cpus: size.cpus,
                memory_mb: size.memory_mb,
                max_memory_mb: size.max_memory_mb(),
                memory_step_mb: sizes::rules_for(size.kind).step_mb,
                cents_per_month: monthly_cents(size),
            })
            .collect(),
    }
}

/// The document of the regions.
pub fn regions() -> RegionsDocument {
    RegionsDocument {
        format_version: FORMAT_VERSION,
        as_of: REGIONS_AS_OF,
        prices_of: PRICES_AS_OF,
        regions: regions::all()
            .map(|region| RegionRow {
                code: region.code,
                name: region.name,
                retired: region.retired,
                price_ratio: region.price_ratio(),
            })
            .collect(),
    }
}
