//! Showing, trying and changing an admin's rules of matching. A change has everything matched
//! again.

use std::collections::BTreeSet;

use super::{
    DecisionRules, KeptMatchRules, MATCHED_OBJECTS, MatchRules, Models, RulesTrial, TrialPlace,
    WrongRules, keys,
};
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError, unfenced};
use crate::kernel::{
    Asked, Author, ConnectionState, MatchMessage, MatchRunId, MatchTrigger, Scope, Signature,
    TenantEnvironment,
};
use crate::ports::{PortError, Ports};
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Attempt, Commit, Store, Stored, attempts};
use crate::work::{Done, WorkError, boxed};

/// How many records a step of a trial looks at.
const PER_STEP: usize = 500;

/// Why rules are not shown, tried or changed.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// No org is connected, or nothing was tried.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// They cannot be so.
    #[error(transparent)]
    Wrong(#[from] WrongRules),
    /// They are not at a revision that the change was made for.
    #[error("they are at revision {0} by now; read them again")]
    Stale(u64),
}

impl From<PortError> for RulesError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for RulesError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

/// Shows, tries and changes the rules of matching.
#[derive(Clone)]
pub struct ChangeMatchRules {
    ports: Ports,
    store: Store,
    custody: Custody,
    models: Models,
    audit: AuditLog,
}

impl ChangeMatchRules {
    /// Rules over the thresholds of `models`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, models: Models) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, models, audit }
    }

    /// An environment's rules, and by what records are decided by them.
    ///
    /// # Errors
    /// When the table cannot be asked.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
    ) -> Result<(KeptMatchRules, DecisionRules), WorkError> {
        let kept = self.store.read(&keys::match_rules(at)).await?.unwrap_or_default();
        let by = DecisionRules::new(self.models.thresholds(), kept.clone());
        Ok((kept, by))
    }

    /// Changes the rules, all of them. With `revisions`, only when they are at one of these. What a
    /// live connection holds is matched again.
    ///
    /// # Errors
    /// When they cannot be so, or were changed meanwhile.
    #[must_use]
    #[boxed]
    pub async fn change(
        &self,
        at: TenantEnvironment,
        rules: MatchRules,
        revisions: Option<&BTreeSet<u64>>,
        by: &Author,
    ) -> Result<KeptMatchRules, RulesError> {
        let rules = rules.checked(self.models.thresholds())?;
        let slot = keys::match_rules(at);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let now = before.as_ref().map_or(0, |kept| kept.changes);
            if revisions.is_some_and(|revisions| !revisions.contains(&now)) {
                return Err(RulesError::Stale(now));
            }
            let kept = before.as_deref().cloned().unwrap_or_default();
            if kept.rules == rules {
                return Ok(Attempt::Done(kept));
            }
            let signed = Some(Signature { at: self.ports.clock.now(), by: by.clone() });
            let kept = KeptMatchRules { rules: rules.clone(), changes: now + 1, signed };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &kept)?;
            self.match_again(at, &mut commit).await?;
            let objects: Vec<String> = kept.rules.0.keys().map(ToString::to_string).collect();
            let deed = Deed::at(Action::MatchRulesChanged, at).detail("objects", objects.join(","));
            let deed = deed.detail("revision", kept.changes);
            let done = self.audit.commit(commit, at.tenant, &Actor::from(by), &deed).await?;
            Ok(Attempt::of(&done, kept))
        })
        .await
    }

    /// Adds to a commit that everything a live connection holds is matched again, by a run of its
    /// own: one that is under way has decided some records by the rules of before.
    async fn match_again(
        &self,
        at: TenantEnvironment,
        commit: &mut Commit,
    ) -> Result<(), PortError> {
        let found = self.store.read(&connection_slot(at)).await?;
        let live = found.filter(|found| found.state != ConnectionState::Disconnected);
        let Some(connection) = live else { return Ok(()) };
        let (keys, now) = (GenerationKeys::of(&connection), self.ports.clock.now());
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let run = MatchRunId::new(millis, self.ports.entropy.bits());
        let asked = keys.asked_rematch();
        let before = self.store.load(&asked).await?;
        commit.save(&asked, before.as_ref(), &Asked { work: run, asked_at: now })?;
        let (scope, trigger) = (connection.scope(), MatchTrigger::Settings);
        commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
        commit.check(&connection_slot(at), unfenced(&connection)?);
        Ok(())
    }

    /// Asks what would be matched by some rules. A trial that is under way ends.
    ///
    /// # Errors
    /// When no org is connected, or the rules cannot be so.
    #[must_use]
    #[boxed]
    pub async fn try_out(
        &self,
        at: TenantEnvironment,
        rules: MatchRules,
        by: Author,
    ) -> Result<RulesTrial, RulesError> {
        let rules = rules.checked(self.models.thresholds())?;
        let opened = self.custody.open_live(at).await?;
        let asked = Signature { at: self.ports.clock.now(), by };
        let (slot, scope) = (opened.keys.rules_trial(), opened.keys.scope());
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let trial = RulesTrial {
                trial: before.as_ref().map_or(1, |before| before.trial + 1),
                rules: rules.clone(),
                asked: asked.clone(),
                step: 0,
                place: TrialPlace::default(),
                finished_at: None,
                found: [].into(),
            };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &trial)?;
            commit.now(MatchMessage::TryRules { scope, trial: trial.trial, step: 0 });
            Ok(Attempt::of(&self.store.commit(commit).await?, trial))
        })
        .await
    }

    /// The latest trial.
    ///
    /// # Errors
    /// When no org is connected, or nothing was tried.
    #[must_use]
    #[boxed]
    pub async fn latest(&self, at: TenantEnvironment) -> Result<RulesTrial, RulesError> {
        let opened = self.custody.shown(at).await?;
        let found = self.store.read(&opened.keys.rules_trial()).await?;
        Ok(found.ok_or(LookupError::NotFound("trial of rules"))?)
    }

    /// Takes one step of a trial.
    pub(super) async fn step(
        &self,
        scope: Scope,
        trial: u64,
        step: u64,
    ) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let slot = generation.keys.rules_trial();
        let Some(before) = self.store.load(&slot).await? else { return Ok(Done::Finished) };
        if (before.trial, before.step) != (trial, step) || before.finished_at.is_some() {
            return Ok(Done::Finished); // a later one was asked for, or this step was taken
        }
        let (kept, now) = self.get(scope.tenant_environment()).await?;
        let tried = KeptMatchRules { rules: before.rules.clone(), ..kept };
        let then = DecisionRules::new(self.models.thresholds(), tried);
        let mut after = RulesTrial { step: step + 1, ..RulesTrial::clone(&before) };
        let mut commit = Commit::new();
        if let Some(&object) = MATCHED_OBJECTS.get(before.place.object) {
            let TrialPlace { bucket, after: from, .. } = before.place.clone();
            let series = generation.keys.all_candidates(object, bucket);
            let page = generation.store.page(&series, from.as_deref(), PER_STEP).await?;
            let found = after.found.entry(object).or_default();
            for list in page.documents.into_iter().map(Stored::into_inner) {
                found.count(&list, &now, &then);
            }
            let buckets = generation.keys.buckets();
            after.place = before.place.clone().after_page(page.next, buckets);
            commit.now(MatchMessage::TryRules { scope, trial, step: after.step });
        } else {
            after.finished_at = Some(self.ports.clock.now());
        }
        commit.replace(&before, &after)?;
        let winner = "another delivery of this message, or a later trial";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(Done::Finished)
    }
}
