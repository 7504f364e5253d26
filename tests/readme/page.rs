//! The blocks of a page that are run or applied.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// One fenced block.
pub(crate) enum PageBlock<'a> {
    /// Commands and what they print.
    Console {
        /// Where its content stands in the page.
        range: Range<usize>,
        /// Its line, from 1.
        line: usize,
        /// Its commands, in order.
        runs: Vec<CommandBlock<'a>>,
    },
    /// A change of files, as git prints it.
    Diff {
        /// The patch.
        text: &'a str,
    },
}

/// One command and what the page says that it prints.
pub(crate) struct CommandBlock<'a> {
    /// Without the prompt.
    pub(crate) command: &'a str,
    /// All lines up to the next prompt.
    pub(crate) output: &'a str,
}

/// The `console` and `diff` blocks of a page, in order.
pub(crate) fn blocks(text: &str) -> Vec<PageBlock<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Option<Range<usize>>)> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                open = Some((language.into_string(), None));
            }
            Event::Text(_) => {
                if let Some((_, content)) = &mut open {
                    let start = content.as_ref().map_or(range.start, |c| c.start);
                    *content = Some(start..range.end);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                let Some((language, Some(range))) = open.take() else {
                    continue;
                };
                let content = &text[range.clone()];
                match language.as_str() {
                    "console" => blocks.push(PageBlock::Console {
                        line: text[..range.start].matches('\n').count() + 1,
                        runs: runs(content),
                        range,
                    }),
                    // A diff of files; the comment of a pull request has others.
                    "diff" if content.starts_with("--- ") => {
                        blocks.push(PageBlock::Diff { text: content });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    blocks
}

fn runs(content: &str) -> Vec<CommandBlock<'_>> {
    let starts: Vec<usize> = content
        .match_indices("$ ")
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || content[..*at].ends_with('\n'))
        .collect();
    assert_eq!(starts.first(), Some(&0), "a console block begins with `$ `");
    let line_ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts
        .iter()
        .zip(line_ends)
        .map(|(start, end)| {
            let part = &content[start + 2..end];
            let (command, output) = part.split_once('\n').unwrap_or((part, ""));
            CommandBlock { command, output }
        })
        .collect()
}

#[test]
fn blocks_are_found_in_order_and_split_at_their_prompts() {
    let page = "x\n\n```console\n$ a b\none\n\ntwo $ x\n$ c\n```\n\n```sh\n$ no\n```\n\n\
        ```diff\n--- a\n+++ b\n```\n";
    let found: Vec<String> = blocks(page)
        .iter()
        .map(|block| match block {
            PageBlock::Console { runs, line, range } => {
                assert!(page[range.clone()].starts_with("$ a b\n"));
                let runs: Vec<String> = runs
                    .iter()
                    .map(|run| format!("{}>{}", run.command, run.output.replace('\n', "/")))
                    .collect();
                format!("{line} {}", runs.join(" "))
            }
            PageBlock::Diff { text } => text.replace('\n', "/"),
        })
        .collect();
    assert_eq!(found, ["4 a b>one//two $ x/ c>", "--- a/+++ b/"]);
}
