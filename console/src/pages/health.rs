//! Health: how the connection is, what the last run did, and the one thing to do.

use askama::Template;
use axum::response::Response;

use super::Connection;
use super::chart::Chart;
use super::doctor::Doctor;
use super::runs::{OrgCalls, RunOfObjects, Runs};
use crate::ask::AskOn;
use crate::frame::{Frame, show as page};
use crate::guard::Visit;
use crate::trouble::Trouble;
use crate::words::{Count, When};

/// How far the latest run is.
pub(super) struct Progress {
    pub(super) run: RunOfObjects,
    pub(super) fetched: Count,
    pub(super) expected: Count,
    /// Rows a second, over all objects that are read at the moment.
    pub(super) speed: Option<Count>,
    /// In whole per cent.
    pub(super) share: i64,
}

impl Progress {
    /// The progress of the run that is under way, or of the last one.
    pub(super) async fn of(on: &AskOn<'_>) -> Result<Option<Self>, Trouble> {
        let Some(runs) = on.find::<Runs>("/runs").await? else { return Ok(None) };
        let open = runs.items.iter().find(|run| run.is_open()).or(runs.items.first());
        let Some(latest) = open else { return Ok(None) };
        Ok(Some(Self::in_run(RunOfObjects::get(on, &latest.id).await?)))
    }

    fn in_run(run: RunOfObjects) -> Self {
        let sum = |of: fn(&super::runs::Object) -> Count| {
            Count(run.objects.values().map(|object| of(object).0).sum())
        };
        let fetched = sum(|object| object.rows_fetched);
        let expected = Count(sum(|object| object.rows_expected).0.max(fetched.0));
        let speeds = run.objects.values().filter_map(|object| object.rows_per_second);
        #[expect(clippy::cast_possible_truncation, reason = "rows a second are few")]
        let speed = speeds.sum::<f64>() as i64;
        let speed = (run.run.is_open() && speed > 0).then_some(Count(speed));
        let share = if expected.0 > 0 { fetched.0 * 100 / expected.0 } else { 0 };
        Self { run, fetched, expected, speed, share }
    }

    /// True while it changes by itself.
    pub(super) fn is_moving(&self) -> bool {
        self.run.run.is_open()
    }
}

#[derive(Template)]
#[template(path = "health.html")]
struct Page {
    frame: Frame,
    connection: Option<Connection>,
    runs: Option<Runs>,
    found: Option<RunOfObjects>,
    chart: Option<Chart>,
    calls: Option<Calls>,
    doctor: Option<Doctor>,
}

/// The org's calls within 24 hours: how many the last run made, how many others did, how many are
/// left.
struct Calls {
    ours: Count,
    others: Count,
    left: Count,
    seen_at: When,
    chart: Option<Chart>,
}

impl Calls {
    fn of(run: &RunOfObjects) -> Option<Self> {
        let OrgCalls { used, most, seen_at } = run.org_calls.as_ref()?;
        let ours = run.api_calls.0.min(used.0);
        let counts = [ours, used.0 - ours, (most.0 - used.0).max(0)];
        let parts = [("This run", "calm"), ("Others", "warn"), ("Left", "faint")];
        let rows = [("Calls".to_owned(), counts.to_vec())];
        let chart = Chart::of("The org’s calls within 24 hours", &parts, &rows);
        let [ours, others, left] = counts.map(Count);
        Some(Self { ours, others, left, seen_at: seen_at.clone(), chart })
    }
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let connection = on.find::<Connection>("").await?;
    let (mut runs, mut found, mut doctor) = (None, None, None);
    if connection.as_ref().is_some_and(|found| !found.state.is("disconnected")) {
        runs = on.find::<Runs>("/runs").await?;
        doctor = on.find::<Doctor>("/doctor").await?;
        if let Some(run) = runs.as_ref().and_then(|runs| runs.items.first()) {
            found = Some(RunOfObjects::get(&on, &run.id).await?);
        }
    }
    let chart = found.as_ref().and_then(chart_of);
    let calls = found.as_ref().and_then(Calls::of);
    let frame = visit.frame("/health").await?;
    page(&Page { frame, connection, runs, found, chart, calls, doctor })
}

/// The rows of a run by object, and by what became of them.
fn chart_of(run: &RunOfObjects) -> Option<Chart> {
    let parts = [
        ("New", "good"),
        ("Updated", "calm"),
        ("Unchanged", "faint"),
        ("Deleted", "warn"),
        ("Failed", "bad"),
    ];
    let rows = run.objects.iter().map(|(name, o)| {
        let counts = [o.new, o.updated, o.unchanged, o.deleted, o.failed];
        (name.clone(), counts.map(|count| count.0).to_vec())
    });
    Chart::of("Rows by object in the last run", &parts, &rows.collect::<Vec<_>>())
}
