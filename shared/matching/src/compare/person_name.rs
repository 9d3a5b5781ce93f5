//! Given names and family names.

use smallvec::SmallVec;

use super::levels::{FamilyName, GivenName};
use crate::lists::are_nicknames;
use crate::similarity::{is_slip, jaro_winkler_reaches};

type Words<'a> = [&'a [u8]];

fn concat(words: &Words<'_>) -> SmallVec<[u8; 32]> {
    words.iter().flat_map(|word| word.iter().copied()).collect()
}

fn first_full<'a>(words: &Words<'a>) -> Option<&'a [u8]> {
    words.iter().copied().find(|word| word.len() > 1)
}

/// Compares given names; symmetric; the null level if either is missing.
pub(crate) fn compare_given(left: &Words<'_>, right: &Words<'_>) -> GivenName {
    if left.is_empty() || right.is_empty() {
        return GivenName::Null;
    }
    let (full_left, full_right) = (first_full(left), first_full(right));
    if let (Some(one), Some(other)) = (full_left, full_right) {
        if one == other {
            return GivenName::Exact;
        }
        let (all_left, all_right) = (concat(left), concat(right));
        if all_left == all_right {
            return GivenName::Exact;
        }
        if left.iter().any(|word| word.len() > 1 && right.contains(word)) {
            return GivenName::Subset;
        }
        return compare_full(left, right, one, other, &all_left, &all_right);
    }
    // Initials only, on one side or both: any given name may be the one that is spelled out.
    let initial = left.iter().any(|one| {
        right
            .iter()
            .any(|other| one.first() == other.first() && (one.len() == 1 || other.len() == 1))
    });
    if initial { GivenName::Initial } else { GivenName::Different }
}

fn compare_full(
    left: &Words<'_>,
    right: &Words<'_>,
    one: &[u8],
    other: &[u8],
    all_left: &[u8],
    all_right: &[u8],
) -> GivenName {
    let short_form = |one: &[u8], other: &[u8]| {
        one.len().min(other.len()) >= 3 && (one.starts_with(other) || other.starts_with(one))
    };
    let related = left.iter().any(|word| {
        right.iter().any(|other| word.len() > 1 && other.len() > 1 && are_nicknames(word, other))
    });
    if related || short_form(one, other) || short_form(all_left, all_right) {
        return GivenName::Nickname;
    }
    if are_initials_of(left, right) || are_initials_of(right, left) {
        return GivenName::Initial;
    }
    let alike = |one: &[u8], other: &[u8]| {
        is_slip(one, other)
            || (one.len().min(other.len()) >= 4
                && one[0] == other[0]
                && jaro_winkler_reaches(one, other, 0.92))
    };
    if alike(one, other) || alike(all_left, all_right) {
        GivenName::Fuzzy
    } else {
        GivenName::Different
    }
}

/// True if one word is the first letters of several names: `jp` of `jean pierre`.
fn are_initials_of(word: &Words<'_>, names: &Words<'_>) -> bool {
    let [word] = word else { return false };
    names.len() > 1
        && word.len() == names.len()
        && names.iter().zip(*word).all(|(name, letter)| name.first() == Some(letter))
}

/// Compares family names; symmetric; the null level if either is missing.
pub(crate) fn compare_family(left: &Words<'_>, right: &Words<'_>) -> FamilyName {
    if left.is_empty() || right.is_empty() {
        return FamilyName::Null;
    }
    let (all_left, all_right) = (concat(left), concat(right));
    if all_left == all_right {
        return FamilyName::Exact;
    }
    if left.iter().any(|word| word.len() > 2 && right.contains(word)) {
        return FamilyName::Subset;
    }
    if all_left.len() == 1 || all_right.len() == 1 {
        return if all_left.first() == all_right.first() {
            FamilyName::Initial
        } else {
            FamilyName::Different
        };
    }
    let alike = |one: &[u8], other: &[u8]| {
        is_slip(one, other)
            || (one.len().min(other.len()) >= 5
                && one[0] == other[0]
                && jaro_winkler_reaches(one, other, 0.94))
    };
    let part_alike = left.len() + right.len() > 2
        && left.iter().any(|one| {
            right.iter().any(|other| one.len() >= 5 && other.len() >= 5 && is_slip(one, other))
        });
    if alike(&all_left, &all_right) || part_alike {
        FamilyName::Fuzzy
    } else {
        FamilyName::Different
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<&[u8]> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect()
    }

    fn given(left: &str, right: &str) -> GivenName {
        compare_given(&words(left), &words(right))
    }

    #[test]
    fn given_names_have_their_level() {
        assert_eq!(given("jose eduardo", "jose"), GivenName::Exact);
        assert_eq!(given("xiao dan", "xiaodan"), GivenName::Exact);
        assert_eq!(given("bob", "robert"), GivenName::Nickname);
        assert_eq!(given("r", "rajeshri"), GivenName::Initial);
        assert_eq!(given("kirsten", "kirstne"), GivenName::Fuzzy);
        assert_eq!(given("jp", "jean pierre"), GivenName::Initial);
        assert_eq!(given("jp", "jean luc"), GivenName::Different);
        assert_eq!(given("anna", "otto"), GivenName::Different);
        assert_eq!(given("", "otto"), GivenName::Null);
        assert_eq!(compare_family(&words("bahena"), &words("bahena rivera")), FamilyName::Subset);
        assert_eq!(compare_family(&words("van der berg"), &words("vanderberg")), FamilyName::Exact);
        assert_eq!(compare_family(&words("b"), &words("berg")), FamilyName::Initial);
    }

    #[test]
    fn empty_words_of_a_damaged_row_do_no_harm() {
        let (empty, word): ([&[u8]; 1], [&[u8]; 1]) = ([b""], [b"anna"]);
        for (left, right) in [(&empty, &word), (&word, &empty), (&empty, &empty)] {
            let _ = (compare_given(left, right), compare_family(left, right));
        }
    }

    proptest! {
        #[test]
        fn comparing_is_symmetric(
            left in "[a-e]{0,6}( [a-e]{1,5})?",
            right in "[a-e]{0,6}( [a-e]{1,5})?",
        ) {
            let (left, right) = (words(&left), words(&right));
            prop_assert_eq!(compare_given(&left, &right), compare_given(&right, &left));
            prop_assert_eq!(compare_family(&left, &right), compare_family(&right, &left));
        }
    }
}
