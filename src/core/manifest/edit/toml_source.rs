//! The tokens of a TOML file, with spans of headers, keys, inline tables and values.
//!
//! A tree would lose repeated tables (in two headers, in dotted keys) and line ends, so edits change the text itself and
//! leave all other bytes. Only for files that load.

use std::ops::Range;

use toml_parser::parser::{Event, EventKind, parse_document};
use toml_parser::{ParseError, Source};

/// A file, cut into sections.
pub(super) struct TomlSource<'t> {
    pub(super) text: &'t str,
    /// The first has no header.
    pub(super) sections: Vec<TomlSection>,
    /// Spans of comments.
    comments: Vec<Range<usize>>,
}

/// A header and the entries below it.
#[derive(Debug, Default)]
pub(super) struct TomlSection {
    pub(super) header: Option<TomlHeader>,
    pub(super) entries: Vec<TomlEntry>,
}

/// `[a.b]` or `[[a.b]]`.
#[derive(Debug)]
pub(super) struct TomlHeader {
    pub(super) keys: Vec<TomlKey>,
    pub(super) is_list: bool,
    pub(super) span: Range<usize>,
}

/// One part of a key.
#[derive(Debug, Clone)]
pub(super) struct TomlKey {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// `key = value`.
#[derive(Debug)]
pub(super) struct TomlEntry {
    pub(super) keys: Vec<TomlKey>,
    pub(super) value: TomlValue,
}

/// A value with its span.
#[derive(Debug)]
pub(super) enum TomlValue {
    Scalar(Range<usize>),
    List(Range<usize>, Vec<TomlValue>),
    Table(Range<usize>, Vec<TomlEntry>),
}

impl TomlValue {
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::Scalar(span) | Self::List(span, _) | Self::Table(span, _) => span.clone(),
        }
    }
}

impl TomlEntry {
    /// From its key to the end of its value.
    pub(super) fn span(&self) -> Range<usize> {
        let start = self.keys.first().map_or(0, |key| key.span.start);
        start..self.value.span().end
    }

    /// Whether its key is this one word, in any case.
    pub(super) fn has_name(&self, key: &str) -> bool {
        matches!(self.keys.as_slice(), [only] if only.name.eq_ignore_ascii_case(key))
    }
}

impl TomlSection {
    /// The names of its header; none for the top of the file.
    pub(super) fn path(&self) -> Vec<&str> {
        let keys = self.header.iter().flat_map(|header| &header.keys);
        keys.map(|key| key.name.as_str()).collect()
    }

    pub(super) fn is_list(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.is_list)
    }

    /// From its header to the end of its last value.
    pub(super) fn span(&self) -> Range<usize> {
        let first = self.entries.first().map(TomlEntry::span);
        let last = self.entries.last().map(TomlEntry::span);
        let header = self.header.as_ref().map(|header| header.span.clone());
        let start = header.clone().or(first).map_or(0, |span| span.start);
        start..last.or(header).map_or(0, |span| span.end)
    }
}

impl<'t> TomlSource<'t> {
    /// Reads a text; none if it is not TOML.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut error: Option<ParseError> = None;
        parse_document(&tokens, &mut events, &mut error);
        if error.is_some() {
            return None;
        }
        let mut reader = Reader {
            text,
            events: events
                .iter()
                .filter(|event| is_significant(event.kind()))
                .peekable(),
        };
        let sections = reader.sections()?;
        let comments = events
            .iter()
            .filter(|event| event.kind() == EventKind::Comment);
        let comments = comments.map(|event| event.span().start()..event.span().end());
        Some(Self {
            text,
            sections,
            comments: comments.collect(),
        })
    }

    /// The value of a string; none for other types.
    pub(super) fn string(&self, value: &TomlValue) -> Option<String> {
        let value: toml_edit::Value = self.text[value.span()].parse().ok()?;
        value.as_str().map(str::to_owned)
    }

    /// The value of an integer; none for other types.
    pub(super) fn number(&self, value: &TomlValue) -> Option<i64> {
        let value: toml_edit::Value = self.text[value.span()].parse().ok()?;
        value.as_integer()
    }

    /// The comments in a part of the text, one per line.
    pub(super) fn comments_in(&self, range: &Range<usize>, indent: &str) -> String {
        let inside =
            |comment: &&Range<usize>| range.start <= comment.start && comment.end <= range.end;
        let comments = self.comments.iter().filter(inside);
        let lines = comments.map(|comment| {
            let comment = self.text[comment.clone()].trim_end();
            format!("{indent}{comment}{}", self.newline())
        });
        lines.collect()
    }

    /// Its line end.
    pub(super) fn newline(&self) -> &'static str {
        let first = self.text.split_inclusive('\n').next();
        if first.is_some_and(|line| line.ends_with("\r\n")) {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The start of this offset's line, after a byte order mark.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        if start == 0 && self.text.starts_with('\u{feff}') && at > 0 {
            '\u{feff}'.len_utf8()
        } else {
            start
        }
    }

    /// The end of this offset's line, including the line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let newline = self.text[at..].find('\n');
        newline.map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// The indent at this offset, if only spaces precede it in its line.
    pub(super) fn indent(&self, at: usize) -> &'t str {
        let before = &self.text[self.line_start(at)..at];
        let blanks = before.trim_start_matches([' ', '\t']);
        &before[..before.len() - blanks.len()]
    }
}

