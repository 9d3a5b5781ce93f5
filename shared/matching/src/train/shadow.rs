//! What a new model would change.

use super::KEPT;
use crate::form::Probe;
use crate::model::MatchModel;
use crate::posterior::posterior;
use crate::score::Scorer;
use crate::shard::Shard;

/// The difference that a new model would make: the records that two models match differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowDifference {
    /// Records matched alike by both.
    pub same: u64,
    /// Records only the old model matches.
    pub only_old: Vec<String>,
    /// Records only the new model matches.
    pub only_new: Vec<String>,
    /// Records matched to different entities.
    pub other_entity: Vec<String>,
}

/// Scores a record with two models and adds their difference: the new model runs in the shadow of
/// the old.
pub fn shadow(
    difference: &mut ShadowDifference,
    probe: &Probe,
    shards: &[Shard<'_>],
    old: (&MatchModel, &Scorer<'_>),
    new: (&MatchModel, &Scorer<'_>),
) {
    let best = |(model, scorer): (&MatchModel, &Scorer<'_>)| {
        let candidates: Vec<_> =
            shards.iter().flat_map(|shard| scorer.candidates(shard, probe, KEPT)).collect();
        let best = posterior(model, probe.kind(), &candidates).into_iter().next();
        best.filter(|best| best.probability >= model.thresholds.match_at)
            .map(|best| best.candidate.entity_id)
    };
    let record = || probe.record_id().to_owned();
    match (best(old), best(new)) {
        (None, None) => difference.same += 1,
        (Some(old), Some(new)) if old == new => difference.same += 1,
        (Some(_), Some(_)) => difference.other_entity.push(record()),
        (Some(_), None) => difference.only_old.push(record()),
        (None, Some(_)) => difference.only_new.push(record()),
    }
}
