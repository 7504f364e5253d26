//! The Machines platform, emulated.
//!
//! Stands beside the rest of the house and uses none of it: it stores JSON as it came and shares no
//! type with any provider, so that a misspelling cannot agree with itself. Start at [`world`], the
//! platform as a simulation without I/O; [`http`] is its API, [`storage`] keeps it in a file, and [`faults`]
//! reads what is to go wrong.

mod clock;
pub mod faults;
pub mod http;
pub mod storage;
pub mod world;

pub use clock::TokioClock;
