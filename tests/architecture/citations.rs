//! Citations: every rule and every section of a page about the platform that is cited exists, tests hold the
//! rules that say so, and nothing leads out of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::LazyLock;

use regex::Regex;

use crate::assert_none;
use crate::crash_windows::{commented_tests, tests};
use crate::repository::{files, root};

const RULES: &str = "docs/rules.md";
/// Data beside the checkout that tests may read. They skip themselves where it is missing.
const UNCHECKED: [&str; 4] = [
    "../shared/api-bodies",
    "../shared/corpus",
    "../shared/facts/machines-openapi.json",
    "../shared/flyctl",
];
/// This file, whose examples are none.
const THIS_FILE: &str = "tests/architecture/citations.rs";

static RULE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?i)rules?[ \n](\d+(?:(?:,? and |, | to )\d+)*)\b").unwrap());
static SECTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^docs/platform/([a-z-]+\.md)(?: (\d+[a-z]?(?:\.\d+)*(?:(?:,? and |, | to )\d+[a-z]?(?:\.\d+)*)*))?",
    )
    .unwrap()
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+[a-z]?(?:\.\d+)*").unwrap());
static LEADS_OUT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:\.\./shared[^"\s)`]*|facts(?:/| \d)|RULES \d|DESIGN \d|STYLE\.md)"#).unwrap()
});

/// What can be cited.
#[derive(Default)]
struct CitationTargets {
    rules: BTreeSet<u32>,
    /// The numbers of the sections of each page.
    sections: BTreeMap<String, BTreeSet<String>>,
}

