//! The mistakes that people make when they type values into a CRM.

use super::random::Random;
use super::vocabulary::{NICKNAMES, SHORT_WORDS};
use super::world::{Company, Person, Place, without_marks};

/// One letter lost, doubled, swapped or hit wrongly.
pub(super) fn typo(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 4 {
        return text.to_owned();
    }
    let at = 1 + random.index(letters.len() - 2);
    match random.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.swap(at, at + 1),
        2 => letters[at] = *random.pick(&[&'e', &'a', &'s', &'n', &'r', &'o']),
        _ => letters.insert(at, letters[at]),
    }
    letters.into_iter().collect()
}

fn nickname(given: &str) -> String {
    let found = NICKNAMES.iter().find(|(name, _)| *name == given);
    found.map_or(given, |(_, nickname)| nickname).to_owned()
}

/// Given name and surname as a CRM has them.
pub(super) fn name(person: &Person, random: &mut Random) -> (String, String) {
    let (mut given, mut surname) = (person.given.clone(), person.surname.clone());
    if random.percent(50) {
        (given, surname) = (without_marks(&given), without_marks(&surname));
    }
    match random.below(100) {
        0..13 => given = nickname(&given),
        13..16 => given = given.chars().take(1).chain(['.']).collect(),
        16..20 => given = typo(&given, random),
        20..24 => surname = typo(&surname, random),
        24..26 => std::mem::swap(&mut given, &mut surname),
        26..28 => given = format!("{given} {}.", random.pick(&["A", "B", "J", "M", "R", "T"])),
        28 => given = format!("{} {given}", random.pick(&["Dr.", "Mr.", "Ms."])),
        29 => surname = format!("{surname}{}", random.pick(&[", MBA", ", PhD", " Jr."])),
        30 => given.clear(),
        _ => {}
    }
    match random.below(100) {
        0..3 => (given.to_uppercase(), surname.to_uppercase()),
        3..6 => (given.to_lowercase(), surname.to_lowercase()),
        _ => (given, surname),
    }
}

/// A firm's name as a CRM has it.
pub(super) fn company(company: &Company, random: &mut Random) -> String {
    let core = &company.core;
    let text = match random.below(100) {
        0..15 => company.name.clone(),
        15..45 => core.clone(),
        45..55 => format!("{core} {}", random.pick(&["Inc", "Ltd", "Group", "LLC", "Holdings"])),
        55..70 => {
            SHORT_WORDS.iter().fold(core.clone(), |text, (long, short)| text.replace(long, short))
        }
        70..76 => core.rsplit_once(' ').map_or(core.as_str(), |(first, _)| first).to_owned(),
        76..80 => company.domain.clone(),
        80..88 => typo(core, random),
        88..92 => format!("{core} ({})", company.place.city),
        92..95 => format!("The {core}"),
        _ => without_marks(&company.name),
    };
    match random.below(100) {
        0..6 => text.to_uppercase(),
        6..10 => text.to_lowercase(),
        _ => text,
    }
}

/// A number as people write it.
pub(super) fn phone(number: &str, random: &mut Random) -> String {
    let digits = &number[1..];
    let (code, rest) = digits.split_at(digits.len() - 10);
    let (area, local) = rest.split_at(3);
    let (middle, last) = local.split_at(3);
    match random.below(6) {
        0 => format!("({area}) {middle}-{last}"),
        1 => format!("{area}-{middle}-{last}"),
        2 => format!("+{code} {area} {middle} {last}"),
        3 => format!("00{code}{rest}"),
        4 => format!("+{code} ({area}) {middle}-{last} x{}", 10 + random.below(900)),
        _ => number.to_owned(),
    }
}

/// City, state and country as a CRM has them, each possibly empty.
pub(super) fn place(place: &Place, random: &mut Random) -> [String; 3] {
    let mut out = [String::new(), String::new(), String::new()];
    if random.percent(60) {
        place.city.clone_into(&mut out[0]);
        if random.percent(5) {
            out[0] = typo(place.city, random);
        } else if random.percent(30) {
            out[0] = without_marks(place.city);
        }
        if random.percent(80) {
            place.state.clone_into(&mut out[1]);
        }
    }
    if random.percent(70) {
        let written = if random.percent(45) {
            random.pick(place.culture.country_aliases)
        } else {
            place.culture.country
        };
        written.clone_into(&mut out[2]);
    }
    out
}
