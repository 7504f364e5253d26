//! The `aeroform` program: parse, run, exit code.

fn main() {}
