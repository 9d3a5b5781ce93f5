//! A seller keeps a list of accounts with a colleague, and sees beside each what the two of them
//! have under way there.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::json;

use super::changes::Panel;
use super::{Demo, Seat, number, text};

/// How many accounts the list gets.
const ACCOUNTS: usize = 20;

impl Demo {
    /// The seller makes a list, by a call that comes twice, and shares it.
    pub(super) async fn kept_list(&mut self, panel: &Panel, seat: &Seat) -> anyhow::Result<()> {
        let colleague = self.writers().find(|other| other.id != seat.id).cloned();
        let colleague = colleague.context("nobody else has a user of the org")?;
        let mut companies = BTreeSet::new();
        for of in [seat, &colleague] {
            for saved in self.saved_of(of, "accounts").await?.iter().take(ACCOUNTS / 2) {
                companies.insert(text(saved, "entity")?);
            }
        }
        let lists = format!("{}/lists", panel.seat);
        let new =
            json!({ "kind": "accounts", "name": "Renewals", "collaborators": [colleague.id] });
        let made = panel.api.post_once(&lists, "a-list", &new).await?;
        let again = panel.api.post_once(&lists, "a-list", &new).await?;
        self.report.require("a call that comes twice makes one list", made == again);
        self.report.check("the seller's lists", &1, &panel.api.all(&lists).await?.len());
        let entries = format!("{lists}/{}/entries", text(&made, "list_id")?);
        let added = panel.api.post(&entries, &json!({ "entity_ids": companies })).await?;
        self.report.check("accounts added", &(companies.len() as u64), &number(&added, "added"));
        let mut owners = BTreeSet::new();
        for of in [seat, &colleague] {
            let path = format!("{}/seats/{}/crm-user", self.connection(), of.id);
            owners.insert(text(&self.service.get(&path).await?, "user_id")?);
        }
        let (mut deals, mut ours) = (0, true);
        for entry in panel.api.all(&entries).await? {
            for deal in entry["account"]["opportunities"].as_array().into_iter().flatten() {
                ours &= owners.contains(&text(&deal["owner"], "user_id")?);
                deals += 1;
            }
        }
        self.report.require("all of them are of those who work on the list", ours);
        self.report.require("the list's accounts have opportunities", deals > 0);
        self.report.line(format!(
            "a list of {} accounts that two sellers keep shows {deals} opportunities of theirs",
            companies.len()
        ));
        Ok(())
    }
}
