//! The shell scripts inside of the jobs in `examples/ci/`.

use std::path::Path;

use saphyr_parser::{Event, Parser};

/// The scripts of a file as their forge runs them: one for each `run:`, and the lines of a `script:` together.
pub(crate) fn scripts(file: &str) -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(top.join(file)).unwrap();
    let events = Parser::new_from_str(&text).map(|event| event.unwrap().0);
    let mut events = events.peekable();
    let mut found = Vec::new();
    while let Some(event) = events.next() {
        let Event::Scalar(key, ..) = event else {
            continue;
        };
        match (key.as_ref(), events.peek()) {
            ("run", Some(Event::Scalar(script, ..))) => found.push(script.to_string()),
            ("before_script" | "script" | "after_script", Some(Event::SequenceStart(..))) => {
                let lines = events.by_ref().skip(1).map_while(|event| match event {
                    Event::Scalar(line, ..) => Some(line.to_string()),
                    _ => None,
                });
                found.push(lines.collect::<Vec<_>>().join("\n"));
            }
            _ => {}
        }
    }
    found
}
