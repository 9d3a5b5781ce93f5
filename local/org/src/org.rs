//! A whole org in memory, and how it is written to a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::base::{Base, Company, Person, TruthRow};
use crate::changes::SecondRun;
use crate::delta::{Deals, Delta, DeltaLine};
use crate::error::Error;
use crate::expectations::Expectations;
use crate::files::{csv, json, json_lines};
use crate::id::{IdMint, prefix};
use crate::scene::{Scene, Size};
use crate::staff::Seat;
use crate::tables::Tables;
use crate::time::Calendar;
use crate::{slice, staff};

/// 2026-11-20T00:00:00Z.
const AS_OF: Timestamp = Timestamp::constant(1_795_132_800, 0);

/// The options of a generation.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Another seed tells another story over the same records.
    pub seed: u64,
    /// The moment at which the org is as it is: nothing in it was touched later.
    pub as_of: Timestamp,
    /// A slice of some 60 accounts instead of all the base data.
    pub small: bool,
}

/// A generated org with its directory and what should be found in them.
#[derive(Debug)]
pub struct Org {
    organization: Organization,
    tables: Tables,
    seats: Vec<Seat>,
    people: Vec<Person>,
    companies: Vec<Company>,
    truth: Vec<TruthRow>,
    delta_people: Vec<DeltaLine<Person>>,
    delta_companies: Vec<DeltaLine<Company>>,
    expectations: Expectations,
    second_run: SecondRun,
}

/// The contents of `org.json`.
#[derive(Debug, Serialize)]
struct Organization {
    id: String,
    name: &'static str,
    my_domain: &'static str,
    edition: &'static str,
    is_sandbox: bool,
    /// The permissions of the profiles; one that is not described allows everything.
    profiles: [serde_json::Value; 1],
}

impl Default for Options {
    /// The org that the demo shows.
    fn default() -> Self {
        Self { seed: 20_261_120, as_of: AS_OF, small: false }
    }
}

impl Org {
    /// Builds the org that `options` ask for over `base`. The same input gives the same bytes,
    /// always.
    pub fn generate(base: &Base, options: Options) -> Result<Self, Error> {
        if options.small {
            return Self::over(&slice::small(base), options, Size::SMALL);
        }
        Self::over(base, options, Size::FULL)
    }

    fn over(base: &Base, options: Options, size: Size) -> Result<Self, Error> {
        let scene = Scene::new(base, Calendar::new(options.as_of), options.seed, size)?;
        let tables = Tables::generate(&scene);
        let deals = Deals::of(&tables.opportunities, &tables.contact_roles);
        let delta = Delta::generate(&scene, &deals)?;
        let second_run = SecondRun::generate(&scene, &delta, &tables)?;
        Ok(Self {
            organization: Organization {
                id: IdMint::new(prefix::ORGANIZATION).mint(),
                name: "Acme",
                my_domain: "acme",
                edition: "Enterprise Edition",
                is_sandbox: false,
                profiles: [staff::view_only_profile()],
            },
            expectations: Expectations::of(&scene, &tables, delta.expected),
            tables,
            seats: scene.staff.seats,
            people: base.people.clone(),
            companies: base.companies.clone(),
            truth: base.truth.clone(),
            delta_people: delta.people,
            delta_companies: delta.companies,
            second_run,
        })
    }

    /// Writes every file of the org to `folder`, which is made when it is missing; files of an
    /// earlier org are replaced.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder)
            .map_err(|source| Error::Write { path: folder.into(), source })?;
        self.tables.write(folder)?;
        json(folder, "org.json", &self.organization)?;
        json(folder, "seats.json", &self.seats)?;
        json(folder, "expectations.json", &self.expectations)?;
        json(folder, "changes.json", &self.second_run)?;
        json_lines(folder, "people.jsonl", &self.people)?;
        json_lines(folder, "companies.jsonl", &self.companies)?;
        json_lines(folder, "delta-people.jsonl", &self.delta_people)?;
        json_lines(folder, "delta-companies.jsonl", &self.delta_companies)?;
        csv(folder, "truth.csv", &self.truth)
    }

    /// Rows per object.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.tables.counts()
    }
}
