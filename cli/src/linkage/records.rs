//! Scoring the records of one CRM file and deciding them.

use super::assign::{PlacedBid, assign};
use super::rows::{AccountFacts, AccountsById, Content, Row, Rows, keep_account};
use crate::input::{Chunk, ChunkReader, FileProblems, InputError, RowProblem};
use crate::pipeline::in_order;
use crate::salesforce_id::canonical;
use indicatif::ProgressBar;
use matching::{
    EmployerEvidence, EntityKind, MatchDecision, MatchModel, MatchWeight, Probe, RawCandidate,
    Scorer, Shard, probabilities,
};
use rustc_hash::FxHashSet;
use std::hash::{DefaultHasher, Hasher};

/// The candidates that a record keeps: what the correction dialog shows.
const CANDIDATES: usize = 8;

/// The state that every file of a run shares.
pub struct Settings<'a> {
    /// The weights and thresholds.
    pub model: &'a MatchModel,
    /// Scores with that model and the directory's statistics.
    pub scorer: Scorer<'a>,
    /// The directory's shards, people first.
    pub shards: Vec<Shard<'a>>,
    /// Threads to score on.
    pub threads: usize,
    /// Keep also the candidates too weak to be a bid, for the candidates file.
    pub keep_weak: bool,
}

impl std::fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// One CRM object's file.
#[derive(Debug)]
pub struct ObjectFile {
    /// `Lead`, `Contact` or `Account`.
    pub object: &'static str,
    /// The kind of its rows.
    pub content: Content,
    /// The opened file.
    pub rows: Rows,
    /// Its chunks.
    pub chunks: ChunkReader,
}

/// A directory entity that may be a record's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// The entity's place: see [`Linked::entity_id`].
    pub entity: u32,
    /// The evidence of the record's employer.
    pub employer: EmployerEvidence,
    /// The match weight in bits.
    pub weight: f64,
    /// The posterior probability.
    pub probability: f64,
}

/// The outcome for a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decided {
    /// It is this entity.
    Match(Placed),
    /// It may be this entity: a person should look.
    Review(Placed),
    /// Another record of the same object has the entity that it is: a duplicate in the CRM.
    Duplicate(Placed),
    /// The directory has nobody like it.
    Unmatched,
}

impl Decided {
    /// The word for it in files.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Match(_) => "match",
            Self::Review(_) => "review",
            Self::Duplicate(_) => "duplicate",
            Self::Unmatched => "unmatched",
        }
    }

    /// The entity that it is about.
    #[must_use]
    pub fn placed(&self) -> Option<Placed> {
        match self {
            Self::Match(placed) | Self::Review(placed) | Self::Duplicate(placed) => Some(*placed),
            Self::Unmatched => None,
        }
    }
}

/// Strings laid end to end: a million ids in one allocation.
#[derive(Debug, Default)]
struct Ids {
    text: String,
    ends: Vec<u32>,
}

impl Ids {
    fn push(&mut self, id: &str) {
        self.text.push_str(id);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[start..self.ends[at] as usize]
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The records of one file, scored and decided.
pub struct Linked<'a> {
    /// `Lead`, `Contact` or `Account`.
    pub object: &'static str,
    /// The rows at fault.
    pub problems: FileProblems,
    shards: Vec<Shard<'a>>,
    ids: Ids,
    candidates: Vec<Placed>,
    /// For each record, where its candidates end.
    ends: Vec<u32>,
    decided: Vec<Decided>,
}

impl std::fmt::Debug for Linked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linked").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Linked<'_> {
    /// Records that took part.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// No record took part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every record's id, candidates (best first) and decision, in the file's order.
    pub fn records(&self) -> impl Iterator<Item = (&str, &[Placed], Decided)> {
        (0..self.len()).map(|at| {
            let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
            (self.ids.get(at), &self.candidates[start..self.ends[at] as usize], self.decided[at])
        })
    }

