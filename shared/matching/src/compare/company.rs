//! An Account against a directory company.
#![allow(clippy::cast_precision_loss, reason = "counts become weights")]

use smallvec::SmallVec;

use super::company_name::{ComparedName, NameAgreement, compare_company_names};
use super::contradiction::Contradiction;
use super::levels::{
    CompanyLevels, Domain, Employees, Found, Industry, Name, Phone, Place, PostalCode, Street,
    doublings,
};
use super::place::{Agreed, EntityPlace, compare_place};
use crate::entity::EntityKind;
use crate::form::CompanyForm;
use crate::normalize::slug_key;
use crate::shard::CompanyView;
use crate::statistics::{Statistics, Term, country_key};
use crate::text::hash32;

/// The record's side of its pairs, made once for all its candidates.
pub(crate) struct CompanyContext<'a> {
    form: &'a CompanyForm,
    statistics: &'a Statistics,
    names: SmallVec<[ComparedName<'a>; 2]>,
    domains: SmallVec<[(u32, &'a [u8]); 2]>,
    city: u32,
    country_count: f32,
    companies: f32,
}

impl<'a> CompanyContext<'a> {
    pub(crate) fn new(form: &'a CompanyForm, statistics: &'a Statistics) -> Self {
        Self {
            form,
            statistics,
            names: form.names.iter().map(|name| ComparedName::of(&name.words)).collect(),
            domains: form
                .domains
                .iter()
                .map(|domain| (domain.key(), domain.stem.as_bytes()))
                .collect(),
            city: form.place.city_key(),
            country_count: statistics.count(Term::CompanyCountry, country_key(form.place.country)),
            companies: doublings(statistics.entities(EntityKind::Company)).exp2(),
        }
    }

    fn rarity(&self, count: f32) -> f32 {
        (self.companies / count.max(1.0)).log2().max(0.0)
    }

    /// Compares the record with an entity.
    pub(crate) fn compare(&self, view: &CompanyView<'_>) -> CompanyLevels {
        let (name, contradiction) = self.compare_name(view);
        CompanyLevels {
            name,
            contradiction,
            domain: self.compare_domain(view),
            phone: self.compare_phone(view),
            street: self.compare_street(view),
            postal_code: self.compare_postal_code(view).into(),
            place: self.compare_place(view),
            industry: self.compare_industry(view).into(),
            employees: self.compare_employees(view).into(),
        }
    }

    fn compare_name(&self, view: &CompanyView<'_>) -> (Found<Name>, Option<Contradiction>) {
        if self.names.is_empty() || view.names.is_empty() {
            return (Name::Null.into(), None);
        }
        let mut best = (NameAgreement::Different, 0.0_f32);
        let (mut contradicts, mut agrees) = (false, false);
        for own in &self.names {
            for words in &view.names {
                let other = ComparedName::of(words);
                let (agreement, word) = compare_company_names(own, &other, |word| {
                    self.statistics.count(Term::Word, word)
                });
                if agreement > NameAgreement::Different && own.numbers_contradict(&other) {
                    contradicts = true;
                } else {
                    agrees |= agreement >= NameAgreement::Contained;
                }
                let count = match agreement {
                    NameAgreement::Exact | NameAgreement::Near => {
                        self.statistics.count(Term::CompanySlug, other.slug)
                    }
                    NameAgreement::Contained | NameAgreement::Partial if word != 0 => {
                        self.statistics.count(Term::Word, word)
                    }
                    _ => self.companies,
                };
                let rarity = self.rarity(count);
                if (agreement, rarity) > best {
                    best = (agreement, rarity);
                }
            }
        }
        let contradiction = (contradicts && !agrees).then_some(Contradiction::Numbers);
        let (agreement, rarity) = best;
        if agreement < NameAgreement::Near && self.domain_is_name(view) {
            return (Name::DomainStem.into(), contradiction);
        }
        (Found { level: agreement.into(), rarity }, contradiction)
    }

    /// True if the stem of one's domain is the other's name: `Hawkmoon` of `hawkmoon.com`.
    fn domain_is_name(&self, view: &CompanyView<'_>) -> bool {
        let mut stems = view.domains.iter().map(|(_, stem)| hash32(stem));
        stems.any(|stem| self.names.iter().any(|own| own.slug == stem))
            || self.domains.iter().any(|(_, stem)| {
                let stem = hash32(stem);
                view.names.iter().any(|words| slug_key(words) == stem)
            })
    }

    fn compare_domain(&self, view: &CompanyView<'_>) -> Found<Domain> {
        if self.domains.is_empty() || view.domains.is_empty() {
            return Domain::Null.into();
        }
        let pairs = || {
            self.domains.iter().flat_map(|own| view.domains.iter().map(move |other| (own, other)))
        };
        let exact = pairs().filter(|((own, _), (other, _))| own == other);
        let discount =
            |((own, _), _): (&(u32, _), _)| self.statistics.discount(Term::CompanyDomain, *own);
        if let Some(rarity) = exact.map(discount).max_by(f32::total_cmp) {
            Found { level: Domain::Exact, rarity }
        } else if pairs().any(|((_, own), (_, other))| own == other) {
            Domain::SameStem.into()
        } else {
            Domain::Different.into()
        }
    }

    fn compare_phone(&self, view: &CompanyView<'_>) -> Found<Phone> {
        if self.form.phone == 0 || view.phone == 0 {
            Phone::Null.into()
        } else if self.form.phone == view.phone {
            let count = self.statistics.count(Term::CompanyPhone, view.phone);
            Found { level: Phone::Exact, rarity: self.rarity(count) }
        } else {
            Phone::Different.into()
        }
    }

    fn compare_street(&self, view: &CompanyView<'_>) -> Found<Street> {
        let (own, other) = (&self.form.street, &view.street);
        if own.name == 0 || other.name == 0 {
            Street::Null.into()
        } else if own == other {
            let rarity = self.statistics.discount(Term::CompanyStreet, own.key());
            Found { level: Street::Exact, rarity }
        } else if own.name == other.name {
            Street::SameName.into()
        } else {
            Street::Different.into()
        }
    }

    fn compare_postal_code(&self, view: &CompanyView<'_>) -> PostalCode {
        let (own, other) = (self.form.postal_code.as_bytes(), view.postal_code);
        if own.is_empty() || other.is_empty() {
            PostalCode::Null
        } else if own == other {
            PostalCode::Exact
        } else if own.len() >= 4 && other.len() >= 4 && own[..3] == other[..3] {
            PostalCode::Near
        } else {
            PostalCode::Different
        }
    }

    fn compare_place(&self, view: &CompanyView<'_>) -> Found<Place> {
        let entity = EntityPlace { city: view.city, state: view.state, country: view.country };
        let (level, agreed) = compare_place(&self.form.place, &entity);
        let rarity = match agreed {
            Agreed::City => self.rarity(self.statistics.count(Term::CompanyCity, self.city)),
            Agreed::Country => self.rarity(self.country_count),
            Agreed::Nothing => 0.0,
        };
        Found { level, rarity }
    }

    fn compare_industry(&self, view: &CompanyView<'_>) -> Industry {
        let (own, other) = (&self.form.industry, &view.industry);
        if own.is_empty() || other.is_empty() {
            return Industry::Null;
        }
        let shared = own.iter().filter(|word| other.contains(word)).count();
        if shared == own.len() + other.len() - shared {
            Industry::Exact
        } else if shared > 0 {
            Industry::Partial
        } else {
            Industry::Different
        }
    }

    fn compare_employees(&self, view: &CompanyView<'_>) -> Employees {
        let (own, other) = (self.form.employees, view.employees);
        if own == 0 || other == 0 {
            return Employees::Null;
        }
        let factor = f64::from(own.max(other)) / f64::from(own.min(other));
        if factor <= 2.0 {
            Employees::WithinFactor2
        } else if factor <= 4.0 {
            Employees::WithinFactor4
        } else {
            Employees::Far
        }
    }
}
