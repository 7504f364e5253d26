//! What Fly offers, what the manifests make of a Machine, and mistakes as a forge shows them.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[test]
fn sizes_and_regions_are_listed_without_a_project() {
    let sandbox = Sandbox::new();
    let head = |args: &[&str]| {
        let shown = sandbox.run(args);
        shown.lines().take(5).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(head(&["platform", "vm-sizes"]), @"
    exit 0
    --- stdout
    SIZE             CPUS            MEMORY   MAX MEMORY  A MONTH IN IAD
    shared-cpu-1x    1 shared        256 MB   2 GB        $1.94
    shared-cpu-2x    2 shared        512 MB   4 GB        $3.89
    ");
    assert_snapshot!(head(&["platform", "regions"]), @"
    exit 0
    --- stdout
    REGION  LOCATION                      PRICE
    ams     Amsterdam, Netherlands        1.04
    arn     Stockholm, Sweden             1.04
    ");
    for list in ["vm-sizes", "regions"] {
        let shown = sandbox.run(&["platform", list, "--json"]);
        assert!(
            shown.starts_with("exit 0\n--- stdout\n{\"format_version\":1,\"as_of\":"),
            "{shown}"
        );
    }
}

#[test]
fn the_config_of_a_group_is_shown_without_its_secrets() {
    let sandbox = Sandbox::with_app();
    let env = "[env]\n  LOG = \"debug\"\n  API_TOKEN = \"hunter2\"\n";
    sandbox.write("fly.toml", &format!("{}{env}", Sandbox::FLY));
    assert_snapshot!(sandbox.run(&["show", "config", "--group", "web"]), @r#"
    exit 0
    --- stdout
    {
      "env": {
        "API_TOKEN": "(hidden)",
        "FLY_PROCESS_GROUP": "web",
        "LOG": "debug",
        "PRIMARY_REGION": "ams"
      },
      "init": {
        "cmd": [
          "sleep",
          "1000"
        ]
      }
    }
    --- stderr
    warning[secret_in_env]: `API_TOKEN` looks like a secret, and anyone with this file can read it
      --> fly.toml:10:3
       |
    10 | API_TOKEN = (hidden)
       | ^^^^^^^^^
       |
       = help: set it with `fly secrets set` and remove this line

    values that look secret are hidden; `--show-secrets` shows them
    "#);
    let all = sandbox.run(&["show", "config", "--json"]);
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains(r#""groups":[{"name":"jobs","#), "{all}");
    let all = sandbox.run(&["show", "config", "--show-secrets"]);
    let printed = all.split("--- stderr\n").next().unwrap();
    assert!(
        printed.contains("hunter2") && !printed.contains("hidden"),
        "{all}"
    );
    sandbox.write("fly.toml", Sandbox::FLY);
    assert_snapshot!(sandbox.run(&["show", "config", "-g", "wbe"]), @"
    exit 1
    --- stderr
    error: there is no process group `wbe`
    hint: the groups are `jobs`, `web`
    ");
    assert!(sandbox.untouched());
}

#[test]
fn mistakes_become_annotations_of_their_lines_in_the_repository() {
    let sandbox = Sandbox::new();
    let fly =
        "app = \"shop\"\nprimary_region = \"ams\"\nkill_singal = \"SIGINT\"\n[[vm]]\ncpus = 3\n";
    sandbox.write("apps/shop/fly.toml", fly);
    sandbox.write("apps/shop/aeroform.toml", "provider = \"fly\"\n");
    let validate = ["-C", "apps/shop", "validate", "--format"];
    let on = |format| sandbox.run(&[&validate[..], &[format]].concat());
    let stdout = |format| on(format).split("--- stderr").next().unwrap().to_owned();
    assert_snapshot!(stdout("github"), @"
    exit 1
    --- stdout
    ::error file=apps/shop/fly.toml,line=5,col=8,title=impossible_size::a VM cannot have 3 shared CPUs%0Ahelp: the nearest are 2 and 4
    ::warning file=apps/shop/fly.toml,line=3,col=1,title=unknown_key::unknown key `kill_singal`: Fly ignores it%0Ahelp: did you mean `kill_signal`?
    ");
    assert_eq!(
        on("json"),
        sandbox.run(&["-C", "apps/shop", "validate", "--json"])
    );
    assert!(on("text").contains("fly.toml:5:8"));
    sandbox.write("apps/shop/fly.toml", "app = \"shop\"\n");
    assert_snapshot!(on("github"), @"
    exit 0
    --- stdout
    `fly.toml` is valid: 1 process group
    ");
}

#[test]
fn a_fly_toml_alone_is_judged_as_fly_would_until_something_is_to_run() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", "app = \"shop\"\nprimary_region = \"ams\"\n");
    assert_snapshot!(sandbox.run(&["validate"]), @"
    exit 0
    --- stdout
    `fly.toml` is valid: 1 process group
    ");
    assert_snapshot!(sandbox.run(&["show", "config"]), @r#"
    exit 0
    --- stdout
    {
      "app": {
        "env": {
          "FLY_PROCESS_GROUP": "app",
          "PRIMARY_REGION": "ams"
        }
      }
    }
    "#);
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n[[vm]]\nsize = \"shared-cpu-3x\"\n",
    );
    assert!(sandbox.run(&["validate"]).contains("is not a VM size"));
    // Whoever plans without a word on the provider has one that needs a command.
    assert!(sandbox.run(&["plan"]).contains("error[no_command]"));
    sandbox.write("aeroform.toml", "");
    assert!(sandbox.run(&["validate"]).contains("error[no_command]"));
}
