//! Calls of the org's API: counted, and kept within the share that imports may take.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ObjectStep;
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::{LEAST_API_PERCENT, OrgCalls};
use crate::kernel::Grantee;
use crate::salesforce::{ApiUsage, Budget, Observed, Reply, SalesforceError, Session};
use crate::work::WorkError;

/// An answer that carries its headers.
pub(super) trait Answered {
    /// The values in the headers.
    fn observed(&self) -> Observed;
}

impl<T> Answered for Reply<T> {
    fn observed(&self) -> Observed {
        self.observed
    }
}

impl<T> Answered for (Observed, T) {
    fn observed(&self) -> Observed {
        self.0
    }
}

impl ObjectStep<'_> {
    /// Makes a call with the connection's grant and counts it. If the answer tells that the
    /// imports' share of the org's allowance is used up, the run stands back after this step.
    pub(super) async fn call<T, F>(
        &mut self,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<T, GrantError>
    where
        T: Answered,
        F: Future<Output = Result<T, SalesforceError>> + Send,
    {
        let calls = AtomicU64::new(0);
        let answer = self
            .import
            .grants
            .call(self.generation, Grantee::Admin, |session| {
                calls.fetch_add(1, Ordering::Relaxed);
                call(session)
            })
            .await;
        self.progress.api_calls += calls.into_inner();
        let answer = answer?;
        if let Some(usage) = answer.observed().api_usage {
            self.progress.org_calls =
                Some(OrgCalls { usage, seen_at: self.import.ports.clock.now() });
            self.keep_within_budget(usage).await?;
        }
        Ok(answer)
    }

    async fn keep_within_budget(&self, usage: ApiUsage) -> Result<(), WorkError> {
        if usage.used.saturating_mul(100) < usage.max.saturating_mul(LEAST_API_PERCENT.into()) {
            return Ok(());
        }
        let settings = self.import.settings(self.generation).await?;
        let (background_percent, reserve) = (settings.api_percent, settings.api_reserve);
        let budget = Budget { background_percent, reserve };
        if !budget.allows_background(usage, 1) {
            self.import.stand_back(self.generation, self.run).await?;
        }
        Ok(())
    }
}
