//! Lists on a real terminal: what is drawn, what is chosen, and that the terminal is as before however it ends.

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::json;

use crate::fly::{self, EmulatorProcess, V1};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;
use crate::single_machines::{OURS, app, ids};

const ESC: &str = "\u{1b}";
const UP: &str = "\u{1b}[A";
const DOWN: &str = "\u{1b}[B";

fn destroy(sandbox: &Sandbox, columns: u16, lines: u16) -> Terminal {
    let command = sandbox.command(&["machine", "destroy", "--force", "-y"]);
    let mut terminal = Terminal::sized(&command, columns, lines);
    terminal.until(|screen| screen.contains("started"));
    terminal
}

/// Input and outside changes while the program asks.
type Leave = fn(&mut Terminal);

/// The row that would be taken.
fn marked(screen: &str) -> &str {
    let mut rows = screen.lines().filter(|row| row.starts_with("> "));
    rows.next().unwrap_or("none")
}

#[test]
fn keys_narrow_the_list_and_choose_and_a_plan_follows() {
    let sandbox = app();
    let jobs = ids(&sandbox, "jobs").remove(0);
    let mut terminal = Terminal::sized(&sandbox.command(&["machine", "move"]), 100, 60);
    terminal.until(|screen| screen.contains("Which Machine to move?") && screen.contains("> "));
    terminal.press("web");
    // By letters here and there others may fit, too, but below those that have the word.
    terminal.until(|screen| screen.contains("move? web|") && marked(screen).contains("  web  "));
    terminal.press("\u{7f}\u{7f}\u{7f}nothing like it");
    terminal.until(|screen| screen.contains("move? nothing like it|") && marked(screen) == "none");
    terminal.press(&"\u{7f}".repeat("nothing like it".len()));
    terminal.press("jobs\r");
    terminal
        .until(|screen| screen.contains("Which group to move to?") && screen.contains("> jobs"));
    terminal.press(DOWN);
    terminal.until(|screen| marked(screen) == "> web");
    terminal.press("\r");
    terminal.expect("[y/N]");
    terminal.press("y\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Which group to move to? web"), "{screen}");
    assert!(ids(&sandbox, "web").contains(&jobs));
    let plan = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
}

#[test]
fn whatever_ends_a_list_the_terminal_is_as_before_and_nothing_is_changed() {
    let sandbox = app();
    let ways: [(&str, i32, Leave); 6] = [
        ("Esc", 6, |terminal| terminal.press(ESC)),
        ("Esc after keys", 6, |terminal| {
            terminal.press("web");
            terminal.until(|screen| screen.contains("web|"));
            terminal.press(ESC);
        }),
        ("Ctrl-C", 130, Terminal::interrupt),
        ("SIGINT", 130, |terminal| terminal.signal(Signal::INT)),
        ("SIGTERM", 130, |terminal| terminal.signal(Signal::TERM)),
        ("SIGHUP among keys", 130, |terminal| {
            terminal.press(&DOWN.repeat(20));
            terminal.signal(Signal::HUP);
        }),
    ];
    for (how, code, leave) in ways {
        let mut terminal = destroy(&sandbox, 80, 24);
        leave(&mut terminal);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{how}: {screen}");
        assert!(screen.contains("; nothing was changed"), "{how}: {screen}");
        assert_eq!(sandbox.read("aeroform.toml"), OURS, "{how}");
    }
    assert_eq!(sandbox.machines(), 3);
}

#[test]
fn what_was_typed_before_there_was_a_list_answers_nothing() {
    let sandbox = app();
    let asks = sandbox.command(&["machine", "destroy", "--force", "-y"]);
    let mut later = std::process::Command::new("sh");
    later.args(["-c", "read go; exec \"$0\" \"$@\""]);
    later.arg(asks.get_program()).args(asks.get_args());
    let set = asks
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    later.env_clear().envs(set).current_dir(sandbox.project());
    let mut terminal = Terminal::start(later);
    terminal.press("go\r\r\r");
    terminal.until(|screen| screen.contains("started"));
    terminal.press(ESC);
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert_eq!(sandbox.machines(), 3);
}

