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
    let overrides = Overrides {
        // A group without a command runs its image's, and only there is one.
        provider: (!fly.contains("processes")).then(|| "fly".to_owned()),
        ..Overrides::default()
    };
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

/// Both files after an edit, one after the other.
fn shown(fly: &str, text: Option<&str>, edit: Edit) -> String {
    let edited = match both(fly, text, &[edit]) {
        Ok(edited) => edited,
        Err(EditError::Invalid { diagnostics, .. }) => {
            let found: Vec<_> = diagnostics.iter().map(|d| &d.message).collect();
            panic!("{found:?}")
        }
        Err(error) => panic!("{error}"),
    };
    let mut shown = edited.fly.unwrap_or_else(|| "as it was\n".to_owned());
    if let Some(ours) = edited.ours {
        shown.push_str("--- aeroform.toml\n");
        shown.push_str(&ours);
    }
    shown
}

fn rename(from: &str, to: &str) -> Edit {
    Edit::RenameGroup {
        from: group(from),
        to: group(to),
    }
}

fn size(name: &str, kind: &str, cpus: u32, memory_mb: u32) -> Edit {
    Edit::Size {
        group: group(name),
        size: Size {
            cpu_kind: kind.to_owned(),
            cpus,
            memory_mb,
        },
    }
}

const WHOLE: &str = r#"# The shop.
app = "shop"

[processes]
  # serves
  web  = "bin/web"
  'cron' = "bin/cron" # at night
  worker = "bin/work"

[[services]]
  internal_port = 80
  processes = ["web"]

  [[services.ports]]
    port = 80

[[services]]
  internal_port = 81
  processes = [ "worker", 'cron' ]

[checks.alive]
  type = "tcp"
  port = 80
  processes = ["cron"]

[[vm]]
  size = "shared-cpu-1x" # small
  memory = "512mb"
  kernel_args = ["a"]
  processes = ["web", "cron"]

[[restart]]
  policy = "never"
  processes = ["cron"]

[mounts]
  source = "data"
  destination = "/data"
  processes = ["cron"]
"#;

