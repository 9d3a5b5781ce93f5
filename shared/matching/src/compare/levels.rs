//! The comparisons of each kind, and the levels of each comparison: an enum with the null level
//! first.
//!
//! Invariant: the order of comparisons and of their levels is part of the model's format and of
//! stored evidence. Their names are part of it too: a level's name is its variant in snake case.

use serde::{Deserialize, Serialize};
use strum::{EnumIter, VariantNames};

use super::contradiction::Contradiction;
use crate::entity::EntityKind;

/// Most comparisons a kind has.
pub(crate) const WIDTH: usize = 10;

/// A comparison's name and its levels, the null level first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    pub(crate) levels: &'static [&'static str],
}

impl Comparison {
    const fn of<L: VariantNames>(name: &'static str) -> Self {
        Self { name, levels: L::VARIANTS }
    }
}

/// The comparisons of a kind, in order.
pub(crate) fn comparisons(kind: EntityKind) -> &'static [Comparison] {
    match kind {
        EntityKind::Person => &PERSON_COMPARISONS,
        EntityKind::Company => &COMPANY_COMPARISONS,
    }
}

/// A comparison of two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
pub(crate) enum PersonComparison {
    GivenName,
    FamilyName,
    NameOrder,
    Email,
    EmailName,
    Employer,
    Title,
    Place,
    Phone,
}

const PERSON_COMPARISONS: [Comparison; 9] = [
    Comparison::of::<GivenName>("given_name"),
    Comparison::of::<FamilyName>("family_name"),
    Comparison::of::<NameOrder>("name_order"),
    Comparison::of::<Email>("email"),
    Comparison::of::<EmailName>("email_name"),
    Comparison::of::<Employer>("employer"),
    Comparison::of::<Title>("title"),
    Comparison::of::<Place>("place"),
    Comparison::of::<Phone>("phone"),
];

/// A comparison of two companies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
pub(crate) enum CompanyComparison {
    Name,
    Domain,
    Phone,
    Street,
    PostalCode,
    Place,
    Industry,
    Employees,
}

const COMPANY_COMPARISONS: [Comparison; 8] = [
    Comparison::of::<Name>("name"),
    Comparison::of::<Domain>("domain"),
    Comparison::of::<Phone>("phone"),
    Comparison::of::<Street>("street"),
    Comparison::of::<PostalCode>("postal_code"),
    Comparison::of::<Place>("place"),
    Comparison::of::<Industry>("industry"),
    Comparison::of::<Employees>("employees"),
];

