//! A CRM person against a directory person.
#![allow(clippy::cast_precision_loss, reason = "counts become weights")]

use smallvec::SmallVec;

use super::company_name::ComparedName;
use super::contradiction::{Contradiction, middle_names_contradict, names_two_people};
use super::levels::{
    Email, EmailName, FamilyName, Found, GivenName, NameOrder, PersonLevels, Phone, Place,
    doublings,
};
use super::person_name::{compare_family, compare_given};
use super::place::{Agreed, EntityPlace, compare_place};
use crate::entity::EntityKind;
use crate::form::PersonForm;
use crate::normalize::Mailbox;
use crate::shard::{NamesView, PersonView, Shard, Tokens};
use crate::statistics::{Statistics, Term, country_key, fold_key, full_name_key};
use crate::text::{collapse_umlauts, hash32};

/// The results of comparing the names alone.
#[derive(Clone, Copy, Default)]
struct NameLevels {
    given: Found<GivenName>,
    family: Found<FamilyName>,
    order: Found<NameOrder>,
    contradiction: Option<Contradiction>,
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
        let persons = doublings(statistics.entities(EntityKind::Person)).exp2();
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
        if met.levels.contradiction == Some(Contradiction::Names) {
            let mail = met.person.mail.iter().any(|mail| self.mail_keys.contains(&mail.key));
            if !mail && self.compare_phone(&met.person).level != Phone::Exact {
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
            email: self.compare_mail(&entity.person),
            email_name: self.compare_mail_name(&names, levels).into(),
            employer,
            title: self.compare_title(&entity, employer.level, position),
            place: self.compare_place(&entity.person),
            phone: self.compare_phone(&entity.person),
            contradiction: levels
                .contradiction
                .or_else(|| self.generations(&entity.person))
                .or_else(|| self.extensions(levels.family.level, &entity.person)),
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
        if family == FamilyName::Different
            && let Some((level, count)) = self.lone_name(view)
        {
            let given = Found { level, rarity: self.rarity(count) };
            return NameLevels { given, ..NameLevels::default() };
        }
        NameLevels {
            contradiction: self.contradiction(view, given, family),
            ..self.with_rarities(given, family, order)
        }
    }

    /// Compares the only name that one side has with the given names of the other, where it is no
    /// family name of theirs; `None` if both sides have a given name, or it is none of them.
    fn lone_name(&self, view: &NamesView<'_>) -> Option<(GivenName, f32)> {
        let (level, lone) = match (self.given.is_empty(), view.given.is_empty()) {
            (true, false) => (compare_given(&self.family, &view.given), self.family.first()),
            (false, true) => (compare_given(&self.given, &view.family), view.family.first()),
            _ => return None,
        };
        let count = self.statistics.count(Term::Given, hash32(lone?));
        (level >= GivenName::Nickname).then_some((level, count))
    }

    fn contradiction(
        &self,
        view: &NamesView<'_>,
        given: GivenName,
        family: FamilyName,
    ) -> Option<Contradiction> {
        if given <= GivenName::Different && family == FamilyName::Different {
            return Some(Contradiction::Names);
        }
        // Most names are one word: nothing more is looked at.
        if given < GivenName::Subset || self.form.name.given.len() < 2 {
            let two = view.given_count > 2 && names_two_people(view.given());
            return (given == GivenName::Subset && two).then_some(Contradiction::TwoPeople);
        }
        let own: Tokens<'_> = self.form.name.given.iter().map(String::as_bytes).collect();
        if names_two_people(&own) != names_two_people(view.given()) {
            return Some(Contradiction::TwoPeople);
        }
        middle_names_contradict(&own, view.given()).then_some(Contradiction::MiddleNames)
    }

    fn generations(&self, view: &PersonView<'_>) -> Option<Contradiction> {
        let (own, other) = (self.form.name.generation?, view.generation?);
        own.contradicts(other).then_some(Contradiction::Generation)
    }

    fn with_rarities(&self, given: GivenName, family: FamilyName, order: NameOrder) -> NameLevels {
        let [given_count, family_count, both_count] = self.counts;
        let given_agrees = given >= GivenName::Nickname;
        let contradiction = None;
        if given_agrees && family == FamilyName::Exact {
            // Outside the directory, expect as many namesakes as independent names make. Add one
            // for every further namesake in the directory.
            let namesakes = if order == NameOrder::Swapped { 0.0 } else { both_count - 1.0 };
            let expected = (given_count * family_count / self.persons + namesakes).max(0.05);
            let rarity = (self.persons / expected).log2();
            let family = Found { level: FamilyName::ExactWithGiven, rarity };
            return NameLevels { given: given.into(), family, order: order.into(), contradiction };
        }
        let family_agrees = family >= FamilyName::Subset;
        let rarity = |agrees: bool, count| if agrees { self.rarity(count) } else { 0.0 };
        NameLevels {
            given: Found { level: given, rarity: rarity(given_agrees, given_count) },
            family: Found { level: family, rarity: rarity(family_agrees, family_count) },
            order: order.into(),
            contradiction,
        }
    }

    fn compare_mail(&self, view: &PersonView<'_>) -> Found<Email> {
        let mut best = Found::from(Email::Null);
        for mailbox in self.form.mailboxes.iter().filter(|mailbox| !mailbox.role) {
            let (key, domain) = (mailbox.key(), mailbox.domain.key());
            for other in view.mail.iter().filter(|other| other.key != 0) {
                let level = if Some(other.key) == key {
                    Email::Exact
                } else if other.local == mailbox.local.as_bytes() {
                    Email::SameMailboxOtherDomain
                } else if other.domain == domain && other.stem != 0 {
                    Email::SameDomainOtherMailbox
                } else {
                    Email::Different
                };
                let rarity = if level == Email::Exact {
                    self.statistics.discount(Term::Mail, fold_key(other.key))
                } else {
                    0.0
                };
                if (level, rarity) > (best.level, best.rarity) || best.level == Email::Null {
                    best = Found { level, rarity };
                }
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

    /// The extensions of the numbers that both have, 0 for none, and the number's key.
    fn extensions_of_one_number<'b>(
        &'b self,
        view: &'b PersonView<'_>,
    ) -> impl Iterator<Item = (u32, u32, u32)> + 'b {
        let extension = |of: &[u32], at: usize| of.get(at).copied().unwrap_or_default();
        self.form.phones.iter().enumerate().flat_map(move |(at, phone)| {
            let own = extension(&self.form.extensions, at);
            let same = view.phones.iter().enumerate().filter(move |(_, other)| *other == phone);
            same.map(move |(at, _)| (own, extension(&view.extensions, at), *phone))
        })
    }

    /// The best agreement of a phone with one of the entity's. Two extensions of one number are two
    /// phones, and a number that many share says little.
    fn compare_phone(&self, view: &PersonView<'_>) -> Found<Phone> {
        if self.form.phones.is_empty() || view.phones.is_empty() {
            return Phone::Null.into();
        }
        let agreements =
            self.extensions_of_one_number(view).filter_map(|(own, other, phone)| {
                match (own, other) {
                    (0, _) | (_, 0) => Some(self.statistics.discount(Term::Phone, phone)),
                    _ => (own == other).then_some(0.0),
                }
            });
        agreements
            .max_by(f32::total_cmp)
            .map_or(Phone::Different.into(), |rarity| Found { level: Phone::Exact, rarity })
    }

    fn extensions(&self, family: FamilyName, view: &PersonView<'_>) -> Option<Contradiction> {
        let mut numbers = self.extensions_of_one_number(view);
        let apart = family == FamilyName::Different
            && numbers.any(|(own, other, _)| own != 0 && other != 0 && own != other);
        apart.then_some(Contradiction::Extension)
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
