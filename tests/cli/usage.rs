//! What happens before any work: help, versions, mistakes on the command line.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[test]
fn a_mistyped_verb_or_flag_is_a_usage_error_that_suggests_the_right_one() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["plna"]), @"
    exit 64
    --- stderr
    error: unrecognized subcommand 'plna'

      tip: some similar subcommands exist: 'platform', 'plan'

    Usage: aeroform [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["plan", "--refesh=false"]), @r"
    exit 64
    --- stderr
    error: unexpected argument '--refesh' found

      tip: a similar argument exists: '--refresh'

    Usage: aeroform plan --refresh[=<BOOL>]

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["apply", "--allow-destroy=web:two"]), @r"
    exit 64
    --- stderr
    error: invalid value 'web:two' for '--allow-destroy <GROUP[:CEILING],…>': `two` is not a number of Machines

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["apply", "--lock-timeout", "soon"]), @"
    exit 64
    --- stderr
    error: invalid value 'soon' for '--lock-timeout <DURATION>': expected a duration such as 30s, 5m or 1h30m

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["status", "--app", "My_Shop"]), @r"
    exit 64
    --- stderr
    error: invalid value 'My_Shop' for '--app <NAME>': use lower-case letters, digits and dashes, fewer than 63 characters

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["plan", "-q", "-v"]), @r"
    exit 64
    --- stderr
    error: the argument '--quiet' cannot be used with '--verbose'

    Usage: aeroform plan --quiet

    For more information, try '--help'.
    ");
}

#[test]
fn without_a_verb_the_help_is_shown_and_the_exit_code_says_usage() {
    let shown = Sandbox::new().run(&[]);
    assert!(
        shown.starts_with("exit 64\n--- stderr\nPlan and apply for process groups"),
        "{shown}"
    );
}

#[test]
fn help_and_version_are_data_and_exit_zero() {
    let sandbox = Sandbox::new();
    assert!(
        sandbox
            .run(&["--help"])
            .starts_with("exit 0\n--- stdout\nPlan and apply")
    );
    assert!(
        sandbox
            .run(&["plan", "-h"])
            .starts_with("exit 0\n--- stdout\nShow what apply")
    );
    assert_eq!(sandbox.run(&["--version"]), sandbox.run(&["version"]));
    assert_snapshot!(sandbox.run(&["version", "--json"]), @r#"
    exit 0
    --- stdout
    {"format_version":1,"name":"aeroform","version":"0.1.0"}
    "#);
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let shown = Sandbox::new().run(&["completions", shell]);
        assert!(
            shown.starts_with("exit 0\n--- stdout\n") && shown.contains("aeroform"),
            "{shell}"
        );
        assert!(!shown.contains("__supervise"), "{shell}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["man", "share/man1"]), @"
    exit 0
    --- stderr
    wrote the man pages to `share/man1`
    ");
    let read = |page: &str| sandbox.read(&format!("share/man1/{page}"));
    assert!(read("aeroform.1").contains("aeroform\\-apply(1)"));
    assert!(read("aeroform-scale-count.1").contains("Examples:"));
    let unwritable = sandbox.run(&["man", "share/man1/aeroform.1"]);
    assert!(
        unwritable.contains("error: cannot write `share/man1/aeroform.1`"),
        "{unwritable}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    assert_snapshot!(Sandbox::new().run(&["-C", "nowhere", "status"]), @r"
    exit 1
    --- stderr
    error: cannot change to folder `nowhere`
      caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(sandbox.show(&output), "exit 0\n");
}

#[test]
fn data_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = sandbox.command(&["version"]).stdout(full).output().unwrap();
    assert_snapshot!(sandbox.show(&output), @r"
    exit 1
    --- stderr
    error: cannot write to standard output
      caused by: No space left on device (os error 28)
    ");
}

#[test]
fn a_verb_of_flyctl_or_terraform_gets_the_equivalent_as_a_hint() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["deploy"]), @"
    exit 64
    --- stderr
    error: unrecognized subcommand 'deploy'

      tip: in aeroform: `aeroform apply --image REF`, with a built image

    Usage: aeroform [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["secrets", "set", "A=b"]), @"
    exit 64
    --- stderr
    error: unrecognized subcommand 'secrets'

      tip: in aeroform: `fly secrets`, then `aeroform restart`

    Usage: aeroform [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    let below = sandbox.run(&["machine", "deploy"]);
    assert!(!below.contains("in aeroform:"), "{below}");
}

#[test]
fn an_image_that_a_variable_left_empty_is_refused_before_anything_is_planned() {
    let sandbox = Sandbox::with_app();
    for image in [
        "",
        "registry.example/shop:",
        "registry.example/shop@",
        "my shop",
    ] {
        let run = sandbox.run(&["plan", "--image", image]);
        assert!(run.starts_with("exit 64"), "{run}");
        assert!(run.contains("not an image reference"), "{run}");
    }
}

#[test]
fn every_printed_command_has_the_flags_in_use() {
    let sandbox = crate::sandbox::Sandbox::with_app();
    let flags = ["-c", "fly.toml", "-a", "shop-2", "--provider", "local"];
    let run = |verb: &[&str]| sandbox.run(&[&flags, verb].concat());
    let begun = "`aeroform -c fly.toml -a shop-2 --provider local";
    let status = run(&["status"]);
    assert!(status.contains(&format!("{begun} plan` shows")), "{status}");
    let unknown = run(&["machine", "status", "nobody"]);
    assert!(
        unknown.contains(&format!("hint: {begun} machine list`")),
        "{unknown}"
    );
    let document = run(&["machine", "status", "nobody", "--json"]);
    assert!(
        document.contains(&format!("\"hint\":\"{begun} machine list`")),
        "{document}"
    );
}

#[test]
fn a_wrong_output_format_is_refused_with_the_names_of_all_formats() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["plan", "--format", "yaml"]), @"
    exit 64
    --- stderr
    error: invalid value 'yaml' for '--format <FORMAT>'
      [possible values: text, json, markdown, github, gitlab]

    For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["validate", "--format", "yaml"]), @"
    exit 64
    --- stderr
    error: invalid value 'yaml' for '--format <FORMAT>'
      [possible values: text, json, github]

    For more information, try '--help'.
    ");
}

