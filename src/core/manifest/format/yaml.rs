//! YAML with anchors, aliases and merge keys, within limits.
//!
//! Reads events instead of a tree, so that a file whose aliases expand to an enormous tree is refused before it is built.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::super::nesting::MAX_DEPTH;
use super::super::tree::ManifestFile;
use super::super::value::{Node, Table, Value};
use super::yaml_scalar::{key_text, plain};

/// Maximum cost of all aliases of a file, by [`Value::copy_cost`].
const MAX_ALIAS_COST: usize = 4 << 20;

/// A list or table that is being read.
struct OpenCollection<'t> {
    value: Value<'t>,
    /// The key whose value comes next, in a table.
    key: Option<(Cow<'t, str>, Range<usize>)>,
    /// Entries that `<<` adds at its end.
    merged: Table<'t>,
    anchor: usize,
    span: Range<usize>,
}

struct Reader<'f, 't> {
    file: &'f ManifestFile<'f>,
    text: &'t str,
    /// The byte offset of each character; empty for ASCII.
    bytes: Vec<usize>,
    open: Vec<OpenCollection<'t>>,
    anchors: HashMap<usize, Node<'t>>,
    alias_cost: usize,
    root: Option<Node<'t>>,
}

impl OpenCollection<'_> {
    /// Whether the next value is the key of a table.
    fn expects_key(&self) -> bool {
        self.key.is_none() && self.value.as_table().is_some()
    }
}

/// A refused file, already reported.
struct Refused;

pub(super) fn parse<'t>(file: &ManifestFile<'_>, text: &'t str) -> Option<Node<'t>> {
    let bytes = if text.is_ascii() {
        Vec::new()
    } else {
        text.char_indices().map(|(at, _)| at).collect()
    };
    let mut reader = Reader {
        file,
        text,
        bytes,
        open: Vec::new(),
        anchors: HashMap::new(),
        alias_cost: 0,
        root: None,
    };
    for event in Parser::new_from_str(text) {
        match event {
            // flyctl reads the first document only.
            Ok((Event::DocumentEnd, _)) => break,
            Ok((event, span)) => {
                let span = reader.span(span);
                reader.take(event, span).ok()?;
            }
            Err(error) => {
                let at = reader.byte(error.marker().index());
                super::report_syntax(file, at..at, error.info());
                return None;
            }
        }
    }
    Some(reader.root.unwrap_or_else(|| Node::new(Value::Null, 0..0)))
}

impl<'t> Reader<'_, 't> {
    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.text.len());
        }
        let byte = self.bytes.get(character).copied();
        byte.unwrap_or(self.text.len())
    }

    fn span(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }

    fn take(&mut self, event: Event<'t>, span: Range<usize>) -> Result<(), Refused> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag
                    .as_ref()
                    .is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let expects_key = self.open.last().is_some_and(OpenCollection::expects_key);
                let value = if style != ScalarStyle::Plain || is_text || expects_key {
                    Value::String(text)
                } else {
                    plain(text)
                };
                self.attach(Node::new(value, span), anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Value::Array(Vec::new()), anchor, span),
            Event::MappingStart(anchor, _) => {
                self.open(Value::Table(Table::default()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop().expect("the parser ends what it began");
                let mut value = open.value;
                if let Value::Table(table) = &mut value {
                    table.merge_missing(open.merged);
                }
                self.attach(Node::new(value, open.span), open.anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
        }
    }

    fn open(&mut self, value: Value<'t>, anchor: usize, span: Range<usize>) -> Result<(), Refused> {
        self.fits(0, &span)?;
        self.open.push(OpenCollection {
            value,
            key: None,
            merged: Table::default(),
            anchor,
            span,
        });
        Ok(())
    }

    fn fits(&self, below: usize, span: &Range<usize>) -> Result<(), Refused> {
        if self.open.len() + below <= MAX_DEPTH {
            return Ok(());
        }
        super::report_too_deep(self.file, span.clone());
        Err(Refused)
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Refused> {
        let Some(node) = self.anchors.get(&anchor) else {
            super::report_syntax(
                self.file,
                span,
                "an alias refers to a value that contains it",
            );
            return Err(Refused);
        };
        self.fits(node.get_ref().depth(), &span)?;
        self.alias_cost += node.get_ref().copy_cost();
        if self.alias_cost > MAX_ALIAS_COST {
            super::report_syntax(self.file, span, "its aliases expand to too much text");
            return Err(Refused);
        }
        let node = node.clone();
        self.attach(node, 0)
    }

    /// Adds a value to the open list or table, or sets the root.
    fn attach(&mut self, node: Node<'t>, anchor: usize) -> Result<(), Refused> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.value {
            Value::Array(items) => items.push(node),
            Value::Table(table) => match open.key.take() {
                None => {
                    let span = node.span();
                    let Some(key) = key_text(node.into_value()) else {
                        super::report_syntax(self.file, span, "a key must be a string");
                        return Err(Refused);
                    };
                    if table.is_empty() {
                        // A block table starts at its first key.
                        open.span = span.clone();
                    }
                    open.key = Some((key, span));
                }
                Some((key, span)) if key == "<<" => return self.merge(node, span),
                Some((key, span)) => {
                    if let Some(first) = table.insert(key.clone(), span.clone(), node) {
                        self.file
                            .report(super::duplicate_key(self.file, &key, first, span));
                    }
                }
            },
            _ => unreachable!("only lists and tables are open"),
        }
        Ok(())
    }

    /// `<<: *defaults`: adds entries that this table lacks.
    fn merge(&mut self, node: Node<'t>, span: Range<usize>) -> Result<(), Refused> {
        let sources = match node.into_value() {
            Value::Array(items) => items.into_iter().map(Node::into_value).collect(),
            other => vec![other],
        };
        for source in sources {
            let Value::Table(source) = source else {
                super::report_syntax(self.file, span, "`<<` takes a table or a list of tables");
                return Err(Refused);
            };
            if let Some(OpenCollection { merged, .. }) = self.open.last_mut() {
                merged.merge_missing(source);
            }
        }
        Ok(())
    }
}
