//! Every code of a module is provoked by one of its tests.

use std::collections::BTreeSet;

use aeroform::core::code::Code;

/// Fails with the codes of the module that were not seen, and with those that were seen and are not of the module.
/// What cannot be brought about in a test is named with the reason.
#[track_caller]
pub(crate) fn assert_all_provoked(
    module: &[Code],
    seen: impl IntoIterator<Item = String>,
    beyond_tests: &[(Code, &str)],
) {
    let mut expected: BTreeSet<&str> = module.iter().map(|code| code.name()).collect();
    for (code, reason) in beyond_tests {
        assert!(
            expected.remove(code.name()) && !reason.is_empty(),
            "{code:?} belongs to the module"
        );
    }
    let seen: BTreeSet<String> = seen.into_iter().collect();
    let seen: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    let missing: Vec<_> = expected.difference(&seen).collect();
    let others: Vec<_> = seen.difference(&expected).collect();
    assert!(
        missing.is_empty() && others.is_empty(),
        "not provoked: {missing:?}; of no use here: {others:?}"
    );
}
