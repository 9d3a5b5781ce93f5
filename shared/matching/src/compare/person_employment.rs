//! A CRM person's employer and title against a directory person's positions.
#![allow(clippy::cast_possible_truncation, reason = "levels are small")]

use super::company_name::ComparedName;
use super::person::{EMPLOYER, Entity, PersonContext, TITLE};
use super::{Levels, NameAgreement, compare_company_names};
use crate::shard::{EmployerView, MailView};
use crate::statistics::Term;

impl PersonContext<'_> {
    pub(super) fn compare_employer(&self, entity: &Entity<'_, '_>, levels: &mut Levels) {
        let record_knows = self.company.is_some() || !self.domains.is_empty();
        let held = &entity.person.employments;
        let employers = || {
            held.iter().enumerate().filter_map(|(position, (employer, _))| {
                Some((position, entity.shard.employer(employer.checked_sub(1)?)?))
            })
        };
        if !record_knows || employers().next().is_none() {
            return;
        }
        levels.level[EMPLOYER] = 1;
        let mut best = 0;
        let mut take = |position: usize, (strength, rarity): (u8, f32)| {
            // The current position wins a tie; a past one must agree better.
            if strength > best {
                best = strength;
                levels.level[EMPLOYER] = strength + if position == 0 { 1 } else { 6 };
                levels.rarity[EMPLOYER] = rarity;
                levels.position = position as u8;
            }
            best
        };
        let mut found = 0;
        for (position, employer) in employers() {
            let mail = if position == 0 { &entity.person.mail[..] } else { &[] };
            found = take(position, self.same_employer(&employer, mail));
        }
        // Only where no employer is the same is it worth asking whether one is much alike.
        if found == 0 {
            for (position, employer) in employers() {
                take(position, self.alike_employer(&employer));
            }
        }
    }

    fn employer_rarity(&self, employer: &EmployerView<'_>) -> f32 {
        self.rarity(self.statistics.count(Term::Employer, employer.slug()))
    }

    /// 5 by name, 4 by domain, 0 not the same; and how rare the employer is.
    fn same_employer(&self, employer: &EmployerView<'_>, mail: &[MailView<'_>]) -> (u8, f32) {
        if self.company.is_some_and(|company| employer.has_slug(company.slug)) {
            return (5, self.employer_rarity(employer));
        }
        let same = |&(domain, stem): &(u32, u32)| {
            domain == employer.domain()
                || employer.has_slug(stem)
                || mail.iter().any(|mail| mail.stem != 0 && mail.domain == domain)
        };
        if self.domains.iter().any(same) { (4, self.employer_rarity(employer)) } else { (0, 0.0) }
    }

    /// 3 near, 2 contained or acronym, 1 partial, 0 different; and how rare what they share is.
    fn alike_employer(&self, employer: &EmployerView<'_>) -> (u8, f32) {
        let Some(company) = &self.company else { return (0, 0.0) };
        let slug = employer.slug();
        let other = ComparedName {
            words: employer.words(),
            slug,
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
            NameAgreement::Exact | NameAgreement::Near => (3, self.employer_rarity(employer)),
            NameAgreement::Acronym | NameAgreement::Contained => (2, shared()),
            NameAgreement::Partial => (1, shared()),
            NameAgreement::Different => (0, 0.0),
        }
    }

    pub(super) fn compare_title(&self, entity: &Entity<'_, '_>, levels: &mut Levels) {
        let title = self.form.employments.first().map(|employment| &employment.title);
        let Some(title) = title.filter(|title| !title.words.is_empty()) else { return };
        let base = match levels.level[EMPLOYER] {
            0 | 1 => 9,
            2..=6 => 1,
            _ => 5,
        };
        let compare = |index: u32| -> Option<u8> {
            let words = entity.shard.title(index.checked_sub(1)?);
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
        let held = &entity.person.employments;
        let best = if base == 9 {
            held.iter().filter_map(|(_, title)| compare(*title)).max()
        } else {
            held.get(usize::from(levels.position)).and_then(|(_, title)| compare(*title))
        };
        let Some(best) = best else { return };
        levels.level[TITLE] = base + best;
        levels.rarity[TITLE] = if best >= 2 { self.title_rarity } else { 0.0 };
    }
}
