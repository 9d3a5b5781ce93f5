//! Rows through the steps of the import in this process: read the CSV, bring the values into one
//! form, compare with what is stored, seal and put what is new, list what changed.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::capabilities::importing::{ObjectSelection, imported_record};
use shared::kernel::{
    Environment, Generation, ImportRunId, Reading, SObject, TenantEnvironment, TenantId,
};
use shared::ports::Ports;
use shared::salesforce::CsvReader;
use shared::seal::Sealer;
use shared::store::Records;
use shared::store::keys::GenerationKeys;
use shared::testing::Memory;

use crate::{peak_megabytes, per_second, processor_time, sink};

/// Rows of a result page.
const PAGE: u64 = 5_000;

pub(crate) async fn run(rows: u64) -> anyhow::Result<Value> {
    let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
    let ports = sink::Records::default().sink(memory.ports());
    let first = pass(&records(&ports), rows, 1).await?;
    // What is stored already: a page's worth, again and again, against the table in memory.
    let stored = records(&memory.ports());
    pass(&stored, PAGE, 1).await?;
    let csv = page(0);
    let mut unchanged = 0;
    let begun = processor_time()?;
    while unchanged < rows {
        let counts = land(&stored, &csv, 2).await?;
        anyhow::ensure!(counts.unchanged == PAGE, "{counts:?}");
        unchanged += PAGE;
    }
    let again = per_second(unchanged, processor_time()?.saturating_sub(begun));
    Ok(json!({
        "rows": rows,
        "bytes_per_row": csv.len() as u64 / PAGE,
        "new_rows_per_core_second": first,
        "unchanged_rows_per_core_second": again,
        "peak_megabytes": peak_megabytes(),
    }))
}

fn records(ports: &Ports) -> Records {
    let at = TenantEnvironment {
        tenant: TenantId::derived("bench"),
        environment: Environment::Production,
    };
    let keys = GenerationKeys::new(at.generation(Generation(1)), 16);
    Records::new(ports.clone(), keys, Sealer::new(&zeroize::Zeroizing::new([7; 32])))
}

/// Lands so many new rows; gives rows per second of a core, the making of the CSV left out.
async fn pass(records: &Records, rows: u64, step: u64) -> anyhow::Result<u64> {
    let mut spent = Duration::ZERO;
    for number in 0..rows.div_ceil(PAGE) {
        let csv = page(number);
        let begun = processor_time()?;
        let counts = land(records, &csv, step).await?;
        spent += processor_time()?.saturating_sub(begun);
        anyhow::ensure!(counts.new == PAGE, "{counts:?}");
    }
    Ok(per_second(rows.next_multiple_of(PAGE), spent))
}

async fn land(records: &Records, csv: &str, step: u64) -> anyhow::Result<shared::kernel::Counts> {
    let mut reader = CsvReader::new(csv.as_bytes(), Some(PAGE));
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.extend(imported_record(SObject::Contact, &ObjectSelection::default(), &row));
    }
    let reading = Reading { run: ImportRunId::derived("bench"), step, at: Timestamp::UNIX_EPOCH };
    Ok(records.land(reading, rows).await?.counts)
}

/// A page of wide contacts: every field that is imported has a value.
fn page(number: u64) -> String {
    let fields = SObject::Contact.fields();
    let mut csv = format!("\"{}\"\n", fields.join("\",\""));
    for row in 0..PAGE {
        let n = number * PAGE + row;
        for (at, field) in fields.iter().enumerate() {
            csv.push_str(if at == 0 { "\"" } else { "\",\"" });
            let _ = match *field {
                "Id" => write!(csv, "{}", id("003", n)),
                "AccountId" => write!(csv, "{}", id("001", n / 4)),
                "OwnerId" => write!(csv, "{}", id("005", n % 50)),
                "MasterRecordId" => Ok(()),
                "IsDeleted" | "HasOptedOutOfEmail" => write!(csv, "false"),
                "Email" => write!(csv, "ada.lovelace{n}@company{}.example", n / 4),
                "Description" => {
                    write!(csv, "Met at the fair, \"\"very\"\" interested in no. {n}\nsecond line")
                }
                name if SObject::field_form(name) == shared::kernel::FieldForm::Moment => {
                    write!(csv, "2026-01-01T10:00:00.000Z")
                }
                name => write!(csv, "{name} {n}"),
            };
        }
        csv.push_str("\"\n");
    }
    csv
}

/// The 15 characters of an id.
fn id(prefix: &str, n: u64) -> String {
    format!("{prefix}B{n:011}")
}
