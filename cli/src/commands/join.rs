//! `crm-sync match --join`: the CRM's rows as they came, with what each was matched to.

use super::sources::open_crm;
use crate::args::MatchArgs;
use crate::input::{Chunk, CsvRows, Fate, Header, Layout, open};
use crate::linkage::{
    AccountFacts, AccountsById, Content, Decided, Linked, ObjectFile, OutputFile, Rows, Settings,
    keep_account, probability,
};
use crate::pipeline::in_order;
use csv::StringRecord;
use matching::{Probe, Statistics, explain};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

mod directory;

use directory::{Texts, texts};

/// How the columns begin that stand behind the file's own. Those of an earlier run are left out.
const OURS: &str = "crm_sync_";

/// Spreadsheets take a CSV file that begins so for UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the CRM's files again and writes them with the matches, an object after another.
pub(super) fn write(
    path: &Path,
    args: &MatchArgs,
    settings: &Settings<'_>,
    statistics: &Statistics,
    linked: &[Linked<'_>],
) -> anyhow::Result<()> {
    let sources = [&args.crm.account, &args.crm.lead, &args.crm.contact];
    let sources = sources.into_iter().flatten();
    let mut accounts = AccountsById::default();
    for ((file, source), object) in open_crm(&args.crm)?.into_iter().zip(sources).zip(linked) {
        let columns = columns(args, file.content);
        let of_object = OfObject {
            settings,
            statistics,
            texts: texts(args, file.content, &columns, object, settings.threads)?,
            columns,
            decided: object.records().map(|(id, _, decided)| (id, decided)).collect(),
            linked: object,
        };
        let path = if linked.len() == 1 { path.to_owned() } else { of(path, file.object) };
        of_object.write(&path, source, file, &mut accounts)?;
    }
    Ok(())
}

/// The file of an object: `joined.csv` is `joined-Lead.csv`.
fn of(path: &Path, object: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, ending) = name.split_once('.').map_or((&*name, None), |(s, e)| (s, Some(e)));
    let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    path.with_file_name(format!("{stem}-{object}{ending}"))
}

/// What contacts take from accounts, by the accounts' ids.
type Facts = Vec<(String, AccountFacts)>;

/// The directory's columns that are appended.
fn columns(args: &MatchArgs, content: Content) -> Vec<String> {
    let usual: &[&str] = match (args.directory.index.is_some(), content) {
        // An index keeps no texts.
        (true, _) => &[],
        (false, Content::Accounts) => &["name", "domain"],
        (false, _) => &["first_name", "last_name", "title", "company"],
    };
    let usual = || usual.iter().map(|&name| name.to_owned()).collect();
    args.join_columns.clone().unwrap_or_else(usual)
}

/// What the rows of one object are joined with.
struct OfObject<'a> {
    settings: &'a Settings<'a>,
    statistics: &'a Statistics,
    linked: &'a Linked<'a>,
    decided: FxHashMap<&'a str, Decided>,
    columns: Vec<String>,
    texts: Texts,
}

