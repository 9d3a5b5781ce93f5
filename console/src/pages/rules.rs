//! The rules of matching: how sure a match must be, and what must agree, per object; and what would
//! be matched by others.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MATCHED, back as to};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit};
use crate::trouble::Trouble;
use crate::words::{Count, Percent, When, words};

/// No rule asks for more, in per cent.
const SUREST: f64 = 99.99;

#[derive(Template)]
#[template(path = "rules.html")]
struct Page {
    frame: Frame,
    objects: Vec<OfObject>,
    changed_at: Option<When>,
    tried: Option<Trial>,
    surest: f64,
}

#[derive(Deserialize)]
struct Rules {
    changed_at: Option<When>,
    objects: Vec<OfObject>,
}

/// The rules of an object.
#[derive(Deserialize)]
struct OfObject {
    object: String,
    effective_match_at: Percent,
    match_at: Option<f64>,
    review_at: f64,
    must_agree: BTreeSet<String>,
    comparisons: Vec<String>,
}

impl OfObject {
    /// The lowest probability that may be asked for, in per cent.
    fn least(&self) -> String {
        in_percent(self.review_at)
    }

    /// The probability that an admin asks for, in per cent.
    fn asked(&self) -> String {
        self.match_at.map(in_percent).unwrap_or_default()
    }

    /// The comparisons that can agree exactly: name, words, and whether one of these must.
    fn choices(&self) -> impl Iterator<Item = (&str, String, bool)> {
        let comparisons = self.comparisons.iter();
        comparisons.map(|name| (name.as_str(), words(name), self.must_agree.contains(name)))
    }
}

/// What would be matched by the rules that were tried last.
#[derive(Deserialize)]
struct Trial {
    asked_at: When,
    finished_at: Option<When>,
    objects: Vec<TrialOf>,
}

#[derive(Deserialize)]
struct TrialOf {
    object: String,
    records: Count,
    matched: Count,
    would_match: Count,
    lost: Count,
    gained: Count,
    lost_examples: Vec<Example>,
    gained_examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    record_id: String,
}

/// A probability as a field for per cent holds it, without digits that say nothing.
fn in_percent(probability: f64) -> String {
    let text = format!("{:.4}", probability * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let Rules { changed_at, mut objects } = on.get("/match-rules").await?;
    objects.sort_by_key(|of| MATCHED.iter().position(|object| *object == of.object));
    let tried = on.find("/match-rules/preview").await?;
    let frame = visit.frame("/rules").await?;
    page(&Page { frame, objects, changed_at, tried, surest: SUREST })
}

/// The rules that a form holds.
fn rules_of(fields: &Fields) -> Result<Value, Trouble> {
    let mut rules = BTreeMap::new();
    for object in MATCHED {
        let percent = fields.text(&format!("match_at.{object}")).map(str::parse::<f64>);
        let percent = percent.transpose().map_err(|_| Trouble::Form)?;
        let must_agree: Vec<&str> = fields.all(&format!("must_agree.{object}")).collect();
        // The very number that was shown comes back: a rule that is unchanged is no change.
        let match_at = percent.map(|percent| (percent * 1e4).round() / 1e6);
        rules.insert(object, json!({ "match_at": match_at, "must_agree": must_agree }));
    }
    Ok(json!({ "rules": rules }))
}

/// Changes the rules, or tries them.
pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let (rules, on) = (rules_of(&fields)?, visit.ask.on(visit.environment));
    if fields.is_ticked("try") {
        on.act(Method::POST, "/match-rules/preview", Some(rules)).await?;
        return Ok(to(&visit, "/rules", "tried"));
    }
    on.act(Method::PUT, "/match-rules", Some(rules)).await?;
    Ok(to(&visit, "/rules", "ruled"))
}
