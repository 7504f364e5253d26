//! The source files of `src/` as tokens: enough to find every path and macro with its line,
//! and to leave out what is only compiled for tests. Comments are no tokens and are never found.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of `src/`.
pub(crate) struct SourceFile {
    /// From the top of the repository (`src/core/plan/types.rs`).
    pub file: String,
    /// Its module (`["core", "plan", "types"]`); empty for the library's own file.
    pub module: Vec<String>,
    /// Its text.
    pub text: String,
    /// What it names, code for tests left out.
    pub items: Vec<NamedItem>,
    /// Modules that it declares for tests only.
    for_tests: Vec<Vec<String>>,
}

/// Something that a file names.
pub(crate) struct NamedItem {
    /// Line, from 1.
    pub line: usize,
    /// What.
    pub kind: ItemKind,
}

/// What is named.
pub(crate) enum ItemKind {
    /// A path of two or more segments, imports of lists spread out.
    Path(Vec<String>),
    /// A macro is called.
    Macro(String),
}

/// All source files, sorted by name, without those that are modules for tests only.
pub(crate) fn sources() -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(&super::repository::root().join("src"), &mut files);
    files.sort();
    let mut sources: Vec<SourceFile> = files.iter().map(|file| read(file)).collect();
    let for_tests: Vec<Vec<String>> = sources
        .iter_mut()
        .flat_map(|s| s.for_tests.drain(..))
        .collect();
    sources.retain(|source| {
        !for_tests
            .iter()
            .any(|module| source.module.starts_with(module))
    });
    sources
}

fn collect(dir: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let shown = path.strip_prefix(super::repository::root()).unwrap();
            files.push(shown.to_str().unwrap().to_owned());
        }
    }
}

fn read(file: &str) -> SourceFile {
    let text = fs::read_to_string(super::repository::root().join(file)).unwrap();
    parse(file, text)
}

/// Reads one file's text; `file` gives it its module.
pub(crate) fn parse(file: &str, text: String) -> SourceFile {
    let mut module: Vec<String> = file
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    let tokens: TokenStream = text
        .parse()
        .unwrap_or_else(|error| panic!("{file} is not Rust: {error}"));
    let mut items = Vec::new();
    let for_tests = modules_for_tests(&tokens.clone().into_iter().collect::<Vec<_>>(), &module);
    walk(tokens, &module, &mut items);
    SourceFile {
        file: file.to_owned(),
        module,
        text,
        items,
        for_tests,
    }
}

/// Collects what one level of tokens names, and everything inside it.
fn walk(tokens: TokenStream, module: &[String], items: &mut Vec<NamedItem>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_only(&tokens, at) {
            at = end_of_item(&tokens, at);
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(ident) if ident == "use" => {
                let end = (at..tokens.len())
                    .find(|i| is_punct(&tokens[*i], ';'))
                    .unwrap_or(tokens.len());
                spread(&tokens[at + 1..end], &[], module, items);
                at = end;
            }
            TokenTree::Ident(ident) if ident == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    let mut inner = module.to_vec();
                    inner.push(name.to_string());
                    walk(body.stream(), &inner, items);
                    at += 2;
                }
            }
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                if !goes_on(&tokens, at) {
                    let (segments, next) = path_at(&tokens, at);
                    let name = segments.last().expect("a path has a segment").clone();
                    if tokens.get(next).is_some_and(|t| is_punct(t, '!'))
                        && matches!(tokens.get(next + 1), Some(TokenTree::Group(_)))
                    {
                        let what = ItemKind::Macro(name);
                        items.push(NamedItem { line, kind: what });
                    }
                    if segments.len() > 1 {
                        let what = ItemKind::Path(absolute(segments, module));
                        items.push(NamedItem { line, kind: what });
                    }
                    at = next - 1;
                }
            }
            TokenTree::Group(group) => walk(group.stream(), module, items),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
}

/// Whether the name here goes on a path that a list of types has interrupted (`Vec::<T>::new`).
fn goes_on(tokens: &[TokenTree], at: usize) -> bool {
    at >= 3
        && is_punct(&tokens[at - 1], ':')
        && is_punct(&tokens[at - 2], ':')
        && is_punct(&tokens[at - 3], '>')
}