    /// The id of an entity by its place.
    #[must_use]
    pub fn entity_id(&self, entity: u32) -> &str {
        entity_id(&self.shards, entity)
    }
}

/// Entities are counted through all shards of a kind, in the shards' order.
fn entity_id<'a>(shards: &[Shard<'a>], mut entity: u32) -> &'a str {
    for shard in shards {
        if entity < shard.len() {
            return shard.entity_id(entity);
        }
        entity -= shard.len();
    }
    ""
}

/// The result of one chunk.
#[derive(Default)]
struct Scored {
    ids: Ids,
    lines: Vec<u64>,
    hashes: Vec<u64>,
    candidates: Vec<Placed>,
    counts: Vec<u32>,
    facts: Vec<AccountFacts>,
    problems: Vec<RowProblem>,
}

/// Scores a file's records and decides them. An account file fills `accounts` too.
pub fn link<'a>(
    file: ObjectFile,
    settings: &Settings<'a>,
    accounts: &mut AccountsById,
    bar: &ProgressBar,
) -> Result<Linked<'a>, InputError> {
    let kind = match file.content {
        Content::Accounts => EntityKind::Company,
        _ => EntityKind::Person,
    };
    let shards: Vec<Shard<'a>> =
        settings.shards.iter().filter(|shard| shard.kind() == kind).copied().collect();
    let mut linked = Linked {
        object: file.object,
        problems: FileProblems::new(&file.rows.name),
        shards: shards.clone(),
        ids: Ids::default(),
        candidates: Vec::new(),
        ends: Vec::new(),
        decided: Vec::new(),
    };
    let mut seen: FxHashSet<u64> = FxHashSet::default();
    let mut new_accounts = AccountsById::default();
    let known: &AccountsById = accounts;
    in_order(
        file.chunks,
        settings.threads,
        || (),
        |(), chunk| chunk.map(|chunk| score(&file.rows, chunk, settings, &shards, known)),
        |scored| {
            let scored = scored?;
            bar.inc(scored.lines.len() as u64);
            linked.take(scored, &mut seen, &mut new_accounts);
            Ok(())
        },
    )?;
    if file.content == Content::Accounts {
        *accounts = new_accounts;
    }
    linked.decide(settings.model);
    Ok(linked)
}

impl Linked<'_> {
    /// Takes a chunk's records, in the file's order; of two with one id the first counts.
    fn take(&mut self, scored: Scored, seen: &mut FxHashSet<u64>, accounts: &mut AccountsById) {
        let mut problems = scored.problems;
        let mut facts = scored.facts.into_iter();
        let mut start = 0;
        for (at, &count) in scored.counts.iter().enumerate() {
            let candidates = &scored.candidates[start..start + count as usize];
            start += count as usize;
            let facts = facts.next();
            if !seen.insert(scored.hashes[at]) {
                problems.push(RowProblem::skipped(scored.lines[at], "duplicate-id"));
                continue;
            }
            let id = scored.ids.get(at);
            if let Some(facts) = facts {
                keep_account(accounts, id, facts);
            }
            self.ids.push(id);
            self.candidates.extend_from_slice(candidates);
            self.ends.push(u32::try_from(self.candidates.len()).unwrap_or(u32::MAX));
        }
        problems.sort_by_key(|problem| problem.line);
        for problem in problems {
            self.problems.add(problem);
        }
    }

    /// Assigns one to one, then decides by the model's thresholds.
    fn decide(&mut self, model: &MatchModel) {
        let thresholds = model.thresholds;
        let mut bids = Vec::new();
        for (record, (_, candidates)) in (0..).zip(self.undecided()) {
            let bidding = candidates.iter().filter(|c| c.probability >= thresholds.review_at);
            bids.extend(bidding.map(|c| PlacedBid {
                record,
                entity: c.entity,
                probability: c.probability,
            }));
        }
        let entities = self.shards.iter().map(|shard| shard.len() as usize).sum();
        let assigned = assign(
            &mut bids,
            self.len(),
            entities,
            |record| self.ids.get(record as usize),
            |entity| self.entity_id(entity),
        );
        let decided = self.undecided().zip(assigned).map(|((_, candidates), bid)| {
            let won = bid.and_then(|bid| candidates.iter().find(|c| c.entity == bid.entity));
            match (won, candidates.first()) {
                (Some(won), _) => match thresholds.decide(won.probability) {
                    MatchDecision::Match => Decided::Match(*won),
                    MatchDecision::Review => Decided::Review(*won),
                    MatchDecision::NonMatch => Decided::Unmatched,
                },
                (None, Some(best))
                    if thresholds.decide(best.probability) == MatchDecision::Match =>
                {
                    Decided::Duplicate(*best)
                }
                _ => Decided::Unmatched,
            }
        });
        self.decided = decided.collect();
    }

    fn undecided(&self) -> impl Iterator<Item = (&str, &[Placed])> {
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(at, &end)| {
            let candidates = &self.candidates[start..end as usize];
            start = end as usize;
            (self.ids.get(at), candidates)
        })
    }
}

