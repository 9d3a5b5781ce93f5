//! Rows of directory and CRM files as normalised forms.

mod entities;

use self::entities::{company, person};
use crate::input::salesforce::{ACCOUNT, COMPANY, CONTACT, Columns, LEAD, PERSON};
use crate::input::{
    Chunk, ChunkReader, CsvRows, Header, InputError, Layout, MAX_ROW_BYTES, RowFile, RowProblem,
    lines, open,
};
use crate::salesforce_id::canonical;
use matching::{
    Company, CompanyForm, CrmAccount, CrmPerson, DirectoryLine, Person, PersonForm, Probe,
};
use rustc_hash::FxHashMap;
use std::path::Path;

/// The kind of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The directory's people.
    People,
    /// The directory's companies.
    Companies,
    /// The CRM's leads.
    Leads,
    /// The CRM's contacts.
    Contacts,
    /// The CRM's accounts.
    Accounts,
}

/// The values that a contact inherits from its account.
#[derive(Debug, Clone, Default)]
pub struct AccountFacts {
    name: String,
    website: String,
}

/// The accounts by id, for the contacts.
pub type AccountsById = FxHashMap<String, AccountFacts>;

/// A row's form, with what else is wanted of it.
#[derive(Debug)]
pub struct Row {
    /// The line it begins on.
    pub line: u64,
    /// Its normalised form; its id is never empty.
    pub probe: Probe,
    /// Of an account: what its contacts take from it.
    pub facts: Option<AccountFacts>,
}

enum Reader {
    Json,
    Person(Header, Columns<16>),
    Company(Header, Columns<13>),
    Lead(Header, Columns<15>),
    Contact(Header, Columns<16>),
    Account(Header, Columns<11>),
}

/// An opened file whose rows are known to be what they should be.
pub struct Rows {
    /// The file's name, for messages.
    pub name: String,
    content: Content,
    reader: Reader,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Rows {
    /// Opens a file and reads its header. An empty file is one without rows.
    pub fn open(path: &Path, content: Content) -> Result<(Self, ChunkReader), InputError> {
        Self::of(open(path)?, content)
    }

    /// The same for a file that is already open.
    pub fn of(mut file: RowFile, content: Content) -> Result<(Self, ChunkReader), InputError> {
        let directory = matches!(content, Content::People | Content::Companies);
        let delimiter = match file.layout {
            Layout::Csv { delimiter } => delimiter,
            Layout::JsonLines if directory => {
                return Ok((Self { name: file.name, content, reader: Reader::Json }, file.chunks));
            }
            Layout::JsonLines => {
                let format = "JSON, and CRM files are CSV exports";
                return Err(InputError::Format { path: file.name, format });
            }
        };
        let header = file.chunks.header();
        if header.is_empty() {
            return Ok((Self { name: file.name, content, reader: Reader::Json }, file.chunks));
        }
        let header = Header::parse(&file.name, &header, delimiter)?;
        let reader = Reader::of(content, header, &file.name)?;
        Ok((Self { name: file.name, content, reader }, file.chunks))
    }

    /// Hands the usable rows of a chunk to `each`, in order; faults go to `problems`.
    pub fn read(
        &self,
        chunk: &Chunk,
        accounts: &AccountsById,
        problems: &mut Vec<RowProblem>,
        mut each: impl FnMut(Row),
    ) {
        match &self.reader {
            Reader::Json => {
                each_line(chunk, problems, |line, bytes, problems| {
                    match self.form_of_line(bytes) {
                        Ok(probe) => each(Row { line, probe, facts: None }),
                        Err(reason) => problems.push(RowProblem::skipped(line, reason)),
                    }
                });
            }
            Reader::Person(header, columns) => {
                each_record(chunk, header, columns, problems, |line, values| {
                    let form = PersonForm::from(&person(values));
                    each(Row { line, probe: Probe::Person(form), facts: None });
                });
            }
            Reader::Company(header, columns) => {
                each_record(chunk, header, columns, problems, |line, values| {
                    let form = CompanyForm::from(&company(values));
                    each(Row { line, probe: Probe::Company(form), facts: None });
                });
            }
            Reader::Lead(header, columns) => {
                each_record(chunk, header, columns, problems, |line, values| {
                    each(Row { line, probe: Probe::person(values[0], &lead(values)), facts: None });
                });
            }
            Reader::Contact(header, columns) => {
                each_record(chunk, header, columns, problems, |line, values| {
                    let record = contact(values, accounts);
                    each(Row { line, probe: Probe::person(values[0], &record), facts: None });
                });
            }
            Reader::Account(header, columns) => {
                each_record(chunk, header, columns, problems, |line, values| {
                    let record = account(values);
                    let facts =
                        AccountFacts { name: values[1].to_owned(), website: values[2].to_owned() };
                    let probe = Probe::account(values[0], &record);
                    each(Row { line, probe, facts: Some(facts) });
                });
            }
        }
    }

    /// Hands the changes of a delta's chunk to `each`, with their lines, in order; faults go to
    /// `problems`.
    pub fn read_changes(
        &self,
        chunk: &Chunk,
        problems: &mut Vec<RowProblem>,
        mut each: impl FnMut(u64, Change),
    ) {
        if matches!(self.reader, Reader::Json) {
            each_line(chunk, problems, |line, bytes, problems| match self.change_of_line(bytes) {
                Ok(change) => each(line, change),
                Err(reason) => problems.push(RowProblem::skipped(line, reason)),
            });
        } else {
            self.read(chunk, &AccountsById::default(), problems, |row| {
                each(row.line, Change::Upsert(Box::new(row.probe)));
            });
        }
    }

    fn change_of_line(&self, line: &[u8]) -> Result<Change, &'static str> {
        let change = if self.content == Content::People {
            Change::of(directory_line::<Person>(line)?, |person| {
                Probe::Person(PersonForm::from(person))
            })
        } else {
            Change::of(directory_line::<Company>(line)?, |company| {
                Probe::Company(CompanyForm::from(company))
            })
        };
        if change.id().trim().is_empty() { Err("no-id") } else { Ok(change) }
    }

