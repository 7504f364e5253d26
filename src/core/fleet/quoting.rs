//! Quotes words for a shell and for TOML, so that people can copy them.

use std::borrow::Cow;

/// A word quoted for a shell.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:,%=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A TOML string that is safe to print: characters that the escaper would replace become TOML escapes. JSON's
/// other escapes are valid TOML.
pub fn toml_string(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    // A CI runner's command must be escaped inside the TOML string too.
    let mut shown = String::with_capacity(quoted.len());
    let mut rest = quoted.as_str();
    while let Some(c) = rest.chars().next() {
        let orders = rest.starts_with("##") || rest.starts_with("::");
        if orders || c == '\u{7f}' {
            let escape = format!("\\u{:04x}", u32::from(c));
            shown.push_str(&escape);
        } else {
            shown.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// A TOML key, quoted where necessary.
pub fn toml_key(name: &str) -> Cow<'_, str> {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(is_bare) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(toml_string(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(shell_word("prod/fly.toml"), "prod/fly.toml");
        assert_eq!(shell_word("my shop"), "'my shop'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn strings_of_toml_are_read_back_as_they_were() {
        for text in [
            "plain",
            "a \"b\" \\ c",
            "echo ##[x] # y",
            "a ::error::b",
            "tab\tdel\u{7f}",
        ] {
            let document = format!("{} = {}", toml_key(text), toml_string(text));
            let read: toml_edit::DocumentMut = document.parse().unwrap();
            let (key, value) = read.iter().next().unwrap();
            assert_eq!((key, value.as_str()), (text, Some(text)), "{document}");
            assert!(
                !document.contains("##") && !document.contains("::"),
                "{document}"
            );
        }
        assert_eq!(toml_key("web-1"), "web-1");
        assert_eq!(toml_key("w rk"), "\"w rk\"");
    }
}
