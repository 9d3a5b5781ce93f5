//! The console: an admin comes by a link that the back end made, and looks at what came of the org;
//! whoever runs the product looks at all tenants.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use url::Url;

use super::browser::Browser;
use super::{Demo, text};

/// No page has more bytes.
const LARGEST: usize = 100_000;

/// An admin's pages below the environment, and what each has once an org is imported.
const PAGES: [(&str, &str); 18] = [
    ("", "Your CRM, in step"),
    ("/wizard", "Set up"),
    ("/health", "Last run"),
    ("/runs", "Run now"),
    ("/matches", "How sure the matching is"),
    ("/review", "Review"),
    ("/duplicates", "Duplicates"),
    ("/rules", "Rules of matching"),
    ("/models", "Learning"),
    ("/fields", "Fields"),
    ("/filters", "Filters"),
    ("/schedule", "Schedule"),
    ("/saving", "Saving and logging"),
    ("/seats", "Seats"),
    ("/audit", "Audit log"),
    ("/doctor", "The same org"),
    ("/network", "Network access"),
    ("/leave", "Disconnect"),
];

/// The pages for who runs the product.
const OF_OPERATORS: [(&str, &str); 3] =
    [("", "Connected"), ("/directory", "Current"), ("/queues", "Write-back")];

impl Demo {
    /// Every page of the connected org, and those of who runs the product.
    pub(super) async fn pages(&mut self) -> anyhow::Result<()> {
        let step = self.progress.step("console");
        let admin = json!({ "tenant": self.tenant, "subject": "ada", "roles": ["admin"] });
        let mut browser = self.logged_in(&admin).await?;
        let mut held = 0;
        for (page, words) in PAGES {
            held += usize::from(self.shows(&mut browser, "production", page, words).await?);
        }
        let operator = json!({ "subject": "olga", "roles": ["service"] });
        let mut browser = self.logged_in(&operator).await?;
        for (page, words) in OF_OPERATORS {
            held += usize::from(self.shows(&mut browser, "operate", page, words).await?);
        }
        let pages = PAGES.len() + OF_OPERATORS.len();
        self.report.section("The console");
        self.report.check("pages that show what they should", &pages, &held);
        self.report.line(format!("an admin and an operator looked at {pages} pages"));
        step.done(&format!("{held} pages"));
        Ok(())
    }

    /// How long an admin's pages take, each so many times.
    pub(super) async fn page_times(&self, times: usize) -> anyhow::Result<Vec<Duration>> {
        let admin = json!({ "tenant": self.tenant, "subject": "ada", "roles": ["admin"] });
        let mut browser = self.logged_in(&admin).await?;
        let mut took = Vec::with_capacity(times * PAGES.len());
        for _ in 0..times {
            for (page, words) in PAGES {
                let began = Instant::now();
                let shown = self.shows(&mut browser, "production", page, words).await?;
                took.push(began.elapsed());
                ensure!(shown, "the page {page} does not show {words}");
            }
        }
        Ok(took)
    }

    /// A browser of somebody who came by a link.
    async fn logged_in(&self, whom: &Value) -> anyhow::Result<Browser> {
        let made = self.service.post("/v1/console-links", whom).await?;
        let mut browser = Browser::new()?;
        browser.log_in(Url::parse(&text(&made, "url")?)?).await?;
        Ok(browser)
    }

    /// Whether a page of the console has these words.
    async fn shows(
        &self,
        browser: &mut Browser,
        place: &str,
        page: &str,
        words: &str,
    ) -> anyhow::Result<bool> {
        let address = format!("{}/console/{place}{page}", self.home.api_base());
        let text = browser.read(Url::parse(&address)?).await?;
        // However large the tenant is.
        ensure!(text.len() <= LARGEST, "the page {page} has {} bytes", text.len());
        Ok(text.contains(words))
    }
}
