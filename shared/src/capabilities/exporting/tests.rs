//! Exports over the ports in memory: each row once, whatever dies; their day; who asks again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::capabilities::audit::{Action, AuditFilter, AuditLog};
use crate::capabilities::custody::{Custody, LookupError, OpenGeneration, StoredGrant};
use crate::capabilities::linking::{CandidateList, RecordDecision};
use crate::kernel::{
    Author, Connection, Environment, ExportId, ExportMessage, Fields, ImportRunId, Reading, Record,
    SObject, TenantEnvironment,
};
use crate::store::keys::connection as connection_slot;
use crate::testing::{Fuse, Memory, entity_id, product, record_id};
use crate::work::Done;

pub(super) struct Home {
    pub(super) memory: Memory,
    fuse: Fuse,
    custody: Custody,
    pub(super) exports: Exports,
    steps: ExportSteps,
    pub(super) opened: OpenGeneration,
}

/// A formula in place of a name.
const FORMULA: &str = "=HYPERLINK(\"http://evil.example\")";

impl Home {
    /// A connection with so many leads: every third is matched, every other third is a duplicate.
    pub(super) async fn with(leads: u64) -> Self {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let fuse = Fuse::default();
        let ports = fuse.guard(&memory.ports());
        let product = product(ports.clone(), "test/");
        let custody = product.custody();
        let connection = Connection { buckets: 3, ..Connection::sample() };
        let grant = StoredGrant {
            access_token: String::new().into(),
            refresh_token: String::new().into(),
            instance_url: connection.instance_url.clone(),
        };
        custody.make_secret(connection.scope(), &grant, "1").await.unwrap();
        let store = crate::store::Store::new(ports.clone());
        store.put(&connection_slot(connection.at), &connection).await.unwrap();
        let opened = custody.open(connection.scope()).await.unwrap().unwrap();
        let (exports, steps) = (product.exports(), product.export_steps().with_sizes(2, 1_500));
        let home = Self { memory, fuse, custody, exports, steps, opened };
        home.fill(leads).await;
        home
    }

    async fn fill(&self, leads: u64) {
        let at = Timestamp::UNIX_EPOCH;
        let reading = Reading { run: ImportRunId::derived("run"), step: 1, at };
        let rows = (0..leads).map(|n| {
            let names = json!({ "LastName": format!("{FORMULA} {n}"), "Company": "Acme; =1" });
            let fields: Fields = serde_json::from_value(names).unwrap();
            Record::read(SObject::Lead, record_id("00Q", n), at, fields)
        });
        self.opened.records.land(reading, rows.collect()).await.unwrap();
        for n in 0..leads {
            let id = record_id("00Q", n);
            let decision =
                [RecordDecision::Match, RecordDecision::Duplicate, RecordDecision::NonMatch];
            let decision = decision[usize::try_from(n % 3).unwrap()];
            let matched = (n % 3 == 0).then(|| entity_id(&format!("pr_{n}")));
            let list =
                CandidateList { matched, decision, ..CandidateList::empty(SObject::Lead, id) };
            let slot = self.opened.keys.candidates(SObject::Lead, id);
            self.opened.store.put(&slot, &list).await.unwrap();
        }
    }

    pub(super) fn at(&self) -> TenantEnvironment {
        self.opened.connection.at
    }

    pub(super) async fn ask(&self, kind: ExportKind, format: ExportFormat) -> ExportJob {
        self.ask_for(ExportOrder { kind, format, sample: None }).await
    }

    async fn ask_for(&self, order: ExportOrder) -> ExportJob {
        self.exports.ask(self.at(), order, &Author::Service).await.unwrap()
    }

    async fn step(&self, export: ExportId, step: u64) -> bool {
        let scope = self.opened.keys.scope();
        self.steps.handle(ExportMessage::Step { scope, export, step }).await.is_ok()
    }

    /// The same, with steps and files as large as in production.
    pub(super) fn in_full_size(self) -> Self {
        let steps = ExportSteps::new(self.memory.ports(), self.custody.clone());
        Self { steps, ..self }
    }

    /// Takes every step; each as often as `times`.
    pub(super) async fn run(&self, export: ExportId, times: u32) -> ExportJob {
        for step in 0..200 {
            for _ in 0..times {
                assert!(self.step(export, step).await);
            }
            let job = self.job(export).await;
            if job.state == ExportState::Ready {
                return job;
            }
        }
        panic!("the export does not end");
    }

    async fn job(&self, export: ExportId) -> ExportJob {
        self.exports.get(self.at(), export).await.unwrap().0
    }

