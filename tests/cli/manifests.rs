//! init, validate, and what a project's files may and may not say.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[test]
fn init_writes_counts_for_local_machines_and_refuses_to_overwrite() {
    let sandbox = Sandbox::new();
    let service = "[http_service]\n  internal_port = 8080\n  processes = [\"web\"]\n";
    sandbox.write("fly.toml", &format!("{}{service}", Sandbox::FLY));
    assert_snapshot!(sandbox.run(&["init"]), @r"
    exit 0
    --- stdout
    wrote `aeroform.toml`, `.gitignore` and `aeroform.schema.json`
    --- stderr
    next: run `aeroform plan`
    ");
    assert_snapshot!(sandbox.read("aeroform.toml"), @r#"
    #:schema ./aeroform.schema.json
    # What fly.toml cannot say: how many Machines of each process group run, and where.

    provider = "local"

    [groups.jobs]
    count = 1  # Fly adds a stopped standby: `standby = true`

    [groups.web]
    count = 2  # Fly's own choice for a group with a service
    "#);
    assert_eq!(sandbox.read(".gitignore"), "/state/\n");
    assert!(sandbox.run(&["validate"]).starts_with("exit 0\n"));
    assert_snapshot!(sandbox.run(&["init"]), @r"
    exit 1
    --- stderr
    error: `aeroform.toml` already exists
    hint: edit it, or move it first; nothing was written
    ");
}

#[test]
fn a_folder_stands_for_the_fly_toml_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("deploy/fly.toml", Sandbox::FLY);
    assert_snapshot!(sandbox.run(&["-c", "deploy", "validate"]), @"
    exit 0
    --- stdout
    `deploy/fly.toml` is valid: 2 process groups
    ");
}

/// Holds rule 7.
#[test]
fn init_for_fly_writes_no_counts_and_keeps_the_state_in_git() {
    let sandbox = Sandbox::new();
    sandbox.write("deploy/fly.staging.toml", Sandbox::FLY);
    sandbox.write("deploy/.gitignore", "/tmp/");
    let init = [
        "init",
        "--provider",
        "fly",
        "-c",
        "deploy/fly.staging.toml",
        "--json",
    ];
    assert_snapshot!(sandbox.run(&init), @r#"
    exit 0
    --- stdout
    {"format_version":1,"app":"shop","written":["deploy/aeroform.staging.toml","deploy/.gitignore","deploy/aeroform.schema.json"]}
    "#);
    assert_snapshot!(sandbox.read("deploy/aeroform.staging.toml"), @r#"
    #:schema ./aeroform.schema.json
    # What fly.toml cannot say: how many Machines of each process group run, and where.

    provider = "fly"
    "#);
    assert_snapshot!(sandbox.read("deploy/.gitignore"), @r"
    /tmp/
    /state/.*.lock
    /state/*.unpublished*
    ");
    assert!(
        sandbox
            .run(&["-C", "deploy", "-c", "fly.staging.toml", "validate"])
            .starts_with("exit 0\n")
    );
}

#[test]
fn a_mistake_is_shown_with_its_place_and_ends_in_exit_1() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "aeroform.toml",
        "[groups.wbe]\ncount = 1\n\n[groups.web]\ncuont = 2\n",
    );
    assert_snapshot!(sandbox.run(&["validate"]), @r"
    exit 1
    --- stderr
    error[undefined_group]: [groups] has settings for `wbe`, which is not a process group of fly.toml
     --> aeroform.toml:1:9
      |
    1 | [groups.wbe]
      |         ^^^ no such group
      |
      = help: did you mean `web`?

    error[unknown_key]: unknown key `cuont` in `groups.web`
     --> aeroform.toml:5:1
      |
    5 | cuont = 2
      | ^^^^^
      |
      = help: did you mean `count`?

    error: cannot parse `aeroform.toml`: 2 errors
    ");
    assert_snapshot!(sandbox.run(&["validate", "--json"]), @r#"
    exit 1
    --- stdout
    {"format_version":1,"valid":false,"diagnostics":[{"severity":"error","code":"undefined_group","message":"[groups] has settings for `wbe`, which is not a process group of fly.toml","label":"no such group","file":"aeroform.toml","line":1,"column":9,"help":"did you mean `web`?"},{"severity":"error","code":"unknown_key","message":"unknown key `cuont` in `groups.web`","file":"aeroform.toml","line":5,"column":1,"help":"did you mean `count`?"}]}
    "#);
    assert!(sandbox.run(&["plan"]).starts_with("exit 1\n"));
}

#[test]
fn an_unknown_key_of_fly_toml_is_a_warning_and_with_strict_an_error() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "fly.toml",
        &format!("kill_singal = \"SIGINT\"\n{}", Sandbox::FLY),
    );
    assert_snapshot!(sandbox.run(&["validate"]), @r#"
    exit 0
    --- stdout
    `fly.toml` is valid: 2 process groups
    --- stderr
    warning[unknown_key]: unknown key `kill_singal`: Fly ignores it
     --> fly.toml:1:1
      |
    1 | kill_singal = "SIGINT"
      | ^^^^^^^^^^^
      |
      = help: did you mean `kill_signal`?
    "#);
    assert!(
        sandbox
            .run(&["validate", "--strict"])
            .starts_with("exit 1\n")
    );
}

#[test]
fn a_plan_of_broken_manifests_says_where_to_programs_too() {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", "[groups.web]\ncuont = 1\n");
    let output = sandbox.command(&["plan", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &document["error"];
    assert_eq!(error["code"], "invalid_manifest");
    let first = &error["diagnostics"][0];
    assert_eq!(first["code"], "unknown_key", "{document}");
    assert_eq!(
        (first["line"].as_u64(), first["column"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(first["file"], "aeroform.toml");
}

#[test]
fn a_manifest_in_another_format_gets_a_hint_for_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.json",
        r#"{"app": "shop", "processes": {"web": "sleep 1000"}}"#,
    );
    assert_snapshot!(sandbox.run(&["validate"]), @r#"
    exit 1
    --- stderr
    error: there is no `fly.toml`
    hint: name the one that is there: `aeroform -c fly.json …`, or `config = "fly.json"` in aeroform.toml
    "#);
    assert!(
        sandbox
            .run(&["validate", "-c", "fly.json"])
            .starts_with("exit 0")
    );
}

#[test]
fn a_folder_without_fly_toml_says_what_to_do() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["plan"]), @r"
    exit 1
    --- stderr
    error: there is no `fly.toml`
    hint: run in the folder of fly.toml, or name it: `aeroform -C DIR …`, `aeroform -c FILE …`
    ");
    assert_snapshot!(sandbox.run(&["plan", "--json"]), @r#"
    exit 1
    --- stdout
    {"format_version":1,"error":{"code":"no_fly_toml","message":"there is no `fly.toml`","causes":[],"hint":"run in the folder of fly.toml, or name it: `aeroform -C DIR …`, `aeroform -c FILE …`","exit":1}}
    --- stderr
    error: there is no `fly.toml`
    hint: run in the folder of fly.toml, or name it: `aeroform -C DIR …`, `aeroform -c FILE …`
    "#);
    assert_snapshot!(sandbox.run(&["status", "-c", "other/fly.toml"]), @r"
    exit 1
    --- stderr
    error: there is no `other/fly.toml`
    hint: run in the folder of fly.toml, or name it: `aeroform -C DIR …`, `aeroform -c FILE …`; or name the app: `aeroform -c other/fly.toml -a NAME --provider fly …`
    ");
}

/// Holds rule 38.
#[test]
fn nothing_outside_the_project_is_read() {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", "config = \"../../../etc/hostname\"\n");
    assert_snapshot!(sandbox.run(&["validate"]), @r"
    exit 1
    --- stderr
    error: `../../../etc/hostname` is outside the project
      caused by: the project is `[ROOT]/project`
    hint: a manifest can only name files in its project; a flag can name any file: `aeroform -c ../../../etc/hostname …`
    ");
    sandbox.write("aeroform.toml", "[state]\npath = \"/etc/passwd\"\n");
    assert_snapshot!(sandbox.run(&["plan"]), @r"
    exit 1
    --- stderr
    error: `/etc/passwd` is outside the project
      caused by: the project is `[ROOT]/project`
    hint: a manifest can only name files in its project; a flag can name any file
    ");
}

#[test]
fn providers_that_are_not_here_are_named() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["status", "--provider", "loco"]), @r"
    exit 1
    --- stderr
    error: there is no provider `loco`
    hint: the providers are `local` and `fly`
    ");
    assert_snapshot!(sandbox.run(&["status", "--provider", "fly"]), @r"
    exit 1
    --- stderr
    error: no token for Fly is set
    hint: `export FLY_API_TOKEN=$(fly auth token)`; in a pipeline, the output of `fly tokens create deploy`
    ");
}

#[test]
fn the_schema_that_init_names_is_there_and_a_file_of_another_kind_stays() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", Sandbox::FLY);
    assert!(sandbox.run(&["init"]).starts_with("exit 0\n"));
    let settings = sandbox.read("aeroform.toml");
    let named = settings
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("#:schema "));
    let path = sandbox
        .project()
        .join(named.expect("the first line names the schema"));
    let schema = std::fs::read_to_string(&path).unwrap();
    let published = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/schemas/aeroform.schema.json"
    );
    assert_eq!(schema, std::fs::read_to_string(published).unwrap());

    let again = |there: &str| {
        std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
        sandbox.write("aeroform.schema.json", there);
        let shown = sandbox.run(&["init"]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        (
            shown.contains("aeroform.schema.json"),
            std::fs::read_to_string(&path).unwrap(),
        )
    };
    assert_eq!(again(&schema), (false, schema.clone()), "nothing to write");
    let older = "{\"title\": \"aeroform.toml\"}";
    assert_eq!(again(older), (true, schema), "one of another version");
    let other = "{\"title\": \"another\"}";
    assert_eq!(
        again(other),
        (false, other.to_owned()),
        "somebody's own file"
    );
}
