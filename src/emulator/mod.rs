//! The Machines platform, emulated.
//!
//! Stands beside the rest of the house and uses none of it: it stores JSON as it came and shares no
//! type with any provider, so that a misspelling cannot agree with itself. Start at [`world`].

pub mod world;
