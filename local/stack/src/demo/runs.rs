//! Imports, match runs and the directory's second version.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::org::OBJECTS;
use super::progress::Step;
use super::{Demo, Look, number, text};

impl Demo {
    pub(super) async fn first_import(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("import");
        let runs = format!("{}/runs", self.connection());
        let id = self
            .until("the first run", async || {
                let listed = self.service.get(&runs).await?;
                Ok(match listed["items"][0]["run_id"].as_str() {
                    Some(id) => Look::Done(id.to_owned()),
                    None => Look::At("no run yet".to_owned()),
                })
            })
            .await?;
        let run = self.finished_run(&step, &id).await?;
        self.report.section(format!("First import: {}", text(&run, "state")?));
        let live = self.control.counts().await?;
        let mut rows = 0;
        for object in OBJECTS {
            let counts = &run["objects"][object];
            let (new, own) = (number(counts, "new"), number(counts, "salesforce_count"));
            rows += new;
            let expected = self.org.rows[object];
            self.report
                .line(format!("{object:<24} {new:>7} rows, {own:>7} by the org's own count"));
            self.report.check(format!("{object}: rows imported"), &own, &new);
            self.report.check(format!("{object}: rows of the org"), &number(&live, object), &new);
            self.report.check(format!("{object}: rows of the export"), &expected, &new);
        }
        step.done(&format!("{rows} rows of {} objects", OBJECTS.len()));
        Ok(())
    }

    /// Waits for a run to end, showing how many of its objects are done.
    async fn finished_run(&self, step: &Step, id: &str) -> anyhow::Result<Value> {
        let path = format!("{}/runs/{id}", self.connection());
        self.until("the import", async || {
            // A run that was asked for is there once its first message was worked on.
            let Some(run) = self.service.find(&path).await? else {
                return Ok(Look::At("not begun".to_owned()));
            };
            let state = text(&run, "state")?;
            let objects = run["objects"].as_object().into_iter().flatten();
            let done = objects.filter(|(_, o)| o["phase"] == "done").count();
            step.of(done as u64, OBJECTS.len() as u64, &state);
            match state.as_str() {
                "complete" => Ok(Look::Done(run)),
                "failed" | "cancelled" => bail!("the run ended as {state}: {run}"),
                _ => Ok(Look::At(import_progress(&state, &run["objects"]))),
            }
        })
        .await
    }

    /// Waits for every match run to end, and for what follows from it.
    pub(super) async fn settled(&self, step: &Step) -> anyhow::Result<Vec<Value>> {
        let path = format!("{}/match-runs", self.connection());
        let runs = self
            .until("the match runs", async || {
                let runs = self.service.all(&path).await?;
                let total = |name| runs.iter().map(|run| number(run, name)).sum::<u64>();
                step.of(total("batches_done"), total("batches_total"), "batches");
                let complete = runs.iter().all(|run| run["state"] == "complete");
                Ok(if complete && !runs.is_empty() {
                    Look::Done(runs)
                } else {
                    Look::At(match_progress(&runs))
                })
            })
            .await?;
        self.until_quiet(step).await?;
        Ok(runs)
    }

    /// The accepted matches of an object.
    pub(super) async fn matches_of(&self, object: &str) -> anyhow::Result<Vec<Value>> {
        let mut decided =
            self.service.all(&format!("{}/matches?object={object}", self.connection())).await?;
        decided.retain(|record| record["decision"] == "match");
        Ok(decided)
    }

    pub(super) async fn matches(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("match");
        self.settled(&step).await?;
        self.report.section("Matches");
        let mut total = 0;
        for object in ["Account", "Contact", "Lead"] {
            let matches = self.matches_of(object).await?;
            total += matches.len();
            let rows = self.org.rows[object];
            let pairs = matches
                .iter()
                .filter_map(|m| Some((m["record_id"].as_str()?, m["entity_id"].as_str()?)));
            let quality = self.org.truth.as_ref().and_then(|truth| truth.judge(object, pairs));
            let quality = quality.map_or_else(String::new, |q| {
                format!(", precision {:.3}, recall {:.3}, F1 {:.3}", q.precision, q.recall, q.f1())
            });
            self.report.line(format!("{object:<8} {:>6} of {rows} rows{quality}", matches.len()));
            self.report
                .require(format!("{object}: something matches"), rows == 0 || !matches.is_empty());
        }
        step.done(&format!("{total} matches"));
        Ok(())
    }

    pub(super) async fn second_import(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("second import");
        let plan =
            self.org.changes.clone().unwrap_or_else(|| json!({"changes": [], "expected": {}}));
        let changes = plan["changes"].as_array().context("changes.json has no changes")?;
        for change in changes {
            self.control.change(change).await?;
        }
        let reply = self.service.post(&format!("{}/runs", self.connection()), &json!({})).await?;
        let run = self.finished_run(&step, &text(&reply, "run_id")?).await?;
        self.settled(&step).await?;
        self.report.section(format!("Second import, after {} changes in the org", changes.len()));
        for object in OBJECTS {
            let (counts, expected) = (&run["objects"][object], &plan["expected"][object]);
            for (ours, theirs) in
                [("new", "created"), ("updated", "updated"), ("deleted", "deleted")]
            {
                let what = format!("{object}: rows {theirs} in the second run");
                let mut logged =
                    if ours == "new" { self.control.created(object).await? } else { 0 };
                if ours == "new" && object == "Task" {
                    logged += u64::from(self.by_hand.is_some());
                }
                self.report.check(
                    what,
                    &(number(expected, theirs) + logged),
                    &number(counts, ours),
                );
            }
            let written =
                number(counts, "new") + number(counts, "updated") + number(counts, "deleted");
            if written > 0 {
                self.report.line(format!(
                    "{object:<24} {written:>3} rows written, {} left alone",
                    number(counts, "unchanged")
                ));
            }
        }
        self.reopened(&plan["reopened"]).await?;
        step.done(&format!("{} changes found", changes.len()));
        Ok(())
    }

