//! How many there are, and where: the forms of `[groups.*]`.

use super::*;

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
        "[groups.web]\nregions = [ \"gru\", # one\n  \"bog\" ] # two\n",
        none(),
        "[groups.web]\n# one\ncount = 0 # two\n",
    );
    becomes(
        "[groups.web]\ncount = 2\nregions = [\"gru\"]\nprotect = false\n",
        none(),
        "[groups.web]\ncount = 0\nprotect = false\n",
    );
}

#[test]
fn without_an_aeroform_toml_there_is_one_that_names_the_provider() {
    let edited = ours(None, &[layout("web", "gru=2")]).unwrap();
    assert_eq!(
        edited,
        "provider = \"local\"\n\n[groups.web]\nregions = { gru = 2 }\n"
    );
}

#[test]
fn a_list_of_regions_gets_and_loses_names_where_it_stands() {
    let regions = |names: &str| Edit::Regions {
        group: group("web"),
        regions: names
            .split(' ')
            .map(|name| Region::new(name).unwrap())
            .collect(),
        count: None,
    };
    for (before, to, after) in [
        (
            "regions = [\"gru\", \"bog\"] # x",
            "gru bog ams",
            "regions = [\"gru\", \"bog\", \"ams\"] # x",
        ),
        (
            "regions = [\n  \"gru\", # one\n  \"bog\",\n]",
            "bog",
            "regions = [\n  \"bog\",\n]",
        ),
        ("regions = ['gru', 'bog']", "gru", "regions = ['gru']"),
        // Comments beside the remaining entries are kept.
        (
            "regions = [\n  \"gru\", # one\n  \"bog\" # two\n]",
            "gru",
            "regions = [\n  \"gru\", # one\n]",
        ),
        (
            "regions = [\n  \"gru\", \"bog\", # two\n  \"ams\" # three\n]",
            "gru ams",
            "regions = [\n  \"gru\", # two\n  \"ams\" # three\n]",
        ),
        (
            "regions = [ # all\n  \"gru\"]",
            "gru ams",
            "regions = [ # all\n  \"gru\", \"ams\"]",
        ),
        // One that has a line to itself gets company on another.
        (
            "regions = [\n\t\"gru\" # one\n]",
            "gru ams",
            "regions = [\n\t\"gru\", # one\n\t\"ams\"\n]",
        ),
        (
            "regions = [\n  \"gru\", # one\n]",
            "gru ams fra",
            "regions = [\n  \"gru\", # one\n  \"ams\",\n  \"fra\",\n]",
        ),
        ("regions = [\"gru\"]", "ams", "regions = [\"ams\"]"),
    ] {
        becomes(
            &format!("[groups.web]\ncount = 2\n{before}\n"),
            regions(to),
            &format!("[groups.web]\ncount = 2\n{after}\n"),
        );
    }
}

#[test]
fn an_edit_that_contradicts_the_rest_is_refused_with_what_to_write() {
    let text = "[groups.web]\ncount = 1\nmax_per_region = 1\n";
    let error = ours(Some(text), &[layout("web", "gru=2")]).unwrap_err();
    assert!(matches!(&error, EditError::Invalid { change, .. } if change.contains("gru = 2")));
}
