//! Writing a set's files: blocks made and compressed in parallel, each a gzip member.

use super::Size;
use super::noise;
use super::random::Random;
use super::records::{
    ACCOUNT_COLUMNS, CONTACT_COLUMNS, CrmRow, LEAD_COLUMNS, company_id, person_id,
};
use super::world::{Company, Kind, Person, World, title_text, work_mail};
use crate::pipeline::in_order;
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A file of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetFile {
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

impl SetFile {
    /// The file's name in the set's folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "profiles.jsonl.gz",
            Self::Companies => "companies.jsonl.gz",
            Self::Leads => "Lead.csv.gz",
            Self::Contacts => "Contact.csv.gz",
            Self::Accounts => "Account.csv.gz",
        }
    }

    fn object(self) -> &'static str {
        match self {
            Self::Leads => "Lead",
            Self::Contacts => "Contact",
            Self::Accounts => "Account",
            Self::People | Self::Companies => "",
        }
    }

    fn header(self) -> &'static [&'static str] {
        match self {
            Self::Leads => &LEAD_COLUMNS,
            Self::Contacts => &CONTACT_COLUMNS,
            Self::Accounts => &ACCOUNT_COLUMNS,
            Self::People | Self::Companies => &[],
        }
    }

    /// How many things are tried; an account is not made for every firm.
    fn count(self, size: Size) -> u64 {
        match self {
            Self::People => size.people,
            Self::Companies => size.companies,
            Self::Leads => size.leads,
            Self::Contacts => size.contacts,
            Self::Accounts => size.companies * 2,
        }
    }
}

/// The counts of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub file: SetFile,
    /// Its rows, the header apart.
    pub rows: u64,
}

/// One block of a file, and the truth of its rows.
#[derive(Default)]
struct Block {
    rows: u64,
    bytes: Vec<u8>,
    truth: Vec<u8>,
}

const BLOCK_ROWS: u64 = 10_000;

/// Where profiles, photos and companies' pages lie: nowhere.
const PROFILES: &str = "https://people.example/in/";
const PHOTOS: &str = "https://people.example/photo/";
const PAGES: &str = "https://people.example/company/";

/// Writes the set of `size` and `seed` into `folder`: the same bytes for any number of threads.
/// `advance` hears of the rows done.
pub fn generate(
    folder: &Path,
    size: Size,
    seed: u64,
    threads: usize,
    mut advance: impl FnMut(u64),
) -> anyhow::Result<Vec<Written>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let world = World::new(seed, size.people, size.companies);
    let mut truth = create(&folder.join("truth.csv.gz"))?;
    truth.write_all(&member(&[&csv_line(["crm_id", "profile_id", "object", "case"])?])?)?;
    let mut written = Vec::new();
    let files =
        [SetFile::People, SetFile::Companies, SetFile::Leads, SetFile::Contacts, SetFile::Accounts];
    for file in files {
        let mut out = create(&folder.join(file.name()))?;
        if !file.header().is_empty() {
            out.write_all(&member(&[&csv_line(file.header())?])?)?;
        }
        let count = file.count(size);
        let blocks = (0..count.div_ceil(BLOCK_ROWS))
            .map(|at| at * BLOCK_ROWS..((at + 1) * BLOCK_ROWS).min(count));
        let mut rows = 0;
        in_order(
            blocks,
            threads,
            || (),
            |(), range| block(&world, file, range),
            |block| {
                let block = block?;
                out.write_all(&block.bytes)?;
                truth.write_all(&block.truth)?;
                rows += block.rows;
                advance(block.rows);
                anyhow::Ok(())
            },
        )?;
        out.flush()?;
        written.push(Written { file, rows });
    }
    truth.flush()?;
    Ok(written)
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::new(file))
}

/// Compresses parts into one gzip member; a file of several members is one gzip file.
fn member(parts: &[&[u8]]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(4));
    for part in parts {
        encoder.write_all(part)?;
    }
    encoder.finish()
}

fn csv_line<I: IntoIterator<Item = T>, T: AsRef<[u8]>>(fields: I) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(writer.into_inner()?)
}

