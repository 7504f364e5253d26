//! What Fly offers: VM sizes and the rules of custom ones, regions, and prices of Machines and volumes.
//!
//! Facts as dated data, and queries. It knows no manifests or plans, makes no calls and does not guess: an
//! unknown price is missing. Start at [`sizes`]; `data` has the numbers.

mod data;
pub mod prices;
pub mod regions;
pub mod sizes;

pub use data::{PRICES_AS_OF, REGIONS_AS_OF, SIZES_AS_OF};
