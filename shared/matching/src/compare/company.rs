//! An Account against a directory company.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "levels are small and counts become weights"
)]

use smallvec::SmallVec;

use super::company_name::ComparedName;
use super::{Comparison, Levels, NameAgreement, compare_company_names};
use crate::form::CompanyForm;
use crate::shard::CompanyView;
use crate::similarity::is_slip;
use crate::statistics::{Statistics, Term, country_key};
use crate::text::hash32;

const NAME: usize = 0;
const DOMAIN: usize = 1;
const PHONE: usize = 2;
const STREET: usize = 3;
const POSTAL: usize = 4;
const PLACE: usize = 5;
const INDUSTRY: usize = 6;
const EMPLOYEES: usize = 7;

/// The comparisons of companies.
pub(crate) const COMPANY_COMPARISONS: [Comparison; 8] = [
    Comparison {
        name: "name",
        levels: &[
            "null",
            "different",
            "partial",
            "contained",
            "acronym",
            "near",
            "exact",
            "domain_stem",
        ],
    },
    Comparison { name: "domain", levels: &["null", "different", "same_stem", "exact"] },
    Comparison { name: "phone", levels: &["null", "different", "exact"] },
    Comparison { name: "street", levels: &["null", "different", "same_name", "exact"] },
    Comparison { name: "postal_code", levels: &["null", "different", "near", "exact"] },
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
    Comparison { name: "industry", levels: &["null", "different", "partial", "exact"] },
    Comparison {
        name: "employees",
        levels: &["null", "far", "within_factor_4", "within_factor_2"],
    },
];

/// What is known of the record, once for all its candidates.
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
            companies: statistics.entities(crate::EntityKind::Company).max(1) as f32,
        }
    }

    fn rarity(&self, count: f32) -> f32 {
        (self.companies / count.max(1.0)).log2().max(0.0)
    }

    /// Compares the record with an entity.
    pub(crate) fn compare(&self, view: &CompanyView<'_>) -> Levels {
        let mut levels = Levels::default();
        self.compare_name(view, &mut levels);
        self.compare_domain(view, &mut levels);
        if self.form.phone != 0 && view.phone != 0 {
            levels.level[PHONE] = if self.form.phone == view.phone { 2 } else { 1 };
            levels.rarity[PHONE] = if self.form.phone == view.phone {
                self.rarity(self.statistics.count(Term::CompanyPhone, view.phone))
            } else {
                0.0
            };
        }
        self.compare_address(view, &mut levels);
        self.compare_place(view, &mut levels);
        if !self.form.industry.is_empty() && !view.industry.is_empty() {
            let shared =
                self.form.industry.iter().filter(|word| view.industry.contains(word)).count();
            let all = self.form.industry.len() + view.industry.len() - shared;
            levels.level[INDUSTRY] = if shared == all { 3 } else { 1 + u8::from(shared > 0) };
        }
        if self.form.employees != 0 && view.employees != 0 {
            let factor = f64::from(self.form.employees.max(view.employees))
                / f64::from(self.form.employees.min(view.employees));
            levels.level[EMPLOYEES] = if factor <= 2.0 { 3 } else { 1 + u8::from(factor <= 4.0) };
        }
        levels
    }

    fn compare_name(&self, view: &CompanyView<'_>, levels: &mut Levels) {
        if self.names.is_empty() || view.names.is_empty() {
            return;
        }
        let mut best = (NameAgreement::Different, 0.0_f32);
        for own in &self.names {
            for words in &view.names {
                let other = ComparedName::of(words);
                let (agreement, word) = compare_company_names(own, &other, |word| {
                    self.statistics.count(Term::Word, word)
                });
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
        levels.level[NAME] = best.0 as u8 + 1;
        levels.rarity[NAME] = best.1;
        // `Hawkmoon` of hawkmoonresources.com, or the domain's stem as the name.
        let stem_is_name = self
            .names
            .iter()
            .any(|own| view.domains.iter().any(|(_, stem)| hash32(stem) == own.slug))
            || self.domains.iter().any(|(_, stem)| {
                view.names.iter().any(|words| hash32(stem) == crate::normalize_slug(words))
            });
        if best.0 < NameAgreement::Near && stem_is_name {
            levels.level[NAME] = 7;
            levels.rarity[NAME] = 0.0;
        }
    }

    fn compare_domain(&self, view: &CompanyView<'_>, levels: &mut Levels) {
        if self.domains.is_empty() || view.domains.is_empty() {
            return;
        }
        let exact =
            self.domains.iter().any(|(own, _)| view.domains.iter().any(|(other, _)| own == other));
        let stem =
            self.domains.iter().any(|(_, own)| view.domains.iter().any(|(_, other)| own == other));
        levels.level[DOMAIN] = if exact { 3 } else { 1 + u8::from(stem) };
    }

    fn compare_address(&self, view: &CompanyView<'_>, levels: &mut Levels) {
        let (own, other) = (&self.form.street, &view.street);
        if own.name != 0 && other.name != 0 {
            levels.level[STREET] =
                if own == other { 3 } else { 1 + u8::from(own.name == other.name) };
        }
        let own = self.form.postal_code.as_bytes();
        if !own.is_empty() && !view.postal_code.is_empty() {
            let near =
                own.len() >= 4 && view.postal_code.len() >= 4 && own[..3] == view.postal_code[..3];
            levels.level[POSTAL] = if own == view.postal_code { 3 } else { 1 + u8::from(near) };
        }
    }

    fn compare_place(&self, view: &CompanyView<'_>, levels: &mut Levels) {
        let place = &self.form.place;
        let both_countries = place.country != [0, 0] && view.country != [0, 0];
        let same_country = both_countries && place.country == view.country;
        let both_cities = !place.city.is_empty() && !view.city.is_empty();
        let exact = both_cities && place.city.as_bytes() == view.city;
        let level = match (exact, both_countries && !same_country) {
            (true, true) => 7,
            (true, false) => 6,
            (false, true) => 1,
            (false, false) if both_cities && is_slip(place.city.as_bytes(), view.city) => 5,
            (false, false) if place.state != 0 && place.state == view.state => 4,
            (false, false) if both_cities => 2,
            (false, false) => 3 * u8::from(same_country),
        };
        levels.level[PLACE] = level;
        levels.rarity[PLACE] = match level {
            5..=7 => self.rarity(self.statistics.count(Term::CompanyCity, self.city)),
            2..=4 if same_country => self.rarity(self.country_count),
            _ => 0.0,
        };
    }
}
