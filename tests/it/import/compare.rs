//! Our records beside the org's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use shared::domain::SObject;
use shared::usecases::{Custody, Opened};
use tests::world::World;

/// An object's records by id: the mapped fields that have a value.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// What differs between the org and us, a line each; nothing when we hold exactly what the
/// integration user sees.
pub(super) async fn differences(world: &World) -> Vec<String> {
    let custody = Custody::new(world.memory.ports(), "crm-sync/".to_owned());
    let scope = world.connection().await.scope();
    let opened = custody.open(scope).await.unwrap().unwrap();
    let hidden = hidden(world).await;
    let mut lines = Vec::new();
    for object in SObject::ALL {
        let (theirs, ours) = (of_org(world, object, &hidden), held(&opened, object).await);
        for id in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            match (theirs.get(id), ours.get(id)) {
                (Some(_), None) => lines.push(format!("{object} {id} is missing")),
                (None, Some(_)) => lines.push(format!("{object} {id} is one too many")),
                (Some(there), Some(here)) if there != here => {
                    let differ = there.iter().filter(|(name, text)| here.get(*name) != Some(text));
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

/// The records that sharing hides from the integration user.
async fn hidden(world: &World) -> BTreeSet<String> {
    let user = world.connection().await.integration_user;
    let settings = world.control().settings(&world.org).unwrap();
    settings.hidden_records.get(&user).cloned().unwrap_or_default()
}

fn of_org(world: &World, object: SObject, hidden: &BTreeSet<String>) -> Rows {
    let rows = world.control().records(&world.org, object.name(), 0, 1_000_000).unwrap();
    rows.iter()
        .filter(|row| row["IsDeleted"] != true)
        .filter_map(|row| {
            let id = row["Id"].as_str()?.to_owned();
            let fields = object.fields().iter().filter_map(|name| {
                let value = match &row[*name] {
                    Value::Null => return None,
                    Value::String(text) if text.is_empty() => return None,
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Some(((*name).to_owned(), canonical(&value)))
            });
            Some((id, fields.collect()))
        })
        .filter(|(id, _)| !hidden.contains(id))
        .collect()
}

async fn held(opened: &Opened, object: SObject) -> Rows {
    let mut rows = Rows::new();
    for bucket in 0..opened.keys.buckets() {
        let mut after = None;
        loop {
            let (records, next) =
                opened.records.page(object, bucket, after.as_deref(), 1_000).await.unwrap();
            for record in records {
                let fields = record.fields.0.into_iter();
                let fields =
                    fields.map(|(name, text)| (name.into_owned(), canonical(&text))).collect();
                assert_eq!(rows.insert(record.id, fields), None, "held twice");
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
