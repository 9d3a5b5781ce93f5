//! Making probes of records, and keeping them.
//!
//! Probes stay in the object store, sealed, in one folder per object and bucket. Every import
//! appends the probes of the records that changed. A re-match reads them all, takes the latest of
//! each record, and folds the folder into one file. So it reads neither Salesforce nor the table.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::keys::probe_folder;
use super::match_runs::MatchRuns;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{ProbeEntry, probe_of};
use crate::kernel::{MatchRunId, Record, RecordHead, SObject};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::beside;
use crate::work::WorkError;

/// How many records' probes one task makes: while some make probes, others wait for the table.
const PROBED_AT_ONCE: usize = 500;

/// How many files are written at once.
const FILES_AT_ONCE: usize = 8;

impl MatchRuns {
    /// The probes of these records as they are now. A record that is gone or is not to be matched
    /// gets an entry without a probe.
    ///
    /// `as_of` is when the import began that hands them over. The records' own stamps would not do:
    /// a contact whose account is gone from sight has an older stamp than it had before.
    pub(crate) async fn probe(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        ids: &[SalesforceId],
        as_of: Timestamp,
    ) -> Result<Vec<ProbeEntry>, WorkError> {
        let stamp = as_of.as_millisecond();
        let probing = ids.chunks(PROBED_AT_ONCE).map(|ids| {
            let (generation, ids) = (generation.clone(), ids.to_vec());
            beside("make probes", async move { probes_of(&generation, object, &ids, stamp).await })
        });
        let made = try_join_all(probing).await?;
        let mut probes: Vec<ProbeEntry> = made.into_iter().flatten().collect();
        probes.sort_unstable_by_key(|probe| probe.record);
        probes.dedup_by_key(|probe| probe.record);
        Ok(probes)
    }

    /// Appends probes to the folders that a re-match reads. A second call of the same `name`
    /// appends nothing.
    pub(crate) async fn keep_probes(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        name: &str,
        probes: &[ProbeEntry],
    ) -> Result<(), WorkError> {
        let mut by_bucket: BTreeMap<u32, Vec<&ProbeEntry>> = BTreeMap::new();
        for probe in probes {
            by_bucket.entry(generation.keys.bucket(probe.record.as_str())).or_default().push(probe);
        }
        let mut files = Vec::with_capacity(by_bucket.len());
        for (bucket, probes) in by_bucket {
            let key = format!("{}{name}", probe_folder(generation.keys.scope(), object, bucket));
            let plain = serde_json::to_vec(&probes)
                .map_err(|error| WorkError::reject("write probes", error))?;
            files.push((key, plain));
        }
        self.put_all(generation, files).await
    }

    /// Seals and writes files under their keys, several at once.
    pub(super) async fn put_all(
        &self,
        generation: &OpenGeneration,
        files: Vec<(String, Vec<u8>)>,
    ) -> Result<(), WorkError> {
        let puts = files.into_iter().map(|(key, plain)| {
            let (ports, generation) = (self.ports.clone(), generation.clone());
            let put = async move { generation.put_object(&ports, &key, &plain).await };
            beside("write a file", put)
        });
        stream::iter(puts).buffer_unordered(FILES_AT_ONCE).try_collect::<()>().await?;
        Ok(())
    }

    /// The latest probe of each record of a bucket, by record id. The folder becomes one file.
    pub(super) async fn folded(
        &self,
        generation: &OpenGeneration,
        run: MatchRunId,
        object: SObject,
        bucket: u32,
    ) -> Result<Vec<ProbeEntry>, WorkError> {
        let folder = probe_folder(generation.keys.scope(), object, bucket);
        let files = self.ports.objects.list(&folder).await?;
        let mut latest: BTreeMap<SalesforceId, ProbeEntry> = BTreeMap::new();
        for file in &files {
            let Some(plain) = generation.get_object(&self.ports, &file.key).await? else {
                continue;
            };
            let probes: Vec<ProbeEntry> = serde_json::from_slice(&plain)
                .map_err(|error| WorkError::reject("read probes", error))?;
            for probe in probes {
                match latest.get(&probe.record) {
                    Some(known) if known.stamp > probe.stamp => {}
                    _ => {
                        latest.insert(probe.record, probe);
                    }
                }
            }
        }
        let entries: Vec<ProbeEntry> = latest.into_values().collect();
        // Each run folds into a file of its own, so that two runs at once lose nothing.
        let base = format!("{folder}0-{run}");
        let others: Vec<String> =
            files.into_iter().map(|f| f.key).filter(|key| *key != base).collect();
        if !others.is_empty() {
            let plain = serde_json::to_vec(&entries)
                .map_err(|error| WorkError::reject("write probes", error))?;
            generation.put_object(&self.ports, &base, &plain).await?;
            self.ports.objects.delete(&others).await?;
        }
        Ok(entries)
    }
}

/// The probes of some records, which are few enough to be open at once.
async fn probes_of(
    generation: &OpenGeneration,
    object: SObject,
    ids: &[SalesforceId],
    stamp: i64,
) -> Result<Vec<ProbeEntry>, PortError> {
    let known = generation.records.known(object, ids).await?;
    let accounts = match object {
        SObject::Contact => accounts_by_id(generation, &known).await?,
        _ => BTreeMap::new(),
    };
    let probes = known.into_iter().map(|(head, record)| {
        let account_of = |record: &Record| record.fields.reference("AccountId");
        let probe = record.as_ref().and_then(|record| {
            probe_of(record, account_of(record).and_then(|id| accounts.get(&id)))
        });
        ProbeEntry { record: head.id, stamp, probe }
    });
    Ok(probes.collect())
}

async fn accounts_by_id(
    generation: &OpenGeneration,
    contacts: &[(RecordHead, Option<Record>)],
) -> Result<BTreeMap<SalesforceId, Record>, PortError> {
    let account_of =
        |(_, contact): &(_, Option<Record>)| contact.as_ref()?.fields.reference("AccountId");
    let ids: BTreeSet<SalesforceId> = contacts.iter().filter_map(account_of).collect();
    let ids: Vec<SalesforceId> = ids.into_iter().collect();
    let accounts = generation.records.get(SObject::Account, &ids).await?;
    Ok(accounts.into_iter().map(|account| (account.id, account)).collect())
}
