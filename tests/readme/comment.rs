//! The comment of a pull request that the README shows is what the program writes.
//!
//! `AEROFORM_UPDATE_DOCS=1 cargo test --test readme comment` writes it into the page.

use std::fs;
use std::path::Path;

use crate::fixture::PageFixture;

/// Half the memory for the cron group.
const EDIT: &str = "\
--- a/examples/fly-rails/fly.toml
+++ b/examples/fly-rails/fly.toml
@@ -77,5 +77,5 @@
 [[vm]]
   size = \"shared-cpu-1x\"
-  memory = \"512mb\"
+  memory = \"256mb\"
   processes = [\"cron\"]
 
";

#[test]
fn the_readme_shows_a_comment_as_it_is_written() {
    let stage = PageFixture::new();
    stage.patch(EDIT);
    let comment =
        stage.run("aeroform -C examples/fly-rails plan --refresh=false --format markdown");
    assert!(comment.starts_with("<!-- aeroform {"), "{comment}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let page = fs::read_to_string(&path).unwrap();
    if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
        // From the marker to the line with the plan's digest.
        let start = page.find("<!-- aeroform {").unwrap();
        let end = start + page[start..].find("· plan `").unwrap();
        let end = end + page[end..].find('\n').unwrap() + 1;
        fs::write(&path, [&page[..start], &comment, &page[end..]].concat()).unwrap();
        return;
    }
    assert!(
        page.contains(&comment),
        "the README shows another comment; `AEROFORM_UPDATE_DOCS=1 cargo test --test readme comment` \
         writes it\n{comment}"
    );
}
