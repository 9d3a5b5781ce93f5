//! `crm-sync tenant`: moves a tenant from one home of the product to another.

use super::Outcome;
use super::deployment::token;
use crate::api_client::{ApiClient, ApiError, TakenIn};
use crate::args::{DeploymentArgs, TenantExportArgs, TenantImportArgs, TenantTakeBackArgs};
use crate::moving::{Batch, TenantFile, TenantFileWriter};
use crate::progress;
use crate::report::{Table, thousands};
use anyhow::{Context, ensure};
use shared::capabilities::moving::End;
use shared::kernel::{Environment, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// Hands the tenant over, and writes its file.
pub fn export(args: &TenantExportArgs) -> anyhow::Result<Outcome> {
    block_on(async {
        let client = client(&args.deployment)?;
        let file = TenantFileWriter::create(&args.to)?;
        let tenant = args.tenant;
        let connections = client.hand_over(tenant).await?;
        let rests = connections.iter().map(|c| c.environment.clone()).collect::<Vec<_>>();
        if !rests.is_empty() {
            progress::tell(&format!(
                "{tenant} is handed over: nothing is sent, read or taken in for it here ({})",
                rests.join(", ")
            ));
        }
        let end = written(&client, tenant, file).await.with_context(|| {
            format!("{tenant} stays handed over: export it again, or take it back")
        })?;
        let mut table = Table::new(["", "lines"]);
        for (kind, lines) in &end.lines {
            table.row([kind.clone(), thousands(*lines)]);
        }
        let output = format!(
            "{table}{} is whole; it holds people's texts: keep it to yourself\nimport it at the \
             new home, then disconnect the orgs here; to stay here instead, and only if no other \
             home took it in: crm-sync tenant take-back --tenant {tenant} --api {}\n",
            args.to.display(),
            client.base()
        );
        Ok(Outcome { output, ..Outcome::default() })
    })
}

/// Writes what the deployment has of a tenant. Gives how many lines there are of each kind.
async fn written(
    client: &ApiClient,
    tenant: TenantId,
    mut file: TenantFileWriter,
) -> anyhow::Result<End> {
    let bar = progress::open_ended("export");
    let mut next = None;
    loop {
        let page = client.export(tenant, next.as_deref()).await?;
        for line in &page.lines {
            file.add(line)?;
            bar.inc(1);
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    file.finish()
}

/// Takes a tenant's file in, as far as its orgs are connected.
pub fn import(args: &TenantImportArgs) -> anyhow::Result<Outcome> {
    let file = TenantFile::open(&args.from)?;
    block_on(async {
        let client = client(&args.deployment)?;
        let tenant = args.tenant.unwrap_or(file.header.tenant);
        let bar = progress::counted("import", file.end.lines.values().sum());
        let mut done = TakenIn::default();
        let mut waiting: BTreeMap<Environment, String> = BTreeMap::new();
        for batch in file.batches()? {
            let Batch { org, lines } = batch?;
            bar.inc(lines.len() as u64);
            let environment = org.map(|org| org.environment);
            if environment.is_some_and(|environment| waiting.contains_key(&environment)) {
                continue;
            }
            match (client.import(tenant, &lines).await, environment) {
                (Ok(taken), _) => done.add(taken),
                (Err(ApiError::Refused { kind, reason }), Some(environment))
                    if kind == "not_connected" =>
                {
                    waiting.insert(environment, reason);
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
        bar.finish_and_clear();
        let table = table(&done);
        if !waiting.is_empty() {
            progress::tell(table.trim_end());
        }
        let reasons: Vec<String> = waiting.into_values().collect();
        ensure!(
            reasons.is_empty(),
            "the import is not over: {}. What belongs to an org is in the file alone until then: \
             keep it, and run this command again",
            reasons.join("; ")
        );
        let output = format!("{table}{tenant} is taken in\n");
        Ok(Outcome { output, ..Outcome::default() })
    })
}

/// Takes a hand-over back.
pub fn take_back(args: &TenantTakeBackArgs) -> anyhow::Result<Outcome> {
    block_on(async {
        client(&args.deployment)?.take_back(args.tenant).await?;
        let output = format!("{} stays here; its work goes on within 15 minutes\n", args.tenant);
        Ok(Outcome { output, ..Outcome::default() })
    })
}

fn table(done: &TakenIn) -> String {
    let mut table = Table::new(["", "taken in", "known before"]);
    let kinds = done.taken.keys().chain(done.known.keys());
    let kinds: BTreeSet<&String> = kinds.collect();
    for kind in kinds {
        let count =
            |counts: &BTreeMap<String, u64>| thousands(counts.get(kind).copied().unwrap_or(0));
        table.row([kind.clone(), count(&done.taken), count(&done.known)]);
    }
    table.to_string()
}

fn client(args: &DeploymentArgs) -> anyhow::Result<ApiClient> {
    Ok(ApiClient::new(&args.api, token(args.token_file.as_deref())?)?)
}

fn block_on(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
