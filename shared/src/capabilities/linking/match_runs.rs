//! Planning match runs: probes, batches, and the messages that have them scored.
//!
//! Probes stay in the object store, sealed, in one folder per object and bucket: every import
//! appends what it changed, and a re-match reads them all, the latest of each record, and folds
//! the folder into one file. A re-match therefore reads neither Salesforce nor the table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use matching::{CrmAccount, CrmPerson, Probe};
use serde_json::json;

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory;
use crate::capabilities::directory::{CurrentDirectory, DirectoryVersion};
use crate::capabilities::linking::{
    Batch, MATCHED_OBJECTS, MatchRun, MatchRunState, ModelChoice, ProbeEntry, entity_kind_of,
};
use crate::kernel::{
    DirectoryVersionId, Fields, MatchMessage, MatchRunId, MatchTrigger, Record, SObject, Scope,
};
use crate::ports::{Condition, Ports, Write};
use crate::store::{self, Next, Outbox};
use crate::work::{Done, WorkError};

/// How many probes a batch holds: few enough to be scored and settled well within a timeout.
pub(crate) const BATCH: usize = 500;

/// How many batches one planning step makes: their items and messages share one transaction.
const BATCHES_PER_STEP: usize = 8;

/// When a planning step comes again that met a settlement on its way.
pub(crate) const MOVED: Duration = Duration::from_secs(1);

/// What a run is made with, from its beginning to its end.
pub(crate) struct Pins {
    pub(crate) directory: DirectoryVersion,
    pub(crate) model: ModelChoice,
}

/// Plans match runs.
#[derive(Clone)]
pub(crate) struct MatchRuns {
    ports: Ports,
    custody: Custody,
    outbox: Outbox,
}

