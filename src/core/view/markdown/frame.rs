//! The fixed parts of every document: the marker line, the title and the last line.

use serde::Serialize;

use super::MarkdownStyle;
use super::layout::{Layout, Omissions, Omitted, PieceId};
use super::text;
use crate::core::fleet::AppName;
use crate::core::view::command_hints::expand_commands;
use crate::core::view::json;

/// Version of the marker.
const FORMAT: u32 = 1;
/// Longer commands are left out of sentences.
const MAX_COMMAND: usize = 120;
/// Maximum characters of a sentence of the footer.
const MAX_SENTENCE: usize = 300;

/// The marker by which a program finds its comment.
#[derive(Debug, Serialize)]
pub(super) struct Marker<'a> {
    /// The verb.
    pub(super) command: &'a str,
    /// The app; none if the command failed before it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app: Option<&'a AppName>,
    /// [`FORMAT`].
    format: u32,
    /// The plan's digest, if there is a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<&'a str>,
}

impl<'a> Marker<'a> {
    pub(super) fn new(
        command: &'a str,
        app: impl Into<Option<&'a AppName>>,
        digest: Option<&'a str>,
    ) -> Self {
        Self {
            command,
            app: app.into(),
            format: FORMAT,
            digest,
        }
    }

    /// The hidden first line. JSON may hold `>`, which ends a comment; no name of ours does, and it is escaped all
    /// the same.
    fn line(&self) -> String {
        let json = json::to_line(self)
            .replace('<', "\\u003c")
            .replace('>', "\\u003e");
        format!("<!-- aeroform {json} -->\n")
    }
}

/// Adds marker and title.
pub(super) fn open(marker: &Marker<'_>, title: &str, layout: &mut Layout<'_>) {
    open_with(marker, "", title, layout);
}

/// The same with a paragraph before the title.
pub(super) fn open_with(marker: &Marker<'_>, first: &str, title: &str, layout: &mut Layout<'_>) {
    let app = marker
        .app
        .map_or_else(String::new, |app| format!("{app} · "));
    let gap = if first.is_empty() { "" } else { "\n\n" };
    layout.text(format!("{}{first}{gap}### {app}{title}\n\n", marker.line()));
}

/// The footer: sentences, and what was left out.
pub(super) struct Footer {
    /// Foreign messages, each a sentence.
    pub(super) sentences: Vec<String>,
    /// Where everything that was left out can be seen.
    pub(super) complete: String,
}

/// A placed footer.
pub(super) struct FooterId(PieceId);

impl Footer {
    /// Adds it.
    pub(super) fn place(self, style: &MarkdownStyle, layout: &mut Layout<'_>) -> FooterId {
        let style = *style;
        layout.counting(move |omissions| self.render(&style, omissions));
        FooterId(layout.text(""))
    }

    fn render(&self, style: &MarkdownStyle, omissions: &Omissions) -> String {
        let is_short = omissions.count(Omitted::Footer) > 0;
        let (limit, skipped) = if is_short {
            (100, self.sentences.len().saturating_sub(1))
        } else {
            (MAX_SENTENCE, 0)
        };
        let sentences = self.sentences.iter().skip(skipped);
        let mut parts: Vec<String> = sentences
            .map(|sentence| text::message(&with_program(sentence, style.program), limit))
            .collect();
        if let Some(left_out) = omissions.describe(style.budget) {
            let complete = text::message(&with_program(&self.complete, style.program), limit);
            parts.push(format!("{left_out} {complete}"));
        }
        format!("{}\n", parts.join("\n\n"))
    }
}

impl FooterId {
    /// Adds the last cut: the footer keeps its last sentence.
    pub(super) fn last_cut(self, layout: &mut Layout<'_>) {
        layout.cut(self.0, Omitted::Footer, 1, String::new);
    }
}

/// The text with the flags of this run in its commands, if they are short.
pub(super) fn with_program(text: &str, program: &str) -> String {
    if program.len() > MAX_COMMAND {
        return text.to_owned();
    }
    expand_commands(text, program).into_owned()
}
