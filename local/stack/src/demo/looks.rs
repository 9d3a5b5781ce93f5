//! What a seller looks at in the CRM, and what the admin looks at before turning something on.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Value, json};

use super::changes::Panel;
use super::{Demo, Look, Seat, number, text};

/// The rules of auto-save that are off at first.
const MORE_RULES: [&str; 4] = [
    "save_owned_accounts",
    "save_team_accounts",
    "save_people_of_owned_accounts",
    "save_owned_people",
];

impl Demo {
    /// A seller looks at their rights, at how a person is reached and at an account's
    /// opportunities; the admin finds users by role, and has auto-save tried out.
    pub(super) async fn looks(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("look");
        let seat = self.writers().next().cloned().context("no seat has a user of the org")?;
        let panel = self.panel(&seat).await?;
        self.report.section("What a seller and the admin look at");
        self.rights(&panel).await?;
        self.contact_data(&panel).await?;
        self.opportunities(&panel, &seat).await?;
        self.kept_list(&panel, &seat).await?;
        step.at("users by role".to_owned());
        self.users_by_role().await?;
        step.at("a dry run of auto-save".to_owned());
        self.dry_run().await?;
        step.at("rules of matching".to_owned());
        self.rules_tried().await?;
        self.same_settings().await?;
        step.done(
            "rights, contact data, opportunities, a list, users by role, what other rules would do",
        );
        Ok(())
    }

    async fn rights(&mut self, panel: &Panel) -> anyhow::Result<()> {
        let found = panel.api.get(&format!("{}/crm/preflight", panel.seat)).await?;
        let checks = found["checks"].as_array().map_or(0, Vec::len);
        self.report.require("the seller can do all that is turned on", found["ready"] == true);
        self.report.line(format!("the seller has the rights for all that is on: {checks} checked"));
        Ok(())
    }

    /// What is told of a person is what their record has.
    async fn contact_data(&mut self, panel: &Panel) -> anyhow::Result<()> {
        let matches = self.matches_of("Contact").await?;
        let people = matches.iter().filter_map(|matched| matched["entity_id"].as_str());
        let people: BTreeSet<&str> = people.collect();
        let (mut told, mut told_of) = (Value::Null, String::new());
        // The same ones in every home: a list is not in the order of people.
        for person in people.into_iter().take(20) {
            let path = format!("{}/crm/people/{person}/contact-data", panel.seat);
            told = panel.api.get(&path).await?;
            person.clone_into(&mut told_of);
            if told["points"].as_array().is_some_and(|points| points.len() > 1) {
                break;
            }
        }
        let row = self.control.row(&text(&told, "object")?, &text(&told, "record_id")?).await?;
        let points = told["points"].as_array().context("contact data has points")?;
        let as_stored = |point: &Value| {
            point["field"].as_str().is_some_and(|field| row[field] == point["value"])
        };
        let is_same = !points.is_empty() && points.iter().all(as_stored);
        self.report.require("contact data is the record's", is_same);
        let fields: Vec<&str> = points.iter().filter_map(|point| point["field"].as_str()).collect();
        self.report.line(format!("a person is reached by {}", fields.join(", ")));
        self.match_dialog(&text(&told, "record_id")?, &told_of).await?;
        Ok(())
    }

    /// What a seller who doubts the badge looks at.
    async fn match_dialog(&mut self, record: &str, person: &str) -> anyhow::Result<()> {
        let path = format!("{}/entities/person/{person}", self.connection());
        let shown = self.service.get(&path).await?;
        self.report.check(
            "the match dialog's link",
            record,
            text(&shown["link"], "record_id")?.as_str(),
        );
        let records = shown["records"].as_array().map_or(0, Vec::len);
        self.report.line(format!("the match dialog shows {records} record(s) that may be them"));
        Ok(())
    }

    async fn opportunities(&mut self, panel: &Panel, seat: &Seat) -> anyhow::Result<()> {
        let saved = self.saved_of(seat, "accounts").await?;
        let Some(account) = saved.first() else { return Ok(()) };
        let account = text(account, "record")?;
        let shown =
            panel.api.get(&format!("{}/accounts/{account}/opportunities", panel.seat)).await?;
        let items = shown["items"].as_array().context("a panel has opportunities")?;
        for deal in items {
            let row = self.control.row("Opportunity", &text(deal, "opportunity_id")?).await?;
            self.report.check(
                "an opportunity's account",
                account.as_str(),
                text(&row, "AccountId")?.as_str(),
            );
        }
        self.report.require("a saved account shows its opportunities", !items.is_empty());
        self.report.line(format!("a saved account shows {} of its opportunities", items.len()));
        Ok(())
    }

