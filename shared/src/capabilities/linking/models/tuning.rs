//! Tuning: a model is trained on corrections. Then it weighs every record's evidence in the shadow
//! of the model in use, some records a step.
//!
//! Both work on the evidence that is kept beside each candidate. They read no shard and no record,
//! so the result is the same for any number of shards.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::TryStreamExt;
use matching::{
    Candidate, EntityKind, Evidence, KindModel, MatchModel, Provenance, Refinement, TrainingSet,
    posterior,
};

use super::Models;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::DirectoryVersion;
use crate::capabilities::linking::keys::model_object;
use crate::capabilities::linking::{
    CandidateList, MATCHED_OBJECTS, ModelChoice, ModelState, Ruling, SHADOW_EXAMPLES, ShadowCounts,
    TunedModel, entity_kind_of,
};
use crate::kernel::{EntityId, MatchMessage, ModelId, SObject, Scope};
use crate::store::Commit;
use crate::work::{Done, WorkError, boxed};

/// Fewer corrected records of a kind than this teach nothing: a few cases say little of the rest.
const LEAST_LABELS: usize = 20;

/// More corrected records of a kind than this add nothing that is worth the time.
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
    #[must_use]
    #[boxed]
    pub async fn step(&self, scope: Scope, id: ModelId, step: u64) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let stored = self.store.load(&generation.keys.model(id)).await?;
        let Some(before) = stored.filter(|tuned| tuned.step == step) else {
            return Ok(Done::Finished);
        };
        let Some(pins) = self.runs.pins(&generation).await? else { return Ok(Done::Finished) };
        let mut tuned = TunedModel::clone(&before);
        match tuned.state {
            ModelState::Training => self.train(&generation, &pins.directory, &mut tuned).await?,
            ModelState::Shadow => {
                self.run_shadow_step(&generation, &pins.directory, &mut tuned).await?;
            }
            ModelState::Ready | ModelState::TooFewLabels => return Ok(Done::Finished),
        }
        tuned.step += 1;
        let mut commit = Commit::new();
        if tuned.state == ModelState::Shadow {
            commit.now(MatchMessage::TuneModel { scope, model: id, step: tuned.step });
        } else {
            tuned.finished_at = Some(self.ports.clock.now());
        }
        commit.replace(&before, &tuned)?;
        let outcome = self.store.commit(commit).await?;
        outcome.may_lose_to("another delivery of this message, which took the same step");
        Ok(Done::Finished)
    }

    /// Trains on the corrections, each kind by itself. It always begins with the shipped model, so
    /// that models do not drift from one tuning to the next.
    async fn train(
        &self,
        generation: &OpenGeneration,
        directory: &DirectoryVersion,
        tuned: &mut TunedModel,
    ) -> Result<(), WorkError> {
        let mut sets = BTreeMap::new();
        for object in MATCHED_OBJECTS {
            let Some(kind) = entity_kind_of(object) else { continue };
            let set = sets
                .entry(kind)
                .or_insert_with(|| TrainingSet::of_evidence(kind, entities(directory, kind)));
            let learnt = self.learn(generation, object, set).await?;
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
        let key = model_object(generation.keys.scope(), tuned.id);
        let json = model.to_json().map_err(|error| WorkError::reject("write a model", error))?;
        generation.put_object(&self.ports, &key, json.as_bytes()).await?;
        tuned.state = ModelState::Shadow;
        Ok(())
    }

    /// Adds the corrected records of an object to a set. Gives the number of those that teach
    /// something.
    async fn learn(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        set: &mut TrainingSet,
    ) -> Result<u64, WorkError> {
        let keys = generation.keys;
        let before = set.len();
        for bucket in 0..keys.buckets() {
            let mut pages = pin!(generation.store.pages(keys.corrections(object, bucket)));
            while set.len() < MOST_LABELS
                && let Some(corrections) = pages.try_next().await?
            {
                let ruled = corrections
                    .iter()
                    .filter(|correction| correction.ruling != Ruling::default())
                    .map(|correction| keys.candidates(object, correction.id));
                let lists = generation.store.load_many(ruled).await?;
                for (candidates, truth) in lists.iter().filter_map(|list| label(list)) {
                    set.add_evidence(&candidates, truth);
                }
            }
        }
        Ok((set.len() - before) as u64)
    }

    /// Weighs the next records with both models.
    async fn run_shadow_step(
        &self,
        generation: &OpenGeneration,
        directory: &DirectoryVersion,
        tuned: &mut TunedModel,
    ) -> Result<(), WorkError> {
        let old = self.chosen(generation, tuned.beside).await?;
        let choice = ModelChoice { model: Some(tuned.id), ..tuned.beside };
        let new = self.chosen(generation, choice).await?;
        let shadow = Shadow { old: &old, new: &new, directory };
        for _ in 0..PAGES_PER_STEP {
            let cursor = std::mem::take(&mut tuned.cursor);
            let Some(&object) = MATCHED_OBJECTS.get(cursor.object) else {
                tuned.cursor = cursor;
                tuned.state = ModelState::Ready;
                return Ok(());
            };
            let lists = generation.keys.all_candidates(object, cursor.bucket);
            let page = generation.store.page(&lists, cursor.after.as_deref(), PAGE).await?;
            let counts = tuned.shadow.entry(object).or_default();
            for list in &page.documents {
                shadow.count(list, counts);
            }
            tuned.cursor = cursor.behind_page(page.next, generation.keys.buckets());
        }
        Ok(())
    }
}

