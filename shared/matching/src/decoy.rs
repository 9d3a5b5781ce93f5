//! Decoys: records that are nobody's, put together from records of different people or companies.
//!
//! A decoy has the names, employers and places of records, each as often as records have it, and
//! what hangs together in one record stays together: only who it is, is not. So how well decoys
//! agree with a directory is how well chance agrees with it. Search engines for proteins know by
//! decoys what their scores are worth (Elias and Gygi 2007, target-decoy searching).

use crate::form::{CompanyForm, PersonForm, Probe};
use crate::normalize::{CompanyName, Domain, Mailbox, PersonName, Street};

/// An odd number: multiplied by it, a key is nobody's, and two keys are two still.
const NOBODYS: u32 = 0x9e37_79b1;

impl Probe {
    /// A record that is nobody's, of three records of one kind; `None` if they are not. A person
    /// has the given name of the first and the family name of the second, a company words of both
    /// names; all else is the third's.
    #[must_use]
    pub fn decoy(first: &Self, second: &Self, rest: &Self) -> Option<Self> {
        match (first, second, rest) {
            (Self::Person(first), Self::Person(second), Self::Person(rest)) => {
                Some(Self::Person(PersonForm::decoy(first, second, rest)))
            }
            (Self::Company(first), Self::Company(second), Self::Company(rest)) => {
                Some(Self::Company(CompanyForm::decoy(first, second, rest)))
            }
            _ => None,
        }
    }
}

impl PersonForm {
    /// Somebody with the given name of one record, the family name of another and all else of a
    /// third. The mailbox has the new name where it had the old, and the phone is nobody's.
    fn decoy(given: &Self, family: &Self, rest: &Self) -> Self {
        let name = PersonName {
            given: given.name.given.clone(),
            nick: given.name.nick.clone(),
            ..family.name.clone()
        };
        let rename = |mailbox: &Mailbox| renamed(mailbox, &rest.name, &name);
        Self {
            mailboxes: rest.mailboxes.iter().map(rename).collect(),
            phones: rest.phones.iter().map(|phone| phone.wrapping_mul(NOBODYS)).collect(),
            name,
            ..rest.clone()
        }
    }
}

impl CompanyForm {
    /// A company with the first words of one name, the last of another and all else of a third. Its
    /// domain is the name, and its phone and street number are nobody's.
    fn decoy(first: &Self, last: &Self, rest: &Self) -> Self {
        let words = |form: &Self| form.names.first().map(|name| name.words.clone());
        let words = words(first).zip(words(last)).map(|(first, last)| crossed(&first, &last));
        let named = words.as_ref().filter(|_| !rest.domains.is_empty());
        let domain = named.map(|words| {
            let stem = words.replace(' ', "");
            Domain { name: format!("{stem}.com"), stem }
        });
        let number = rest.street.number.wrapping_mul(NOBODYS);
        Self {
            names: words.map(|words| CompanyName { words, domain: None }).into_iter().collect(),
            domains: domain.into_iter().collect(),
            phone: rest.phone.wrapping_mul(NOBODYS),
            street: Street { number, ..rest.street },
            ..rest.clone()
        }
    }
}

/// A mailbox as another person would have it: with their name where it has its owner's.
fn renamed(mailbox: &Mailbox, owner: &PersonName, other: &PersonName) -> Mailbox {
    if mailbox.role {
        return mailbox.clone();
    }
    // Shorter words are in many mailboxes by chance.
    let word = |name: &[String]| name.iter().find(|word| word.len() > 2).cloned();
    let mut local = mailbox.local.clone();
    if let Some((old, new)) = word(&owner.family).zip(word(&other.family)) {
        local = local.replacen(&old, &new, 1);
    }
    if let Some((old, new)) = word(&owner.given).zip(other.given.first()) {
        let initial = |word: &str| word.chars().next();
        if local.contains(&old) {
            local = local.replacen(&old, new, 1);
        } else if local != mailbox.local && initial(&local) == initial(&old) {
            let rest = local.chars().skip(1);
            local = initial(new).into_iter().chain(rest).collect();
        }
    }
    if local == mailbox.local {
        local.push('0');
    }
    Mailbox { local, ..mailbox.clone() }
}

