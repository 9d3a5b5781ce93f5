//! Company names against company names.

use smallvec::SmallVec;

use super::contradiction::{numbers_contradict, numbers_of};
use super::levels::Name;
use crate::normalize::{acronym, slug_key};
use crate::similarity::{
    Letters, edits, is_slip, jaro_winkler_reaches, letters_of, may_reach, slips,
};
use crate::text::{bigram_signature, hash32};

/// The agreement of two company names, worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameAgreement {
    Different,
    /// Much alike, or rare words in common.
    Partial,
    /// All words of one are in the other.
    Contained,
    /// One is the other's first letters.
    Acronym,
    /// A slip of the finger, or the words in another order.
    Near,
    /// The same words.
    Exact,
}

impl From<NameAgreement> for Name {
    fn from(agreement: NameAgreement) -> Self {
        match agreement {
            NameAgreement::Different => Self::Different,
            NameAgreement::Partial => Self::Partial,
            NameAgreement::Contained => Self::Contained,
            NameAgreement::Acronym => Self::Acronym,
            NameAgreement::Near => Self::Near,
            NameAgreement::Exact => Self::Exact,
        }
    }
}

/// A name as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComparedName<'a> {
    pub(super) words: &'a [u8],
    pub(super) slug: u32,
    pub(super) acronym: u32,
    pub(super) signature: u64,
    /// The letters of its words, and how many.
    pub(super) letters: (Letters, usize),
}

impl<'a> ComparedName<'a> {
    /// A name by its words.
    pub(super) fn of(words: &'a str) -> Self {
        Self {
            words: words.as_bytes(),
            slug: slug_key(words),
            acronym: acronym(words).map_or(0, |acronym| hash32(acronym.as_bytes())),
            signature: bigram_signature(words.as_bytes()),
            letters: letters_of(words.as_bytes()),
        }
    }

    /// True if the names have numbers that tell them apart.
    pub(super) fn numbers_contradict(&self, other: &Self) -> bool {
        numbers_contradict(&numbers_of(self.words), &numbers_of(other.words))
    }

    /// True if the letters leave room for any agreement: a slip, a common start, or a word in
    /// common.
    fn may_agree(&self, other: &Self) -> bool {
        let missing =
            (self.letters.0.missing(other.letters.0), other.letters.0.missing(self.letters.0));
        let limit = slips_of_name(self.letters.1.min(other.letters.1));
        missing.0.max(missing.1) <= limit
            || missing.0.min(missing.1) == 0
            || may_reach(self.letters, other.letters, ALIKE)
            || self
                .words
                .split(|byte| *byte == b' ')
                .any(|word| Letters::of(word).missing(other.letters.0) <= slips(word.len()))
    }
}

/// The Jaro–Winkler similarity from which names are much alike.
const ALIKE: f64 = 0.93;

/// Edits that are a slip of the finger in a name of so many letters.
fn slips_of_name(length: usize) -> usize {
    match length {
        0..=3 => 0,
        4..=8 => 1,
        9..=15 => 2,
        _ => 3,
    }
}

/// Compares two names; symmetric. The second value is the hash of the rarest word both have by
/// `frequency`, 0 for none.
pub(super) fn compare_company_names(
    left: &ComparedName<'_>,
    right: &ComparedName<'_>,
    frequency: impl Fn(u32) -> f32,
) -> (NameAgreement, u32) {
    if left.words.is_empty() || right.words.is_empty() {
        return (NameAgreement::Different, 0);
    }
    if left.slug == right.slug {
        return (NameAgreement::Exact, left.slug);
    }
    if (left.acronym != 0 && left.acronym == right.slug)
        || (right.acronym != 0 && right.acronym == left.slug)
    {
        return (NameAgreement::Acronym, 0);
    }
    // No bigrams in common: nothing below can hold.
    if (left.signature & right.signature).count_ones() < 2 {
        return (NameAgreement::Different, 0);
    }
    if !left.may_agree(right) {
        return (NameAgreement::Different, 0);
    }
    let (slug_left, slug_right) = (squeezed(left.words), squeezed(right.words));
    let limit = slips_of_name(slug_left.len().min(slug_right.len()));
    if limit > 0 && edits(&slug_left, &slug_right, limit).is_some() {
        return (NameAgreement::Near, 0);
    }
    by_words(left.words, right.words, &slug_left, &slug_right, frequency)
}

