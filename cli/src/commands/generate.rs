//! `crm-sync generate`: makes a speed set.

use super::Outcome;
use crate::args::GenerateArgs;
use crate::generate::{Size, generate};
use crate::report::{Table, thousands};
use crate::{progress, threads};
use std::time::Instant;

/// Makes the set.
pub fn run(args: &GenerateArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let size = Size::scale(args.scale);
    let total = size.people + size.companies + size.leads + size.contacts + size.companies * 2;
    let bar = progress::counted("generating", total);
    let threads = threads(args.threads);
    let written = generate(&args.out, size, args.seed, threads, |rows| bar.inc(rows))?;
    bar.finish_and_clear();
    let output = if args.json {
        let files: serde_json::Map<_, _> =
            written.iter().map(|w| (w.file.name().to_owned(), w.rows.into())).collect();
        format!("{}\n", serde_json::json!({ "rows": files, "seed": args.seed }))
    } else {
        let mut table = Table::new(["file", "rows"]);
        for file in written {
            table.row([file.file.name(), &thousands(file.rows)]);
        }
        format!("{table}{:.1} s\n", started.elapsed().as_secs_f64())
    };
    Ok(Outcome { output, ..Outcome::default() })
}
