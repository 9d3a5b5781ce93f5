//! Company names: the words that distinguish a company, without its legal form.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::contact_point::Domain;
use super::filler::is_filler;
use crate::lists::{
    LEGAL_FORM_WORDS, WRITTEN_OUT_WORDS, abbreviation, is_legal_form, is_written_out_form,
    unspaced_legal_forms,
};
use crate::memo::{Memo, remembered};
use crate::text::{clip, collapse_umlauts, fold, hash32};

/// Legal forms that stand before the name.
const LEADING_FORMS: [&str; 9] = ["pt", "pjsc", "ojsc", "oao", "ooo", "zao", "pao", "ao", "jsc"];

/// Words behind a name that a CRM leaves out or adds at will.
const WEAK_ENDINGS: [&str; 6] = ["grp", "hldg", "hq", "headquarters", "worldwide", "the"];

thread_local! {
    static MEMO: Memo<Option<CompanyName>> = RefCell::default();
}

/// A company's name, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompanyName {
    /// The distinguishing words, abbreviated, parted by spaces.
    pub words: String,
    /// The domain, where the name is one (`acme.com`).
    pub domain: Option<Domain>,
}

impl CompanyName {
    /// Reads a company name; fillers and empty text give `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        remembered(&MEMO, clip(text), Self::parse_afresh)
    }

    fn parse_afresh(text: &str) -> Option<Self> {
        let text = text.trim();
        if is_filler(&fold(text)) {
            return None;
        }
        let domain =
            (!text.contains(' ') && text.contains('.')).then(|| Domain::of_host(text)).flatten();
        if let Some(domain) = domain.filter(Domain::is_company) {
            return Some(Self {
                words: abbreviation(&domain.stem).to_owned(),
                domain: Some(domain),
            });
        }
        let text: String = text.nfkc().collect();
        let mut words = fold(&without_aside(without_unspaced_forms(text.trim())));
        // One step may make another apply (`and Acme GmbH` behind a legal form), so they run until
        // nothing changes.
        for _ in 0..4 {
            let next = distinguishing_words(&words);
            if next == words {
                break;
            }
            words = next;
        }
        (!words.is_empty()).then_some(Self { words, domain: None })
    }

    /// The words in one, as an id: spacing and hyphens do not tell companies apart.
    #[must_use]
    pub fn slug_key(&self) -> u32 {
        slug_key(&self.words)
    }

    /// The first letters of three or more words.
    #[must_use]
    pub fn acronym(&self) -> Option<String> {
        acronym(&self.words)
    }
}

fn distinguishing_words(folded: &str) -> String {
    let mut words: Vec<&str> = folded
        .split(' ')
        .filter(|word| !matches!(*word, "and" | "und" | "et" | "y" | ""))
        .collect();
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    if words.len() > 2 && LEADING_FORMS.contains(&words[0]) {
        words.remove(0);
    }
    strip_written_out_forms(&mut words);
    strip_legal_forms(&mut words);
    let mut words: Vec<String> =
        join_letters(&words).iter().map(|word| collapse_umlauts(abbreviation(word))).collect();
    while words.len() > 1 && words.last().is_some_and(|last| WEAK_ENDINGS.contains(&last.as_str()))
    {
        words.pop();
    }
    words.truncate(12);
    words.join(" ")
}

pub(crate) fn slug_key(words: &str) -> u32 {
    if words.contains(' ') {
        hash32(words.replace(' ', "").as_bytes())
    } else {
        hash32(words.as_bytes())
    }
}

pub(crate) fn acronym(words: &str) -> Option<String> {
    if words.bytes().filter(|byte| *byte == b' ').count() < 2 {
        return None;
    }
    Some(
        words
            .split(' ')
            .filter(|word| !matches!(*word, "of" | "de" | "for"))
            .filter_map(|word| word.chars().next())
            .collect(),
    )
}

/// Leaves out what is in brackets and a place behind a spaced dash (`Acme - Boston`).
fn without_aside(text: &str) -> String {
    let mut main = String::with_capacity(text.len());
    let mut depth = 0_u32;
    for character in text.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => main.push(character),
            _ => {}
        }
    }
    let main = if main.trim().is_empty() { text } else { &main };
    let head = main.split(" - ").next().unwrap_or(main);
    if head.trim().is_empty() { main.to_owned() } else { head.to_owned() }
}

