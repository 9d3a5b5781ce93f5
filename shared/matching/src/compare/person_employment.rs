//! A CRM person's employer and title against a directory person's positions.

use super::company_name::{ComparedName, NameAgreement, compare_company_names};
use super::levels::{Employer, EmployerEvidence, Found, Title};
use super::person::{Entity, PersonContext};
use crate::shard::{EmployerView, MailView};
use crate::statistics::Term;

/// The agreement of the record's employer with that of a position, worst to best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Partial,
    Contained,
    Near,
    Domain,
    Exact,
}

impl Agreement {
    /// The level of an agreement with the employer of a position; position 0 is the current one.
    fn at(self, position: usize) -> Employer {
        match (position, self) {
            (0, Self::Partial) => Employer::CurrentPartial,
            (0, Self::Contained) => Employer::CurrentContained,
            (0, Self::Near) => Employer::CurrentNear,
            (0, Self::Domain) => Employer::CurrentDomain,
            (0, Self::Exact) => Employer::CurrentExact,
            (_, Self::Partial) => Employer::PastPartial,
            (_, Self::Contained) => Employer::PastContained,
            (_, Self::Near) => Employer::PastNear,
            (_, Self::Domain) => Employer::PastDomain,
            (_, Self::Exact) => Employer::PastExact,
        }
    }
}

/// The agreement of two titles, worst to best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TitleAgreement {
    Different,
    Partial,
    Similar,
    Exact,
}

impl TitleAgreement {
    /// By how many of all words are in common.
    fn of(common: usize, all: usize) -> Self {
        if common == all {
            Self::Exact
        } else if common * 2 >= all {
            Self::Similar
        } else if common > 0 {
            Self::Partial
        } else {
            Self::Different
        }
    }

    /// The level of an agreement, by what the employer says.
    fn given(self, employer: EmployerEvidence) -> Title {
        use EmployerEvidence::{Conflict, Current, Past, Unknown};
        match (employer, self) {
            (Current, Self::Different) => Title::CurrentDifferent,
            (Current, Self::Partial) => Title::CurrentPartial,
            (Current, Self::Similar) => Title::CurrentSimilar,
            (Current, Self::Exact) => Title::CurrentExact,
            (Past, Self::Different) => Title::PastDifferent,
            (Past, Self::Partial) => Title::PastPartial,
            (Past, Self::Similar) => Title::PastSimilar,
            (Past, Self::Exact) => Title::PastExact,
            (Conflict | Unknown, Self::Different) => Title::OtherDifferent,
            (Conflict | Unknown, Self::Partial) => Title::OtherPartial,
            (Conflict | Unknown, Self::Similar) => Title::OtherSimilar,
            (Conflict | Unknown, Self::Exact) => Title::OtherExact,
        }
    }
}

/// An agreement and how rare the value agreed on is; `None` if the employers differ.
type Agreed = Option<(Agreement, f32)>;

