use std::collections::BTreeMap;

use super::*;
use crate::core::fleet::Region;

const FLY: &str = "app = \"shop\"\nprimary_region = \"ams\"\n\n[processes]\nweb = \"a\"\ncron = \"b\"\n\n[[services]]\ninternal_port = 80\nprocesses = [\"web\"]\n";

/// aeroform.toml after an edit.
fn ours(text: Option<&str>, edits: &[Edit]) -> Result<String, EditError> {
    both(FLY, text, edits).map(|edited| {
        assert_eq!(edited.fly, None);
        edited.ours.unwrap_or_else(|| text.unwrap_or("").to_owned())
    })
}

fn both(fly: &str, text: Option<&str>, edits: &[Edit]) -> Result<Edited, EditError> {
    let overrides = Overrides::default();
    let files = Files {
        fly: SourceFile {
            path: "fly.toml",
            bytes: fly.as_bytes(),
        },
        ours_path: "aeroform.toml",
        ours: text.map(str::as_bytes),
        beginning: "provider = \"local\"\n",
    };
    let ours = text.map(|text| SourceFile {
        path: "aeroform.toml",
        bytes: text.as_bytes(),
    });
    let loaded = load(files.fly, ours, &overrides);
    let before = loaded.desired.unwrap_or_else(|| {
        let found: Vec<_> = loaded.diagnostics.iter().map(|d| &d.message).collect();
        panic!("{text:?}: {found:?}")
    });
    edit(files, &overrides, &before, edits)
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn layout(name: &str, regions: &str) -> Edit {
    let regions: BTreeMap<Region, u32> = regions
        .split_whitespace()
        .map(|part| part.split_once('=').unwrap())
        .map(|(region, n)| (Region::new(region).unwrap(), n.parse().unwrap()))
        .collect();
    Edit::Layout {
        group: group(name),
        layout: Layout {
            regions,
            standby: None,
        },
    }
}

#[track_caller]
fn becomes(before: &str, edit: Edit, after: &str) {
    let got = ours(Some(before), std::slice::from_ref(&edit)).unwrap();
    assert_eq!(got, after, "from {before:?}");
    // The same once more changes nothing.
    assert_eq!(ours(Some(after), &[edit]).unwrap(), after);
}

#[test]
fn a_layout_is_written_in_whichever_form_the_file_has() {
    let to = || layout("web", "bog=3 gru=5");
    for (before, after) in [
        (
            "[groups.web]\ncount = 2 # two\nprotect = true\n",
            "[groups.web]\nregions = { bog = 3, gru = 5 } # two\nprotect = true\n",
        ),
        (
            "[groups.web]\nregions = [\"gru\",\n  \"bog\"] # where\n",
            "[groups.web]\nregions = { bog = 3, gru = 5 } # where\n",
        ),
        (
            "# top\n[groups.web]\n  count = 2\n  regions = [\"gru\"]\n  protect = true\n",
            "# top\n[groups.web]\n  regions = { bog = 3, gru = 5 }\n  protect = true\n",
        ),
        (
            "[groups.web]\ncount = 8\nregions = [\"gru\", \"bog\"]\n",
            "[groups.web]\ncount = 8\nregions = { bog = 3, gru = 5 }\n",
        ),
        (
            "[groups.web]\nregions = { gru = 2 , ams=1 }\n",
            "[groups.web]\nregions = { gru = 5 , bog = 3 }\n",
        ),
        (
            "[groups.web.regions]\n# south\ngru = 2\nams = 1\n\n[policy]\nmax_destroy = 1\n",
            "[groups.web.regions]\n# south\ngru = 5\nbog = 3\n\n[policy]\nmax_destroy = 1\n",
        ),
        (
            "groups.web.count = 2\ngroups.cron.count = 1\n",
            "groups.web.regions = { bog = 3, gru = 5 }\ngroups.cron.count = 1\n",
        ),
        (
            "groups.cron.count = 1\n\n[policy]\nmax_destroy = 1\n",
            "groups.cron.count = 1\ngroups.web.regions = { bog = 3, gru = 5 }\n\n[policy]\nmax_destroy = 1\n",
        ),
        (
            "[groups]\nweb.regions.gru = 2\nweb.regions.ams = 2\n",
            "[groups]\nweb.regions.gru = 5\nweb.regions.bog = 3\n",
        ),
        (
            "groups = { cron = { count = 1 } }\n",
            "groups = { cron = { count = 1 }, web.regions = { bog = 3, gru = 5 } }\n",
        ),
        (
            "groups = { web = { count = 1, protect = true } }",
            "groups = { web = { regions = { bog = 3, gru = 5 }, protect = true } }",
        ),
        (
            "[groups.cron]\n  count = 1\n\n[policy]\nmax_destroy = 1",
            "[groups.cron]\n  count = 1\n\n[groups.web]\n  regions = { bog = 3, gru = 5 }\n\n[policy]\nmax_destroy = 1",
        ),
        (
            "provider = \"local\"",
            "provider = \"local\"\n\n[groups.web]\nregions = { bog = 3, gru = 5 }\n",
        ),
        (
            "\u{feff}[groups.web]\r\ncount = 1\r\nprotect = true\r\n",
            "\u{feff}[groups.web]\r\nregions = { bog = 3, gru = 5 }\r\nprotect = true\r\n",
        ),
        (
            "[groups.cron]\r\ncount = 1\r\n",
            "[groups.cron]\r\ncount = 1\r\n\r\n[groups.web]\r\nregions = { bog = 3, gru = 5 }\r\n",
        ),
        (
            "[groups.'web']\ncount = 2\n",
            "[groups.'web']\nregions = { bog = 3, gru = 5 }\n",
        ),
    ] {
        becomes(before, to(), after);
    }
}

#[test]
fn nothing_anywhere_is_a_count_of_zero() {
    let none = || layout("web", "gru=0");
    becomes(
        "[groups.web]\ncount = 2\n",
        none(),
        "[groups.web]\ncount = 0\n",
    );
    becomes(
        "[groups.web]\nregions = { gru = 2 } # here\n",
        none(),
        "[groups.web]\ncount = 0 # here\n",
    );
    becomes(
        "[groups.web]\ncount = 2\nregions = [\"gru\"]\nprotect = false\n",
        none(),
        "[groups.web]\ncount = 0\nprotect = false\n",
    );
}

#[test]
fn without_an_aeroform_toml_there_is_one_that_names_the_provider() {
    let made = ours(None, &[layout("web", "gru=2")]).unwrap();
    assert_eq!(
        made,
        "provider = \"local\"\n\n[groups.web]\nregions = { gru = 2 }\n"
    );
}

#[test]
fn a_machine_that_is_named_again_is_named_once() {
    let machine = || MachineId::new("148ed599c14189").unwrap();
    let moved = |to| Edit::MoveMachine {
        machine: machine(),
        to: group(to),
    };
    let one = "[[moved]]\nmachine = \"148ed599c14189\"\nto = \"cron\"\n";
    becomes("", moved("cron"), one);
    becomes(
        one,
        moved("web"),
        "[[moved]]\nmachine = \"148ed599c14189\"\nto = \"web\"\n",
    );
    becomes(
        one,
        Edit::RemoveMachine { machine: machine() },
        "[[removed]]\nmachine = \"148ed599c14189\"\n",
    );
    becomes(
        "moved = [{ machine = \"aaa\", to = \"web\" }]\n",
        moved("cron"),
        "moved = [{ machine = \"aaa\", to = \"web\" }, { machine = \"148ed599c14189\", to = \"cron\" }]\n",
    );
}

#[test]
fn an_edit_that_contradicts_the_rest_is_refused_with_what_to_write() {
    let text = "[groups.web]\ncount = 1\nmax_per_region = 1\n";
    let error = ours(Some(text), &[layout("web", "gru=2")]).unwrap_err();
    assert!(matches!(&error, EditError::Invalid { change, .. } if change.contains("gru = 2")));
}
