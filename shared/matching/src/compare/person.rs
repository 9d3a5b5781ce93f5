//! A CRM person against a directory person.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "levels are small and counts become weights"
)]

use smallvec::SmallVec;

use super::company_name::ComparedName;
use super::person_name::{Family, Given, compare_family, compare_given};
use super::{Comparison, Levels, NameAgreement, compare_company_names};
use crate::form::PersonForm;
use crate::lists::is_free_mail;
use crate::shard::{EmployerView, PersonView, Shard, Tokens};
use crate::similarity::is_slip;
use crate::statistics::{Statistics, Term, country_key, full_name_key};
use crate::text::{bigram_signature, collapse_umlauts, hash32};

pub(crate) const GIVEN: usize = 0;
pub(crate) const FAMILY: usize = 1;
pub(crate) const ORDER: usize = 2;
pub(crate) const MAIL: usize = 3;
pub(crate) const MAIL_NAME: usize = 4;
pub(crate) const EMPLOYER: usize = 5;
pub(crate) const TITLE: usize = 6;
pub(crate) const PLACE: usize = 7;
pub(crate) const PHONE: usize = 8;

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
    form: &'a PersonForm,
    statistics: &'a Statistics,
    given: Tokens<'a>,
    family: Tokens<'a>,
    /// The first given name's count, the family name's, and that of both together.
    counts: [f32; 3],
    company: Option<ComparedName<'a>>,
    /// Domain and stem keys.
    domains: SmallVec<[(u32, u32); 4]>,
    /// Letters of non-role mailboxes, umlauts as in names.
    locals: SmallVec<[String; 2]>,
    country_count: f32,
    city: u32,
    persons: f32,
}

