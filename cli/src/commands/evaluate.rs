//! `crm-sync evaluate`: reads both files and prints what the reference script prints.

use super::Outcome;
use crate::args::EvaluateArgs;
use crate::evaluate::{Prediction, Selection, Truth, as_json, as_text, evaluate};
use crate::input::Column::{Optional, Required};
use crate::input::{FileProblems, InputError, read_columns};
use std::path::Path;

/// Scores the predictions.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    let (truth, truth_problems) = read_truth(&args.truth)?;
    let (predictions, prediction_problems) = read_predictions(&args.predictions)?;
    let evaluations: Vec<_> = selections(&args.object)
        .iter()
        .map(|selection| evaluate(&truth, &predictions, selection, args.threshold, args.cases))
        .filter(|evaluation| evaluation.crm_records > 0)
        .collect();
    let output = if args.voice.json { as_json(&evaluations) } else { as_text(&evaluations) };
    let problems = vec![truth_problems, prediction_problems];
    Ok(Outcome { output, problems, strict: args.voice.strict })
}

fn selections(object: &str) -> Vec<Selection> {
    let one = |name: &str| Selection::Object(name.to_owned());
    match object {
        "each" => vec![Selection::Person, one("Lead"), one("Contact"), one("Account")],
        "all" => vec![Selection::All],
        "person" => vec![Selection::Person],
        name => vec![one(name)],
    }
}

/// Reads a truth file.
pub fn read_truth(path: &Path) -> Result<(Vec<Truth>, FileProblems), InputError> {
    let columns =
        [Required("crm_id"), Required("profile_id"), Optional("object"), Optional("case")];
    let mut rows = Vec::new();
    let problems = read_columns(path, columns, |[crm_id, profile_id, object, case]| {
        rows.push(Truth {
            crm_id: crm_id.to_owned(),
            profile_id: profile_id.to_owned(),
            object: if object.is_empty() { "?" } else { object }.to_owned(),
            case: case.to_owned(),
        });
        Ok(())
    })?;
    Ok((rows, problems))
}

/// Reads a predictions file; an empty score counts 1, and a row whose score is no number is
/// skipped.
pub fn read_predictions(path: &Path) -> Result<(Vec<Prediction>, FileProblems), InputError> {
    let columns = [Required("crm_id"), Required("profile_id"), Optional("score")];
    let mut rows = Vec::new();
    let problems = read_columns(path, columns, |[crm_id, profile_id, score]| {
        let score = match score.trim() {
            "" => 1.0,
            score => score.parse().unwrap_or(f64::NAN),
        };
        if score.is_nan() {
            return Err("bad-score");
        }
        let (crm_id, profile_id) = (crm_id.to_owned(), profile_id.to_owned());
        rows.push(Prediction { crm_id, profile_id, score });
        Ok(())
    })?;
    Ok((rows, problems))
}
