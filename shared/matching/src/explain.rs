//! Why a pair is or is not a match: every comparison's level, both values, its weight, and the whole in words.

use serde::{Deserialize, Serialize};

use crate::compare::person::{EMPLOYER, FAMILY, GIVEN, MAIL, MAIL_NAME, PHONE, PLACE};
use crate::compare::{Comparison, Levels};
use crate::entity::EntityKind;
use crate::form::{CompanyForm, PersonForm, Probe};
use crate::model::{MatchModel, Weights, comparisons};
use crate::score::{EmployerEvidence, MatchWeight, Scorer, employer_evidence};
use crate::shard::{CompanyView, Shard};
use crate::statistics::Statistics;

/// One comparison of an explained pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedComparison {
    /// The comparison's name.
    pub name: String,
    /// The level it is at.
    pub level: String,
    /// Whether the values agree exactly: what the product shows in bold.
    pub exact: bool,
    /// The record's value, normalised; empty for none.
    pub record_value: String,
    /// The entity's value, normalised; empty for none.
    pub entity_value: String,
    /// The match weight it adds, in bits.
    pub weight: f64,
}

/// Why a pair has the weight it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The record.
    pub record_id: String,
    /// The entity.
    pub entity_id: String,
    /// The sum of the comparisons and the prior.
    pub weight: MatchWeight,
    /// The prior of picking any one entity of the version, in bits.
    pub prior: f64,
    /// What the employer says.
    pub employer: EmployerEvidence,
    /// Whether the pair shares a block, without which it would never be scored.
    pub blocked: bool,
    /// The comparisons, null levels too.
    pub comparisons: Vec<ExplainedComparison>,
    /// The explanation in words, strongest evidence first.
    pub words: String,
}

/// Explains a pair; `None` when the entity is not in this shard, or of the other kind.
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
    let levels = scorer.levels(shard, probe, ordinal);
    let weights = scorer.weights(kind);
    let explained = explained(kind, weights, &levels, |at| match probe {
        Probe::Person(form) => {
            (person_record(form, at), person_entity(shard, ordinal, &levels, at))
        }
        Probe::Company(form) => {
            (company_record(form, at), company_entity(&shard.company(ordinal), at))
        }
    });
    let words = in_words(&explained, &levels);
    Some(Explanation {
        record_id: probe.record_id().to_owned(),
        entity_id: entity_id.to_owned(),
        weight: MatchWeight::new(weights.sum(&levels) + scorer.prior(kind)),
        prior: scorer.prior(kind),
        employer: employer_evidence(kind, &levels),
        blocked: scorer.block(shard, probe).binary_search(&ordinal).is_ok(),
        comparisons: explained,
        words,
    })
}

/// Every comparison of a kind at its level, with both values.
pub(crate) fn explained(
    kind: EntityKind,
    weights: &Weights,
    levels: &Levels,
    values: impl Fn(usize) -> (String, String),
) -> Vec<ExplainedComparison> {
    let comparison = |(at, comparison): (usize, &Comparison)| {
        let level = comparison.levels.get(usize::from(levels.level[at])).copied().unwrap_or("null");
        let (record_value, entity_value) = values(at);
        ExplainedComparison {
            name: comparison.name.to_owned(),
            level: level.to_owned(),
            exact: level.contains("exact"),
            record_value,
            entity_value,
            weight: weights.part(levels, at),
        }
    };
    comparisons(kind).iter().enumerate().map(comparison).collect()
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
    parts.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("; ")
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

fn person_record(form: &PersonForm, at: usize) -> String {
    match at {
        GIVEN => form.name.given.join(" "),
        FAMILY => form.name.family.join(" "),
        MAIL | MAIL_NAME => form
            .mailboxes
            .iter()
            .map(|mailbox| format!("{}@{}", mailbox.local, mailbox.domain.name))
            .collect::<Vec<_>>()
            .join(", "),
        EMPLOYER => {
            let name = form
                .employments
                .iter()
                .filter_map(|employment| employment.company.as_ref())
                .map(|company| company.words.clone());
            name.chain(form.site.iter().map(|site| site.name.clone()))
                .collect::<Vec<_>>()
                .join(", ")
        }
        PLACE => place_words(form.place.city.as_bytes(), form.place.country),
        PHONE if !form.phones.is_empty() => format!("{} phone(s)", form.phones.len()),
        _ => String::new(),
    }
}

fn person_entity(shard: &Shard<'_>, ordinal: u32, levels: &Levels, at: usize) -> String {
    let names = shard.names(ordinal);
    let view = names.person();
    match at {
        GIVEN => words_of(names.given()),
        FAMILY => words_of(names.family()),
        MAIL => view
            .mail
            .iter()
            .map(|mail| String::from_utf8_lossy(mail.local).into_owned())
            .collect::<Vec<_>>()
            .join(", "),
        MAIL_NAME => format!("{} {}", words_of(names.given()), words_of(names.family())),
        EMPLOYER => {
            let employments = &view.employments;
            let held =
                employments.get(usize::from(levels.position)).or_else(|| employments.first());
            held.and_then(|(employer, _)| employer.checked_sub(1))
                .and_then(|employer| shard.employer(employer))
                .map(|employer| String::from_utf8_lossy(employer.words()).into_owned())
                .unwrap_or_default()
        }
        PLACE => place_words(view.city, view.country),
        PHONE if !view.phones.is_empty() => format!("{} phone(s)", view.phones.len()),
        _ => String::new(),
    }
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
    [String::from_utf8_lossy(city).into_owned(), country]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

fn company_record(form: &CompanyForm, at: usize) -> String {
    match at {
        0 => form.names.iter().map(|name| name.words.clone()).collect::<Vec<_>>().join(", "),
        1 => form.domains.iter().map(|domain| domain.name.clone()).collect::<Vec<_>>().join(", "),
        4 => form.postal_code.clone(),
        5 => place_words(form.place.city.as_bytes(), form.place.country),
        7 if form.employees != 0 => form.employees.to_string(),
        _ => String::new(),
    }
}

fn company_entity(view: &CompanyView<'_>, at: usize) -> String {
    match at {
        0 => view.names.join(", "),
        1 => view
            .domains
            .iter()
            .map(|(_, stem)| String::from_utf8_lossy(stem).into_owned())
            .collect::<Vec<_>>()
            .join(", "),
        4 => String::from_utf8_lossy(view.postal_code).into_owned(),
        5 => place_words(view.city, view.country),
        7 if view.employees != 0 => view.employees.to_string(),
        _ => String::new(),
    }
}

/// The kind's comparison names in order, for tables.
#[must_use]
pub fn comparison_names(kind: EntityKind) -> Vec<&'static str> {
    comparisons(kind).iter().map(|comparison| comparison.name).collect()
}
