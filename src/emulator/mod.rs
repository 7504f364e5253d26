//! An emulator of the Machines platform.
//!
//! It uses nothing from the rest of the project: it stores JSON as received and shares no types with
//! providers, so that the same mistake cannot be on both sides. Start at [`world`], a simulation without I/O;
//! [`http`] is its API, [`storage`] persists it in a file, and [`faults`] parses the fault file.

mod clock;
pub mod faults;
pub mod http;
pub mod storage;
pub mod world;

pub use clock::TokioClock;