/// What one text cites, with the lines.
#[derive(Debug, PartialEq, Eq, Default)]
struct Citations {
    rules: Vec<(usize, u32)>,
    /// Page and section; no section where the page alone is cited.
    sections: Vec<(usize, String, Option<String>)>,
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Everything that people write: sources, pages and settings, without data.
fn texts() -> impl Iterator<Item = (String, String)> {
    let endings = [".rs", ".md", ".toml", "justfile", ".ci/run"];
    files()
        .into_iter()
        .filter(move |file| {
            file != THIS_FILE && endings.iter().any(|ending| file.ends_with(ending))
        })
        .map(|file| {
            let text = read(&file);
            (file, text)
        })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The numbers of the headings of a page, and of the items of numbered lists below them: the fourth item of
/// section 6 is 6.4.
fn headings(page: &str) -> BTreeSet<String> {
    let heading = Regex::new(r"^#{2,4} (?:Rule )?(\d+[a-z]?(?:\.\d+)*)[.:]? ").unwrap();
    let item = Regex::new(r"^(\d+)\. ").unwrap();
    let mut numbers = BTreeSet::new();
    let mut section = None;
    for line in page.lines() {
        if let Some(found) = heading.captures(line) {
            section = Some(found[1].to_owned());
            numbers.insert(found[1].to_owned());
        } else if let (Some(section), Some(found)) = (&section, item.captures(line)) {
            numbers.insert(format!("{section}.{}", &found[1]));
        }
    }
    numbers
}

fn targets() -> CitationTargets {
    let mut targets = CitationTargets::default();
    let numbers = headings(&read(RULES));
    targets.rules = numbers
        .iter()
        .map(|number| number.parse().unwrap())
        .collect();
    for file in files() {
        if let Some(page) = file.strip_prefix("docs/platform/") {
            targets
                .sections
                .insert(page.to_owned(), headings(&read(&file)));
        }
    }
    targets
}

fn citations(text: &str) -> Citations {
    let mut found = Citations::default();
    for (at, _) in text.match_indices("ule") {
        let begin = text[..at].trim_end_matches(['r', 'R']).len();
        if begin + 1 != at || text[..begin].ends_with(is_part_of_a_word) {
            continue;
        }
        let Some(cited) = RULE.captures(window(text, begin)) else {
            continue;
        };
        let line = line_of(text, begin);
        let numbers = NUMBER.find_iter(cited.get(1).unwrap().as_str());
        found
            .rules
            .extend(numbers.map(|number| (line, number.as_str().parse().unwrap())));
    }
    for (at, _) in text.match_indices("docs/platform/") {
        let Some(cited) = SECTION.captures(window(text, at)) else {
            continue;
        };
        let (line, page) = (line_of(text, at), &cited[1]);
        match cited.get(2) {
            None => found.sections.push((line, page.to_owned(), None)),
            Some(numbers) => found.sections.extend(
                NUMBER
                    .find_iter(numbers.as_str())
                    .map(|number| (line, page.to_owned(), Some(number.as_str().to_owned()))),
            ),
        }
    }
    found
}

/// Some of a text from a place on: a search through all of it takes its time in a debug build.
fn window(text: &str, from: usize) -> &str {
    let rest = &text[from..];
    let end = rest
        .char_indices()
        .nth(160)
        .map_or(rest.len(), |(at, _)| at);
    &rest[..end]
}

#[test]
fn every_citation_leads_to_a_rule_or_a_section_that_exists() {
    let targets = targets();
    let mut found = Vec::new();
    let mut seen = 0;
    for (file, text) in texts() {
        let cited = citations(&text);
        seen += cited.rules.len() + cited.sections.len();
        for (line, rule) in cited.rules {
            if !targets.rules.contains(&rule) {
                found.push(format!("{file}:{line}: there is no rule {rule}"));
            }
        }
        for (line, page, section) in cited.sections {
            match (targets.sections.get(&page), section) {
                (None, _) => found.push(format!("{file}:{line}: there is no docs/platform/{page}")),
                (Some(sections), Some(section)) if !sections.contains(&section) => found.push(
                    format!("{file}:{line}: docs/platform/{page} has no section {section}"),
                ),
                (Some(_), _) => {}
            }
        }
    }
    assert!(seen > 200, "only {seen} citations were found");
    assert_none("citations that lead nowhere", &found);
}

#[test]
fn the_numbers_of_the_rules_have_no_gap() {
    let rules = targets().rules;
    let last = rules.last().copied().unwrap_or(0);
    assert!(last >= 43, "the last rule is {last}");
    let missing: Vec<u32> = (1..=last).filter(|rule| !rules.contains(rule)).collect();
    assert!(
        missing.is_empty(),
        "a number is never given up: {missing:?}"
    );
}

/// The tests that the page names under each rule.
fn named(page: &str) -> BTreeMap<u32, Vec<String>> {
    let mut named = BTreeMap::new();
    for part in page.split("\n### Rule ").skip(1) {
        let (number, rest) = part
            .split_once(':')
            .expect("a rule has a number and a title");
        let rest = rest.split("\n## ").next().unwrap_or(rest);
        let tests = rest
            .split_once("\n*Tests:* ")
            .map_or("", |(_, tests)| tests);
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned);
        named.insert(number.parse().unwrap(), tests.collect());
    }
    named
}

/// The rules that the page lists as not built.
fn not_built(page: &str) -> BTreeSet<u32> {
    let (_, list) = page
        .split_once("\n## Not built yet\n")
        .expect("the page says which rules are not built");
    let item = Regex::new(r"(?m)^- Rule (\d+)").unwrap();
    item.captures_iter(list)
        .map(|found| found[1].parse().unwrap())
        .collect()
}

/// The rules that the comment above each test cites.
fn rules_of_tests(text: &str) -> BTreeMap<String, BTreeSet<u32>> {
    commented_tests(text)
        .into_iter()
        .map(|(name, comment)| {
            let rules = citations(&comment).rules.into_iter();
            (name, rules.map(|(_, rule)| rule).collect())
        })
        .collect()
}

#[test]
fn every_rule_is_cited_by_the_tests_that_hold_it() {
    let page = read(RULES);
    let tests = tests();
    let not_built = not_built(&page);
    let cited: BTreeMap<String, BTreeSet<u32>> = texts()
        .filter(|(file, _)| file.starts_with("tests/"))
        .flat_map(|(_, text)| rules_of_tests(&text))
        .collect();
    let mut found = Vec::new();
    for (rule, named) in named(&page) {
        if named.is_empty() != not_built.contains(&rule) {
            found.push(format!(
                "rule {rule}: it names tests, or the list of what is not built has it"
            ));
        }
        for test in named {
            if !tests.contains(&test) {
                found.push(format!("rule {rule}: there is no test `{test}`"));
            } else if !cited.get(&test).is_some_and(|rules| rules.contains(&rule)) {
                found.push(format!(
                    "rule {rule}: the comment above `{test}` says `Holds rule {rule}.`"
                ));
            }
        }
    }
    for (test, rules) in &cited {
        for rule in rules.iter().filter(|rule| not_built.contains(*rule)) {
            found.push(format!(
                "`{test}` holds rule {rule}, which is said not to be built"
            ));
        }
    }
    assert_none("rules and their tests", &found);
}

/// Places in a text that lead to files beside the repository.
fn leads_out(file: &str, text: &str) -> Vec<String> {
    let begins = ["../shared", "facts", "RULES ", "DESIGN ", "STYLE.md"];
    let mut found = Vec::new();
    for begin in begins {
        for (at, _) in text.match_indices(begin) {
            let Some(path) = LEADS_OUT.find(window(text, at)) else {
                continue;
            };
            let path = path.as_str();
            // A test may put the name of the folder together.
            let is_beside = ["../shared", "../shared/{name}"].contains(&path)
                || UNCHECKED.iter().any(|beside| path.starts_with(beside));
            if begin == "../shared" && is_beside && file.starts_with("tests/") {
                continue;
            }
            if begin == "facts" && text[..at].ends_with(is_part_of_a_word) {
                continue;
            }
            found.push(format!(
                "{file}:{}: `{path}` is not in the repository",
                line_of(text, at)
            ));
        }
    }
    found
}

fn is_part_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '/'
}

