//! Showing the badges of some entities, by the same few reads whatever the tenant's size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::try_join;
use matching::{Company, EntityKind, Person};

use super::model::{Badge, Body, CrmLink};
use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::directory::keys::{directory_current, directory_version};
use crate::capabilities::directory::{Bodies, BodiesError, DirectoryVersion, Entities};
use crate::capabilities::linking::EntityMatches;
use crate::kernel::{DirectoryVersionId, EntityId, Fields, RecordRef, SObject, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Store, Stored};
use crate::work::{WorkError, boxed};

/// The most badges of one call: as many keys as one batch read takes.
pub const MOST_BADGES: usize = 100;

/// Why badges cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum BadgeError {
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The current directory version keeps no bodies that this release reads.
    #[error(transparent)]
    Directory(BodiesError),
}

impl From<PortError> for BadgeError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for BadgeError {
    fn from(error: WorkError) -> Self {
        match error.source.downcast_ref::<BodiesError>() {
            Some(bodies) if !error.is_retryable() => Self::Directory(*bodies),
            _ => Self::Lookup(error.into()),
        }
    }
}

/// Some badges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadgePage {
    /// The directory version that records were compared with; none before the first.
    pub directory: Option<DirectoryVersionId>,
    /// One for each entity that was asked for, in that order.
    pub badges: Vec<Badge>,
}

/// Shows badges.
#[derive(Clone)]
pub struct Badges {
    store: Store,
    custody: Custody,
    entities: Entities,
    bodies: Bodies,
    /// The directory version that was current last.
    version: Arc<Mutex<Option<DirectoryVersion>>>,
}

/// A person of whom the directory tells what their record does not.
#[derive(Debug)]
pub(crate) struct News {
    /// The person, by the id that was asked for.
    pub(crate) person: EntityId,
    /// The record, and in what it is behind.
    pub(crate) link: CrmLink,
    /// The person as the directory has them.
    pub(crate) body: Person,
    /// The account that a contact belongs to.
    pub(crate) account: Option<RecordRef>,
}

impl News {
    /// True if a contact is in the account that their employer of today is linked to: it is the
    /// account that has an old name.
    pub(crate) fn is_at_home(&self, accounts: &BTreeMap<EntityId, SalesforceId>) -> bool {
        let employer = employer_of(&self.body).and_then(|employer| accounts.get(&employer));
        employer.is_some_and(|id| self.account.is_some_and(|account| account.id == *id))
    }
}

/// The accounts that the employers of contacts are linked to.
pub(crate) async fn employers_accounts(
    opened: &OpenGeneration,
    news: &[News],
) -> Result<BTreeMap<EntityId, SalesforceId>, PortError> {
    let contacts = news.iter().filter(|news| news.link.record.object == SObject::Contact);
    let employers: BTreeSet<EntityId> =
        contacts.filter_map(|news| employer_of(&news.body)).collect();
    let slots = employers.iter().map(|of| opened.keys.entity(EntityKind::Company, of));
    let found = opened.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
    let accounts = found.filter_map(|link| {
        let record = link.matched.filter(|record| record.object == SObject::Account)?;
        Some((link.entity, record.id))
    });
    Ok(accounts.collect())
}

/// Entities, their records, and what the directory tells of them.
struct Look {
    opened: OpenGeneration,
    version: DirectoryVersionId,
    /// The entities' names in this version, in the order in which they were asked for.
    names: Vec<EntityId>,
    records: Records,
    known: Known,
}

/// The records of some entities, by entity, and the fields that are compared.
struct Records {
    of: BTreeMap<EntityId, (RecordRef, bool)>,
    fields: BTreeMap<RecordRef, Fields>,
}

/// The entities as the directory has them.
#[derive(Default)]
struct Known {
    people: BTreeMap<EntityId, Person>,
    /// The companies that were asked for, or the people's employers.
    companies: BTreeMap<EntityId, Company>,
}

impl Badges {
    /// Badges of generations that `custody` opens.
    #[must_use]
    pub fn new(ports: &Ports, custody: Custody) -> Self {
        let entities = Entities::new(ports.clone());
        let bodies = Bodies::new(ports.objects.clone());
        let store = Store::new(ports.clone());
        Self { store, custody, entities, bodies, version: Arc::default() }
    }

    /// The badges of entities of a kind, at most [`MOST_BADGES`]. The table is read four times: for
    /// the connection, the entities, their records, and the accounts of contacts. A process that
    /// has not met the current directory version before reads that too.
    #[must_use]
    #[boxed]
    pub async fn of(
        &self,
        at: TenantEnvironment,
        kind: EntityKind,
        ids: &[EntityId],
    ) -> Result<BadgePage, BadgeError> {
        let Some(look) = self.look(at, kind, ids).await? else {
            let badges = ids.iter().map(|id| Badge { entity: id.clone(), link: None }).collect();
            return Ok(BadgePage { directory: None, badges });
        };
        let badges = ids.iter().zip(&look.names);
        let badges = badges.map(|(id, name)| Badge { entity: id.clone(), link: look.link(name) });
        Ok(BadgePage { directory: Some(look.version), badges: badges.collect() })
    }

