//! What a seller creates, updates and undoes in the CRM.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::api::Api;
use super::{Demo, Look, Seat, text};
use crate::issuer::Caller;

/// A seller at their changes.
struct Panel {
    api: Api,
    /// The seat's place in the API.
    seat: String,
}

impl Demo {
    /// A seller creates a lead by the org's own form, updates it, and undoes that.
    pub(super) async fn changes(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("create");
        let seat = self.writers().next().cloned().context("no seat has a user of the org")?;
        let on = json!({ "create_leads": true, "update_leads": true });
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
        step.done("one lead created and updated; the update undone");
        Ok(())
    }

    async fn panel(&self, seat: &Seat) -> anyhow::Result<Panel> {
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
