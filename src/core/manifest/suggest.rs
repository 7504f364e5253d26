//! "Did you mean": the closest valid word.

/// Longer words are not typos.
const MAX_WORD: usize = 64;

/// The closest candidate to `word`, ignoring case, if at most a third of its letters differ; of equal ones, the first.
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
        // Skip words whose lengths already differ too much.
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

/// `did you mean `x`?`, if a candidate is close.
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
