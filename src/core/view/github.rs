//! Diagnostics as workflow commands of GitHub Actions, shown on the lines of a pull request.
//!
//! The only place that writes such commands; [`super::escape`] prevents accidental ones.

use std::fmt::{self, Write};

use crate::core::manifest::{Diagnostics, Severity, SourceLocation};
use crate::core::view::escape;

/// Writes one command per diagnostic, errors first: GitHub keeps ten of each kind per step. `path` maps a displayed
/// file to its path in the repository.
pub fn render_annotations(
    diagnostics: &Diagnostics,
    path: impl Fn(&str) -> String,
    out: &mut dyn Write,
) -> fmt::Result {
    for diagnostic in diagnostics.iter() {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(out, "::{command} ")?;
        if let Some(location) = &diagnostic.location {
            write!(out, "{},", location_properties(location, &path))?;
        }
        write!(out, "title={}::", escape_property(diagnostic.code))?;
        let mut message = diagnostic.message.clone();
        if let Some(label) = diagnostic
            .location
            .as_ref()
            .and_then(|location| location.label.as_ref())
        {
            write!(message, " ({label})")?;
        }
        for location in &diagnostic.related {
            let label = location.label.as_deref().unwrap_or("see");
            write!(
                message,
                "\n{label}: {}:{}:{}",
                location.file, location.line, location.column
            )?;
        }
        if let Some(help) = &diagnostic.help {
            write!(message, "\nhelp: {help}")?;
        }
        writeln!(out, "{}", escape_data(&message))?;
    }
    Ok(())
}

fn location_properties(location: &SourceLocation, path: impl Fn(&str) -> String) -> String {
    format!(
        "file={},line={},col={}",
        escape_property(&path(&location.file)),
        location.line,
        location.column
    )
}

/// Escapes a message; line ends are encoded as GitHub expects.
fn escape_data(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| escape::safe(line).replace('%', "%25"))
        .collect();
    lines.join("%0A")
}

/// Escapes a property, including colons and commas.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::manifest::{Diagnostic, codes};

    fn written(file: &str, message: &str) -> String {
        let location = SourceLocation {
            file: file.to_owned(),
            span: 0..1,
            line: 3,
            column: 7,
            excerpt: String::new(),
            caret: 0..0,
            label: None,
        };
        let mut found = Diagnostics::default();
        found.push(Diagnostic::warning(codes::CLAMPED, "a warning"));
        found.push(
            Diagnostic::error(codes::BAD_VALUE, message)
                .with_location(location)
                .help("two\r\nlines"),
        );
        let mut out = String::new();
        render_annotations(&found, str::to_owned, &mut out).unwrap();
        out
    }

    #[test]
    fn errors_come_first_with_their_place() {
        assert_eq!(
            written("fly.toml", "`x` is wrong: 100%"),
            "::error file=fly.toml,line=3,col=7,title=bad_value::`x` is wrong: 100%25%0Ahelp: two\\r%0Alines\n\
             ::warning title=clamped::a warning\n"
        );
    }

    #[test]
    fn nothing_in_a_file_or_a_message_ends_the_command_or_begins_another() {
        let text = written("a,line=1:b%.toml", "x\n::error::y\r\n##[error]z\u{1b}[2J");
        assert_eq!(text.lines().count(), 2, "{text}");
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("::error file=a%2Cline=1%3Ab%25.toml,line=3,col=7,"),
            "{first}"
        );
        assert!(!first.contains('\r') && !first.contains("##[") && !first.contains('\u{1b}'));
        assert!(!first.contains("%0A::error"), "{first}");
    }
}
