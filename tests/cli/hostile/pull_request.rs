//! A manifest of a pull request reads nothing that it is not to read, and shows nothing of it.

use std::process::Command;

use crate::sandbox::Sandbox;

const SECRET: &str = "aZ3kQ9xW7vB1nR5tY8wL0pQ2";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n[processes]\nweb = \"sleep 1000\"\n",
    );
    sandbox.write(
        ".git/config",
        &format!("[http]\n\textraheader = {SECRET}\n"),
    );
    sandbox.write(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.write(".env", &format!("DB_PW={SECRET}\nOTHER = \"{SECRET}\"\n"));
    sandbox
}

fn all(sandbox: &Sandbox) -> String {
    let commands: [&[&str]; 6] = [
        &["validate"],
        &["validate", "--json"],
        &["validate", "--format", "github"],
        &["plan"],
        &["plan", "--refresh=false", "--json"],
        &["show", "config"],
    ];
    commands.map(|args| sandbox.run(args)).concat()
}

/// Holds rule 38.
#[test]
fn no_path_leads_into_the_folder_of_git() {
    let link = |sandbox: &Sandbox, target: &str, name: &str| {
        std::os::unix::fs::symlink(target, sandbox.project().join(name)).unwrap();
    };
    for path in [
        ".git/config",
        ".GIT/config",
        "./x/../.git/config",
        "sub/.git/config",
        "folder/config",
        "file.toml",
    ] {
        let files = format!(
            "app = \"shop\"\n[processes]\nweb = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"{path}\"\n"
        );
        for (file, text) in [
            ("aeroform.toml", format!("config = \"{path}\"\n")),
            ("aeroform.toml", format!("[state]\npath = \"{path}\"\n")),
            ("fly.toml", files),
            (
                "fly.toml",
                format!("app = \"shop\"\n[experimental]\nmachine_config = \"{path}\"\n"),
            ),
        ] {
            let sandbox = sandbox();
            sandbox.write("x/y", "");
            sandbox.write("sub/.git/config", SECRET);
            link(&sandbox, ".git", "folder");
            link(&sandbox, ".git/config", "file.toml");
            sandbox.write(file, &text);
            let shown = all(&sandbox);
            assert!(!shown.contains(&SECRET[..16]), "{path} {text}\n{shown}");
            let refused = sandbox.run(&["plan"]);
            assert!(refused.starts_with("exit 1\n"), "{path} {text}\n{refused}");
            let why = refused.contains("in a `.git` folder") || path.contains("x/..");
            assert!(why, "{path} {text}\n{refused}");
        }
    }
}

#[test]
fn folders_that_are_only_called_alike_are_no_folder_of_git() {
    for path in [".github/app.toml", ".gitignore.toml", "x.git/app.toml"] {
        let sandbox = sandbox();
        sandbox.write(path, "app = \"shop\"\n[processes]\nweb = \"sleep 1\"\n");
        sandbox.write("aeroform.toml", &format!("config = \"{path}\"\n"));
        let shown = sandbox.run(&["validate"]);
        assert!(shown.starts_with("exit 0\n"), "{path}: {shown}");
    }
}

#[test]
fn a_file_that_git_ignores_is_named_in_a_warning() {
    let sandbox = sandbox();
    let file = "app = \"shop\"\n[processes]\nweb = \"sleep 1\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \".env\"\n";
    sandbox.write("fly.toml", file);
    let warning = "`.env` is ignored by git and would be sent to the Machines";
    assert!(!all(&sandbox).contains(warning), "nothing ignores it");
    sandbox.write(".gitignore", ".env\n");
    let shown = all(&sandbox);
    assert_eq!(shown.matches(warning).count(), 7, "{shown}");
    assert!(!shown.contains(&SECRET[..16]), "{shown}");
    sandbox.write(".gitignore", "");
    sandbox.write(".git/info/exclude", ".env\n");
    assert!(sandbox.run(&["validate"]).contains(warning));
    // A link has another name and the same content.
    std::os::unix::fs::symlink(".env", sandbox.project().join("settings.txt")).unwrap();
    sandbox.write("fly.toml", &file.replace("\".env\"", "\"settings.txt\""));
    assert!(
        sandbox
            .run(&["validate"])
            .contains("`settings.txt` is ignored by git")
    );
}

#[test]
fn a_file_that_is_no_manifest_by_its_name_is_never_quoted() {
    for (name, text) in [
        (".env", format!("DB_PW={SECRET}\n")),
        (".env", format!("DB_PW = \"{SECRET}\"\n{SECRET} = 1\n")),
        ("id_rsa", format!("-----BEGIN KEY-----\n{SECRET}\n")),
        (
            ".secrets.toml",
            format!("[default]\nsomething = \"{SECRET}\"\nkill_timeout = \"{SECRET}\"\n"),
        ),
        (
            "credentials.json",
            format!("{{\"{SECRET}\": 1, \"kill_signal\": [\"{SECRET}\"]}}"),
        ),
        ("config.ini", format!("a = {SECRET}\n")),
    ] {
        let sandbox = sandbox();
        sandbox.write(name, &text);
        for aeroform in [
            format!("config = \"{name}\"\n"),
            format!("[state]\npath = \"{name}\"\n"),
        ] {
            sandbox.write("aeroform.toml", &aeroform);
            let shown = all(&sandbox);
            assert!(!shown.contains(&SECRET[..16]), "{name}\n{shown}");
        }
        sandbox.write("aeroform.toml", &format!("config = \"{name}\"\n"));
        let shown = sandbox.run(&["validate"]);
        assert!(
            shown.starts_with("exit 1\n") && shown.contains(name),
            "{name}\n{shown}"
        );
    }
}

#[test]
fn a_machine_config_that_is_another_file_is_not_quoted() {
    let sandbox = sandbox();
    sandbox.write(
        "other.json",
        &format!("{{\"guest\": \"{SECRET}\", \"env\": [\"{SECRET}\"]}}"),
    );
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n[experimental]\nmachine_config = \"other.json\"\n",
    );
    let shown = all(&sandbox);
    assert!(shown.contains("is not a Machine config"), "{shown}");
    assert!(!shown.contains(&SECRET[..16]), "{shown}");
}

/// What a manifest names is never run, and no address in it gets a token.
/// Holds rule 38.
#[test]
fn a_manifest_starts_no_process_and_names_no_host() {
    let sandbox = sandbox();
    let marker = sandbox.project().join("ran");
    let shown = marker.display();
    sandbox.write(
        "fly.toml",
        &format!("app = \"shop\"\n[processes]\nweb = \"touch {shown}\"\n[deploy]\nrelease_command = \"touch {shown}\"\n"),
    );
    sandbox.write(
        "aeroform.toml",
        &format!("provider = \"./touch\"\n[state]\nurl = \"https://evil.example/{shown}\"\n"),
    );
    let _ = all(&sandbox);
    let offline = Command::new("true").status();
    assert!(offline.is_ok());
    assert!(!marker.exists());
}
