//! Explanations: for a pair, every comparison's level, both values, its weight, and the whole in
//! words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator as _;

use crate::compare::{
    CompanyComparison, Comparison, EmployerEvidence, Levels, PersonComparison, comparisons,
};
use crate::entity::EntityKind;
use crate::form::{CompanyForm, PersonForm, Probe};
use crate::model::{MatchModel, Weights};
use crate::score::{MatchWeight, Scorer};
use crate::shard::{CompanyView, NamesView, PersonView, Shard};
use crate::statistics::Statistics;

/// One comparison of an explained pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedComparison {
    /// The comparison's name.
    pub name: String,
    /// The level it is at.
    pub level: String,
    /// True if the values agree exactly: what the product shows in bold.
    pub exact: bool,
    /// The record's value, normalised; empty for none.
    pub record_value: String,
    /// The entity's value, normalised; empty for none.
    pub entity_value: String,
    /// The match weight it adds, in bits.
    pub weight: f64,
}

/// The reasons for a pair's weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The record.
    pub record_id: String,
    /// The entity.
    pub entity_id: String,
    /// The sum of the comparisons and the prior, or less where values contradict each other.
    pub weight: MatchWeight,
    /// The prior of picking any one entity of the version, in bits.
    pub prior: f64,
    /// The employer as evidence.
    pub employer: EmployerEvidence,
    /// True if the pair shares a block, without which it would never be scored.
    pub blocked: bool,
    /// The comparisons, null levels too.
    pub comparisons: Vec<ExplainedComparison>,
    /// The explanation in words, strongest evidence first.
    pub words: String,
}

/// Explains a pair; `None` if the entity is not in this shard, or of the other kind.
#[must_use]
pub fn explain(
    model: &MatchModel,
    statistics: &Statistics,
    shard: &Shard<'_>,
    probe: &Probe,
    entity_id: &str,
) -> Option<Explanation> {
    let kind = probe.kind();
    let ordinal = (shard.kind() == kind).then(|| shard.ordinal_of(entity_id)).flatten()?;
    let scorer = Scorer::new(model, statistics);
    let (levels, employer) = scorer.compare(shard, probe, ordinal);
    let weights = scorer.weights(kind);
    let values = values(shard, probe, ordinal, levels.position);
    let explained = explained(kind, weights, &levels, values);
    let words = in_words(&explained, &levels);
    Some(Explanation {
        record_id: probe.record_id().to_owned(),
        entity_id: entity_id.to_owned(),
        weight: MatchWeight::new(weights.weigh(&levels, scorer.doublings(kind))),
        prior: scorer.prior(kind),
        employer,
        blocked: scorer.block(shard, probe).binary_search(&ordinal).is_ok(),
        comparisons: explained,
        words,
    })
}

/// The record's and the entity's value of every comparison, normalised.
fn values(shard: &Shard<'_>, probe: &Probe, ordinal: u32, position: u8) -> Vec<(String, String)> {
    match probe {
        Probe::Person(form) => {
            let names = shard.names(ordinal);
            let entity = PersonEntity { shard, person: names.person(), names, position };
            let of = |at| (person_record(form, at), person_entity(&entity, at));
            PersonComparison::iter().map(of).collect()
        }
        Probe::Company(form) => {
            let entity = shard.company(ordinal);
            let of = |at| (company_record(form, at), company_entity(&entity, at));
            CompanyComparison::iter().map(of).collect()
        }
    }
}

/// Every comparison of a kind at its level, with both values.
pub(crate) fn explained(
    kind: EntityKind,
    weights: &Weights,
    levels: &Levels,
    values: impl IntoIterator<Item = (String, String)>,
) -> Vec<ExplainedComparison> {
    let comparison = |(at, (comparison, values)): (usize, (&Comparison, (String, String)))| {
        let level = comparison.levels.get(usize::from(levels.level[at])).copied().unwrap_or("null");
        let (record_value, entity_value) = values;
        ExplainedComparison {
            name: comparison.name.to_owned(),
            level: level.to_owned(),
            exact: is_exact(level),
            record_value,
            entity_value,
            weight: weights.part(levels, at),
        }
    };
    comparisons(kind).iter().zip(values).enumerate().map(comparison).collect()
}

/// True for a level at which both sides have the same value.
pub(crate) fn is_exact(level: &str) -> bool {
    level.contains("exact")
}

/// Bits of term frequency evidence above which a value is called rare: under one in a thousand.
const RARE: f32 = 10.0;

pub(crate) fn in_words(explained: &[ExplainedComparison], levels: &Levels) -> String {
    let mut parts: Vec<(f64, String)> = explained
        .iter()
        .enumerate()
        .filter(|(_, comparison)| comparison.level != "null")
        .map(|(at, comparison)| {
            let rare = if comparison.exact && levels.rarity[at] >= RARE { ", rare" } else { "" };
            (comparison.weight, format!("{}{rare}", phrase(&comparison.name, &comparison.level)))
        })
        .collect();
    parts.sort_by(|left, right| right.0.abs().total_cmp(&left.0.abs()));
    let contradiction = levels.contradiction.map(|one| format!("never a match: {}", one.words()));
    let parts = parts.into_iter().map(|(_, words)| words);
    contradiction.into_iter().chain(parts).collect::<Vec<_>>().join("; ")
}

