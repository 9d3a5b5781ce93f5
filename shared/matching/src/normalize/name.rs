//! Person names: tokens of the given and the family name.
//!
//! Invariant: a name is made of folded tokens whose umlaut spellings are one; salutations, suffixes
//! and fillers are not in it.

use serde::{Deserialize, Serialize};

use super::filler::is_filler;
use super::generation::Generation;
use crate::text::{clip, collapse_umlauts, fold};

const SALUTATIONS: [&str; 32] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "sir",
    "dame",
    "lord",
    "lady",
    "rev",
    "fr",
    "hon",
    "capt",
    "herr",
    "frau",
    "monsieur",
    "madame",
    "mme",
    "mlle",
    "senor",
    "senora",
    "sra",
    "sig",
    "dott",
    "ing",
    "dipl",
    "shri",
    "smt",
    "datuk",
];

const SUFFIXES: [&str; 54] = [
    "jr", "sr", "jnr", "snr", "ii", "iii", "iv", "2nd", "3rd", "4th", "crna", "phd", "mba", "md",
    "cpa", "cfa", "pmp", "esq", "dds", "dmd", "rn", "pe", "jd", "llm", "llb", "ma", "msc", "bsc",
    "ba", "bs", "ms", "mpa", "mph", "edd", "psyd", "cissp", "cisa", "cism", "shrm", "sphr", "phr",
    "ca", "acca", "fca", "cma", "aia", "rpa", "cfp", "obe", "mbe", "cbe", "ret", "junior",
    "senior",
];

/// Suffixes that are also family names or initials in some language; read as a suffix only after a
/// comma.
const ONLY_AFTER_COMMA: [&str; 8] = ["ma", "ba", "ms", "pe", "ca", "bs", "senior", "junior"];

/// Words in a name field that stand for no name, of forms and of several languages.
const NAME_FILLERS: [&str; 26] = [
    "fnu",
    "lnu",
    "nfn",
    "nln",
    "nmn",
    "no first name",
    "no last name",
    "no given name",
    "no surname",
    "not given",
    "not known",
    "firstname unknown",
    "lastname unknown",
    "unbekannt",
    "inconnu",
    "inconnue",
    "desconocido",
    "desconocida",
    "desconhecido",
    "desconhecida",
    "sconosciuto",
    "sconosciuta",
    "onbekend",
    "nieznany",
    "bilinmiyor",
    "neizvestno",
];

const ROLE_WORDS: [&str; 40] = [
    "sales",
    "team",
    "info",
    "desk",
    "accounts",
    "payable",
    "receivable",
    "hr",
    "department",
    "dept",
    "reception",
    "receptionist",
    "office",
    "admin",
    "administrator",
    "support",
    "customer",
    "service",
    "services",
    "helpdesk",
    "help",
    "billing",
    "marketing",
    "contact",
    "front",
    "human",
    "resources",
    "purchasing",
    "procurement",
    "general",
    "enquiries",
    "inquiries",
    "webmaster",
    "operations",
    "orders",
    "accounting",
    "finance",
    "manager",
    "secretary",
    "switchboard",
];

const PLACEHOLDER_NAMES: [&str; 16] = [
    "john doe",
    "jane doe",
    "mickey mouse",
    "minnie mouse",
    "donald duck",
    "test user",
    "foo bar",
    "first last",
    "firstname lastname",
    "no name",
    "bugs bunny",
    "max mustermann",
    "erika mustermann",
    "joe bloggs",
    "john q public",
    "homer simpson",
];

const PLACEHOLDER_WORDS: [&str; 14] = [
    "test", "asdf", "qwerty", "lead", "demo", "sample", "dummy", "fake", "foo", "bar", "testing",
    "asdfasdf", "aaa", "abc",
];

/// The kind of name that a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameKind {
    /// No name.
    #[default]
    Absent,
    /// A person's name.
    Person,
    /// A function or a mailbox (`Accounts Payable`), which is nobody.
    Role,
    /// A well-known filler (`Test Test`, `Mickey Mouse`), which is nobody.
    Placeholder,
}

/// A person's name, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// The kind of name that the fields hold.
    pub kind: NameKind,
    /// Given names, initials as one letter.
    pub given: Vec<String>,
    /// Family names with their particles.
    pub family: Vec<String>,
    /// Given names in quotes or brackets (`William "Bill"`).
    pub nick: Vec<String>,
    /// Other family names in brackets (`Smith (Jones)`).
    pub former: Vec<String>,
    /// Junior, senior or the like, where the name says so.
    #[serde(default)]
    pub generation: Option<Generation>,
}

