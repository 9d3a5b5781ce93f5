//! Making, naming, sharing and removing lists, and changing what they hold.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{
    LONGEST_NAME, List, ListEntry, ListError, ListKind, Lists, MOST_AT_ONCE, MOST_COLLABORATORS,
    MOST_ENTRIES, MOST_LISTS, open_to,
};
use crate::capabilities::custody::{LookupError, OpenGeneration};
use crate::capabilities::directory;
use crate::capabilities::seats;
use crate::kernel::{EntityId, ListId, SeatId, TenantEnvironment};
use crate::store::{Attempt, Commit, Marker, Slot, Stored, When, attempts};
use crate::work::{WorkError, boxed};

/// How many entries a transaction writes, beside the list itself.
const PER_COMMIT: usize = 90;

/// How many entities are looked up in the directory at once.
const AT_ONCE: usize = 8;

/// A list to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewList {
    /// What it is to hold.
    pub kind: ListKind,
    /// What its owner calls it.
    pub name: String,
    /// Who works on it besides.
    pub collaborators: BTreeSet<SeatId>,
}

/// A change of a list; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListChange {
    /// Its new name.
    pub name: Option<String>,
    /// Who is to work on it with its owner.
    pub collaborators: Option<BTreeSet<SeatId>>,
}

/// What became of entities that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// How many are new.
    pub added: usize,
    /// How many the list had already.
    pub had: usize,
    /// How many it has now.
    pub entries: u32,
}

impl Lists {
    /// Makes a list.
    ///
    /// # Errors
    /// When no org is connected, the name or the collaborators cannot be so, or one of them has too
    /// many lists.
    #[must_use]
    #[boxed]
    pub async fn make(
        &self,
        at: TenantEnvironment,
        owner: SeatId,
        NewList { kind, name, mut collaborators }: NewList,
    ) -> Result<List, ListError> {
        let opened = self.custody.open_live(at).await?;
        let seat = self.tenants.read(&seats::keys::seat(at.tenant, owner)).await?;
        seat.ok_or(LookupError::NotFound("seat"))?;
        collaborators.remove(&owner);
        let created_at = self.now();
        let id = self.new_id();
        let name = usable(&name)?;
        let list = List { id, kind, name, owner, collaborators, entries: 0, created_at };
        let nobody = BTreeSet::new();
        let mut commit = self.shared(&opened, &list, &nobody).await?;
        commit.create(&opened.keys.list(id), &list)?;
        if opened.store.commit(commit).await?.is_done() {
            return Ok(list);
        }
        Err(ListError::Collaborators)
    }

    /// Names or shares a list.
    ///
    /// # Errors
    /// When the seat is not its owner, or the list cannot be so.
    #[must_use]
    #[boxed]
    pub async fn change(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
        change: &ListChange,
    ) -> Result<List, ListError> {
        let opened = self.custody.open_live(at).await?;
        attempts(|| async {
            let before = owned(&opened, seat, list).await?;
            let mut after = List::clone(&before);
            if let Some(name) = &change.name {
                after.name = usable(name)?;
            }
            if let Some(collaborators) = &change.collaborators {
                after.collaborators.clone_from(collaborators);
                after.collaborators.remove(&seat);
            }
            if after == *before {
                return Ok(Attempt::Done(after));
            }
            let members = before.members();
            let mut commit = self.shared(&opened, &after, &members).await?;
            for gone in members.difference(&after.members()) {
                commit.delete(&opened.keys.list_of(*gone, list));
            }
            commit.replace(&before, &after)?;
            if opened.store.commit(commit).await?.is_done() {
                return Ok(Attempt::Done(after));
            }
            let now = opened.store.load(&before.slot()).await?;
            let is_same = now.is_some_and(|now| now.revision() == before.revision());
            // Then it was not the list that stood against it, but somebody who is no seat.
            if is_same { Err(ListError::Collaborators) } else { Ok(Attempt::Overtaken) }
        })
        .await
    }

