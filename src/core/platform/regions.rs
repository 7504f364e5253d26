//! Fly's current and former regions.

use super::data::REGIONS;

/// One region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformRegion {
    /// Its code (`ams`).
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// No longer on Fly's list; existing Machines may still run there.
    pub retired: bool,
    /// The price relative to `iad` in ten-thousandths, if known.
    pub(super) ratio: Option<u32>,
}

impl PlatformRegion {
    /// The price relative to `iad` (1.0385), if known.
    pub fn price_ratio(&self) -> Option<f64> {
        self.ratio.map(|ratio| f64::from(ratio) / 10_000.0)
    }
}

/// All regions, retired ones last.
pub fn all() -> impl Iterator<Item = &'static PlatformRegion> {
    REGIONS.iter()
}

/// The region with this code.
pub fn find(code: &str) -> Option<&'static PlatformRegion> {
    REGIONS.iter().find(|region| region.code == code)
}

/// The codes of regions for new Machines.
pub fn open_codes() -> impl Iterator<Item = &'static str> {
    let open = REGIONS.iter().filter(|region| !region.retired);
    open.map(|region| region.code)
}