    /// The texts of an export's files.
    async fn texts(&self, job: &ExportJob) -> Vec<String> {
        let (_, addresses) = self.exports.get(self.at(), job.id).await.unwrap();
        let mut texts = Vec::new();
        for ExportAddress { file, url, .. } in addresses {
            let key = url.strip_prefix("memory:").unwrap();
            let bytes = self.memory.ports().objects.get(key).await.unwrap().unwrap();
            assert_eq!(bytes.len() as u64, file.bytes);
            texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        texts
    }

    /// The ids of the records in JSON files, each once.
    async fn ids(&self, job: &ExportJob) -> BTreeSet<String> {
        let texts = self.texts(job).await;
        let lines = texts.iter().flat_map(|text| text.lines());
        let ids: Vec<String> = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|row| row["record_id"].as_str().unwrap().to_owned())
            .collect();
        let unique: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(unique.len(), ids.len(), "a record is in one row");
        assert_eq!(unique.len() as u64, job.rows());
        unique
    }

    fn objects(&self) -> Vec<String> {
        self.memory.object_keys().into_iter().filter(|key| key.starts_with("exports/")).collect()
    }
}

/// The ids of the leads that are matched, or that are not.
fn expected(leads: u64, matched: bool) -> BTreeSet<String> {
    let of = (0..leads).filter(|n| (n % 3 == 0) == matched);
    of.map(|n| record_id("00Q", n).to_string()).collect()
}

#[tokio::test]
async fn every_record_is_a_row_of_the_one_export_or_of_the_other_over_several_files() {
    let home = Home::with(200).await;
    for (kind, matched) in [(ExportKind::Matched, true), (ExportKind::Unmatched, false)] {
        let asked = home.ask(kind, ExportFormat::Jsonl).await;
        assert_eq!((asked.percent(), asked.rows()), (0, 0));
        let job = home.run(asked.id, 1).await;
        assert_eq!(home.ids(&job).await, expected(200, matched));
        assert!(job.files.len() > 1, "{:?}", job.files);
        assert_eq!(job.percent(), 100);
    }
}

#[tokio::test]
async fn progress_never_goes_back_and_is_told_while_it_runs() {
    let home = Home::with(200).await;
    let asked = home.ask(ExportKind::Matched, ExportFormat::Jsonl).await;
    let mut told = vec![0];
    for step in 0.. {
        assert!(home.step(asked.id, step).await);
        let job = home.job(asked.id).await;
        told.push(job.percent());
        if job.state == ExportState::Ready {
            break;
        }
    }
    assert!(told.is_sorted() && told.len() > 3, "{told:?}");
    assert!(told.iter().any(|percent| (1..100).contains(percent)), "{told:?}");
}

#[tokio::test]
async fn steps_that_are_taken_twice_write_each_row_once() {
    let home = Home::with(100).await;
    let asked = home.ask(ExportKind::Unmatched, ExportFormat::Jsonl).await;
    let job = home.run(asked.id, 2).await;
    assert_eq!(home.ids(&job).await, expected(100, false));
}

#[tokio::test]
async fn killed_at_any_call_an_export_ends_with_each_row_once() {
    let (mut n, mut deaths) = (1, 0);
    loop {
        let home = Home::with(60).await;
        let asked = home.ask(ExportKind::Matched, ExportFormat::Jsonl).await;
        home.fuse.light(n, n % 2 == 0);
        let mut step = 0;
        while step < 50 {
            let done = home.step(asked.id, step).await;
            if home.fuse.is_dead() {
                deaths += 1;
                home.fuse.restart();
                continue;
            }
            assert!(done);
            step += 1;
        }
        home.fuse.pause(); // what is looked at now is not the process's
        let died = deaths == n;
        let job = home.job(asked.id).await;
        assert_eq!(job.state, ExportState::Ready);
        assert_eq!(home.ids(&job).await, expected(60, true), "killed at call {n}");
        if !died {
            break;
        }
        n += 1;
    }
    assert!(deaths > 10, "{deaths}");
}

#[tokio::test]
async fn i35_a_formula_in_the_org_is_a_text_in_the_csv_and_itself_in_the_json() {
    let home = Home::with(3).await;
    let asked = home.ask(ExportKind::Matched, ExportFormat::Csv).await;
    let text = home.texts(&home.run(asked.id, 1).await).await.concat();
    let (head, row) = text.trim_end().split_once("\r\n").unwrap();
    assert!(head.starts_with("object,record_id,record_url,name,"), "{head}");
    assert!(
        row.contains(",\"'=HYPERLINK(\"\"http://evil.example\"\") 0\",\"Acme; '=1\","),
        "{row}"
    );
    let asked = home.ask(ExportKind::Matched, ExportFormat::Jsonl).await;
    let text = home.texts(&home.run(asked.id, 1).await).await.concat();
    let row: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&row["name"], &row["company"]),
        (&json!(format!("{FORMULA} 0")), &json!("Acme; =1"))
    );
}

#[tokio::test]
async fn an_export_without_rows_has_a_file_that_says_so() {
    let home = Home::with(0).await;
    let asked = home.ask(ExportKind::Matched, ExportFormat::Csv).await;
    let job = home.run(asked.id, 1).await;
    let texts = home.texts(&job).await;
    assert_eq!((texts.len(), texts[0].lines().count(), job.rows()), (1, 1, 0));
}

