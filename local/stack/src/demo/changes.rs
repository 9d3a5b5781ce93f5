//! What a seller creates, updates and undoes in the CRM.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::api::Api;
use super::{Demo, Look, Seat, text};
use crate::issuer::Caller;

/// A seller at their changes.
pub(super) struct Panel {
    pub(super) api: Api,
    /// The seat's place in the API.
    pub(super) seat: String,
}

impl Demo {
    /// A seller creates a lead by the org's own form, updates it, and undoes that; then an account,
    /// and two updates that they approve and undo together.
    pub(super) async fn changes(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("create");
        let seat = self.writers().next().cloned().context("no seat has a user of the org")?;
        let on = json!({ "create_leads": true, "update_leads": true, "create_accounts": true,
            "update_accounts": true, "bulk_changes": true });
        self.service.patch(&format!("{}/settings", self.connection()), &on).await?;
        let panel = self.panel(&seat).await?;
        self.report.section("Created, updated and undone in Salesforce");

        let form = panel.api.get(&format!("{}/crm/forms/Lead", panel.seat)).await?;
        let fields = form["fields"].as_array().into_iter().flatten();
        let (all, required) = fields.fold((0, 0), |(all, required), field| {
            (all + 1, required + u32::from(field["required"] == true))
        });
        self.report
            .line(format!("the org's form for a lead has {all} fields, {required} required"));

        step.at("a lead".to_owned());
        let name = json!({ "FirstName": "Ida", "LastName": "Aurelian", "Company": "Aurelian Ltd" });
        let create = json!({ "kind": "create", "object": "Lead", "fields": name });
        let created = self.made(&panel, "changes", Some(("demo-create", &create))).await?;
        let lead = text(&created, "record_id")?;
        let row = self.control.row("Lead", &lead).await?;
        self.report.check("the new lead's name", "Aurelian", text(&row, "LastName")?.as_str());
        self.report.line("a lead is created, once, and read back");

        let title = json!({ "Title": { "from": null, "to": "Buyer" } });
        let update =
            json!({ "kind": "update", "object": "Lead", "record_id": lead, "fields": title });
        let updated = self.made(&panel, "changes", Some(("demo-update", &update))).await?;
        let row = self.control.row("Lead", &lead).await?;
        self.report.check("the lead's title", "Buyer", text(&row, "Title")?.as_str());
        self.report.line("its title is updated from what the seller saw");

        self.made(&panel, &undo_of(&updated)?, None).await?;
        let row = self.control.row("Lead", &lead).await?;
        self.report.require("the title is gone again", row["Title"].is_null());
        self.report.line("the update is undone");

        step.at("an account".to_owned());
        let name = json!({ "Name": "Aurelian Lamps" });
        let create = json!({ "kind": "create", "object": "Account", "fields": name });
        let created = self.made(&panel, "changes", Some(("demo-account", &create))).await?;
        let account = text(&created, "record_id")?;
        let row = self.control.row("Account", &account).await?;
        self.report.check("the new account's name", "Aurelian Lamps", text(&row, "Name")?.as_str());
        self.report.line("an account is created, since the admin allows it");
        self.together(&panel, &lead, &account).await?;
        self.test_note(&panel, &lead).await?;
        step.at("a login that ends".to_owned());
        self.waits(&panel, &seat).await?;
        self.until_quiet(&step).await?;
        self.report.line(
            "badge, match, create, update, log, undo: what docs/seller-panel.md walks through",
        );
        step.done("a lead and an account created; updates made and undone, one and many at once");
        Ok(())
    }

    /// A seller approves updates of a lead and an account together, and undoes them together.
    async fn together(&mut self, panel: &Panel, lead: &str, account: &str) -> anyhow::Result<()> {
        let update = |object: &str, id: &str, field: &str, to: &str| {
            let fields = json!({ field: { "from": null, "to": to } });
            json!({ "kind": "update", "object": object, "record_id": id, "fields": fields })
        };
        let site = "https://aurelian.example";
        let approved = json!({ "changes": [
            update("Lead", lead, "Title", "Buyer"),
            update("Account", account, "Website", site),
        ] });
        let at = format!("{}/bulks", panel.seat);
        let posted = panel.api.post_once(&at, "demo-bulk", &approved).await?;
        self.all_made(panel, &posted).await?;
        let row = self.control.row("Account", account).await?;
        self.report.check("the account's website", site, text(&row, "Website")?.as_str());
        self.report.line("a lead's title and an account's website are updated together");

        let at = format!("{at}/{}/undo", text(&posted, "bulk_id")?);
        let undone = panel.api.post(&at, &json!({})).await?;
        self.all_made(panel, &undone).await?;
        let (row, of_lead) =
            (self.control.row("Account", account).await?, self.control.row("Lead", lead).await?);
        let is_gone = row["Website"].is_null() && of_lead["Title"].is_null();
        self.report.require("both updates are gone again", is_gone);
        self.report.line("both are undone together");
        Ok(())
    }