/// A name without the legal forms that stand before or behind it without a space, as in Japanese,
/// Chinese, Korean and Thai. They go before folding, which would make sounds of them.
fn without_unspaced_forms(text: &str) -> &str {
    let mut name = text;
    for _ in 0..3 {
        let shorter = unspaced_legal_forms()
            .find_map(|form| name.strip_prefix(form).or_else(|| name.strip_suffix(form)));
        match shorter.map(str::trim).filter(|rest| rest.chars().any(char::is_alphanumeric)) {
            Some(rest) => name = rest,
            None => break,
        }
    }
    name
}

/// Drops legal forms that are written out, before or behind the name, as long as a word is left.
fn strip_written_out_forms(words: &mut Vec<&str>) {
    let most = WRITTEN_OUT_WORDS.min(words.len().saturating_sub(1));
    for count in (1..=most).rev() {
        if is_written_out_form(&words[..count].join(" ")) {
            words.drain(..count);
            return;
        }
        if is_written_out_form(&words[words.len() - count..].join(" ")) {
            words.truncate(words.len() - count);
            return;
        }
    }
}

/// Drops legal forms behind the name as long as a word is left.
fn strip_legal_forms(words: &mut Vec<&str>) {
    loop {
        let longest = (1..=LEGAL_FORM_WORDS.min(words.len().saturating_sub(1)))
            .rev()
            .find(|&count| is_legal_form(&words[words.len() - count..].join(" ")));
        let Some(count) = longest else { return };
        words.truncate(words.len() - count);
    }
}

/// Joins letters written apart: `n d rubber` is `nd rubber`.
fn join_letters(words: &[&str]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    let mut open = false;
    for word in words {
        let letter = word.len() == 1;
        match joined.last_mut() {
            Some(last) if open && letter => last.push_str(word),
            _ => joined.push((*word).to_owned()),
        }
        open = letter;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> String {
        CompanyName::parse(text).map(|name| name.words).unwrap_or_default()
    }

    #[test]
    fn legal_forms_do_not_tell_companies_apart() {
        for same in [
            "ACME, Inc.",
            "Acme GmbH & Co. KG",
            "The Acme Company",
            "acme s.a. de c.v.",
            "Acme Sdn. Bhd.",
            "Acme (Boston)",
            "Acme - Boston",
            "acme.com",
            "Acme Holdings Ltd",
        ] {
            assert_eq!(words(same), "acme", "{same}");
        }
        assert_eq!(words("N.D. Rubber Public Company Limited"), words("ND Rubber Ltd"));
        assert_eq!(words("Blue Ridge Technologies"), words("Blue Ridge Tech"));
        assert_eq!(words("Company"), "company");
        for (one, other) in [
            ("星川精機株式会社", "㈱星川精機"),
            ("주식회사 한빛정공", "한빛정공(주)"),
            ("青石港集团有限公司", "青石港集团"),
            ("ООО «Северный Якорь»", "Северный Якорь"),
            ("Общество с ограниченной ответственностью \"Лесоруб\"", "ООО Лесоруб завод"),
            ("Spółka Akcyjna Kowal", "Kowal S.A."),
            ("Θαλασσινός Άνεμος Α.Ε.", "Θαλασσινός Άνεμος Ανώνυμη Εταιρεία"),
            ("Mörk Gesellschaft mit beschränkter Haftung", "Moerk GmbH"),
        ] {
            let behind = words(other);
            assert_eq!(words(one), behind.strip_suffix(" zavod").unwrap_or(&behind), "{one}");
        }
        for form in ["Общество с ограниченной ответственностью", "集团有限公司", "株式会社"]
        {
            assert!(CompanyName::parse(form).is_some(), "a form alone is kept: {form}");
        }
        for nothing in ["", "N/A", "[not provided]", "Self-employed", "-"] {
            assert_eq!(CompanyName::parse(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_name_is_its_own_normal_form(text in "[A-Za-zéü&.,' -]{1,40}") {
            if let Some(once) = CompanyName::parse(&text)
                && once.domain.is_none()
                && let Some(twice) = CompanyName::parse(&once.words)
            {
                prop_assert_eq!(once.words, twice.words);
            }
        }
    }
}
