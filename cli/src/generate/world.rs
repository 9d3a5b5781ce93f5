//! The firms and people of a generated set.
//!
//! Every thing is a function of the seed and its own number alone, so that any block of a file can
//! be made on any thread, and a CRM record can make the person it means again instead of keeping
//! it.

use super::random::Random;
use super::vocabulary::{
    COINED_ENDS, COINED_STARTS, CULTURES, Culture, FIELDS, FREE_MAIL, RANKS, STREETS,
    SURNAME_MIDDLES, SURNAME_STEMS, TRADES,
};

/// The kinds of things that have streams of random numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Name = 1,
    Company = 2,
    Person = 3,
    Lead = 4,
    Contact = 5,
    Account = 6,
}

/// A culture's lists, cut into words.
#[derive(Debug)]
struct Words {
    culture: &'static Culture,
    given: Vec<&'static str>,
    surnames: Vec<&'static str>,
    surname_endings: Vec<&'static str>,
    cities: Vec<(&'static str, &'static str)>,
    legal_forms: Vec<&'static str>,
}

/// All that can be made from one seed.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) people: u64,
    pub(super) companies: u64,
    cultures: Vec<Words>,
    stems: Vec<&'static str>,
    middles: Vec<&'static str>,
    coined_starts: Vec<&'static str>,
    coined_ends: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) culture: &'static Culture,
}

#[derive(Debug, Clone)]
pub(super) struct Company {
    pub(super) number: u64,
    /// The name without its legal form.
    pub(super) core: String,
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) place: Place,
    pub(super) phone: String,
    pub(super) street: String,
    pub(super) postal_code: String,
    pub(super) industry: &'static str,
    pub(super) employees: u64,
    /// How the firm forms its people's addresses.
    mail_form: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) given: String,
    pub(super) surname: String,
    pub(super) title: (usize, usize),
    pub(super) employer: u64,
    pub(super) past: Vec<((usize, usize), u64)>,
    pub(super) place: Place,
    pub(super) own_mail: String,
    pub(super) mobile: String,
}

