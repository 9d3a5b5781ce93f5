//! Learning: models that a tenant's corrections made, what each would change, and the one in use.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{back as to, is_plain};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Visit};
use crate::trouble::Trouble;
use crate::words::{Count, When, Word};

/// So many examples of a difference are shown.
const EXAMPLES: usize = 10;

#[derive(Deserialize)]
struct Models {
    items: Vec<Model>,
}

/// A model that corrections made.
#[derive(Deserialize)]
struct Model {
    #[serde(rename = "model")]
    id: String,
    state: Word,
    corrected_records: BTreeMap<String, Count>,
    shadow: BTreeMap<String, Shadow>,
    created_at: When,
    finished_at: Option<When>,
}

/// What a model would decide otherwise than the one in use.
#[derive(Deserialize)]
struct Shadow {
    same: Count,
    newly_matched: Count,
    no_longer_matched: Count,
    other_entity: Count,
    examples: Vec<String>,
}

impl Shadow {
    /// Some of the records that differ.
    fn shown(&self) -> &[String] {
        &self.examples[..self.examples.len().min(EXAMPLES)]
    }
}

/// The model in use.
#[derive(Deserialize)]
struct Choice {
    model: Option<String>,
}

#[derive(Template)]
#[template(path = "models.html")]
struct Page {
    frame: Frame,
    models: Option<Vec<Model>>,
    /// The id of the model in use; none for the one that is shipped.
    in_use: Option<String>,
}

impl Page {
    fn is_in_use(&self, model: &Model) -> bool {
        self.in_use.as_ref() == Some(&model.id)
    }

    /// True while a model is being made or run in the shadow.
    fn is_moving(&self) -> bool {
        self.models.iter().flatten().any(|model| model.finished_at.is_none())
    }
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let models = on.find::<Models>("/models").await?.map(|models| models.items);
    let in_use = on.find::<Choice>("/model").await?.and_then(|choice| choice.model);
    page(&Page { frame: visit.frame("/models").await?, models, in_use })
}

/// Has a model made, or chooses the one to match with.
pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    if fields.is_ticked("learn") {
        on.act(Method::POST, "/models", None).await?;
        return Ok(to(&visit, "/models", "learning"));
    }
    let model = match fields.text("model").ok_or(Trouble::Form)? {
        "shipped" => None,
        id => Some(id).filter(|id| is_plain(id)).map(Some).ok_or(Trouble::Form)?,
    };
    on.act(Method::PUT, "/model", Some(json!({ "model": model }))).await?;
    Ok(to(&visit, "/models", "ruled"))
}