#[test]
fn a_group_is_renamed_wherever_it_is_named() {
    let ours = "[groups.cron]\ncount = 1 # one\n\n[groups.cron.local]\ncommand = \"x\"\n\n[[moved]]\nfrom = \"old\"\nto = \"cron\"\n\n[[moved]]\nmachine = \"abc\"\nto = \"cron\"\n";
    insta::assert_snapshot!(shown(WHOLE, Some(ours), rename("cron", "night")), @r#"
    # The shop.
    app = "shop"

    [processes]
      # serves
      web  = "bin/web"
      'night' = "bin/cron" # at night
      worker = "bin/work"

    [[services]]
      internal_port = 80
      processes = ["web"]

      [[services.ports]]
        port = 80

    [[services]]
      internal_port = 81
      processes = [ "worker", 'night' ]

    [checks.alive]
      type = "tcp"
      port = 80
      processes = ["night"]

    [[vm]]
      size = "shared-cpu-1x" # small
      memory = "512mb"
      kernel_args = ["a"]
      processes = ["web", "night"]

    [[restart]]
      policy = "never"
      processes = ["night"]

    [mounts]
      source = "data"
      destination = "/data"
      processes = ["night"]
    --- aeroform.toml
    [groups.night]
    count = 1 # one

    [groups.night.local]
    command = "x"

    [[moved]]
    from = "old"
    to = "night"

    [[moved]]
    machine = "abc"
    to = "night"

    [[moved]]
    from = "cron"
    to = "night"
    "#);
}

#[test]
fn a_rename_back_takes_the_first_one_back() {
    let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\n";
    let ours = "[[moved]]\nfrom = \"worker\"\nto = \"jobs\"\n";
    insta::assert_snapshot!(shown(fly, Some(ours), rename("jobs", "worker")), @r#"
    app = "shop"
    [processes]
    web = "a"
    worker = "b"
    --- aeroform.toml
    [[moved]]
    from = "jobs"
    to = "worker"
    "#);
}

#[test]
fn sections_that_name_nobody_stay_whose_they_are() {
    let fly = "app = \"shop\"\n[processes]\nb = \"b\"\nc = \"c\"\n\n[mounts]\nsource = \"data\"\ndestination = \"/data\"\n\n[[restart]]\npolicy = \"always\"\n";
    // The default group was b; it would be a.
    insta::assert_snapshot!(shown(fly, None, rename("c", "a")), @r#"
    app = "shop"
    [processes]
    b = "b"
    a = "c"

    [mounts]
    source = "data"
    destination = "/data"
    processes = ["b"]

    [[restart]]
    policy = "always"
    processes = ["b"]
    --- aeroform.toml
    provider = "local"

    [[moved]]
    from = "c"
    to = "a"
    "#);
    let alone = "app = \"shop\"\n\n[http_service]\ninternal_port = 80\n";
    insta::assert_snapshot!(shown(alone, None, rename("app", "web")), @r#"
    app = "shop"

    [http_service]
    internal_port = 80
    processes = ["web"]

    [processes]
    web = ""
    --- aeroform.toml
    provider = "local"

    [[moved]]
    from = "app"
    to = "web"
    "#);
    let add = Edit::AddGroup {
        group: group("worker"),
        command: "bin/work --loud".to_owned(),
        count: Some(2),
    };
    insta::assert_snapshot!(shown(alone, None, add), @r#"
    app = "shop"

    [http_service]
    internal_port = 80
    processes = ["app"]

    [processes]
    app = ""
    worker = "bin/work --loud"
    --- aeroform.toml
    provider = "local"

    [groups.worker]
    count = 2
    "#);
}

#[test]
fn a_group_goes_with_what_is_its_alone() {
    let ours = "[groups.web]\ncount = 1\n\n# nightly\n[groups.cron]\ncount = 1\nprotect = false\n\n[policy]\nmax_destroy = 3\n";
    let gone = |name| Edit::RemoveGroup { group: group(name) };
    insta::assert_snapshot!(shown(WHOLE, Some(ours), gone("cron")), @r#"
    # The shop.
    app = "shop"

    [processes]
      # serves
      web  = "bin/web"
      worker = "bin/work"

    [[services]]
      internal_port = 80
      processes = ["web"]

      [[services.ports]]
        port = 80

    [[services]]
      internal_port = 81
      processes = [ "worker" ]

    [[vm]]
      size = "shared-cpu-1x" # small
      memory = "512mb"
      kernel_args = ["a"]
      processes = ["web"]
    --- aeroform.toml
    [groups.web]
    count = 1

    # nightly

    [policy]
    max_destroy = 3
    "#);
    let old = "app = \"shop\"\nprocesses = [{ name = \"a\", command = \"x\" }, { name = \"b\", command = \"y\" }]\n";
    insta::assert_snapshot!(shown(old, None, gone("b")), @r#"
    app = "shop"
    processes = [{ name = "a", command = "x" }]
    "#);
    let only = both(
        "app = \"shop\"\n[processes]\na = \"x\"\n",
        None,
        &[gone("a")],
    );
    assert!(only.is_err());
}

#[test]
fn a_size_is_whole_and_for_one_group() {
    insta::assert_snapshot!(shown(WHOLE, None, size("web", "performance", 2, 4096)), @r#"
    # The shop.
    app = "shop"

    [processes]
      # serves
      web  = "bin/web"
      'cron' = "bin/cron" # at night
      worker = "bin/work"

    [[services]]
      internal_port = 80
      processes = ["web"]

      [[services.ports]]
        port = 80

    [[services]]
      internal_port = 81
      processes = [ "worker", 'cron' ]

    [checks.alive]
      type = "tcp"
      port = 80
      processes = ["cron"]

    [[vm]]
      size = "shared-cpu-1x" # small
      memory = "512mb"
      kernel_args = ["a"]
      processes = ["cron"]

    [[vm]]
      size = "performance-2x"
      memory = "4gb"
      kernel_args = ["a"]
      processes = ["web"]

    [[restart]]
      policy = "never"
      processes = ["cron"]

    [mounts]
      source = "data"
      destination = "/data"
      processes = ["cron"]
    "#);
    insta::assert_snapshot!(shown(WHOLE, None, size("worker", "shared", 1, 1024)), @r#"
    # The shop.
    app = "shop"

    [processes]
      # serves
      web  = "bin/web"
      'cron' = "bin/cron" # at night
      worker = "bin/work"

    [[services]]
      internal_port = 80
      processes = ["web"]

      [[services.ports]]
        port = 80

    [[services]]
      internal_port = 81
      processes = [ "worker", 'cron' ]

    [checks.alive]
      type = "tcp"
      port = 80
      processes = ["cron"]

    [[vm]]
      size = "shared-cpu-1x" # small
      memory = "512mb"
      kernel_args = ["a"]
      processes = ["web", "cron"]

    [[vm]]
      size = "shared-cpu-1x"
      memory = "1gb"
      processes = ["worker"]

    [[restart]]
      policy = "never"
      processes = ["cron"]

    [mounts]
      source = "data"
      destination = "/data"
      processes = ["cron"]
    "#);
}

#[test]
fn a_size_is_written_in_the_form_that_is_there() {
    for (vm, edit, after) in [
        (
            "[[vm]]\nmemory = \"1gb\"\n",
            size("web", "shared", 1, 2048),
            "[[vm]]\nmemory = \"1gb\"\n\n[[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"2gb\"\nprocesses = [\"web\"]\n",
        ),
        (
            "[vm]\nmemory = \"1gb\"\ncpu_kind = \"shared\"\n",
            size("web", "shared", 1, 2048),
            "[[vm]]\nmemory = \"1gb\"\ncpu_kind = \"shared\"\n\n[[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"2gb\"\nprocesses = [\"web\"]\n",
        ),
        (
            "[[vm]]\ncpu_kind = \"performance\"\ncpus = 2\nmemory_mb = 4096\nprocesses = [\"web\"]\n",
            size("web", "performance", 2, 8192),
            "[[vm]]\ncpu_kind = \"performance\"\ncpus = 2\nmemory_mb = 8192\nprocesses = [\"web\"]\n",
        ),
        (
            "[[vm]]\nmemory = 512\nprocesses = [\"web\"]\n",
            size("web", "shared", 1, 1024),
            "[[vm]]\nmemory = 1024\nprocesses = [\"web\"]\nsize = \"shared-cpu-1x\"\n",
        ),
        (
            "[[vm]]\nsize = \"performance-1x\"\nprocesses = ['web']\n",
            size("web", "performance", 1, 4096),
            "[[vm]]\nsize = \"performance-1x\"\nprocesses = ['web']\nmemory = \"4gb\"\n",
        ),
    ] {
        let fly = format!("app = \"shop\"\n[processes]\nweb = \"a\"\nb = \"b\"\n\n{vm}");
        let got = shown(&fly, None, edit);
        assert!(got.ends_with(after), "{vm} became {got}");
    }
    let inline = "app = \"shop\"\nvm = { memory = \"1gb\" }\n[processes]\nweb = \"a\"\nb = \"b\"\n";
    insta::assert_snapshot!(shown(inline, None, size("b", "shared", 2, 1024)), @r#"
    app = "shop"
    vm = [{ memory = "1gb" }, { size = "shared-cpu-2x", memory = "1gb", processes = ["b"] }]
    [processes]
    web = "a"
    b = "b"
    "#);
    let only = "app = \"shop\"\n[[vm]]\nmemory = \"1gb\"\n";
    insta::assert_snapshot!(shown(only, None, size("app", "shared", 1, 2048)), @r#"
    app = "shop"
    [[vm]]
    memory = "2gb"
    size = "shared-cpu-1x"
    "#);
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
fn a_fly_json_is_left_to_people() {
    let files = Files {
        fly: SourceFile {
            path: "fly.json",
            bytes: br#"{"app": "shop"}"#,
        },
        ours_path: "aeroform.toml",
        ours: None,
        beginning: "",
    };
    let overrides = Overrides {
        provider: Some("fly".to_owned()),
        ..Overrides::default()
    };
    let before = load(files.fly, None, &overrides).desired.unwrap();
    let error = edit(
        files,
        &overrides,
        &before,
        &[size("app", "shared", 2, 1024)],
    );
    let Err(EditError::NotToml { change, .. }) = error else {
        panic!("it is edited");
    };
    insta::assert_snapshot!(change, @r#"
    [[vm]]
    size = "shared-cpu-2x"
    memory = "1gb"
    processes = ["app"]
    "#);
}
