//! The command of a Dockerfile's image, for a hint.

/// The command of the last stage as one line for fly.toml or aeroform.toml.
pub(super) fn find_command(text: &str) -> Option<String> {
    let (mut entrypoint, mut cmd) = (None, None);
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    while let Some(line) = lines.next() {
        let mut line = line.to_owned();
        while let Some(start) = line.strip_suffix('\\') {
            line = format!("{} {}", start.trim_end(), lines.next().unwrap_or_default());
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        match word.to_ascii_uppercase().as_str() {
            "FROM" => (entrypoint, cmd) = (None, None),
            "ENTRYPOINT" => entrypoint = Some(command_words(rest)),
            "CMD" => cmd = Some(command_words(rest)),
            _ => {}
        }
    }
    let parts: Vec<String> = entrypoint.into_iter().chain(cmd).flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The exec form is a JSON list; the shell form gets a shell if it needs one.
fn command_words(text: &str) -> Vec<String> {
    let text = text.trim();
    if let Ok(words) = serde_json::from_str::<Vec<String>>(text) {
        return words.iter().map(|word| quoted(word)).collect();
    }
    if text.contains(['&', '|', ';', '<', '>', '$', '*', '`', '(']) {
        return vec!["sh".to_owned(), "-c".to_owned(), quoted(text)];
    }
    vec![text.to_owned()]
}

/// A word quoted for the splitter.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '\'', '"', '\\', '#']) {
        return word.to_owned();
    }
    if !word.contains('\'') {
        return format!("'{word}'");
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stages_command_is_found_in_both_forms() {
        for (text, found) in [
            (
                "FROM a\nCMD [\"node\", \"server.js\"]",
                Some("node server.js"),
            ),
            ("FROM a\nCMD npm start", Some("npm start")),
            (
                "FROM a\ncmd exec gunicorn $APP",
                Some("sh -c 'exec gunicorn $APP'"),
            ),
            ("FROM a\nCMD [\"x\"]\nFROM b\nRUN y", None),
            (
                "FROM a\nENTRYPOINT [\"/in\"]\nCMD [\"a b\"]",
                Some("/in 'a b'"),
            ),
            ("FROM a\nCMD one \\\n  two", Some("one two")),
            ("FROM a\n# CMD x", None),
            ("", None),
        ] {
            assert_eq!(find_command(text).as_deref(), found, "{text}");
        }
    }
}
