//! Words in texts that tests compare.

/// The text with another word in place of this one, where it stands by itself: digits of a port also
/// stand in the middle of digests.
pub(crate) fn replace_word(text: &str, word: &str, other: &str) -> String {
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before.chars().next_back().or(replaced.chars().next_back());
        let alone = !joins(last) && !joins(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if alone { other } else { word });
        rest = after;
    }
    replaced + rest
}

#[test]
fn a_word_is_replaced_only_where_it_stands_alone() {
    let text = "8101 in a8101 and 81010, 127.0.0.1:8101";
    assert_eq!(
        replace_word(text, "8101", "8100"),
        "8100 in a8101 and 81010, 127.0.0.1:8100"
    );
}