/// Defines one enum per comparison: the null level, which stands for a missing value and is no
/// evidence, then the levels given.
macro_rules! levels {
    ($($(#[$of:meta])* $comparison:ident { $($(#[$at:meta])* $level:ident,)+ })+) => {$(
        $(#[$of])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, VariantNames,
        )]
        #[strum(serialize_all = "snake_case")]
        pub(crate) enum $comparison {
            #[default]
            Null,
            $($(#[$at])* $level,)+
        }

        impl From<$comparison> for u8 {
            fn from(level: $comparison) -> Self {
                level as Self
            }
        }
    )+};
}

levels! {
    /// Given names, worst to best.
    GivenName { Different, Initial, Fuzzy, Nickname, Subset, Exact, }

    /// Family names, worst to best; the last is the same family name with a given name that agrees.
    FamilyName { Different, Initial, Fuzzy, Subset, Exact, ExactWithGiven, }

    /// Given and family name in each other's place.
    NameOrder { Swapped, }

    /// Mail addresses, worst to best.
    Email { Different, SameDomainOtherMailbox, SameMailboxOtherDomain, Exact, }

    /// The record's mailbox against the entity's name.
    EmailName {
        /// Both names agree already, and the mailbox has one of them.
        Consistent,
        /// Both names agree, and the mailbox has neither.
        Contradicts,
        /// The given name was in doubt, and the mailbox has it.
        GivesGiven,
        /// The family name was in doubt, and the mailbox has it.
        GivesFamily,
        /// Both names were in doubt, and the mailbox has both.
        GivesBoth,
        /// One name is in doubt, and the mailbox has only the other.
        Partly,
        /// A name is in doubt, and the mailbox has neither.
        Neither,
    }

    /// The record's employer against the person's positions.
    Employer {
        Conflict,
        CurrentPartial,
        CurrentContained,
        CurrentNear,
        CurrentDomain,
        CurrentExact,
        PastPartial,
        PastContained,
        PastNear,
        PastDomain,
        PastExact,
    }

    /// Job titles, by the position whose employer agrees; `other` if none does.
    Title {
        CurrentDifferent,
        CurrentPartial,
        CurrentSimilar,
        CurrentExact,
        PastDifferent,
        PastPartial,
        PastSimilar,
        PastExact,
        OtherDifferent,
        OtherPartial,
        OtherSimilar,
        OtherExact,
    }

    /// City, state and country as one.
    Place {
        OtherCountry,
        SameCountryOtherCity,
        SameCountry,
        SameState,
        CityFuzzy,
        CityExact,
        CityExactOtherCountry,
    }

    /// Phone numbers.
    Phone { Different, Exact, }

    /// Company names.
    Name {
        Different,
        Partial,
        Contained,
        Acronym,
        Near,
        Exact,
        /// The stem of one's domain is the other's name.
        DomainStem,
    }

    /// Web domains.
    Domain { Different, SameStem, Exact, }

    /// Street and number.
    Street { Different, SameName, Exact, }

    /// Postal codes; near ones begin alike.
    PostalCode { Different, Near, Exact, }

    /// Words of the industry.
    Industry { Different, Partial, Exact, }

    /// Numbers of employees.
    Employees {
        Far,
        #[strum(serialize = "within_factor_4")]
        WithinFactor4,
        #[strum(serialize = "within_factor_2")]
        WithinFactor2,
    }
}

/// The record's employer as evidence for or against a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmployerEvidence {
    /// It is the person's current employer.
    Current,
    /// It is one of the person's past employers: the CRM is out of date.
    Past,
    /// It is none of the person's known employers.
    Conflict,
    /// One side names no employer; always so for companies.
    Unknown,
}

impl Employer {
    /// The level as evidence for or against the candidate.
    pub(crate) fn evidence(self) -> EmployerEvidence {
        match self {
            Self::Null => EmployerEvidence::Unknown,
            Self::Conflict => EmployerEvidence::Conflict,
            Self::CurrentPartial
            | Self::CurrentContained
            | Self::CurrentNear
            | Self::CurrentDomain
            | Self::CurrentExact => EmployerEvidence::Current,
            Self::PastPartial
            | Self::PastContained
            | Self::PastNear
            | Self::PastDomain
            | Self::PastExact => EmployerEvidence::Past,
        }
    }
}

/// The result of one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Found<L> {
    pub(crate) level: L,
    /// The term frequency evidence of the value agreed on, in bits: how much rarer it is than one
    /// that every entity has. Below zero it is a discount: see [`is_discounted`].
    pub(crate) rarity: f32,
}

impl<L> From<L> for Found<L> {
    fn from(level: L) -> Self {
        Self { level, rarity: 0.0 }
    }
}

/// True for a level whose rarity is a discount: none for a value that one entity has, less one bit
/// whenever twice as many share it.
pub(crate) fn is_discounted(kind: EntityKind, comparison: usize, level: usize) -> bool {
    let exact: [(usize, u8); 2] = match kind {
        EntityKind::Person => [
            (PersonComparison::Email as usize, Email::Exact.into()),
            (PersonComparison::Phone as usize, Phone::Exact.into()),
        ],
        EntityKind::Company => [
            (CompanyComparison::Domain as usize, Domain::Exact.into()),
            (CompanyComparison::Street as usize, Street::Exact.into()),
        ],
    };
    exact.iter().any(|(at, exact)| *at == comparison && usize::from(*exact) == level)
}

/// The results of comparing two people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PersonLevels {
    pub(crate) given_name: Found<GivenName>,
    pub(crate) family_name: Found<FamilyName>,
    pub(crate) name_order: Found<NameOrder>,
    pub(crate) email: Found<Email>,
    pub(crate) email_name: Found<EmailName>,
    pub(crate) employer: Found<Employer>,
    pub(crate) title: Found<Title>,
    pub(crate) place: Found<Place>,
    pub(crate) phone: Found<Phone>,
    pub(crate) contradiction: Option<Contradiction>,
    /// The position of the directory person that the employer evidence is from: 0 the current one.
    pub(crate) position: u8,
}

/// The results of comparing two companies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CompanyLevels {
    pub(crate) name: Found<Name>,
    pub(crate) domain: Found<Domain>,
    pub(crate) phone: Found<Phone>,
    pub(crate) street: Found<Street>,
    pub(crate) postal_code: Found<PostalCode>,
    pub(crate) place: Found<Place>,
    pub(crate) industry: Found<Industry>,
    pub(crate) employees: Found<Employees>,
    pub(crate) contradiction: Option<Contradiction>,
}