impl PersonName {
    /// Reads the given-name and family-name fields, either of which may be empty or hold the whole
    /// name.
    #[must_use]
    pub fn parse(first: &str, last: &str) -> Self {
        let (first_main, first_aside) = split_aside(clip(first));
        let (last_main, last_aside) = split_aside(clip(last));
        let generation = generation_in(&first_main).or_else(|| generation_in(&last_main));
        let (both, main) = (!first_main.trim().is_empty(), &last_main);
        let last_main = if both { without_credentials(main) } else { main };
        let mut given = tokens(&first_main);
        let mut family = tokens(last_main);
        strip(&mut given);
        strip(&mut family);
        if let Some((before, after)) = family_first(&first_main, last_main, &given, &family) {
            (family, given) = (before, after);
        }
        if family.is_empty() && given.len() == 1 {
            // The only name of a person is compared as a family name, whatever field it stood in.
            family = std::mem::take(&mut given);
        } else if family.is_empty() && given.len() >= 2 {
            family = given.split_off(particle_start(&given));
        } else if given.is_empty() && family.len() >= 2 {
            let rest = family.split_off(1);
            given = std::mem::replace(&mut family, rest);
        }
        // The whole name typed into the first-name field, with the family name again in its own.
        if given.len() > family.len() && given.ends_with(&family) {
            given.truncate(given.len() - family.len());
        }
        given.truncate(6);
        family.truncate(6);
        let mut nick = tokens(&first_aside);
        nick.truncate(3);
        let mut former = tokens(&last_aside);
        strip(&mut former);
        former.truncate(3);
        let kind = kind_of(&given, &family);
        if kind == NameKind::Person {
            Self { kind, given, family, nick, former, generation }
        } else {
            Self { kind, ..Self::default() }
        }
    }

    /// The family name in one word, as it is compared.
    #[must_use]
    pub fn family_joined(&self) -> String {
        self.family.concat()
    }

    /// The first given name that is more than an initial, or the initial.
    #[must_use]
    pub fn first_given(&self) -> Option<&str> {
        self.given
            .iter()
            .find(|token| token.len() > 1)
            .or_else(|| self.given.first())
            .map(String::as_str)
    }
}

/// Parts a name from what is in brackets or double quotes.
fn split_aside(text: &str) -> (String, String) {
    let (mut main, mut aside, mut inside) = (String::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '(' | '[' | '\u{201c}' | '\u{ab}' => inside = true,
            ')' | ']' | '\u{201d}' | '\u{bb}' => inside = false,
            '"' => inside = !inside,
            _ if inside => {
                aside.push(character);
                continue;
            }
            _ => {
                main.push(character);
                continue;
            }
        }
        main.push(' ');
        aside.push(' ');
    }
    // `(John)` alone is a name in brackets, not an aside.
    if main.trim().is_empty() { (aside, String::new()) } else { (main, aside) }
}

fn tokens(text: &str) -> Vec<String> {
    fold(text)
        .split(' ')
        .filter(|token| !token.is_empty() && !token.bytes().all(|byte| byte.is_ascii_digit()))
        .map(collapse_umlauts)
        .collect()
}

/// Drops salutations in front and suffixes behind, as long as a name is left.
fn strip(tokens: &mut Vec<String>) {
    while tokens.len() > 1 && SALUTATIONS.contains(&tokens[0].as_str()) {
        tokens.remove(0);
    }
    while tokens.len() > 1
        && tokens.last().is_some_and(|last| {
            SUFFIXES.contains(&last.as_str()) && !ONLY_AFTER_COMMA.contains(&last.as_str())
        })
    {
        tokens.pop();
    }
    // `Ph.D.` and `M.B.A.` fold to letters.
    for spelled in [&["ph", "d"][..], &["m", "b", "a"], &["m", "d"], &["c", "p", "a"], &["j", "d"]]
    {
        if tokens.len() > spelled.len()
            && tokens
                .ends_with(&spelled.iter().map(|&letter| letter.to_owned()).collect::<Vec<_>>())
        {
            tokens.truncate(tokens.len() - spelled.len());
        }
    }
    let whole = tokens.join(" ");
    if (whole.len() != 1 && is_filler(&whole)) || NAME_FILLERS.contains(&whole.as_str()) {
        tokens.clear();
    }
}

/// A family name without what stands behind a comma, if that is credentials only: `Stallard, PE`.
fn without_credentials(last: &str) -> &str {
    let Some((before, after)) = last.split_once(',') else { return last };
    let credentials = tokens(after);
    let only = credentials.iter().all(|token| SUFFIXES.contains(&token.as_str()));
    if only && !credentials.is_empty() && !before.trim().is_empty() { before } else { last }
}