impl MatchRuns {
    /// Planning over these ports.
    #[must_use]
    pub(crate) fn new(ports: Ports, custody: Custody) -> Self {
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, outbox }
    }

    /// The directory version to match to; none before the first is published.
    pub(crate) async fn current_directory(&self) -> Result<Option<DirectoryVersion>, WorkError> {
        let table = &*self.ports.table;
        let current: Option<CurrentDirectory> =
            store::get(table, &directory::keys::directory_current()).await?;
        let Some(current) = current else { return Ok(None) };
        Ok(store::get(table, &directory::keys::directory_version(current.version)).await?)
    }

    /// What a run that begins now is made with; none before the first version is published.
    ///
    /// The directory is read first: whichever of the two is replaced in between, the re-match that
    /// its replacement calls for has both of them as new as any run before it.
    pub(crate) async fn pins(&self, opened: &OpenGeneration) -> Result<Option<Pins>, WorkError> {
        let Some(directory) = self.current_directory().await? else { return Ok(None) };
        let model = self.model_choice(opened).await?;
        Ok(Some(Pins { directory, model }))
    }

    /// Which model the generation matches with.
    pub(crate) async fn model_choice(
        &self,
        opened: &OpenGeneration,
    ) -> Result<ModelChoice, WorkError> {
        let chosen = store::get(&*self.ports.table, &opened.keys.model_choice()).await?;
        Ok(chosen.unwrap_or_default())
    }

    /// A run that begins now, made with `pins`.
    pub(crate) fn begin(
        id: MatchRunId,
        trigger: MatchTrigger,
        pins: &Pins,
        now: Timestamp,
    ) -> MatchRun {
        MatchRun {
            id,
            trigger,
            state: MatchRunState::Planning,
            directory: pins.directory.id,
            model: pins.model,
            step: 0,
            cursor: (0, 0, 0),
            batches: 0,
            settled: 0,
            records: 0,
            changed: 0,
            started_at: now,
            finished_at: None,
        }
    }

    /// Takes one step of a re-match of everything that a connection holds.
    pub(crate) async fn rematch(
        &self,
        scope: Scope,
        id: MatchRunId,
        trigger: MatchTrigger,
        step: u64,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let Some(pins) = self.pins(&opened).await? else { return Ok(Done::Finished) };
        let key = opened.keys.match_run(id);
        let stored: Option<MatchRun> = store::get(&*self.ports.table, &key).await?;
        let is_new = stored.is_none();
        let now = self.ports.clock.now();
        let mut run = stored.unwrap_or_else(|| Self::begin(id, trigger, &pins, now));
        if run.step != step || run.state != MatchRunState::Planning {
            return Ok(Done::Finished);
        }
        let when = if is_new { Condition::Absent } else { unmoved(&run) };
        let Some(directory) = self.version(run.directory).await? else {
            return Err(WorkError::reject("re-match", "the run's directory version is gone"));
        };
        // The cursor moves with the probes, at the last bucket on to the next object.
        let object = MATCHED_OBJECTS.get(run.cursor.0).copied();
        let probes = self.next_probes(&opened, &mut run).await?;
        let mut writes = Vec::new();
        let mut next = Vec::new();
        if let (Some(probes), Some(object)) = (probes, object) {
            self.batches(&opened, &mut run, &directory, object, probes, &mut writes, &mut next)
                .await?;
        }
        run.step += 1;
        if run.cursor.0 >= MATCHED_OBJECTS.len() {
            Self::planned(&mut run, now);
        } else {
            next.push(Next::now(MatchMessage::Rematch { scope, run: id, trigger, step: run.step }));
        }
        writes.push(store::put(key, &run, when)?);
        if self.outbox.commit(writes, next).await?.is_done() {
            return Ok(Done::Finished);
        }
        // A batch was settled meanwhile, or another delivery was faster: the next one sees which.
        Ok(Done::Later(MOVED))
    }

    /// Notes that all batches of a run are made. Settling may have overtaken the planning.
    pub(crate) fn planned(run: &mut MatchRun, now: Timestamp) {
        run.state = MatchRunState::Scoring;
        Self::complete_if_settled(run, now);
    }

    /// Completes a run of which nothing is left to do.
    pub(crate) fn complete_if_settled(run: &mut MatchRun, now: Timestamp) {
        if run.state == MatchRunState::Scoring && run.settled == run.batches {
            run.state = MatchRunState::Complete;
            run.finished_at = Some(now);
        }
    }

    pub(crate) async fn version(
        &self,
        id: DirectoryVersionId,
    ) -> Result<Option<DirectoryVersion>, WorkError> {
        Ok(store::get(&*self.ports.table, &directory::keys::directory_version(id)).await?)
    }

    /// Adds batches of `probes` to a run that is being planned: their objects are stored here, their
    /// items and messages are added to the caller's transaction.
    #[expect(clippy::too_many_arguments, reason = "the caller's transaction is two of them")]
    pub(crate) async fn batches(
        &self,
        opened: &OpenGeneration,
        run: &mut MatchRun,
        directory: &DirectoryVersion,
        object: SObject,
        probes: Vec<ProbeEntry>,
        writes: &mut Vec<Write>,
        next: &mut Vec<Next>,
    ) -> Result<(), WorkError> {
        let scope = opened.keys.scope();
        let Some(entity_kind) = entity_kind_of(object) else { return Ok(()) };
        let shards = directory.shards(entity_kind);
        for chunk in probes.chunks(BATCH) {
            let number = run.batches;
            let plain = serde_json::to_vec(chunk)
                .map_err(|error| WorkError::reject("write a batch", error))?;
            opened.put_object(&self.ports, &batch_object(scope, run.id, number), &plain).await?;
            let records = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let batch = Batch { number, object, records, shards_left: shards, settled: false };
            writes.push(store::put(opened.keys.batch(run.id, number), &batch, Condition::Always)?);
            next.extend((0..shards).map(|shard| {
                let (run, batch) = (run.id, number);
                Next::now(MatchMessage::Batch { scope, run, batch, entity_kind, shard })
            }));
            if shards == 0 {
                next.push(Next::now(MatchMessage::Settle { scope, run: run.id, batch: number }));
            }
            run.batches += 1;
            run.records += chunk.len() as u64;
        }
        Ok(())
    }

    /// The probes of these records as they are now; an entry without a probe for those that are
    /// gone or not to be matched. `as_of` is when the import began that hands them over. Their own
    /// stamps would not do: a contact whose account is gone from sight has an older one than it had
    /// with it.
    pub(crate) async fn probe(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        ids: &[String],
        as_of: Timestamp,
    ) -> Result<Vec<ProbeEntry>, WorkError> {
        let records = opened.records.get(object, ids).await?;
        let accounts = match object {
            SObject::Contact => accounts_by_id(opened, &records).await?,
            _ => BTreeMap::new(),
        };
        let heads = opened.records.heads(object, ids).await?;
        let stamp = as_of.as_millisecond();
        let mut probes: BTreeMap<String, ProbeEntry> = heads
            .into_iter()
            .map(|head| {
                let entry = ProbeEntry { record: head.id, stamp, probe: None };
                (entry.record.clone(), entry)
            })
            .collect();
        for record in &records {
            let account = record.fields.get("AccountId").and_then(|id| accounts.get(id));
            let probe = probe_of(record, account);
            let entry = ProbeEntry { record: record.id.clone(), stamp, probe };
            probes.insert(record.id.clone(), entry);
        }
        Ok(probes.into_values().collect())
    }

    /// Appends probes to the folders that a re-match reads. `name` makes it idempotent.
    pub(crate) async fn keep_probes(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        name: &str,
        probes: &[ProbeEntry],
    ) -> Result<(), WorkError> {
        let mut by_bucket: BTreeMap<u32, Vec<&ProbeEntry>> = BTreeMap::new();
        for probe in probes {
            by_bucket.entry(opened.keys.bucket(&probe.record)).or_default().push(probe);
        }
        for (bucket, probes) in by_bucket {
            let key = format!("{}{name}", probe_folder(opened.keys.scope(), object, bucket));
            let plain = serde_json::to_vec(&probes)
                .map_err(|error| WorkError::reject("write probes", error))?;
            opened.put_object(&self.ports, &key, &plain).await?;
        }
        Ok(())
    }

    /// The probes of the planning's next step, and the cursor moved behind them; none when the
    /// place holds no more.
    async fn next_probes(
        &self,
        opened: &OpenGeneration,
        run: &mut MatchRun,
    ) -> Result<Option<Vec<ProbeEntry>>, WorkError> {
        let (object_index, bucket, offset) = run.cursor;
        let Some(&object) = MATCHED_OBJECTS.get(object_index) else { return Ok(None) };
        let probes = self.folded(opened, run.id, object, bucket).await?;
        let step: Vec<ProbeEntry> =
            probes.into_iter().skip(offset).take(BATCH * BATCHES_PER_STEP).collect();
        if step.len() == BATCH * BATCHES_PER_STEP {
            run.cursor.2 = offset + step.len();
            return Ok(Some(step));
        }
        let found = (!step.is_empty()).then_some(step);
        run.cursor = if bucket + 1 < opened.keys.buckets() {
            (object_index, bucket + 1, 0)
        } else {
            (object_index + 1, 0, 0)
        };
        Ok(found)
    }

    /// The latest probe of each record of a bucket, by record id; the folder becomes one file.
    async fn folded(
        &self,
        opened: &OpenGeneration,
        run: MatchRunId,
        object: SObject,
        bucket: u32,
    ) -> Result<Vec<ProbeEntry>, WorkError> {
        let folder = probe_folder(opened.keys.scope(), object, bucket);
        let files = self.ports.objects.list(&folder).await?;
        let mut latest: BTreeMap<String, ProbeEntry> = BTreeMap::new();
        for file in &files {
            let Some(plain) = opened.get_object(&self.ports, &file.key).await? else { continue };
            let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
                .map_err(|error| WorkError::reject("read probes", error))?;
            for probe in probes {
                match latest.get(&probe.record) {
                    Some(known) if known.stamp > probe.stamp => {}
                    _ => {
                        latest.insert(probe.record.clone(), probe);
                    }
                }
            }
        }
        let entries: Vec<ProbeEntry> = latest.into_values().collect();
        // Each run folds into a file of its own: two of them at once lose nothing to each other.
        let base = format!("{folder}0-{run}");
        let others: Vec<String> =
            files.into_iter().map(|f| f.key).filter(|key| *key != base).collect();
        if !others.is_empty() {
            let plain = serde_json::to_vec(&entries)
                .map_err(|error| WorkError::reject("write probes", error))?;
            opened.put_object(&self.ports, &base, &plain).await?;
            self.ports.objects.delete(&others).await?;
        }
        Ok(entries)
    }
}