/// The levels of one candidate pair by number, as the model's tables and stored evidence have them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    /// The level of each comparison.
    pub(crate) level: [u8; WIDTH],
    /// The term frequency evidence of each comparison, in bits.
    pub(crate) rarity: [f32; WIDTH],
    /// The contradiction that keeps the pair from being a match.
    pub(crate) contradiction: Option<Contradiction>,
    /// The position of the directory person that the employer evidence is from: 0 the current one.
    pub(crate) position: u8,
}

/// Steps of rarity to the bit: finer than any weight is known, and so coarse that a directory in
/// which little changed weighs a pair as before.
pub(crate) const STEPS: f32 = 8.0;

/// A rarity in whole steps.
pub(crate) fn in_steps(rarity: f32) -> f32 {
    (rarity * STEPS).round() / STEPS
}

/// Log2 of the number of entities, in steps: the same for a directory that grew a little.
#[allow(clippy::cast_precision_loss, reason = "entity counts become weights")]
pub(crate) fn doublings(entities: u64) -> f32 {
    in_steps((entities.max(1) as f32).log2())
}

impl Levels {
    fn put(&mut self, at: usize, found: Found<impl Into<u8>>) {
        self.level[at] = found.level.into();
        self.rarity[at] = in_steps(found.rarity);
    }
}

impl Levels {
    /// True if the pair looks like two people who resemble each other: relatives or colleagues,
    /// with one name apart at one employer, or namesakes, with one name at two employers and no
    /// place that agrees.
    pub(crate) fn resemble(&self, kind: EntityKind) -> bool {
        let at = |comparison: PersonComparison| self.level[comparison as usize];
        let (given, family) = (at(PersonComparison::GivenName), at(PersonComparison::FamilyName));
        let (employer, place) = (at(PersonComparison::Employer), at(PersonComparison::Place));
        let relatives = given == GivenName::Different as u8 && family >= FamilyName::Exact as u8;
        let colleagues =
            given >= GivenName::Nickname as u8 && family == FamilyName::Different as u8;
        let namesakes = family == FamilyName::ExactWithGiven as u8
            && employer == Employer::Conflict as u8
            && place <= Place::SameCountry as u8;
        let one_employer = employer > Employer::Conflict as u8;
        kind == EntityKind::Person && (namesakes || (one_employer && (relatives || colleagues)))
    }
}

impl From<PersonLevels> for Levels {
    fn from(found: PersonLevels) -> Self {
        let (position, contradiction) = (found.position, found.contradiction);
        let mut levels = Self { contradiction, position, ..Self::default() };
        levels.put(PersonComparison::GivenName as usize, found.given_name);
        levels.put(PersonComparison::FamilyName as usize, found.family_name);
        levels.put(PersonComparison::NameOrder as usize, found.name_order);
        levels.put(PersonComparison::Email as usize, found.email);
        levels.put(PersonComparison::EmailName as usize, found.email_name);
        levels.put(PersonComparison::Employer as usize, found.employer);
        levels.put(PersonComparison::Title as usize, found.title);
        levels.put(PersonComparison::Place as usize, found.place);
        levels.put(PersonComparison::Phone as usize, found.phone);
        levels
    }
}

impl From<CompanyLevels> for Levels {
    fn from(found: CompanyLevels) -> Self {
        let mut levels = Self { contradiction: found.contradiction, ..Self::default() };
        levels.put(CompanyComparison::Name as usize, found.name);
        levels.put(CompanyComparison::Domain as usize, found.domain);
        levels.put(CompanyComparison::Phone as usize, found.phone);
        levels.put(CompanyComparison::Street as usize, found.street);
        levels.put(CompanyComparison::PostalCode as usize, found.postal_code);
        levels.put(CompanyComparison::Place as usize, found.place);
        levels.put(CompanyComparison::Industry as usize, found.industry);
        levels.put(CompanyComparison::Employees as usize, found.employees);
        levels
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn a_comparison_is_found_at_its_place() {
        for comparison in PersonComparison::iter() {
            let names = format!("{comparison:?}").to_lowercase();
            let at = PERSON_COMPARISONS[comparison as usize].name.replace('_', "");
            assert_eq!(names, at);
        }
        assert_eq!(PersonComparison::iter().count(), PERSON_COMPARISONS.len());
        for comparison in CompanyComparison::iter() {
            let names = format!("{comparison:?}").to_lowercase();
            let at = COMPANY_COMPARISONS[comparison as usize].name.replace('_', "");
            assert_eq!(names, at);
        }
        assert_eq!(CompanyComparison::iter().count(), COMPANY_COMPARISONS.len());
    }
}
