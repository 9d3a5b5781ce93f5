//! What a test or a demo does to the simulator from behind: load orgs, change records, move time, plan faults.

mod routes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

pub(crate) use routes::router;

use crate::dml::{self, Writer};
use crate::ids::RecordId;
use crate::oauth::{App, GrantView, approve_directly};
use crate::org::{Access, Org, OrgData, OrgSettings, OrgSource, Profile, WriteEntry};
use crate::rest::ApiError;
use crate::server::Fault;
use crate::storage::{Draft, Table, Value, format_date_time, parse_date_time};
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
/// Orgs are named by their My Domain label, records by their id. Changes made here meet no permission, rule or
/// required field; they are stamped like any other and never listed under [`Control::writes`].
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

    /// Converts a lead. `options` may name an existing `account` and `contact` and the name of an `opportunity`. Gives
    /// the ids of what it became.
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

    /// The records of an object in the order of their ids, the recycle bin's too: at most `limit` of them from
    /// `offset` on.
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

    /// What was written through the API, oldest first.
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
    }

    /// Sets simulated time, in any form that Salesforce reads.
    pub fn set_time(&self, time: &str) -> Result<()> {
        let ms = parse_date_time(time)
            .ok_or_else(|| ControlError::new(format!("`{time}` is not a time")))?;
        self.world.clock.set(ms);
        Ok(())
    }

    /// Stops simulated time, or lets it run on.
    pub fn freeze(&self, frozen: bool) {
        self.world.clock.freeze(frozen);
    }

    /// Whether simulated time stands still.
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

    /// The grants of an org.
    pub fn grants(&self, org: &str) -> Result<Vec<GrantView>> {
        let org = self.org(org)?;
        Ok(lock(&self.world.oauth).views(&org, self.world.clock.now()))
    }

    /// Revokes every grant of an org, as an administrator does in Setup.
    pub fn revoke_grants(&self, org: &str) -> Result<()> {
        let org = self.org(org)?;
        let mut oauth = lock(&self.world.oauth);
        let own: Vec<usize> =
            (0..oauth.grants.len()).filter(|at| oauth.grants[*at].org == org.id).collect();
        for at in own {
            oauth.end(at, "revoked by the administrator");
        }
        Ok(())
    }

    /// Ends every session of an org; its refresh tokens stay good.
    pub fn end_sessions(&self, org: &str) -> Result<()> {
        let org = self.org(org)?;
        let mut oauth = lock(&self.world.oauth);
        let of_org: Vec<bool> = oauth.grants.iter().map(|grant| grant.org == org.id).collect();
        oauth.sessions.retain(|_, session| !of_org[session.grant]);
        Ok(())
    }

    /// An access token for a user (by Username or Email), without pages. It can do what the default app can.
    pub fn access_token(&self, org: &str, username: &str) -> Result<String> {
        let org = self.org(org)?;
        let user = read(&org.data)
            .user_named(username)
            .ok_or_else(|| ControlError::new(format!("no user `{username}`")))?;
        let mut oauth = lock(&self.world.oauth);
        let app = oauth.apps.first().cloned().ok_or_else(|| ControlError::new("no app"))?;
        let policy = oauth.policy(&org.label, &app);
        let to = crate::oauth::Grantee { org: &org, user, app: &app, scope: "api id web" };
        Ok(oauth.grant(&to, &policy, &self.world.random, self.world.clock.now()).access_token)
    }

    /// Logs in and consents at an authorize URL without pages; gives the address to which the browser would be sent.
    pub fn approve(&self, authorize_url: &str, username: &str) -> Result<String> {
        approve_directly(&self.world, authorize_url, username).map_err(ControlError::new)
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
        Ok(())
    }

    /// Adds a profile or replaces the one of its name.
    pub fn put_profile(&self, org: &str, profile: Profile) -> Result<()> {
        let org = self.org(org)?;
        write(&org.data).put_profile(profile, self.world.clock.stamp());
        Ok(())
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
        self.update(org, &user.to_string(), &json!({ "ProfileId": profile.to_string() }))
    }

    /// Freezes a user (by Username or Email), or lifts it.
    pub fn freeze_user(&self, org: &str, username: &str, frozen: bool) -> Result<()> {
        let user = read(&self.org(org)?.data).user_named(username);
        let user = user.ok_or_else(|| ControlError::new(format!("no user `{username}`")))?;
        self.update(org, &user.to_string(), &json!({ "IsFrozen__sim": frozen }))
    }

    /// Adds an app, or replaces the one with its client id.
    pub fn put_app(&self, app: App) {
        lock(&self.world.oauth).put_app(app);
    }

    /// All apps.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        lock(&self.world.oauth).apps.iter().map(|app| (**app).clone()).collect()
    }

    /// Changes switches of an app's policy, everywhere or in one org only.
    pub fn set_policy(&self, client_id: &str, org: Option<&str>, changes: &Json) -> Result<()> {
        let mut oauth = lock(&self.world.oauth);
        let app = oauth
            .app(client_id)
            .ok_or_else(|| ControlError::new(format!("no app `{client_id}`")))?;
        if let Some(label) = org {
            let policy = patched(&oauth.policy(label, &app), changes)?;
            oauth.org_policies.insert((label.to_owned(), client_id.to_owned()), policy);
        } else {
            let policy = patched(&app.policy, changes)?;
            oauth.put_app(App { policy, ..(*app).clone() });
        }
        Ok(())
    }
}

/// A value with some of its keys changed.
fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &T,
    changes: &Json,
) -> Result<T> {
    let bad = |error: serde_json::Error| ControlError::new(error.to_string());
    let mut all = serde_json::to_value(value).map_err(bad)?;
    let (Some(all_keys), Some(changes)) = (all.as_object_mut(), changes.as_object()) else {
        return Err(ControlError::new("an object is expected"));
    };
    for (key, change) in changes {
        all_keys.insert(key.clone(), change.clone());
    }
    serde_json::from_value(all).map_err(bad)
}

fn map(fields: &Json) -> Result<&Map<String, Json>> {
    fields.as_object().ok_or_else(|| ControlError::new("fields are an object"))
}

fn parse_id(id: &str) -> Result<RecordId> {
    RecordId::parse(id).ok_or_else(|| ControlError::new(format!("`{id}` is not an id")))
}

fn no_record(id: RecordId) -> ControlError {
    ControlError::new(format!("no record {id}"))
}

fn object_of(data: &OrgData, id: RecordId) -> Result<String> {
    data.table_of(id).map(|table| table.schema.name.clone()).ok_or_else(|| no_record(id))
}

/// A record with its fields by name; nulls are left out, times end in `Z`.
fn record_json(table: &Table, id: RecordId, row: &[u8]) -> Json {
    let draft = Draft::of(&table.schema, row);
    let mut all = Map::new();
    all.insert("Id".to_owned(), id.to_string().into());
    for (at, field) in table.schema.fields.iter().enumerate().skip(1) {
        let value = match draft.get(at) {
            Value::Null => continue,
            Value::Time(ms) => format_date_time(*ms, "Z").into(),
            value => value.to_json(),
        };
        all.insert(field.name.clone(), value);
    }
    Json::Object(all)
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> ControlError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    ControlError(text)
}
