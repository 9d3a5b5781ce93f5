//! Speed sets: a directory and a CRM of any size, with the truth, made in minutes.
//!
//! Quality is measured on other sets. This one is for time and memory: it has the same faults and
//! look-alikes in the same shares, but its noise is ours and a matcher may know it.

mod noise;
mod output;
mod random;
mod records;
mod vocabulary;
mod world;

pub use output::{SetFile, Written, generate};

/// How large a set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// People in the directory.
    pub people: u64,
    /// Companies in the directory.
    pub companies: u64,
    /// Leads in the CRM.
    pub leads: u64,
    /// Contacts in the CRM.
    pub contacts: u64,
}

impl Size {
    /// The set named by one number: so many people, half as many leads and half as many contacts,
    /// a company for every fifty people. Accounts are about 1.15 for each company.
    #[must_use]
    pub fn scale(people: u64) -> Self {
        let companies = (people / 50).max(people.min(20));
        Self { people, companies, leads: people - people / 2, contacts: people / 2 }
    }
}
