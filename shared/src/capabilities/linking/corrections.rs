//! People's corrections of matches. They are recorded here, and [`super::settle::Settle`] settles
//! them.

use matching::EntityKind;

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::Entities;
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::{CandidateList, Correcting, Correction, Said, entity_kind_of};
use crate::kernel::{Author, MatchMessage, RecordRef, SObject, Scope, entity_kind_name};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, attempts};
use crate::work::{WorkError, boxed};

/// The reason why a match cannot be corrected.
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

impl From<PortError> for CorrectionError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Records people's corrections of matches.
#[derive(Clone)]
pub struct Corrections {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    entities: Entities,
    audit: AuditLog,
}

impl Corrections {
    /// Corrections over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let entities = Entities::new(ports.clone());
        let audit = AuditLog::new(ports.clone());
        Self { ports, custody, runs, entities, audit }
    }

    /// The corrections of a record.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        scope: Scope,
        object: SObject,
        record: SalesforceId,
    ) -> Result<Correction, CorrectionError> {
        let generation = self.custody.open(scope).await?.ok_or(CorrectionError::NotConnected)?;
        let found = generation.store.read(&generation.keys.correction(object, record)).await?;
        Ok(found.unwrap_or_else(|| Correction::none(object, record)))
    }

    /// Records a correction of a record's match, and has it settled. It holds from then on,
    /// whatever the engine finds.
    #[must_use]
    #[boxed]
    pub async fn say(
        &self,
        scope: Scope,
        object: SObject,
        record: SalesforceId,
        what: Correcting,
        by: &Author,
    ) -> Result<Correction, CorrectionError> {
        let kind = entity_kind_of(object).ok_or(CorrectionError::NotMatched)?;
        let generation = self.custody.open(scope).await?.ok_or(CorrectionError::NotConnected)?;
        let list = generation.store.read(&generation.keys.candidates(object, record)).await?;
        let list = list.filter(|list| !list.gone).ok_or(CorrectionError::NoRecord)?;
        self.check(&generation, kind, &list, &what).await?;
        let slot = generation.keys.correction(object, record);
        let deed = correcting(&generation, object, record, &what);
        attempts(|| async {
            let before = generation.store.load(&slot).await?;
            let none = || Correction::none(object, record);
            let mut correction = before.as_deref().cloned().unwrap_or_else(none);
            let at = self.ports.clock.now();
            let said = Said { what: what.clone(), by: by.seat(), at, of: None };
            correction.say(said, list.matched.as_ref());
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &correction)?;
            generation.check_at_home(&mut commit)?;
            commit.now(MatchMessage::Correct { scope, object, record });
            let done = self
                .audit
                .through(&generation.store)
                .commit(commit, scope.tenant, &Actor::from(by), &deed)
                .await?;
            Ok(Attempt::of(&done, correction))
        })
        .await
    }

    /// Takes over the corrections that people made in another home of the product, and has them
    /// settled. They may come before their record does. False when they are known here.
    pub(crate) async fn take_over(
        &self,
        generation: &OpenGeneration,
        moved: Correction,
    ) -> Result<bool, WorkError> {
        let awaited = CandidateList::awaited(moved.object, moved.id);
        self.join(generation, moved, Some(&awaited)).await
    }

    /// Says of a record that a seller has just created, or deleted again, whom it is about, and has
    /// that settled: no run has ranked candidates of it. Said twice, it is said once.
    pub(crate) async fn say_of_new(
        &self,
        generation: &OpenGeneration,
        record: RecordRef,
        said: Said,
    ) -> Result<(), WorkError> {
        let mut correction = Correction::none(record.object, record.id);
        correction.say(said, None);
        self.join(generation, correction, None).await.map(drop)
    }

    /// Joins corrections to those that are known, and has them settled; a record without candidates
    /// gets the list `unranked`, if one is given. False when they are known already.
    async fn join(
        &self,
        generation: &OpenGeneration,
        other: Correction,
        unranked: Option<&CandidateList>,
    ) -> Result<bool, WorkError> {
        let (object, record) = (other.object, other.id);
        let slot = generation.keys.correction(object, record);
        let list = generation.keys.candidates(object, record);
        attempts(|| async {
            let before = generation.store.load(&slot).await?;
            let joined = before.as_ref().map_or_else(|| other.clone(), |b| b.joined(&other));
            if before.as_deref() == Some(&joined) {
                return Ok(Attempt::Done(false));
            }
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &joined)?;
            if let Some(unranked) = unranked
                && generation.store.load(&list).await?.is_none()
            {
                commit.create(&list, unranked)?;
            }
            let scope = generation.keys.scope();
            commit.now(MatchMessage::Correct { scope, object, record });
            Ok(Attempt::of(&generation.store.commit(commit).await?, true))
        })
        .await
    }

    /// Refuses a slip of the pen at once: nobody would ever see a match to nobody.
    async fn check(
        &self,
        generation: &OpenGeneration,
        kind: EntityKind,
        list: &CandidateList,
        what: &Correcting,
    ) -> Result<(), CorrectionError> {
        match what {
            Correcting::Match { entity_id } | Correcting::WrongMatch { entity_id } => {
                let found = match &self.runs.current_directory().await? {
                    Some(version) => self.entities.find(version, kind, entity_id).await?,
                    None => None,
                };
                found.map(drop).ok_or(CorrectionError::NoEntity(entity_kind_name(kind)))
            }
            Correcting::Unmatch { entity_id: None } if list.matched.is_none() => {
                Err(CorrectionError::NothingToUnmatch)
            }
            Correcting::Unmatch { .. } | Correcting::Reset => Ok(()),
        }
        .inspect(
            |()| tracing::info!(connection.id = %generation.keys.scope(), "a match is corrected"),
        )
    }
}

/// The deed of a correction. Who is matched to whom must not outlive a purge, so the record has a
/// name that tells nothing without the generation's data key, and the entity has none.
fn correcting(
    generation: &OpenGeneration,
    object: SObject,
    record: SalesforceId,
    what: &Correcting,
) -> Deed {
    let action = match what {
        Correcting::Match { .. } => "match",
        Correcting::Unmatch { .. } => "unmatch",
        Correcting::WrongMatch { .. } => "wrong_match",
        Correcting::Reset => "reset",
    };
    Deed::of(Action::MatchCorrected, generation.keys.scope())
        .record(object, generation.sealer.name(record.as_str()))
        .detail("correction", action)
}
