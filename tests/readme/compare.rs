//! Whether two outputs are the same but for what differs from run to run.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what stands for it. Runs of blanks are one, because columns are as
/// wide as what stands in them.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b[0-9a-f]{14}\b", "<id>"),
        (r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>"),
        (r"\bapplied \d{4}-\d\d-\d\d\b", "applied <date>"),
        (r"\b\d\d:\d\d:\d\d\b", "<time>"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        (r"\b(port|pid) +\d+", "$1 <number>"),
        (r"\b\d+(\.\d+)? ?(ms|s)\b", "<duration>"),
        (r"\(run [a-z2-7]{10}\)", "(run <word>)"),
        // The launch ids at the end of names.
        (r"\b([a-z]+)-[a-z2-7]{10}\b", "$1-<word>"),
        // The column of process ids.
        (r"(?m)( started .*) \d+(  +v\d+)?$", "$1 <pid>$2"),
        (r" {2,}", " "),
        (r" +\n", "\n"),
    ]
    .map(|(pattern, mask)| (Regex::new(pattern).expect("a valid pattern"), mask))
    .into()
});

fn masked(text: &str) -> Vec<String> {
    let mut text = text.to_owned();
    for (pattern, mask) in MASKS.iter() {
        text = pattern.replace_all(&text, *mask).into_owned();
    }
    text.trim_end().lines().map(str::to_owned).collect()
}

/// Whether the lines of a command may come in any order.
pub(crate) fn is_unordered(command: &str) -> bool {
    command
        .split_whitespace()
        .any(|word| word == "apply" || word == "destroy")
}

/// Compares what a page shows with what was printed; the difference is for people.
pub(crate) fn same(shown: &str, printed: &str, unordered: bool) -> Result<(), String> {
    let (mut expected, mut there) = (masked(shown), masked(printed));
    let is_open = expected.iter().any(|line| line == "…");
    let same = if is_open {
        matches(&expected, &there)
    } else {
        if unordered {
            expected.sort();
            there.sort();
        }
        expected == there
    };
    if same {
        return Ok(());
    }
    let list = |title: &str, text: &str| format!("-- {title}\n{}\n", text.trim_end());
    Err(list("the page shows", shown) + &list("what happens", printed))
}

/// Whether lines match, `…` standing for any number of them.
fn matches(expected: &[String], there: &[String]) -> bool {
    match expected.split_first() {
        None => there.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=there.len()).any(|skip| matches(rest, &there[skip..]))
        }
        Some((first, rest)) => there.first() == Some(first) && matches(rest, &there[1..]),
    }
}

#[test]
fn what_differs_from_run_to_run_is_masked_and_nothing_else() {
    let ok = |a: &str, b: &str| same(a, b, false).is_ok();
    assert!(ok(
        "web-k3jd7abcde  0123456789abcd  127.0.0.1:8100  up 3 s\n",
        "web-zz2zzzzzzz 0123456789abce 127.0.0.1:40123 up 12 s"
    ));
    assert!(ok("Applying (run abcdefghij)", "Applying (run k2l3m4n5o6)"));
    assert!(ok(
        "  0123456789abcd ams started  24462",
        "  0123456789abcd ams started   8"
    ));
    assert!(ok(
        "  0123456789abcd ams started  24462  v1",
        "  0123456789abcd ams started   8  v1"
    ));
    assert!(!ok(
        "  0123456789abcd ams started  24462  v1",
        "  0123456789abcd ams started  24462  v2"
    ));
    assert!(!ok("2 to create", "3 to create"));
    assert!(!ok("web", "worker"));
    assert!(!ok("storefront", "storefronu"));
    assert!(ok("a\n…\nd\n", "a\nb\nc\nd\n"));
    assert!(!ok("a\n…\nd\n", "a\nb\n"));
    assert!(!ok("a\nb", "b\na"));
    assert!(same("a\nb", "b\na", true).is_ok());
    assert!(same("a\nb", "b\nc", true).is_err());
}
