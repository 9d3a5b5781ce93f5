//! The rows of a directory file as people and companies, and as the JSON lines that a deployment
//! reads.

use super::{
    Chunk, Content, DirectoryLine, Reader, RowProblem, Rows, count, directory_line, each_line,
    each_record, some,
};
use matching::read::Identified;
use matching::{Company, Employer, Person, Position, is_link};
use serde::{Deserialize, Serialize};

impl Rows {
    /// Hands the usable rows of a directory file's chunk to `each`, in order: the entity's id and
    /// its JSON line. A line of JSON stays as it is, so that nothing that it holds is lost; faults
    /// go to `problems`.
    pub fn read_entities(
        &self,
        chunk: &Chunk,
        problems: &mut Vec<RowProblem>,
        mut each: impl FnMut(&str, &[u8]),
    ) {
        match &self.reader {
            Reader::Json => each_line(chunk, problems, |line, bytes, problems| {
                let id = match self.content {
                    Content::Companies => id_of::<Company>(bytes),
                    _ => id_of::<Person>(bytes),
                };
                match id {
                    Ok(id) => each(&id, bytes),
                    Err(reason) => problems.push(RowProblem::skipped(line, reason)),
                }
            }),
            Reader::Person(header, columns) => {
                each_record(chunk, header, columns, problems, |_, values| {
                    hand_over(&person(values), values[0], &mut each);
                });
            }
            Reader::Company(header, columns) => {
                each_record(chunk, header, columns, problems, |_, values| {
                    hand_over(&company(values), values[0], &mut each);
                });
            }
            Reader::Lead(..) | Reader::Contact(..) | Reader::Account(..) => {}
        }
    }
}

/// The id of the entity in a line, or why it is none: a full file holds entities alone.
fn id_of<T: Identified + for<'de> Deserialize<'de>>(line: &[u8]) -> Result<String, &'static str> {
    match directory_line::<T>(line)? {
        DirectoryLine::Upsert(entity) if entity.id().trim().is_empty() => Err("no-id"),
        DirectoryLine::Upsert(entity) => Ok(entity.id().to_owned()),
        DirectoryLine::Delete { .. } | DirectoryLine::Merge { .. } => Err("deletion-or-merge"),
    }
}

fn hand_over<T: Serialize>(entity: &T, id: &str, each: &mut impl FnMut(&str, &[u8])) {
    // Texts and numbers always have a JSON form.
    if let Ok(json) = serde_json::to_vec(entity) {
        each(id, &json);
    }
}

/// The person of a CSV row.
pub(super) fn person(values: [&str; 16]) -> Person {
    let [
        id,
        first,
        last,
        name,
        title,
        headline,
        company,
        company_id,
        emails,
        phones,
        city,
        state,
        country,
        profile_url,
        photo_url,
        start_date,
    ] = values.map(str::to_owned);
    let whole_name = first.is_empty() && last.is_empty();
    Person {
        id,
        first_name: if whole_name { name } else { first },
        last_name: last,
        title,
        headline,
        company: (!company.is_empty() || !company_id.is_empty()).then(|| Employer {
            name: company,
            company_id: some(&company_id),
            start_date: start_date.parse().ok(),
        }),
        past_positions: Vec::<Position>::new(),
        emails: list(&emails),
        phones: list(&phones),
        city,
        state,
        country,
        profile_url: link(profile_url),
        photo_url: link(photo_url),
    }
}

/// The company of a CSV row.
pub(super) fn company(values: [&str; 13]) -> Company {
    let [
        id,
        name,
        domain,
        website,
        phone,
        street,
        city,
        state,
        postal_code,
        country,
        industry,
        employees,
        profile_url,
    ] = values.map(str::to_owned);
    let employees = count(&employees);
    let (former_names, brands) = (Vec::new(), Vec::new());
    Company {
        id,
        name,
        domain,
        website,
        phone,
        street,
        city,
        state,
        postal_code,
        country,
        industry,
        employees,
        former_names,
        brands,
        profile_url: link(profile_url),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A web address; anything else is none.
fn link(text: String) -> String {
    if is_link(&text) { text } else { String::new() }
}
