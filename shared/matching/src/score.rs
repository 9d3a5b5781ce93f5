//! Scoring: a probe's candidates in a shard with their match weights.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "entity counts become weights"
)]

use serde::{Deserialize, Serialize};

use crate::compare::{CompanyContext, EmployerEvidence, Levels, Met, PersonContext, doublings};
use crate::entity::EntityKind;
use crate::form::Probe;
use crate::keys::block_keys;
use crate::model::{MatchModel, Weights};
use crate::shard::Shard;
use crate::statistics::Statistics;

/// Evidence in bits (log2 of a likelihood ratio): 1 doubles the odds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct MatchWeight(f64);

impl MatchWeight {
    /// A weight; a number that is not finite counts as impossible.
    #[must_use]
    pub fn new(bits: f64) -> Self {
        Self(if bits.is_finite() { bits } else { -1000.0 })
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> f64 {
        self.0
    }
}

/// A directory entity that may be a record's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The entity's id.
    pub entity_id: String,
    /// The match weight, with the prior of picking one entity of the version.
    pub weight: MatchWeight,
    /// The employer as evidence.
    pub employer: EmployerEvidence,
}

/// A candidate by its place in the shard, before its id is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawCandidate {
    /// The entity's place in the shard.
    pub ordinal: u32,
    /// The match weight.
    pub weight: MatchWeight,
    /// The employer as evidence.
    pub employer: EmployerEvidence,
    /// The levels of its comparisons.
    pub levels: Levels,
}

/// Candidates weaker than this, in bits below the best or below "none", can change no probability
/// in its sixth digit.
const NEGLIGIBLE: f64 = 20.0;

/// The most entities compared with one record in one shard: a guard, far above what capped blocks
/// give.
const COMPARED: usize = 4096;

/// Scores probes against shards with one model and one version's statistics. Shared freely by
/// threads.
#[derive(Clone, Debug)]
pub struct Scorer<'a> {
    statistics: &'a Statistics,
    person: Weights,
    company: Weights,
}

impl<'a> Scorer<'a> {
    /// A scorer. The shards it is used with must be built with the same statistics.
    #[must_use]
    pub fn new(model: &MatchModel, statistics: &'a Statistics) -> Self {
        Self { statistics, person: model.person.weights(), company: model.company.weights() }
    }

    /// The weights of a kind.
    pub(crate) fn weights(&self, kind: EntityKind) -> &Weights {
        match kind {
            EntityKind::Person => &self.person,
            EntityKind::Company => &self.company,
        }
    }

    /// Log2 of the version's entities, in steps.
    pub(crate) fn doublings(&self, kind: EntityKind) -> f64 {
        doublings(self.statistics.entities(kind)).into()
    }

    /// The prior of any one entity, in bits.
    pub(crate) fn prior(&self, kind: EntityKind) -> f64 {
        -self.doublings(kind) * self.weights(kind).size
    }

    /// The probe's best candidates in the shard, at most `limit`, best first; ties by entity id.
    ///
    /// A probe of the other kind than the shard's has none.
    #[must_use]
    pub fn candidates(&self, shard: &Shard<'_>, probe: &Probe, limit: usize) -> Vec<Candidate> {
        self.raw_candidates(shard, probe, limit)
            .into_iter()
            .map(|raw| Candidate {
                entity_id: shard.entity_id(raw.ordinal).to_owned(),
                weight: raw.weight,
                employer: raw.employer,
            })
            .collect()
    }

    /// The same as [`Self::candidates`] by place in the shard, for callers that score millions and
    /// read few ids.
    #[must_use]
    pub fn raw_candidates(
        &self,
        shard: &Shard<'_>,
        probe: &Probe,
        limit: usize,
    ) -> Vec<RawCandidate> {
        let kind = probe.kind();
        if kind != shard.kind() || limit == 0 {
            return Vec::new();
        }
        let ordinals = self.block(shard, probe);
        let mut scored = self.score(shard, probe, &ordinals);
        let order = |left: &RawCandidate, right: &RawCandidate| {
            right
                .weight
                .bits()
                .total_cmp(&left.weight.bits())
                .then_with(|| shard.entity_id(left.ordinal).cmp(shard.entity_id(right.ordinal)))
        };
        scored.sort_unstable_by(order);
        scored.truncate(limit);
        scored
    }

    /// The entities that share a strong block or two weak ones with the probe, by place, ascending.
    #[must_use]
    pub fn block(&self, shard: &Shard<'_>, probe: &Probe) -> Vec<u32> {
        let mut found: Vec<u64> = Vec::with_capacity(128);
        shard.blocks(&block_keys(probe, self.statistics), &mut found);
        found.sort_unstable();
        // Each posting is an entity's place, then two bits of one shared block's strength: 1 weak,
        // 2 strong.
        let mut ordinals: Vec<u32> = Vec::with_capacity(found.len() / 2);
        for shared in found.chunk_by(|left, right| left >> 2 == right >> 2) {
            if shared.iter().map(|posting| posting & 3).sum::<u64>() >= 2 {
                ordinals.push((shared[0] >> 2) as u32);
            }
        }
        ordinals.truncate(COMPARED);
        ordinals
    }

    fn score(&self, shard: &Shard<'_>, probe: &Probe, ordinals: &[u32]) -> Vec<RawCandidate> {
        let kind = probe.kind();
        let (weights, doublings) = (self.weights(kind), self.doublings(kind));
        let floor = weights.none - NEGLIGIBLE;
        let mut scored = Vec::with_capacity(ordinals.len().min(16));
        let mut keep = |ordinal, levels: Levels, employer: EmployerEvidence| {
            let bits = weights.weigh(&levels, doublings);
            if bits > floor {
                scored.push(RawCandidate {
                    ordinal,
                    weight: MatchWeight::new(bits),
                    employer,
                    levels,
                });
            }
        };
        match probe {
            Probe::Person(form) => {
                shard.touch(ordinals);
                let context = PersonContext::new(form, self.statistics);
                let named: Vec<Met<'_>> =
                    ordinals.iter().filter_map(|&ordinal| context.meet(shard, ordinal)).collect();
                shard.touch_employers(named.iter().flat_map(|met| &met.person.employments));
                for met in named {
                    let ordinal = met.ordinal;
                    let found = context.compare(shard, met);
                    keep(ordinal, found.into(), found.employer.level.evidence());
                }
            }
            Probe::Company(form) => {
                let context = CompanyContext::new(form, self.statistics);
                for &ordinal in ordinals {
                    let found = context.compare(&shard.company(ordinal));
                    keep(ordinal, found.into(), EmployerEvidence::Unknown);
                }
            }
        }
        scored
    }

    /// The levels of one pair, blocked or not, and the employer as evidence.
    pub(crate) fn compare(
        &self,
        shard: &Shard<'_>,
        probe: &Probe,
        ordinal: u32,
    ) -> (Levels, EmployerEvidence) {
        match probe {
            Probe::Person(form) => {
                let context = PersonContext::new(form, self.statistics);
                let found = context.compare_fully(shard, ordinal);
                (found.into(), found.employer.level.evidence())
            }
            Probe::Company(form) => {
                let context = CompanyContext::new(form, self.statistics);
                let found = context.compare(&shard.company(ordinal));
                (found.into(), EmployerEvidence::Unknown)
            }
        }
    }
}
