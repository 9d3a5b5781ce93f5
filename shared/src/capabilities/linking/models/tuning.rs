//! Tuning: a model is trained on corrections, then weighs every record's evidence in the shadow of
//! the model in use, some records a step.
//!
//! Both work on the evidence that is kept beside each candidate: no shard and no record is read, so
//! that the result is the same for any number of shards.

use std::collections::BTreeMap;

use matching::{
    Candidate, EntityKind, Evidence, KindModel, MatchModel, Provenance, Refinement, TrainingSet,
    posterior,
};
use serde_json::json;

use super::{Models, model_object};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::DirectoryVersion;
use crate::capabilities::linking::{
    CandidateList, Correction, MATCHED_OBJECTS, ModelChoice, ModelState, Ruling, SHADOW_EXAMPLES,
    ShadowCounts, TunedModel, entity_kind_of,
};
use crate::kernel::{MatchMessage, ModelId, SObject, Scope};
use crate::ports::Condition;
use crate::store::{self, Next};
use crate::work::{Done, WorkError};

/// Fewer corrected records of a kind than this teach nothing: what few people said in a few cases
/// says little of the rest.
const LEAST_LABELS: usize = 20;

/// More than this many corrected records of a kind add nothing that is worth the time.
const MOST_LABELS: usize = 5_000;

/// How strongly a tenant's weights are held to the shipped ones. With this, twenty corrections that
/// all pull at one weight move it by about one and a half bits.
const TENANT: Refinement = Refinement { hold: 10.0, steps: 400 };

/// Lists read at once.
const PAGE: usize = 500;

/// Pages that one step of a shadow run weighs.
const PAGES_PER_STEP: usize = 8;

/// The two models of a shadow run, and the size of the directory they weigh in.
struct Shadow<'a> {
    old: &'a MatchModel,
    new: &'a MatchModel,
    directory: &'a DirectoryVersion,
}

