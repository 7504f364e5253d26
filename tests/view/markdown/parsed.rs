//! A comment as GitHub's parser reads it.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use serde_json::Value;

/// The structure of a document, and its texts.
pub(crate) struct Document {
    /// Every block and inline element but texts, with its depth.
    pub(crate) structure: Vec<String>,
    /// What stands outside code.
    texts: Vec<String>,
    blocks_of_html: Vec<String>,
    source: String,
}

impl Document {
    pub(crate) fn parse(source: &str) -> Self {
        let mut options = Options::default();
        let extension = &mut options.extension;
        extension.table = true;
        extension.autolink = true;
        extension.strikethrough = true;
        extension.tasklist = true;
        extension.alerts = true;
        extension.footnotes = true;
        extension.math_dollars = true;
        let arena = Arena::new();
        let mut document = Self {
            structure: Vec::new(),
            texts: Vec::new(),
            blocks_of_html: Vec::new(),
            source: source.to_owned(),
        };
        document.visit(parse_document(&arena, source, &options), 0);
        document
    }

    fn visit<'a>(&mut self, node: &'a AstNode<'a>, depth: usize) {
        let value = &node.data.borrow().value;
        let name = match value {
            NodeValue::Text(text) => {
                self.texts.push(text.to_string());
                None
            }
            NodeValue::Code(_) | NodeValue::SoftBreak => None,
            NodeValue::HtmlBlock(html) => {
                self.blocks_of_html.push(html.literal.clone());
                Some("HtmlBlock".to_owned())
            }
            NodeValue::CodeBlock(code) => Some(format!("CodeBlock {}", code.info)),
            NodeValue::Heading(heading) => Some(format!("Heading {}", heading.level)),
            other => {
                let debug = format!("{other:?}");
                Some(debug.split(['(', ' ', '{']).next().unwrap().to_owned())
            }
        };
        self.structure
            .extend(name.map(|name| format!("{depth} {name}")));
        for child in node.children() {
            self.visit(child, depth + 1);
        }
    }

    /// No link, image, mention or HTML but ours, and every element that is opened is closed.
    pub(crate) fn assert_harmless(&self, at: &str) {
        let allowed = [
            "Document",
            "HtmlBlock",
            "Heading",
            "Alert",
            "List",
            "Item",
            "Paragraph",
            "Strong",
            "Table",
            "TableRow",
            "TableCell",
            "CodeBlock",
        ];
        for line in &self.structure {
            let name = line.split(' ').nth(1).unwrap();
            assert!(allowed.contains(&name), "{at}: {line}\n{}", self.source);
        }
        for text in &self.texts {
            for mark in ['@', '#', '<', '|', '`', '['] {
                assert!(!text.contains(mark), "{at}: {text}");
            }
        }
        let mut html = self.blocks_of_html.iter();
        let marker = html.next().unwrap();
        assert!(
            marker.starts_with("<!-- aeroform {") && marker.ends_with("} -->\n"),
            "{at}: {marker}"
        );
        while let Some(open) = html.next() {
            let summary = open
                .strip_prefix("<details>\n<summary>")
                .unwrap_or_else(|| panic!("{at}: {open}"));
            let summary = summary
                .strip_suffix("</summary>\n")
                .unwrap_or_else(|| panic!("{at}: {open}"));
            let name = match summary.strip_prefix("<code>") {
                Some(rest) => rest.replacen("</code>", "", 1),
                None => summary.to_owned(),
            };
            assert!(!name.contains(['<', '>', '\n']), "{at}: {open}");
            assert_eq!(
                html.next().map(String::as_str),
                Some("</details>\n"),
                "{at}\n{}",
                self.source
            );
        }
        // A fence that is not closed would take the rest of the document.
        let fences = self
            .source
            .lines()
            .filter(|line| line.starts_with("```"))
            .count();
        let blocks = self
            .structure
            .iter()
            .filter(|line| line.contains("CodeBlock"))
            .count();
        assert!(fences >= blocks * 2, "{at}");
        assert!(
            self.source.ends_with('\n') && !self.source.contains("\n\n\n\n"),
            "{at}"
        );
    }

    pub(crate) fn marker(&self) -> Value {
        let line = self.source.lines().next().unwrap();
        let json = line
            .strip_prefix("<!-- aeroform ")
            .unwrap()
            .strip_suffix(" -->")
            .unwrap();
        serde_json::from_str(json).unwrap()
    }

    pub(crate) fn has_caution(&self) -> bool {
        self.structure.iter().any(|line| line.contains("Alert"))
    }

    /// `6 to create, 4 to update` of the title.
    pub(crate) fn title_counts(&self) -> Vec<(String, u64)> {
        let mut lines = self.source.lines();
        let title = lines.find(|line| line.starts_with("### ")).unwrap();
        let counts = title.split(" · ").nth(1).unwrap().split(", ");
        let count = |text: &str| {
            let (n, what) = text.split_once(" to ")?;
            Some((what.to_owned(), n.replace(',', "").parse().ok()?))
        };
        counts.filter_map(count).collect()
    }
}
