//! What people say about matches: taken in here, settled by [`super::settle::Settle`].

use crate::capabilities::directory::{DirectoryVersion, Entities};
use crate::capabilities::linking::{CandidateList, Correcting, Correction, Said, entity_kind_of};
use crate::kernel::{MatchMessage, SObject, Scope, SeatId};
use crate::ports::{Condition, Ports};
use crate::store::{self, Next, Outbox};
use crate::work::WorkError;
use matching::EntityKind;
use serde_json::json;

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::linking::match_runs::MatchRuns;

/// How often a lost race for a record is run again.
const RACES: usize = 5;

/// Why something cannot be said about a record.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// The generation is gone.
    #[error("there is no connection")]
    NotConnected,
    /// The object is not matched.
    #[error("only accounts, contacts and leads are matched")]
    NotMatched,
    /// The record was never matched, or is gone.
    #[error("there is no such record")]
    NoRecord,
    /// The directory does not have the entity.
    #[error("the directory has no {0} of this id; publish it first")]
    NoEntity(&'static str),
    /// There is no match to refuse.
    #[error("the record is not matched; name the entity that it is not")]
    NothingToUnmatch,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<crate::ports::PortError> for CorrectionError {
    fn from(error: crate::ports::PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Takes in what people say about matches.
#[derive(Clone)]
pub struct Corrections {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    entities: Entities,
    outbox: Outbox,
}

impl Corrections {
    /// Corrections over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let (entities, outbox) = (Entities::new(ports.clone()), Outbox::new(ports.clone()));
        Self { ports, custody, runs, entities, outbox }
    }

    /// What was said about a record.
    pub async fn get(
        &self,
        scope: Scope,
        object: SObject,
        record: &str,
    ) -> Result<Correction, CorrectionError> {
        let opened = self.custody.open(scope).await?.ok_or(CorrectionError::NotConnected)?;
        let found = store::get(&*self.ports.table, &opened.keys.correction(object, record)).await?;
        Ok(found.unwrap_or_else(|| Correction::none(object, record.to_owned())))
    }

    /// Takes in what somebody says about a record, and has it settled. It holds from then on,
    /// whatever the engine finds.
    pub async fn say(
        &self,
        scope: Scope,
        object: SObject,
        record: &str,
        what: Correcting,
        by: Option<SeatId>,
    ) -> Result<Correction, CorrectionError> {
        let kind = entity_kind_of(object).ok_or(CorrectionError::NotMatched)?;
        let opened = self.custody.open(scope).await?.ok_or(CorrectionError::NotConnected)?;
        let table = &*self.ports.table;
        let list: Option<CandidateList> =
            store::get(table, &opened.keys.candidates(object, record)).await?;
        let list = list.filter(|list| !list.gone).ok_or(CorrectionError::NoRecord)?;
        self.check(&opened, kind, &list, &what).await?;
        let key = opened.keys.correction(object, record);
        let record = record.to_owned();
        for _ in 0..RACES {
            let stored: Option<Correction> = store::get(table, &key).await?;
            let unmoved = match &stored {
                None => Condition::Absent,
                Some(stored) => Condition::Eq("number", json!(stored.number)),
            };
            let mut said = stored.unwrap_or_else(|| Correction::none(object, record.clone()));
            let at = self.ports.clock.now();
            said.say(Said { what: what.clone(), by, at, of: None }, list.matched.as_deref());
            let write = store::put(key.clone(), &said, unmoved)?;
            let next = MatchMessage::Correct { scope, object, record: record.clone() };
            if self.outbox.commit(vec![write], vec![Next::now(next)]).await?.is_done() {
                return Ok(said);
            }
        }
        Err(WorkError::retry("correct a match", "too many others correct the same").into())
    }

    /// A slip of the pen is told at once: a match to nobody would never be seen.
    async fn check(
        &self,
        opened: &OpenGeneration,
        kind: EntityKind,
        list: &CandidateList,
        what: &Correcting,
    ) -> Result<(), CorrectionError> {
        match what {
            Correcting::Match { entity_id } | Correcting::WrongMatch { entity_id } => {
                let version: Option<DirectoryVersion> = self.runs.current_directory().await?;
                let found = match &version {
                    Some(version) => self.entities.find(version, kind, entity_id).await?,
                    None => None,
                };
                let name = crate::kernel::entity_kind_name(kind);
                found.map(drop).ok_or(CorrectionError::NoEntity(name))
            }
            Correcting::Unmatch { entity_id: None } if list.matched.is_none() => {
                Err(CorrectionError::NothingToUnmatch)
            }
            Correcting::Unmatch { .. } | Correcting::Reset => Ok(()),
        }
        .inspect(|()| tracing::info!(connection.id = %opened.keys.scope(), "a match is corrected"))
    }
}
