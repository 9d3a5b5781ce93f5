//! `audit export` and `audit check`: who did what when, and whether the log is whole.

use anyhow::{Context, bail};
use shared::capabilities::audit::{self, AuditEntry, Checked, HeadMark, KEPT};
use shared::host::SystemClock;
use shared::kernel::TenantId;
use shared::ports::Clock;

use super::Outcome;
use super::deployment::token;
use crate::api_client::ApiClient;
use crate::args::{AuditCheckArgs, AuditExportArgs};
use crate::audit_file::{self, AuditFile, AuditFileWriter};
use crate::report::thousands;

/// Writes a tenant's log into a file.
pub fn export(args: &AuditExportArgs) -> anyhow::Result<Outcome> {
    let client =
        ApiClient::new(&args.deployment.api, token(args.deployment.token_file.as_deref())?)?;
    let mut file = AuditFileWriter::create(&args.to)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut entries, mut heads) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let mut next = None;
        loop {
            let page = client.audit(args.tenant, next.as_deref()).await?;
            entries.extend(page.items);
            heads.push(page.head);
            next = page.next;
            if next.is_none() {
                return anyhow::Ok(());
            }
        }
    })?;
    for entry in &entries {
        file.add(entry)?;
    }
    let checked = checked(args.tenant, entries, &heads)
        .context("the deployment's log does not check; nothing was written")?;
    file.finish(&checked.head)?;
    Ok(said(format!("{} holds {}", args.to.display(), told(&checked))))
}

/// Checks a file.
pub fn check(args: &AuditCheckArgs) -> anyhow::Result<Outcome> {
    let AuditFile { entries, head } = audit_file::read(&args.file)?;
    let shown = args.file.display();
    let Some(head) = head else {
        bail!("{shown} has no last line with the head of the log: its tail was cut off")
    };
    let mut heads = vec![head];
    for earlier in &args.since {
        let read = audit_file::read(earlier)?;
        let shown = earlier.display();
        heads.push(read.head.with_context(|| format!("{shown} has no head: its tail is missing"))?);
    }
    for text in &args.head {
        heads.push(parsed(text)?);
    }
    let Some(first) = entries.first() else {
        return match heads.iter().find(|head| head.number > 0) {
            Some(head) => bail!("{shown} is empty, and the log had {} entries", head.number),
            None => Ok(said(format!("{shown} is the log of a tenant without entries"))),
        };
    };
    let checked = checked(first.tenant, entries, &heads).with_context(|| shown.to_string())?;
    Ok(said(format!("{shown} is whole: {}", told(&checked))))
}

fn checked(
    tenant: TenantId,
    entries: Vec<AuditEntry>,
    heads: &[HeadMark],
) -> Result<Checked, audit::Broken> {
    audit::check(tenant, entries, heads, (SystemClock.now(), KEPT))
}

/// A head as `--head` has it.
fn parsed(text: &str) -> anyhow::Result<HeadMark> {
    let parts = text.split_once(':').and_then(|(number, hash)| {
        let number = number.parse().ok()?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| HeadMark { number, hash: hash.to_ascii_lowercase() })
    });
    parts.with_context(|| format!("{text:?} is no head: give number:hash, as in a log's line"))
}

fn told(checked: &Checked) -> String {
    let entries = thousands(checked.entries);
    let HeadMark { number, hash } = &checked.head;
    let behind = match checked.first {
        Some(first) if first > 1 => {
            format!("; those before {first} were older than three years and are gone")
        }
        _ => String::new(),
    };
    format!(
        "{entries} entries{behind}\nits head is {number}:{hash}; keep it elsewhere, and give it to \
         `crm-sync audit check --head` later\n"
    )
}

fn said(output: String) -> Outcome {
    Outcome { output, ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let hash = "0A".repeat(32);
        let head = parsed(&format!("12:{hash}")).unwrap();
        assert_eq!((head.number, head.hash), (12, hash.to_lowercase()));
        for text in ["", "12", "12:", ":00", "x:00", &format!("12:{}", "g".repeat(64))] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
