//! "Did you mean": the closest of the words that would have been right.

/// Words longer than this are no slip of the finger.
const MAX_WORD: usize = 64;

/// The candidate that a person most likely meant by `word`, if one is close: at most a third of its
/// letters differ, case aside; of several, the closest, and of equals the first.
pub(super) fn closest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = (lower.chars().count() / 3).max(1);
    let distance = |candidate: &str| {
        // The lengths alone differ by more: no need to look at the letters.
        (candidate.len().abs_diff(lower.len()) <= 2 * allowed)
            .then(|| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()))
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_WORD && *candidate != word)
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean `x`?`, where something is close.
pub fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    closest(word, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let keys = ["processes", "primary_region", "kill_signal", "vm"];
        let long = "processes".repeat(10_000);
        let meant = |word| closest(word, keys);
        assert_eq!(meant("proceses"), Some("processes"));
        assert_eq!(meant("Primary_Regoin"), Some("primary_region"));
        assert_eq!(meant("mv"), Some("vm"));
        assert_eq!(meant("schedule"), None);
        assert_eq!(meant(&long), None);
        assert_eq!(meant(""), None);
    }
}
