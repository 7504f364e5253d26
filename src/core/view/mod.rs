//! Showing: from data to text for people and to JSON for programs.
//!
//! Pure: takes data and a writer, decides nothing.

pub mod diagnostics;