/// Three hundred Machines on the emulated platform, the last of them in a region of its own.
fn many(sandbox: &Sandbox) -> EmulatorProcess {
    sandbox.write("fly.toml", "app = \"shop\"\nprimary_region = \"ams\"\n");
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    let platform = EmulatorProcess::with_app(sandbox);
    let metadata = json!({"fly_platform_version": "v2", "fly_process_group": "app"});
    let body = json!({"region": "ams", "config": {"image": V1, "metadata": metadata}});
    for _ in 1..300 {
        let (status, created) = platform.ask("POST", "/v1/apps/shop/machines", &body);
        assert_eq!(status, 200, "{created}");
    }
    platform.deployed("app", "gru", V1);
    platform
}

#[test]
fn more_rows_than_lines_scroll_and_none_is_wider_than_the_terminal() {
    let sandbox = Sandbox::new();
    let platform = many(&sandbox);
    let listed = fly::on(&sandbox, &platform, &["machine", "list", "-q"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let ids: Vec<&str> = listed.lines().collect();
    assert_eq!(ids.len(), 300);
    let command = fly::on(&sandbox, &platform, &["machine", "destroy"]);
    for (columns, lines) in [(40, 5), (60, 24), (80, 24), (200, 50)] {
        let mut terminal = Terminal::sized(&command, columns, lines);
        let rows = usize::from(lines) - 2;
        let all = |screen: &str, first: usize, marked: usize| {
            let row = |at: usize| {
                let mark = if at == marked { "> " } else { "  " };
                format!("{mark}{}", ids[at])
            };
            let drawn: Vec<&str> = screen.lines().collect();
            drawn.len() == rows + 1
                && drawn[0].starts_with("Which Machine to destroy? ")
                && (0..rows).all(|at| drawn[at + 1].starts_with(&row(first + at)))
        };
        terminal.until(|screen| all(screen, 0, 0));
        terminal.press(UP);
        terminal.until(|screen| all(screen, 300 - rows, 299));
        terminal.press(UP);
        terminal.until(|screen| all(screen, 300 - rows, 298));
        terminal.press(&DOWN.repeat(2));
        terminal.until(|screen| all(screen, 0, 0));
        terminal.press(&DOWN.repeat(rows));
        terminal.until(|screen| all(screen, 1, rows));
        terminal.press(" gru");
        terminal.until(|screen| screen.contains(" gru|") && marked(screen).contains(ids[299]));
        if columns == 40 {
            let screen = terminal.contents().replace(ids[299], "6e82d933b7d587");
            assert_snapshot!(screen, @"
            Which Machine to destroy?  gru|
            > 6e82d933b7d587  app  gru  started
            ");
        }
        terminal.press(ESC);
        let (code, screen) = terminal.end();
        assert_eq!(code, 6, "{screen}");
    }
}

#[test]
fn a_list_is_redrawn_for_another_size_and_keeps_the_typed_text() {
    let sandbox = app();
    let mut terminal = destroy(&sandbox, 100, 24);
    terminal.press("we");
    terminal.until(|screen| screen.contains("we|"));
    terminal.resize(60, 5);
    terminal.press("b");
    terminal.until(|screen| screen.contains("destroy? web|") && marked(screen).contains("  web  "));
    terminal.press(ESC);
    assert_eq!(terminal.end().0, 6);
}

#[test]
fn a_list_without_colour_has_none_and_goes_to_standard_error() {
    let sandbox = app();
    let styled = |extra: &[(&str, &str)], args: &[&str]| {
        let mut command = sandbox.command(&[&["machine", "destroy"], args].concat());
        command.envs(extra.iter().copied());
        let mut terminal = Terminal::sized(&command, 80, 24);
        terminal.until(|screen| screen.contains("started"));
        terminal.press("web");
        terminal.until(|screen| screen.contains("web|"));
        let styled = terminal.shows(|cell| cell.bold() || cell.dim());
        terminal.press(ESC);
        assert_eq!(terminal.end().0, 6);
        styled
    };
    assert!(styled(&[], &[]));
    assert!(!styled(&[("NO_COLOR", "1")], &[]));
    assert!(!styled(&[("CLICOLOR_FORCE", "1")], &["--color=never"]));

    let mut piped = std::process::Command::new("sh");
    let command = sandbox.command(&["machine", "destroy"]);
    piped.args(["-c", "\"$0\" \"$@\" > out; exit $?"]);
    piped.arg(command.get_program()).args(command.get_args());
    let set = command
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    piped.env_clear().envs(set).current_dir(sandbox.project());
    let mut terminal = Terminal::sized(&piped, 80, 24);
    terminal.until(|screen| screen.contains("started"));
    terminal.press(ESC);
    assert_eq!(terminal.end().0, 6);
    assert_eq!(sandbox.read("out"), "");
}

#[test]
fn where_no_list_can_be_drawn_the_choices_are_listed() {
    let sandbox = app();
    let web = ids(&sandbox, "web");
    let shown = sandbox.run(&["machine", "destroy"]);
    assert!(shown.starts_with("exit 1\n"), "{shown}");
    let row = |id: &String| shown.contains(&format!("caused by: {id}  web-"));
    assert!(web.iter().all(row), "{shown}");
    assert!(shown.contains("  web   ams  started\n"), "{shown}");
    assert_snapshot!(sandbox.run(&["machine", "move", &web[0]]), @"
    exit 1
    --- stderr
    error: no group is named
      caused by: jobs
      caused by: web
    hint: use `--to GROUP`
    ");

    let dumb = |args: &[&str], columns: u16| {
        let mut command = sandbox.command(args);
        if columns == 80 {
            command.env("TERM", "dumb");
        }
        let (code, screen) = Terminal::sized(&command, columns, 24).end();
        assert_eq!(code, 1, "{screen}");
        screen
    };
    assert!(dumb(&["machine", "destroy"], 80).contains(&web[0]));
    // Too narrow to tell ids apart.
    let narrow = dumb(&["machine", "destroy"], 18);
    let words: Vec<&str> = narrow.split_whitespace().collect();
    assert!(words.join(" ").contains("no Machine is named"), "{narrow}");
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    assert_snapshot!(dumb(&["init"], 80), @"
    error: no provider is configured
      caused by: local  processes of this computer: counts are written
      caused by: fly    Machines of the app on Fly: counts stay as they are there
    hint: use `aeroform init --provider NAME`
    ");
}

#[test]
fn init_asks_where_the_machines_run_and_writes_nothing_without_an_answer() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", Sandbox::FLY);
    let init = || {
        let mut terminal = Terminal::sized(&sandbox.command(&["init"]), 80, 24);
        terminal.until(|screen| screen.contains("> local"));
        terminal
    };
    let mut terminal = init();
    assert_snapshot!(terminal.contents(), @"
    Where do the Machines run? |type to filter, ↑ ↓ and Enter choose, Esc cancels
    > local  processes of this computer: counts are written
      fly    Machines of the app on Fly: counts stay as they are there
    ");
    terminal.press(ESC);
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(!sandbox.project().join("aeroform.toml").exists());

    let mut terminal = init();
    terminal.press(DOWN);
    terminal.press("\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(sandbox.read("aeroform.toml").contains("provider = \"fly\""));

    let terminal = Terminal::start(sandbox.command(&["init"]));
    let (code, screen) = terminal.end();
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("already exists"), "{screen}");
}

#[test]
fn a_status_can_be_limited_to_a_group() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    for args in [&["status", "web"][..], &["status", "-g", "web"]] {
        let shown = sandbox.run(args);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        assert!(shown.contains("web") && !shown.contains("jobs"), "{shown}");
        assert!(!shown.contains("plan:"), "{shown}");
    }
    let json = sandbox.run(&["status", "jobs", "--json"]);
    assert!(json.contains("jobs") && !json.contains("web"), "{json}");
    let unknown = sandbox.run(&["status", "wbe"]);
    assert!(
        unknown.contains("there is no process group `wbe`"),
        "{unknown}"
    );
}
