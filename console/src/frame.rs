//! What surrounds every page: whose console it is, where one can go, and what was just done.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use shared::capabilities::seats::Role;
use shared::kernel::Environment;

use crate::assets;
use crate::guard::{Entry, Operating, Visit};
use crate::trouble::Trouble;
use crate::words;

/// What surrounds a page.
pub(crate) struct Frame {
    /// The customer's name; empty where nobody is told it.
    pub(crate) tenant: String,
    /// The contract includes CRM sync.
    pub(crate) entitled: bool,
    pub(crate) subject: String,
    /// The environment's name; empty for who runs the product.
    pub(crate) environment: &'static str,
    /// Below which the pages are.
    pub(crate) base: String,
    /// The same page of the other environment, and its name; none for who runs the product.
    pub(crate) other: Option<(String, &'static str)>,
    pub(crate) csrf: String,
    pub(crate) sections: Vec<Section>,
    /// What was done before this page.
    pub(crate) said: Option<&'static str>,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

/// Pages that belong together.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) places: Vec<Place>,
}

/// A page that one can go to.
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) title: &'static str,
    pub(crate) is_here: bool,
}

/// The pages for an admin: their paths below an environment, and their titles.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Connection",
        &[("", "Start"), ("/wizard", "Set up"), ("/health", "Health"), ("/runs", "Runs")],
    ),
    (
        "Matches",
        &[
            ("/matches", "Match quality"),
            ("/review", "Review"),
            ("/duplicates", "Duplicates"),
            ("/rules", "Rules"),
            ("/models", "Learning"),
            ("/record", "One record"),
        ],
    ),
    (
        "What is read and saved",
        &[
            ("/fields", "Fields"),
            ("/filters", "Filters"),
            ("/schedule", "Schedule"),
            ("/saving", "Saving and logging"),
            ("/seats", "Seats"),
        ],
    ),
    (
        "Trust",
        &[
            ("/audit", "Audit log"),
            ("/doctor", "Doctor"),
            ("/network", "Network access"),
            ("/leave", "Disconnect"),
        ],
    ),
];

/// The pages for whoever else may look at matches.
const OF_SELLERS: [(&str, &[(&str, &str)]); 1] =
    [("Matches", &[("", "Start"), ("/record", "One record")])];

/// The pages for who runs the product, below `/console/operate`.
const OF_OPERATORS: [(&str, &[(&str, &str)]); 1] =
    [("Operate", &[("", "Tenants"), ("/directory", "Directory"), ("/queues", "Queues")])];

#[derive(Deserialize)]
struct Tenant {
    name: String,
    entitled: bool,
}

impl Frame {
    /// The frame of a tenant's page.
    pub(crate) async fn of(visit: &Visit, here: &'static str) -> Result<Self, Trouble> {
        let admin = visit.has(Role::Admin);
        let tenant = if admin {
            visit.ask.of_tenant("").await?
        } else {
            Tenant { name: String::new(), entitled: true }
        };
        let sections: &[_] = if admin { &SECTIONS } else { &OF_SELLERS };
        let (environment, other) = match visit.environment {
            Environment::Production => ("Production", ("/console/sandbox", "Sandbox")),
            Environment::Sandbox => ("Sandbox", ("/console/production", "Production")),
        };
        let base = format!("/console/{}", visit.environment);
        Ok(Self {
            tenant: tenant.name,
            entitled: tenant.entitled,
            environment,
            other: Some((format!("{}{here}", other.0), other.1)),
            ..Self::around(&visit.entry, base, sections, here)
        })
    }

    /// The frame of a page for who runs the product.
    pub(crate) fn of_operator(operating: &Operating, here: &'static str) -> Self {
        Self::around(&operating.entry, "/console/operate".to_owned(), &OF_OPERATORS, here)
    }

    /// What every page has.
    fn around(
        entry: &Entry,
        base: String,
        sections: &[(&'static str, &[(&str, &'static str)])],
        here: &'static str,
    ) -> Self {
        let place = |(path, title): &(&str, &'static str)| Place {
            path: format!("{base}{path}"),
            title,
            is_here: *path == here,
        };
        let section = |(title, places): &(&'static str, &[(&str, &'static str)])| Section {
            title,
            places: places.iter().map(place).collect(),
        };
        Self {
            tenant: String::new(),
            entitled: true,
            subject: entry.session.visitor.subject.clone(),
            environment: "",
            other: None,
            csrf: entry.cookie.form_token(),
            sections: sections.iter().map(section).collect(),
            said: entry.said().and_then(words::said),
            style: assets::STYLE.path(),
            script: assets::SCRIPT.path(),
            icon: assets::ICON.path(),
            base,
        }
    }
}

/// The answer that shows a page.
pub(crate) fn show(page: &impl Template) -> Result<Response, Trouble> {
    Ok(Html(page.render().map_err(Trouble::broken)?).into_response())
}
