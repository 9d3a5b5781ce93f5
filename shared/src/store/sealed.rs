//! Documents that say who somebody is, or who was taken for whom, lie sealed.
//!
//! Their text is an attribute sealed for their key, and where a key would tell, its last part is a
//! name under the data key. Only a store of an open generation reads and writes them: to all others
//! they are items with a key. Once the data key is destroyed they tell nothing, in backups either.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::documents;
use super::keys::{Form, Kind, form};
use super::slot::{REVISION, Stored};
use crate::ports::{Condition, Entropy, Item, Key, PortError, Write};
use crate::seal::Sealer;

/// The attribute that holds a sealed document.
const SEALED: &str = "sealed";

/// What a part of a key begins with that is a name. No part is named twice.
const NAME: char = '~';

/// The length of a name.
const NAME_LEN: usize = 32;

/// Where the document of a key lies.
pub(super) fn place_of(sealer: Option<&Sealer>, key: &Key) -> Key {
    match sealer {
        Some(sealer) if form(key) == Form::SealedAndNamed && !is_named(key) => {
            let (head, tail) = split(key);
            key.beside(format!("{head}{NAME}{}", sealer.name(tail)))
        }
        _ => key.clone(),
    }
}

/// True for a key as it is in the table, whose last part is a name.
fn is_named(key: &Key) -> bool {
    let rest = split(key).1.strip_prefix(NAME).unwrap_or_default();
    rest.len() == NAME_LEN && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A sort key before the part that is named, and that part.
fn split(key: &Key) -> (&str, &str) {
    let parts = parts_before_the_name(key.pk());
    let cut = key.sk().match_indices('#').nth(parts - 1).map_or(0, |(at, _)| at + 1);
    key.sk().split_at(cut)
}

/// How many parts of a sort key stand before the one that is named: `object#entity`,
/// `seat#list#entity`, `ENTRY#list#entity`, `CRMSEAT#user`.
fn parts_before_the_name(pk: &str) -> usize {
    if matches!(Kind::of_partition(pk), Some(Kind::Saved | Kind::List)) { 2 } else { 1 }
}

/// The document of an item, opened if it is sealed and there is a key.
pub(super) fn stored<T: DeserializeOwned>(
    sealer: Option<&Sealer>,
    item: Item,
) -> Result<Stored<T>, PortError> {
    Stored::of(item, |key, doc| match (sealer, doc.get(SEALED)) {
        (Some(sealer), Some(Value::String(text))) => opened(sealer, key, text),
        _ => documents::parse(doc),
    })
}

/// The document that was sealed for a key.
fn opened<T: DeserializeOwned>(sealer: &Sealer, key: &Key, text: &str) -> Result<T, PortError> {
    let action = "open a document";
    let body = BASE64.decode(text).map_err(|error| PortError::reject(action, error))?;
    let plain = sealer.open(&document_place(key), &body);
    let plain = plain.map_err(|error| PortError::reject(action, error))?;
    // serde_json's error could quote the value.
    serde_json::from_slice(&plain)
        .map_err(|_| PortError::reject(action, "it is not what was sealed here"))
}

/// The write as it goes to the table.
pub(super) fn shut(
    sealer: Option<&Sealer>,
    write: Write,
    entropy: &dyn Entropy,
) -> Result<Write, PortError> {
    if form(write.key()) == Form::Plain {
        return Ok(write);
    }
    let Some(sealer) = sealer else {
        return match write {
            // Who only deletes or checks needs no key, but its name may be another one.
            Write::Delete { .. } | Write::Check { .. }
                if form(write.key()) == Form::Sealed || is_named(write.key()) =>
            {
                Ok(write)
            }
            _ => Err(PortError::reject("write a document", "its kind is sealed: open it first")),
        };
    };
    let key = place_of(Some(sealer), write.key());
    Ok(match write {
        Write::Put { item, when } => {
            let item = Item { key, ..item };
            let item = sealed(sealer, item, follows(&when), entropy)?;
            Write::Put { item, when }
        }
        Write::Delete { when, .. } => Write::Delete { key, when },
        Write::Check { when, .. } => Write::Check { key, when },
        Write::Update { .. } => {
            return Err(PortError::reject("write a document", "a sealed one is replaced whole"));
        }
    })
}

fn sealed(
    sealer: &Sealer,
    mut item: Item,
    follows: bool,
    entropy: &dyn Entropy,
) -> Result<Item, PortError> {
    let revision = item.doc.remove(REVISION);
    // serde_json's error could quote the value.
    let plain = serde_json::to_vec(&item.doc)
        .map_err(|_| PortError::reject("seal a document", "unknown form"))?;
    let body = sealer
        .seal(&document_place(&item.key), &plain, entropy)
        .map_err(|error| PortError::reject("seal a document", error))?;
    let mut doc = Map::from_iter([(SEALED.to_owned(), BASE64.encode(body).into())]);
    // The first revision is drawn from the contents, and would tell of them.
    let revision = match revision {
        Some(revision) if !follows => Some(
            revision
                .as_u64()
                .map_or(1, |drawn| {
                    let name = sealer.name(&drawn.to_string());
                    let head = u32::from_str_radix(&name[..8], 16).unwrap_or_default();
                    (u64::from(head) << 16) + 1
                })
                .into(),
        ),
        other => other,
    };
    doc.extend(revision.map(|revision| (REVISION.to_owned(), revision)));
    Ok(Item { doc, ..item })
}

/// True for the condition of a document that follows one that was read.
fn follows(when: &Condition) -> bool {
    match when {
        Condition::Eq(name, _) | Condition::Missing(name) => *name == REVISION,
        Condition::All(all) | Condition::Any(all) => all.iter().any(follows),
        _ => false,
    }
}

/// What a sealed document is bound to. Its body, if it has one, is bound to the key itself.
fn document_place(key: &Key) -> String {
    format!("{}|document", key.place())
}

#[cfg(test)]
mod tests {
    use matching::EntityKind;
    use serde::{Deserialize, Serialize};
    use zeroize::Zeroizing;

    use super::*;
    use crate::kernel::{Environment, Generation, SObject, TenantEnvironment, TenantId};
    use crate::ports::{Ports, Range};
    use crate::store::keys::GenerationKeys;
    use crate::store::{Commit, Slot, Store, When};
    use crate::testing::{Memory, entity_id, record_id};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Told {
        person: String,
    }

    fn told(person: &str) -> Told {
        Told { person: person.to_owned() }
    }

    fn keys() -> GenerationKeys {
        let (tenant, environment) = (TenantId::derived("acme"), Environment::Sandbox);
        GenerationKeys::new(TenantEnvironment { tenant, environment }.generation(Generation(3)), 4)
    }

    fn at<T>(slot: Slot<T>) -> Slot<Told> {
        Slot::at(slot.into())
    }

    fn store(ports: &Ports, key: u8) -> Store {
        Store::opening(ports.clone(), Sealer::new(&Zeroizing::new([key; 32])))
    }

    fn memory() -> Memory {
        Memory::new("2026-11-28T09:00:00Z".parse().unwrap(), 1)
    }

    #[tokio::test]
    async fn a_sealed_document_is_read_replaced_and_deleted_as_any_other() {
        let memory = memory();
        let store = store(&memory.ports(), 1);
        for slot in [
            at(keys().candidates(SObject::Lead, record_id("00Q", 1))),
            at(keys().entity(EntityKind::Person, &entity_id("pr_1"))),
        ] {
            store.put(&slot, &told("pr_1")).await.unwrap();
            let before = store.load(&slot).await.unwrap().unwrap();
            assert_eq!(*before, told("pr_1"));
            let mut commit = Commit::new();
            commit.replace(&before, &told("pr_2")).unwrap();
            assert!(store.commit(commit.clone()).await.unwrap().is_done());
            assert!(!store.commit(commit).await.unwrap().is_done(), "it was replaced meanwhile");
            let after = store.load_many([slot.clone()]).await.unwrap().pop().unwrap();
            assert_eq!((&*after, after.slot()), (&told("pr_2"), store.slot(&slot)));
            let mut commit = Commit::new();
            commit.delete_when(&after.slot(), When::unchanged(&after));
            assert!(store.commit(commit).await.unwrap().is_done());
            assert_eq!(store.read(&slot).await.unwrap(), None);
        }
        assert_eq!(memory.items().len(), 0);
    }

    #[tokio::test]
    async fn nobody_reads_or_guesses_a_sealed_document_without_the_key() {
        let memory = memory();
        let slot = at(keys().entity(EntityKind::Person, &entity_id("pr_1")));
        for key in [1, 2] {
            store(&memory.ports(), key).put(&slot, &told("pr_1")).await.unwrap();
        }
        let items = memory.items();
        assert_eq!(items.len(), 2, "each key has its own name for the entity");
        for item in &items {
            let text = format!("{} {:?}", item.key.sk(), item.doc);
            assert!(!text.contains("pr_1") && item.key.sk().starts_with("people#~"), "{text}");
        }
        assert_ne!(items[0].doc[REVISION], items[1].doc[REVISION], "drawn under the key");
        let plain = Store::new(memory.ports());
        let lying = Slot::<Told>::at(items[0].key.clone());
        assert!(plain.read(&lying).await.is_err());
        assert!(store(&memory.ports(), 3).read(&lying).await.is_err());
    }

    #[tokio::test]
    async fn nothing_of_a_sealed_kind_is_written_without_the_key_or_in_part() {
        let memory = memory();
        let slot = at(keys().candidates(SObject::Lead, record_id("00Q", 1)));
        assert!(Store::new(memory.ports()).put(&slot, &told("pr_1")).await.is_err());
        let field = crate::store::Field::<Told, String>::new("person", |told| &told.person);
        let mut commit = Commit::new();
        commit.edit(&slot, When::always(), [field.set(&"pr_2".to_owned()).unwrap()]);
        assert!(store(&memory.ports(), 1).commit(commit).await.is_err());
        assert_eq!(memory.items().len(), 0);
    }

    #[tokio::test]
    async fn a_sealed_document_that_was_moved_does_not_open() {
        let memory = memory();
        let store = store(&memory.ports(), 1);
        let slot = |n| at(keys().candidates(SObject::Lead, record_id("00Q", n)));
        store.put(&slot(1), &told("pr_1")).await.unwrap();
        let item = memory.items().pop().unwrap();
        let moved = Item { key: slot(2).into(), ..item };
        memory.ports().table.put_many(vec![moved]).await.unwrap();
        assert!(store.read(&slot(1)).await.is_ok() && store.read(&slot(2)).await.is_err());
    }

    #[tokio::test]
    async fn what_a_seat_saved_is_listed_page_by_page() {
        let memory = memory();
        let store = store(&memory.ports(), 1);
        let seat = crate::kernel::SeatId::derived("jane");
        let names: Vec<String> = (0..20).map(|n| format!("pr_{n}")).collect();
        for name in &names {
            let slot = at(keys().saved(seat, "leads", &entity_id(name)));
            store.put(&slot, &told(name)).await.unwrap();
        }
        let (series, mut found, mut after) = (keys().saved_list(seat, "leads"), Vec::new(), None);
        let Range::Prefix(prefix) = series.range().clone() else { panic!("no prefix") };
        let series = crate::store::Series::<Told>::under(series.pk().to_owned(), prefix);
        loop {
            let page = store.page(&series, after.as_deref(), 7).await.unwrap();
            found.extend(page.documents.iter().map(|told| told.person.clone()));
            after = page.documents.last().map(|last| series.place(series.name(last)));
            if page.next.is_none() {
                break;
            }
        }
        found.sort_by_key(|name| name[3..].parse::<u32>().unwrap());
        assert_eq!(found, names);
    }
}