impl PersonContext<'_> {
    /// The employer against those of all positions, and the position that agrees best.
    pub(super) fn compare_employer(&self, entity: &Entity<'_, '_>) -> (Found<Employer>, u8) {
        let record_knows = self.company.is_some() || !self.domains.is_empty();
        let employments = &entity.person.employments;
        let employers = || {
            employments.iter().enumerate().filter_map(|(position, (employer, _))| {
                Some((position, entity.shard.employer(employer.checked_sub(1)?)?))
            })
        };
        if !record_knows || employers().next().is_none() {
            return (Employer::Null.into(), 0);
        }
        let mut best: Option<(usize, Agreement, f32)> = None;
        let mut take = |position: usize, agreed: Agreed| {
            let Some((agreement, rarity)) = agreed else { return };
            // The current position wins a tie; a past one must agree better.
            if best.is_none_or(|(_, known, _)| agreement > known) {
                best = Some((position, agreement, rarity));
            }
        };
        let mut same = false;
        for (position, employer) in employers() {
            let mail = if position == 0 { &entity.person.mail[..] } else { &[] };
            let agreed = self.same_employer(&employer, mail);
            same |= agreed.is_some();
            take(position, agreed);
        }
        // Only where no employer is the same is it worth asking whether one is much alike.
        if !same {
            for (position, employer) in employers() {
                take(position, self.alike_employer(&employer));
            }
        }
        match best {
            None => (Employer::Conflict.into(), 0),
            Some((position, agreement, rarity)) => {
                let found = Found { level: agreement.at(position), rarity };
                // A shard gives at most 12 positions of a person.
                (found, u8::try_from(position).unwrap_or(u8::MAX))
            }
        }
    }

    fn employer_rarity(&self, employer: &EmployerView<'_>) -> f32 {
        self.rarity(self.statistics.count(Term::Employer, employer.slug()))
    }

    /// The same employer, by name or by domain.
    fn same_employer(&self, employer: &EmployerView<'_>, mail: &[MailView<'_>]) -> Agreed {
        if self.company.is_some_and(|company| employer.has_slug(company.slug)) {
            return Some((Agreement::Exact, self.employer_rarity(employer)));
        }
        let same = |&(domain, stem): &(u32, u32)| {
            domain == employer.domain()
                || employer.has_slug(stem)
                || mail.iter().any(|mail| mail.stem != 0 && mail.domain == domain)
        };
        let by_domain = self.domains.iter().any(same);
        by_domain.then(|| (Agreement::Domain, self.employer_rarity(employer)))
    }

    /// An employer whose name is much like the record's.
    fn alike_employer(&self, employer: &EmployerView<'_>) -> Agreed {
        let company = self.company.as_ref()?;
        let other = ComparedName {
            words: employer.words(),
            slug: employer.slug(),
            acronym: employer.acronym(),
            signature: employer.signature(),
            letters: employer.letters(),
        };
        let (agreement, word) =
            compare_company_names(company, &other, |word| self.statistics.count(Term::Word, word));
        let shared = || {
            if word == 0 {
                self.employer_rarity(employer)
            } else {
                self.rarity(self.statistics.count(Term::Word, word))
            }
        };
        match agreement {
            NameAgreement::Different => None,
            _ if company.numbers_contradict(&other) => Some((Agreement::Partial, shared())),
            NameAgreement::Exact | NameAgreement::Near => {
                Some((Agreement::Near, self.employer_rarity(employer)))
            }
            NameAgreement::Acronym | NameAgreement::Contained => {
                Some((Agreement::Contained, shared()))
            }
            NameAgreement::Partial => Some((Agreement::Partial, shared())),
        }
    }

    /// The title against that of the position whose employer agrees, or the best of all positions
    /// if none does.
    pub(super) fn compare_title(
        &self,
        entity: &Entity<'_, '_>,
        employer: Employer,
        position: u8,
    ) -> Found<Title> {
        let title = self.form.employments.first().map(|employment| &employment.title);
        let Some(title) = title.filter(|title| !title.words.is_empty()) else {
            return Title::Null.into();
        };
        let compare = |index: u32| -> Option<TitleAgreement> {
            let words = entity.shard.title(index.checked_sub(1)?);
            let common = words.iter().filter(|word| title.words.contains(word)).count();
            Some(TitleAgreement::of(common, words.len() + title.words.len() - common))
        };
        let employments = &entity.person.employments;
        let evidence = employer.evidence();
        let best = match evidence {
            EmployerEvidence::Current | EmployerEvidence::Past => {
                let agreed = employments.get(usize::from(position));
                agreed.and_then(|(_, title)| compare(*title))
            }
            EmployerEvidence::Conflict | EmployerEvidence::Unknown => {
                employments.iter().filter_map(|(_, title)| compare(*title)).max()
            }
        };
        let Some(best) = best else { return Title::Null.into() };
        let rarity = if best >= TitleAgreement::Similar { self.title_rarity } else { 0.0 };
        Found { level: best.given(evidence), rarity }
    }
}