/// The agreement of two names by their words, where nothing is known of how rare a word is.
pub(crate) fn agreement_of_names(left: &str, right: &str) -> NameAgreement {
    compare_company_names(&ComparedName::of(left), &ComparedName::of(right), |_| 1.0).0
}

fn squeezed(words: &[u8]) -> SmallVec<[u8; 64]> {
    let mut slug = SmallVec::new();
    for word in words.split(|byte| *byte == b' ') {
        slug.extend_from_slice(word);
    }
    slug
}

fn split(words: &[u8]) -> SmallVec<[&[u8]; 8]> {
    words.split(|byte| *byte == b' ').collect()
}

fn by_words(
    left: &[u8],
    right: &[u8],
    slug_left: &[u8],
    slug_right: &[u8],
    frequency: impl Fn(u32) -> f32,
) -> (NameAgreement, u32) {
    let (words_left, words_right) = (split(left), split(right));
    // A word that stands twice on one side counts twice there. If both have as many words, the
    // bytes decide which side is `few`: the result is then the same in either order.
    let (few, many) = if (words_left.len(), left) <= (words_right.len(), right) {
        (&words_left, &words_right)
    } else {
        (&words_right, &words_left)
    };
    let mut rarest = (f32::MAX, 0_u32);
    let mut shared = 0;
    for word in few {
        if many.iter().any(|other| other == word || is_slip(word, other)) {
            shared += 1;
            let hash = hash32(word);
            let count = frequency(hash);
            if count < rarest.0 || (count <= rarest.0 && hash < rarest.1) {
                rarest = (count, hash);
            }
        }
    }
    if shared == few.len() {
        let same_length = few.len() == many.len();
        return (
            if same_length && few.len() > 1 {
                NameAgreement::Near
            } else {
                NameAgreement::Contained
            },
            rarest.1,
        );
    }
    let prefix = slug_left.len().min(slug_right.len()) >= 5
        && (slug_left.starts_with(slug_right) || slug_right.starts_with(slug_left));
    if prefix {
        return (NameAgreement::Contained, rarest.1);
    }
    if shared * 2 > many.len()
        || (slug_left.first() == slug_right.first()
            && jaro_winkler_reaches(slug_left, slug_right, ALIKE))
    {
        return (NameAgreement::Partial, rarest.1);
    }
    (NameAgreement::Different, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agreement(left: &str, right: &str) -> (NameAgreement, u32) {
        compare_company_names(&ComparedName::of(left), &ComparedName::of(right), |word| {
            f32::from(word.to_le_bytes()[0] % 7)
        })
    }

    #[test]
    fn a_word_that_stands_twice_counts_the_same_from_either_side() {
        assert_eq!(agreement("bb a e", "e aa e"), agreement("e aa e", "bb a e"));
    }

    proptest! {
        #[test]
        fn comparing_is_symmetric(
            left in "[a-e]{1,5}( [a-h]{1,9}){0,2}",
            right in "[a-e]{1,5}( [a-h]{1,9}){0,2}",
        ) {
            prop_assert_eq!(agreement(&left, &right), agreement(&right, &left));
        }

        #[test]
        fn letters_never_rule_out_an_agreement(
            left in "[a-m]{1,9}( [a-z]{1,9}){0,2}",
            right in "[a-m]{1,9}( [a-z]{1,9}){0,2}",
        ) {
            let (one, other) = (ComparedName::of(&left), ComparedName::of(&right));
            if !one.may_agree(&other) {
                let (slug, other_slug) = (squeezed(one.words), squeezed(other.words));
                let limit = slips_of_name(slug.len().min(other_slug.len()));
                prop_assert!(limit == 0 || edits(&slug, &other_slug, limit).is_none());
                let by_words = by_words(one.words, other.words, &slug, &other_slug, |_| 1.0);
                prop_assert_eq!(by_words.0, NameAgreement::Different);
            }
        }
    }
}
