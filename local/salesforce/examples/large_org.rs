//! How fast and how large: an org of so many contacts is loaded, and its bulk pages are read, plain
//! and compressed.
//!
//! `cargo run --release -p salesforce-simulator --example large_org -- 1000000`

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::error::Error;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use salesforce_simulator::{Simulator, SimulatorOptions};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows on a page, as crm-sync asks for them.
const PAGE: usize = 25_000;
const FIELDS: &str = "Id, AccountId, FirstName, LastName, Name, Email, Phone, Title, MailingCity, \
    MailingCountry, Department, Description, OwnerId, IsDeleted, CreatedDate, LastModifiedDate, \
    SystemModstamp, HasOptedOutOfEmail, DoNotCall, IsEmailBounced";

#[tokio::main]
async fn main() -> Outcome<()> {
    let rows: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let bytes = write_contacts(folder.path(), rows)?;
    let before = resident()?;
    let began = Instant::now();
    let options = SimulatorOptions { orgs: vec![folder.path().to_owned()], ..Default::default() };
    let simulator = Simulator::start(options).await?;
    let control = simulator.control();
    let org = control.orgs().pop().ok_or("no org")?;
    println!(
        "{rows} contacts, {} MB of CSV, loaded in {:.1} s",
        bytes >> 20,
        began.elapsed().as_secs_f64()
    );
    let loaded = resident()?;
    println!("{} bytes of memory a row, index and all", (loaded - before) * 1024 / rows.max(1));
    let token = control.access_token(&org, &format!("admin@{org}.example"))?;
    let jobs = format!("{}/services/data/v62.0/jobs/query", simulator.http_url());
    for (how, compressed) in [("plain", false), ("gzip", true)] {
        let client = reqwest::Client::builder().gzip(false).build()?;
        let began = Instant::now();
        let job = finished_job(&client, &jobs, &token).await?;
        let ready = began.elapsed();
        let began = Instant::now();
        let read =
            read_pages(&client, &format!("{jobs}/{job}/results"), &token, compressed).await?;
        let speed = f64::from(u32::try_from(read)?) / began.elapsed().as_secs_f64();
        println!(
            "{how}: job ready in {:.1} s, {read} rows at {speed:.0} rows/s",
            ready.as_secs_f64()
        );
    }
    println!(
        "memory grew by {} MB while pages were read",
        (resident()?.saturating_sub(loaded)) >> 10
    );
    Ok(())
}

fn write_contacts(folder: &Path, rows: usize) -> Outcome<u64> {
    let path = folder.join("Contact.csv");
    let mut file = BufWriter::new(std::fs::File::create(&path)?);
    writeln!(
        file,
        "FirstName,LastName,Email,Phone,Title,MailingCity,MailingCountry,Department,Description"
    )?;
    for n in 0..rows {
        writeln!(
            file,
            "First{n},Last{n},first{n}.last{n}@company{}.example,+49 30 {n:07},Head of Unit {},\
             Berlin,Germany,Unit {},\"A note, with \"\"quotes\"\", about contact {n} and what was \
             said to them last time\"",
            n % 40_000,
            n % 90,
            n % 90
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

async fn finished_job(client: &reqwest::Client, jobs: &str, token: &str) -> Outcome<String> {
    let body = json!({ "operation": "query", "query": format!("SELECT {FIELDS} FROM Contact") });
    let made = client.post(jobs).bearer_auth(token).json(&body).send().await?;
    let made: Value = made.error_for_status()?.json().await?;
    let id = made["id"].as_str().ok_or("no id")?.to_owned();
    loop {
        let job = client.get(format!("{jobs}/{id}")).bearer_auth(token).send().await?;
        match job.json::<Value>().await?["state"].as_str() {
            Some("JobComplete") => return Ok(id),
            Some("Failed" | "Aborted") | None => return Err("the job failed".into()),
            Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Reads all pages and counts the rows that their headers promise; the bytes are read and dropped.
async fn read_pages(
    client: &reqwest::Client,
    results: &str,
    token: &str,
    compressed: bool,
) -> Outcome<usize> {
    let (mut locator, mut rows) = (String::new(), 0);
    while locator != "null" {
        let url = format!("{results}?maxRecords={PAGE}&locator={locator}");
        let mut request = client.get(url).bearer_auth(token);
        if compressed {
            request = request.header("accept-encoding", "gzip");
        }
        let mut page = request.send().await?.error_for_status()?;
        let header = |name: &str| {
            page.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        rows += header("sforce-numberofrecords").ok_or("no count")?.parse::<usize>()?;
        locator = header("sforce-locator").ok_or("no locator")?;
        while page.chunk().await?.is_some() {}
    }
    Ok(rows)
}

/// This process's resident memory in kB.
fn resident() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}
