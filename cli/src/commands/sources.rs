//! The inputs that several commands open: the CRM's files, the directory, the model.

use crate::args::{CrmArgs, DirectoryArgs};
use crate::input::{Chunk, FileProblems, InputError, RowProblem};
use crate::linkage::{
    AccountsById, Content, Directory, ObjectFile, Row, Rows, Sources, Totals, keep_account,
    open_index,
};
use crate::pipeline::in_order;
use crate::threads;
use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use matching::{MatchModel, Probe};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::path::Path;

/// Opens the CRM's files, accounts first: contacts need them.
pub(super) fn open_crm(args: &CrmArgs) -> anyhow::Result<Vec<ObjectFile>> {
    let given = [
        ("Account", Content::Accounts, &args.account),
        ("Lead", Content::Leads, &args.lead),
        ("Contact", Content::Contacts, &args.contact),
    ];
    let mut files = Vec::new();
    for (object, content, path) in given {
        if let Some(path) = path {
            let (rows, chunks) = Rows::open(path, content)?;
            files.push(ObjectFile { object, content, rows, chunks });
        }
    }
    ensure!(!files.is_empty(), "nothing to match: give --lead, --contact or --account");
    Ok(files)
}

/// Each object needs the kind of directory it is matched to.
pub(super) fn check_sides(crm: &CrmArgs, args: &DirectoryArgs) -> anyhow::Result<()> {
    if args.index.is_some() {
        return Ok(());
    }
    let people = crm.lead.is_some() || crm.contact.is_some();
    ensure!(
        !people || args.people.is_some(),
        "leads and contacts are matched to people: give --people or --index"
    );
    // Accounts without companies are welcome beside contacts, whose employers they name.
    ensure!(
        crm.account.is_none() || args.companies.is_some() || crm.contact.is_some(),
        "accounts are matched to companies: give --companies or --index"
    );
    Ok(())
}

/// The model of a file, or the shipped one.
pub(super) fn model(path: Option<&Path>) -> anyhow::Result<Cow<'static, MatchModel>> {
    let Some(path) = path else { return Ok(Cow::Borrowed(MatchModel::shipped()?)) };
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let model =
        MatchModel::from_json(&text).with_context(|| format!("{name} is no usable model"))?;
    Ok(Cow::Owned(model))
}

/// The directory that the arguments name.
pub(super) fn directory(
    args: &DirectoryArgs,
    bar: &ProgressBar,
) -> anyhow::Result<(Directory, Totals)> {
    if let Some(folder) = &args.index {
        let directory = open_index(folder)?;
        let entities = directory.open_shards()?.iter().map(|shard| u64::from(shard.len())).sum();
        return Ok((directory, Totals { entities, problems: Vec::new() }));
    }
    let sources = Sources {
        people: args.people.as_deref(),
        companies: args.companies.as_deref(),
        people_deltas: &args.people_delta,
        company_deltas: &args.companies_delta,
        shards: args.shards,
        threads: threads(args.threads),
    };
    Directory::build(&sources, bar)
}

/// Hands every usable record of the CRM's files to `each`, on the calling thread, in order; of two
/// with one id the first counts.
pub(super) fn each_record(
    files: Vec<ObjectFile>,
    threads: usize,
    mut each: impl FnMut(&'static str, Probe),
) -> anyhow::Result<Vec<FileProblems>> {
    let mut accounts = AccountsById::default();
    let mut problems = Vec::new();
    for file in files {
        let mut found = FileProblems::new(&file.rows.name);
        let (object, rows) = (file.object, &file.rows);
        let mut known = AccountsById::default();
        let mut seen = FxHashSet::default();
        let parse = |chunk: Result<Chunk, InputError>| {
            chunk.map(|chunk| {
                let mut problems = Vec::new();
                let mut read = Vec::new();
                rows.read(&chunk, &accounts, &mut problems, |row| read.push(row));
                problems.extend(chunk.problems);
                (read, problems)
            })
        };
        in_order(
            file.chunks,
            threads,
            || (),
            |(), chunk| parse(chunk),
            |parsed| {
                let (read, mut problems) = parsed?;
                for Row { line, probe, facts } in read {
                    if !seen.insert(probe.record_id().to_owned()) {
                        problems.push(RowProblem::skipped(line, "duplicate-id"));
                        continue;
                    }
                    if let Some(facts) = facts {
                        keep_account(&mut known, probe.record_id(), facts);
                    }
                    each(object, probe);
                }
                for problem in problems {
                    found.add(problem);
                }
                Ok::<_, InputError>(())
            },
        )?;
        if file.content == Content::Accounts {
            accounts = known;
        }
        problems.push(found);
    }
    Ok(problems)
}