fn phrase(name: &str, level: &str) -> String {
    let fixed = match (name, level) {
        ("name_order", _) => "given and family name are swapped",
        ("family_name", "exact" | "exact_with_given") => "same surname",
        ("given_name", "exact") => "same given name",
        ("given_name", "nickname") => "given name is a short form",
        ("given_name", "subset") => "one of several given names agrees",
        ("email", "exact") => "same e-mail address",
        ("email_name", "gives_given") => "e-mail address has the given name",
        ("email_name", "gives_family") => "e-mail address has the surname",
        ("email_name", "gives_both") => "e-mail address has the whole name",
        ("employer", "conflict") => "employer is none of the person's known ones",
        ("employer", "current_exact") => "same current employer",
        ("employer", "current_domain") => "mail or web domain is the current employer's",
        ("employer", "past_domain") => "mail or web domain is a past employer's",
        ("employer", level) if level.starts_with("past_") => "employer is a past position",
        ("employer", _) => "employer is much like the current one",
        ("place", "other_country") => "another country",
        ("place", "city_exact") => "same city",
        ("place", "same_country_other_city") => "same country, another city",
        ("place", "same_country") => "same country",
        ("phone", "exact") => "same phone",
        ("name", "exact") => "same company name",
        ("domain", "exact") => "same domain",
        _ => return format!("{}: {}", name.replace('_', " "), level.replace('_', " ")),
    };
    fixed.to_owned()
}

fn person_record(form: &PersonForm, at: PersonComparison) -> String {
    match at {
        PersonComparison::GivenName => form.name.given.join(" "),
        PersonComparison::FamilyName => form.name.family.join(" "),
        PersonComparison::Email | PersonComparison::EmailName => {
            let mailboxes = form.mailboxes.iter();
            joined(mailboxes.map(|mailbox| format!("{}@{}", mailbox.local, mailbox.domain.name)))
        }
        PersonComparison::Employer => {
            let companies = form.employments.iter().filter_map(|held| held.company.as_ref());
            let names = companies.map(|company| company.words.clone());
            joined(names.chain(form.site.iter().map(|site| site.name.clone())))
        }
        PersonComparison::Place => place_words(form.place.city.as_bytes(), form.place.country),
        PersonComparison::Phone => phones(form.phones.len()),
        PersonComparison::NameOrder | PersonComparison::Title => String::new(),
    }
}

/// A directory person, and the position that the employer evidence is from.
struct PersonEntity<'s, 'a> {
    shard: &'s Shard<'a>,
    names: NamesView<'a>,
    person: PersonView<'a>,
    position: u8,
}

impl PersonEntity<'_, '_> {
    /// The words of the employer that agrees, or of the current one.
    fn employer(&self) -> Option<String> {
        let employments = &self.person.employments;
        let agreed = employments.get(usize::from(self.position));
        let (employer, _) = agreed.or_else(|| employments.first())?;
        let employer = self.shard.employer(employer.checked_sub(1)?)?;
        Some(String::from_utf8_lossy(employer.words()).into_owned())
    }
}

fn person_entity(entity: &PersonEntity<'_, '_>, at: PersonComparison) -> String {
    let PersonEntity { names, person, .. } = entity;
    match at {
        PersonComparison::GivenName => words_of(names.given()),
        PersonComparison::FamilyName => words_of(names.family()),
        PersonComparison::Email => {
            let locals = person.mail.iter().map(|mail| String::from_utf8_lossy(mail.local));
            joined(locals.map(Cow::into_owned))
        }
        PersonComparison::EmailName => {
            format!("{} {}", words_of(names.given()), words_of(names.family()))
        }
        PersonComparison::Employer => entity.employer().unwrap_or_default(),
        PersonComparison::Place => place_words(person.city, person.country),
        PersonComparison::Phone => phones(person.phones.len()),
        PersonComparison::NameOrder | PersonComparison::Title => String::new(),
    }
}

fn joined(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(", ")
}

/// The number of phones, since a form has their hashes only.
fn phones(count: usize) -> String {
    if count == 0 { String::new() } else { format!("{count} phone(s)") }
}

fn words_of(tokens: &[&[u8]]) -> String {
    tokens.iter().map(|token| String::from_utf8_lossy(token)).collect::<Vec<_>>().join(" ")
}

fn place_words(city: &[u8], country: [u8; 2]) -> String {
    let country = if country == [0, 0] {
        String::new()
    } else {
        String::from_utf8_lossy(&country).into_owned()
    };
    let parts = [String::from_utf8_lossy(city).into_owned(), country];
    joined(parts.into_iter().filter(|part| !part.is_empty()))
}

fn company_record(form: &CompanyForm, at: CompanyComparison) -> String {
    match at {
        CompanyComparison::Name => joined(form.names.iter().map(|name| name.words.clone())),
        CompanyComparison::Domain => joined(form.domains.iter().map(|domain| domain.name.clone())),
        CompanyComparison::PostalCode => form.postal_code.clone(),
        CompanyComparison::Place => place_words(form.place.city.as_bytes(), form.place.country),
        CompanyComparison::Employees => employees(form.employees),
        CompanyComparison::Phone | CompanyComparison::Street | CompanyComparison::Industry => {
            String::new()
        }
    }
}

fn company_entity(view: &CompanyView<'_>, at: CompanyComparison) -> String {
    match at {
        CompanyComparison::Name => view.names.join(", "),
        CompanyComparison::Domain => {
            let stems = view.domains.iter().map(|(_, stem)| String::from_utf8_lossy(stem));
            joined(stems.map(Cow::into_owned))
        }
        CompanyComparison::PostalCode => String::from_utf8_lossy(view.postal_code).into_owned(),
        CompanyComparison::Place => place_words(view.city, view.country),
        CompanyComparison::Employees => employees(view.employees),
        CompanyComparison::Phone | CompanyComparison::Street | CompanyComparison::Industry => {
            String::new()
        }
    }
}

fn employees(count: u32) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

/// The kind's comparison names in order, for tables.
#[must_use]
pub fn comparison_names(kind: EntityKind) -> Vec<&'static str> {
    comparisons(kind).iter().map(|comparison| comparison.name).collect()
}
