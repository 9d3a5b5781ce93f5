//! A CRM person against a directory person.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "levels are small and counts become weights"
)]

use smallvec::SmallVec;

use super::company_name::ComparedName;
use super::person_name::{Family, Given, compare_family, compare_given};
use super::{Comparison, Levels};
use crate::form::PersonForm;
use crate::normalize::Mailbox;
use crate::shard::{NamesView, PersonView, Shard, Tokens};
use crate::similarity::is_slip;
use crate::statistics::{Statistics, Term, country_key, full_name_key};
use crate::text::{collapse_umlauts, hash32};

pub(crate) const GIVEN: usize = 0;
pub(crate) const FAMILY: usize = 1;
pub(crate) const ORDER: usize = 2;
pub(crate) const MAIL: usize = 3;
pub(crate) const MAIL_NAME: usize = 4;
pub(crate) const EMPLOYER: usize = 5;
pub(crate) const TITLE: usize = 6;
pub(crate) const PLACE: usize = 7;
pub(crate) const PHONE: usize = 8;

/// How far given and family names agree, `None` where one is missing.
type NamesAgreement = (Option<Given>, Option<Family>);

/// The comparisons of people.
pub(crate) const PERSON_COMPARISONS: [Comparison; 9] = [
    Comparison {
        name: "given_name",
        levels: &["null", "different", "initial", "fuzzy", "nickname", "subset", "exact"],
    },
    Comparison {
        name: "family_name",
        levels: &["null", "different", "initial", "fuzzy", "subset", "exact", "exact_with_given"],
    },
    Comparison { name: "name_order", levels: &["null", "swapped"] },
    Comparison {
        name: "email",
        levels: &[
            "null",
            "different",
            "same_domain_other_mailbox",
            "same_mailbox_other_domain",
            "exact",
        ],
    },
    Comparison {
        name: "email_name",
        levels: &[
            "null",
            "consistent",
            "contradicts",
            "gives_given",
            "gives_family",
            "gives_both",
            "partly",
            "neither",
        ],
    },
    Comparison {
        name: "employer",
        levels: &[
            "null",
            "conflict",
            "current_partial",
            "current_contained",
            "current_near",
            "current_domain",
            "current_exact",
            "past_partial",
            "past_contained",
            "past_near",
            "past_domain",
            "past_exact",
        ],
    },
    Comparison {
        name: "title",
        levels: &[
            "null",
            "current_different",
            "current_partial",
            "current_similar",
            "current_exact",
            "past_different",
            "past_partial",
            "past_similar",
            "past_exact",
            "other_different",
            "other_partial",
            "other_similar",
            "other_exact",
        ],
    },
    Comparison {
        name: "place",
        levels: &[
            "null",
            "other_country",
            "same_country_other_city",
            "same_country",
            "same_state",
            "city_fuzzy",
            "city_exact",
            "city_exact_other_country",
        ],
    },
    Comparison { name: "phone", levels: &["null", "different", "exact"] },
];

/// What is known of the record, once for all its candidates.
pub(crate) struct PersonContext<'a> {
    pub(super) form: &'a PersonForm,
    pub(super) statistics: &'a Statistics,
    /// Given names and those in quotes; family names and those in brackets; the latter alone.
    given: Tokens<'a>,
    family: Tokens<'a>,
    family_proper: Tokens<'a>,
    /// The first given name's count, the family name's, and that of both together.
    counts: [f32; 3],
    pub(super) company: Option<ComparedName<'a>>,
    /// Domain and stem keys.
    pub(super) domains: SmallVec<[(u32, u32); 4]>,
    /// Keys of the mailboxes that are not a role's.
    mail_keys: SmallVec<[u64; 2]>,
    /// Letters of those mailboxes, umlauts as in names.
    locals: SmallVec<[String; 2]>,
    /// Log2 of the version's people over those of the record's city, country and title.
    city_rarity: f32,
    country_rarity: f32,
    pub(super) title_rarity: f32,
    persons: f32,
}

/// A pair whose names were compared.
pub(crate) struct Met<'s> {
    pub(crate) ordinal: u32,
    names: NamesView<'s>,
    pub(crate) person: PersonView<'s>,
    agreement: NamesAgreement,
    levels: Levels,
}

/// The entity's side of a pair.
pub(super) struct Entity<'s, 'a> {
    pub(super) shard: &'s Shard<'a>,
    names: NamesView<'a>,
    pub(super) person: PersonView<'a>,
}