/// The first words of one name with the last of another; of two names of one word each, letters.
fn crossed(first: &str, last: &str) -> String {
    let (head, tail): (Vec<&str>, Vec<&str>) =
        (first.split(' ').collect(), last.split(' ').collect());
    let words = match (head.len(), tail.len()) {
        (1, 1) => {
            let half = |word: &str| word.chars().count().div_ceil(2);
            let end = last.chars().skip(last.chars().count() - half(last));
            return first.chars().take(half(first)).chain(end).collect();
        }
        (1, _) => [&head[..], &tail[1..]].concat(),
        (words, 1) => [&head[..words - 1], &tail[..]].concat(),
        (words, others) => [&head[..words.div_ceil(2)], &tail[others.div_ceil(2)..]].concat(),
    };
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::entity::{CrmAccount, CrmPerson};
    use crate::form::Probe;

    use super::*;

    fn person(first: &str, last: &str, email: &str) -> PersonForm {
        let record = CrmPerson {
            first_name: Some(first.to_owned()),
            last_name: Some(last.to_owned()),
            email: Some(email.to_owned()),
            phone: Some("+1 415 555 0133".to_owned()),
            company: Some("Quarry Lane".to_owned()),
            ..CrmPerson::default()
        };
        let Probe::Person(form) = Probe::person(email, &record) else { unreachable!() };
        form
    }

    fn company(name: &str, website: &str) -> CompanyForm {
        let record = CrmAccount {
            name: Some(name.to_owned()),
            website: Some(website.to_owned()),
            ..CrmAccount::default()
        };
        let Probe::Company(form) = Probe::account(name, &record) else { unreachable!() };
        form
    }

    #[test]
    fn a_decoy_has_the_mailbox_that_its_name_would_have() {
        let (given, family) =
            (person("Tamsin", "Oak", "t@x.com"), person("Ivo", "Reed", "i@x.com"));
        for (mailbox, expected) in [
            ("una.marsh@quarry.com", "tamsin.reed"),
            ("umarsh@quarry.com", "treed"),
            ("marsh@quarry.com", "reed"),
            ("x77@quarry.com", "x770"),
        ] {
            let decoy = PersonForm::decoy(&given, &family, &person("Una", "Marsh", mailbox));
            assert_eq!((&decoy.name.given[0][..], &decoy.name.family[0][..]), ("tamsin", "reed"));
            assert_eq!(decoy.mailboxes[0].local, expected, "{mailbox}");
            assert_ne!(decoy.phones, given.phones);
            assert_eq!(decoy.employments, given.employments);
        }
        let role = PersonForm::decoy(&given, &family, &person("Una", "Marsh", "info@quarry.com"));
        assert_eq!(role.mailboxes[0].local, "info");
    }

    #[test]
    fn a_decoy_company_has_a_name_of_two_and_its_domain() {
        for (first, last, words) in [
            ("Amber Field Dairy", "Northern Copper Works", "amber field works"),
            ("Amber", "Northern Copper Works", "amber copper works"),
            ("Amber Field Dairy", "Zenith", "amber field zenith"),
            ("Amber", "Zenith", "ambith"),
        ] {
            let rest = company("Quarry Lane", "https://www.quarrylane.org");
            let decoy = CompanyForm::decoy(&company(first, ""), &company(last, ""), &rest);
            assert_eq!(decoy.names[0].words, words);
            assert_eq!(decoy.domains[0].stem, words.replace(' ', ""));
        }
        let nameless =
            CompanyForm::decoy(&company("", ""), &company("Zenith", ""), &company("A", ""));
        assert_eq!((nameless.names.len(), nameless.domains.len()), (0, 0));
    }
}