#[test]
fn json_is_the_short_form_of_format_json_on_every_command() {
    let mut found = 0;
    let mut commands = vec![aeroform::cli::args::command()];
    while let Some(command) = commands.pop() {
        let has = |id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
        assert_eq!(has("json"), has("format"), "{}", command.get_name());
        found += usize::from(has("format"));
        commands.extend(command.get_subcommands().cloned());
    }
    assert!(found > 40, "{found} commands have --format");
    let sandbox = Sandbox::with_app();
    for verb in ["version", "validate", "plan", "status", "unlock"] {
        let long = sandbox.run(&[verb, "--format", "json"]);
        assert_eq!(long, sandbox.run(&[verb, "--json"]), "{verb}");
        assert!(long.contains("{\"format_version\":1,"), "{verb}: {long}");
    }
}

#[test]
fn verbs_that_name_what_they_change_take_no_filter() {
    let sandbox = Sandbox::with_app();
    for (words, said) in [
        (
            &["destroy", "--process-groups", "web"][..],
            "`destroy` takes no filter",
        ),
        (
            &["plan", "--destroy", "--regions", "ams"],
            "`plan --destroy` takes no filter",
        ),
        (
            &["machine", "replace", "d1", "--only-machines", "d1"],
            "it takes only `--exclude-machines`",
        ),
    ] {
        let shown = sandbox.run(words);
        assert!(shown.starts_with("exit 64\n"), "{words:?}: {shown}");
        assert!(shown.contains(said), "{words:?}: {shown}");
    }
}

#[test]
fn a_part_of_an_app_is_applied_and_the_rest_is_still_to_do() {
    let sandbox = Sandbox::with_app();
    let some = sandbox.run(&["apply", "-y", "--process-groups", "jobs"]);
    assert!(some.starts_with("exit 0\n"), "{some}");
    assert!(
        some.contains("left out: 1 to create in web (--process-groups jobs)"),
        "{some}"
    );
    assert_eq!(sandbox.machines(), 1);
    let detailed = ["plan", "--detailed-exitcode", "--process-groups", "jobs"];
    let nothing = sandbox.run(&detailed);
    assert!(nothing.starts_with("exit 0\n"), "{nothing}");
    assert!(
        nothing.contains("No changes within the filters."),
        "{nothing}"
    );
    let rest = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(rest.starts_with("exit 2\n"), "{rest}");
    sandbox.apply();
    assert_eq!(sandbox.machines(), 2);
    let replaced = sandbox.run(&["plan", "--restart", "web", "--process-groups", "jobs"]);
    assert!(replaced.starts_with("exit 64\n"), "{replaced}");
}
