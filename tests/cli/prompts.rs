//! Questions on a real terminal: y/N, a typed name, and every way not to answer.

use crate::pty::Terminal;
use crate::sandbox::Sandbox;

fn apply(sandbox: &Sandbox) -> Terminal {
    Terminal::start(sandbox.command(&["apply"]))
}

#[test]
fn y_applies_and_enter_alone_does_not() {
    let sandbox = Sandbox::with_app();
    let mut terminal = apply(&sandbox);
    terminal.expect("Apply this plan? [y/N]");
    terminal.type_line("");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(screen.contains("nothing was changed"), "{screen}");
    assert_eq!(sandbox.machines(), 0);

    let mut terminal = apply(&sandbox);
    terminal.expect("[y/N]");
    terminal.type_line("maybe");
    terminal.expect("please answer y or n");
    terminal.expect("[y/N]");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Apply complete: 2 created."), "{screen}");
    assert_eq!(sandbox.machines(), 2);
}

#[test]
fn a_group_goes_only_when_its_name_is_typed() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    sandbox.write(
        "fly.toml",
        &Sandbox::FLY.replace("  jobs = \"sleep 1001\"\n", ""),
    );
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 1\n");

    let mut terminal = apply(&sandbox);
    terminal.expect("Type the group's name, jobs, to continue:");
    terminal.type_line("jbos");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(
        screen.contains("`jbos` is not `jobs`") && screen.contains("nothing was changed"),
        "{screen}"
    );
    assert_eq!(sandbox.machines(), 2);

    let mut terminal = apply(&sandbox);
    terminal.expect("Type the group's name, jobs, to continue:");
    terminal.type_line("jobs");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Apply complete: 1 destroyed."), "{screen}");
    assert_eq!(sandbox.machines(), 1);
}

#[test]
fn ctrl_c_at_the_question_changes_nothing_and_says_so() {
    let sandbox = Sandbox::with_app();
    let mut terminal = apply(&sandbox);
    terminal.expect("[y/N]");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(
        screen.contains("error: interrupted; nothing was changed"),
        "{screen}"
    );
    assert_eq!(sandbox.machines(), 0);
}

#[test]
fn ctrl_d_at_the_question_is_no_answer() {
    let sandbox = Sandbox::with_app();
    let mut terminal = apply(&sandbox);
    terminal.expect("[y/N]");
    terminal.end_input();
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(screen.contains("the question was not answered"), "{screen}");
}

#[test]
fn ctrl_c_while_applying_keeps_what_was_made_and_the_next_apply_does_the_rest() {
    let sandbox = Sandbox::with_app();
    // A check that never passes: the gate waits until a signal stops it.
    sandbox.write(
        "fly.toml",
        &format!(
            "{}{}",
            Sandbox::FLY,
            "\
[checks.never]
  type = \"tcp\"
  port = 9
  interval = \"2s\"
  timeout = \"1s\"
  processes = [\"web\"]
"
        ),
    );
    let mut terminal = Terminal::start(sandbox.command(&["apply", "-y", "--color=never"]));
    terminal.echo();
    // The row of the group.
    terminal.expect("0/1  waits for check");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("Apply interrupted:"), "{screen}");
    // The count belongs to the progress, which is over.
    assert!(!screen.contains("/2 done"), "{screen}");
    assert!(!screen.contains(" left"), "{screen}");
    assert!(
        sandbox
            .read("state/shop.json")
            .contains("\"outcome\": \"interrupted\"")
    );

    sandbox.write("fly.toml", Sandbox::FLY);
    sandbox.apply();
    assert_eq!(sandbox.machines(), 2);
    assert!(
        sandbox
            .run(&["plan", "--detailed-exitcode"])
            .starts_with("exit 0\n")
    );
}

#[test]
fn a_narrow_terminal_gets_narrow_lines_and_no_color_is_obeyed() {
    let sandbox = Sandbox::with_app();
    let mut command = sandbox.command(&["plan"]);
    command.env("COLUMNS", "40");
    let (code, screen) = Terminal::start(command).end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.lines().all(|line| line.chars().count() <= 40),
        "{screen}"
    );

    let colored = |extra: &[(&str, &str)]| {
        let mut command = sandbox.command(&["plan"]);
        command.envs(extra.iter().copied());
        Terminal::start(command).saw_color()
    };
    assert!(colored(&[]));
    assert!(!colored(&[("NO_COLOR", "1")]));
    assert!(!colored(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
}

/// Another run does all that the plan wants while the question waits.
#[test]
fn work_that_another_run_did_while_the_question_waited_is_named_and_not_done_again() {
    let sandbox = Sandbox::with_app();
    let mut terminal = apply(&sandbox);
    terminal.expect("[y/N]");
    sandbox.apply();
    let state = sandbox.read("state/shop.json");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("applied already: run "), "{screen}");
    assert_eq!(sandbox.machines(), 2);
    assert_eq!(sandbox.read("state/shop.json"), state);
}

/// Another run wants something else while the question waits: what is left is shown and asked again.
#[test]
fn a_plan_that_changed_while_the_question_waited_is_shown_and_asked_again() {
    let sandbox = Sandbox::with_app();
    let mut terminal = apply(&sandbox);
    terminal.expect("[y/N]");
    let wanted = sandbox.read("aeroform.toml");
    sandbox.write("aeroform.toml", &wanted.replace("count = 1", "count = 2"));
    sandbox.apply();
    terminal.type_line("y");
    terminal.expect("this is the new plan");
    terminal.expect("[y/N]");
    terminal.type_line("n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert_eq!(sandbox.machines(), 4);
}
