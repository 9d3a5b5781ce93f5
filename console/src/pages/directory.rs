//! For who runs the product: versions of the directory, and publishing one.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::is_plain;
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Operating};
use crate::trouble::Trouble;
use crate::words::{Count, When, Word};

#[derive(Deserialize)]
struct Versions {
    items: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "version")]
    id: String,
    base: Option<String>,
    state: Word,
    reason: Option<String>,
    people: Count,
    companies: Count,
    shards: Count,
    skipped: BTreeMap<String, Count>,
    created_at: When,
    published_at: Option<When>,
}

impl Version {
    /// True while it is being built.
    fn is_moving(&self) -> bool {
        self.state.is("counting") || self.state.is("building")
    }
}

#[derive(Template)]
#[template(path = "directory.html")]
struct Page {
    frame: Frame,
    versions: Vec<Version>,
    /// The version that is matched to now.
    current: Option<String>,
}

impl Page {
    fn is_current(&self, version: &Version) -> bool {
        self.current.as_ref() == Some(&version.id)
    }

    fn is_moving(&self) -> bool {
        self.versions.iter().any(Version::is_moving)
    }
}

pub(crate) async fn show(operating: Operating) -> Result<Response, Trouble> {
    let versions = operating.ask.at::<Versions>("/v1/directory/versions").await?.items;
    let current = operating.ask.find::<Version>("/v1/directory/versions/current").await?;
    let current = current.map(|version| version.id);
    let frame = Frame::of_operator(&operating, "/directory");
    page(&Page { frame, versions, current })
}

/// Has a version built and used.
pub(crate) async fn publish(Act(operating, fields): Act<Operating>) -> Result<Response, Trouble> {
    let version = fields.text("version").filter(|id| is_plain(id)).ok_or(Trouble::Form)?;
    let path = format!("/v1/directory/versions/{version}/publish");
    operating.ask.act(Method::POST, &path).await?;
    Ok(Redirect::to("/console/operate/directory?said=publishing").into_response())
}
