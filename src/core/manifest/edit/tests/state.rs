//! `[state]`.

use super::super::super::settings::StateLocation;
use super::*;

#[test]
fn a_place_replaces_the_other_one_in_every_form_and_keeps_the_comment() {
    let url = || Edit::State(StateLocation::Url("git+origin".to_owned()));
    let path = || Edit::State(StateLocation::Path("a.json".to_owned()));
    becomes("", url(), "[state]\nurl = \"git+origin\"\n");
    becomes(
        "[groups.web]\ncount = 1\n",
        path(),
        "[groups.web]\ncount = 1\n\n[state]\npath = \"a.json\"\n",
    );
    for (before, after) in [
        (
            "# on top\n[state] # why\npath = 'old' # one\n",
            "# on top\n[state] # why\nurl = \"git+origin\" # one\n",
        ),
        ("state.path = \"old\"\n", "state.url = \"git+origin\"\n"),
        (
            "state = { path = \"old\" } # one\n",
            "state = { url = \"git+origin\" } # one\n",
        ),
        (
            "[state]\nurl = \"git+b\"\n",
            "[state]\nurl = \"git+origin\"\n",
        ),
        ("[state]\n", "[state]\nurl = \"git+origin\"\n"),
    ] {
        becomes(before, url(), after);
    }
    becomes(
        "[state]\nurl = \"git+origin\"\n",
        path(),
        "[state]\npath = \"a.json\"\n",
    );
    let change = url().to_string();
    assert_eq!(change, "[state]\nurl = \"git+origin\"");
}
