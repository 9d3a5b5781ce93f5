//! A whole org in memory, and how it is written to a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::activities::{self, Subjects};
use crate::base::{Base, Company, Person, TruthRow};
use crate::changes::SecondRun;
use crate::conversion;
use crate::delta::{Deals, Delta, DeltaLine};
use crate::error::Error;
use crate::expectations::Expectations;
use crate::id::{IdMint, prefix};
use crate::rows::{
    Account, AccountTeamMember, Contact, Event, Group, Lead, Note, Opportunity,
    OpportunityContactRole, OpportunityStage, Profile, Task, User, UserRole,
};
use crate::scene::{Scene, Size};
use crate::staff::Seat;
use crate::time::Calendar;
use crate::{pipeline, records, slice, staff};

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

/// The rows of every object.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) profiles: Vec<Profile>,
    pub(crate) groups: Vec<Group>,
    pub(crate) users: Vec<User>,
    pub(crate) user_roles: Vec<UserRole>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) leads: Vec<Lead>,
    pub(crate) stages: Vec<OpportunityStage>,
    pub(crate) opportunities: Vec<Opportunity>,
    pub(crate) contact_roles: Vec<OpportunityContactRole>,
    pub(crate) team_members: Vec<AccountTeamMember>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) events: Vec<Event>,
    pub(crate) notes: Vec<Note>,
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

impl Tables {
    fn generate(scene: &Scene) -> Self {
        let accounts = records::accounts(scene);
        let contacts = records::contacts(scene, &accounts);
        let mut leads = records::leads(scene);
        let opportunities = pipeline::opportunities(scene, &accounts, &contacts);
        conversion::convert(scene, &mut leads, &contacts, &opportunities);
        let mut tables = Self {
            profiles: scene.staff.profiles.clone(),
            groups: vec![scene.staff.queue.clone()],
            users: scene.staff.users.clone(),
            user_roles: scene.staff.roles.clone(),
            stages: pipeline::stages(scene),
            contact_roles: pipeline::contact_roles(scene, &opportunities, &contacts),
            team_members: pipeline::team_members(scene, &accounts),
            accounts,
            contacts,
            leads,
            opportunities,
            tasks: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
        };
        tables.tasks = activities::tasks(scene, tables.subjects());
        tables.events = activities::events(scene, tables.subjects());
        tables.notes = activities::notes(scene, tables.subjects());
        tables.set_last_activity(scene);
        tables
    }

    fn subjects(&self) -> Subjects<'_> {
        Subjects {
            accounts: &self.accounts,
            contacts: &self.contacts,
            leads: &self.leads,
            opportunities: &self.opportunities,
            roles: &self.contact_roles,
        }
    }

    fn set_last_activity(&mut self, scene: &Scene) {
        let last = activities::last_activity(scene, self.subjects(), &self.tasks, &self.events);
        for row in &mut self.accounts {
            row.last_activity_date = last.get(&row.id).copied();
        }
        for row in &mut self.contacts {
            row.last_activity_date = last.get(&row.id).copied();
        }
        for row in &mut self.leads {
            row.last_activity_date = last.get(&row.id).copied();
        }
        for row in &mut self.opportunities {
            row.last_activity_date = last.get(&row.id).copied();
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("Account", self.accounts.len()),
            ("AccountTeamMember", self.team_members.len()),
            ("Contact", self.contacts.len()),
            ("Event", self.events.len()),
            ("Lead", self.leads.len()),
            ("Note", self.notes.len()),
            ("Opportunity", self.opportunities.len()),
            ("OpportunityContactRole", self.contact_roles.len()),
            ("Task", self.tasks.len()),
            ("User", self.users.len()),
            ("UserRole", self.user_roles.len()),
        ])
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        csv(folder, "Profile.csv", &self.profiles)?;
        csv(folder, "Group.csv", &self.groups)?;
        csv(folder, "User.csv", &self.users)?;
        csv(folder, "UserRole.csv", &self.user_roles)?;
        csv(folder, "Account.csv", &self.accounts)?;
        csv(folder, "Contact.csv", &self.contacts)?;
        csv(folder, "Lead.csv", &self.leads)?;
        csv(folder, "OpportunityStage.csv", &self.stages)?;
        csv(folder, "Opportunity.csv", &self.opportunities)?;
        csv(folder, "OpportunityContactRole.csv", &self.contact_roles)?;
        csv(folder, "AccountTeamMember.csv", &self.team_members)?;
        csv(folder, "Task.csv", &self.tasks)?;
        csv(folder, "Event.csv", &self.events)?;
        csv(folder, "Note.csv", &self.notes)
    }
}

fn write(folder: &Path, name: &str, bytes: std::io::Result<Vec<u8>>) -> Result<(), Error> {
    let path = folder.join(name);
    bytes.and_then(|bytes| fs::write(&path, bytes)).map_err(|source| Error::Write { path, source })
}

fn csv<T: Serialize>(folder: &Path, name: &str, rows: &[T]) -> Result<(), Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.iter().try_for_each(|row| writer.serialize(row));
    let bytes = written
        .map_err(std::io::Error::other)
        .and_then(|()| writer.into_inner().map_err(csv::IntoInnerError::into_error));
    write(folder, name, bytes)
}

fn json<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::other);
    write(folder, name, bytes.map(|bytes| [bytes, b"\n".to_vec()].concat()))
}

fn json_lines<T: Serialize>(folder: &Path, name: &str, values: &[T]) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let written = values
        .iter()
        .try_for_each(|value| serde_json::to_writer(&mut bytes, value).map(|()| bytes.push(b'\n')));
    write(folder, name, written.map(|()| bytes).map_err(std::io::Error::other))
}
