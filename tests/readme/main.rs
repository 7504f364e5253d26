//! What the pages show is what happens: every `console` block is run as it stands, every `diff` block is
//! applied, in the order of the page, in a copy of the examples, with real processes.
//!
//! Output is compared line by line after masking what differs from run to run (ids, ports, times). A
//! line `…` stands for any lines, or none. A command that fails is followed by `echo $?`, which shows its exit code. Blocks of `apply` and `destroy` may have their lines in any
//! order, since Machines start side by side. `SNAPSHOTS=overwrite` writes what is seen into the page,
//! for blocks without `…`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage has failed"
)]

mod comment;
mod compare;
mod fixture;
mod page;
mod picture;
#[path = "../support/words.rs"]
mod words;

use std::fs;
use std::path::Path;

use fixture::PageFixture;
use page::PageBlock;

#[test]
fn the_readme_shows_what_happens() {
    replay("README.md");
}

#[test]
fn the_walk_of_the_storefront_shows_what_happens() {
    replay("examples/storefront/README.md");
}

#[test]
fn the_page_of_bluegreen_shows_what_happens() {
    replay("examples/bluegreen/README.md");
}

#[test]
fn the_page_of_the_canary_shows_what_happens() {
    replay("examples/canary/README.md");
}

#[test]
fn the_page_of_the_rails_app_shows_what_happens() {
    replay("examples/fly-rails/README.md");
}

fn replay(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(&path).unwrap();
    let blocks = page::blocks(&text);
    assert!(
        blocks
            .iter()
            .any(|block| matches!(block, PageBlock::Console { .. })),
        "{name} shows what is printed"
    );
    let overwrite = std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite");
    let stage = PageFixture::new();
    let mut seen = text.clone();
    let mut findings = Vec::new();
    // From the last to the first when writing, so that the places of earlier blocks stay true.
    let mut replacements = Vec::new();
    for block in blocks {
        match block {
            PageBlock::Diff { text } => stage.patch(text),
            PageBlock::Console { range, runs, line } => {
                let mut shown = String::new();
                for run in runs {
                    let output = stage.run(run.command);
                    shown.extend(["$ ", run.command, "\n", &output]);
                    if let Err(difference) =
                        compare::same(run.output, &output, compare::is_unordered(run.command))
                    {
                        findings.push(format!("{name}:{line}: {}\n{difference}", run.command));
                    }
                }
                if !text[range.clone()].contains("\n…\n") {
                    replacements.push((range, shown));
                }
            }
        }
    }
    stage.has_no_failure();
    for (range, shown) in replacements.into_iter().rev() {
        seen.replace_range(range, &shown);
    }
    if overwrite && !findings.is_empty() {
        fs::write(&path, seen).unwrap();
    }
    assert!(
        findings.is_empty(),
        "the page shows something else than what happens; `SNAPSHOTS=overwrite` writes it down\n\n{}",
        findings.join("\n\n")
    );
}