impl OfObject<'_> {
    fn write(
        &self,
        path: &Path,
        source: &Path,
        file: ObjectFile,
        accounts: &mut AccountsById,
    ) -> anyhow::Result<()> {
        let mut again = open(source)?;
        let Layout::Csv { delimiter } = again.layout else { return Ok(()) };
        let header = again.chunks.header();
        let mut output = OutputFile::create(path)?;
        output.write_all(BYTE_ORDER_MARK)?;
        if header.is_empty() {
            return output.keep();
        }
        let header = Header::parse(&again.name, &header, delimiter)?;
        let kept = |at: &usize| !header.columns[*at].to_ascii_lowercase().starts_with(OURS);
        let form = Form { kept: (0..header.columns.len()).filter(kept).collect(), delimiter };
        output.write_all(&form.rows(|rows| {
            let own = ["decision", "id", "probability", "reason"].into_iter();
            let ours = own.chain(self.columns.iter().map(String::as_str));
            let ours = ours.map(|name| Cow::Owned(format!("{OURS}{name}")));
            let names = form.kept.iter().map(|at| Cow::Borrowed(&*header.columns[*at]));
            write_row(rows, names.chain(ours))
        })?)?;
        let mut new_accounts = AccountsById::default();
        in_order(
            file.chunks,
            self.settings.threads,
            || (),
            |(), chunk| self.joined(&chunk?, &file.rows, &header, &form, accounts),
            |joined| {
                let (bytes, facts) = joined?;
                for (id, facts) in facts {
                    keep_account(&mut new_accounts, &id, facts);
                }
                anyhow::Ok(output.write_all(&bytes)?)
            },
        )?;
        if file.content == Content::Accounts {
            *accounts = new_accounts;
        }
        output.keep()
    }

    /// A chunk's rows with what they are joined with, and what contacts take from its accounts.
    fn joined(
        &self,
        chunk: &Chunk,
        rows: &Rows,
        header: &Header,
        form: &Form,
        accounts: &AccountsById,
    ) -> anyhow::Result<(Vec<u8>, Facts)> {
        let (mut problems, mut facts) = (Vec::new(), Vec::new());
        let mut probes: FxHashMap<u64, Probe> = FxHashMap::default();
        rows.read(chunk, accounts, &mut problems, |row| {
            facts.extend(row.facts.map(|facts| (row.probe.record_id().to_owned(), facts)));
            probes.insert(row.line, row.probe);
        });
        let skipped = problems.iter().filter(|problem| problem.fate == Fate::Skipped);
        let skipped: FxHashMap<u64, &str> =
            skipped.map(|problem| (problem.line, problem.reason)).collect();
        let bytes = form.rows(|rows| {
            let mut records = CsvRows::new(chunk, header, 0);
            while let Some((line, record)) = records.next_as_it_stands() {
                let ours = match (probes.get(&line), skipped.get(&line)) {
                    (Some(probe), _) => self.told(probe),
                    (None, reason) => {
                        self.row("skipped", None, reason.copied().unwrap_or_default().to_owned())
                    }
                };
                write_row(rows, form.cells(record).chain(ours.into_iter().map(Cow::Owned)))?;
            }
            Ok(())
        })?;
        Ok((bytes, facts))
    }

    /// What is told of a record.
    fn told(&self, probe: &Probe) -> Vec<String> {
        let decided = self.decided.get(probe.record_id()).copied().unwrap_or(Decided::Unmatched);
        let Some(placed) = decided.placed() else {
            return self.row(decided.word(), None, String::new());
        };
        let entity = self.linked.entity_id(placed.entity);
        let why = |shard| explain(self.settings.model, self.statistics, shard, probe, entity);
        let why = self.settings.shards.iter().find_map(why);
        let words = why.map(|why| why.words).unwrap_or_default();
        self.row(decided.word(), Some((entity, placed.probability)), words)
    }

    fn row(&self, decision: &str, entity: Option<(&str, f64)>, reason: String) -> Vec<String> {
        let (id, surety) = entity
            .map_or_else(Default::default, |(id, surety)| (id.to_owned(), probability(surety)));
        let mut row = vec![decision.to_owned(), id, surety, reason];
        match entity.and_then(|(id, _)| self.texts.get(id)) {
            Some(texts) => row.extend(texts.iter().cloned()),
            None => row.resize(row.len() + self.columns.len(), String::new()),
        }
        row
    }
}

/// How the rows of a file are written.
struct Form {
    /// The columns that are not of an earlier run.
    kept: Vec<usize>,
    delimiter: u8,
}

type Writer<'a> = csv::Writer<&'a mut Vec<u8>>;

impl Form {
    fn rows(
        &self,
        write: impl FnOnce(&mut Writer<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut rows = csv::WriterBuilder::new();
        let mut rows = rows.delimiter(self.delimiter).flexible(true).from_writer(&mut bytes);
        write(&mut rows)?;
        rows.flush()?;
        drop(rows);
        Ok(bytes)
    }

    fn cells<'a>(&'a self, record: &'a StringRecord) -> impl Iterator<Item = Cow<'a, str>> {
        self.kept.iter().map(|at| Cow::Borrowed(record.get(*at).unwrap_or_default()))
    }
}

fn write_row<'a>(
    rows: &mut Writer<'_>,
    cells: impl Iterator<Item = Cow<'a, str>>,
) -> anyhow::Result<()> {
    for cell in cells {
        rows.write_field(harmless(&cell).as_bytes())?;
    }
    Ok(rows.write_record(None::<&[u8]>)?)
}

/// A cell that no spreadsheet takes for a formula: what could be one has an apostrophe before it.
/// Numbers and phone numbers stay as they are.
fn harmless(cell: &str) -> Cow<'_, str> {
    let number = |rest: &str| {
        let of_number = |letter: char| letter.is_ascii_digit() || " ()-./,".contains(letter);
        rest.chars().all(of_number)
    };
    let formula = match cell.chars().next() {
        Some('=' | '@' | '\t' | '\r' | '\n') => true,
        Some('+' | '-') => !number(&cell[1..]),
        _ => false,
    };
    if formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_is_a_text() {
        for cell in ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|'x'", "\t=1", "\r=1"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["", "+1 (415) 555-0133", "-12.5", "Acme = Co", "'=1", "a@b.example"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn each_object_has_a_file() {
        assert_eq!(of(Path::new("a/joined.csv"), "Lead"), Path::new("a/joined-Lead.csv"));
        assert_eq!(of(Path::new("joined.csv.gz"), "Lead"), Path::new("joined-Lead.csv.gz"));
        assert_eq!(of(Path::new("joined"), "Account"), Path::new("joined-Account"));
    }
}
