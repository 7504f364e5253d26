//! The output of diagnostics: their number, colours and bytes.

use aeroform::core::manifest::Overrides;
use aeroform::core::view::json::validate::validate;

use crate::{numbered, on, project, rendered};

#[test]
fn a_file_with_nothing_but_warnings_loads_and_strict_makes_them_errors() {
    let fly = b"app = \"a\"\nprimary_regoin = \"gru\"\n";
    assert!(project(fly, None, &on("fly")).desired.is_some());
    let strict = Overrides {
        strict: true,
        ..on("fly")
    };
    let loaded = project(fly, None, &strict);
    assert!(loaded.desired.is_none());
    assert_eq!(loaded.diagnostics.errors(), 1);
}

/// A misspelt section comes first, without the errors that follow from it.
#[test]
fn a_misspelt_section_is_the_first_error_and_hides_those_that_follow_from_it() {
    let services: String = ["web", "api"]
        .map(|group| format!("[[services]]\ninternal_port = 80\nprocesses = [\"{group}\"]\n"))
        .concat();
    let fly = format!(
        "app = \"a\"\nfoo = 1\n{services}[proceses]\nweb = \"bin/web\"\napi = \"bin/api\"\n"
    );
    let aeroform = "[groups.web]\ncount = 2\n[groups.api]\ncount = 1\n";
    for provider in ["fly", "local"] {
        let loaded = project(fly.as_bytes(), Some(aeroform.as_bytes()), &on(provider));
        assert!(loaded.desired.is_none());
        assert_eq!(loaded.diagnostics.errors(), 1, "{}", rendered(&loaded));
        let first = loaded.diagnostics.iter().next().unwrap();
        assert_eq!(first.help.as_deref(), Some("did you mean `processes`?"));
    }
    // Without an error that follows from it, it stays a warning.
    let alone = b"app = \"a\"\n[proceses]\nweb = \"bin/web\"\n";
    let loaded = project(alone, None, &on("fly"));
    assert_eq!(loaded.diagnostics.errors(), 0, "{}", rendered(&loaded));
}

#[test]
fn twenty_are_shown_and_the_rest_is_counted() {
    let lines: String = numbered(30, |n| format!("x{n} = 1\n"));
    let fly = format!("app = 1\n{lines}");
    let text = rendered(&project(fly.as_bytes(), None, &on("fly")));
    assert_eq!(text.matches("--> fly.toml").count(), 20);
    assert!(
        text.ends_with("… and 11 more: 1 error, 30 warnings\n"),
        "{text}"
    );
    assert!(text.starts_with("error[wrong_type]"), "{text}");
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let messages = |bytes: &[u8]| rendered(&project(bytes, None, &on("fly")));
    insta::assert_snapshot!(messages(b"app = \"a\"\n# caf\xe9\n"), @"
    error[not_utf8]: the file is not valid UTF-8
     --> fly.toml:2:6
      |
    2 | # caf�
      |      ^ byte 0xe9
      |
      = help: save the file as UTF-8
    ");
    insta::assert_snapshot!(messages(b"\xff\xfea\0p\0p\0"), @r"
    error[not_utf8]: the file is UTF-16, and TOML is UTF-8
     --> fly.toml:1:1
      |
    1 | ��a\u{0}p\u{0}p\u{0}
      | ^ byte 0xff
      |
      = help: save the file as UTF-8
    ");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let loaded = project(
        b"\xef\xbb\xbfapp = \"a\"\r\n[env]\r\nX = \"1\"\r\n",
        None,
        &on("fly"),
    );
    assert!(loaded.diagnostics.is_empty(), "{}", rendered(&loaded));
    assert_eq!(loaded.desired.unwrap().app.as_str(), "a");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let loaded = project(b"app = 1\nx = 2\n", None, &on("fly"));
    let mut coloured = String::new();
    aeroform::core::view::diagnostics::render(&loaded.diagnostics, true, 100, &mut coloured)
        .unwrap();
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        rendered(&loaded)
    );
}

#[test]
fn programs_get_the_same_as_people_the_other_places_included() {
    let service = |group: &str| {
        format!(
            "[[services]]\ninternal_port = 80\nprocesses = [\"{group}\"]\n\
             [[services.ports]]\nport = 443\n"
        )
    };
    let groups = "[processes]\nweb = \"bin/web\"\napi = \"bin/api\"\n";
    let fly = format!("app = \"a\"\n{groups}{}{}", service("web"), service("api"));
    let loaded = project(fly.as_bytes(), None, &on("fly"));
    let messages = validate(loaded.diagnostics.iter().map(Into::into).collect());
    insta::assert_snapshot!(serde_json::to_string_pretty(&messages).unwrap(), @r#"
    {
      "format_version": 1,
      "valid": true,
      "diagnostics": [
        {
          "severity": "warning",
          "code": "port_of_two_groups",
          "message": "port 443 is served by `web` and `api`: Fly Proxy balances between them",
          "label": "here",
          "file": "fly.toml",
          "line": 14,
          "column": 8,
          "also": [
            {
              "label": "and here",
              "file": "fly.toml",
              "line": 9,
              "column": 8
            }
          ],
          "help": "give one of them another port, unless both should answer"
        }
      ]
    }
    "#);
}

#[test]
fn the_line_for_a_shell_is_written_as_the_command_was() {
    for (text, line) in [
        (
            "app = \"a\"\n[processes]\nweb = \"a && b\"\n",
            "web = \"sh -c 'a && b'\"",
        ),
        (
            "app = \"a\"\n[[processes]]\nname = \"web\"\ncommand = \"a && b\"\n",
            "command = \"sh -c 'a && b'\"",
        ),
    ] {
        let messages = rendered(&project(text.as_bytes(), None, &on("fly")));
        assert!(
            messages.contains(&format!("in a shell: {line}")),
            "{messages}"
        );
    }
}
