//! The lease that lets one settlement at a time work on a connection's matches.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Settle;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::LeaseToken;
use crate::ports::{Condition, Write};
use crate::store::{self, Next};
use crate::work::WorkError;

/// How long a settlement may take: the function's timeout is shorter.
const LEASE: SignedDuration = SignedDuration::from_secs(120);

impl Settle {
    pub(super) async fn commit(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
        mut writes: Vec<Write>,
        next: Vec<Next>,
    ) -> Result<(), WorkError> {
        writes.push(lease_check(opened, lease));
        if self.outbox.commit(writes, next).await?.is_done() {
            Ok(())
        } else {
            Err(WorkError::retry("settle a batch", "the lease was lost"))
        }
    }

    pub(super) async fn acquire(
        &self,
        opened: &OpenGeneration,
    ) -> Result<Option<LeaseToken>, WorkError> {
        let now = self.ports.clock.now();
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let lease = LeaseToken::new(millis, self.ports.entropy.bits());
        let until = (now + LEASE).as_second();
        let free =
            Condition::Any(vec![Condition::Absent, Condition::Lt("until", json!(now.as_second()))]);
        let doc = SettleLease { lease, until };
        let write = store::put(opened.keys.settle_lease(), &doc, free)?;
        Ok(self.ports.table.write(write).await?.is_done().then_some(lease))
    }

    pub(super) async fn release(
        &self,
        opened: &OpenGeneration,
        lease: LeaseToken,
    ) -> Result<(), WorkError> {
        let when = Condition::Eq("lease", json!(lease.to_string()));
        let key = opened.keys.settle_lease();
        let _ = self.ports.table.write(Write::Delete { key: key.into(), when }).await?;
        Ok(())
    }
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleLease {
    /// The holder.
    pub lease: LeaseToken,
    /// Held until then (Unix seconds).
    pub until: i64,
}

/// The check that shuts out a settlement whose lease ran out.
pub(super) fn lease_check(opened: &OpenGeneration, lease: LeaseToken) -> Write {
    Write::Check {
        key: opened.keys.settle_lease().into(),
        when: Condition::Eq("lease", json!(lease.to_string())),
    }
}