#[tokio::test]
async fn a_sample_has_at_most_so_many_rows_and_all_when_there_are_fewer() {
    let home = Home::with(100).await;
    for (most, rows) in [(5, 5), (1_000, 34)] {
        let (kind, format) = (ExportKind::Matched, ExportFormat::Jsonl);
        let asked = home.ask_for(ExportOrder { kind, format, sample: Some(most) }).await;
        let job = home.run(asked.id, 1).await;
        assert_eq!(home.ids(&job).await.len(), rows);
    }
}

#[tokio::test]
async fn who_asks_for_what_is_being_written_gets_that_and_afterwards_another() {
    let home = Home::with(10).await;
    let first = home.ask(ExportKind::Matched, ExportFormat::Csv).await;
    assert_eq!(home.ask(ExportKind::Matched, ExportFormat::Csv).await, first);
    let other = home.ask(ExportKind::Unmatched, ExportFormat::Csv).await;
    assert_ne!(other.id, first.id);
    home.run(first.id, 1).await;
    assert_ne!(home.ask(ExportKind::Matched, ExportFormat::Csv).await.id, first.id);
    let log = AuditLog::new(home.memory.ports());
    let filter = AuditFilter { action: Some(Action::Export), ..AuditFilter::default() };
    let told = log.page(home.at().tenant, &filter, None).await.unwrap().entries;
    assert_eq!(told.len(), 3, "who is told of another's export asks for none");
    assert_eq!(told[0].deed.name, Some(first.id.to_string()));
}

#[tokio::test]
async fn the_files_go_after_a_day_and_addresses_lead_nowhere_longer() {
    let home = Home::with(10).await;
    let asked = home.ask(ExportKind::Matched, ExportFormat::Csv).await;
    let finished = home.run(asked.id, 1).await.finished_at.unwrap();
    let clear = async || {
        let scope = home.opened.keys.scope();
        let message = ExportMessage::Clear { scope, export: asked.id };
        assert!(matches!(home.steps.handle(message).await, Ok(Done::Finished)));
    };
    let addresses = async || home.exports.get(home.at(), asked.id).await.unwrap().1;
    assert_eq!(addresses().await[0].valid_until, finished + SignedDuration::from_mins(15));
    home.memory.clock.advance(SignedDuration::from_mins(24 * 60 - 5));
    clear().await;
    let end = finished + SignedDuration::from_hours(24);
    assert_eq!(addresses().await[0].valid_until, end, "no longer than its file");
    assert!(!home.objects().is_empty(), "a message that comes early does nothing");
    home.memory.clock.advance(SignedDuration::from_mins(5));
    assert!(addresses().await.is_empty());
    clear().await;
    clear().await;
    assert_eq!(home.objects(), Vec::<String>::new());
    assert_eq!(home.job(asked.id).await.state, ExportState::Expired);
    let items = home.memory.items();
    let item = items.iter().find(|item| item.key.sk().starts_with("JOB#")).unwrap();
    assert!(item.expires_at.is_some(), "it is forgotten");
}

#[tokio::test]
async fn an_export_is_found_in_its_own_environment_alone_and_lies_in_its_own_generation() {
    let home = Home::with(10).await;
    let asked = home.ask(ExportKind::Matched, ExportFormat::Csv).await;
    home.run(asked.id, 1).await;
    let elsewhere = TenantEnvironment { environment: Environment::Sandbox, ..home.at() };
    let found = home.exports.get(elsewhere, asked.id).await;
    assert!(matches!(found, Err(LookupError::NotFound(_))));
    let prefix = home.opened.keys.scope().export_prefix();
    assert!(home.objects().iter().all(|key| key.starts_with(&prefix)));
    assert!(home.custody.open(home.opened.keys.scope()).await.unwrap().is_some());
}

#[test]
fn a_place_goes_through_every_bucket_of_every_object_and_ends() {
    let (mut place, mut seen, mut left_behind) = (Some(ExportPlace::default()), vec![], 0);
    while let Some(here) = place {
        seen.push((here.object, here.bucket, here.after.clone()));
        let more = (here.bucket == 1 && here.after.is_none()).then(|| "k".to_owned());
        let (next, behind) = here.after_page((1, more), (2, 2), None);
        (place, left_behind) = (next, left_behind + behind);
    }
    let of = |object, bucket, after: Option<&str>| (object, bucket, after.map(str::to_owned));
    let once = |object| [of(object, 0, None), of(object, 1, None), of(object, 1, Some("k"))];
    assert_eq!(seen, [once(0), once(1)].concat());
    assert_eq!(left_behind, 4);
    let full = ExportPlace { taken: 4, ..ExportPlace::default() };
    let (next, behind) = full.after_page((1, Some("k".to_owned())), (2, 2), Some(5));
    assert_eq!((next.unwrap().object, behind), (1, 2), "a full sample skips the rest");
}