fn block(world: &World, file: SetFile, range: std::ops::Range<u64>) -> anyhow::Result<Block> {
    let mut rows = 0;
    let mut bytes = Vec::new();
    let mut truth = Vec::new();
    let mut push = |record: CrmRow| -> anyhow::Result<()> {
        bytes.extend(csv_line(&record.fields)?);
        truth.extend(csv_line([&record.id, &record.truth, file.object(), record.case])?);
        rows += 1;
        Ok(())
    };
    match file {
        SetFile::Leads => range.map(|n| world.lead(n)).try_for_each(push)?,
        SetFile::Contacts => range.map(|n| world.contact(n)).try_for_each(push)?,
        SetFile::Accounts => range.filter_map(|n| world.account(n)).try_for_each(&mut push)?,
        SetFile::People => {
            rows = range.end - range.start;
            for n in range {
                serde_json::to_writer(&mut bytes, &person_row(world, n))?;
                bytes.push(b'\n');
            }
        }
        SetFile::Companies => {
            rows = range.end - range.start;
            for n in range {
                serde_json::to_writer(&mut bytes, &CompanyRow::of(&world.company(n)))?;
                bytes.push(b'\n');
            }
        }
    }
    let truth = if truth.is_empty() { truth } else { member(&[&truth])? };
    Ok(Block { rows, bytes: member(&[&bytes])?, truth })
}

#[derive(Serialize)]
struct Employer {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
}

#[derive(Serialize)]
struct Position {
    title: String,
    company: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<String>,
    start_date: String,
    end_date: String,
}

#[derive(Serialize)]
struct PersonRow {
    id: String,
    first_name: String,
    last_name: String,
    title: String,
    company: Employer,
    headline: String,
    past_positions: Vec<Position>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    emails: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phones: Vec<String>,
    city: &'static str,
    state: &'static str,
    country: &'static str,
    profile_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    photo_url: Option<String>,
}

fn person_row(world: &World, number: u64) -> PersonRow {
    let Person { given, surname, title, employer, past, place, own_mail, mobile } =
        world.person(number);
    // The profile's content has a random stream of its own: the person stays the same.
    let random = &mut world.random(Kind::Name, number + (1 << 48));
    let employer = world.company(employer);
    let mut name = |company: &Company| match random.below(100) {
        0..45 => company.name.clone(),
        45..85 => company.core.clone(),
        _ => noise::company(company, random),
    };
    let shown = name(&employer);
    // So has what is shown of the profile, which no match depends on.
    let appearance = &mut world.random(Kind::Name, number + (1 << 49));
    let mut since = Month::LATEST.earlier(appearance);
    let start_date = appearance.percent(90).then(|| since.to_string());
    let mut position = |(title, company): ((usize, usize), u64)| {
        let end = since;
        since = end.earlier(appearance);
        let has_id = company < world.companies && appearance.percent(70);
        Position {
            title: title_text(title, false),
            company: name(&world.company(company)),
            company_id: has_id.then(|| company_id(company)),
            start_date: since.to_string(),
            end_date: end.to_string(),
        }
    };
    let past_positions = past.into_iter().map(&mut position).collect();
    let photo_url = appearance.percent(60).then(|| format!("{PHOTOS}{}.jpg", person_id(number)));
    let mut emails = Vec::new();
    if random.percent(18) {
        emails.push(own_mail);
    }
    if random.percent(18) {
        emails.push(work_mail(&given, &surname, &employer));
    }
    let has_id = employer.number < world.companies && random.percent(70);
    let title = title_text(title, false);
    PersonRow {
        id: person_id(number),
        headline: format!("{title} at {shown}"),
        company: Employer {
            name: shown,
            company_id: has_id.then(|| company_id(employer.number)),
            start_date,
        },
        first_name: given,
        last_name: surname,
        title,
        past_positions,
        emails,
        phones: if random.percent(22) { vec![mobile] } else { Vec::new() },
        city: if random.percent(93) { place.city } else { "" },
        state: place.state,
        country: place.culture.country,
        profile_url: format!("{PROFILES}{}", person_id(number)),
        photo_url,
    }
}

/// A month of a career.
#[derive(Clone, Copy)]
struct Month(u64);

impl Month {
    /// The month in which the latest positions may have begun.
    const LATEST: Self = Self(2026 * 12);

    /// A month up to eight years earlier.
    fn earlier(self, random: &mut Random) -> Self {
        Self(self.0 - 1 - random.below(96))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[derive(Serialize)]
struct CompanyRow<'a> {
    id: String,
    name: &'a str,
    domain: &'a str,
    website: String,
    phone: &'a str,
    street: &'a str,
    city: &'a str,
    state: &'a str,
    postal_code: &'a str,
    country: &'a str,
    industry: &'a str,
    employees: u64,
    profile_url: String,
}

impl<'a> CompanyRow<'a> {
    fn of(company: &'a Company) -> Self {
        let id = company_id(company.number);
        Self {
            profile_url: format!("{PAGES}{id}"),
            id,
            name: &company.name,
            domain: &company.domain,
            website: format!("https://www.{}", company.domain),
            phone: &company.phone,
            street: &company.street,
            city: company.place.city,
            state: company.place.state,
            postal_code: &company.postal_code,
            country: company.place.culture.country,
            industry: company.industry,
            employees: company.employees,
        }
    }
}