fn score(
    rows: &Rows,
    chunk: Chunk,
    settings: &Settings<'_>,
    shards: &[Shard<'_>],
    accounts: &AccountsById,
) -> Scored {
    let mut scored = Scored::default();
    let mut problems = Vec::new();
    rows.read(&chunk, accounts, &mut problems, |Row { line, probe, facts }| {
        let id = probe.record_id();
        scored.ids.push(id);
        scored.lines.push(line);
        let mut hasher = DefaultHasher::new();
        hasher.write(canonical(id).as_bytes());
        scored.hashes.push(hasher.finish());
        let before = scored.candidates.len();
        scored.candidates.extend(candidates(settings, shards, &probe));
        scored.counts.push(u32::try_from(scored.candidates.len() - before).unwrap_or(0));
        scored.facts.extend(facts);
        if probe.is_nameless() {
            scored.problems.push(RowProblem::kept(line, "no-usable-name"));
        }
    });
    scored.problems.extend(problems);
    scored.problems.extend(chunk.problems);
    scored
}

/// A probe's best candidates of all shards by their places, best first.
#[must_use]
pub fn best_of_all(
    scorer: &Scorer<'_>,
    shards: &[Shard<'_>],
    probe: &Probe,
    limit: usize,
) -> Vec<(u32, RawCandidate)> {
    let mut found: Vec<(u32, RawCandidate)> = Vec::new();
    let mut first = 0;
    for shard in shards {
        let raw = scorer.raw_candidates(shard, probe, limit);
        found.extend(raw.into_iter().map(|raw| (first + raw.ordinal, raw)));
        first += shard.len();
    }
    if shards.len() > 1 {
        // The best of all shards are among the best of each, so the count of shards changes
        // nothing.
        let id = |place: u32| entity_id(shards, place);
        found.sort_by(|(place, raw), (other_place, other)| {
            let by_weight = other.weight.bits().total_cmp(&raw.weight.bits());
            by_weight.then_with(|| id(*place).cmp(id(*other_place)))
        });
        found.truncate(limit);
    }
    found
}

/// A probe's best candidates of all shards with their probabilities, best first.
fn candidates(settings: &Settings<'_>, shards: &[Shard<'_>], probe: &Probe) -> Vec<Placed> {
    let found = best_of_all(&settings.scorer, shards, probe, CANDIDATES);
    let weights: Vec<MatchWeight> = found.iter().map(|(_, raw)| raw.weight).collect();
    let floor = if settings.keep_weak { 0.0 } else { settings.model.thresholds.review_at };
    probabilities(settings.model, probe.kind(), &weights)
        .into_iter()
        .zip(found)
        .filter(|(probability, _)| *probability >= floor)
        .map(|(probability, (entity, raw))| Placed {
            entity,
            employer: raw.employer,
            weight: raw.weight.bits(),
            probability,
        })
        .collect()
}