impl<'a> PersonContext<'a> {
    pub(crate) fn new(form: &'a PersonForm, statistics: &'a Statistics) -> Self {
        let tokens = |one: &'a [String], more: &'a [String]| -> Tokens<'a> {
            one.iter().chain(more).map(String::as_bytes).collect()
        };
        let given_hash = form.name.first_given().map_or(0, |given| hash32(given.as_bytes()));
        let family_hash = hash32(form.name.family_joined().as_bytes());
        let persons = statistics.entities(crate::EntityKind::Person).max(1) as f32;
        let rarity = |of: Term, value: u32| (persons / statistics.count(of, value)).log2().max(0.0);
        let company = form.employments.first().and_then(|employment| employment.company.as_ref());
        let title = form.employments.first().map_or(0, |employment| employment.title.key());
        let mailboxes = || form.mailboxes.iter().filter(|mailbox| !mailbox.role);
        Self {
            form,
            statistics,
            given: tokens(&form.name.given, &form.name.nick),
            family: tokens(&form.name.family, &form.name.former),
            family_proper: tokens(&form.name.family, &[]),
            counts: [
                statistics.count(Term::Given, given_hash),
                statistics.count(Term::Family, family_hash),
                statistics.count(Term::FullName, full_name_key(given_hash, family_hash)),
            ],
            company: company.map(|company| ComparedName::of(&company.words)),
            domains: form
                .employer_domains()
                .iter()
                .map(|domain| (domain.key(), hash32(domain.stem.as_bytes())))
                .collect(),
            mail_keys: mailboxes().filter_map(Mailbox::key).collect(),
            locals: mailboxes().map(|mailbox| letters(&mailbox.local)).collect(),
            city_rarity: rarity(Term::City, form.place.city_key()),
            country_rarity: rarity(Term::Country, country_key(form.place.country)),
            title_rarity: rarity(Term::Title, title),
            persons,
        }
    }

    pub(super) fn rarity(&self, count: f32) -> f32 {
        (self.persons / count.max(1.0)).log2().max(0.0)
    }

    /// Compares the names alone; `None` when neither name agrees nor a mail address or phone, which no other evidence makes up for.
    pub(crate) fn meet<'s>(&self, shard: &Shard<'s>, ordinal: u32) -> Option<Met<'s>> {
        let mut levels = Levels::default();
        let names = shard.names(ordinal);
        let agreement = self.compare_names(&names, &mut levels);
        let person = names.person();
        if agreement == (Some(Given::Different), Some(Family::Different)) {
            let mail = person.mail.iter().any(|mail| self.mail_keys.contains(&mail.key));
            if !mail && !person.phones.iter().any(|phone| self.form.phones.contains(phone)) {
                return None;
            }
        }
        Some(Met { ordinal, names, person, agreement, levels })
    }

    /// Compares the rest.
    pub(crate) fn compare<'s>(&self, shard: &Shard<'s>, met: Met<'s>) -> Levels {
        let Met { names, person, agreement, mut levels, .. } = met;
        self.compare_rest(&Entity { shard, names, person }, agreement, &mut levels);
        levels
    }

    /// Compares the record with an entity in full.
    pub(crate) fn compare_fully(&self, shard: &Shard<'_>, ordinal: u32) -> Levels {
        let mut levels = Levels::default();
        let names = shard.names(ordinal);
        let agreement = self.compare_names(&names, &mut levels);
        let entity = Entity { shard, person: names.person(), names };
        self.compare_rest(&entity, agreement, &mut levels);
        levels
    }

    fn compare_rest(
        &self,
        entity: &Entity<'_, '_>,
        agreement: NamesAgreement,
        levels: &mut Levels,
    ) {
        self.compare_mail(&entity.person, levels);
        self.compare_mail_name(&entity.names, agreement, levels);
        self.compare_employer(entity, levels);
        self.compare_title(entity, levels);
        self.compare_place(&entity.person, levels);
        if !self.form.phones.is_empty() && !entity.person.phones.is_empty() {
            let same = self.form.phones.iter().any(|phone| entity.person.phones.contains(phone));
            levels.level[PHONE] = 1 + u8::from(same);
        }
    }

    fn compare_names(&self, view: &NamesView<'_>, levels: &mut Levels) -> NamesAgreement {
        // A former name is an alternative, not a part: the joined comparison is of the family name alone.
        let mut family = compare_family(&self.family_proper, view.family());
        if self.family.len() > self.family_proper.len() || view.family.len() > view.family_count {
            family = family.max(compare_family(&self.family, &view.family));
        }
        let mut best = (compare_given(&self.given, &view.given), family);
        if best.0 <= Some(Given::Different) || best.1 <= Some(Family::Different) {
            let swapped = (
                compare_given(&self.family, &view.given),
                compare_family(&self.given, view.family()),
            );
            if swapped.0 >= Some(Given::Fuzzy) && swapped.1 >= Some(Family::Fuzzy) {
                levels.level[ORDER] = 1;
                best = swapped;
            }
        }
        levels.level[GIVEN] = best.0.map_or(0, |given| given as u8 + 1);
        levels.level[FAMILY] = best.1.map_or(0, |family| family as u8 + 1);
        let [given_count, family_count, both_count] = self.counts;
        let (given_agrees, family_agrees) =
            (best.0 >= Some(Given::Nickname), best.1 >= Some(Family::Subset));
        if best.1 == Some(Family::Exact) && given_agrees {
            levels.level[FAMILY] = 6;
            // Namesakes to expect outside the directory are as many as independent names make, and one for every further namesake in it.
            let namesakes = if levels.level[ORDER] == 1 { 0.0 } else { both_count - 1.0 };
            levels.rarity[FAMILY] = (self.persons
                / (given_count * family_count / self.persons + namesakes).max(0.05))
            .log2();
        } else {
            levels.rarity[FAMILY] = if family_agrees { self.rarity(family_count) } else { 0.0 };
            levels.rarity[GIVEN] = if given_agrees { self.rarity(given_count) } else { 0.0 };
        }
        best
    }

    fn compare_mail(&self, view: &PersonView<'_>, levels: &mut Levels) {
        for mailbox in self.form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
            let (key, domain) = (mailbox.key(), mailbox.domain.key());
            for other in view.mail.iter().filter(|other| other.key != 0) {
                let level = if Some(other.key) == key {
                    4
                } else if other.local == mailbox.local.as_bytes() {
                    3
                } else if other.domain == domain && other.stem != 0 {
                    2
                } else {
                    1
                };
                levels.level[MAIL] = levels.level[MAIL].max(level);
            }
        }
    }

    /// The record's mailbox against the entity's name: news only where the record's own name leaves doubt.
    fn compare_mail_name(&self, view: &NamesView<'_>, names: NamesAgreement, levels: &mut Levels) {
        if self.locals.is_empty() || view.family_count == 0 {
            return;
        }
        let names_in = |local: &str, words: &[&[u8]]| {
            words.iter().any(|word| word.len() > 2 && contains(local.as_bytes(), word))
        };
        let has_family = self.locals.iter().any(|local| names_in(local, &view.family));
        let whole_given = if view.given_count > 1 { view.given().concat() } else { Vec::new() };
        let has_given = self.locals.iter().any(|local| {
            names_in(local, &view.given)
                || (!whole_given.is_empty() && contains(local.as_bytes(), &whole_given))
        });
        let sure_given = names.0 >= Some(Given::Subset);
        let sure_family = names.1 >= Some(Family::Subset);
        levels.level[MAIL_NAME] = match (sure_given, sure_family, has_given, has_family) {
            (true, true, false, false) => 2,
            (true, true, _, _) => 1,
            (false, false, true, true) => 5,
            (false, _, true, _) => 3,
            (_, false, _, true) => 4,
            (false, _, false, true) | (_, false, true, false) => 6,
            (_, _, false, false) => 7,
        };
    }

    fn compare_place(&self, view: &PersonView<'_>, levels: &mut Levels) {
        let place = &self.form.place;
        let both_countries = place.country != [0, 0] && view.country != [0, 0];
        let same_country = both_countries && place.country == view.country;
        let both_cities = !place.city.is_empty() && !view.city.is_empty();
        let exact = both_cities && place.city.as_bytes() == view.city;
        let level = if exact && both_countries && !same_country {
            7
        } else if exact {
            6
        } else if both_countries && !same_country {
            1
        } else if both_cities && is_slip(place.city.as_bytes(), view.city) {
            5
        } else if place.state != 0 && place.state == view.state {
            4
        } else if both_cities {
            2
        } else if same_country {
            3
        } else {
            0
        };
        levels.level[PLACE] = level;
        levels.rarity[PLACE] = match level {
            5..=7 => self.city_rarity,
            2..=4 if same_country => self.country_rarity,
            _ => 0.0,
        };
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

/// The letters of a mailbox with umlauts as in names.
fn letters(local: &str) -> String {
    let letters: String = local.chars().filter(char::is_ascii_alphabetic).collect();
    collapse_umlauts(&letters)
}
