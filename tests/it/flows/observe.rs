//! A world as it is seen from outside, to compare one with another.

use std::collections::{BTreeMap, BTreeSet};

use shared::capabilities::activities::{Activity, ActivityState};
use shared::capabilities::importing::{ImportRun, ObjectImport};
use shared::capabilities::linking::{
    CandidateList, DecisionCounts, EntityMatches, MATCHED_OBJECTS, RecordDecision, UnfinishedRun,
};
use shared::capabilities::saving::Saved;
use shared::capabilities::seats;
use shared::capabilities::seats::Seat;
use shared::kernel::{ImportRunId, ImportTrigger, Occurrence, RecordHead, SObject, SeatId};
use shared::ports::Range;
use shared::store::keys::Kind;
use shared::store::{self, Stored};
use tests::world::World;

/// Everything that a second, killed, or doubled delivery must not change.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    records: BTreeMap<String, String>,
    edges: BTreeSet<String>,
    matches: BTreeMap<String, String>,
    entities: BTreeMap<String, String>,
    counts: BTreeMap<SObject, DecisionCounts>,
    saved: BTreeSet<String>,
    imports: BTreeMap<String, String>,
    activities: BTreeSet<String>,
    written: BTreeMap<String, usize>,
    told: BTreeSet<String>,
}

impl Seen {
    /// The differences, a line each: `-` only here, `+` only there.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let lines = |seen: &Self| -> BTreeSet<String> {
            let text = format!("{seen:#?}")
                .replace("(\n            ", "(")
                .replace(",\n            \"", ", \"");
            text.lines().map(|line| line.trim().to_owned()).collect()
        };
        let (here, there) = (lines(self), lines(other));
        let minus = here.difference(&there).map(|line| format!("- {line}"));
        let plus = there.difference(&here).map(|line| format!("+ {line}"));
        minus.chain(plus).collect()
    }

    /// How many rows were written to the CRM for each activity marker; every one must be one.
    pub(super) fn written(&self) -> &BTreeMap<String, usize> {
        &self.written
    }
}

/// Looks at a world that has come to rest.
pub(super) async fn see(world: &World) -> Seen {
    let keys = world.keys().await;
    let mut seen = Seen {
        records: BTreeMap::new(),
        edges: BTreeSet::new(),
        matches: BTreeMap::new(),
        entities: BTreeMap::new(),
        counts: counts(world).await,
        saved: BTreeSet::new(),
        imports: BTreeMap::new(),
        activities: BTreeSet::new(),
        written: written(world),
        told: BTreeSet::new(),
    };
    let documents = world.documents().await;
    let writes = world.control().writes(&world.org).unwrap();
    let own: BTreeSet<String> = writes.into_iter().map(|write| write.id).collect();
    for (kind, pk) in keys.partitions() {
        let ports = world.ports();
        let page = ports.table.query(&pk, &Range::All, None, 100_000).await.unwrap();
        for item in page.items {
            let sk = item.key.sk().to_owned();
            match kind {
                Kind::Record => {
                    let head: RecordHead = store::typed(item).unwrap();
                    seen.records.insert(sk, format!("{:?}", head.change));
                }
                Kind::Edge => {
                    seen.edges.insert(without_own_row(without_keyed_name(sk), &own));
                }
                Kind::Candidates => {
                    let list: CandidateList = documents.typed(item).unwrap();
                    let text =
                        format!("{:?} {:?} {:?}", list.matched, list.decision, list.candidates);
                    seen.matches.insert(sk, text);
                }
                Kind::Entity => {
                    let entity: EntityMatches = documents.typed(item).unwrap();
                    // Its key is a name under the home's own data key.
                    let name = format!("{:?}#{}", entity.kind, entity.entity);
                    seen.entities.insert(name, format!("{:?} {:?}", entity.matched, entity.bids));
                }
                Kind::Saved => {
                    let saved: Saved = documents.typed(item).unwrap();
                    let Saved { seat, list, entity, record, .. } = saved;
                    seen.saved.insert(format!("{seat}#{}#{entity} {record}", list.as_str()));
                }
                Kind::Activity if sk.starts_with("ACT#") => {
                    let activity: Activity = documents.typed(item).unwrap();
                    let logged = matches!(activity.state, ActivityState::Logged { .. });
                    seen.activities.insert(format!("{sk} {logged}"));
                }
                _ => {}
            }
        }
    }
    seen.imports = imports(world).await;
    seen.told = told(world).await;
    seen
}

/// How the imports that were asked for ended, by object.
async fn imports(world: &World) -> BTreeMap<String, String> {
    let mut imports = BTreeMap::new();
    // Where much time passed, a slot of the schedule may have come by.
    let asked = runs(world).await.into_iter().filter(|r| r.trigger != ImportTrigger::Scheduled);
    for run in asked {
        let name = format!("{:?}", run.trigger);
        imports.insert(name, format!("{:?}", run.state));
        for (object, import) in objects(world, run.id).await {
            let name = format!("{:?} {object}", run.trigger);
            let text =
                format!("{:?} {:?} {:?}", import.counts, import.live, import.salesforce_count);
            imports.insert(name, text);
        }
    }
    imports
}

/// The events about the connection and about the imports that were asked for; not those
/// about troubles on the way.
async fn told(world: &World) -> BTreeSet<String> {
    let runs = runs(world).await;
    let asked = |id| runs.iter().any(|r| r.id == id && r.trigger != ImportTrigger::Scheduled);
    let events = world.memory.events().into_iter();
    let events = events.filter(|event| match event.occurrence {
        Occurrence::ImportStoodBack { .. } | Occurrence::ImportStalled { .. } => false,
        ref occurrence => occurrence.run().is_none_or(asked),
    });
    events.map(|event| format!("{} {:?}", event.id(), event.occurrence)).collect()
}

