//! The release command and `verify` as a person sees them, on the emulator and with provider local.

use crate::from_flyctl::assert_page_shows;

/// `SNAPSHOTS=overwrite cargo test --test cli rollouts` writes what is seen into the page.
#[test]
fn the_page_about_rollouts_shows_what_the_commands_print() {
    assert_page_shows(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rollouts.md"));
}
