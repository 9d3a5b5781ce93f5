//! Our records beside the org's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use salesforce_simulator::{Control, Profile};
use serde_json::{Value, json};
use shared::capabilities::custody::{Custody, OpenGeneration};
use shared::capabilities::importing;
use shared::capabilities::importing::{AccountModel, RecordFilter, Selection};
use shared::kernel::{Connection, SObject, TenantEnvironment};
use shared::ports::Ports;
use shared::store::{self, Store};
use tests::world::World;

/// An object's records by id: the mapped fields that have a value.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// The differences between the org and us, a line each; none when we hold exactly what the
/// integration user sees and the admin chose.
pub(super) async fn differences(world: &World) -> Vec<String> {
    let (ports, control, org) = (world.ports(), world.control(), world.org.clone());
    let secrets = "crm-sync/".to_owned();
    Sides { ports, secrets, control, org, at: world.at() }.differences().await
}

/// An org, and the stores in which we hold its records.
pub(crate) struct Sides {
    pub(crate) ports: Ports,
    /// How the names of the connections' secrets begin.
    pub(crate) secrets: String,
    pub(crate) control: Control,
    pub(crate) org: String,
    pub(crate) at: TenantEnvironment,
}

impl Sides {
    async fn connection(&self) -> Connection {
        let found = store::get(&*self.ports.table, &store::keys::connection(self.at)).await;
        found.unwrap().unwrap()
    }

    /// How many rows of the org we should hold.
    pub(crate) async fn rows(&self) -> usize {
        let view = View::of(self).await;
        SObject::ALL.iter().map(|object| view.rows(*object).len()).sum()
    }

    /// As [`differences`].
    pub(crate) async fn differences(&self) -> Vec<String> {
        let custody = Custody::new(self.ports.clone(), self.secrets.clone());
        let scope = self.connection().await.scope();
        let opened = custody.open(scope).await.unwrap().unwrap();
        let view = View::of(self).await;
        let mut lines = Vec::new();
        for object in SObject::ALL {
            let (theirs, ours) = (view.rows(object), held(&opened, object).await);
            for id in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
                match (theirs.get(id), ours.get(id)) {
                    (Some(_), None) => lines.push(format!("{object} {id} is missing")),
                    (None, Some(_)) => lines.push(format!("{object} {id} is one too many")),
                    (Some(there), Some(here)) if there != here => {
                        let differ =
                            there.iter().filter(|(name, text)| here.get(*name) != Some(text));
                        let over = here.keys().filter(|name| !there.contains_key(*name));
                        let differ: Vec<_> = differ.map(|(name, _)| name).chain(over).collect();
                        lines.push(format!("{object} {id} differs in {differ:?}"));
                    }
                    _ => {}
                }
            }
        }
        lines
    }
}

/// The filter of some histories: half of the accounts.
pub(super) fn large_accounts() -> Vec<RecordFilter> {
    let condition =
        json!({ "field": "NumberOfEmployees", "operator": "greater_or_equal", "value": 50_000 });
    let filter = json!({ "object": "Account", "conditions": [condition] });
    vec![serde_json::from_value(filter).unwrap()]
}

/// The rows that the integration user sees of an org, and the admin's choice among them.
struct View<'a> {
    sides: &'a Sides,
    profile: Profile,
    /// Hidden by sharing.
    hidden: BTreeSet<String>,
    chosen: Selection,
    /// The org has several currencies, and so the fields that no org need have.
    currencies: bool,
}

impl<'a> View<'a> {
    async fn of(sides: &'a Sides) -> Self {
        let user = sides.connection().await.integration_user;
        let profile = sides.control.profile_of(&sides.org, user.as_str()).unwrap();
        let settings = sides.control.settings(&sides.org).unwrap();
        let hidden = settings.hidden_records.get(user.as_str()).cloned().unwrap_or_default();
        let key = importing::keys::selection(sides.at);
        let chosen = Store::new(sides.ports.clone()).read(&key).await.unwrap();
        let (chosen, currencies) = (chosen.unwrap_or_default(), settings.multi_currency);
        Self { sides, profile, hidden, chosen, currencies }
    }

    fn rows(&self, object: SObject) -> Rows {
        let Sides { control, org, .. } = self.sides;
        let rows = control.records(org, object.name(), 0, 1_000_000).unwrap();
        rows.iter()
            .filter(|row| row["IsDeleted"] != true && self.is_chosen(object, row))
            .filter_map(|row| {
                let is_there = |name: &&&str| **name != "CurrencyIsoCode" || self.currencies;
                let besides = object.optional_fields().iter().filter(is_there);
                let fields = object.fields().iter().chain(besides).filter_map(|name| {
                    let column = self.column(object, name);
                    let value = match &row[column] {
                        _ if !self.is_shown(object, column) => return None,
                        Value::Null => return None,
                        Value::String(text) if text.is_empty() => return None,
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    Some(((*name).to_owned(), canonical(&value)))
                });
                Some((row["Id"].as_str()?.to_owned(), fields.collect()))
            })
            .filter(|(id, _)| !self.hidden.contains(id))
            .collect()
    }

    fn is_chosen(&self, object: SObject, row: &Value) -> bool {
        let persons = self.chosen.accounts == AccountModel::Person;
        match object {
            SObject::Account | SObject::AccountTeamMember if persons => false,
            SObject::Contact if persons => row["IsPersonAccount"] == true,
            SObject::Account if self.chosen.filters == large_accounts() => {
                row["NumberOfEmployees"].as_f64().is_some_and(|n| n >= 50_000.0)
            }
            _ => true,
        }
    }

    /// Where the value of a field of ours is: in the custom field that stands in its place, as long
    /// as the profile shows that one.
    fn column<'b>(&'b self, object: SObject, field: &'b str) -> &'b str {
        let mut mappings = self.chosen.mappings.iter();
        let mapping = mappings.find(|mapping| mapping.object == object && mapping.field == field);
        let custom = mapping.map(|mapping| mapping.custom_field.as_str());
        custom.filter(|custom| self.is_shown(object, custom)).unwrap_or(field)
    }

    fn is_shown(&self, object: SObject, field: &str) -> bool {
        let permission = self.profile.fields.get(&format!("{object}.{field}"));
        permission.is_none_or(|permission| permission.read)
    }
}

async fn held(opened: &OpenGeneration, object: SObject) -> Rows {
    let mut rows = Rows::new();
    for bucket in 0..opened.keys.buckets() {
        let mut after = None;
        loop {
            let (records, next) =
                opened.records.page(object, bucket, after.as_deref(), 1_000).await.unwrap();
            for record in records {
                let fields = record.fields.into_iter();
                let fields =
                    fields.map(|(name, text)| (name.into_owned(), canonical(&text))).collect();
                assert_eq!(rows.insert(record.id.to_string(), fields), None, "held twice");
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    rows
}

/// One form for each moment and each number, whichever of Salesforce's forms it has.
fn canonical(text: &str) -> String {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return moment.as_millisecond().to_string();
    }
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
}
