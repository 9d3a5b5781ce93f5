//! The control API: a test or a demo loads orgs, changes records, moves time and plans faults.

mod access;
mod pages;
mod routes;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

pub(crate) use routes::router;
use values::{chain, map, no_record, object_of, parse_id, patched, record_json};

use crate::dml::{self, Writer};
use crate::error::ApiError;
use crate::faults::Fault;
use crate::org::{Access, Org, OrgData, OrgSettings, OrgSource, Profile, WriteEntry};
use crate::storage::{Table, parse_date_time};
use crate::sync::{lock, read, write};
use crate::world::{RequestEntry, World};

/// Why the control API refused something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(String);

impl ControlError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<ApiError> for ControlError {
    fn from(error: ApiError) -> Self {
        Self(format!("{}: {}", error.code, error.message))
    }
}

type Result<T> = std::result::Result<T, ControlError>;

/// Full power over a simulator, in process. The control API has the same, over HTTP.
///
/// Orgs are named by their My Domain label, records by their id. Changes made here meet no
/// permission, rule or required field; they are stamped like any other and never listed under
/// [`Control::writes`].
#[derive(Clone)]
pub struct Control {
    world: Arc<World>,
}

impl Control {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    fn org(&self, label: &str) -> Result<Arc<Org>> {
        self.world.org(label).ok_or_else(|| ControlError::new(format!("no org `{label}`")))
    }

    /// Loads an org from the JSON of `POST /orgs`; gives its My Domain label.
    pub fn load_org(&self, source: Json) -> Result<String> {
        let mut source: OrgSource =
            serde_json::from_value(source).map_err(|error| ControlError::new(error.to_string()))?;
        if let Some(folder) = source.folder.clone() {
            let described = OrgSource::folder(&folder).map_err(|error| chain(&error))?;
            source.id = source.id.or(described.id);
            source.name = source.name.or(described.name);
            source.my_domain = source.my_domain.or(described.my_domain);
            source.edition = source.edition.or(described.edition);
            source.settings = source.settings.or(described.settings);
            source.is_sandbox |= described.is_sandbox;
            source.custom_fields.extend(described.custom_fields);
            source.profiles.extend(described.profiles);
        }
        let org = self.world.load(source).map_err(|error| chain(&error))?;
        Ok(org.label.clone())
    }

    /// Loads an org from a folder of CSV files.
    pub fn load_folder(
        &self,
        folder: &Path,
        my_domain: Option<&str>,
        sandbox: bool,
    ) -> Result<String> {
        self.load_org(json!({ "folder": folder, "my_domain": my_domain, "is_sandbox": sandbox }))
    }

    /// The labels of all orgs.
    #[must_use]
    pub fn orgs(&self) -> Vec<String> {
        self.world.orgs().iter().map(|org| org.label.clone()).collect()
    }

    /// An org's id, 18 characters.
    pub fn org_id(&self, org: &str) -> Result<String> {
        Ok(self.org(org)?.id.to_string())
    }

    /// Rows outside the recycle bin, by object.
    pub fn counts(&self, org: &str) -> Result<BTreeMap<String, usize>> {
        let org = self.org(org)?;
        let data = read(&org.data);
        Ok(data.tables.iter().map(|table| (table.schema.name.clone(), table.live())).collect())
    }

    /// Creates a record; gives its id.
    pub fn create(&self, org: &str, object: &str, fields: &Json) -> Result<String> {
        self.change(org, |data, writer| {
            Ok(dml::create(data, writer, object, map(fields)?)?.to_string())
        })
    }

    /// Changes a record.
    pub fn update(&self, org: &str, id: &str, fields: &Json) -> Result<()> {
        let id = parse_id(id)?;
        self.change(org, |data, writer| {
            let object = object_of(data, id)?;
            Ok(dml::update(data, writer, &object, id, map(fields)?)?)
        })
    }

    /// Moves a record to the recycle bin, or removes it where the object has none.
    pub fn delete(&self, org: &str, id: &str) -> Result<()> {
        let id = parse_id(id)?;
        self.change(org, |data, writer| {
            let object = object_of(data, id)?;
            Ok(dml::delete(data, writer, &object, id)?)
        })
    }