    /// All users of the org are in its roles or in none.
    async fn users_by_role(&mut self) -> anyhow::Result<()> {
        let connection = self.connection();
        let roles = self.service.get(&format!("{connection}/crm-roles")).await?;
        let roles = roles["items"].as_array().cloned().unwrap_or_default();
        let all = self.service.all(&format!("{connection}/crm-users?words=")).await?;
        let users = self.org.rows.get("User").copied().unwrap_or_default();
        self.report.check("users of the org", &users, &(all.len() as u64));
        let mut within = 0;
        for top in roles.iter().filter(|role| role["parent_id"].is_null()) {
            let path = format!("{connection}/crm-users?role={}", text(top, "role_id")?);
            within += self.service.all(&path).await?.len();
        }
        let without = all.iter().filter(|user| user["role_id"].is_null()).count();
        self.report.check("users in roles, and in none", &all.len(), &(within + without));
        let seated = all.iter().filter(|user| user["seat_id"].is_string()).count();
        self.report.line(format!(
            "{} users in {} roles, {seated} of them with a seat",
            all.len(),
            roles.len()
        ));
        Ok(())
    }

    /// What more rules would save is counted, and not saved.
    async fn dry_run(&mut self) -> anyhow::Result<()> {
        let before = self.entries().await?;
        let told = self.every_rule_tried().await?;
        let after = self.entries().await?;
        self.report.check("entries of all lists after a dry run", &before, &after);
        self.report.check(
            "seats of the dry run",
            &(self.seats.len() as u64),
            &number(&told, "seats"),
        );
        self.report.line(format!(
            "four more rules would save {} accounts and {} people: counted, and not saved",
            number(&told, "accounts"),
            number(&told, "leads")
        ));
        Ok(())
    }

    /// What every rule of auto-save would save for all seats.
    pub(super) async fn every_rule_tried(&self) -> anyhow::Result<Value> {
        let path = format!("{}/saving/dry-run", self.connection());
        let more: Value = MORE_RULES.iter().map(|rule| ((*rule).to_owned(), json!(true))).collect();
        self.service.post(&path, &more).await?;
        self.until("the dry run", async || {
            let told = self.service.get(&path).await?;
            let seats = number(&told, "seats");
            let is_over = told["finished_at"].is_string();
            Ok(if is_over { Look::Done(told) } else { Look::At(format!("{seats} seats")) })
        })
        .await
    }

    /// What stricter rules of matching would drop is counted, and nothing is dropped.
    async fn rules_tried(&mut self) -> anyhow::Result<()> {
        let path = format!("{}/match-rules/preview", self.connection());
        let summary = format!("{}/matches/summary", self.connection());
        let before = self.service.get(&summary).await?;
        let stricter = json!({ "rules": { "Lead": { "match_at": 0.999 } } });
        self.service.post(&path, &stricter).await?;
        let tried = self.until("the trial of rules", async || {
            let told = self.service.get(&path).await?;
            let is_over = told["finished_at"].is_string();
            Ok(if is_over { Look::Done(told) } else { Look::At("records".to_owned()) })
        });
        let told = tried.await?;
        let objects = told["objects"].as_array().context("a trial has objects")?;
        let lead = objects.iter().find(|of| of["object"] == "Lead").context("leads are tried")?;
        let now = &before["Lead"];
        let matched = number(now, "matched") + number(now, "duplicate");
        self.report.check("leads matched as the trial has it", &matched, &number(lead, "matched"));
        let after = self.service.get(&summary).await?;
        self.report.require("a trial of rules changes nothing", before == after);
        self.report.line(format!(
            "were leads matched from 99.9 % on, {} of {matched} would be up for review",
            number(lead, "lost"),
        ));
        Ok(())
    }

    /// How many entries the lists of all seats have.
    async fn entries(&self) -> anyhow::Result<usize> {
        let mut entries = 0;
        for seat in &self.seats {
            for kind in ["accounts", "leads"] {
                entries += self.saved_of(seat, kind).await?.len();
            }
        }
        Ok(entries)
    }

    /// The settings as a file change nothing.
    async fn same_settings(&mut self) -> anyhow::Result<()> {
        let settings = format!("{}/settings", self.connection());
        let file = self.service.get(&format!("{settings}/export")).await?;
        let diff = self.service.post(&format!("{settings}/diff"), &file).await?;
        self.report.check(
            "settings that their own file changes",
            &0,
            &diff["changes"].as_array().map_or(1, Vec::len),
        );
        let all = file["settings"].as_object().map_or(0, serde_json::Map::len);
        self.report.line(format!("the {all} settings as a file: taken in again, it changes none"));
        Ok(())
    }
}
