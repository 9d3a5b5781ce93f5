//! `crm-sync explain`: why a record is or is not an entity.

use super::Outcome;
use super::sources::{check_sides, directory, each_record, model, open_crm};
use crate::args::ExplainArgs;
use crate::report::Table;
use crate::{progress, threads};
use anyhow::{Context, bail, ensure};
use matching::{
    Explanation, MatchDecision, MatchModel, Probe, Scorer, Shard, Statistics, explain, posterior,
};

/// How many candidates are explained when none is named.
const CANDIDATES: usize = 3;

/// Explains the record against the entities named, or against its best candidates.
pub fn run(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let files = open_crm(&args.crm)?;
    check_sides(&args.crm, &args.directory)?;
    let model = model(args.model.as_deref())?;
    let mut found = None;
    each_record(files, threads(args.directory.threads), |_, probe| {
        if probe.record_id() == args.crm_id {
            found = Some(probe);
        }
    })?;
    let probe = found.with_context(|| format!("no record {} in the CRM's files", args.crm_id))?;
    let bar = progress::open_ended("directory");
    let (directory, _) = directory(&args.directory, &bar)?;
    bar.finish_and_clear();
    let shards = directory.open_shards()?;
    let explained = Explained { model: &model, statistics: &directory.statistics, shards, probe };
    let output = explained.print(&args.profile_ids, args.json)?;
    Ok(Outcome { output, ..Outcome::default() })
}

struct Explained<'a> {
    model: &'a MatchModel,
    statistics: &'a Statistics,
    shards: Vec<Shard<'a>>,
    probe: Probe,
}

impl Explained<'_> {
    /// The record's candidates in all shards, with their probabilities, best first.
    fn candidates(&self) -> Vec<(String, f64)> {
        let scorer = Scorer::new(self.model, self.statistics);
        let candidates: Vec<_> =
            self.shards.iter().flat_map(|shard| scorer.candidates(shard, &self.probe, 8)).collect();
        posterior(self.model, self.probe.kind(), &candidates)
            .into_iter()
            .map(|scored| (scored.candidate.entity_id, scored.probability))
            .collect()
    }

    fn one(&self, id: &str) -> anyhow::Result<Explanation> {
        let explain = |shard| explain(self.model, self.statistics, shard, &self.probe, id);
        let Some(explanation) = self.shards.iter().find_map(explain) else {
            bail!("no {} {id} in the directory", self.probe.kind().as_str());
        };
        Ok(explanation)
    }

    fn print(&self, ids: &[String], json: bool) -> anyhow::Result<String> {
        let candidates = self.candidates();
        let best = || candidates.iter().take(CANDIDATES).map(|(id, _)| id.clone()).collect();
        let ids: Vec<String> = if ids.is_empty() { best() } else { ids.to_vec() };
        ensure!(!ids.is_empty(), "record {} has no candidate", self.probe.record_id());
        let mut text = String::new();
        let mut values = Vec::new();
        for id in &ids {
            let explanation = self.one(id)?;
            let probability =
                candidates.iter().find(|(candidate, _)| candidate == id).map_or(0.0, |c| c.1);
            let decision = self.model.thresholds.decide(probability);
            if json {
                values.push(serde_json::json!({
                    "probability": probability,
                    "decision": decision,
                    "explanation": explanation,
                }));
            } else {
                text.push_str(&as_text(&explanation, probability, decision));
            }
        }
        Ok(if json { format!("{:#}\n", serde_json::Value::Array(values)) } else { text })
    }
}

fn as_text(explanation: &Explanation, probability: f64, decision: MatchDecision) -> String {
    let decision = match decision {
        MatchDecision::Match => "match",
        MatchDecision::Review => "review",
        MatchDecision::NonMatch => "no match",
    };
    let mut table = Table::new(["comparison", "level", "bits", "record", "directory"]);
    for comparison in &explanation.comparisons {
        table.row([
            comparison.name.clone(),
            comparison.level.clone(),
            format!("{:+.2}", comparison.weight),
            comparison.record_value.clone(),
            comparison.entity_value.clone(),
        ]);
    }
    table.row(["prior", "", &format!("{:+.2}", explanation.prior), "", ""]);
    let blocked = if explanation.blocked {
        ""
    } else {
        "\nThe pair shares no block: it would not be compared."
    };
    format!(
        "{} and {}: {decision}, probability {probability:.4}, {:+.2} bits\n{}{blocked}\n{table}\n",
        explanation.record_id,
        explanation.entity_id,
        explanation.weight.bits(),
        explanation.words
    )
}
