//! The rows of every object of an org.

use std::collections::BTreeMap;
use std::path::Path;

use crate::activities::{self, Subjects};
use crate::conversion;
use crate::error::Error;
use crate::files::csv;
use crate::rows::{
    Account, AccountTeamMember, Contact, Event, Group, Lead, Note, Opportunity,
    OpportunityContactRole, OpportunityStage, Profile, Task, User, UserRole,
};
use crate::scene::Scene;
use crate::{pipeline, records};

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

impl Tables {
    pub(crate) fn generate(scene: &Scene) -> Self {
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

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
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
