//! An org: its records, users, settings and what was written to it.

mod access;
mod edition;
mod load;
mod load_error;
mod profile;
mod settings;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use serde::Serialize;

pub(crate) use access::Access;
pub(crate) use load::OrgSource;
pub use load_error::LoadError;
pub use profile::{FieldPermission, ObjectPermission, Profile};
pub use settings::{DuplicateRule, OrgSettings, ValidationRule};
pub(crate) use usage::Usage;

use crate::clock::Clock;
use crate::ids::RecordId;
use crate::schema::{Feature, ObjectSchema, standard};
use crate::storage::{Draft, Slots, Table, Value};

/// One org and its state.
pub(crate) struct Org {
    pub(crate) id: RecordId,
    /// The label before `.my.salesforce.com`; for a sandbox `name--sandbox`.
    pub(crate) label: String,
    pub(crate) is_sandbox: bool,
    pub(crate) clock: Arc<Clock>,
    pub(crate) data: RwLock<OrgData>,
    pub(crate) usage: Usage,
}

impl Org {
    /// The host of the org's My Domain.
    pub(crate) fn host(&self) -> String {
        let part = if self.is_sandbox { ".sandbox" } else { "" };
        format!("{}{part}.my.salesforce.com", self.label)
    }

    /// The host where people of such orgs log in.
    pub(crate) fn login_host(&self) -> &'static str {
        if self.is_sandbox { "test.salesforce.com" } else { "login.salesforce.com" }
    }
}

/// The records, users and settings of an org.
pub(crate) struct OrgData {
    pub(crate) name: String,
    pub(crate) tables: Vec<Table>,
    by_prefix: HashMap<String, usize>,
    pub(crate) profiles: BTreeMap<String, Arc<Profile>>,
    pub(crate) settings: OrgSettings,
    pub(crate) writes: Vec<WriteEntry>,
    /// When what describe tells last changed.
    pub(crate) described_at: i64,
}

/// One record written through the API, for tests and the demo to read back.
#[derive(Clone, Debug, Serialize)]
pub struct WriteEntry {
    /// When, by the simulated clock.
    pub at: String,
    /// `create`, `update`, `delete` or `undelete`.
    pub operation: &'static str,
    /// The object's name.
    pub object: String,
    /// The record's id, 18 characters.
    pub id: String,
    /// The user who wrote it.
    pub user_id: String,
    /// That user's name.
    pub username: String,
    /// The app through which it was written.
    pub client_id: String,
    /// The fields as sent.
    pub fields: serde_json::Value,
}

impl OrgData {
    /// An org without records.
    pub(crate) fn empty(name: &str, settings: OrgSettings) -> Self {
        let mut data = Self {
            name: name.to_owned(),
            tables: Vec::new(),
            by_prefix: HashMap::new(),
            profiles: BTreeMap::new(),
            settings,
            writes: Vec::new(),
            described_at: 0,
        };
        for object in standard() {
            if let Some(prefix) = &object.prefix {
                data.by_prefix.insert(prefix.clone(), data.tables.len());
            }
            data.tables.push(Table::new(Arc::clone(object)));
        }
        data
    }

    /// The position of an object's table, by its name in any case.
    pub(crate) fn position(&self, object: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.schema.name.eq_ignore_ascii_case(object))
    }

    /// An object's table, by its name in any case.
    pub(crate) fn table(&self, object: &str) -> Option<&Table> {
        self.position(object).map(|at| &self.tables[at])
    }

    /// An object's table, by its name in any case.
    pub(crate) fn table_mut(&mut self, object: &str) -> Option<&mut Table> {
        self.position(object).map(|at| &mut self.tables[at])
    }

    /// The position of the table whose records an id belongs to. Enhanced notes are stored as
    /// `ContentNote`.
    pub(crate) fn position_of(&self, id: RecordId) -> Option<usize> {
        self.by_prefix.get(id.prefix()).copied()
    }

    /// The table whose records an id belongs to.
    pub(crate) fn table_of(&self, id: RecordId) -> Option<&Table> {
        self.position_of(id).map(|at| &self.tables[at])
    }

    /// Gives an object more fields; fails for none.
    pub(crate) fn extend(&mut self, object: &str, field: crate::schema::Field) -> bool {
        let Some(table) = self.table_mut(object) else { return false };
        let mut schema: ObjectSchema = (*table.schema).clone();
        if schema.position(&field.name).is_none() {
            schema.push(field);
        }
        table.extend_schema(Arc::new(schema));
        true
    }

    /// True if a feature is on.
    pub(crate) fn has(&self, feature: Option<Feature>) -> bool {
        match feature {
            None => true,
            Some(Feature::AccountTeams) => self.has_account_teams(),
            Some(Feature::MultiCurrency) => self.settings.multi_currency,
            Some(Feature::EnhancedNotes) => self.settings.enhanced_notes,
            Some(Feature::PersonAccounts) => self.settings.person_accounts,
            Some(Feature::StateLists) => self.settings.state_lists,
        }
    }

    /// One field of one record, null when either is missing.
    pub(crate) fn value(&self, id: RecordId, field: &str) -> Value<'_> {
        let Some(table) = self.table_of(id) else { return Value::Null };
        let Some(row) = table.get(id) else { return Value::Null };
        let Some(at) = table.schema.position(field) else { return Value::Null };
        let mut slots = Slots::default();
        slots.read(row);
        slots.value(row, at, table.schema.fields[at].kind)
    }

    /// One text field of one record, empty when null.
    pub(crate) fn text(&self, id: RecordId, field: &str) -> String {
        self.value(id, field).as_text().unwrap_or_default().to_owned()
    }

    /// True if a record exists outside the recycle bin.
    pub(crate) fn is_live(&self, id: RecordId) -> bool {
        self.table_of(id)
            .is_some_and(|table| table.get(id).is_some_and(|row| !table.is_deleted(row)))
    }

    /// The active user whose Username or Email is `name`; usernames win.
    pub(crate) fn user_named(&self, name: &str) -> Option<RecordId> {
        let table = self.table("User")?;
        let find = |field: &str| {
            table.iter().map(|(id, _)| id).find(|id| {
                let value = self.text(*id, field);
                !value.is_empty() && value.eq_ignore_ascii_case(name.trim())
            })
        };
        find("Username").or_else(|| find("Email"))
    }

    /// A user's profile; the administrator's when the user names none that is known.
    pub(crate) fn profile_of(&self, user: RecordId) -> Arc<Profile> {
        let name = match self.value(user, "ProfileId").as_id() {
            Some(profile) => self.text(profile, "Name"),
            None => String::new(),
        };
        self.profiles.get(&name).cloned().unwrap_or_default()
    }

    /// Adds or replaces a profile, with its row.
    pub(crate) fn put_profile(&mut self, profile: Profile, now: i64) -> Option<RecordId> {
        let name = profile.name.clone();
        self.described_at = now;
        self.profiles.insert(name.clone(), Arc::new(profile));
        let existing = self
            .table("Profile")?
            .iter()
            .map(|(id, _)| id)
            .find(|id| self.text(*id, "Name") == name);
        if existing.is_some() {
            return existing;
        }
        let table = self.table_mut("Profile")?;
        let id = table.next_id();
        let mut draft = Draft::new(&table.schema);
        draft.set(table.schema.at("Name"), Value::text(name));
        for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            draft.set(table.schema.at(stamp), Value::Time(now));
        }
        table.put(id, draft.encode());
        Some(id)
    }
}