    /// An opportunity that was reopened makes its account and contact saved, with nothing else
    /// changed.
    async fn reopened(&mut self, reopened: &Value) -> anyhow::Result<()> {
        let Some(email) = reopened["seat_email"].as_str() else { return Ok(()) };
        let Some(seat) = self.seats.iter().find(|s| s.email.eq_ignore_ascii_case(email)).cloned()
        else {
            bail!("changes.json names a seat that seats.json does not: {email}");
        };
        let mut saved = true;
        for (kind, entity) in [("accounts", "company_id"), ("leads", "person_id")] {
            saved &= self.has_saved(&seat, kind, &text(reopened, entity)?).await?;
        }
        self.report.require(format!("the reopened opportunity is saved for {email}"), saved);
        self.report.line(format!(
            "an opportunity reopened: its account and contact are saved for {email}: {saved}"
        ));
        Ok(())
    }

    pub(super) async fn second_directory(&mut self) -> anyhow::Result<()> {
        let (Some((people, companies)), Some(expected)) =
            (self.org.delta.clone(), self.org.expectations.clone())
        else {
            return Ok(());
        };
        let base = self.directory.clone();
        self.publish("directory delta", Some(&base), &people, &companies).await?;
        let step = self.progress.step("re-match");
        self.settled(&step).await?;
        let contacts = self.matches_of("Contact").await?;
        let of = |contact: &Value| contacts.iter().find(|m| m["record_id"] == *contact);
        let changes = expected["job_changes"].as_array().cloned().unwrap_or_default();
        let mut shown = 0;
        for change in &changes {
            // The contact still names the employer that the person has left.
            let is_shown = of(&change["contact_id"])
                .is_some_and(|m| m["entity_id"] == change["person_id"] && m["employer"] == "past");
            shown += u64::from(is_shown);
        }
        let merge = &expected["merge"];
        let merged = of(&merge["contact_id"]).is_some_and(|m| m["entity_id"] == merge["into"]);
        let retired = of(&expected["retirement"]["contact_id"]).is_none();
        self.report.section("Second directory version, nothing changed in the org");
        self.report.line(format!("{shown} of {} job changes show at their contact", changes.len()));
        self.report.line(format!(
            "a merged person is followed: {merged}; a retired one is matched no more: {retired}"
        ));
        self.report.check("job changes that show", &(changes.len() as u64), &shown);
        self.report.require("the merged person is followed", merged);
        self.report.require("the retired person is matched no more", retired);
        step.done(&format!("{shown} job changes show"));
        Ok(())
    }
}

/// How far an import is: the phase of each object that is under way, and everything counted.
fn import_progress(state: &str, objects: &Value) -> String {
    let objects: Vec<(&String, &Value)> = objects.as_object().into_iter().flatten().collect();
    let phases = objects.iter().filter(|(_, object)| object["phase"] != "done");
    let phases: Vec<String> =
        phases.map(|(name, object)| format!("{name} {}", object["phase"])).collect();
    let total = |names: &[&str]| {
        let counts = objects.iter().flat_map(|(_, object)| names.iter().map(|n| number(object, n)));
        counts.sum::<u64>()
    };
    format!(
        "{state}, {} rows fetched in {} pages, {} rows decided, {} ids compared, not done: {}",
        total(&["rows_fetched"]),
        total(&["pages"]),
        total(&["new", "updated", "unchanged", "deleted", "skipped", "failed"]),
        total(&["ids_compared"]),
        phases.join(", "),
    )
}

/// How far the match runs are.
fn match_progress(runs: &[Value]) -> String {
    let run = |run: &Value| {
        let batches = (number(run, "batches_done"), number(run, "batches_total"));
        format!("{} {}: {} of {} batches", run["match_run_id"], run["state"], batches.0, batches.1)
    };
    let runs: Vec<String> = runs.iter().map(run).collect();
    if runs.is_empty() { "no match run yet".to_owned() } else { runs.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_an_import_changes_with_every_count_and_phase() {
        let at = |account: Value| import_progress("running", &json!({ "Account": account }));
        let start = at(json!({"phase": "queued"}));
        assert_eq!(
            start,
            "running, 0 rows fetched in 0 pages, 0 rows decided, 0 ids compared, \
             not done: Account \"queued\""
        );
        let names = ["rows_fetched", "pages", "new", "unchanged", "deleted", "ids_compared"];
        for name in names {
            assert_ne!(at(json!({"phase": "queued", name: 1})), start, "{name}");
        }
        assert_ne!(at(json!({"phase": "writing"})), start);
        assert_ne!(at(json!({"phase": "done"})), start);
    }

    #[test]
    fn the_clock_alone_is_no_progress_of_an_import() {
        let at = |seconds: u64| {
            let object = json!({"phase": "queued", "seconds_left": seconds});
            import_progress("running", &json!({ "Account": object }))
        };
        assert_eq!(at(9), at(8));
    }
}
