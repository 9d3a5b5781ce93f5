//! The two printed forms of an evaluation: text for people, JSON for programs.

use super::python::{general4, json_string, repr, round4};
use super::{Evaluation, Point, ratio};
use std::fmt::Write as _;

/// The report in text, one block per selection.
#[must_use]
pub fn as_text(evaluations: &[Evaluation]) -> String {
    let mut out = String::new();
    for evaluation in evaluations {
        // Writing into a `String` cannot fail.
        let _ = write_text(&mut out, evaluation);
    }
    out
}

fn write_text(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    writeln!(
        out,
        "== {}: {} CRM records, {} linkable; violations crm={} profile={} unknown={}",
        e.object,
        e.crm_records,
        e.linkable_entities,
        e.violations_crm,
        e.violations_profile,
        e.unknown_ids
    )?;
    write_point(out, "at_threshold", &e.at_threshold, e.linkable_records)?;
    if let Some(best) = &e.best_f1 {
        write_point(out, "best_f1", best, e.linkable_records)?;
    }
    let [p95, p98, p99] = e.recall_at_precision.map(|recall| repr(round4(recall)));
    writeln!(out, "   recall at precision >= .95 / .98 / .99: {p95} {p98} {p99}")?;
    for p in &e.table {
        writeln!(
            out,
            "     thr {:.3}: P={:.4} R={:.4} F1={:.4}",
            p.threshold, p.precision, p.recall, p.f1
        )?;
    }
    for (case, n) in &e.cases {
        writeln!(
            out,
            "     {case:36} n={:5} correct={:5} wrong={:5}",
            n.records, n.correct, n.wrong
        )?;
    }
    Ok(())
}

fn write_point(
    out: &mut String,
    name: &str,
    p: &Point,
    linkable_records: usize,
) -> std::fmt::Result {
    writeln!(
        out,
        "   {name:13} P={:.4} R={:.4} F1={:.4}  (thr {}; {} links, {} wrong; record-level P={:.4} \
         R={:.4})",
        p.precision,
        p.recall,
        p.f1,
        general4(p.threshold),
        p.predicted,
        p.false_positives,
        ratio(p.correct_records, p.predicted),
        ratio(p.correct_records, linkable_records),
    )
}

/// The report as a JSON array, one object per selection.
#[must_use]
pub fn as_json(evaluations: &[Evaluation]) -> String {
    Json::Array(evaluations.iter().map(evaluation_json).collect()).render()
}

/// The little JSON needed, since the reference prints `0` and `0.0` apart and indents by one space.
enum Json {
    Literal(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn count(n: usize) -> Self {
        Self::Literal(n.to_string())
    }

    fn rounded(x: f64) -> Self {
        Self::Literal(repr(round4(x)))
    }

    fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth));
        };
        match self {
            Self::Literal(text) => out.push_str(text),
            Self::Array(items) if items.is_empty() => out.push_str("[]"),
            Self::Object(members) if members.is_empty() => out.push_str("{}"),
            Self::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    line(out, depth + 1);
                    item.write(out, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Self::Object(members) => {
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push(if at == 0 { '{' } else { ',' });
                    line(out, depth + 1);
                    let _ = write!(out, "{}: ", json_string(key));
                    value.write(out, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
        }
    }
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn point_json(p: &Point, linkable_records: usize) -> Json {
    // The reference prints a ratio it never computed as the integer 0.
    let known = |known: bool, x: f64| if known { Json::rounded(x) } else { Json::count(0) };
    object([
        ("threshold", Json::Literal(repr(p.threshold))),
        ("precision", known(p.reached, p.precision)),
        ("recall", known(p.reached, p.recall)),
        ("f1", known(p.reached, p.f1)),
        ("predicted", Json::count(p.predicted)),
        ("tp", Json::count(p.true_positives)),
        ("fp", Json::count(p.false_positives)),
        ("record_precision", known(p.predicted > 0, ratio(p.correct_records, p.predicted))),
        ("record_recall", known(linkable_records > 0, ratio(p.correct_records, linkable_records))),
    ])
}

fn evaluation_json(e: &Evaluation) -> Json {
    let point = |p: &Point| point_json(p, e.linkable_records);
    let mut members = vec![
        ("object", Json::Literal(json_string(&e.object))),
        ("crm_records", Json::count(e.crm_records)),
        ("linkable_records", Json::count(e.linkable_records)),
        ("linkable_entities", Json::count(e.linkable_entities)),
        ("violations_crm", Json::count(e.violations_crm)),
        ("violations_profile", Json::count(e.violations_profile)),
        ("unknown_ids", Json::count(e.unknown_ids)),
        ("at_threshold", point(&e.at_threshold)),
        ("best_f1", e.best_f1.as_ref().map_or(Json::Literal("null".into()), point)),
    ];
    for (name, recall) in
        ["recall_at_p95", "recall_at_p98", "recall_at_p99"].into_iter().zip(e.recall_at_precision)
    {
        members.push((name, Json::rounded(recall)));
    }
    if e.best_f1.is_some() {
        members.push(("table", Json::Array(e.table.iter().map(point).collect())));
    }
    if !e.cases.is_empty() {
        let cases = e.cases.iter().map(|(case, n)| {
            let counts = [
                ("n", Json::count(n.records)),
                ("correct", Json::count(n.correct)),
                ("wrong", Json::count(n.wrong)),
            ];
            (case.clone(), object(counts))
        });
        members.push(("cases", Json::Object(cases.collect())));
    }
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
