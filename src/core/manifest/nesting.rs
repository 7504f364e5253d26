//! Refuses manifests that are nested so deeply that traversing them could exhaust the stack.
//!
//! The TOML parser limits arrays, inline tables and dotted keys separately, but not their product: eighty inline
//! tables whose keys have eighty parts each are 6,400 levels, and dropping such a tree recurses through all of them.
//! A scan of the text limits the sum before parsing.

use std::ops::Range;

/// Maximum levels of a manifest; real ones have five.
pub(super) const MAX_DEPTH: usize = 60;

/// The location where the text exceeds the limit.
pub(super) fn find_too_deep(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    // Dots of the keys around each open bracket.
    let mut open: Vec<usize> = Vec::new();
    let mut below = 0;
    let mut dots = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'[' | b'{' => {
                open.push(dots);
                below += dots;
                dots = 0;
            }
            b']' | b'}' => {
                dots = open.pop().unwrap_or(0);
                below -= dots;
            }
            b'.' => dots += 1,
            b',' => dots = 0,
            b'\n' if open.is_empty() => dots = 0,
            b'#' => {
                at = end_of_line(bytes, at);
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at = end_of_string(bytes, at, quote);
                continue;
            }
            _ => {}
        }
        if open.len() + below + dots > MAX_DEPTH {
            return Some(at..at + 1);
        }
        at += 1;
    }
    None
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    let newline = bytes[from..].iter().position(|b| *b == b'\n');
    newline.map_or(bytes.len(), |length| from + length)
}

/// The offset after the string that opens at `from`; an unclosed string ends with its line.
fn end_of_string(bytes: &[u8], from: usize, quote: u8) -> usize {
    let long = bytes[from..].starts_with(&[quote; 3]);
    let mut at = from + if long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !long => return at,
            b if b == quote && !long => return at + 1,
            b if b == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_the_sum_of_brackets_and_dotted_keys() {
        assert_eq!(find_too_deep("[a.b]\nc.d = [{e.f = 1.5}]\n"), None);
        assert_eq!(find_too_deep(&"a = 1.5\n[b.c]\n".repeat(1000)), None);
        assert!(find_too_deep(&format!("a = {}", "[".repeat(100))).is_some());
        assert!(find_too_deep(&format!("a{} = 1", ".a".repeat(100))).is_some());
        let product = "{a.a.a.a.a.a.a.a=".repeat(10);
        assert!(find_too_deep(&format!("a = {product}1")).is_some());
    }

    #[test]
    fn brackets_and_dots_in_text_do_not_count() {
        let many = "[.".repeat(100);
        for text in [
            format!("a = \"{many}\""),
            format!("a = '{many}'"),
            format!("# {many}"),
            format!("a = \"\"\"{many}\n{many}\"\"\""),
            format!("a = '''{many}\n{many}'''"),
            format!("a = \"\\\"{many}\""),
        ] {
            assert_eq!(find_too_deep(&text), None, "{text}");
        }
    }
}
