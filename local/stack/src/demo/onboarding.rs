//! A customer arrives: tenant, seats, directory, connection.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use url::Url;

use super::browser::Browser;
use super::{Demo, ENVIRONMENT, Look, Seat, number, quality, text};

impl Demo {
    pub(super) async fn create_tenant(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("tenant");
        let reply = self.service.post("/v1/tenants", &json!({"name": "Demo customer"})).await?;
        self.tenant = text(&reply, "tenant_id")?;
        let plans = self.org.seats.clone();
        for (done, plan) in plans.iter().enumerate() {
            step.of(done as u64, plans.len() as u64, "seats");
            let body = json!({
                "email": plan.email,
                "name": plan.name,
                "time_zone": plan.time_zone,
                "roles": plan.roles,
            });
            let reply =
                self.service.post(&format!("/v1/tenants/{}/seats", self.tenant), &body).await?;
            let username = self.org.user_of(plan).map(|user| user.username.clone());
            self.seats.push(Seat {
                id: text(&reply, "seat_id")?,
                email: plan.email.clone(),
                username,
            });
        }
        step.done(&format!("{} with {} seats", self.tenant, self.seats.len()));
        Ok(())
    }

    pub(super) async fn publish_directory(&mut self) -> anyhow::Result<()> {
        let files = self.org.directory.as_ref().context("the demo has no directory")?;
        let version = self.publish("directory", None, &files.people, &files.companies).await?;
        self.directory = text(&version, "version")?;
        self.report.section("Directory");
        self.report.line(format!(
            "{} people, {} companies in {} shards",
            number(&version, "people"),
            number(&version, "companies"),
            number(&version, "shards")
        ));
        Ok(())
    }

    /// Publishes a version from two files, on top of `base` if given, and waits for its shards.
    pub(super) async fn publish(
        &self,
        name: &'static str,
        base: Option<&str>,
        people: &Path,
        companies: &Path,
    ) -> anyhow::Result<Value> {
        let step = self.progress.step(name);
        let mut body = json!({"parts": [{"kind": "people"}, {"kind": "companies"}]});
        if let Some(base) = base {
            body["base"] = json!(base);
        }
        let reply = self.service.post("/v1/directory/versions", &body).await?;
        let version = text(&reply, "version")?;
        let uploads = reply["uploads"].as_array().map_or(&[][..], Vec::as_slice);
        ensure!(uploads.len() == 2, "two uploads were asked for: {reply}");
        for (upload, file) in uploads.iter().zip([people, companies]) {
            step.at(format!("uploading {}", file.display()));
            self.service.upload(&text(upload, "url")?, zipped(file)?).await?;
        }
        let path = format!("/v1/directory/versions/{version}");
        self.service.post(&format!("{path}/publish"), &json!({})).await?;
        let published = self
            .until("the directory version", async || {
                let version = self.service.get(&path).await?;
                let state = text(&version, "state")?;
                step.at(state.clone());
                match state.as_str() {
                    "published" => Ok(Look::Done(version)),
                    "failed" => bail!("the directory version failed: {version}"),
                    _ => {
                        let count = |name| number(&version, name);
                        let (people, companies) = (count("people"), count("companies"));
                        Ok(Look::At(format!("{state}, {people} people, {companies} companies")))
                    }
                }
            })
            .await?;
        step.done(&format!(
            "{} people, {} companies",
            number(&published, "people"),
            number(&published, "companies")
        ));
        Ok(published)
    }

    pub(super) async fn connect(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("connect");
        let user = self.org.integration_user()?.clone();
        step.at(format!("logging in as {}", user.username));
        self.log_in(&format!("{}/authorize", self.connection()), &user.username).await?;
        // Imports are asked for here: one by the schedule would find the changes of another step.
        let settings = json!({"schedule_paused": true});
        self.service.put(&format!("{}/import-settings", self.connection()), &settings).await?;
        let answer = json!({
            "step": "sync", "auto_save": true, "stage": null, "log_messages": true,
            "log_notes": true,
        });
        self.service.put(&format!("{}/wizard", self.connection()), &answer).await?;
        let connection = self.service.get(&self.connection()).await?;
        self.report.section("Connection");
        self.report.check(
            "state of the connection",
            "connected",
            text(&connection, "state")?.as_str(),
        );
        let org = &connection["org"];
        self.report.line(format!(
            "{}, {}, {} ({})",
            text(org, "name")?,
            text(org, "edition")?,
            text(org, "instance_url")?,
            text(org, "id")?
        ));
        step.done(&format!("as {}", user.username));
        Ok(())
    }

    /// Begins the authorization at `path` of the API in a new browser, and does what a person does.
    pub(super) async fn log_in(&self, path: &str, username: &str) -> anyhow::Result<()> {
        let base = self.home.api_base();
        let callback = format!("{base}/oauth/callback/{ENVIRONMENT}");
        let (reply, cookies) = self.service.post_for_cookies(path, &json!({})).await?;
        let mut browser = Browser::new()?;
        browser.keep(&Url::parse(base)?, &cookies)?;
        browser
            .authorize(&text(&reply, "authorize_url")?, username, &callback)
            .await
            .with_context(|| format!("log in as {username}"))
    }
}

/// The file as it is uploaded; a zipped one stays as it is.
fn zipped(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "gz") {
        return std::fs::read(file).with_context(|| format!("read {}", file.display()));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(quality::text(file)?.as_bytes())?;
    Ok(encoder.finish()?)
}
