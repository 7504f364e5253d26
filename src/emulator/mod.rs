//! The Machines platform, emulated.
//!
//! Uses nothing of the rest of the project: it stores JSON as it came and shares no
//! type with any provider, so that a misspelling cannot agree with itself. Start at [`world`], the
//! platform as a simulation without I/O; [`http`] is its API, [`storage`] keeps it in a file, and [`faults`]
//! reads what is to go wrong.

mod clock;
pub mod faults;
pub mod http;
pub mod storage;
pub mod world;

pub use clock::TokioClock;
