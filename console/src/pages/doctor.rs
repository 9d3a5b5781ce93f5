//! The doctor: the common troubles of a connection, with evidence and the clicks that mend them.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use crate::frame::{Frame, show as page};
use crate::guard::Visit;
use crate::trouble::Trouble;
use crate::words::Word;

/// The doctor's findings.
#[derive(Deserialize)]
pub(super) struct Doctor {
    checks: Vec<Check>,
}

/// One check.
#[derive(Deserialize)]
pub(super) struct Check {
    #[serde(rename = "check")]
    pub(super) name: Word,
    pub(super) finding: Word,
    pub(super) evidence: String,
    pub(super) steps: Vec<String>,
}

impl Doctor {
    /// What is to be mended first: a problem, or else a warning.
    pub(super) fn first_trouble(&self) -> Option<&Check> {
        let with = |finding: &str| self.checks.iter().find(|check| check.finding.is(finding));
        with("problem").or_else(|| with("warning"))
    }
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct Page {
    frame: Frame,
    doctor: Option<Doctor>,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let doctor = visit.ask.on(visit.environment).find("/doctor").await?;
    page(&Page { frame: visit.frame("/doctor").await?, doctor })
}
