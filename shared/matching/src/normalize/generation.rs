//! Junior, senior and the third: what tells people of one name and one family apart.

use serde::{Deserialize, Serialize};

/// The generation that a name says a person is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Generation {
    /// `Sr.`
    Senior = 1,
    /// `Jr.`
    Junior,
    /// `II`
    Second,
    /// `III`
    Third,
    /// `IV`
    Fourth,
}

impl Generation {
    /// The generation that a folded word behind a name stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "sr" | "snr" | "senior" | "pere" => Self::Senior,
            "jr" | "jnr" | "junior" | "filho" | "fils" => Self::Junior,
            "ii" | "2nd" => Self::Second,
            "iii" | "3rd" | "neto" => Self::Third,
            "iv" | "4th" => Self::Fourth,
            _ => return None,
        })
    }

    /// True if nobody is of both: a second may call himself junior.
    #[must_use]
    pub fn contradicts(self, other: Self) -> bool {
        self != other
            && !matches!((self, other), (Self::Junior, Self::Second) | (Self::Second, Self::Junior))
    }

    /// The generation as a number from 1.
    #[must_use]
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// Reads [`Self::number`] back; any other number is none.
    #[must_use]
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        let all = [Self::Senior, Self::Junior, Self::Second, Self::Third, Self::Fourth];
        all.into_iter().find(|generation| generation.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_contradict_unless_one_may_be_the_other() {
        let contradict = |one, other| {
            let generation = |word| Generation::of_word(word).unwrap();
            assert_eq!(
                generation(one).contradicts(generation(other)),
                generation(other).contradicts(generation(one))
            );
            generation(one).contradicts(generation(other))
        };
        assert!(contradict("jr", "sr") && contradict("ii", "iii") && contradict("filho", "neto"));
        assert!(
            !contradict("jr", "ii") && !contradict("jr", "junior") && !contradict("3rd", "iii")
        );
        for word in ["jr", "snr", "ii", "3rd", "iv"] {
            let generation = Generation::of_word(word);
            assert_eq!(generation.and_then(|one| Generation::of_number(one.number())), generation);
        }
        assert_eq!(Generation::of_number(0), None);
    }
}
