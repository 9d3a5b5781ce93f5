//! Calls of the org's API: counted, and kept within the share that imports may take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::{Import, wait_until};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing;
use crate::capabilities::importing::{ActiveRun, ImportSettings, LEAST_API_PERCENT, ObjectImport};
use crate::kernel::{Grantee, ImportRunId, Occurrence};
use crate::ports::{Change, Condition, Write};
use crate::salesforce::{ApiUsage, Budget, Disposition, Observed, Reply, SalesforceError, Session};
use crate::store::{self, Next};
use crate::work::{Done, WorkError};

/// How long a run leaves the org's API alone when its share is used up. The allowance is of rolling
/// 24 hours: it comes back bit by bit.
const STAND_BACK: SignedDuration = SignedDuration::from_mins(30);

/// Whatever carries the headers of an answer.
pub(super) trait Answered {
    /// What the headers told.
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

impl Import {
    /// Makes a call with the connection's grant and counts it. When the answer tells that the
    /// imports' share of the org's allowance is used up, the run stands back after this step.
    pub(super) async fn call<T, F>(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<T, GrantError>
    where
        T: Answered,
        F: Future<Output = Result<T, SalesforceError>> + Send,
    {
        let calls = AtomicU64::new(0);
        let answer = self
            .grants
            .call(opened, Grantee::Admin, |session| {
                calls.fetch_add(1, Ordering::Relaxed);
                call(session)
            })
            .await;
        progress.api_calls += calls.into_inner();
        let answer = answer?;
        if let Some(usage) = answer.observed().api_usage {
            self.mind_the_budget(opened, run, usage).await?;
        }
        Ok(answer)
    }

    /// How imports of the connection are set up.
    pub(super) async fn settings(
        &self,
        opened: &OpenGeneration,
    ) -> Result<ImportSettings, WorkError> {
        let key = importing::keys::import_settings(opened.connection.at);
        Ok(store::get(&*self.ports.table, &key).await?.unwrap_or_default())
    }

    async fn mind_the_budget(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        usage: ApiUsage,
    ) -> Result<(), WorkError> {
        if usage.used.saturating_mul(100) < usage.max.saturating_mul(LEAST_API_PERCENT.into()) {
            return Ok(());
        }
        let settings = self.settings(opened).await?;
        let (background_percent, reserve) = (settings.api_percent, settings.api_reserve);
        let budget = Budget { background_percent, reserve };
        if budget.allows_background(usage, 1) {
            return Ok(());
        }
        self.stand_back(opened, run).await
    }

    async fn stand_back(&self, opened: &OpenGeneration, run: ImportRunId) -> Result<(), WorkError> {
        let (key, now) = (opened.keys.active_run(), self.ports.clock.now());
        let active: Option<ActiveRun> = store::get(&*self.ports.table, &key).await?;
        let Some(active) = active.filter(|a| a.run == run) else { return Ok(()) };
        let same = match active.stands_back_until {
            None => Condition::Missing("stands_back_until"),
            Some(until) if until > now => return Ok(()), // another object's step was told, too
            Some(passed) => Condition::Eq("stands_back_until", json!(passed)),
        };
        tracing::warn!(run.id = %run, "the imports' share of the org's API is used up");
        let until = now + STAND_BACK;
        let write = Write::Update {
            key: key.into(),
            changes: vec![Change::Set("stands_back_until", json!(until))],
            when: Condition::All(vec![Condition::Eq("run", json!(run)), same]),
        };
        let told = Occurrence::ImportStoodBack { run, until };
        let told = Next::publish(opened.keys.scope(), now, told);
        let _ = self.outbox.commit(vec![write], vec![told]).await?;
        Ok(())
    }

    /// What is done about an error that may pass: the step is taken again later, and where the org
    /// has no calls left, the whole run stands back.
    pub(super) async fn wait(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        error: GrantError,
    ) -> Result<Done, WorkError> {
        if let GrantError::Call(call) = &error
            && matches!(call.disposition(), Disposition::StandBack { .. })
        {
            self.stand_back(opened, run).await?;
            let now = self.ports.clock.now();
            return Ok(Done::Later(wait_until(now + STAND_BACK, now).max(Duration::from_secs(1))));
        }
        error.into_done("import an object")
    }
}
