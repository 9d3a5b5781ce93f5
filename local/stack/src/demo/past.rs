//! What was done in the past: logged once, whoever logged it.

use serde_json::{Value, json};

use super::api::Api;
use super::{Demo, Seat, text};
use crate::issuer::Caller;

/// The day of the past activities, and what was said.
const DAY: &str = "2026-11-18";
const BY_HAND: &str = "Logged by hand.";
const FORGOTTEN: &str = "Never logged.";

/// An activity that somebody logged in Salesforce itself.
#[derive(Debug, Clone)]
pub(super) struct ByHand {
    seat: Seat,
    person: String,
}

impl Demo {
    /// A seller logs a message in Salesforce itself, about the person of a task of theirs.
    pub(super) async fn log_by_hand(
        &mut self,
        seat: &Seat,
        person: String,
        task: &Value,
    ) -> anyhow::Result<()> {
        let fields = json!({
            "Subject": "Message sent from Sales Navigator",
            "Description": BY_HAND,
            "ActivityDate": DAY,
            "Status": "Completed",
            "WhoId": task["WhoId"],
            "OwnerId": task["OwnerId"],
        });
        self.control.change(&json!({ "op": "create", "object": "Task", "fields": fields })).await?;
        self.by_hand = Some(ByHand { seat: seat.clone(), person });
        Ok(())
    }

    /// The same seller logs two messages of that day, once an import has seen what they did by
    /// hand: a dry run names it, and only the other one is written.
    pub(super) async fn log_past(&mut self) -> anyhow::Result<()> {
        let Some(ByHand { seat, person }) = self.by_hand.clone() else { return Ok(()) };
        let step = self.progress.step("log the past");
        let caller = Caller { roles: &["seat"], tenant: Some(&self.tenant), seat: Some(&seat.id) };
        let api = Api::new(self.home.api_base(), self.home.token(caller).await?)?;
        let path = format!("{}/activities", self.connection());
        let past_activity = |key: &str, body: &str| {
            json!({ "idempotency_key": key, "activity": {
                "kind": "message", "entity_kind": "person", "entity_id": person, "body": body,
                "occurred_at": format!("{DAY}T12:00:00Z"),
            } })
        };
        let past = json!([past_activity("past-1", BY_HAND), past_activity("past-2", FORGOTTEN)]);
        let at = format!("{path}/retroactive");
        let call = |dry_run: bool| json!({ "dry_run": dry_run, "activities": past });

        let told = api.post(&at, &call(true)).await?;
        let alike = told["items"][0]["alike"].as_array().map_or(0, Vec::len);
        let before = self.control.created("Task").await?;
        let taken = api.post(&at, &call(false)).await?;
        let mut states = Vec::new();
        for item in taken["items"].as_array().into_iter().flatten() {
            let id = text(&item["activity"], "activity_id")?;
            states.push(self.ended(&api, &format!("{path}/{id}")).await?);
        }
        let written = self.control.created("Task").await? - before;
        self.report.section("Logged for the past");
        self.report.check("rows of the CRM that look like the activity", &1, &alike);
        let states = states.join(", ");
        self.report.check("the states", "logged_before, logged", states.as_str());
        self.report.check("tasks written for the past", &1, &written);
        self.report.line(format!("two messages of {DAY}: {states}"));
        step.done("one was in the CRM already, one is logged");
        Ok(())
    }
}
