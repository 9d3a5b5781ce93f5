//! Streets: numbers and words apart.

use serde::{Deserialize, Serialize};

use crate::text::{fold, hash32};

/// A street address, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Street {
    /// The hash of its numbers, 0 for none.
    pub number: u32,
    /// The hash of its words, abbreviated, 0 for none.
    pub name: u32,
}

impl Street {
    /// Reads a street field.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        const SHORT: [(&str, &str); 14] = [
            ("street", "st"),
            ("avenue", "ave"),
            ("boulevard", "blvd"),
            ("road", "rd"),
            ("drive", "dr"),
            ("lane", "ln"),
            ("suite", "ste"),
            ("square", "sq"),
            ("place", "pl"),
            ("court", "ct"),
            ("parkway", "pkwy"),
            ("highway", "hwy"),
            ("strasse", "str"),
            ("saint", "st"),
        ];
        let folded = fold(text);
        let (mut numbers, mut words) = (String::new(), String::new());
        for word in folded.split(' ') {
            if word.bytes().all(|byte| byte.is_ascii_digit()) {
                numbers.push_str(word);
                numbers.push(' ');
            } else {
                words.push_str(
                    SHORT.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| short),
                );
                words.push(' ');
            }
        }
        let key = |text: &str| if text.trim().is_empty() { 0 } else { hash32(text.as_bytes()) };
        Self { number: key(&numbers), name: key(&words) }
    }

    /// The street as an id, 0 for none.
    #[must_use]
    pub(crate) fn key(&self) -> u32 {
        if self.name == 0 { 0 } else { (self.number ^ self.name.rotate_left(5)).max(1) }
    }
}
