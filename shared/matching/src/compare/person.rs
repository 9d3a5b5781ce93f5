//! A CRM person against a directory person.
#![allow(clippy::cast_precision_loss, reason = "counts become weights")]

use smallvec::SmallVec;

use super::company_name::ComparedName;
use super::levels::{
    Email, EmailName, FamilyName, Found, GivenName, NameOrder, PersonLevels, Phone, Place,
};
use super::person_name::{compare_family, compare_given};
use super::place::{Agreed, EntityPlace, compare_place};
use crate::entity::EntityKind;
use crate::form::PersonForm;
use crate::normalize::Mailbox;
use crate::shard::{NamesView, PersonView, Shard, Tokens};
use crate::statistics::{Statistics, Term, country_key, full_name_key};
use crate::text::{collapse_umlauts, hash32};

/// The results of comparing the names alone.
#[derive(Clone, Copy, Default)]
struct NameLevels {
    given: Found<GivenName>,
    family: Found<FamilyName>,
    order: Found<NameOrder>,
}

/// The record's side of its pairs, made once for all its candidates.
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
    levels: NameLevels,
}

/// The entity's side of a pair.
pub(super) struct Entity<'s, 'a> {
    pub(super) shard: &'s Shard<'a>,
    pub(super) person: PersonView<'a>,
}

impl<'a> PersonContext<'a> {
    pub(crate) fn new(form: &'a PersonForm, statistics: &'a Statistics) -> Self {
        let tokens = |one: &'a [String], more: &'a [String]| -> Tokens<'a> {
            one.iter().chain(more).map(String::as_bytes).collect()
        };
        let given_hash = form.name.first_given().map_or(0, |given| hash32(given.as_bytes()));
        let family_hash = hash32(form.name.family_joined().as_bytes());
        let persons = statistics.entities(EntityKind::Person).max(1) as f32;
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