/// The generation that a name field names behind a name.
fn generation_in(text: &str) -> Option<Generation> {
    let folded = tokens(text);
    folded.iter().skip(1).rev().find_map(|token| Generation::of_word(token))
}

/// `Doe, Jane` in one field: the family name, then the given names.
fn family_first(
    first: &str,
    last: &str,
    given: &[String],
    family: &[String],
) -> Option<(Vec<String>, Vec<String>)> {
    let whole = if given.is_empty() {
        last
    } else if family.is_empty() {
        first
    } else {
        return None;
    };
    let (before, after) = whole.split_once(',')?;
    let mut after = tokens(after);
    after.retain(|token| !SUFFIXES.contains(&token.as_str()));
    let mut before = tokens(before);
    strip(&mut before);
    (!after.is_empty() && !before.is_empty()).then_some((before, after))
}

/// The start of the family name in a whole name: the last word, or the particles before it.
fn particle_start(tokens: &[String]) -> usize {
    const PARTICLES: [&str; 22] = [
        "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la",
        "le", "el", "al", "bin", "ibn", "ter", "ten", "zu", "af",
    ];
    let mut start = tokens.len() - 1;
    while start > 1 && PARTICLES.contains(&tokens[start - 1].as_str()) {
        start -= 1;
    }
    start
}

fn kind_of(given: &[String], family: &[String]) -> NameKind {
    let all: Vec<&str> = given.iter().chain(family).map(String::as_str).collect();
    if all.is_empty() || (all.len() == 1 && all[0].len() == 1) {
        return NameKind::Absent;
    }
    let whole = all.join(" ");
    let long: Vec<&str> = all.iter().copied().filter(|token| token.len() > 1).collect();
    if long.is_empty() {
        return NameKind::Absent;
    }
    if PLACEHOLDER_NAMES.contains(&whole.as_str())
        || long.iter().all(|token| PLACEHOLDER_WORDS.contains(token))
    {
        return NameKind::Placeholder;
    }
    if long.iter().all(|token| ROLE_WORDS.contains(token)) {
        NameKind::Role
    } else {
        NameKind::Person
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(first: &str, last: &str) -> (String, String) {
        let name = PersonName::parse(first, last);
        (name.given.join(" "), name.family.join(" "))
    }

    #[test]
    fn a_name_is_read_from_whatever_field_it_is_in() {
        for (first, last) in [
            ("Jane", "van der Berg"),
            ("Jane van der Berg", ""),
            ("", "van der Berg, Jane"),
            ("Dr. JANE", "VAN DER BERG, PhD"),
            ("Jane van der Berg", "van der Berg"),
        ] {
            assert_eq!(
                words(first, last),
                ("jane".to_owned(), "van der berg".to_owned()),
                "{first}|{last}"
            );
        }
        assert_eq!(words("", "Jane Berg"), ("jane".to_owned(), "berg".to_owned()));
        assert_eq!(words("Jürgen", "Müller"), words("Juergen", "MUELLER"));
    }

    #[test]
    fn what_names_nobody_is_no_name() {
        assert_eq!(PersonName::parse("Accounts", "Payable").kind, NameKind::Role);
        assert_eq!(PersonName::parse("", "Reception").kind, NameKind::Role);
        assert_eq!(PersonName::parse("asdf U", "asdf").kind, NameKind::Placeholder);
        assert_eq!(PersonName::parse("Mickey", "Mouse").kind, NameKind::Placeholder);
        for last in [".", "-", "Unknown", "", "N/A"] {
            assert_eq!(PersonName::parse("", last).kind, NameKind::Absent, "{last}");
        }
    }

    #[test]
    fn asides_are_kept_apart() {
        let name = PersonName::parse("William \"Bill\"", "Smith (Jones)");
        assert_eq!(
            (name.given, name.nick, name.family, name.former),
            (
                vec!["william".into()],
                vec!["bill".into()],
                vec!["smith".into()],
                vec!["jones".into()]
            )
        );
    }

    proptest! {
        #[test]
        fn a_normal_name_is_its_own_normal_form(
            first in "[A-Za-zäöü]{2,9}( [A-Z])?",
            last in "[A-Za-zäöü]{2,9}(-[a-zü]{3,6})?",
        ) {
            let once = PersonName::parse(&first, &last);
            let twice = PersonName::parse(&once.given.join(" "), &once.family.join(" "));
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn any_text_is_read_without_panic(first in ".{0,40}", last in ".{0,40}") {
            let _ = PersonName::parse(&first, &last);
        }
    }
}