    /// Removes a record for good.
    pub fn hard_delete(&self, org: &str, id: &str) -> Result<()> {
        let id = parse_id(id)?;
        self.change(org, |data, writer| {
            if dml::hard_delete(data, writer, id) { Ok(()) } else { Err(no_record(id)) }
        })
    }

    /// Takes a record out of the recycle bin.
    pub fn undelete(&self, org: &str, id: &str) -> Result<()> {
        let id = parse_id(id)?;
        self.change(org, |data, writer| Ok(dml::undelete(data, writer, id)?))
    }

    /// Merges records of one object into the first.
    pub fn merge(&self, org: &str, master: &str, losers: &[&str]) -> Result<()> {
        let master = parse_id(master)?;
        let losers = losers.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>>>()?;
        self.change(org, |data, writer| Ok(dml::merge(data, writer, master, &losers)?))
    }

    /// Converts a lead. `options` may name an existing `account` and `contact` and the name of an
    /// `opportunity`. Gives the ids of what it became.
    pub fn convert_lead(&self, org: &str, lead: &str, options: &Json) -> Result<Json> {
        let lead = parse_id(lead)?;
        let id = |key: &str| options.get(key).and_then(Json::as_str).map(parse_id).transpose();
        let (account, contact) = (id("account")?, id("contact")?);
        let opportunity = options.get("opportunity").and_then(Json::as_str);
        self.change(org, |data, writer| {
            let became = dml::convert_lead(data, writer, lead, account, contact, opportunity)?;
            Ok(json!({
                "account": became.account.to_string(),
                "contact": became.contact.to_string(),
                "opportunity": became.opportunity.map(|id| id.to_string()),
            }))
        })
    }

    /// A record with all its fields, the recycle bin's too.
    pub fn record(&self, org: &str, id: &str) -> Result<Json> {
        let id = parse_id(id)?;
        let org = self.org(org)?;
        let data = read(&org.data);
        let table = data.table_of(id).ok_or_else(|| no_record(id))?;
        let row = table.get(id).ok_or_else(|| no_record(id))?;
        Ok(record_json(table, id, row))
    }

    /// The records of an object in the order of their ids, the recycle bin's too: at most `limit`
    /// of them from `offset` on.
    pub fn records(
        &self,
        org: &str,
        object: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Json>> {
        let org = self.org(org)?;
        let data = read(&org.data);
        let table =
            data.table(object).ok_or_else(|| ControlError::new(format!("no object `{object}`")))?;
        Ok(table
            .iter()
            .skip(offset)
            .take(limit)
            .map(|(id, row)| record_json(table, id, row))
            .collect())
    }

    /// Archives closed tasks and events that were over before a day (`YYYY-MM-DD`); gives how many.
    pub fn archive(&self, org: &str, before: &str) -> Result<usize> {
        self.change(org, |data, _| Ok(dml::archive(data, before)))
    }

    /// Removes what lies in the recycle bin; gives how many records.
    pub fn empty_bin(&self, org: &str) -> Result<usize> {
        self.change(org, |data, writer| Ok(dml::empty_bin(data, writer)))
    }

    /// Bytes that an org's rows take, without their index: for measuring.
    pub fn row_bytes(&self, org: &str) -> Result<usize> {
        let org = self.org(org)?;
        let data = read(&org.data);
        Ok(data.tables.iter().map(Table::payload_bytes).sum())
    }

    fn change<T>(
        &self,
        org: &str,
        change: impl FnOnce(&mut OrgData, &Writer<'_>) -> Result<T>,
    ) -> Result<T> {
        let org = self.org(org)?;
        let access = Access::system();
        let writer = Writer {
            access: &access,
            client_id: "control",
            now: self.world.clock.now(),
            allow_duplicates: true,
            system: true,
        };
        change(&mut write(&org.data), &writer)
    }

    /// The writes through the API, oldest first.
    pub fn writes(&self, org: &str) -> Result<Vec<WriteEntry>> {
        let org = self.org(org)?;
        let data = read(&org.data);
        Ok(data.writes.clone())
    }

    /// Every call since the start or the last clearing, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.world.requests()
    }

    /// Empties the request log.
    pub fn clear_requests(&self) {
        self.world.clear_requests();
    }

    /// The simulated time, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// Moves simulated time on.
    pub fn advance(&self, seconds: i64) {
        self.world.clock.advance(seconds.saturating_mul(1000));
        self.expire_bins();
    }

    /// Sets simulated time, in any form that Salesforce reads.
    pub fn set_time(&self, time: &str) -> Result<()> {
        let ms = parse_date_time(time)
            .ok_or_else(|| ControlError::new(format!("`{time}` is not a time")))?;
        self.world.clock.set(ms);
        self.expire_bins();
        Ok(())
    }

    /// Removes records from the recycle bin that were deleted 15 days ago or earlier.
    fn expire_bins(&self) {
        let now = self.world.clock.now();
        for org in self.world.orgs() {
            dml::expire_bin(&mut write(&org.data), now);
        }
    }

    /// Stops simulated time, or lets it run on.
    pub fn freeze(&self, frozen: bool) {
        self.world.clock.freeze(frozen);
    }

    /// True if simulated time stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.world.clock.is_frozen()
    }

