//! Job titles as bags of word classes.
#![allow(clippy::cast_possible_truncation, reason = "a title has at most 12 words")]

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::filler::fold_value;
use crate::lists::abbreviation;
use crate::memo::{Memo, remembered};
use crate::text::{clip, hash32};

/// Short forms that stand for more than one word.
const SPELLED: [(&str, &str); 28] = [
    ("svp", "senior vice president"),
    ("evp", "executive vice president"),
    ("avp", "assistant vice president"),
    ("vp", "vice president"),
    ("ceo", "chief executive officer"),
    ("cfo", "chief financial officer"),
    ("cto", "chief technology officer"),
    ("coo", "chief operating officer"),
    ("cmo", "chief marketing officer"),
    ("cio", "chief information officer"),
    ("cro", "chief revenue officer"),
    ("chro", "chief human resources officer"),
    ("ciso", "chief information security officer"),
    ("cpo", "chief product officer"),
    ("hr", "human resources"),
    ("it", "information technology"),
    ("bd", "business development"),
    ("qa", "quality assurance"),
    ("pm", "project manager"),
    ("md", "managing director"),
    ("gm", "general manager"),
    ("bizdev", "business development"),
    ("r d", "research development"),
    ("rd", "research development"),
    ("swe", "software engineer"),
    ("sde", "software engineer"),
    ("ae", "account executive"),
    ("pr", "public relations"),
];

/// Short forms of single words in titles.
const SHORT: [(&str, &str); 34] = [
    ("sr", "senior"),
    ("snr", "senior"),
    ("jr", "junior"),
    ("jnr", "junior"),
    ("mgr", "manager"),
    ("mngr", "manager"),
    ("dir", "director"),
    ("assoc", "associate"),
    ("asst", "assistant"),
    ("exec", "executive"),
    ("coord", "coordinator"),
    ("spec", "specialist"),
    ("engr", "engineer"),
    ("eng", "engineer"),
    ("engineering", "engineer"),
    ("dev", "development"),
    ("ops", "operations"),
    ("mktg", "marketing"),
    ("mkt", "marketing"),
    ("fin", "finance"),
    ("financial", "finance"),
    ("acct", "account"),
    ("acc", "account"),
    ("acctnt", "accountant"),
    ("admin", "administrator"),
    ("pres", "president"),
    ("tech", "technology"),
    ("prod", "product"),
    ("proj", "project"),
    ("comms", "communications"),
    ("mech", "mechanical"),
    ("sw", "software"),
    ("reg", "regional"),
    ("mng", "managing"),
];

thread_local! {
    static MEMO: Memo<Title> = RefCell::default();
}

/// A job title, normalised: the hashes of its word classes in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Title {
    /// Hashes of the title's distinct words, sorted.
    pub words: Vec<u32>,
}

impl Title {
    /// Reads a title; fillers give an empty one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        remembered(&MEMO, clip(text), Self::parse_afresh)
    }

    fn parse_afresh(text: &str) -> Self {
        let Some(folded) = fold_value(Some(text)) else { return Self::default() };
        let folded =
            folded.replace("co founder", "cofounder").replace("r d", "rd").replace("b d ", "bd ");
        let mut words = Vec::new();
        for word in folded.split(' ') {
            match SPELLED.iter().find(|(short, _)| *short == word) {
                Some((_, spelled)) => spelled.split(' ').for_each(|word| push(&mut words, word)),
                None => push(&mut words, word),
            }
        }
        words.sort_unstable();
        words.dedup();
        words.truncate(12);
        Self { words }
    }

    /// The title as one value, 0 for none.
    #[must_use]
    pub fn key(&self) -> u32 {
        if self.words.is_empty() {
            return 0;
        }
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        hash32(&bytes)
    }
}

fn push(words: &mut Vec<u32>, word: &str) {
    if matches!(word, "" | "of" | "and" | "the" | "for" | "in" | "at" | "de" | "und") {
        return;
    }
    let word = SHORT.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long);
    words.push(hash32(abbreviation(word).as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_titles_are_one() {
        for (short, long) in [
            ("SVP, Sales", "Senior Vice President of Sales"),
            ("Dir. Mktg", "Director, Marketing"),
            ("Sr Eng. Mgr", "Senior Engineering Manager"),
            ("HR Manager", "Human Resources Manager"),
        ] {
            assert_eq!(Title::parse(short), Title::parse(long), "{short}");
        }
        assert_eq!(Title::parse("n/a").key(), 0);
    }
}