impl<'a> PersonContext<'a> {
    pub(crate) fn new(form: &'a PersonForm, statistics: &'a Statistics) -> Self {
        let tokens = |one: &'a [String], more: &'a [String]| -> Tokens<'a> {
            one.iter().chain(more).map(std::string::String::as_bytes).collect()
        };
        let given_hash = form.name.first_given().map_or(0, |given| hash32(given.as_bytes()));
        let family_hash = hash32(form.name.family_joined().as_bytes());
        let counts = [
            statistics.count(Term::Given, given_hash),
            statistics.count(Term::Family, family_hash),
            statistics.count(Term::FullName, full_name_key(given_hash, family_hash)),
        ];
        let company =
            form.employments.first().and_then(|employment| employment.company.as_ref()).map(
                |company| ComparedName {
                    words: &company.words,
                    slug: company.slug_key(),
                    acronym: company.acronym().map_or(0, |acronym| hash32(acronym.as_bytes())),
                    signature: bigram_signature(company.words.as_bytes()),
                },
            );
        Self {
            form,
            statistics,
            given: tokens(&form.name.given, &form.name.nick),
            family: tokens(&form.name.family, &form.name.former),
            counts,
            company,
            domains: form
                .employer_domains()
                .iter()
                .map(|domain| (domain.key(), hash32(domain.stem.as_bytes())))
                .collect(),
            locals: form
                .mailboxes
                .iter()
                .filter(|mailbox| !mailbox.role)
                .map(|mailbox| letters(&mailbox.local))
                .collect(),
            country_count: statistics.count(Term::Country, country_key(form.place.country)),
            city: form.place.city_key(),
            persons: statistics.entities(crate::EntityKind::Person).max(1) as f32,
        }
    }

    fn rarity(&self, count: f32) -> f32 {
        (self.persons / count.max(1.0)).log2().max(0.0)
    }

    /// Compares the record with an entity.
    pub(crate) fn compare(&self, shard: &Shard<'_>, view: &PersonView<'_>) -> Levels {
        let mut levels = Levels::default();
        let names = self.compare_names(view, &mut levels);
        self.compare_mail(view, &mut levels);
        self.compare_mail_name(view, names, &mut levels);
        self.compare_employer(shard, view, &mut levels);
        self.compare_title(shard, view, &mut levels);
        self.compare_place(view, &mut levels);
        if !self.form.phones.is_empty() && !view.phones.is_empty() {
            levels.level[PHONE] =
                if self.form.phones.iter().any(|phone| view.phones.contains(phone)) {
                    2
                } else {
                    1
                };
        }
        levels
    }

    fn compare_names(
        &self,
        view: &PersonView<'_>,
        levels: &mut Levels,
    ) -> (Option<Given>, Option<Family>) {
        let given: Tokens<'_> = view.given.iter().chain(&view.nick).copied().collect();
        let family: Tokens<'_> = view.family.iter().chain(&view.former).copied().collect();
        // A former name is an alternative, not a part: the joined comparison is of the family name alone.
        let mut best = (
            compare_given(&self.given, &given),
            best_family(&self.form.name.family, &self.family, &view.family, &family),
        );
        let weak = |names: (Option<Given>, Option<Family>)| {
            names.0 <= Some(Given::Different) || names.1 <= Some(Family::Different)
        };
        if weak(best) {
            let swapped =
                (compare_given(&self.family, &given), compare_family(&self.given, &view.family));
            if swapped.0 >= Some(Given::Fuzzy) && swapped.1 >= Some(Family::Fuzzy) {
                levels.level[ORDER] = 1;
                best = swapped;
            }
        }
        let (Some(given), Some(family)) = best else {
            levels.level[GIVEN] = best.0.map_or(0, |given| given as u8 + 1);
            levels.level[FAMILY] = best.1.map_or(0, |family| family as u8 + 1);
            return best;
        };
        levels.level[GIVEN] = given as u8 + 1;
        levels.level[FAMILY] = family as u8 + 1;
        let swap = levels.level[ORDER] == 1;
        let [given_count, family_count, both_count] = self.counts;
        if family == Family::Exact && given >= Given::Nickname {
            levels.level[FAMILY] = 6;
            // Namesakes to expect outside the directory are as many as independent names make, and one for every further namesake in it.
            let expected = given_count * family_count / self.persons
                + if swap { 0.0 } else { both_count - 1.0 };
            levels.rarity[FAMILY] = (self.persons / expected.max(0.05)).log2();
        } else {
            levels.rarity[FAMILY] =
                if family >= Family::Subset { self.rarity(family_count) } else { 0.0 };
            levels.rarity[GIVEN] =
                if given >= Given::Nickname { self.rarity(given_count) } else { 0.0 };
        }
        best
    }

    fn compare_mail(&self, view: &PersonView<'_>, levels: &mut Levels) {
        let mut best = 0;
        for mailbox in self.form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
            let (key, domain) = (mailbox.key(), mailbox.domain.key());
            for other in view.mail.iter().filter(|other| other.key != 0) {
                let level = if Some(other.key) == key {
                    4
                } else if other.local == mailbox.local.as_bytes() {
                    3
                } else if other.domain == domain && !is_free_mail(&mailbox.domain.name) {
                    2
                } else {
                    1
                };
                best = best.max(level);
            }
        }
        levels.level[MAIL] = best;
    }

    /// The record's mailbox against the entity's name: news only where the record's own name leaves doubt.
    fn compare_mail_name(
        &self,
        view: &PersonView<'_>,
        names: (Option<Given>, Option<Family>),
        levels: &mut Levels,
    ) {
        if self.locals.is_empty() || view.family.is_empty() {
            return;
        }
        let (mut has_given, mut has_family) = (false, false);
        for local in &self.locals {
            let family = view
                .family
                .iter()
                .chain(&view.former)
                .filter(|word| word.len() > 2)
                .any(|word| contains(local.as_bytes(), word));
            let given = view
                .given
                .iter()
                .chain(&view.nick)
                .filter(|word| word.len() > 2)
                .any(|word| contains(local.as_bytes(), word))
                || (view.given.len() > 1 && contains(local.as_bytes(), &view.given.concat()));
            has_family |= family;
            has_given |= given;
        }
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

    fn compare_employer(&self, shard: &Shard<'_>, view: &PersonView<'_>, levels: &mut Levels) {
        let record_knows = self.company.is_some() || !self.domains.is_empty();
        let entity_knows = view.employments.iter().any(|(employer, _)| *employer != 0);
        if !record_knows || !entity_knows {
            return;
        }
        levels.level[EMPLOYER] = 1;
        let mut best = 0;
        for (position, &(employer, _)) in
            view.employments.iter().enumerate().filter(|(_, (employer, _))| *employer != 0)
        {
            let employer = shard.employer(employer - 1);
            let (strength, rarity) =
                self.employer_strength(&employer, if position == 0 { &view.mail } else { &[] });
            // The current position wins a tie; a past one must agree better.
            if strength > best {
                best = strength;
                levels.level[EMPLOYER] = strength + if position == 0 { 1 } else { 6 };
                levels.rarity[EMPLOYER] = rarity;
                levels.position = position as u8;
            }
        }
    }

    /// 1 partial, 2 contained or acronym, 3 near, 4 domain, 5 exact; and how rare the employer is.
    fn employer_strength(
        &self,
        employer: &EmployerView<'_>,
        mail: &[crate::shard::MailView<'_>],
    ) -> (u8, f32) {
        let own = employer.slugs.first().copied().unwrap_or_default();
        let frequency =
            |employer: u32| self.rarity(self.statistics.count(Term::Employer, employer));
        if let Some(company) = &self.company
            && employer.slugs.contains(&company.slug)
        {
            return (5, frequency(own));
        }
        for &(domain, stem) in &self.domains {
            if domain == employer.domain
                || employer.slugs.contains(&stem)
                || mail.iter().any(|mail| mail.stem != 0 && mail.domain == domain)
            {
                return (4, frequency(own));
            }
        }
        let Some(company) = &self.company else { return (0, 0.0) };
        let other = ComparedName {
            words: employer.words,
            slug: own,
            acronym: employer.acronym,
            signature: employer.signature,
        };
        let (agreement, word) =
            compare_company_names(company, &other, |word| self.statistics.count(Term::Word, word));
        let word_rarity = if word == 0 {
            frequency(own)
        } else {
            self.rarity(self.statistics.count(Term::Word, word))
        };
        match agreement {
            NameAgreement::Exact => (5, frequency(own)),
            NameAgreement::Near => (3, frequency(own)),
            NameAgreement::Acronym | NameAgreement::Contained => (2, word_rarity),
            NameAgreement::Partial => (1, word_rarity),
            NameAgreement::Different => (0, 0.0),
        }
    }

    fn compare_title(&self, shard: &Shard<'_>, view: &PersonView<'_>, levels: &mut Levels) {
        let Some(title) = self
            .form
            .employments
            .first()
            .map(|employment| &employment.title)
            .filter(|title| !title.words.is_empty())
        else {
            return;
        };
        let base = match levels.level[EMPLOYER] {
            0 | 1 => 9,
            2..=6 => 1,
            _ => 5,
        };
        let compare = |index: u32| -> Option<u8> {
            let words = shard.title(index.checked_sub(1)?);
            let common = words.iter().filter(|word| title.words.contains(word)).count();
            let all = words.len() + title.words.len() - common;
            Some(if common == all {
                3
            } else if common * 2 >= all {
                2
            } else {
                u8::from(common > 0)
            })
        };
        let best = if base == 9 {
            view.employments.iter().filter_map(|(_, title)| compare(*title)).max()
        } else {
            view.employments
                .get(usize::from(levels.position))
                .and_then(|(_, title)| compare(*title))
        };
        let Some(best) = best else { return };
        levels.level[TITLE] = base + best;
        if best >= 2 {
            levels.rarity[TITLE] = self.rarity(self.statistics.count(Term::Title, title.key()));
        }
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
            5..=7 => self.rarity(self.statistics.count(Term::City, self.city)),
            2..=4 if same_country => self.rarity(self.country_count),
            _ => 0.0,
        };
    }
}

fn best_family(
    own: &[String],
    own_all: &[&[u8]],
    other: &[&[u8]],
    other_all: &[&[u8]],
) -> Option<Family> {
    let own: Tokens<'_> = own.iter().map(std::string::String::as_bytes).collect();
    compare_family(&own, other).max(if own.len() < own_all.len() || other.len() < other_all.len() {
        compare_family(own_all, other_all)
    } else {
        None
    })
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

/// The letters of a mailbox with umlauts as in names.
fn letters(local: &str) -> String {
    let letters: String = local.chars().filter(char::is_ascii_alphabetic).collect();
    collapse_umlauts(&letters)
}