    /// Plans a fault; gives its id.
    #[expect(clippy::must_use_candidate, reason = "most callers never name the fault again")]
    pub fn add_fault(&self, fault: Fault) -> u64 {
        lock(&self.world.faults).add(fault)
    }

    /// All planned faults with their counts.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.world.faults).list().to_vec()
    }

    /// Removes one planned fault, or all.
    pub fn remove_faults(&self, id: Option<u64>) {
        lock(&self.world.faults).remove(id);
    }

    /// Counts calls of other integrations against the org's daily limit.
    pub fn spend_calls(&self, org: &str, calls: u64) -> Result<()> {
        self.org(org)?.usage.add_calls(self.world.clock.now(), calls);
        Ok(())
    }

    /// The switches of an org.
    pub fn settings(&self, org: &str) -> Result<OrgSettings> {
        let org = self.org(org)?;
        let data = read(&org.data);
        Ok(data.settings.clone())
    }

    /// Changes switches of an org: the keys given, and no others.
    pub fn set(&self, org: &str, changes: &Json) -> Result<()> {
        let org = self.org(org)?;
        let mut data = write(&org.data);
        data.settings = patched(&data.settings, changes)?;
        data.described_at = self.world.clock.stamp();
        Ok(())
    }

    /// Adds a profile or replaces the one of its name.
    pub fn put_profile(&self, org: &str, profile: Profile) -> Result<()> {
        let org = self.org(org)?;
        write(&org.data).put_profile(profile, self.world.clock.stamp());
        Ok(())
    }

    /// The profile of a user, by id.
    pub fn profile_of(&self, org: &str, user: &str) -> Result<Profile> {
        let org = self.org(org)?;
        Ok((*read(&org.data).profile_of(parse_id(user)?)).clone())
    }

    /// Gives a user (by Username or Email) a profile.
    pub fn assign_profile(&self, org: &str, username: &str, profile: &str) -> Result<()> {
        let (user, profile) = {
            let org = self.org(org)?;
            let data = read(&org.data);
            let user = data
                .user_named(username)
                .ok_or_else(|| ControlError::new(format!("no user `{username}`")))?;
            let known = data.table("Profile").and_then(|table| {
                table.iter().map(|(id, _)| id).find(|id| data.text(*id, "Name") == profile)
            });
            (user, known.ok_or_else(|| ControlError::new(format!("no profile `{profile}`")))?)
        };
        write(&self.org(org)?.data).described_at = self.world.clock.stamp();
        self.update(org, &user.to_string(), &json!({ "ProfileId": profile.to_string() }))
    }

    /// Freezes a user (by Username or Email), or lifts it.
    pub fn freeze_user(&self, org: &str, username: &str, frozen: bool) -> Result<()> {
        let user = read(&self.org(org)?.data).user_named(username);
        let user = user.ok_or_else(|| ControlError::new(format!("no user `{username}`")))?;
        self.update(org, &user.to_string(), &json!({ "IsFrozen__sim": frozen }))
    }
}