/// The segments of the path that begins here, and the index after it.
fn path_at(tokens: &[TokenTree], start: usize) -> (Vec<String>, usize) {
    let mut segments = vec![tokens[start].to_string()];
    let mut at = start + 1;
    while let (Some(a), Some(b), Some(TokenTree::Ident(name))) =
        (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2))
    {
        if !is_punct(a, ':') || !is_punct(b, ':') {
            break;
        }
        segments.push(name.to_string());
        at += 3;
    }
    (segments, at)
}

/// Spreads `a::{b, c::d}` into `a::b` and `a::c::d`.
fn spread(tokens: &[TokenTree], prefix: &[String], module: &[String], items: &mut Vec<NamedItem>) {
    for part in tokens.split(|t| is_punct(t, ',')) {
        let mut path = prefix.to_vec();
        let mut line = 0;
        let mut listed = false;
        for token in part {
            match token {
                TokenTree::Ident(ident) if ident == "as" => break,
                TokenTree::Ident(ident) => {
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    spread(&inner, &path, module, items);
                    listed = true;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if !listed && path.len() > prefix.len() {
            let what = ItemKind::Path(absolute(path, module));
            items.push(NamedItem { line, kind: what });
        }
    }
}

/// A path of this crate from its top, with `crate` first; others as they are.
fn absolute(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let mut rest = segments.iter();
    let mut base = match rest.next().map(String::as_str) {
        Some("self") => module.to_vec(),
        Some("super") => module[..module.len().saturating_sub(1)].to_vec(),
        // The program names the library by its name.
        Some("aeroform") if module == ["main"] => Vec::new(),
        _ => return segments,
    };
    for segment in rest {
        if segment == "super" {
            base.pop();
        } else {
            base.push(segment.clone());
        }
    }
    base.insert(0, "crate".to_owned());
    base
}

/// Whether `#[cfg(test)]` or `#[test]` begins here.
fn is_test_only(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(&tokens[at], '#')
        && matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
            if ["cfg(test)", "test"].contains(&group.stream().to_string().replace(' ', "").as_str()))
}

/// The modules in files of their own that a file declares with `#[cfg(test)]`.
fn modules_for_tests(tokens: &[TokenTree], module: &[String]) -> Vec<Vec<String>> {
    (0..tokens.len())
        .filter(|at| is_test_only(tokens, *at))
        .filter_map(|at| match &tokens[at..end_of_item(tokens, at)] {
            [.., TokenTree::Ident(word), TokenTree::Ident(name), end]
                if word == "mod" && is_punct(end, ';') =>
            {
                Some([module, &[name.to_string()]].concat())
            }
            _ => None,
        })
        .collect()
}

/// The index after the item that begins here, its attributes included.
fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return at + 1,
            token if is_punct(token, ';') => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

#[test]
fn modules_for_tests_are_known_by_their_declaration() {
    let text = "#[cfg(test)] mod tests; mod other; #[cfg(test)] pub(crate) mod stage;";
    let source = parse("src/layer/mod.rs", text.to_owned());
    assert_eq!(source.for_tests, [["layer", "tests"], ["layer", "stage"]]);
}

#[test]
fn paths_are_found_in_lists_in_bodies_and_through_super_but_not_in_tests() {
    let text = "//! Doc of crate::no::path.\n\
        use crate::{a::B, c::{self, D as E}};\n\
        use super::x::Y;\n\
        /// See [`crate::doc::link`].\n\
        fn f(a: crate::q::Q) -> Vec<crate::r::S> { std::fs::read(\"crate::text::no\").unwrap(); todo!() }\n\
        mod inner { use super::super::up::V; }\n\
        #[cfg(test)]\n\
        mod tests { use crate::hidden::T; fn g() { h().unwrap(); } }\n";
    let found: Vec<String> = parse("src/layer/file.rs", text.to_owned())
        .items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Path(path) => format!("{} {}", item.line, path.join("::")),
            ItemKind::Macro(name) => format!("{} {name}!", item.line),
        })
        .collect();
    assert_eq!(
        found,
        [
            "2 crate::a::B",
            "2 crate::c::self",
            "2 crate::c::D",
            "3 crate::layer::x::Y",
            "5 crate::q::Q",
            "5 crate::r::S",
            "5 std::fs::read",
            "5 todo!",
            "6 crate::layer::up::V",
        ]
    );
}