pub(crate) fn probe_folder(scope: Scope, object: SObject, bucket: u32) -> String {
    format!("{}probes/{object}/{bucket:05}/", scope.object_prefix())
}

/// Neither planning nor settling moved a run since it was read: both replace the whole item.
pub(crate) fn unmoved(run: &MatchRun) -> Condition {
    Condition::All(vec![
        Condition::Eq("state", json!(run.state)),
        Condition::Eq("step", json!(run.step)),
        Condition::Eq("batches", json!(run.batches)),
        Condition::Eq("settled", json!(run.settled)),
    ])
}

/// Where a batch lies.
pub(crate) fn batch_object(scope: Scope, run: MatchRunId, batch: u32) -> String {
    format!("{}batches/{run}/{batch:08}", scope.object_prefix())
}

/// Where a shard's word on a batch lies.
pub(crate) fn scored_object(scope: Scope, run: MatchRunId, batch: u32, shard: u32) -> String {
    format!("{}scored/{run}/{batch:08}/{shard:05}", scope.object_prefix())
}

async fn accounts_by_id(
    opened: &OpenGeneration,
    contacts: &[Record],
) -> Result<BTreeMap<String, Record>, WorkError> {
    let ids: BTreeSet<String> =
        contacts.iter().filter_map(|c| c.fields.get("AccountId").map(str::to_owned)).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let accounts = opened.records.get(SObject::Account, &ids).await?;
    Ok(accounts.into_iter().map(|account| (account.id.clone(), account)).collect())
}