#[test]
fn nothing_leads_out_of_the_repository_but_tests_that_read_their_data_in_place() {
    let found: Vec<String> = texts()
        .flat_map(|(file, text)| leads_out(&file, &text))
        .collect();
    assert_none("what the repository refers to is in it", &found);
}

#[test]
fn citations_are_found_in_every_form() {
    let text = "a (rule 29)\n/// Rules 5, 8 and 12: x\n(docs/platform/machines-api.md 1.7, 4 and 20a)\n\
        docs/platform/fly-toml.md says so; rulebook 7, the rule 1.";
    let found = citations(text);
    let rules = [(1, 29), (2, 5), (2, 8), (2, 12), (4, 1)];
    assert_eq!(found.rules, rules);
    let api = |section: &str| (3, "machines-api.md".to_owned(), Some(section.to_owned()));
    let page = (4, "fly-toml.md".to_owned(), None);
    assert_eq!(found.sections, [api("1.7"), api("4"), api("20a"), page]);
    let page =
        "1. x\n## 3. Apps\n1. x\n2. y\n### 4.1 GET\n## 20a. Newer\n### Rule 7: x\n## Words\n";
    let numbers: Vec<String> = headings(page).into_iter().collect();
    assert_eq!(numbers, ["20a", "3", "3.1", "3.2", "4.1", "7"]);
}

#[test]
fn a_test_cites_the_rules_of_its_own_comment() {
    let text = "/// Holds rule 1.\n#[test]\nfn a() {}\n\n#[tokio::test(start_paused = true)]\nasync fn b() {}\n\
        /// Rule 2\nfn c() {}\n    /// More.\n    /// Holds rules 3 and 4.\n    #[test]\n    fn d() {}\n";
    let found = rules_of_tests(text);
    let rules = |name: &str| found.get(name).cloned();
    assert_eq!(rules("a"), Some(BTreeSet::from([1])));
    assert_eq!(rules("b"), Some(BTreeSet::new()));
    assert_eq!(rules("c"), None);
    assert_eq!(rules("d"), Some(BTreeSet::from([3, 4])));
    let page = "\n### Rule 1: x\ny\n\n*Tests:* `a`,\n`b`\n\n## Z\n`c`\n\n### Rule 2: z\n\n## Not built yet\n- Rule 2: z\n";
    let tests = named(page);
    assert_eq!(tests[&1], ["a", "b"]);
    assert!(tests[&2].is_empty());
    assert_eq!(not_built(page), BTreeSet::from([2]));
}

#[test]
fn what_leads_out_is_found() {
    let corpus = "join(\"../shared/corpus\")";
    assert!(leads_out("tests/manifest/corpus.rs", corpus).is_empty());
    assert_eq!(leads_out("src/main.rs", corpus).len(), 1);
    assert_eq!(
        leads_out("tests/a.rs", "../shared/other facts/x RULES 3").len(),
        3
    );
}