    fn form_of_line(&self, line: &[u8]) -> Result<Probe, &'static str> {
        match self.change_of_line(line)? {
            Change::Upsert(probe) => Ok(*probe),
            Change::Gone { .. } => Err("deletion-or-merge"),
        }
    }
}

/// The change that a line of a delta makes to an entity.
#[derive(Debug)]
pub enum Change {
    /// It is new, or other than before.
    Upsert(Box<Probe>),
    /// It is retired, or another entity now.
    Gone {
        /// The entity.
        id: String,
        /// Which one it is now.
        into: Option<String>,
    },
}

impl Change {
    fn of<T>(line: DirectoryLine<T>, form: impl Fn(&T) -> Probe) -> Self {
        match line {
            DirectoryLine::Upsert(entity) => Self::Upsert(Box::new(form(&entity))),
            DirectoryLine::Delete { id } => Self::Gone { id, into: None },
            DirectoryLine::Merge { id, into } => Self::Gone { id, into: Some(into) },
        }
    }

    /// The entity's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Upsert(probe) => probe.record_id(),
            Self::Gone { id, .. } => id,
        }
    }
}

/// Hands the lines that may be JSON to `each`; those over-long or empty are left out, those not
/// UTF-8 repaired.
fn each_line(
    chunk: &Chunk,
    problems: &mut Vec<RowProblem>,
    mut each: impl FnMut(u64, &[u8], &mut Vec<RowProblem>),
) {
    let lines = lines(&chunk.bytes).map(<[u8]>::trim_ascii);
    let filled = (chunk.first_line..).zip(lines).filter(|(_, bytes)| !bytes.is_empty());
    for (line, bytes) in filled {
        if bytes.len() > MAX_ROW_BYTES {
            problems.push(RowProblem::skipped(line, "row-too-long"));
        } else if std::str::from_utf8(bytes).is_ok() {
            each(line, bytes, problems);
        } else {
            problems.push(RowProblem::repaired(line, "invalid-utf8"));
            each(line, String::from_utf8_lossy(bytes).as_bytes(), problems);
        }
    }
}

