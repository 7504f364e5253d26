//! Splits a command into words as Fly does (google/shlex; docs/platform/fly-toml.md 3.3).
//!
//! Not a POSIX shell: no variables, globs or operators, and inside double quotes a backslash makes *any* next
//! character literal.

use std::fmt;

/// Why a command cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitError {
    /// It ends in a backslash.
    Escape,
    /// A quote is not closed; the byte offset at which it opens.
    Quote(usize),
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "it ends in a backslash",
            Self::Quote(_) => "a quote is not closed",
        })
    }
}

impl std::error::Error for SplitError {}

/// The state of the reader.
#[derive(Clone, Copy, PartialEq)]
enum SplitState {
    /// Between two words.
    Gap,
    /// In a word, outside of quotes.
    Word,
    /// In `'…'`, opened at this offset.
    Single(usize),
    /// In `"…"`, opened at this offset.
    Double(usize),
    /// In a comment, up to the end of the line.
    Comment,
}

/// The words of a command.
///
/// # Errors
/// When it ends inside a quote or right after a backslash.
pub fn split(text: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut within = SplitState::Gap;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        within = match (within, c) {
            (SplitState::Comment, '\n') | (SplitState::Gap, ' ' | '\t' | '\r' | '\n') => {
                SplitState::Gap
            }
            (SplitState::Comment, _) | (SplitState::Gap, '#') => SplitState::Comment,
            (SplitState::Word, ' ' | '\t' | '\r' | '\n') => {
                words.push(std::mem::take(&mut word));
                SplitState::Gap
            }
            (SplitState::Gap | SplitState::Word, '\'') => SplitState::Single(at),
            (SplitState::Gap | SplitState::Word, '"') => SplitState::Double(at),
            (SplitState::Single(_), '\'') | (SplitState::Double(_), '"') => SplitState::Word,
            (SplitState::Gap | SplitState::Word | SplitState::Double(_), '\\') => {
                word.push(chars.next().ok_or(SplitError::Escape)?.1);
                match within {
                    SplitState::Double(open) => SplitState::Double(open),
                    _ => SplitState::Word,
                }
            }
            (SplitState::Gap | SplitState::Word, c) => {
                word.push(c);
                SplitState::Word
            }
            (SplitState::Single(_) | SplitState::Double(_), c) => {
                word.push(c);
                within
            }
        };
    }
    match within {
        SplitState::Single(open) | SplitState::Double(open) => Err(SplitError::Quote(open)),
        SplitState::Word => {
            words.push(word);
            Ok(words)
        }
        SplitState::Gap | SplitState::Comment => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_flys_splitter_holds() {
        let cases: &[(&str, &str, &[&str])] = &[
            (
                "space, tab, CR, LF separate",
                "a b\tc\rd\ne",
                &["a", "b", "c", "d", "e"],
            ),
            ("runs of separators are one", "  a   b  ", &["a", "b"]),
            ("single quotes are literal", r"'a \n b'", &[r"a \n b"]),
            (
                "a backslash in double quotes makes any next one literal",
                r#""a\nb""#,
                &["anb"],
            ),
            ("an escaped quote in double quotes", r#""a\"b""#, &["a\"b"]),
            (
                "a backslash outside of quotes escapes",
                r"a\ b \#c",
                &["a b", "#c"],
            ),
            ("quotes glue to words", r#"a"b c"d'e f'"#, &["ab cde f"]),
            (
                "empty double quotes are an empty word",
                r#"a "" b"#,
                &["a", "", "b"],
            ),
            ("empty single quotes are an empty word", "''", &[""]),
            (
                "a comment starts a word only",
                "a #b c\nd e#f",
                &["a", "d", "e#f"],
            ),
            (
                "nothing expands",
                "$HOME *.rb ~ `x`",
                &["$HOME", "*.rb", "~", "`x`"],
            ),
            (
                "there are no operators",
                "a && b|c > d;e",
                &["a", "&&", "b|c", ">", "d;e"],
            ),
            ("an operator glued to a word stays", "a&&b", &["a&&b"]),
            (
                "other white space belongs to a word",
                "a\u{a0}b\u{b}c",
                &["a\u{a0}b\u{b}c"],
            ),
            ("only white space has no words", " \t\n", &[]),
            ("only a comment has no words", "# nothing", &[]),
            ("nothing has no words", "", &[]),
            (
                "sh -c takes one word",
                r#"sh -c "a 'b' && c""#,
                &["sh", "-c", "a 'b' && c"],
            ),
        ];
        for (rule, text, words) in cases {
            assert_eq!(split(text).unwrap(), *words, "{rule}: {text}");
        }
    }

    #[test]
    fn what_never_ends_is_refused() {
        assert_eq!(split("a\\"), Err(SplitError::Escape));
        assert_eq!(split("\"a\\"), Err(SplitError::Escape));
        assert_eq!(split("a 'b"), Err(SplitError::Quote(2)));
        assert_eq!(split("it's"), Err(SplitError::Quote(2)));
        assert_eq!(split("\"a'"), Err(SplitError::Quote(0)));
    }
}
