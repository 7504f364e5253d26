//! The regions that Fly has and had.

use super::data::REGIONS;

/// One region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformRegion {
    /// Its code (`ams`).
    pub code: &'static str,
    /// Where it is.
    pub name: &'static str,
    /// It is not on Fly's list any more; Machines that are there may still run.
    pub retired: bool,
    /// What a Machine costs there against `iad`, in ten-thousandths; none where it is not known.
    pub(super) ratio: Option<u32>,
}

impl PlatformRegion {
    /// What a Machine costs there against `iad` (1.0385); none where it is not known.
    pub fn price_ratio(&self) -> Option<f64> {
        self.ratio.map(|ratio| f64::from(ratio) / 10_000.0)
    }
}

/// All of them, retired ones last.
pub fn all() -> impl Iterator<Item = &'static PlatformRegion> {
    REGIONS.iter()
}

/// The region of this code.
pub fn find(code: &str) -> Option<&'static PlatformRegion> {
    REGIONS.iter().find(|region| region.code == code)
}

/// The codes of those that take new Machines.
pub fn open_codes() -> impl Iterator<Item = &'static str> {
    let open = REGIONS.iter().filter(|region| !region.retired);
    open.map(|region| region.code)
}