/// A line of a directory, or why it is none.
fn directory_line<T: for<'de> serde::Deserialize<'de>>(
    line: &[u8],
) -> Result<DirectoryLine<T>, &'static str> {
    DirectoryLine::parse(line).map_err(|error| {
        // Told apart from bad JSON, since the remedy is another.
        let no_id = error.is_data() && error.to_string().contains("missing field `id`");
        if no_id { "no-id" } else { "bad-json" }
    })
}

impl Reader {
    fn of(content: Content, header: Header, path: &str) -> Result<Self, InputError> {
        Ok(match content {
            Content::People => {
                let columns = Columns::find(&header, path, &PERSON, &[2, 1, 3], &[])?;
                Self::Person(header, columns)
            }
            Content::Companies => {
                let columns = Columns::find(&header, path, &COMPANY, &[1], &[])?;
                Self::Company(header, columns)
            }
            // Salesforce takes no lead without a company.
            Content::Leads => {
                let columns = Columns::find(&header, path, &LEAD, &[2, 1, 3], &[4])?;
                Self::Lead(header, columns)
            }
            Content::Contacts => {
                let columns = Columns::find(&header, path, &CONTACT, &[2, 1, 3], &[])?;
                Self::Contact(header, columns)
            }
            Content::Accounts => {
                let columns = Columns::find(&header, path, &ACCOUNT, &[1], &[])?;
                Self::Account(header, columns)
            }
        })
    }
}

fn each_record<const N: usize>(
    chunk: &Chunk,
    header: &Header,
    columns: &Columns<N>,
    problems: &mut Vec<RowProblem>,
    mut each: impl FnMut(u64, [&str; N]),
) {
    let mut records = CsvRows::new(chunk, header, columns.needed);
    while let Some((line, record)) = records.next(problems) {
        let mut values = columns.values(record);
        if columns.refuses_address(&mut values) {
            problems.push(RowProblem::repaired(line, "bad-email"));
        }
        if values[0].is_empty() {
            problems.push(RowProblem::skipped(line, "no-id"));
        } else if columns.is_deleted(record) {
            problems.push(RowProblem::skipped(line, "deleted"));
        } else {
            each(line, values);
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// `1,200` people are 1200; what is no number is unknown.
fn count(text: &str) -> Option<f64> {
    text.replace([',', ' ', '\u{a0}'], "").parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)
}

fn lead(values: [&str; 15]) -> CrmPerson {
    let [
        _,
        first_name,
        last_name,
        name,
        company,
        title,
        email,
        phone,
        mobile_phone,
        website,
        street,
        city,
        state,
        postal_code,
        country,
    ] = values.map(some);
    CrmPerson {
        first_name,
        last_name,
        name,
        title,
        company,
        email,
        phone,
        mobile_phone,
        website,
        street,
        city,
        state,
        postal_code,
        country,
    }
}

/// A contact's company is its account's; the export's own account columns fill what is missing.
fn contact(values: [&str; 16], accounts: &AccountsById) -> CrmPerson {
    let [lead_values @ .., account_id] = values;
    let mut record = lead(lead_values);
    if let Some(account) = accounts.get(canonical(account_id)) {
        record.company = some(&account.name).or(record.company);
        record.website = some(&account.website).or(record.website);
    }
    record
}

fn account(values: [&str; 11]) -> CrmAccount {
    let employees = count(values[10]);
    let [_, name, website, phone, street, city, state, postal_code, country, industry, _] =
        values.map(some);
    CrmAccount {
        name,
        website,
        phone,
        street,
        city,
        state,
        postal_code,
        country,
        industry,
        employees,
    }
}

/// Keeps what the contacts need of an account.
pub fn keep_account(accounts: &mut AccountsById, id: &str, facts: AccountFacts) {
    accounts.entry(canonical(id).to_owned()).or_insert(facts);
}
