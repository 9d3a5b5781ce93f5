//! The badges that sellers see, against the truth of the org.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Value, json};

use super::quality::{Truth, text as text_of};
use super::{Demo, text};

/// As many as one call takes.
pub(super) const AT_ONCE: usize = 100;

/// How many badges say what, and how many of those are right.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    all: usize,
    right: usize,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.all += 1;
        self.right += usize::from(right);
    }
}

/// What badges say, by their state.
type Said = BTreeMap<String, Tally>;

impl Demo {
    /// Asks for the badge of every person and company of the directory.
    pub(super) async fn badges(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("badges");
        let Some(files) = self.org.directory.clone() else {
            step.done("no directory");
            return Ok(());
        };
        self.report.section("Badges");
        let mut asked = 0;
        let kinds = [
            ("person", &files.people, &["Contact", "Lead"][..]),
            ("company", &files.companies, &["Account"][..]),
        ];
        for (kind, file, objects) in kinds {
            let ids = ids(&text_of(file)?)?;
            step.at(format!("{} of kind {kind}", ids.len()));
            let badges = self.badges_of(kind, &ids).await?;
            asked += badges.len();
            self.report.check(format!("badges of kind {kind}"), &ids.len(), &badges.len());
            let mut linked = 0;
            for object in objects {
                linked += self.matches_of(object).await?.len();
            }
            let shown = badges.iter().filter(|badge| badge["record"].is_object()).count();
            self.report.check(format!("{kind}: badges in the CRM and matches"), &linked, &shown);
            let said = self.org.truth.as_ref().map_or_else(Said::default, |t| judged(t, &badges));
            for (state, Tally { all, right }) in said {
                self.report
                    .line(format!("{kind:<8} {state:<12} {all:>6}, {right:>6} of them right"));
            }
        }
        step.done(&format!("{asked} badges"));
        Ok(())
    }

    pub(super) async fn badges_of(&self, kind: &str, ids: &[String]) -> anyhow::Result<Vec<Value>> {
        let seat = self.seats.first().context("there is no seat")?;
        let path = format!("{}/seats/{}/badges", self.connection(), seat.id);
        let mut badges = Vec::with_capacity(ids.len());
        for ids in ids.chunks(AT_ONCE) {
            let asked = json!({ "entity_kind": kind, "entity_ids": ids });
            let answer = self.service.post(&path, &asked).await?;
            badges.extend(answer["badges"].as_array().into_iter().flatten().cloned());
        }
        Ok(badges)
    }
}

fn ids(lines: &str) -> anyhow::Result<Vec<String>> {
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| text(&serde_json::from_str(line)?, "id")).collect()
}

/// Judges badges. `In CRM` is right for an entity's own record, `not in CRM` for an entity without
/// one. `Out of date` is right for an own record unless its employer is said to be stale and is
/// not: the truth knows no titles and places. `Stale` are the own records whose employer truly is
/// stale; right are those of which the badge says so.
fn judged(truth: &Truth, badges: &[Value]) -> Said {
    let (mut said, recorded) = (Said::new(), truth.entities());
    for badge in badges {
        let (entity, record) = (badge["entity_id"].as_str(), badge["record"]["record_id"].as_str());
        let facts = badge["outdated"].as_array().into_iter().flatten();
        let left = facts.clone().any(|outdated| outdated["fact"] == "company");
        let Some(record) = record else {
            let right = entity.is_some_and(|entity| !recorded.contains(entity));
            said.entry("not in CRM".to_owned()).or_default().add(right);
            continue;
        };
        let own = truth.entity_of(record) == entity;
        said.entry("in CRM".to_owned()).or_default().add(own);
        if badge["state"] == "out_of_date" {
            // Only the employer is judged; a badge by title or place alone is counted as said.
            let right = own && (!left || truth.is_stale(record));
            said.entry("out of date".to_owned()).or_default().add(right);
        }
        if own && truth.is_stale(record) {
            said.entry("stale".to_owned()).or_default().add(left);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: &str = "crm_id,profile_id,object,case\nL1,p1,Lead,match\nL2,p2,Lead,\
         match_stale_employer\nL3,,Lead,nomatch_random\nL4,p4,Lead,match\n";

    fn badge(entity: &str, record: Option<&str>, facts: &[&str]) -> Value {
        let outdated: Vec<Value> = facts.iter().map(|fact| json!({ "fact": fact })).collect();
        let state = match (record, facts) {
            (None, _) => "not_in_crm",
            (Some(_), []) => "in_crm",
            (Some(_), _) => "out_of_date",
        };
        let record = record.map(|record| json!({ "record_id": record }));
        json!({ "entity_id": entity, "state": state, "record": record, "outdated": outdated })
    }

    #[test]
    fn badges_are_judged_by_whose_record_it_is_and_whether_its_employer_is_stale() {
        let truth = Truth::parse(TRUTH).unwrap();
        let said = judged(
            &truth,
            &[
                badge("p1", Some("L1"), &["company"]),
                badge("p2", Some("L2"), &["company", "title"]),
                badge("p3", Some("L3"), &[]),
                badge("p4", None, &[]),
                badge("p5", None, &[]),
            ],
        );
        let tally = |all, right| Tally { all, right };
        assert_eq!(said["in CRM"], tally(3, 2));
        assert_eq!(said["not in CRM"], tally(2, 1));
        assert_eq!(said["out of date"], tally(2, 1));
        assert_eq!(said["stale"], tally(1, 1));
    }
}
