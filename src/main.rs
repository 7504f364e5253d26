//! The `aeroform` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == "__supervise")
        && let Some(dir) = arguments.next()
    {
        return aeroform::provider::local::supervise(dir.as_ref());
    }
    ExitCode::SUCCESS
}
