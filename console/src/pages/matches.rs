//! Match quality: how many records were decided how, and the latest match runs.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use super::chart::{Chart, Histogram};
use crate::frame::{Frame, show as page};
use crate::guard::Visit;
use crate::trouble::Trouble;
use crate::words::{Count, Percent, When, Word};

/// The counts of one object.
#[derive(Deserialize)]
struct Counts {
    matched: Count,
    duplicate: Count,
    review: Count,
    unmatched: Count,
    #[serde(default)]
    by_probability: Vec<i64>,
}

impl Counts {
    /// The share of records that are linked, or are duplicates of linked ones.
    fn rate(&self) -> Option<Percent> {
        let linked = self.matched.0 + self.duplicate.0;
        let all = linked + self.review.0 + self.unmatched.0;
        #[expect(clippy::cast_precision_loss, reason = "shown to a tenth of a per cent")]
        let rate = |all| Percent(linked as f64 / all as f64);
        (all > 0).then(|| rate(all))
    }
}

#[derive(Deserialize)]
struct MatchRuns {
    items: Vec<MatchRun>,
}

#[derive(Deserialize)]
struct MatchRun {
    state: Word,
    trigger: Word,
    batches_total: Count,
    batches_done: Count,
    records: Count,
    changed: Count,
    started_at: When,
    finished_at: Option<When>,
}

#[derive(Template)]
#[template(path = "matches.html")]
struct Page {
    frame: Frame,
    counts: Option<BTreeMap<String, Counts>>,
    runs: Vec<MatchRun>,
    chart: Option<Chart>,
    histograms: Vec<Histogram>,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let counts: Option<BTreeMap<String, Counts>> = on.find("/matches/summary").await?;
    let runs = on.find::<MatchRuns>("/match-runs").await?;
    let runs = runs.map(|runs| runs.items).unwrap_or_default();
    let chart = counts.as_ref().and_then(chart_of);
    let histograms = counts.iter().flatten().filter_map(|(object, counts)| {
        let title = format!("{object}: how probable the best candidate is");
        Histogram::of(&title, &counts.by_probability)
    });
    let histograms = histograms.collect();
    page(&Page { frame: visit.frame("/matches").await?, counts, runs, chart, histograms })
}

fn chart_of(counts: &BTreeMap<String, Counts>) -> Option<Chart> {
    let parts =
        [("Matched", "good"), ("Duplicate", "calm"), ("Review", "warn"), ("Unmatched", "faint")];
    let rows = counts.iter().map(|(object, c)| {
        let values = [c.matched, c.duplicate, c.review, c.unmatched];
        (object.clone(), values.map(|count| count.0).to_vec())
    });
    Chart::of("Records by decision", &parts, &rows.collect::<Vec<_>>())
}
