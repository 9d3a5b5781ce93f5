//! The embedded lists (`data/`, with their licences) as look-up tables, built once on first use.

use std::sync::LazyLock;

use publicsuffix::Psl;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::text::{collapse_umlauts, fold};

static NICKNAMES: LazyLock<FxHashMap<Vec<u8>, Vec<Vec<u8>>>> = LazyLock::new(|| {
    let mut canonical: FxHashMap<Vec<u8>, Vec<Vec<u8>>> = FxHashMap::default();
    for line in include_str!("../data/nicknames.txt").lines() {
        let mut words = line.split(' ').map(|word| collapse_umlauts(word).into_bytes());
        let Some(formal) = words.next() else { continue };
        for short in words {
            let of = canonical.entry(short).or_default();
            if !of.contains(&formal) {
                of.push(formal.clone());
            }
        }
    }
    canonical
});

/// The formal names a short form stands for: `bob` gives `robert`.
#[must_use]
pub(crate) fn formal_names(short: &[u8]) -> &'static [Vec<u8>] {
    NICKNAMES.get(short).map_or(&[], Vec::as_slice)
}

/// True if one given name is a short form of the other, or both of a third.
#[must_use]
pub(crate) fn are_nicknames(left: &[u8], right: &[u8]) -> bool {
    let (of_left, of_right) = (formal_names(left), formal_names(right));
    of_left.iter().any(|formal| formal == right)
        || of_right.iter().any(|formal| formal == left)
        || of_left.iter().any(|formal| of_right.contains(formal))
}

static FREE_MAIL: LazyLock<FxHashSet<&'static str>> =
    LazyLock::new(|| include_str!("../data/free_mail_domains.txt").lines().collect());

/// True if anyone may get a mailbox at this domain.
#[must_use]
pub(crate) fn is_free_mail(domain: &str) -> bool {
    FREE_MAIL.contains(domain)
}

// Read at run time: as code (the crate `psl`) the list is six tenths of this crate's, in each
// program.
static PUBLIC_SUFFIXES: LazyLock<publicsuffix::List> = LazyLock::new(|| {
    // A test reads the same bytes. A list that no one can read holds no suffix.
    include_str!("../data/public_suffixes.txt").parse().unwrap_or_default()
});

/// The part of an ASCII host name in small letters that is registered, one label longer than its
/// public suffix (`www.acme.co.uk` gives `acme.co.uk`); `None` when its suffix is not on the list.
#[must_use]
pub(crate) fn registrable_domain(host: &str) -> Option<&str> {
    let domain = PUBLIC_SUFFIXES.domain(host.as_bytes())?;
    let known = domain.suffix().is_known();
    str::from_utf8(domain.as_bytes()).ok().filter(|_| known)
}

static COUNTRIES: LazyLock<FxHashMap<&'static str, [u8; 2]>> = LazyLock::new(|| {
    include_str!("../data/countries.txt")
        .lines()
        .filter_map(|line| {
            let (name, code) = line.rsplit_once(' ')?;
            Some((name, code.as_bytes().try_into().ok()?))
        })
        .collect()
});

/// The ISO 3166-1 code of a country's folded name without spaces.
#[must_use]
pub(crate) fn country_code(name: &str) -> Option<[u8; 2]> {
    COUNTRIES.get(name).copied()
}

/// A state's code and its country's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The postal code, as `TX`.
    pub(crate) code: &'static str,
    /// The country's ISO code.
    pub(crate) country: [u8; 2],
}

static STATES: LazyLock<FxHashMap<String, Vec<State>>> = LazyLock::new(|| {
    let mut states: FxHashMap<String, Vec<State>> = FxHashMap::default();
    for line in include_str!("../data/states.txt").lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(code), Some(country), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Ok(country) = country.as_bytes().try_into() else { continue };
        let state = State { code, country };
        states.entry(name.to_owned()).or_default().push(state);
        let by_code = states.entry(code.to_lowercase()).or_default();
        if !by_code.contains(&state) {
            by_code.push(state);
        }
    }
    states
});

/// The states a folded name or code may mean, of all countries.
#[must_use]
pub(crate) fn states(name: &str) -> &'static [State] {
    STATES.get(name).map_or(&[], Vec::as_slice)
}

static CITIES: LazyLock<FxHashMap<String, &'static str>> = LazyLock::new(|| {
    let mut cities = FxHashMap::default();
    for line in include_str!("../data/cities.txt").lines() {
        let Some((name, others)) = line.split_once(" = ") else { continue };
        for other in others.split(", ") {
            cities.insert(fold(other), name);
        }
    }
    cities
});

/// The usual name of a city by another of its names.
#[must_use]
pub(crate) fn city_name(folded: &str) -> Option<&'static str> {
    CITIES.get(folded).copied()
}

