//! `[hold]`.

use super::*;
use crate::core::fleet::Hold;

fn hold(release: u64, groups: &[&str]) -> Edit {
    let names = groups.iter().map(|name| GroupName::new(*name).unwrap());
    Edit::Hold(Some(Hold {
        release,
        groups: (!groups.is_empty()).then(|| names.collect()),
    }))
}

/// Holds rule 35.
#[test]
fn a_hold_that_ends_leaves_the_bytes_of_before_in_every_form() {
    for before in [
        "# one\n",
        "[groups.web]\ncount = 1\n",
        "[groups.web]\ncount = 1",
        "[groups.web]\ncount = 1 # why",
        "[groups.web]\ncount = 1\n\n",
        "[groups.web]\r\ncount = 1\r\n",
        "[groups.web]\r\ncount = 1",
        "\n",
        "groups.web.count = 1\n\n\n# the end\n",
    ] {
        let line = if before.contains('\r') { "\r\n" } else { "\n" };
        let gap = if before.ends_with('\n') { "" } else { line };
        let end = if before.ends_with('\n') { line } else { "" };
        let held = format!("{before}{gap}{line}[hold]{line}release = 41{end}");
        becomes(before, hold(41, &[]), &held);
        becomes(&held, Edit::Hold(None), before);
    }
}

#[test]
fn another_release_replaces_the_one_that_is_written() {
    for (before, after) in [
        (
            "[hold] # why\nrelease = 3 # one\n\n[groups.web]\ncount = 1\n",
            "[hold] # why\nrelease = 41 # one\n\n[groups.web]\ncount = 1\n",
        ),
        ("hold.release = 3\n", "hold.release = 41\n"),
        ("hold = { release = 3 }\n", "hold = { release = 41 }\n"),
        (
            "[hold]\nrelease = 3\ngroups = [\"web\"]\n",
            "[hold]\nrelease = 41\n",
        ),
    ] {
        becomes(before, hold(41, &[]), after);
    }
    becomes(
        "[hold]\nrelease = 3\n",
        hold(41, &["web"]),
        "[hold]\nrelease = 41\ngroups = [\"web\"]\n",
    );
    for before in ["hold.release = 3\n", "hold = { release = 3 }\n"] {
        becomes(before, Edit::Hold(None), "");
    }
    assert_eq!(
        hold(41, &["web"]).to_string(),
        "[hold]\nrelease = 41\ngroups = [\"web\"]"
    );
}
