//! docs/from-flyctl.md, the lines about one Machine: each is run, and writes and plans what it says.

use std::path::Path;

use crate::fly::{EmulatorProcess, V1, on, run};
use crate::sandbox::Sandbox;

const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[processes]
  web = \"bin/web\"
  jobs = \"bin/jobs\"
";

/// One line of the table.
struct CommandRow {
    here: String,
    /// What aeroform.toml says then; nothing where it stays as it is.
    writes: Vec<String>,
    /// What the plan says; nothing where there is none.
    plans: Vec<String>,
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<String> {
    let parts = cell.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

fn rows() -> Vec<CommandRow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/from-flyctl.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, section) = page.split_once("\n## One Machine\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            CommandRow {
                here: quoted(cells[1]).remove(0),
                writes: quoted(cells[2]),
                plans: quoted(cells[3]),
            }
        })
        .collect()
}

#[test]
fn each_line_about_one_machine_does_what_the_page_says() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let ours = format!(
        "provider = \"fly\"\nimage = \"{V1}\"\n\n[groups.web]\ncount = 2\n\n[groups.jobs]\ncount = 1\n"
    );
    sandbox.write("aeroform.toml", &ours);
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let listed = on(&sandbox, &platform, &["machine", "list", "-q", "-g", "web"]);
    let listed = { listed }.output().unwrap();
    let id = String::from_utf8(listed.stdout).unwrap();
    let id = id.lines().next().unwrap();
    let rows = rows();
    assert!(rows.len() > 10);
    for row in rows {
        let words = row.here.replace("ID", id);
        let mut words: Vec<&str> = words.split(' ').skip(1).collect();
        let plans = !row.plans.is_empty();
        if !row.writes.is_empty() {
            words.push("--plan-only");
        }
        let shown = run(&sandbox, &platform, &words);
        // Without a terminal a plan is shown and not carried out.
        let ended = if plans && row.writes.is_empty() {
            "exit 6\n"
        } else {
            "exit 0\n"
        };
        assert!(shown.starts_with(ended), "{}: {shown}", row.here);
        for text in row.writes.iter().chain(&row.plans) {
            assert!(shown.contains(text), "{}: no `{text}` in {shown}", row.here);
        }
        assert_eq!(sandbox.read("aeroform.toml"), ours, "{}", row.here);
        let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
        assert!(plan.starts_with("exit 0\n"), "{}: {plan}", row.here);
    }
}
