//! The sellers' part: saved accounts and leads, and activities in the CRM.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::api::Api;
use super::{Demo, Look, Seat, text};
use crate::issuer::Caller;

/// Sellers who log something.
const WRITERS: usize = 2;
/// The activities: what is posted besides what all have, and the subject that Salesforce must show.
const ACTIVITIES: [(&str, &str, &str); 6] = [
    ("message", r#"{ "body": "Written by the demo." }"#, "Message sent from Sales Navigator"),
    (
        "inmail",
        r#"{ "body": "Written by the demo.", "subject": "A question" }"#,
        "InMail sent from Sales Navigator – A question",
    ),
    ("note", r#"{ "body": "Written by the demo." }"#, "Notes from Sales Navigator"),
    ("call", r#"{ "source": "mobile" }"#, "Phone Call from Sales Navigator"),
    (
        "smart_link_view",
        r#"{ "subject": "Our offer", "link": "https://offer.example/42", "location": "Oslo" }"#,
        "Smart Link View from Sales Navigator – Our offer",
    ),
    (
        "connection_request",
        r#"{ "body": "Shall we talk?" }"#,
        "Connection Request sent from Sales Navigator – Shall we talk?",
    ),
];

impl Demo {
    pub(super) async fn saved(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("auto-save");
        self.until_quiet(&step).await?;
        self.report
            .section("Saved by the default rule: accounts and contacts of own open opportunities");
        let mut total = 0;
        for seat in self.seats.clone() {
            let accounts = self.saved_of(&seat, "accounts").await?.len();
            let leads = self.saved_of(&seat, "leads").await?.len();
            total += accounts + leads;
            if accounts + leads > 0 {
                self.report
                    .line(format!("{:<34} {accounts:>4} accounts {leads:>4} leads", seat.email));
            }
        }
        self.report.require("something is saved", total > 0);
        step.done(&format!("{total} saved for {} seats", self.seats.len()));
        Ok(())
    }

    pub(super) async fn saved_of(&self, seat: &Seat, kind: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!(
            "/v1/tenants/{}/connections/production/seats/{}/saved?kind={kind}",
            self.tenant, seat.id
        );
        self.service.all(&path).await
    }

    /// True if a seat has saved an entity of the directory.
    pub(super) async fn has_saved(
        &self,
        seat: &Seat,
        kind: &str,
        entity: &str,
    ) -> anyhow::Result<bool> {
        Ok(self.saved_of(seat, kind).await?.iter().any(|item| item["entity"] == entity))
    }

    /// The seats that log activities: sellers with a user of the org.
    pub(super) fn writers(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.username.is_some()).take(WRITERS)
    }

    pub(super) async fn write_back(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("write back");
        let writers: Vec<Seat> = self.writers().cloned().collect();
        let mut logged = Vec::new();
        for seat in &writers {
            let username =
                seat.username.as_deref().context("a seat without a user cannot log in")?;
            step.at(format!("{username} logs in"));
            let path = format!("{}/seats/{}/authorize", self.connection(), seat.id);
            self.log_in(&path, username).await?;
            logged.extend(self.log_all(seat).await?);
        }
        self.report.section("Written to Salesforce and read back");
        for (id, kind, subject) in &logged {
            let row = self.control.row(if *kind == "note" { "Note" } else { "Task" }, id).await?;
            let field = if *kind == "note" { "Title" } else { "Subject" };
            self.report.check(format!("{id}: {field}"), *subject, text(&row, field)?.as_str());
            self.report.line(format!("{id} {}", text(&row, field)?));
        }
        self.report.check("activities logged", &(writers.len() * ACTIVITIES.len()), &logged.len());
        for (object, per_seller) in [("Task", 5), ("Note", 1)] {
            let created = self.control.created(object).await?;
            let expected = per_seller * writers.len() as u64;
            self.report.check(
                format!("{object}s that Salesforce was asked to create"),
                &expected,
                &created,
            );
        }
        let message = logged.iter().find(|(_, kind, _)| *kind == "message");
        if let (Some(seat), Some((task, ..))) = (writers.first(), message) {
            let (person, task) =
                (self.person_of(seat).await?, self.control.row("Task", task).await?);
            self.log_by_hand(seat, person, &task).await?;
        }
        step.done(&format!("{} activities of {} sellers", logged.len(), writers.len()));
        Ok(())
    }

    /// Posts one activity of each kind as `seat`, and waits until each is in Salesforce.
    async fn log_all(
        &self,
        seat: &Seat,
    ) -> anyhow::Result<Vec<(String, &'static str, &'static str)>> {
        let caller = Caller { roles: &["seat"], tenant: Some(&self.tenant), seat: Some(&seat.id) };
        let api = Api::new(self.home.api_base(), self.home.token(caller).await?)?;
        let person = self.person_of(seat).await?;
        let path = format!("{}/activities", self.connection());
        let mut posted = Vec::new();
        for (kind, said, subject) in ACTIVITIES {
            let mut body = json!({
                "kind": kind,
                "entity_kind": "person",
                "entity_id": person,
                "occurred_at": "2026-11-20T09:30:00Z",
            });
            let said: Map<String, Value> = serde_json::from_str(said)?;
            body.as_object_mut().context("an activity is an object")?.extend(said);
            let key = format!("demo-{}-{kind}", seat.id);
            let reply = api.post_once(&path, &key, &body).await?;
            // Sent again, as a product does that saw no answer: it must stay one activity.
            let again = api.post_once(&path, &key, &body).await?;
            let id = text(&reply, "activity_id")?;
            if text(&again, "activity_id")? != id {
                bail!("the same activity was accepted twice: {reply} {again}");
            }
            posted.push((id, kind, subject));
        }
        let mut logged = Vec::new();
        for (id, kind, subject) in posted {
            logged.push((self.salesforce_id(&api, &format!("{path}/{id}")).await?, kind, subject));
        }
        Ok(logged)
    }

    async fn salesforce_id(&self, api: &Api, path: &str) -> anyhow::Result<String> {
        self.ended(api, path).await?;
        text(&api.get(path).await?, "salesforce_id")
    }

    /// Waits until an activity is in the CRM, and tells in which state.
    pub(super) async fn ended(&self, api: &Api, path: &str) -> anyhow::Result<String> {
        self.until("the activity", async || {
            let activity = api.get(path).await?;
            let state = text(&activity, "state")?;
            Ok(match state.as_str() {
                // It is released after a login, a moment later.
                "queued" | "held" => Look::At(state),
                "logged" | "logged_before" => Look::Done(state),
                _ => bail!("the activity was not logged: {activity}"),
            })
        })
        .await
    }

    /// A person whom the seat has saved, else any who is matched.
    pub(super) async fn person_of(&self, seat: &Seat) -> anyhow::Result<String> {
        if let Some(saved) = self.saved_of(seat, "leads").await?.first() {
            return text(saved, "entity");
        }
        let matches = self.matches_of("Contact").await?;
        text(matches.first().context("no contact is matched")?, "entity_id")
    }
}
