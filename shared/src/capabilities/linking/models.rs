//! The models that generations match with: the shipped one, or one tuned by the tenant's own
//! corrections.
//!
//! A tuned model learns from its tenant's corrections alone, and is held to the shipped one. It
//! runs in the shadow of the model in use before it can be taken. It is sealed, and goes with its
//! generation.

mod take_over;
mod tuning;

use std::sync::{Arc, Mutex, PoisonError};

use matching::{EmployerEvidence, Evidence, ExplainedComparison, MatchModel, Thresholds};
use serde::Serialize;

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::linking::keys::model_object;
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::{CandidateList, ModelChoice, ModelState, TunedModel};
use crate::kernel::{Asked, EntityId, MatchMessage, MatchRunId, MatchTrigger, ModelId, Scope};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Store, Stored, attempts};
use crate::work::{WorkError, boxed};

/// How many tuned models a sandbox keeps unsealed.
const KEPT_MODELS: usize = 16;

/// The reason why a model cannot be made or taken.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The generation is gone.
    #[error("there is no connection")]
    NotConnected,
    /// There is no directory version to match to.
    #[error("no directory version is published yet")]
    NoDirectory,
    /// There is no such model.
    #[error("there is no such model")]
    NotFound,
    /// Its shadow run is not over, or there were too few corrections.
    #[error("the model cannot be taken before it has run in the shadow of the one in use")]
    NotReady,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for ModelError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// A record's candidate, with the evidence for and against it.
#[derive(Debug, Serialize)]
pub struct ExplainedCandidate {
    /// The entity.
    pub entity_id: EntityId,
    /// The evidence in bits.
    pub weight: f64,
    /// How likely it is, given all candidates and "none".
    pub probability: f64,
    /// How the record's employer stands to the entity's positions.
    pub employer: EmployerEvidence,
    /// The evidence in words, the strongest first.
    pub words: String,
    /// Every comparison at its level.
    pub comparisons: Vec<WeighedComparison>,
}

/// The result of one comparison of a candidate.
#[derive(Debug, Serialize)]
pub struct WeighedComparison {
    /// The comparison.
    pub name: String,
    /// The level it is at; `null` where a value is missing.
    pub level: String,
    /// True if the values agree exactly: the product shows these in bold.
    pub exact: bool,
    /// The evidence that it adds, in bits.
    pub weight: f64,
}

impl From<ExplainedComparison> for WeighedComparison {
    fn from(explained: ExplainedComparison) -> Self {
        let ExplainedComparison { name, level, exact, weight, .. } = explained;
        Self { name, level, exact, weight }
    }
}

type KeptModels = Arc<Mutex<Vec<(ModelId, Arc<MatchModel>)>>>;

/// Makes, tries and takes models.
#[derive(Clone)]
pub struct Models {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    store: Store,
    audit: AuditLog,
    shipped: Arc<MatchModel>,
    /// The tuned models that were used last, the latest last.
    kept: KeptModels,
}

