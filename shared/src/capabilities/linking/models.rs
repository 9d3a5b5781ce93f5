//! The models that generations match with: the shipped one, or one tuned by the tenant's own
//! corrections.
//!
//! A tuned model is made of its tenant's corrections alone, held to the shipped one; it runs in the
//! shadow of the model in use before it can be taken; it is sealed, and gone with its generation.

mod tuning;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use matching::{EmployerEvidence, Evidence, ExplainedComparison, MatchModel, Thresholds};
use serde::Serialize;
use serde_json::json;

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::{CandidateList, ModelChoice, ModelState, TunedModel};
use crate::kernel::{MatchMessage, MatchRunId, MatchTrigger, ModelId, Scope};
use crate::ports::{Condition, Ports};
use crate::store::{self, Next, Outbox};
use crate::work::WorkError;

/// How many tuned models a sandbox holds opened.
const HELD: usize = 16;

/// How often a lost race for the choice is run again.
const RACES: usize = 5;

/// Why a model cannot be made or taken.
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

impl From<crate::ports::PortError> for ModelError {
    fn from(error: crate::ports::PortError) -> Self {
        Self::Work(error.into())
    }
}

/// A record's candidate, and what speaks for and against it.
#[derive(Debug, Serialize)]
pub struct ExplainedCandidate {
    /// The entity.
    pub entity_id: String,
    /// The evidence in bits.
    pub weight: f64,
    /// How likely it is, given all candidates and "none".
    pub probability: f64,
    /// How the record's employer stands to the entity's positions.
    pub employer: EmployerEvidence,
    /// What speaks for and against it in words, the strongest first.
    pub words: String,
    /// Every comparison at its level.
    pub comparisons: Vec<WeighedComparison>,
}

/// What one comparison of a candidate came to.
#[derive(Debug, Serialize)]
pub struct WeighedComparison {
    /// The comparison.
    pub name: String,
    /// The level it is at; `null` where a value is missing.
    pub level: String,
    /// Whether the values agree exactly: what the product shows in bold.
    pub exact: bool,
    /// What it adds, in bits.
    pub weight: f64,
}

impl From<ExplainedComparison> for WeighedComparison {
    fn from(explained: ExplainedComparison) -> Self {
        let ExplainedComparison { name, level, exact, weight, .. } = explained;
        Self { name, level, exact, weight }
    }
}

type Held = Arc<Mutex<Vec<(ModelId, Arc<MatchModel>)>>>;

/// Makes, tries and takes models.
#[derive(Clone)]
pub struct Models {
    ports: Ports,
    custody: Custody,
    runs: MatchRuns,
    outbox: Outbox,
    shipped: Arc<MatchModel>,
    /// The tuned models that were used last, the latest last.
    held: Held,
}

impl Models {
    /// Models beside the one that ships.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, shipped: Arc<MatchModel>) -> Self {
        let runs = MatchRuns::new(ports.clone(), custody.clone());
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, runs, outbox, shipped, held: Arc::default() }
    }

    /// Where matches and reviews begin: by the shipped model, whatever the weights.
    pub(super) fn thresholds(&self) -> Thresholds {
        self.shipped.thresholds
    }

    /// The model of a choice.
    pub(super) async fn chosen(
        &self,
        opened: &OpenGeneration,
        choice: ModelChoice,
    ) -> Result<Arc<MatchModel>, WorkError> {
        let Some(id) = choice.model else { return Ok(self.shipped.clone()) };
        if let Some((_, model)) = self.held().iter().find(|(held, _)| *held == id) {
            return Ok(model.clone());
        }
        let key = model_object(opened.keys.scope(), id);
        let Some(plain) = opened.get_object(&self.ports, &key).await? else {
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
        let mut held = self.held();
        let surplus = (held.len() + 1).saturating_sub(HELD);
        held.drain(..surplus);
        held.push((id, model.clone()));
        Ok(model)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(ModelId, Arc<MatchModel>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record's candidates, explained by the model that weighed them. Of a candidate that was kept
    /// by an older engine there is nothing to tell but its weight.
    pub async fn explain(
        &self,
        scope: Scope,
        list: &CandidateList,
    ) -> Result<Vec<ExplainedCandidate>, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let model = self.chosen(&opened, list.model).await?;
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

    /// Has a model made of the corrections there are, and run in the shadow of the one in use.
    pub async fn tune(&self, scope: Scope) -> Result<TunedModel, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let pins = self.runs.pins(&opened).await?.ok_or(ModelError::NoDirectory)?;
        let now = self.ports.clock.now();
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let id = ModelId::new(millis, self.ports.entropy.bits());
        let model = TunedModel {
            id,
            state: ModelState::Training,
            beside: pins.model,
            step: 0,
            labels: BTreeMap::new(),
            cursor: (0, 0, None),
            shadow: BTreeMap::new(),
            created_at: now,
            finished_at: None,
        };
        let write = store::put(opened.keys.model(id), &model, Condition::Absent)?;
        let next = Next::now(MatchMessage::TuneModel { scope, model: id, step: 0 });
        let _ = self.outbox.commit(vec![write], vec![next]).await?;
        Ok(model)
    }

    /// The generation's own models, the oldest first.
    pub async fn list(&self, scope: Scope) -> Result<Vec<TunedModel>, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        Ok(store::query_all(&*self.ports.table, &opened.keys.models()).await?)
    }

    /// One of them.
    pub async fn get(&self, scope: Scope, id: ModelId) -> Result<TunedModel, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        let found = store::get(&*self.ports.table, &opened.keys.model(id)).await?;
        found.ok_or(ModelError::NotFound)
    }

    /// The model that the generation matches with.
    pub async fn choice(&self, scope: Scope) -> Result<ModelChoice, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        Ok(self.runs.model_choice(&opened).await?)
    }

    /// Takes a model of the tenant's own, or with none the shipped one again, and has everything
    /// matched by it.
    pub async fn choose(
        &self,
        scope: Scope,
        model: Option<ModelId>,
    ) -> Result<ModelChoice, ModelError> {
        let opened = self.custody.open(scope).await?.ok_or(ModelError::NotConnected)?;
        if let Some(id) = model {
            let found: Option<TunedModel> =
                store::get(&*self.ports.table, &opened.keys.model(id)).await?;
            if found.ok_or(ModelError::NotFound)?.state != ModelState::Ready {
                return Err(ModelError::NotReady);
            }
        }
        for _ in 0..RACES {
            let before = self.runs.model_choice(&opened).await?;
            if before.model == model {
                return Ok(before);
            }
            let choice = ModelChoice { number: before.number + 1, model };
            let unmoved = match before.number {
                0 => Condition::Absent,
                number => Condition::Eq("number", json!(number)),
            };
            let write = store::put(opened.keys.model_choice(), &choice, unmoved)?;
            let run = MatchRunId::derived(&format!("{scope}|model|{}", choice.number));
            let trigger = MatchTrigger::Model;
            let next = Next::now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
            if self.outbox.commit(vec![write], vec![next]).await?.is_done() {
                return Ok(choice);
            }
        }
        Err(WorkError::retry("choose a model", "too many others choose at once").into())
    }
}

/// Where a tuned model lies, sealed.
pub(crate) fn model_object(scope: Scope, model: ModelId) -> String {
    format!("{}models/{model}", scope.object_prefix())
}
