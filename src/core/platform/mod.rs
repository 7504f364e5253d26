//! What Fly offers: VM sizes and the rules of custom ones, regions, and what Machines and volumes cost.
//!
//! Facts as data, with their dates, and questions about them. Knows no manifest and no plan, asks nobody,
//! and never guesses: what is not known has no price. Start at [`sizes`]; the numbers are in `data`.

mod data;
pub mod prices;
pub mod regions;
pub mod sizes;

pub use data::{PRICES_AS_OF, REGIONS_AS_OF, SIZES_AS_OF};