fn is_significant(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::Whitespace | EventKind::Comment | EventKind::Newline
    )
}

/// Iterates over tokens, without whitespace.
struct Reader<'t, I: Iterator<Item = &'t Event>> {
    text: &'t str,
    events: std::iter::Peekable<I>,
}

impl<'t, I: Iterator<Item = &'t Event>> Reader<'t, I> {
    fn peek(&mut self) -> Option<EventKind> {
        self.events.peek().map(|event| event.kind())
    }

    fn next(&mut self) -> Option<(EventKind, Range<usize>)> {
        let event = self.events.next()?;
        Some((event.kind(), event.span().start()..event.span().end()))
    }

    fn sections(&mut self) -> Option<Vec<TomlSection>> {
        let mut sections = vec![TomlSection::default()];
        while let Some(kind) = self.peek() {
            match kind {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    let (_, open) = self.next()?;
                    let keys = self.keys()?;
                    let (_, close) = self.next()?;
                    let header = TomlHeader {
                        keys,
                        is_list: kind == EventKind::ArrayTableOpen,
                        span: open.start..close.end,
                    };
                    sections.push(TomlSection {
                        header: Some(header),
                        entries: Vec::new(),
                    });
                }
                _ => {
                    let entry = self.entry()?;
                    sections.last_mut()?.entries.push(entry);
                }
            }
        }
        Some(sections)
    }

    fn keys(&mut self) -> Option<Vec<TomlKey>> {
        let mut keys = Vec::new();
        while let Some(EventKind::SimpleKey | EventKind::KeySep) = self.peek() {
            let (kind, span) = self.next()?;
            if kind == EventKind::SimpleKey {
                let name = toml_edit::Key::parse(&self.text[span.clone()]).ok()?;
                let name = name.first()?.get().to_owned();
                keys.push(TomlKey { name, span });
            }
        }
        (!keys.is_empty()).then_some(keys)
    }

    fn entry(&mut self) -> Option<TomlEntry> {
        let keys = self.keys()?;
        let (kind, _) = self.next()?;
        if kind != EventKind::KeyValSep {
            return None;
        }
        let value = self.value()?;
        Some(TomlEntry { keys, value })
    }

    fn value(&mut self) -> Option<TomlValue> {
        let (kind, open) = self.next()?;
        match kind {
            EventKind::Scalar => Some(TomlValue::Scalar(open)),
            EventKind::ArrayOpen => {
                let mut items = Vec::new();
                loop {
                    match self.peek()? {
                        EventKind::ArrayClose => break,
                        EventKind::ValueSep => {
                            self.next()?;
                        }
                        _ => items.push(self.value()?),
                    }
                }
                let (_, close) = self.next()?;
                Some(TomlValue::List(open.start..close.end, items))
            }
            EventKind::InlineTableOpen => {
                let mut entries = Vec::new();
                loop {
                    match self.peek()? {
                        EventKind::InlineTableClose => break,
                        EventKind::ValueSep => {
                            self.next()?;
                        }
                        _ => entries.push(self.entry()?),
                    }
                }
                let (_, close) = self.next()?;
                Some(TomlValue::Table(open.start..close.end, entries))
            }
            _ => None,
        }
    }
}