impl Models {
    /// Takes the next step of making a model.
    pub async fn step(&self, scope: Scope, id: ModelId, step: u64) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let key = opened.keys.model(id);
        let stored: Option<TunedModel> = store::get(&*self.ports.table, &key).await?;
        let Some(mut tuned) = stored.filter(|tuned| tuned.step == step) else {
            return Ok(Done::Finished);
        };
        let Some(pins) = self.runs.pins(&opened).await? else { return Ok(Done::Finished) };
        match tuned.state {
            ModelState::Training => self.train(&opened, &pins.directory, &mut tuned).await?,
            ModelState::Shadow => self.shade(&opened, &pins.directory, &mut tuned).await?,
            ModelState::Ready | ModelState::TooFewLabels => return Ok(Done::Finished),
        }
        tuned.step += 1;
        let mut next = Vec::new();
        if tuned.state == ModelState::Shadow {
            let step = tuned.step;
            next.push(Next::now(MatchMessage::TuneModel { scope, model: id, step }));
        } else {
            tuned.finished_at = Some(self.ports.clock.now());
        }
        let same = Condition::Eq("step", json!(step));
        let write = store::put(key, &tuned, same)?;
        let _ = self.outbox.commit(vec![write], next).await?;
        Ok(Done::Finished)
    }

    /// Trains on what people said, each kind by itself, always from the shipped model: what was
    /// tuned before does not drift further.
    async fn train(
        &self,
        opened: &OpenGeneration,
        directory: &DirectoryVersion,
        tuned: &mut TunedModel,
    ) -> Result<(), WorkError> {
        let mut sets = BTreeMap::new();
        for object in MATCHED_OBJECTS {
            let Some(kind) = entity_kind_of(object) else { continue };
            let set = sets
                .entry(kind)
                .or_insert_with(|| TrainingSet::of_evidence(kind, entities(directory, kind)));
            let learnt = self.learn(opened, object, set).await?;
            tuned.labels.insert(object, learnt);
        }
        sets.retain(|_, set| set.len() >= LEAST_LABELS);
        if sets.is_empty() {
            tuned.state = ModelState::TooFewLabels;
            return Ok(());
        }
        let mut model = (*self.shipped).clone();
        for (kind, set) in &sets {
            let refined = set.refine(self.shipped.kind(*kind), TENANT);
            *kind_model(&mut model, *kind) = refined;
        }
        model.version = tuned.id.to_string();
        model.provenance = Provenance {
            trained_on: "the corrections of one tenant".to_owned(),
            method: format!("{} refined by labels, held to it", self.shipped.version),
            measured: String::new(),
        };
        let key = model_object(opened.keys.scope(), tuned.id);
        let json = model.to_json().map_err(|error| WorkError::reject("write a model", error))?;
        opened.put_object(&self.ports, &key, json.as_bytes()).await?;
        tuned.state = ModelState::Shadow;
        Ok(())
    }

    /// Adds the corrected records of an object to a set; says how many teach something.
    async fn learn(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        set: &mut TrainingSet,
    ) -> Result<u64, WorkError> {
        let (keys, table) = (opened.keys, &*self.ports.table);
        let before = set.len();
        for bucket in 0..keys.buckets() {
            let mut after = None;
            while set.len() < MOST_LABELS {
                let (said, next) = store::query::<Correction>(
                    table,
                    &keys.corrections(object, bucket),
                    after.as_deref(),
                    PAGE,
                )
                .await?;
                let ruled: Vec<_> = said
                    .iter()
                    .filter(|said| said.ruling != Ruling::default())
                    .map(|said| keys.candidates(object, &said.id))
                    .collect();
                let lists: Vec<CandidateList> = store::get_many(table, &ruled).await?;
                for (candidates, truth) in lists.iter().filter_map(label) {
                    set.add_evidence(&candidates, truth);
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok((set.len() - before) as u64)
    }

    /// Weighs the next records with both models.
    async fn shade(
        &self,
        opened: &OpenGeneration,
        directory: &DirectoryVersion,
        tuned: &mut TunedModel,
    ) -> Result<(), WorkError> {
        let old = self.chosen(opened, tuned.beside).await?;
        let choice = ModelChoice { model: Some(tuned.id), ..tuned.beside };
        let new = self.chosen(opened, choice).await?;
        let shadow = Shadow { old: &old, new: &new, directory };
        for _ in 0..PAGES_PER_STEP {
            let (at, bucket, after) = tuned.cursor.clone();
            let Some(&object) = MATCHED_OBJECTS.get(at) else {
                tuned.state = ModelState::Ready;
                return Ok(());
            };
            let place = opened.keys.all_candidates(object, bucket);
            let (lists, next) =
                store::query::<CandidateList>(&*self.ports.table, &place, after.as_deref(), PAGE)
                    .await?;
            let counts = tuned.shadow.entry(object).or_default();
            for list in &lists {
                shadow.count(list, counts);
            }
            tuned.cursor = match next {
                Some(next) => (at, bucket, Some(next)),
                None if bucket + 1 < opened.keys.buckets() => (at, bucket + 1, None),
                None => (at + 1, 0, None),
            };
        }
        Ok(())
    }
}

impl Shadow<'_> {
    /// Notes whether the models decide a record alike.
    fn count(&self, list: &CandidateList, counts: &mut ShadowCounts) {
        let Some(kind) = entity_kind_of(list.object).filter(|_| !list.gone) else { return };
        let differs = match (self.best(self.old, kind, list), self.best(self.new, kind, list)) {
            (old, new) if old == new => {
                counts.same += 1;
                return;
            }
            (None, _) => &mut counts.newly_matched,
            (_, None) => &mut counts.no_longer_matched,
            _ => &mut counts.other_entity,
        };
        *differs += 1;
        if counts.examples.len() < SHADOW_EXAMPLES {
            counts.examples.push(list.id.clone());
        }
    }

    /// The entity that a record would be matched to if it were alone.
    fn best(&self, model: &MatchModel, kind: EntityKind, list: &CandidateList) -> Option<String> {
        if let Some(entity) = &list.always {
            return Some(entity.clone());
        }
        let entities = entities(self.directory, kind);
        let candidates: Vec<Candidate> = list
            .candidates
            .iter()
            .filter_map(|kept| {
                let evidence: Evidence = kept.evidence.parse().ok()?;
                Some(Candidate {
                    entity_id: kept.entity.clone(),
                    weight: evidence.weigh(model, entities),
                    employer: kept.employer,
                })
            })
            .collect();
        posterior(model, kind, &candidates)
            .into_iter()
            .filter(|scored| !list.never.contains(&scored.candidate.entity_id))
            .find(|scored| scored.probability >= model.thresholds.match_at)
            .map(|scored| scored.candidate.entity_id)
    }
}

/// What a corrected record teaches: of its candidates, which is true; or that those which a person
/// refused are not. A record whose entity was found by a person alone has no evidence to learn from.
fn label(list: &CandidateList) -> Option<(Vec<Evidence>, Option<usize>)> {
    let is_label = |entity: &str| match &list.always {
        Some(_) => true,
        None => list.never.iter().any(|never| never == entity),
    };
    let known: Vec<(&str, Evidence)> = list
        .candidates
        .iter()
        .filter(|kept| !list.gone && is_label(&kept.entity))
        .filter_map(|kept| Some((kept.entity.as_str(), kept.evidence.parse().ok()?)))
        .collect();
    let truth = match &list.always {
        Some(always) => Some(known.iter().position(|(entity, _)| entity == always)?),
        None => None,
    };
    let evidence: Vec<Evidence> = known.into_iter().map(|(_, evidence)| evidence).collect();
    (!evidence.is_empty()).then_some((evidence, truth))
}

/// How many entities of a kind a version has.
fn entities(directory: &DirectoryVersion, kind: EntityKind) -> u64 {
    match kind {
        EntityKind::Person => directory.people,
        EntityKind::Company => directory.companies,
    }
}

fn kind_model(model: &mut MatchModel, kind: EntityKind) -> &mut KindModel {
    match kind {
        EntityKind::Person => &mut model.person,
        EntityKind::Company => &mut model.company,
    }
}
