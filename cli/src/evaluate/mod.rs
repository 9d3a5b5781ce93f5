//! Precision and recall of a predictions file against a truth file.
//!
//! Entity metrics respect one-to-one assignment: a true positive is a distinct (object, profile)
//! pair for which some predicted record truly is that profile, and a second record of the same pair
//! (a CRM duplicate) counts neither way. Record metrics count every CRM record by itself.

mod python;
mod render;

pub use render::{as_json, as_text};

use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The truth file's entry for one CRM record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The CRM record's id.
    pub crm_id: String,
    /// The directory id it truly is; empty when it has no match.
    pub profile_id: String,
    /// `Lead`, `Contact` or `Account`; `?` when the file does not say.
    pub object: String,
    /// Why the record is easy or hard.
    pub case: String,
}

/// One proposed link.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The CRM record's id.
    pub crm_id: String,
    /// The directory id proposed for it; empty proposes nothing.
    pub profile_id: String,
    /// The confidence, higher is surer. Never NaN.
    pub score: f64,
}

/// Which records an evaluation counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every record of the truth file.
    All,
    /// Leads and Contacts together.
    Person,
    /// One object type, by its name in the truth file.
    Object(String),
}

impl Selection {
    /// The word the report uses.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Person => "person",
            Self::Object(name) => name,
        }
    }

    fn keeps(&self, object: &str) -> bool {
        match self {
            Self::All => true,
            Self::Person => object == "Lead" || object == "Contact",
            Self::Object(name) => name == object,
        }
    }
}

/// The state of the counts when every link of at least `threshold` is accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The lowest accepted score, or the threshold asked for when nothing reaches it.
    pub threshold: f64,
    /// True positives over accepted links that are not repeats of a true positive.
    pub precision: f64,
    /// True positives over linkable entities.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Accepted links.
    pub predicted: usize,
    /// Distinct (object, profile) pairs found.
    pub true_positives: usize,
    /// Accepted links that are wrong.
    pub false_positives: usize,
    /// Accepted links that are right, CRM duplicates counted each.
    pub correct_records: usize,
    /// False for the placeholder when no link reaches the threshold.
    reached: bool,
}

impl Point {
    fn unreached(threshold: f64) -> Self {
        Self {
            threshold,
            precision: 0.0,
            recall: 0.0,
            f1: 0.0,
            predicted: 0,
            true_positives: 0,
            false_positives: 0,
            correct_records: 0,
            reached: false,
        }
    }
}

/// How the records of one case fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseCount {
    /// Records of the case.
    pub records: usize,
    /// Of them, linked to the true profile.
    pub correct: usize,
    /// Of them, linked to another profile, or linked though they have none.
    pub wrong: usize,
}

/// Everything the report prints for one selection.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The selection's name.
    pub object: String,
    /// Truth records in the selection.
    pub crm_records: usize,
    /// Of them, those with a true profile.
    pub linkable_records: usize,
    /// Distinct (object, profile) pairs of the truth.
    pub linkable_entities: usize,
    /// Prediction rows beyond the first of their CRM record.
    pub violations_crm: usize,
    /// Predictions beyond the first of their (object, profile).
    pub violations_profile: usize,
    /// Prediction rows whose CRM id the truth does not know.
    pub unknown_ids: usize,
    /// The counts at the threshold asked for (all rows when none was).
    pub at_threshold: Point,
    /// The counts where F1 is highest; none without predictions.
    pub best_f1: Option<Point>,
    /// The highest recall with precision of at least .95, .98 and .99.
    pub recall_at_precision: [f64; 3],
    /// The counts at a ladder of thresholds.
    pub table: Vec<Point>,
    /// Counts by `object/case`, when asked for.
    pub cases: BTreeMap<String, CaseCount>,
}

type TruthById<'a> = FxHashMap<&'a str, &'a Truth>;

/// The best prediction of each record, in the order the records first appear.
struct BestPredictions<'a> {
    rows: Vec<(&'a Truth, &'a Prediction)>,
    violations: usize,
    unknown: usize,
}

fn best_predictions<'a>(
    truth: &TruthById<'a>,
    predictions: &'a [Prediction],
    selection: &Selection,
) -> BestPredictions<'a> {
    let mut rows: Vec<(&Truth, &Prediction)> = Vec::new();
    let mut position: FxHashMap<&str, usize> = FxHashMap::default();
    let (mut violations, mut unknown) = (0, 0);
    for prediction in predictions {
        let Some(&of) = truth.get(prediction.crm_id.as_str()) else {
            unknown += 1;
            continue;
        };
        if !selection.keeps(&of.object) || prediction.profile_id.is_empty() {
            continue;
        }
        if let Some(&at) = position.get(prediction.crm_id.as_str()) {
            violations += 1;
            if prediction.score > rows[at].1.score {
                rows[at].1 = prediction;
            }
        } else {
            position.insert(&prediction.crm_id, rows.len());
            rows.push((of, prediction));
        }
    }
    BestPredictions { rows, violations, unknown }
}