fn words(list: &'static str) -> Vec<&'static str> {
    list.split_whitespace().collect()
}

impl World {
    pub(super) fn new(seed: u64, people: u64, companies: u64) -> Self {
        let cultures = CULTURES
            .iter()
            .map(|culture| Words {
                culture,
                given: words(culture.given),
                surnames: words(culture.surnames),
                surname_endings: words(culture.surname_endings),
                cities: culture
                    .cities
                    .split('|')
                    .map(|c| c.split_once('/').unwrap_or((c, "")))
                    .collect(),
                legal_forms: culture.legal_forms.split('|').collect(),
            })
            .collect();
        Self {
            seed,
            people,
            companies,
            cultures,
            stems: words(SURNAME_STEMS),
            middles: words(SURNAME_MIDDLES),
            coined_starts: words(COINED_STARTS),
            coined_ends: words(COINED_ENDS),
        }
    }

    pub(super) fn random(&self, kind: Kind, number: u64) -> Random {
        Random::of(self.seed, kind as u64, number)
    }

    fn culture(&self, random: &mut Random) -> &Words {
        let total: u64 = CULTURES.iter().map(|culture| culture.weight).sum();
        let mut left = random.below(total);
        for words in &self.cultures {
            if left < words.culture.weight {
                return words;
            }
            left -= words.culture.weight;
        }
        &self.cultures[0]
    }

    fn surname(&self, words: &Words, random: &mut Random) -> String {
        let rare = !words.surname_endings.is_empty() && random.percent(45);
        if !rare {
            let at = random.skewed(words.surnames.len() as u64, 1.6);
            return words.surnames[usize::try_from(at).unwrap_or(0)].to_owned();
        }
        let middle = if random.percent(60) { random.pick(&self.middles) } else { "" };
        format!("{}{middle}{}", random.pick(&self.stems), random.pick(&words.surname_endings))
    }

    fn place(words: &Words, random: &mut Random) -> Place {
        let at = random.skewed(words.cities.len() as u64, 1.5);
        let (city, state) = words.cities[usize::try_from(at).unwrap_or(0)];
        Place { city, state, culture: words.culture }
    }

    /// Anywhere.
    pub(super) fn any_place(&self, random: &mut Random) -> Place {
        Self::place(self.culture(random), random)
    }

    /// The name that a number's bearer has by birth: with it one person's name can be lent to
    /// another.
    fn name(&self, number: u64) -> (&Words, String, String) {
        let mut random = self.random(Kind::Name, number);
        let words = self.culture(&mut random);
        let at = random.skewed(words.given.len() as u64, 1.3);
        let given = words.given[usize::try_from(at).unwrap_or(0)].to_owned();
        let mut surname = self.surname(words, &mut random);
        if words.culture.country == "Spain" && random.percent(50) {
            surname = format!("{surname} {}", random.pick(&words.surnames));
        }
        (words, given, surname)
    }

    /// Firm `number`; those of numbers beyond the directory are firms that it does not list.
    pub(super) fn company(&self, number: u64) -> Company {
        let mut random = self.random(Kind::Company, number);
        let words = self.culture(&mut random);
        let (trade, industry) = TRADES[random.index(TRADES.len())];
        let coined =
            format!("{}{}", random.pick(&self.coined_starts), random.pick(&self.coined_ends));
        let core = match random.below(10) {
            0..=1 => coined.clone(),
            2..=6 => format!("{coined} {trade}"),
            7 => format!(
                "{} & {} {trade}",
                self.surname(words, &mut random),
                self.surname(words, &mut random)
            ),
            _ => format!("{} {trade}", self.surname(words, &mut random)),
        };
        let place = Self::place(words, &mut random);
        let ending = if random.percent(55) { "com" } else { words.culture.domain };
        let host: String = slug(&core).chars().take(18).collect();
        Company {
            number,
            name: format!("{core} {}", random.pick(&words.legal_forms)),
            domain: format!("{host}.{ending}"),
            phone: phone(place.culture, &mut random),
            street: street(&mut random),
            postal_code: format!("{:05}", 10_000 + random.below(89_999)),
            industry,
            employees: 2 + random.skewed(20_000, 5.0),
            mail_form: random.index(8),
            core,
            place,
        }
    }

    fn any_title(random: &mut Random) -> (usize, usize) {
        (random.index(RANKS.len()), random.index(FIELDS.len()))
    }

    /// Someone's firm: mostly one in the directory, large ones more often.
    fn any_employer(&self, random: &mut Random) -> u64 {
        let at = random.skewed(self.companies, 1.8);
        if random.percent(25) { self.companies + at } else { at }
    }

    /// Person `number`; those beyond the directory are people whom it does not list.
    pub(super) fn person(&self, number: u64) -> Person {
        let mut random = self.random(Kind::Person, number);
        let (words, mut given, mut surname) = self.name(number);
        let mut employer = self.any_employer(&mut random);
        let other = number.saturating_sub(1 + random.below(2000));
        match random.below(100) {
            // Someone else's namesake at another firm.
            0..8 => (_, given, surname) = self.name(other),
            // Someone's relative at the same firm.
            8..11 => {
                surname = self.name(other).2;
                employer = self.person_employer(other);
            }
            _ => {}
        }
        let place = if random.percent(60) {
            self.company(employer).place
        } else {
            Self::place(words, &mut random)
        };
        let past = (0..random.below(4))
            .map(|_| (Self::any_title(&mut random), self.any_employer(&mut random)))
            .collect();
        let free_mail = random.pick(FREE_MAIL);
        let own_mail =
            format!("{}.{}{}@{free_mail}", slug(&given), slug(&surname), random.below(1000));
        let title = Self::any_title(&mut random);
        let mobile = phone(place.culture, &mut random);
        Person { given, surname, title, employer, past, place, own_mail, mobile }
    }

    /// The employer that a person's own stream says first, before any exception.
    fn person_employer(&self, number: u64) -> u64 {
        self.any_employer(&mut self.random(Kind::Person, number))
    }
}

/// A person's address at a firm.
pub(super) fn work_mail(given: &str, surname: &str, company: &Company) -> String {
    let (given, surname) = (slug(given), slug(surname));
    let initial: String = given.chars().take(1).collect();
    let local = match company.mail_form {
        0..=3 => format!("{given}.{surname}"),
        4..=5 => format!("{initial}{surname}"),
        6 => given,
        _ => format!("{given}_{surname}"),
    };
    format!("{local}@{}", company.domain)
}

pub(super) fn phone(culture: &Culture, random: &mut Random) -> String {
    let area = 200 + random.below(790);
    format!(
        "+{}{area}{:03}{:04}",
        culture.calling_code,
        200 + random.below(790),
        random.below(10_000)
    )
}

pub(super) fn street(random: &mut Random) -> String {
    format!("{} {}", 1 + random.below(9_999), random.pick(STREETS))
}

/// A title in full or in short form.
pub(super) fn title_text((rank, field): (usize, usize), short: bool) -> String {
    let (rank, field) = (RANKS[rank], FIELDS[field]);
    if short { rank.1.replace("{}", field.1) } else { rank.0.replace("{}", field.0) }
}

/// Lower-case ASCII letters and digits, marks off: `Jürgen` becomes `jurgen`.
pub(super) fn slug(text: &str) -> String {
    without_marks(text)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The letters of our vocabulary without their marks.
pub(super) fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ß' => out.push_str("ss"),
            'Á' | 'Ą' => out.push('A'),
            'É' | 'Ę' => out.push('E'),
            'Ł' => out.push('L'),
            'Ü' => out.push('U'),
            'à'..='å' | 'ą' => out.push('a'),
            'ç' | 'ć' => out.push('c'),
            'è'..='ë' | 'ę' => out.push('e'),
            'ì'..='ï' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' => out.push('n'),
            'ò'..='ö' => out.push('o'),
            'ś' => out.push('s'),
            'ù'..='ü' => out.push('u'),
            'ź' | 'ż' => out.push('z'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_the_same_whenever_it_is_made() {
        let world = World::new(7, 1000, 100);
        assert_eq!(
            format!("{:?}", world.person(5)),
            format!("{:?}", World::new(7, 1000, 100).person(5))
        );
        assert_ne!(
            format!("{:?}", world.person(5)),
            format!("{:?}", World::new(8, 1000, 100).person(5))
        );
    }

    #[test]
    fn every_name_of_the_vocabulary_has_a_plain_spelling() {
        for words in World::new(1, 1, 1).cultures {
            for name in words.given.iter().chain(&words.surnames) {
                assert!(without_marks(name).is_ascii(), "{name}");
            }
        }
    }
}