    /// What the directory tells of some people and the records that they are linked to do not. The
    /// table is read as for badges.
    pub(crate) async fn news_of(
        &self,
        at: TenantEnvironment,
        people: &[EntityId],
    ) -> Result<Vec<News>, BadgeError> {
        let Some(mut look) = self.look(at, EntityKind::Person, people).await? else {
            return Ok(Vec::new());
        };
        let names = std::mem::take(&mut look.names);
        let news = people.iter().zip(names).filter_map(|(person, name)| {
            let link = look.link(&name)?;
            let fields = look.records.fields.get(&link.record);
            let account = fields.and_then(|fields| account_of(link.record, fields));
            let body = look.known.people.remove(&name)?;
            Some(News { person: person.clone(), link, body, account })
        });
        let is_news = |news: &News| !news.link.outdated.is_empty() || !news.link.missing.is_empty();
        Ok(news.filter(is_news).collect())
    }

    /// Reads what badges are made of; none before the first directory version.
    async fn look(
        &self,
        at: TenantEnvironment,
        kind: EntityKind,
        ids: &[EntityId],
    ) -> Result<Option<Look>, BadgeError> {
        let (opened, current) = self.custody.shown_beside(at, &directory_current()).await?;
        let version = match current {
            Some(current) => self.version(current.version).await?,
            None => None,
        };
        let Some(version) = version else { return Ok(None) };
        let mut names = Vec::with_capacity(ids.len());
        for id in ids {
            names.push(self.entities.name(&version, id).await?);
        }
        let links = links(&opened, kind, &names).await?;
        let linked: Vec<EntityId> = links.keys().cloned().collect();
        let records = async { Ok(self.records(&opened, links).await?) };
        let (records, known) = try_join(records, self.known(&version, kind, &linked)).await?;
        Ok(Some(Look { opened, version: version.id, names, records, known }))
    }

    /// A version. It does not change once it is current, so it is read once.
    async fn version(&self, id: DirectoryVersionId) -> Result<Option<DirectoryVersion>, PortError> {
        let known = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.id == id) {
            return Ok(Some(known));
        }
        let read = self.store.read(&directory_version(id)).await?;
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&read);
        Ok(read)
    }

    /// The linked records' fields, and those of the accounts that contacts belong to.
    async fn records(
        &self,
        opened: &OpenGeneration,
        of: BTreeMap<EntityId, (RecordRef, bool)>,
    ) -> Result<Records, PortError> {
        let linked = of.values().map(|(record, _)| *record).collect();
        let mut fields = opened.records.fields_of(linked).await?;
        let accounts: BTreeSet<RecordRef> =
            fields.iter().filter_map(|(record, fields)| account_of(*record, fields)).collect();
        fields.extend(opened.records.fields_of(accounts).await?);
        Ok(Records { of, fields })
    }

    async fn known(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        ids: &[EntityId],
    ) -> Result<Known, BadgeError> {
        if kind == EntityKind::Company {
            let companies = self.bodies.get_many(version, ids).await?;
            return Ok(Known { companies, ..Known::default() });
        }
        let people = self.bodies.get_many::<Person>(version, ids).await?;
        let employers: BTreeSet<EntityId> = people.values().filter_map(employer_of).collect();
        let employers: Vec<EntityId> = employers.into_iter().collect();
        let companies = self.bodies.get_many(version, &employers).await?;
        Ok(Known { people, companies })
    }
}

/// The records that entities are linked to, and whether a person linked them.
async fn links(
    opened: &OpenGeneration,
    kind: EntityKind,
    names: &[EntityId],
) -> Result<BTreeMap<EntityId, (RecordRef, bool)>, PortError> {
    let unique: BTreeSet<&EntityId> = names.iter().collect();
    let slots = unique.into_iter().map(|name| opened.keys.entity(kind, name));
    let found = opened.store.load_many(slots).await?;
    let linked = found.into_iter().map(Stored::into_inner).filter_map(|matches: EntityMatches| {
        let record = matches.matched?;
        let by_person = matches.bids.iter().any(|bid| bid.record == record && bid.always);
        Some((matches.entity, (record, by_person)))
    });
    Ok(linked.collect())
}

/// The account that a contact belongs to.
fn account_of(record: RecordRef, fields: &Fields) -> Option<RecordRef> {
    let id = fields.reference("AccountId").filter(|_| record.object == SObject::Contact)?;
    Some(RecordRef { object: SObject::Account, id })
}

/// The company that a person works for, where the directory knows it.
pub(crate) fn employer_of(person: &Person) -> Option<EntityId> {
    person.company.as_ref()?.company_id.as_ref()?.parse().ok()
}

impl Look {
    /// The link of an entity; none when it has none, or when its record is gone from the org and
    /// settling has not met that yet.
    fn link(&self, name: &EntityId) -> Option<CrmLink> {
        let Self { opened, records, known, .. } = self;
        let (record, by_person) = *records.of.get(name)?;
        let fields = records.fields.get(&record)?;
        let account = account_of(record, fields).and_then(|account| records.fields.get(&account));
        let employer = |person| known.companies.get(&employer_of(person)?);
        let person = known.people.get(name).map(|person| Body::Person(person, employer(person)));
        // An entity that the directory gave up contradicts nothing.
        let body = person.or_else(|| known.companies.get(name).map(Body::Company));
        let judged = body.map(|body| body.judge(record, fields, account));
        let (outdated, missing) = judged.unwrap_or_default();
        let url = opened.connection.record_url(record.id);
        Some(CrmLink { record, url, by_person, outdated, missing })
    }
}