impl Shadow<'_> {
    /// Counts whether the models decide a record alike.
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
            counts.examples.push(list.id);
        }
    }

    /// The entity that a record would be matched to if it were alone.
    fn best(&self, model: &MatchModel, kind: EntityKind, list: &CandidateList) -> Option<String> {
        if let Some(entity) = &list.always {
            return Some(entity.to_string());
        }
        let entities = entities(self.directory, kind);
        let candidates: Vec<Candidate> = list
            .candidates
            .iter()
            .filter_map(|kept| {
                let evidence: Evidence = kept.evidence.parse().ok()?;
                Some(Candidate {
                    entity_id: kept.entity.to_string(),
                    weight: evidence.weigh(model, entities),
                    employer: kept.employer,
                })
            })
            .collect();
        posterior(model, kind, &candidates)
            .into_iter()
            .filter(|scored| {
                !list.never.iter().any(|never| never.as_str() == scored.candidate.entity_id)
            })
            .find(|scored| scored.probability >= model.thresholds.match_at)
            .map(|scored| scored.candidate.entity_id)
    }
}

/// The lesson of a corrected record: which of its candidates is true, or that the refused ones are
/// not. If only a person found the record's entity, there is no evidence to learn from.
fn label(list: &CandidateList) -> Option<(Vec<Evidence>, Option<usize>)> {
    let is_label = |entity: &EntityId| match &list.always {
        Some(_) => true,
        None => list.never.contains(entity),
    };
    let known: Vec<(&EntityId, Evidence)> = list
        .candidates
        .iter()
        .filter(|kept| !list.gone && is_label(&kept.entity))
        .filter_map(|kept| Some((&kept.entity, kept.evidence.parse().ok()?)))
        .collect();
    let truth = match &list.always {
        Some(always) => Some(known.iter().position(|(entity, _)| *entity == always)?),
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

#[cfg(test)]
mod tests {
    use matching::{EmployerEvidence, Levels};

    use super::*;
    use crate::capabilities::linking::RankedCandidate;
    use crate::testing::{entity_id, record_id};

    /// A list with these candidates, all with evidence but those in capitals.
    fn list(candidates: &[&str]) -> CandidateList {
        let evidence = Evidence::new(EntityKind::Person, &Levels::default()).to_string();
        let candidate = |&name: &&str| {
            let is_kept = name.chars().all(char::is_lowercase);
            RankedCandidate {
                entity: entity_id(name),
                weight: 1.0,
                probability: 0.5,
                employer: EmployerEvidence::Unknown,
                evidence: if is_kept { evidence.clone() } else { String::new() },
                company: None,
            }
        };
        let candidates = candidates.iter().map(candidate).collect();
        CandidateList { candidates, ..CandidateList::empty(SObject::Lead, record_id("00Q", 1)) }
    }

    /// How many candidates a list teaches, and which of them is true.
    fn lesson(list: &CandidateList) -> Option<(usize, Option<usize>)> {
        label(list).map(|(evidence, truth)| (evidence.len(), truth))
    }

    #[test]
    fn a_link_teaches_all_candidates_and_an_unlink_the_refused_ones() {
        let mut linked = list(&["a", "b", "c"]);
        linked.always = Some(entity_id("b"));
        assert_eq!(lesson(&linked), Some((3, Some(1))));
        let mut refused = list(&["a", "b", "c"]);
        refused.never = ["a", "c", "elsewhere"].map(entity_id).into();
        assert_eq!(lesson(&refused), Some((2, None)));
    }

    #[test]
    fn nothing_is_learnt_without_a_word_an_entity_or_evidence() {
        assert_eq!(lesson(&list(&["a"])), None, "nobody corrected it");
        let always = |mut list: CandidateList, entity: &str| {
            list.always = Some(entity_id(entity));
            list
        };
        assert_eq!(lesson(&always(list(&["a"]), "z")), None, "only a person found the entity");
        assert_eq!(lesson(&always(list(&["a", "B"]), "B")), None, "its evidence was not kept");
        assert_eq!(lesson(&always(list(&["a", "B"]), "a")), Some((1, Some(0))));
        let gone = CandidateList { gone: true, ..always(list(&["a"]), "a") };
        assert_eq!(lesson(&gone), None, "the record is gone");
    }
}