/// Rows of the CRM by the marker of the activity that they log.
fn written(world: &World) -> BTreeMap<String, usize> {
    let mut markers = BTreeMap::new();
    for object in ["Task", "Note"] {
        let rows = world.control().records(&world.org, object, 0, 100_000).unwrap();
        for row in rows {
            let text = row["Description"].as_str().or(row["Body"].as_str()).unwrap_or_default();
            if let Some(at) = text.rfind("[ref ") {
                *markers.entry(text[at..].to_owned()).or_insert(0) += 1;
            }
        }
    }
    markers
}

/// The import runs, oldest first.
pub(super) async fn runs(world: &World) -> Vec<ImportRun> {
    let keys = world.keys().await;
    let mut runs: Vec<ImportRun> =
        store::query_all(&*world.ports().table, &keys.runs()).await.unwrap();
    runs.sort_by_key(|run| run.started_at);
    runs
}

/// A run's objects.
pub(super) async fn objects(world: &World, run: ImportRunId) -> BTreeMap<SObject, ObjectImport> {
    let place = world.keys().await.object_imports(run);
    let objects: Vec<ObjectImport> = store::query_all(&*world.ports().table, &place).await.unwrap();
    objects.into_iter().map(|o| (o.object, o)).collect()
}

/// Matching's decision about every record of an object.
pub(super) async fn lists(world: &World, object: SObject) -> Vec<CandidateList> {
    let (keys, documents) = (world.keys().await, world.documents().await);
    let mut all = Vec::new();
    for bucket in 0..keys.buckets() {
        let place = keys.all_candidates(object, bucket);
        let found = documents.all(&place).await.unwrap();
        all.extend(found.into_iter().map(Stored::into_inner));
    }
    all
}

/// The counts that are kept of each object: they are those of the lists, and no run is listed as
/// unfinished, whatever happened.
async fn counts(world: &World) -> BTreeMap<SObject, DecisionCounts> {
    let (keys, ports) = (world.keys().await, world.ports());
    let unfinished: Vec<UnfinishedRun> =
        store::query_all(&*ports.table, &keys.unfinished_runs()).await.unwrap();
    assert_eq!(unfinished, [], "every run came to its end");
    let mut all = BTreeMap::new();
    for object in MATCHED_OBJECTS {
        let kept = store::get(&*ports.table, &keys.decision_counts(object)).await.unwrap();
        let kept = kept.unwrap_or_default();
        let mut counted = DecisionCounts { scores: kept.scores, ..DecisionCounts::default() };
        let mut bars = [0; 20];
        for list in lists(world, object).await.into_iter().filter(|list| !list.gone) {
            *match list.decision {
                RecordDecision::Match => &mut counted.matched,
                RecordDecision::Duplicate => &mut counted.duplicate,
                RecordDecision::Review => &mut counted.review,
                RecordDecision::NonMatch => &mut counted.unmatched,
            } += 1;
            let best = list.matched_candidate().or(list.candidates.first());
            if let Some(probability) = best.map(|candidate| candidate.probability) {
                let bar = (1..20).filter(|bar| probability * 20.0 >= f64::from(*bar)).count();
                bars[bar] += 1;
            }
        }
        assert_eq!((kept, kept.scores.bars()), (counted, bars), "{object}");
        all.insert(object, kept);
    }
    all
}

/// The records of an object that are matched.
pub(super) async fn matched(world: &World, object: SObject) -> BTreeSet<String> {
    let lists = lists(world, object).await;
    lists.into_iter().filter(|l| l.matched.is_some()).map(|l| l.id.to_string()).collect()
}

/// The records saved for a seat.
pub(super) async fn saved(world: &World, seat: SeatId, list: &str) -> BTreeSet<String> {
    let place = world.keys().await.saved_list(seat, list);
    let saved = world.documents().await.all(&place).await.unwrap();
    saved.into_iter().map(|s| s.record.to_string()).collect()
}

/// The records saved for any seat.
pub(super) async fn saved_anywhere(world: &World, list: &str) -> BTreeSet<String> {
    let ports = world.ports();
    let seats: Vec<Seat> =
        store::query_all(&*ports.table, &seats::keys::seats(world.tenant)).await.unwrap();
    let mut all = BTreeSet::new();
    for seat in seats {
        all.extend(saved(world, seat.id, list).await);
    }
    all
}

/// Every matched object has at most one record per entity.
pub(super) async fn is_one_to_one(world: &World) -> bool {
    for object in MATCHED_OBJECTS {
        let mut entities = BTreeSet::new();
        for entity in lists(world, object).await.into_iter().filter_map(|l| l.matched) {
            if !entities.insert(entity) {
                return false;
            }
        }
    }
    true
}

/// An edge to a row that we made: which of them Salesforce made first, and so their ids, is
/// nobody's promise.
fn without_own_row(edge: String, own: &BTreeSet<String>) -> String {
    match edge.rsplit_once('#') {
        Some((rest, child)) if own.contains(child) => format!("{rest}#our own"),
        _ => edge,
    }
}

/// An edge between a user and an address, or from a company to a lead, has a name under the data
/// key, which each home draws for itself: two worlds agree on the user and the lead alone.
fn without_keyed_name(edge: String) -> String {
    if let Some((user, _)) = edge.split_once("#email#") {
        format!("{user}#email#")
    } else if let Some((_, user)) = edge.split_once("#user#005") {
        format!("#user#005{user}")
    } else if let Some((_, lead)) = edge.split_once("#employee-lead#") {
        format!("#employee-lead#{lead}")
    } else {
        edge
    }
}