impl Models {
    /// Models beside the one that ships.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, shipped: Arc<MatchModel>) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, custody, runs, store, audit, shipped, kept: Arc::default() }
    }

    /// The thresholds of matches and reviews: the shipped model's, whatever the weights.
    pub(super) fn thresholds(&self) -> Thresholds {
        self.shipped.thresholds
    }

    /// The model of a choice.
    pub(super) async fn chosen(
        &self,
        generation: &OpenGeneration,
        choice: ModelChoice,
    ) -> Result<Arc<MatchModel>, WorkError> {
        let Some(id) = choice.model else { return Ok(self.shipped.clone()) };
        if let Some((_, model)) = self.kept().iter().find(|(kept, _)| *kept == id) {
            return Ok(model.clone());
        }
        let key = model_object(generation.keys.scope(), id);
        let Some(plain) = generation.get_object(&self.ports, &key).await? else {
            return Err(WorkError::reject("open a model", "the model is gone"));
        };
        let text = String::from_utf8_lossy(&plain);
        let model = MatchModel::from_json(&text).map_or_else(
            |error| {
                // Made for an engine with other comparisons: matching goes on without it.
                tracing::warn!(model.id = %id, error = %error, "matching by the shipped model");
                self.shipped.clone()
            },
            Arc::new,
        );
        let mut kept = self.kept();
        let surplus = (kept.len() + 1).saturating_sub(KEPT_MODELS);
        kept.drain(..surplus);
        kept.push((id, model.clone()));
        Ok(model)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(ModelId, Arc<MatchModel>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record's candidates, explained by the model that weighed them. A candidate of an older
    /// engine has no comparisons, only its weight.
    #[must_use]
    #[boxed]
    pub async fn explain(
        &self,
        scope: Scope,
        list: &CandidateList,
    ) -> Result<Vec<ExplainedCandidate>, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let model = self.chosen(&generation, list.model).await?;
        let explained = list.candidates.iter().map(|kept| {
            let evidence: Option<Evidence> = kept.evidence.parse().ok();
            let comparisons = evidence.map(|e| e.explain(&model)).unwrap_or_default();
            ExplainedCandidate {
                entity_id: kept.entity.clone(),
                weight: kept.weight,
                probability: kept.probability,
                employer: kept.employer,
                words: evidence.map(|e| e.words(&model)).unwrap_or_default(),
                comparisons: comparisons.into_iter().map(WeighedComparison::from).collect(),
            }
        });
        Ok(explained.collect())
    }

    /// Has a model made of the corrections there are, and run in the shadow of the one in use. Who
    /// asks again before the first is begun is told of that one.
    #[must_use]
    #[boxed]
    pub async fn tune(&self, scope: Scope) -> Result<TunedModel, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let pins = self.runs.pins(&generation).await?.ok_or(ModelError::NoDirectory)?;
        let asked_slot = generation.keys.asked_model();
        attempts(|| async {
            let now = self.ports.clock.now();
            let before = self.store.load(&asked_slot).await?;
            if let Some(asked) = before.as_ref().filter(|asked| asked.is_awaited(now)) {
                let made = self.store.read(&generation.keys.model(asked.work)).await?;
                let unbegun = |model: &TunedModel| {
                    let is_first = model.state == ModelState::Training && model.step == 0;
                    is_first && model.beside == pins.model
                };
                if let Some(model) = made.filter(unbegun) {
                    return Ok(Attempt::Done(model));
                }
            }
            let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
            let id = ModelId::new(millis, self.ports.entropy.bits());
            let model = TunedModel::begin(id, pins.model, now);
            let mut commit = Commit::new();
            commit.create(&generation.keys.model(id), &model)?;
            commit.save(&asked_slot, before.as_ref(), &Asked { work: id, asked_at: now })?;
            commit.now(MatchMessage::TuneModel { scope, model: id, step: 0 });
            Ok(Attempt::of(&self.store.commit(commit).await?, model))
        })
        .await
    }

    /// The generation's own models, the oldest first.
    #[must_use]
    #[boxed]
    pub async fn list(&self, scope: Scope) -> Result<Vec<TunedModel>, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let models = self.store.all(&generation.keys.models()).await?;
        Ok(models.into_iter().map(Stored::into_inner).collect())
    }

    /// One of them.
    #[must_use]
    #[boxed]
    pub async fn get(&self, scope: Scope, id: ModelId) -> Result<TunedModel, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let found = self.store.read(&generation.keys.model(id)).await?;
        found.ok_or(ModelError::NotFound)
    }

    /// The model that the generation matches with.
    #[must_use]
    #[boxed]
    pub async fn choice(&self, scope: Scope) -> Result<ModelChoice, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        Ok(self.runs.model_choice(&generation).await?)
    }

    /// Takes a model of the tenant's own, or with none the shipped one again, and has everything
    /// matched by it.
    #[must_use]
    #[boxed]
    pub async fn choose(
        &self,
        scope: Scope,
        model: Option<ModelId>,
        by: &Actor,
    ) -> Result<ModelChoice, ModelError> {
        let generation = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        if let Some(id) = model {
            let found = self.store.read(&generation.keys.model(id)).await?;
            if found.ok_or(ModelError::NotFound)?.state != ModelState::Ready {
                return Err(ModelError::NotReady);
            }
        }
        let slot = generation.keys.model_choice();
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let now = before.as_deref().copied().unwrap_or_default();
            if now.model == model {
                return Ok(Attempt::Done(now));
            }
            let choice = ModelChoice { number: now.number + 1, model };
            let run = MatchRunId::derived(&format!("{scope}|model|{}", choice.number));
            let trigger = MatchTrigger::Model;
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &choice)?;
            commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
            let chosen = model.map_or_else(|| "shipped".to_owned(), |model| model.to_string());
            let deed = Deed::of(Action::ModelChosen, scope).named(chosen);
            let done = self.audit.commit(commit, scope.tenant, by, &deed).await?;
            Ok(Attempt::of(&done, choice))
        })
        .await
    }
}