    /// Removes a list. One that is not there is removed.
    ///
    /// # Errors
    /// When the seat only works on it.
    #[must_use]
    #[boxed]
    pub async fn remove(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
    ) -> Result<(), ListError> {
        let opened = self.custody.open_live(at).await?;
        match owned(&opened, seat, list).await {
            Ok(_) => Ok(self.remove_whole(&opened, list).await?),
            Err(ListError::Lookup(LookupError::NotFound(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds entities to a list, as the directory names them now.
    ///
    /// # Errors
    /// When the list is not open to the seat or has no room for all, or the directory does not have
    /// one of them. Then none is added.
    #[must_use]
    #[boxed]
    pub async fn add(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
        entities: &[EntityId],
    ) -> Result<Added, ListError> {
        let opened = self.custody.open_live(at).await?;
        let found = open_to(&opened, seat, list).await?;
        let named = self.known(found.kind, at_once(entities)?).await?;
        attempts(|| async {
            let before = open_to(&opened, seat, list).await?;
            let slots: Vec<Slot<ListEntry>> =
                named.iter().map(|entity| opened.keys.list_entry(list, entity)).collect();
            let known = opened.store.load_many(slots).await?;
            let known: BTreeSet<&EntityId> = known.iter().map(|entry| &entry.entity).collect();
            let new: Vec<&EntityId> =
                named.iter().filter(|entity| !known.contains(entity)).collect();
            let entries = before.entries + u32::try_from(new.len()).unwrap_or(u32::MAX);
            if entries > MOST_ENTRIES {
                return Err(ListError::Full(before.entries));
            }
            let mut counted = before.entries;
            let mut stored = before;
            for chunk in new.chunks(PER_COMMIT) {
                counted += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                let mut commit = Commit::new();
                for entity in chunk {
                    let entity = EntityId::clone(entity);
                    let slot = opened.keys.list_entry(list, &entity);
                    let (added_by, added_at) = (seat, self.now());
                    commit.create(&slot, &ListEntry { list, entity, added_by, added_at })?;
                }
                let after = List { entries: counted, ..List::clone(&stored) };
                commit.replace(&stored, &after)?;
                if !opened.store.commit(commit).await?.is_done() {
                    return Ok(Attempt::Overtaken);
                }
                stored = stored.followed_by(after);
            }
            let (added, had) = (new.len(), named.len() - new.len());
            Ok(Attempt::Done(Added { added, had, entries }))
        })
        .await
    }

    /// Takes entities out of a list. Gives how many there are then.
    ///
    /// # Errors
    /// When the list is not open to the seat.
    #[must_use]
    #[boxed]
    pub async fn take_out(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
        entities: &[EntityId],
    ) -> Result<u32, ListError> {
        let opened = self.custody.open_live(at).await?;
        let entities: BTreeSet<&EntityId> = at_once(entities)?.iter().collect();
        attempts(|| async {
            let mut stored = open_to(&opened, seat, list).await?;
            let slots = entities.iter().map(|entity| opened.keys.list_entry(list, entity));
            let known = opened.store.load_many(slots).await?;
            for chunk in known.chunks(PER_COMMIT) {
                let mut commit = Commit::new();
                for entry in chunk {
                    commit.delete_when(&entry.slot(), When::unchanged(entry));
                }
                let gone = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                let entries = stored.entries.saturating_sub(gone);
                let after = List { entries, ..List::clone(&stored) };
                commit.replace(&stored, &after)?;
                if !opened.store.commit(commit).await?.is_done() {
                    return Ok(Attempt::Overtaken);
                }
                stored = stored.followed_by(after);
            }
            Ok(Attempt::Done(stored.entries))
        })
        .await
    }

    /// Takes a seat that was removed out of its lists. One that it owned is a colleague's then, or
    /// goes.
    pub(crate) async fn forget_seat(
        &self,
        opened: &OpenGeneration,
        seat: SeatId,
    ) -> Result<(), WorkError> {
        let series = opened.keys.lists_of(seat);
        for marker in opened.store.all(&series).await? {
            let Ok(list) = series.name(&marker).parse::<ListId>() else { continue };
            let is_left = attempts(|| async {
                let Some(before) = opened.store.load(&opened.keys.list(list)).await? else {
                    return Ok(Attempt::Done(false));
                };
                let Some(after) = before.without(seat) else { return Ok(Attempt::Done(false)) };
                let mut commit = Commit::new();
                commit.replace(&before, &after)?;
                Ok::<_, WorkError>(Attempt::of(&opened.store.commit(commit).await?, true))
            });
            if !is_left.await? {
                self.remove_whole(opened, list).await?;
            }
            let mut commit = Commit::new();
            commit.delete(&marker.slot());
            opened.store.commit(commit).await?.may_lose_to("nobody: it has no condition");
        }
        Ok(())
    }

    /// Takes over a list from another home of the product. False if it is here.
    pub(crate) async fn take_over(
        &self,
        opened: &OpenGeneration,
        list: List,
    ) -> Result<bool, WorkError> {
        let mut commit = Commit::new();
        commit.create(&opened.keys.list(list.id), &List { entries: 0, ..list.clone() })?;
        for member in list.members() {
            commit.put(&opened.keys.list_of(member, list.id), &Marker {})?;
        }
        Ok(opened.store.commit(commit).await?.is_done())
    }

    /// Takes over what was in a list that was taken over. False if it is here, or its list is not.
    pub(crate) async fn take_over_entry(
        &self,
        opened: &OpenGeneration,
        entry: ListEntry,
    ) -> Result<bool, WorkError> {
        let slot = opened.keys.list_entry(entry.list, &entry.entity);
        attempts(|| async {
            let list = opened.store.load(&opened.keys.list(entry.list)).await?;
            let Some(list) = list else { return Ok(Attempt::Done(false)) };
            if opened.store.load(&slot).await?.is_some() {
                return Ok(Attempt::Done(false));
            }
            let mut commit = Commit::new();
            commit.create(&slot, &entry)?;
            commit.replace(&list, &List { entries: list.entries + 1, ..List::clone(&list) })?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }

    /// Deletes a list and all that is in it. Whoever adds something meanwhile adds it to nothing.
    async fn remove_whole(&self, opened: &OpenGeneration, list: ListId) -> Result<(), WorkError> {
        attempts(|| async {
            let Some(before) = opened.store.load(&opened.keys.list(list)).await? else {
                return Ok(Attempt::Done(()));
            };
            for entries in opened.store.all(&opened.keys.list_entries(list)).await?.chunks(100) {
                let keys: Vec<_> = entries.iter().map(|entry| entry.slot().into()).collect();
                self.ports.table.delete_many(&keys).await?;
            }
            let mut commit = Commit::new();
            commit.delete_when(&before.slot(), When::unchanged(&before));
            for member in before.members() {
                commit.delete(&opened.keys.list_of(member, list));
            }
            Ok(Attempt::of(&opened.store.commit(commit).await?, ()))
        })
        .await
    }

    /// A commit that gives a list to those of its members who are new to it.
    async fn shared(
        &self,
        opened: &OpenGeneration,
        list: &List,
        known: &BTreeSet<SeatId>,
    ) -> Result<Commit, ListError> {
        if list.collaborators.len() > MOST_COLLABORATORS {
            return Err(ListError::Collaborators);
        }
        let mut commit = Commit::new();
        for member in list.members().difference(known) {
            let series = opened.keys.lists_of(*member);
            let lists = opened.store.page(&series, None, MOST_LISTS).await?;
            if lists.documents.len() == MOST_LISTS {
                return Err(ListError::TooMany(*member));
            }
            commit.put(&opened.keys.list_of(*member, list.id), &Marker {})?;
            let seat = seats::keys::seat(opened.keys.scope().tenant, *member);
            commit.check(&seat, When::exists());
        }
        Ok(commit)
    }

    /// Entities as the directory names them now.
    async fn known(
        &self,
        kind: ListKind,
        entities: &[EntityId],
    ) -> Result<BTreeSet<EntityId>, ListError> {
        let current = self.tenants.read(&directory::keys::directory_current()).await?;
        let current = current.ok_or(LookupError::NotFound("directory"))?;
        let slot = directory::keys::directory_version(current.version);
        let version = self.tenants.read(&slot).await?;
        let version = &version.ok_or(LookupError::NotFound("directory"))?;
        stream::iter(entities.to_vec())
            .map(|entity| async move {
                let found = self.entities.find(version, kind.entities(), &entity).await?;
                found.ok_or(ListError::Unknown(entity))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    fn new_id(&self) -> ListId {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or_default();
        ListId::new(millis, self.ports.entropy.bits())
    }
}

/// A list that a seat owns.
async fn owned(
    opened: &OpenGeneration,
    seat: SeatId,
    list: ListId,
) -> Result<Stored<List>, ListError> {
    let found = open_to(opened, seat, list).await?;
    if found.owner == seat { Ok(found) } else { Err(ListError::NotOwner) }
}

fn usable(name: &str) -> Result<String, ListError> {
    let name = name.trim();
    let is_usable = (1..=LONGEST_NAME).contains(&name.chars().count());
    if is_usable { Ok(name.to_owned()) } else { Err(ListError::Name) }
}

fn at_once(entities: &[EntityId]) -> Result<&[EntityId], ListError> {
    let is_fine = (1..=MOST_AT_ONCE).contains(&entities.len());
    if is_fine { Ok(entities) } else { Err(ListError::AtOnce) }
}