static LEGAL_FORMS: LazyLock<FxHashSet<&'static str>> =
    LazyLock::new(|| include_str!("../data/legal_forms.txt").lines().collect());

/// The most words a legal form has (`s a b de c v`).
pub(crate) const LEGAL_FORM_WORDS: usize = 6;

/// True if folded words are a legal form of a company.
#[must_use]
pub(crate) fn is_legal_form(words: &str) -> bool {
    LEGAL_FORMS.contains(words)
}

const WRITTEN_OUT: &str = include_str!("../data/legal_forms_written_out.txt");

static WRITTEN_OUT_FORMS: LazyLock<FxHashSet<String>> =
    LazyLock::new(|| WRITTEN_OUT.lines().filter(|form| !is_unspaced(form)).map(fold).collect());

/// The most words a legal form has that is written out.
pub(crate) const WRITTEN_OUT_WORDS: usize = 9;

/// True if folded words are a legal form written out (`aktiengesellschaft`), which may stand before
/// or behind a name.
#[must_use]
pub(crate) fn is_written_out_form(words: &str) -> bool {
    WRITTEN_OUT_FORMS.contains(words)
}

/// True for a text in a script whose words stand without spaces.
fn is_unspaced(text: &str) -> bool {
    text.chars().any(|character| {
        matches!(character,
            '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
    })
}

static UNSPACED_FORMS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| WRITTEN_OUT.lines().filter(|form| is_unspaced(form)).collect());

/// The legal forms that are written without a space beside the name, as written.
pub(crate) fn unspaced_legal_forms() -> impl Iterator<Item = &'static str> {
    UNSPACED_FORMS.iter().copied()
}

static ROLE_MAILBOXES: LazyLock<FxHashSet<&'static str>> =
    LazyLock::new(|| include_str!("../data/role_mailboxes.txt").lines().collect());

/// True if a mailbox of this name, folded and in one word, is a function's (`info`, `einkauf`), not
/// a person's.
#[must_use]
pub(crate) fn is_role_mailbox(name: &str) -> bool {
    ROLE_MAILBOXES.contains(name)
}

static ABBREVIATIONS: LazyLock<FxHashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut short = FxHashMap::default();
    for line in include_str!("../data/abbreviations.txt").lines() {
        let mut words = line.split(' ');
        let Some(first) = words.next() else { continue };
        for word in words {
            short.entry(word).or_insert(first);
        }
    }
    short
});

/// The short form that stands for a word and all its forms: `technologies` gives `tech`.
#[must_use]
pub(crate) fn abbreviation(word: &str) -> &str {
    ABBREVIATIONS.get(word).copied().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrable_domain_is_one_label_longer_than_the_rule_of_its_suffix() {
        let rules = include_str!("../data/public_suffixes.txt").lines();
        for rule in rules.filter(|line| !line.starts_with("//")) {
            let registered = match (rule.strip_prefix("*."), rule.strip_prefix('!')) {
                (Some(parent), _) => format!("acme.any.{parent}"),
                (_, Some(exception)) => exception.to_owned(),
                _ => format!("acme-0.{rule}"),
            };
            let host = format!("www.{registered}");
            assert_eq!(registrable_domain(&host), Some(registered.as_str()), "{rule}");
        }
        assert_eq!(registrable_domain("www.acme.no-such-suffix"), None);
        assert_eq!(registrable_domain("co.uk"), None);
        assert_eq!(registrable_domain("acme.github.io"), Some("acme.github.io"));
    }

    #[test]
    fn every_line_of_the_embedded_lists_is_read() {
        for line in include_str!("../data/nicknames.txt").lines() {
            let (formal, shorts) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let formal = collapse_umlauts(formal).into_bytes();
            for short in shorts.split(' ') {
                let short = collapse_umlauts(short).into_bytes();
                assert!(formal_names(&short).contains(&formal), "{line}");
            }
        }
        for line in include_str!("../data/countries.txt").lines() {
            let (name, code) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(country_code(name).map(|code| code.to_vec()), Some(code.into()), "{line}");
        }
        for line in include_str!("../data/states.txt").lines() {
            let parts: Vec<&str> = line.splitn(3, ' ').collect();
            let [code, country, name] = parts[..] else { panic!("{line}") };
            let state = State { code, country: country.as_bytes().try_into().unwrap() };
            assert!(states(name).contains(&state) && states(&code.to_lowercase()).contains(&state));
        }
        for line in include_str!("../data/cities.txt").lines() {
            let (name, others) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
            assert!(
                others.split(", ").all(|other| city_name(&fold(other)) == Some(name)),
                "{line}"
            );
        }
        for line in include_str!("../data/abbreviations.txt").lines() {
            assert!(line.split(' ').count() > 1, "{line}");
        }
    }
}