/// What is matched of a record; none for a converted lead, whose person is its contact now.
fn probe_of(record: &Record, account: Option<&Record>) -> Option<Probe> {
    let fields = &record.fields;
    match record.object {
        SObject::Account => Some(Probe::account(&record.id, &crm_account(fields))),
        SObject::Lead if fields.is_true("IsConverted") => None,
        SObject::Lead => Some(Probe::person(&record.id, &crm_lead(fields))),
        SObject::Contact => {
            Some(Probe::person(&record.id, &crm_contact(fields, account.map(|a| &a.fields))))
        }
        _ => None,
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).map(str::to_owned)
}

fn crm_account(fields: &Fields) -> CrmAccount {
    CrmAccount {
        name: text(fields, "Name"),
        website: text(fields, "Website"),
        phone: text(fields, "Phone"),
        street: text(fields, "BillingStreet"),
        city: text(fields, "BillingCity"),
        state: text(fields, "BillingState"),
        postal_code: text(fields, "BillingPostalCode"),
        country: text(fields, "BillingCountry"),
        industry: text(fields, "Industry"),
        employees: fields.get("NumberOfEmployees").and_then(|n| n.trim().parse().ok()),
    }
}

fn crm_lead(fields: &Fields) -> CrmPerson {
    CrmPerson {
        first_name: text(fields, "FirstName"),
        last_name: text(fields, "LastName"),
        title: text(fields, "Title"),
        company: text(fields, "Company"),
        email: text(fields, "Email"),
        phone: text(fields, "Phone"),
        website: text(fields, "Website"),
        street: text(fields, "Street"),
        city: text(fields, "City"),
        state: text(fields, "State"),
        country: text(fields, "Country"),
        ..CrmPerson::default()
    }
}

fn crm_contact(fields: &Fields, account: Option<&Fields>) -> CrmPerson {
    CrmPerson {
        first_name: text(fields, "FirstName"),
        last_name: text(fields, "LastName"),
        title: text(fields, "Title"),
        company: account.and_then(|a| text(a, "Name")),
        email: text(fields, "Email"),
        phone: text(fields, "Phone"),
        website: account.and_then(|a| text(a, "Website")),
        street: text(fields, "MailingStreet"),
        city: text(fields, "MailingCity"),
        state: text(fields, "MailingState"),
        country: text(fields, "MailingCountry"),
        ..CrmPerson::default()
    }
}