    /// Compares the names alone; `None` if no name, mail address or phone agrees, since no other
    /// evidence makes up for that.
    pub(crate) fn meet<'s>(&self, shard: &Shard<'s>, ordinal: u32) -> Option<Met<'s>> {
        let met = self.compare_names_of(shard, ordinal);
        let NameLevels { given, family, .. } = met.levels;
        if given.level == GivenName::Different && family.level == FamilyName::Different {
            let mail = met.person.mail.iter().any(|mail| self.mail_keys.contains(&mail.key));
            if !mail && !self.same_phone(&met.person) {
                return None;
            }
        }
        Some(met)
    }

    /// Compares the rest.
    pub(crate) fn compare<'s>(&self, shard: &Shard<'s>, met: Met<'s>) -> PersonLevels {
        let Met { names, person, levels, .. } = met;
        let entity = Entity { shard, person };
        let (employer, position) = self.compare_employer(&entity);
        PersonLevels {
            given_name: levels.given,
            family_name: levels.family,
            name_order: levels.order,
            email: self.compare_mail(&entity.person).into(),
            email_name: self.compare_mail_name(&names, levels).into(),
            employer,
            title: self.compare_title(&entity, employer.level, position),
            place: self.compare_place(&entity.person),
            phone: self.compare_phone(&entity.person).into(),
            position,
        }
    }

    /// Compares the record with an entity in full, whether or not their names agree.
    pub(crate) fn compare_fully(&self, shard: &Shard<'_>, ordinal: u32) -> PersonLevels {
        self.compare(shard, self.compare_names_of(shard, ordinal))
    }

    fn compare_names_of<'s>(&self, shard: &Shard<'s>, ordinal: u32) -> Met<'s> {
        let names = shard.names(ordinal);
        let levels = self.compare_names(&names);
        Met { ordinal, person: names.person(), names, levels }
    }

    fn compare_names(&self, view: &NamesView<'_>) -> NameLevels {
        // A former name is an alternative, not a part: only family names proper are joined.
        let mut family = compare_family(&self.family_proper, view.family());
        if self.family.len() > self.family_proper.len() || view.family.len() > view.family_count {
            family = family.max(compare_family(&self.family, &view.family));
        }
        let mut given = compare_given(&self.given, &view.given);
        let mut order = NameOrder::Null;
        if given <= GivenName::Different || family <= FamilyName::Different {
            let swapped = (
                compare_given(&self.family, &view.given),
                compare_family(&self.given, view.family()),
            );
            if swapped.0 >= GivenName::Fuzzy && swapped.1 >= FamilyName::Fuzzy {
                (given, family) = swapped;
                order = NameOrder::Swapped;
            }
        }
        let [given_count, family_count, both_count] = self.counts;
        let given_agrees = given >= GivenName::Nickname;
        if given_agrees && family == FamilyName::Exact {
            // Outside the directory, expect as many namesakes as independent names make. Add one
            // for every further namesake in the directory.
            let namesakes = if order == NameOrder::Swapped { 0.0 } else { both_count - 1.0 };
            let expected = (given_count * family_count / self.persons + namesakes).max(0.05);
            let rarity = (self.persons / expected).log2();
            let family = Found { level: FamilyName::ExactWithGiven, rarity };
            return NameLevels { given: given.into(), family, order: order.into() };
        }
        let family_agrees = family >= FamilyName::Subset;
        let rarity = |agrees: bool, count| if agrees { self.rarity(count) } else { 0.0 };
        NameLevels {
            given: Found { level: given, rarity: rarity(given_agrees, given_count) },
            family: Found { level: family, rarity: rarity(family_agrees, family_count) },
            order: order.into(),
        }
    }

    fn compare_mail(&self, view: &PersonView<'_>) -> Email {
        let mut best = Email::Null;
        for mailbox in self.form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
            let (key, domain) = (mailbox.key(), mailbox.domain.key());
            for other in view.mail.iter().filter(|other| other.key != 0) {
                best = best.max(if Some(other.key) == key {
                    Email::Exact
                } else if other.local == mailbox.local.as_bytes() {
                    Email::SameMailboxOtherDomain
                } else if other.domain == domain && other.stem != 0 {
                    Email::SameDomainOtherMailbox
                } else {
                    Email::Different
                });
            }
        }
        best
    }

    /// Compares the record's mailbox with the entity's name. It tells most if the record's own name
    /// leaves doubt.
    fn compare_mail_name(&self, view: &NamesView<'_>, names: NameLevels) -> EmailName {
        if self.locals.is_empty() || view.family_count == 0 {
            return EmailName::Null;
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
        let sure_given = names.given.level >= GivenName::Subset;
        let sure_family = names.family.level >= FamilyName::Subset;
        match (sure_given, sure_family, has_given, has_family) {
            (true, true, false, false) => EmailName::Contradicts,
            (true, true, _, _) => EmailName::Consistent,
            (false, false, true, true) => EmailName::GivesBoth,
            (false, _, true, _) => EmailName::GivesGiven,
            (_, false, _, true) => EmailName::GivesFamily,
            (false, _, false, true) | (_, false, true, false) => EmailName::Partly,
            (_, _, false, false) => EmailName::Neither,
        }
    }

    fn compare_place(&self, view: &PersonView<'_>) -> Found<Place> {
        let entity = EntityPlace { city: view.city, state: view.state, country: view.country };
        let (level, agreed) = compare_place(&self.form.place, &entity);
        let rarity = match agreed {
            Agreed::City => self.city_rarity,
            Agreed::Country => self.country_rarity,
            Agreed::Nothing => 0.0,
        };
        Found { level, rarity }
    }

    fn same_phone(&self, view: &PersonView<'_>) -> bool {
        self.form.phones.iter().any(|phone| view.phones.contains(phone))
    }

    fn compare_phone(&self, view: &PersonView<'_>) -> Phone {
        if self.form.phones.is_empty() || view.phones.is_empty() {
            Phone::Null
        } else if self.same_phone(view) {
            Phone::Exact
        } else {
            Phone::Different
        }
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