/// Scores `predictions` against `truth` for the records of `selection`.
///
/// A CRM id that the truth lists twice counts as its last row says.
#[must_use]
pub fn evaluate(
    truth: &[Truth],
    predictions: &[Prediction],
    selection: &Selection,
    threshold: Option<f64>,
    with_cases: bool,
) -> Evaluation {
    let by_id: TruthById = truth.iter().map(|t| (t.crm_id.as_str(), t)).collect();
    let selected: Vec<&Truth> =
        by_id.values().copied().filter(|t| selection.keeps(&t.object)).collect();
    let linkable: Vec<&&Truth> = selected.iter().filter(|t| !t.profile_id.is_empty()).collect();
    let entities: FxHashSet<(&str, &str)> =
        linkable.iter().map(|t| (t.object.as_str(), t.profile_id.as_str())).collect();

    let best = best_predictions(&by_id, predictions, selection);
    let targets: FxHashSet<(&str, &str)> =
        best.rows.iter().map(|(t, p)| (t.object.as_str(), p.profile_id.as_str())).collect();
    let curve = curve(&best.rows, entities.len());
    let threshold = threshold.unwrap_or(-1e300);

    Evaluation {
        object: selection.name().to_owned(),
        crm_records: selected.len(),
        linkable_records: linkable.len(),
        linkable_entities: entities.len(),
        violations_crm: best.violations,
        violations_profile: best.rows.len() - targets.len(),
        unknown_ids: best.unknown,
        at_threshold: point_at(&curve, threshold),
        best_f1: first_maximum(&curve),
        recall_at_precision: [0.95, 0.98, 0.99].map(|floor| recall_at(&curve, floor)),
        table: ladder(&curve).into_iter().map(|t| point_at(&curve, t)).collect(),
        cases: if with_cases { cases(&selected, &best.rows, threshold) } else { BTreeMap::new() },
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The order of scores, in which the two zeros are one.
fn order(a: f64, b: f64) -> Ordering {
    (a + 0.0).total_cmp(&(b + 0.0))
}

/// The counts after each distinct score, from the surest down.
fn curve(best: &[(&Truth, &Prediction)], entities: usize) -> Vec<Point> {
    let mut rows = best.to_vec();
    rows.sort_by(|a, b| order(b.1.score, a.1.score));
    let mut hit: FxHashSet<(&str, &str)> = FxHashSet::default();
    let (mut wrong, mut correct, mut seen) = (0, 0, 0);
    let mut points = Vec::new();
    for group in rows.chunk_by(|a, b| order(a.1.score, b.1.score).is_eq()) {
        for (of, prediction) in group {
            if of.profile_id == prediction.profile_id {
                hit.insert((&of.object, &of.profile_id));
                correct += 1;
            } else {
                wrong += 1;
            }
        }
        seen += group.len();
        let precision = ratio(hit.len(), hit.len() + wrong);
        let recall = ratio(hit.len(), entities);
        let sum = precision + recall;
        points.push(Point {
            threshold: group[0].1.score,
            precision,
            recall,
            f1: if sum == 0.0 { 0.0 } else { 2.0 * precision * recall / sum },
            predicted: seen,
            true_positives: hit.len(),
            false_positives: wrong,
            correct_records: correct,
            reached: true,
        });
    }
    points
}

fn point_at(curve: &[Point], threshold: f64) -> Point {
    curve
        .iter()
        .rev()
        .find(|point| point.threshold >= threshold)
        .copied()
        .unwrap_or_else(|| Point::unreached(threshold))
}

/// Of equal F1, the point with the highest threshold.
fn first_maximum(curve: &[Point]) -> Option<Point> {
    curve.iter().copied().reduce(|best, next| if next.f1 > best.f1 { next } else { best })
}

fn recall_at(curve: &[Point], precision: f64) -> f64 {
    curve.iter().filter(|p| p.precision >= precision).map(|p| p.recall).fold(0.0, f64::max)
}

/// Fixed thresholds for probabilities; ten even steps for scores of another range.
fn ladder(curve: &[Point]) -> Vec<f64> {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return Vec::new() };
    let (high, low) = (first.threshold, last.threshold);
    if low >= 0.0 && high <= 1.0001 {
        return vec![0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
    }
    (0..10).map(|step| low + (high - low) * f64::from(step) / 10.0).collect()
}

fn cases(
    selected: &[&Truth],
    best: &[(&Truth, &Prediction)],
    threshold: f64,
) -> BTreeMap<String, CaseCount> {
    let linked: FxHashMap<&str, &Prediction> =
        best.iter().map(|(t, p)| (t.crm_id.as_str(), *p)).collect();
    let mut counts: BTreeMap<String, CaseCount> = BTreeMap::new();
    for of in selected {
        let count = counts.entry(format!("{}/{}", of.object, of.case)).or_default();
        count.records += 1;
        match linked.get(of.crm_id.as_str()) {
            Some(p) if p.score >= threshold && p.profile_id == of.profile_id => count.correct += 1,
            Some(p) if p.score >= threshold => count.wrong += 1,
            _ => {}
        }
    }
    counts
}
