//! Where the pages point: every link leads to a file or heading that is there, and every page can be
//! reached from the README.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::assert_none;
use crate::repository::{files, root};

/// What matters of one page.
struct DocPage {
    /// Targets of its links and images, with their lines.
    links: Vec<(usize, String)>,
    /// The anchors of its headings.
    anchors: BTreeSet<String>,
}

fn pages() -> BTreeMap<String, DocPage> {
    files()
        .into_iter()
        .filter(|file| Path::new(file).extension().is_some_and(|e| e == "md"))
        .map(|file| {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            (file, page(&text))
        })
        .collect()
}

fn page(text: &str) -> DocPage {
    let mut links = Vec::new();
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let line = text[..range.start].matches('\n').count() + 1;
                links.push((line, dest_url.into_string()));
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                anchors.extend(heading.take().map(|title| anchor(&title)));
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(title) = &mut heading {
                    title.push_str(&part);
                }
            }
            _ => {}
        }
    }
    DocPage { links, anchors }
}

/// The anchor that a forge gives a heading.
fn anchor(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// A link's file from the top of the repository, and its anchor; none for one that leads outside.
fn target(from: &str, link: &str) -> Option<(String, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return Some((from.to_owned(), anchor));
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // A link that climbs out of the repository resolves to nothing that is there.
            ".." => {
                if parts.pop().is_none() {
                    parts.push("..");
                }
            }
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let files = files();
    let pages = pages();
    let mut found = Vec::new();
    let mut seen = 0;
    for (from, page) in &pages {
        for (line, link) in &page.links {
            let Some((to, anchor)) = target(from, link) else {
                continue;
            };
            seen += 1;
            let folder = format!("{to}/");
            if !files.contains(&to) && !files.iter().any(|file| file.starts_with(&folder)) {
                found.push(format!("{from}:{line}: {link}: there is no {to}"));
            } else if let (Some(anchor), Some(page)) = (anchor, pages.get(&to))
                && !page.anchors.contains(&anchor)
            {
                found.push(format!("{from}:{line}: {link}: {to} has no such heading"));
            }
        }
    }
    assert!(seen > 10, "only {seen} links were found");
    assert_none("links that lead nowhere", &found);
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let pages = pages();
    let mut reached = BTreeSet::new();
    let mut next = vec!["README.md".to_owned()];
    while let Some(page) = next.pop() {
        if !reached.insert(page.clone()) {
            continue;
        }
        for (_, link) in pages.get(&page).map_or(&[][..], |page| &page.links) {
            let Some((to, _)) = target(&page, link) else {
                continue;
            };
            // A link to a folder shows its README.
            let readme = format!("{to}/README.md");
            next.extend([to, readme].into_iter().filter(|to| pages.contains_key(to)));
        }
    }
    let found: Vec<String> = pages
        .keys()
        .filter(|page| !reached.contains(*page))
        .cloned()
        .collect();
    assert_none("pages that nothing leads to", &found);
}

#[test]
fn every_metadata_key_is_on_the_page_about_flyctl() {
    let read = |file| fs::read_to_string(root().join(file)).unwrap();
    let source = read("src/provider/bookkeeping.rs");
    let source = source.split("#[cfg(test)]").next().unwrap();
    let keys = source.split('"').skip(1).step_by(2).filter(|text| {
        text.strip_prefix("aeroform_")
            .is_some_and(|key| !key.is_empty())
    });
    let page = read("docs/with-flyctl.md");
    let lacks: Vec<&str> = keys
        .filter(|key| !page.contains(&format!("`{key}`")))
        .collect();
    assert!(lacks.is_empty(), "docs/with-flyctl.md lacks {lacks:?}");
}

#[test]
fn links_are_resolved_as_a_forge_does() {
    let to = |from, link| target(from, link).map(|(file, _)| file);
    assert_eq!(to("docs/a/b.md", "../c.md#x"), Some("docs/c.md".to_owned()));
    assert_eq!(to("a.md", "../up.md"), Some("../up.md".to_owned()));
    assert_eq!(to("docs/a.md", "#x"), Some("docs/a.md".to_owned()));
    assert_eq!(to("a.md", "https://example.com"), None);
    assert_eq!(
        anchor("`config_for` is the *only* way, yes"),
        "config_for-is-the-only-way-yes"
    );
    let page = page("# A `b`\n\n```\n[no](x.md)\n```\n[yes](y.md)\n");
    assert_eq!(page.links, [(6, "y.md".to_owned())]);
    assert!(page.anchors.contains("a-b"));
}
