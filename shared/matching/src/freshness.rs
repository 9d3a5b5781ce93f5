//! What of a CRM record is out of date, by the directory's entity as it is now.
//!
//! The entity is known to be the record's: nothing here decides who it is. A false alarm costs a
//! seller's trust, so values that may mean the same are taken for the same, and a value that either
//! side leaves out is no contradiction.

use serde::{Deserialize, Serialize};

use crate::compare::{NameAgreement, agreement_of_names};
use crate::entity::{Company, CrmAccount, CrmPerson, Person};
use crate::normalize::{CompanyName, Domain, Place, Title, web_domain};
use crate::similarity::is_slip;

/// A fact that a record and an entity both may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The job title.
    Title,
    /// A person's employer, or a company's name.
    Company,
    /// City, state and country.
    Location,
}

/// How a record's facts stand to the entity's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// The facts in which the record contradicts the entity.
    pub outdated: Vec<Fact>,
    /// The facts that the entity tells and the record leaves out.
    pub missing: Vec<Fact>,
}

/// How one value stands to another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It may mean the same, or there is nothing to compare it with.
    Current,
    Missing,
    Outdated,
}

impl Freshness {
    fn of(facts: impl IntoIterator<Item = (Fact, Standing)>) -> Self {
        let mut freshness = Self::default();
        for (fact, standing) in facts {
            match standing {
                Standing::Current => {}
                Standing::Missing => freshness.missing.push(fact),
                Standing::Outdated => freshness.outdated.push(fact),
            }
        }
        freshness
    }

    /// How a lead or a contact stands to the person that it is. `employer` is the company that the
    /// person works for, where the directory has it: its former names are current ones too.
    #[must_use]
    pub fn of_person(record: &CrmPerson, person: &Person, employer: Option<&Company>) -> Self {
        let place = (&record.city, &record.state, &record.country);
        Self::of([
            (Fact::Title, title(record.title.as_deref(), &person.title)),
            (Fact::Company, employment(record, person, employer)),
            (Fact::Location, location(place, [&person.city, &person.state, &person.country])),
        ])
    }

    /// How an account stands to the company that it is.
    #[must_use]
    pub fn of_company(record: &CrmAccount, company: &Company) -> Self {
        let place = (&record.city, &record.state, &record.country);
        Self::of([
            (Fact::Company, company_name(record.name.as_deref(), company)),
            (Fact::Location, location(place, [&company.city, &company.state, &company.country])),
        ])
    }
}

fn title(record: Option<&str>, entity: &str) -> Standing {
    let entity = Title::parse(entity);
    let record = Title::parse(record.unwrap_or_default());
    if entity.words.is_empty() {
        Standing::Current
    } else if record.words.is_empty() {
        Standing::Missing
    } else if record == entity {
        Standing::Current
    } else {
        Standing::Outdated
    }
}

/// A record's employer against the person's positions: the present one's company by any of its
/// names or by its site, then the past ones'.
fn employment(record: &CrmPerson, person: &Person, employer: Option<&Company>) -> Standing {
    let present = person.company.as_ref().map(|company| company.name.as_str());
    let mut present: Vec<&str> = present.into_iter().collect();
    if let Some(employer) = employer {
        present.push(&employer.name);
        present.extend(employer.former_names.iter().chain(&employer.brands).map(String::as_str));
    }
    let present: Vec<CompanyName> = present.into_iter().filter_map(CompanyName::parse).collect();
    if present.is_empty() {
        return Standing::Current;
    }
    let Some(name) = record.company.as_deref().and_then(CompanyName::parse) else {
        return Standing::Missing;
    };
    let now = best(&name, &present);
    if now >= NameAgreement::Contained || has_site(record.website.as_deref(), employer) {
        return Standing::Current;
    }
    let past: Vec<CompanyName> =
        person.past_positions.iter().filter_map(|past| CompanyName::parse(&past.company)).collect();
    let was = best(&name, &past);
    if was < NameAgreement::Contained && now == NameAgreement::Partial {
        return Standing::Current;
    }
    Standing::Outdated
}

fn best(name: &CompanyName, others: &[CompanyName]) -> NameAgreement {
    let of = others.iter().map(|other| agreement_of_names(&name.words, &other.words));
    of.max().unwrap_or(NameAgreement::Different)
}

/// True if a record's web site is the company's.
fn has_site(record: Option<&str>, company: Option<&Company>) -> bool {
    let domain = |site: &str| -> Option<Domain> { web_domain(site) };
    let Some(record) = record.and_then(domain) else { return false };
    let sites = company.map(|company| [company.website.as_str(), company.domain.as_str()]);
    sites.into_iter().flatten().filter_map(domain).any(|site| site == record)
}

/// An account's name against those that the company goes by now. One that it had before is out of
/// date, unless it still is one of them.
fn company_name(record: Option<&str>, company: &Company) -> Standing {
    let present: Vec<CompanyName> = std::iter::once(&company.name)
        .chain(&company.brands)
        .filter_map(|name| CompanyName::parse(name))
        .collect();
    if present.is_empty() {
        return Standing::Current;
    }
    let Some(name) = record.and_then(CompanyName::parse) else { return Standing::Missing };
    if best(&name, &present) >= NameAgreement::Partial {
        Standing::Current
    } else {
        Standing::Outdated
    }
}

/// A record's place, as it is written: city, state, country.
type Written<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<String>);

