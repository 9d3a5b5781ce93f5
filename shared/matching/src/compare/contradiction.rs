//! Contradictions: what keeps a pair from being a match, however much else agrees.

use smallvec::SmallVec;
use strum::{EnumIter, IntoEnumIterator as _};

use crate::lists::are_nicknames;
use crate::similarity::is_slip;

/// A contradiction that no other evidence outweighs. It may have an explanation, so a person looks
/// at the pair: see `Weights::weigh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
pub(crate) enum Contradiction {
    /// Neither given nor family name agrees.
    Names,
    /// The first given name agrees, and the further ones are others.
    MiddleNames,
    /// One is junior, the other senior.
    Generation,
    /// The family names differ, and so do the extensions of the one phone number both have.
    Extension,
    /// One names two people, the other one of them.
    TwoPeople,
    /// The companies' names have different numbers: `Fund II` and `Fund III`.
    Numbers,
}

impl Contradiction {
    /// The letter that stands for it in stored evidence.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Names => 'n',
            Self::MiddleNames => 'm',
            Self::Generation => 'g',
            Self::Extension => 'e',
            Self::TwoPeople => 't',
            Self::Numbers => 'd',
        }
    }

    /// Reads [`Self::letter`] back.
    pub(crate) fn of_letter(letter: &str) -> Option<Self> {
        Self::iter().find(|one| letter.chars().eq([one.letter()]))
    }

    /// The contradiction in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Names => "neither name agrees",
            Self::MiddleNames => "the further given names are others",
            Self::Generation => "one is junior, the other senior",
            Self::Extension => "another surname at another extension of one phone",
            Self::TwoPeople => "one names two people",
            Self::Numbers => "the names have different numbers",
        }
    }
}

/// True if the first full given name is the same and none of the names behind it is: `Thaddeus A.`
/// and `Thaddeus B.`, but not `Thaddeus Alan` and `Thaddeus A.`
pub(super) fn middle_names_contradict(left: &[&[u8]], right: &[&[u8]]) -> bool {
    let behind = |names: &[&[u8]]| names.iter().position(|name| name.len() > 1).map(|at| at + 1);
    let (Some(from), Some(to)) = (behind(left), behind(right)) else { return false };
    let (one, other) = (&left[from..], &right[to..]);
    left[from - 1] == right[to - 1]
        && !one.is_empty()
        && !other.is_empty()
        && left.concat() != right.concat()
        && !one.iter().any(|name| other.iter().any(|other| may_be_one(name, other)))
}

/// True if two given names may be the same: by their start, by a slip, or as nicknames.
fn may_be_one(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other)
        || other.starts_with(one)
        || is_slip(one, other)
        || are_nicknames(one, other)
}

/// True if given names are those of two people: `Andre and Amanda`.
pub(super) fn names_two_people(given: &[&[u8]]) -> bool {
    given.iter().skip(1).rev().skip(1).any(|word| matches!(*word, b"and" | b"und"))
}

/// The numbers of a company's name, ascending: digits, numerals, number words, and single letters
/// as numbers of their own kind. They are symbols: a slip of the finger does not make one another.
pub(super) fn numbers_of(words: &[u8]) -> SmallVec<[u32; 4]> {
    let mut numbers: SmallVec<[u32; 4]> = SmallVec::new();
    for word in words.split(|byte| *byte == b' ') {
        if let Some(number) = number_word(word) {
            numbers.push(number);
            continue;
        }
        for digits in word.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty()) {
            let value = digits.iter().fold(0_u32, |value, digit| {
                value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
            });
            numbers.push(value & 0x7fff_ffff);
        }
    }
    numbers.sort_unstable();
    numbers
}

/// Marks a single letter, which is no number of anything.
const LETTER: u32 = 1 << 31;

fn number_word(word: &[u8]) -> Option<u32> {
    const NUMERALS: [&[u8]; 19] = [
        b"ii", b"iii", b"iv", b"v", b"vi", b"vii", b"viii", b"ix", b"x", b"xi", b"xii", b"xiii",
        b"xiv", b"xv", b"xvi", b"xvii", b"xviii", b"xix", b"xx",
    ];
    const WORDS: [&[u8]; 10] =
        [b"one", b"two", b"three", b"four", b"five", b"six", b"seven", b"eight", b"nine", b"ten"];
    let place = |list: &[&[u8]], from: u32| {
        (from..).zip(list).find(|(_, other)| **other == word).map(|(number, _)| number)
    };
    match word {
        [letter] if letter.is_ascii_lowercase() && !matches!(letter, b'v' | b'x' | b'i') => {
            Some(LETTER | u32::from(*letter))
        }
        b"i" => Some(1),
        _ => place(&NUMERALS, 2).or_else(|| place(&WORDS, 1)),
    }
}

/// True if two names have numbers that tell them apart: each has one that the other lacks.
pub(super) fn numbers_contradict(left: &[u32], right: &[u32]) -> bool {
    let lacks = |one: &[u32], other: &[u32]| one.iter().any(|number| !other.contains(number));
    lacks(left, right) && lacks(right, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contradiction_is_read_back_by_its_letter() {
        for contradiction in Contradiction::iter() {
            let letter = contradiction.letter().to_string();
            assert_eq!(Contradiction::of_letter(&letter), Some(contradiction));
        }
        assert_eq!(Contradiction::of_letter("z"), None);
    }

    fn words(text: &str) -> Vec<&[u8]> {
        text.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn further_given_names_contradict_unless_they_may_be_one() {
        for (one, other, contradict) in [
            ("thaddeus b", "thaddeus a", true),
            ("maria jose", "maria luisa", true),
            ("xiao dan", "xiao ming", true),
            ("thaddeus b", "thaddeus", false),
            ("thaddeus b", "thaddeus benedict", false),
            ("anna katherine", "anna kate", false),
            ("jose luis maria", "jose maria", false),
            ("j edgar", "edgar b", false),
            ("otto b", "anna a", false),
        ] {
            let (left, right) = (words(one), words(other));
            assert_eq!(middle_names_contradict(&left, &right), contradict, "{one}, {other}");
            assert_eq!(middle_names_contradict(&right, &left), contradict, "{other}, {one}");
        }
        assert!(names_two_people(&words("andre and amanda")));
        assert!(!names_two_people(&words("and rea")) && !names_two_people(&words("rea and")));
    }

    #[test]
    fn numbers_of_names_are_symbols() {
        for (one, other, contradict) in [
            ("harrow fund iii", "harrow fund ii", true),
            ("precinct 102 studios", "precinct 101 studios", true),
            ("b marlin energy", "a marlin energy", true),
            ("fund one", "fund two", true),
            ("sector7 labs", "sector9 labs", true),
            ("harrow fund ii", "harrow fund 2", false),
            ("harrow fund 02", "harrow fund two", false),
            ("harrow fund ii", "harrow fund", false),
            ("3m kestrel", "3m kestrel", false),
            ("marlin 2020 fund ii", "marlin fund ii", false),
            ("j smith", "john smith", false),
        ] {
            let (left, right) = (numbers_of(one.as_bytes()), numbers_of(other.as_bytes()));
            assert_eq!(numbers_contradict(&left, &right), contradict, "{one}, {other}");
            assert_eq!(numbers_contradict(&right, &left), contradict, "{other}, {one}");
        }
    }
}