    /// A seller tries whether what they do can be logged: a note is written, read back and removed.
    async fn test_note(&mut self, panel: &Panel, lead: &str) -> anyhow::Result<()> {
        let on = json!({ "object": "Lead", "record_id": lead });
        let note = panel.api.post(&format!("{}/crm/test-note", panel.seat), &on).await?;
        self.report.require("the test note is gone again", note["removed"] == true);
        self.report
            .line(format!("a test note is read back and removed: {}", text(&note, "title")?));
        Ok(())
    }

    /// What a seller does while they are logged out waits for their login.
    async fn waits(&mut self, panel: &Panel, seat: &Seat) -> anyhow::Result<()> {
        panel.api.delete(&format!("{}/authorization", panel.seat)).await?;
        let person = self.person_of(seat).await?;
        let message = json!({ "kind": "message", "entity_kind": "person", "entity_id": person,
            "body": "Written without a login.", "occurred_at": "2026-11-21T09:30:00Z" });
        let path = format!("{}/activities", self.connection());
        let held = panel.api.post_once(&path, "demo-held", &message).await?;
        self.report.check("a message without a login", "held", text(&held, "state")?.as_str());
        self.report.line(format!("a message without a login waits: {}", text(&held, "reason")?));
        let username = seat.username.as_deref().context("a seat without a user cannot log in")?;
        self.log_in(&format!("{}/authorize", panel.seat), username).await?;
        let path = format!("{path}/{}", text(&held, "activity_id")?);
        let ended = self.ended(&panel.api, &path).await?;
        self.report.check("the message after the login", "logged", ended.as_str());
        self.report.line("it is logged after the login");
        Ok(())
    }

    /// Waits until each change that an answer names is made.
    async fn all_made(&self, panel: &Panel, answer: &Value) -> anyhow::Result<()> {
        for item in answer["items"].as_array().context("the answer names no changes")? {
            self.until_made(panel, &text(&item["change"], "change_id")?).await?;
        }
        Ok(())
    }

    pub(super) async fn panel(&self, seat: &Seat) -> anyhow::Result<Panel> {
        let caller = Caller { roles: &["seat"], tenant: Some(&self.tenant), seat: Some(&seat.id) };
        let api = Api::new(self.home.api_base(), self.home.token(caller).await?)?;
        Ok(Panel { api, seat: format!("{}/seats/{}", self.connection(), seat.id) })
    }

    /// Posts a change twice, as a product does that saw no answer, and waits until it is made.
    async fn made(
        &self,
        panel: &Panel,
        path: &str,
        new: Option<(&str, &Value)>,
    ) -> anyhow::Result<Value> {
        let at = format!("{}/{path}", panel.seat);
        let (key, body) = new.unwrap_or(("demo-undo", &Value::Null));
        let post = async || match new {
            Some(_) => panel.api.post_once(&at, key, body).await,
            None => panel.api.post(&at, &json!({})).await,
        };
        let id = text(&post().await?, "change_id")?;
        if text(&post().await?, "change_id")? != id {
            bail!("the same change was accepted twice");
        }
        self.until_made(panel, &id).await
    }

    /// A change once it is made.
    async fn until_made(&self, panel: &Panel, id: &str) -> anyhow::Result<Value> {
        let path = format!("{}/changes/{id}", panel.seat);
        self.until("the change", async || {
            let change = panel.api.get(&path).await?;
            match change["state"].as_str() {
                Some("made") => Ok(Look::Done(change)),
                Some("queued") => Ok(Look::At("queued".to_owned())),
                _ => bail!("the change was not made: {change}"),
            }
        })
        .await
    }
}

fn undo_of(change: &Value) -> anyhow::Result<String> {
    Ok(format!("changes/{}/undo", text(change, "change_id")?))
}