fn location((city, state, country): Written<'_>, entity: [&str; 3]) -> Standing {
    let record = Place::parse(city.as_deref(), state.as_deref(), country.as_deref());
    let [city, state, country] = entity.map(Some);
    let entity = Place::parse(city, state, country);
    if entity == Place::default() {
        return Standing::Current;
    }
    if record == Place::default() {
        return Standing::Missing;
    }
    let differ = |a, b, none| a != none && b != none && a != b;
    let other_country = differ(record.country, entity.country, [0; 2]);
    let both_cities = !record.city.is_empty() && !entity.city.is_empty();
    let other_city = both_cities
        && record.city != entity.city
        && !is_slip(record.city.as_bytes(), entity.city.as_bytes());
    let other_state = !both_cities && record.state != 0 && entity.state != 0;
    let other_state = other_state && record.state != entity.state;
    if other_country || other_city || other_state { Standing::Outdated } else { Standing::Current }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Employer, Position};

    fn person() -> Person {
        Person {
            title: "Senior Vice President of Sales".into(),
            company: Some(Employer { name: "Acme Corp.".into(), ..Employer::default() }),
            past_positions: vec![Position {
                company: "Old Mill Bakery".into(),
                ..Position::default()
            }],
            city: "New York City".into(),
            state: "New York".into(),
            country: "United States".into(),
            ..Person::default()
        }
    }

    fn record() -> CrmPerson {
        CrmPerson {
            title: Some("SVP, Sales".into()),
            company: Some("ACME Corporation".into()),
            city: Some("NYC".into()),
            country: Some("USA".into()),
            ..CrmPerson::default()
        }
    }

    fn of(record: &CrmPerson) -> Freshness {
        Freshness::of_person(record, &person(), None)
    }

    #[test]
    fn other_spellings_of_one_fact_are_current() {
        assert_eq!(of(&record()), Freshness::default());
        let contained = CrmPerson { company: Some("Acme".into()), ..record() };
        assert_eq!(of(&contained), Freshness::default());
        let slip = CrmPerson { city: Some("New Yorc".into()), ..record() };
        assert_eq!(of(&slip), Freshness::default());
    }

    #[test]
    fn a_contact_whose_person_left_for_another_company_is_out_of_date() {
        for stale in ["Old Mill Bakery", "old mill bakery ltd.", "Zenith Optics"] {
            let found = of(&CrmPerson { company: Some(stale.into()), ..record() });
            assert_eq!(found.outdated, [Fact::Company], "{stale}");
        }
        // A name that is much like the present employer's and is a past one's is a past one.
        let mut moved = person();
        moved.past_positions[0].company = "Acme Bakery Group".into();
        moved.company.as_mut().unwrap().name = "Acme Tools Group".into();
        let stale = CrmPerson { company: Some("Acme Bakery Group".into()), ..record() };
        let found = Freshness::of_person(&stale, &moved, None);
        assert_eq!(found.outdated, [Fact::Company]);
    }

    #[test]
    fn title_and_location_are_out_of_date_when_they_say_something_else() {
        let promoted = CrmPerson { title: Some("Account Executive".into()), ..record() };
        assert_eq!(of(&promoted).outdated, [Fact::Title]);
        for (city, country) in [("Boston", "US"), ("Berlin", "Germany"), ("", "Germany")] {
            let (city, country) = (Some(city.into()), Some(country.into()));
            let moved = CrmPerson { city, country, ..record() };
            assert_eq!(of(&moved).outdated, [Fact::Location], "{moved:?}");
        }
        let state_alone = CrmPerson { city: None, state: Some("CA".into()), ..record() };
        assert_eq!(of(&state_alone).outdated, [Fact::Location]);
    }

    #[test]
    fn what_either_side_leaves_out_contradicts_nothing() {
        let blank = CrmPerson { company: Some("n/a".into()), ..CrmPerson::default() };
        let found = of(&blank);
        assert_eq!(found.outdated, []);
        assert_eq!(found.missing, [Fact::Title, Fact::Company, Fact::Location]);
        let nobody = Freshness::of_person(&record(), &Person::default(), None);
        assert_eq!(nobody, Freshness::default());
    }

    #[test]
    fn an_employer_is_the_same_under_a_former_name_a_brand_and_its_site() {
        let employer = Company {
            name: "Meridian Holdings".into(),
            domain: "meridian.example".into(),
            former_names: vec!["Quartz Telecom".into()],
            brands: vec!["Zephyr".into()],
            ..Company::default()
        };
        let mut person = person();
        person.company = Some(Employer { name: "Meridian".into(), ..Employer::default() });
        let found = |name: &str, website: Option<&str>| {
            let company = Some(name.to_owned());
            let website = website.map(str::to_owned);
            let record = CrmPerson { company, website, ..record() };
            Freshness::of_person(&record, &person, Some(&employer)).outdated
        };
        assert_eq!(found("Quartz Telecom", None), []);
        assert_eq!(found("Zephyr Ltd", None), []);
        assert_eq!(found("Bluebird", None), [Fact::Company]);
    }

    #[test]
    fn an_account_is_out_of_date_by_a_former_name_or_another_place() {
        let company = Company {
            name: "Meridian Holdings".into(),
            former_names: vec!["Quartz Telecom".into()],
            brands: vec!["Zephyr".into()],
            city: "Berlin".into(),
            country: "Germany".into(),
            ..Company::default()
        };
        let found = |name: &str, city: &str| {
            let (name, city) = (Some(name.to_owned()), Some(city.to_owned()));
            Freshness::of_company(&CrmAccount { name, city, ..CrmAccount::default() }, &company)
        };
        assert_eq!(found("Meridian Holdings AG", "Berlin"), Freshness::default());
        assert_eq!(found("Zephyr", "Berlin"), Freshness::default());
        assert_eq!(found("Quartz Telecom", "Berlin").outdated, [Fact::Company]);
        assert_eq!(found("Meridian", "Hamburg").outdated, [Fact::Location]);
        assert_eq!(found("", "").missing, [Fact::Company, Fact::Location]);
    }
}
